/* SPDX-License-Identifier: MIT */
/*
 * Load for tests/bench/attack: "drip" holds many half-open connections, "visit" measures the
 * complete connections of a well-behaved client. They run at most one second longer than SECONDS.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Half-open connections come from 10.77.0.0/16. "ip route add local 10.77.0.0/16 dev lo" makes
 * these addresses local. */
#define SOURCE_NET UINT32_C(0x0a4d0000)
#define DRIP_HZ    50 /* how often a second a part of the connections sends its byte */

static uint64_t now_nsec(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t nsec)
{
        const struct timespec until = { .tv_sec = (time_t)(nsec / 1000000000),
                                        .tv_nsec = (long)(nsec % 1000000000) };

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
                ;
}

static int connect_from(uint32_t source, uint16_t port, int flags)
{
        struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(source) };
        struct sockaddr_in to = { .sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

        if (fd < 0)
                return -errno;
        (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        if (bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0 &&
            (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS))
                return fd;
        close(fd);
        return -errno;
}

/* The start of a ClientHello of 16 KB, which takes hours at one byte a second. */
static const uint8_t hello_start[] = { 22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc, 3, 3 };

typedef struct Dripper {
        int fd;
        size_t n_sent;
} Dripper;

static void drip(Dripper *dripper, uint32_t source, uint64_t *n_opened)
{
        uint8_t byte;

        if (dripper->fd < 0) {
                *dripper = (Dripper){ .fd = connect_from(source, 443, SOCK_NONBLOCK) };
                *n_opened += dripper->fd >= 0;
                return;
        }
        byte = dripper->n_sent < sizeof(hello_start) ? hello_start[dripper->n_sent] : 0;
        /* If the router has refused the connection, it is closed here, and opened again in the next
         * round. */
        if (send(dripper->fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 &&
            recv(dripper->fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN) {
                dripper->n_sent++;
        } else {
                close(dripper->fd);
                dripper->fd = -EBADF;
        }
}

static int run_drip(size_t n, double seconds)
{
        Dripper *drippers = calloc(n, sizeof(*drippers));
        const uint64_t end = now_nsec() + (uint64_t)(seconds * 1e9);
        uint64_t n_opened = 0, next = now_nsec();
        size_t at = 0;

        if (!drippers)
                return 1;
        for (size_t i = 0; i < n; i++)
                drippers[i].fd = -EBADF;
        while (now_nsec() < end) {
                for (size_t i = 0; i < n / DRIP_HZ; i++, at = (at + 1) % n)
                        drip(&drippers[at], SOURCE_NET + 1 + (uint32_t)at, &n_opened);
                next += UINT64_C(1000000000) / DRIP_HZ;
                sleep_until(next);
        }
        printf("%lu\n", (unsigned long)n_opened);
        free(drippers);
        return 0;
}

static bool visit(const char *request, size_t size, uint64_t *ret_nsec)
{
        const uint64_t began = now_nsec();
        const int fd = connect_from(INADDR_LOOPBACK, 80, 0);
        char answer[4096];
        size_t n_answer = 0;
        ssize_t n = -1;

        if (fd < 0)
                return false;
        if (send(fd, request, size, MSG_NOSIGNAL) == (ssize_t)size)
                while (n_answer < sizeof(answer) &&
                       (n = recv(fd, answer + n_answer, sizeof(answer) - n_answer, 0)) > 0)
                        n_answer += (size_t)n;
        close(fd);
        *ret_nsec = now_nsec() - began;
        return n == 0 && n_answer > 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0;
}

static int compare(const void *a, const void *b)
{
        const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

/* Prints the numbers of connections that succeeded and that failed, and the median, p99 and longest
 * time in µs. */
static int run_visit(const char *host, double seconds, double hz)
{
        const size_t most = (size_t)(seconds * hz) + 1;
        uint64_t *took = calloc(most, sizeof(*took));
        uint64_t next = now_nsec();
        char request[256];
        size_t n = 0, n_failed = 0;
        const int size =
                snprintf(request, sizeof(request),
                         "GET /load.txt HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);

        if (!took)
                return 1;
        while (n + n_failed < most) {
                if (visit(request, (size_t)size, &took[n]))
                        n++;
                else
                        n_failed++;
                next += (uint64_t)(1e9 / hz);
                sleep_until(next);
        }
        qsort(took, n, sizeof(*took), compare);
        if (n > 0)
                printf("%zu %zu %.1f %.1f %.1f\n", n, n_failed, (double)took[n / 2] / 1e3,
                       (double)took[n * 99 / 100] / 1e3, (double)took[n - 1] / 1e3);
        free(took);
        return n == 0;
}

int main(int argc, char *argv[])
{
        const struct rlimit limit = { .rlim_cur = 100000, .rlim_max = 100000 };

        (void)setrlimit(RLIMIT_NOFILE, &limit);
        if (argc == 4 && strcmp(argv[1], "drip") == 0)
                return run_drip((size_t)atol(argv[2]), atof(argv[3]));
        if (argc == 5 && strcmp(argv[1], "visit") == 0)
                return run_visit(argv[2], atof(argv[3]), atof(argv[4]));
        fprintf(stderr, "Usage: attack drip CONNECTIONS SECONDS | attack visit HOST SECONDS HZ\n");
        return 2;
}
