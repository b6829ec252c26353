/* SPDX-License-Identifier: MIT */
/* stamp FILE PROGRAM [ARGUMENT...]: writes CLOCK_MONOTONIC in nanoseconds to FILE, then becomes
 * PROGRAM. */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
        struct timespec now;
        int fd;

        if (argc < 3)
                return 2;
        fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (fd < 0 || dprintf(fd, "%lld%09ld\n", (long long)now.tv_sec, now.tv_nsec) < 0)
                return 1;
        execv(argv[2], argv + 2);
        return 1;
}
