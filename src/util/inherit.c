/* SPDX-License-Identifier: MIT */
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "util/cleanup.h"
#include "util/inherit.h"

int inherit_init(Inherited *inherited)
{
        int n;

        *inherited = (Inherited){ .n = 0 };
        n = sd_listen_fds_with_names(/* unset_environment = */ true, &inherited->names);
        inherited->n = n > 0 ? (size_t)n : 0;
        return n < 0 ? n : 0;
}

int inherit_take(Inherited *inherited, const char *name, int family, int type, int listening)
{
        for (size_t i = 0; i < inherited->n; i++) {
                const int fd = SD_LISTEN_FDS_START + (int)i;

                if (inherited->names[i] && strcmp(inherited->names[i], name) == 0 &&
                    (type == 0 || sd_is_socket(fd, family, type, listening) > 0)) {
                        free(take_ptr(inherited->names[i]));
                        return fd;
                }
        }
        return -ENOENT;
}

void inherit_done(Inherited *inherited)
{
        for (size_t i = 0; i < inherited->n; i++)
                if (inherited->names[i]) {
                        close_fd(SD_LISTEN_FDS_START + (int)i);
                        free(inherited->names[i]);
                }
        free(inherited->names);
        *inherited = (Inherited){ .n = 0 };
}
