/* SPDX-License-Identifier: MIT */
/*
 * The load of ./bench: one thread that keeps CONNECTIONS open at once. Each new connection goes to
 * the next HOST@ADDRESS.
 *
 *   load new|keep|bulk tls|plain SECONDS CONNECTIONS PATH HOST@ADDRESS...
 *
 * new: each connection sends one request, and reads the answer to the end. keep: each connection
 * sends many requests. bulk: each connection requests a large file, and throws the answer away.
 *
 * The page at PATH must begin with the host, so that an answer from the wrong site counts as
 * failed. This program prints one line of NAME=VALUE. With BELLHOP_LOAD_PAUSE_USEC, "new" measures
 * latency: it makes one connection at a time, and pauses after each. BELLHOP_LOAD_SAMPLES names a
 * file that gets the time of each connection in ns. With BELLHOP_LOAD_SPIN, the program never
 * sleeps, because it has its own processor.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tls13.h"

#define SAMPLES_MAX 2000000
#define EVENTS_MAX  64
#define STALL_NSEC  (UINT64_C(5) * 1000000000)

typedef enum Mode { MODE_NEW, MODE_KEEP, MODE_BULK } Mode;

typedef struct Target {
        const char *host;
        struct sockaddr_in address;
        uint8_t hello[TLS_HELLO_MAX];
        size_t hello_size;
        char request[512];
        size_t request_size;
} Target;

typedef struct Conn {
        int fd;
        const Target *target;
        uint64_t began_nsec;
        Tls tls;
        bool asked;
        size_t n_in; /* bytes in buffer that are not parsed yet */
        char head[1024];
        size_t n_head;
        bool has_head, is_last;
        size_t body_left, n_body;
        uint8_t buffer[TLS_RECORD_MAX];
} Conn;

static struct {
        Mode mode;
        bool tls;
        bool spin; /* never sleeps, so that the server does not have to wake this client */
        bool once; /* no connection follows one that has ended */
        uint64_t begin_nsec, end_nsec;
        Target targets[8];
        size_t n_targets, next_target;
        int epoll_fd;
        size_t n_open;
        uint64_t n_done, n_late, n_failed, n_bytes;
        uint64_t *samples;
        size_t n_samples;
} load;

static uint64_t now_nsec(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void fail(const Conn *conn, const char *what)
{
        if (load.n_failed++ == 0)
                fprintf(stderr, "load: %s: %s (%s)\n", conn->target->host, what, strerror(errno));
}

static bool send_all(int fd, const void *data, size_t size)
{
        return send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static bool conn_ask(Conn *conn)
{
        uint8_t out[1024];
        const Target *target = conn->target;
        const bool first = !conn->asked;
        size_t n;

        conn->asked = true;
        conn->n_head = 0;
        conn->has_head = false;
        if (!load.tls)
                return send_all(conn->fd, target->request, target->request_size);
        if (first)
                n = tls_finish(&conn->tls, target->request, target->request_size, out);
        else
                n = tls_seal(&conn->tls.write, 23, target->request, target->request_size, out);
        return send_all(conn->fd, out, n);
}

static bool conn_open(Conn *conn)
{
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };
        const Target *target = &load.targets[load.next_target++ % load.n_targets];

        conn->target = target;
        conn->asked = conn->has_head = false;
        conn->n_in = conn->n_head = conn->n_body = 0;
        conn->began_nsec = now_nsec();
        conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (conn->fd < 0)
                return false;
        (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        if (connect(conn->fd, (const struct sockaddr *)&target->address, sizeof(target->address)) <
            0)
                return false;
        if (load.tls) {
                tls_start(&conn->tls, target->hello, target->hello_size);
                if (!send_all(conn->fd, target->hello, target->hello_size))
                        return false;
        } else if (!conn_ask(conn)) {
                return false;
        }
        load.n_open++;
        return epoll_ctl(load.epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) == 0;
}

static void conn_close(Conn *conn)
{
        close(conn->fd);
        conn->fd = -EBADF;
        load.n_open--;
}

static void conn_next(Conn *conn)
{
        conn_close(conn);
        if (!load.once && now_nsec() < load.end_nsec && !conn_open(conn)) {
                fail(conn, "can't connect");
                if (conn->fd >= 0)
                        conn_close(conn);
        }
}

static void count_done(const Conn *conn)
{
        const uint64_t now = now_nsec();

        if (now > load.end_nsec) {
                load.n_late++;
                return;
        }
        load.n_done++;
        if (load.samples && load.n_samples < SAMPLES_MAX)
                load.samples[load.n_samples++] = now - conn->began_nsec;
}

static bool conn_take_head(Conn *conn, const uint8_t **data, size_t *size)
{
        const size_t room = sizeof(conn->head) - 1 - conn->n_head;
        const size_t n = *size < room ? *size : room;
        const size_t before = conn->n_head;
        char *end, *length;

        memcpy(conn->head + before, *data, n);
        conn->n_head += n;
        conn->head[conn->n_head] = '\0';
        end = strstr(conn->head, "\r\n\r\n");
        if (!end)
                return n == *size;
        length = strcasestr(conn->head, "\r\ncontent-length: ");
        if (strncmp(conn->head, "HTTP/1.1 200 ", 13) != 0 || !length)
                return false;
        conn->has_head = true;
        conn->is_last = strcasestr(conn->head, "\r\nconnection: close") != NULL;
        conn->body_left = strtoul(length + 18, NULL, 10);
        conn->n_body = 0;
        *data += (size_t)(end + 4 - conn->head) - before;
        *size -= (size_t)(end + 4 - conn->head) - before;
        return true;
}

static bool conn_take_body(Conn *conn, const uint8_t *data, size_t size)
{
        const size_t host_size = strlen(conn->target->host);

        if (size > conn->body_left || (size > 0 && conn->n_body == 0 && size >= host_size &&
                                       memcmp(data, conn->target->host, host_size) != 0))
                return false;
        conn->n_body += size;
        conn->body_left -= size;
        return true;
}

/* Takes bytes of an answer. Returns false if they are not the expected answer. */
static bool conn_take(Conn *conn, const uint8_t *data, size_t size)
{
        if (size > 0 && !conn->has_head && !conn_take_head(conn, &data, &size))
                return false;
        if (!conn->has_head || !conn_take_body(conn, data, size))
                return !conn->has_head;
        if (conn->body_left > 0)
                return true;
        if (load.mode == MODE_KEEP) {
                count_done(conn);
                return conn->is_last || now_nsec() > load.end_nsec || conn_ask(conn);
        }
        return true;
}

static bool conn_take_records(Conn *conn)
{
        size_t at = 0;

        while (conn->n_in - at >= 5) {
                const size_t size = 5 + ((size_t)conn->buffer[at + 3] << 8 | conn->buffer[at + 4]);
                uint8_t *data;
                size_t n;

                if (size > TLS_RECORD_MAX)
                        return false;
                if (conn->n_in - at < size)
                        break;
                if (!tls_take_record(&conn->tls, conn->buffer + at, size, &data, &n))
                        return false;
                if (conn->tls.done && !conn->asked && !conn_ask(conn))
                        return false;
                if (n > 0 && !conn_take(conn, data, n))
                        return false;
                at += size;
        }
        memmove(conn->buffer, conn->buffer + at, conn->n_in - at);
        conn->n_in -= at;
        return true;
}

static void conn_end(Conn *conn)
{
        if (load.mode == MODE_NEW && conn->has_head && conn->body_left == 0)
                count_done(conn);
        else if (load.mode == MODE_NEW)
                fail(conn, "ended too early");
        /* In the other modes, a server may end a connection after a number of requests. */
        conn_next(conn);
}

/* Reads and discards the rest of a large answer, of which only the start is checked. */
static void conn_swallow(Conn *conn)
{
        for (int i = 0; i < 16; i++) {
                const ssize_t n = recv(conn->fd, NULL, 1024 * 1024, MSG_TRUNC | MSG_DONTWAIT);

                if (n == 0 || (n < 0 && errno != EAGAIN)) {
                        conn_next(conn);
                        return;
                }
                if (n < 0)
                        return;
                if (now_nsec() <= load.end_nsec)
                        load.n_bytes += (uint64_t)n;
        }
}

static void conn_readable(Conn *conn)
{
        ssize_t n;

        if (load.mode == MODE_BULK && conn->has_head) {
                conn_swallow(conn);
                return;
        }
        n = recv(conn->fd, conn->buffer + conn->n_in, sizeof(conn->buffer) - conn->n_in,
                 MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
                return;
        if (n <= 0) {
                if (n < 0)
                        fail(conn, "receive");
                conn_end(conn);
                return;
        }
        load.n_bytes += (uint64_t)n;
        if (load.tls) {
                conn->n_in += (size_t)n;
                if (conn_take_records(conn))
                        return;
        } else if (conn_take(conn, conn->buffer, (size_t)n)) {
                return;
        }
        fail(conn, "not the answer");
        conn_next(conn);
}

static void open_all(Conn *conns, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (!conn_open(&conns[i]))
                        fail(&conns[i], "can't connect");
}

static void serve_events(void)
{
        struct epoll_event events[EVENTS_MAX];
        const int n = epoll_wait(load.epoll_fd, events, EVENTS_MAX, load.spin ? 0 : 1000);

        for (int i = 0; i < n; i++)
                conn_readable(events[i].data.ptr);
}

static void run(Conn *conns, size_t n)
{
        /* At the end, only connections of "new" are waited for. One more answer on a kept
         * connection, or the rest of a large file, would not change the figures. */
        const uint64_t last_nsec = load.end_nsec + (load.mode == MODE_NEW ? STALL_NSEC : 0);

        open_all(conns, n);
        while (load.n_open > 0 && now_nsec() <= last_nsec)
                serve_events();
}

/* Makes one connection at a time, with pauses, so that all processes sleep when the next one
 * arrives. */
static void run_alone(Conn *conn, uint64_t pause_usec)
{
        const struct timespec pause = { .tv_nsec = (long)(pause_usec * 1000) };

        load.once = true;
        while (now_nsec() < load.end_nsec) {
                struct epoll_event event;

                if (!conn_open(conn)) {
                        fail(conn, "can't connect");
                        return;
                }
                while (load.n_open > 0 && epoll_wait(load.epoll_fd, &event, 1, 5000) > 0)
                        conn_readable(conn);
                if (load.n_open > 0) {
                        fail(conn, "no answer");
                        return;
                }
                (void)nanosleep(&pause, NULL);
        }
}

static void add_target(const char *text, const char *path)
{
        Target *target = &load.targets[load.n_targets++];
        char *host = strdup(text), *at = strchr(host, '@');

        *at = '\0';
        target->host = host;
        target->address.sin_family = AF_INET;
        target->address.sin_port = htons(load.tls ? 443 : 80);
        if (inet_pton(AF_INET, at + 1, &target->address.sin_addr) != 1)
                exit(2);
        target->hello_size = tls_make_hello(host, target->hello);
        target->request_size =
                (size_t)snprintf(target->request, sizeof(target->request),
                                 "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Mozilla/5.0 (X11; "
                                 "Linux x86_64)\r\nAccept: */*\r\n"
                                 "Connection: %s\r\n\r\n",
                                 path, host,
                                 load.mode == MODE_NEW || load.mode == MODE_BULK ? "close"
                                                                                 : "keep-alive");
}

static void write_samples(const char *path)
{
        FILE *file = fopen(path, "w");

        for (size_t i = 0; file && i < load.n_samples; i++)
                fprintf(file, "%lu\n", (unsigned long)load.samples[i]);
        if (file)
                fclose(file);
}

static double cpu_seconds(void)
{
        struct rusage usage;

        getrusage(RUSAGE_SELF, &usage);
        return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static bool parse_mode(const char *mode, const char *protocol)
{
        static const char *const names[] = { "new", "keep", "bulk" };

        load.tls = strcmp(protocol, "tls") == 0;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (strcmp(mode, names[i]) == 0) {
                        load.mode = (Mode)i;
                        return true;
                }
        return false;
}

static void tell(double cpu)
{
        const uint64_t now = now_nsec();
        const uint64_t measured = now < load.end_nsec ? now : load.end_nsec;

        printf("done=%lu total=%lu failed=%lu bytes=%lu seconds=%.6f busy=%.4f\n",
               (unsigned long)load.n_done, (unsigned long)(load.n_done + load.n_late),
               (unsigned long)load.n_failed, (unsigned long)load.n_bytes,
               (double)(measured - load.begin_nsec) / 1e9,
               cpu / ((double)(now - load.begin_nsec) / 1e9));
        fflush(stdout);
}

int main(int argc, char **argv)
{
        const char *pause = getenv("BELLHOP_LOAD_PAUSE_USEC"),
                   *samples = getenv("BELLHOP_LOAD_SAMPLES");
        size_t n;
        Conn *conns;
        double cpu;

        if (argc < 7 || argc - 6 > 8 || !parse_mode(argv[1], argv[2]))
                return 2;
        n = strtoul(argv[4], NULL, 10);
        for (int i = 6; i < argc; i++)
                add_target(argv[i], argv[5]);
        tls_init();
        conns = calloc(n, sizeof(*conns));
        load.spin = getenv("BELLHOP_LOAD_SPIN");
        load.samples = samples ? calloc(SAMPLES_MAX, sizeof(*load.samples)) : NULL;
        load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (!conns || load.epoll_fd < 0)
                return 1;
        cpu = cpu_seconds();
        load.begin_nsec = now_nsec();
        load.end_nsec = load.begin_nsec + (uint64_t)(strtod(argv[3], NULL) * 1e9);
        if (pause)
                run_alone(conns, strtoul(pause, NULL, 10));
        else
                run(conns, n);
        tell(cpu_seconds() - cpu);
        if (samples)
                write_samples(samples);
        free(load.samples);
        free(conns);
        return 0;
}
