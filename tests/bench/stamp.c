/* SPDX-License-Identifier: MIT */
/* stamp FILE PROGRAM [ARGUMENT...]: writes two times in nanoseconds to FILE: CLOCK_MONOTONIC, and
 * the processor time that this process has used so far. Then executes PROGRAM. */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static long long read_clock(clockid_t clock)
{
        struct timespec now = { 0 };

        clock_gettime(clock, &now);
        return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char *argv[])
{
        int fd;

        if (argc < 3)
                return 2;
        fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0 || dprintf(fd, "%lld %lld\n", read_clock(CLOCK_MONOTONIC),
                              read_clock(CLOCK_PROCESS_CPUTIME_ID)) < 0)
                return 1;
        execv(argv[2], argv + 2);
        return 1;
}
