/* SPDX-License-Identifier: MIT */
/*
 * bellhop-fence: raises the fence of a customer's instance around another program of his, which it
 * then becomes. What the instance can't do with sockets, that program can't do for it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"
#include "util/fence.h"
#include "util/log.h"

int main(int argc, char *argv[])
{
        bool network = false;
        int r;

        log_open();
        if (argc < 3) {
                fprintf(stderr, "Usage: %s NAME PROGRAM [ARGUMENT...] (see bellhop(7))\n", argv[0]);
                return EXIT_FAILURE;
        }
        r = config_read_network(BELLHOP_CONFIG_DIR, argv[1], &network);
        if (r < 0) {
                errno = -r;
                log_error("can't read %s/instances/%s.conf: %m", BELLHOP_CONFIG_DIR, argv[1]);
                return EXIT_FAILURE;
        }
        r = fence_raise(fence_wanted(network));
        if (r < 0) {
                errno = -r;
                log_error("can't fence %s in for %s: %m", argv[2], argv[1]);
                return EXIT_FAILURE;
        }
        (void)execv(argv[2], argv + 2);
        log_error("can't run %s: %m", argv[2]);
        return EXIT_FAILURE;
}
