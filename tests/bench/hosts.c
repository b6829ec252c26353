/* SPDX-License-Identifier: MIT */
/*
 * Measures for tests/bench/hosts: "load" reads a configuration and looks hosts up, "gaps" receives
 * hand-offs and prints the longest pause between two of them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "config/config.h"
#include "handoff/bellhop.h"

#define N_LOOKUPS 2000000
#define N_NAMES   65536 /* a power of two */

static uint64_t clock_nsec(clockid_t clock)
{
        struct timespec now;

        clock_gettime(clock, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint64_t now_nsec(void)
{
        return clock_nsec(CLOCK_MONOTONIC);
}

/* Leaves out the time of other processes on the same processor. */
static uint64_t cpu_nsec(void)
{
        return clock_nsec(CLOCK_PROCESS_CPUTIME_ID);
}

/* Private memory of this process, KiB. */
static long private_kib(void)
{
        FILE *file = fopen("/proc/self/smaps_rollup", "re");
        char line[256];
        long sum = 0, n;

        while (file && fgets(line, sizeof(line), file))
                if (sscanf(line, "Private_Clean: %ld kB", &n) == 1 ||
                    sscanf(line, "Private_Dirty: %ld kB", &n) == 1)
                        sum += n;
        if (file)
                fclose(file);
        return sum;
}

static uint64_t random_next(uint64_t *state)
{
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state;
}

/* Small, so that the list of names does not slow down the measured map. Each lookup copies a name,
 * as the router does after parsing. */
typedef struct Name {
        char text[47];
        uint8_t length;
} Name;

/* Makes names of random hosts that tests/bench/hosts has written: every fourth is a wildcard. If
 * not present, no instance has these hosts. */
static void make_names(Name *names, unsigned n_hosts, bool present)
{
        uint64_t state = 88172645463325252ULL;

        for (size_t i = 0; i < N_NAMES; i++) {
                const unsigned number = (unsigned)(random_next(&state) % n_hosts);

                names[i].length =
                        (uint8_t)snprintf(names[i].text, sizeof(names[i].text),
                                          "%s%s-%u.customer.example", number % 4 == 0 ? "www." : "",
                                          present ? "host" : "nobody", number);
        }
}

static double lookup_nsec(const Config *config, const Name *names, bool present)
{
        const uint64_t began = cpu_nsec();
        size_t n_found = 0;

        for (size_t i = 0; i < N_LOOKUPS; i++) {
                const Name *name = &names[i & (N_NAMES - 1)];
                Hostname host;

                memcpy(host.name, name->text, sizeof(name->text));
                host.length = name->length;
                n_found += hostmap_find_host(config->map, &host).instance != ROUTE_NONE;
        }
        if (n_found != (present ? N_LOOKUPS : 0))
                abort();
        return (double)(cpu_nsec() - began) / N_LOOKUPS;
}

/* Prints the numbers of instances and problems, time and CPU time of the load in ms, private memory
 * in KiB, and the time of a lookup in ns, for a present and an absent host. */
static int run_load(const char *dir, unsigned n_hosts)
{
        const long before = private_kib();
        const uint64_t began = now_nsec(), cpu_began = cpu_nsec();
        Name *names;
        Config *config;
        double load_msec, cpu_msec, present;
        long kib;

        if (config_load(dir, CONFIG_USERS_CHECK, NULL, &config) < 0)
                return 1;
        load_msec = (double)(now_nsec() - began) / 1e6;
        cpu_msec = (double)(cpu_nsec() - cpu_began) / 1e6;
        kib = private_kib() - before;
        names = calloc(N_NAMES, sizeof(*names));
        if (!names)
                return 1;
        make_names(names, n_hosts, true);
        present = lookup_nsec(config, names, true);
        make_names(names, n_hosts, false);
        printf("%zu %zu %.1f %.1f %ld %.0f %.0f\n", config->n_instances, config->n_problems,
               load_msec, cpu_msec, kib, present, lookup_nsec(config, names, false));
        free(names);
        config_free(config);
        return 0;
}

/* Makes new connections, each with a request, as fast as one process can. */
static void visit(uint16_t port, const char *host)
{
        const struct sockaddr_in to = { .sin_family = AF_INET,
                                        .sin_port = htons(port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const struct linger reset = { .l_onoff = 1 }; /* without it, TIME_WAIT uses up all ports */
        char request[256];
        const int size =
                snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host);

        for (;;) {
                const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                struct pollfd closed = { .fd = fd, .events = POLLIN };

                if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 &&
                    send(fd, request, (size_t)size, MSG_NOSIGNAL) == size)
                        (void)poll(&closed, 1, 1000);
                (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
                close(fd);
        }
}

/* Prints the number of hand-offs, and the longest pause between two of them in ms. Standard input
 * is the hand-off socket. */
static int run_gaps(uint16_t port, const char *host, double seconds, uid_t sender)
{
        const uint64_t end = now_nsec() + (uint64_t)(seconds * 1e9);
        struct pollfd readable = { .fd = STDIN_FILENO, .events = POLLIN };
        uint64_t last = 0, longest = 0;
        pid_t clients[2];
        size_t n = 0;

        for (size_t i = 0; i < 2; i++) {
                clients[i] = fork();
                if (clients[i] == 0) {
                        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                        visit(port, host);
                }
        }
        while (now_nsec() < end && poll(&readable, 1, 1000) >= 0) {
                struct bellhop_handoff handoff;
                uint64_t now;
                int fd;

                if (bellhop_receive(STDIN_FILENO, sender, &handoff, &fd) != 0)
                        continue;
                close(fd);
                now = now_nsec();
                if (last > 0 && now - last > longest)
                        longest = now - last;
                last = now;
                n++;
        }
        for (size_t i = 0; i < 2; i++) {
                (void)kill(clients[i], SIGKILL);
                (void)waitpid(clients[i], NULL, 0);
        }
        printf("%zu %.2f\n", n, (double)longest / 1e6);
        return 0;
}

int main(int argc, char *argv[])
{
        if (argc == 4 && strcmp(argv[1], "load") == 0)
                return run_load(argv[2], (unsigned)atoi(argv[3]));
        if (argc == 6 && strcmp(argv[1], "gaps") == 0)
                return run_gaps((uint16_t)atoi(argv[2]), argv[3], atof(argv[4]),
                                (uid_t)atoi(argv[5]));
        fprintf(stderr,
                "Usage: hosts load DIR HOSTS | hosts gaps PORT HOST SECONDS SENDER <SOCKET\n");
        return 2;
}
