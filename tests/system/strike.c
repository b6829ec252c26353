/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into a program: sends it the signal STRIKE_SIGNAL right before the call number
 * STRIKE_AT of those by which it changes the machine.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

static int n_left, number;

/* What the program runs is left alone. */
__attribute__((constructor)) static void aim(void)
{
        n_left = atoi(getenv("STRIKE_AT"));
        number = atoi(getenv("STRIKE_SIGNAL"));
        (void)unsetenv("LD_PRELOAD");
}

static void count(void)
{
        if (--n_left == 0)
                (void)raise(number);
}

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

int fsync(int fd)
{
        count();
        return REAL(fsync)(fd);
}

int rename(const char *from, const char *to)
{
        count();
        return REAL(rename)(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
        count();
        return REAL(renameat)(from_folder, from, to_folder, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
        count();
        return REAL(renameat2)(from_folder, from, to_folder, to, flags);
}

int symlink(const char *target, const char *path)
{
        count();
        return REAL(symlink)(target, path);
}

int mkdirat(int folder, const char *path, mode_t mode)
{
        count();
        return REAL(mkdirat)(folder, path, mode);
}

int unlink(const char *path)
{
        count();
        return REAL(unlink)(path);
}

int utimensat(int folder, const char *path, const struct timespec times[2], int flags)
{
        count();
        return REAL(utimensat)(folder, path, times, flags);
}

pid_t fork(void)
{
        count();
        return REAL(fork)();
}

int sd_bus_call_method(sd_bus *bus, const char *destination, const char *path,
                       const char *interface, const char *member, sd_bus_error *error,
                       sd_bus_message **reply, const char *types, ...)
{
        va_list args;
        int r;

        count();
        va_start(args, types);
        r = sd_bus_call_methodv(bus, destination, path, interface, member, error, reply, types,
                                args);
        va_end(args);
        return r;
}
