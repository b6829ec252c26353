/* SPDX-License-Identifier: MIT */
/*
 * Understands only the parts of HTTP and of Prometheus's text format that the router uses. For
 * example, the router's samples have no timestamps.
 */
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "ctl/ask/bus.h"
#include "ctl/ask/metrics-client.h"
#include "ctl/ctl.h"
#include "metrics/metrics.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"
#include "util/unix-address.h"

#define FETCH_SECONDS 10

/* A router that an attacker controls could send without end. */
#define TRANSFER_SECONDS   30
#define TRANSFER_BYTES_MAX (UINT64_C(256) * 1024 * 1024)

/* The time between two attempts to get an answer from the router. An attempt fails if the router
 * restarts, or closes the connection to make room for others. */
#define FETCH_AGAIN_USEC (20 * 1000)

/* Connects to the socket. connect() waits for a place in the queue of the socket. Without waiting,
 * it would fail with EAGAIN (unix(7)) while other programs connect in a loop and take each free
 * place. Returns a descriptor or a negative errno. */
static int metrics_connect(const char *path)
{
        const struct timeval limit = { .tv_sec = FETCH_SECONDS };
        struct sockaddr_un address;
        const int size = unix_address_fill(path, &address);
        int fd, r;

        if (size < 0)
                return size;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0 &&
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
            connect(fd, (const struct sockaddr *)&address, (socklen_t)size) == 0)
                return fd;
        r = errno == EAGAIN ? -ETIMEDOUT : -errno;
        close_fd(fd);
        return r;
}

/* Sends the request, and copies the answer to out until the router closes the connection. */
static int metrics_transfer(int fd, const char *target, FILE *out)
{
        _cleanup_free_ char *request =
                text_format("GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target);
        const uint64_t end_nsec = clock_nsec(CLOCK_MONOTONIC) + TRANSFER_SECONDS * NSEC_PER_SEC;
        uint64_t size = 0;
        char piece[8192];
        ssize_t n;

        if (!request)
                return -ENOMEM;
        n = send(fd, request, strlen(request), MSG_NOSIGNAL);
        while (n > 0 && (n = recv(fd, piece, sizeof(piece), 0)) > 0) {
                size += (uint64_t)n;
                if (size > TRANSFER_BYTES_MAX)
                        return -EPROTO;
                if (clock_nsec(CLOCK_MONOTONIC) > end_nsec)
                        return -ETIMEDOUT;
                if (fwrite(piece, (size_t)n, 1, out) != 1)
                        return -ENOMEM;
        }
        if (n < 0)
                return errno == EAGAIN ? -ETIMEDOUT : -ECONNRESET;
        return 0;
}

/* Joins the chunks (RFC 9112 section 7.1) in place; the router adds no extensions or trailers.
 * False: the last chunk is missing. */
static bool metrics_join_chunks(char *body)
{
        char *to = body, *from = body;

        for (;;) {
                const size_t n = strtoul(from, &from, 16), left = strlen(from);

                if (strncmp(from, "\r\n", 2) != 0 || left < 2 + 2 || n > left - (2 + 2))
                        return false;
                memmove(to, from + 2, n);
                to[n] = 0;
                if (n == 0)
                        return true;
                to += n;
                from += 2 + n + 2;
        }
}

/* Removes the header from the router's answer and joins the chunks, in place. */
static int metrics_unwrap(char *answer)
{
        static const char OK[] = "HTTP/1.1 200 ", LENGTH[] = "\r\nContent-Length: ";
        char *body = strstr(answer, "\r\n\r\n");
        const char *length;

        if (*answer && strncmp(answer, OK, strlen(OK)) != 0)
                return -EPROTO;
        if (!body)
                return -ECONNRESET;
        *body = 0;
        body += strlen("\r\n\r\n");
        length = strstr(answer, LENGTH);
        if (length ? strlen(body) != strtoul(length + strlen(LENGTH), NULL, 10)
                   : !metrics_join_chunks(body))
                return -ECONNRESET;
        memmove(answer, body, strlen(body) + 1);
        return 0;
}

static int metrics_fetch_once(const char *path, const char *target, char **ret)
{
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        const int fd = out ? metrics_connect(path) : -ENOMEM;
        int r = fd < 0 ? fd : metrics_transfer(fd, target, out);

        close_fd(fd);
        if (out && fclose(out) != 0 && r == 0)
                r = -ENOMEM;
        if (r == 0)
                r = metrics_unwrap(text);
        if (r == 0)
                *ret = take_ptr(text);
        return r;
}

/* Whether systemd reports that the router is stopped. Also false if systemd does not answer, so
 * that the caller tries the socket. */
static bool metrics_router_is_stopped(const char *runtime_dir)
{
        _cleanup_free_ char *state = NULL;
        sd_bus *bus;

        if (strcmp(runtime_dir, BELLHOP_RUNTIME_DIR) != 0 || sd_bus_open_system(&bus) < 0)
                return false;
        (void)bus_get(bus, "bellhop-router.service", "Unit", "ActiveState", PROPERTY_STRING,
                      &state);
        sd_bus_flush_close_unref(bus);
        return state && (strcmp(state, "inactive") == 0 || strcmp(state, "failed") == 0 ||
                         strcmp(state, "deactivating") == 0);
}

int control_fetch(const char *runtime_dir, const char *path, char **ret)
{
        _cleanup_free_ char *socket = text_format("%s/control", runtime_dir);
        const uint64_t begin = clock_monotonic_usec();
        int r;

        if (!socket)
                return -ENOMEM;
        if (metrics_router_is_stopped(runtime_dir))
                return -ESHUTDOWN;
        while ((r = metrics_fetch_once(socket, path, ret)) == -ECONNRESET &&
               clock_monotonic_usec() - begin < FETCH_SECONDS * UINT64_C(1000000))
                (void)usleep(FETCH_AGAIN_USEC);
        return r;
}

const char *metrics_fetch_explain(int error)
{
        switch (-error) {
        case EACCES:
        case EPERM:
                return "only root and the group bellhop can query the router; use sudo";
        case ESHUTDOWN:
                return "the router is not running; run systemctl start bellhop.target";
        case ENOENT:
        case ECONNREFUSED:
                return "no process listens on the router's control socket; run systemctl restart "
                       "bellhop-router.service";
        case ETIMEDOUT:
                return "the router does not answer; see systemctl status bellhop-router.service";
        case ECONNRESET:
                return "the router's answer is incomplete; see systemctl status "
                       "bellhop-router.service";
        case EPROTO:
                return "another program answers on the router's control socket; find this program "
                       "with ss -xlp";
        default:
                return strerror(-error);
        }
}

/* Splits the line: NAME VALUE or NAME{LABELS} VALUE. False: it is not a sample. */
static bool metrics_parse_line(char *line, Sample *ret)
{
        char *space = strrchr(line, ' '), *brace = strchr(line, '{'), *end;
        Sample sample = { .name = line, .labels = "" };

        if (!space)
                return false;
        *space = 0;
        sample.value = strtod(space + 1, &end);
        if (brace && brace < space) {
                if (space[-1] != '}')
                        return false;
                space[-1] = *brace = 0;
                sample.labels = brace + 1;
        }
        *ret = sample;
        return end > space + 1 && *end == 0 && *line && !strchr(line, ' ');
}

int samples_parse_consume(char *text, Samples *ret)
{
        Samples samples = { .text = text };
        char *rest = text, *line;
        int r = 0;

        while (r == 0 && (line = strsep(&rest, "\n"))) {
                Sample sample;

                if (*line == 0 || *line == '#')
                        continue;
                r = metrics_parse_line(line, &sample)
                            ? array_append(samples.samples, samples.n, sample)
                            : -EPROTO;
        }
        if (r < 0) {
                samples_done(&samples);
                return r;
        }
        *ret = samples;
        return 0;
}

void samples_done(Samples *samples)
{
        free(samples->samples);
        free(samples->text);
        *samples = (Samples){ .n = 0 };
}

int samples_fetch(const char *runtime_dir, Samples *ret)
{
        char *text;
        const int r = control_fetch(runtime_dir, "/metrics", &text);

        return r < 0 ? r : samples_parse_consume(text, ret);
}

bool sample_label(const Sample *sample, const char *label, char *ret, size_t size)
{
        _cleanup_free_ char *start = text_format("%s=\"", label);
        const char *at = sample->labels, *value;

        while (start && (at = strstr(at, start)) && at != sample->labels && at[-1] != ',')
                at++;
        if (!start || !at)
                return false;
        value = at + strlen(start);
        return (size_t)snprintf(ret, size, "%.*s", (int)strcspn(value, "\""), value) < size;
}

bool samples_find(const Samples *samples, const char *name, const char *label, const char *value,
                  double *ret)
{
        for (size_t i = 0; i < samples->n; i++) {
                const Sample *sample = &samples->samples[i];
                char found[64];

                if (strcmp(sample->name, name) == 0 &&
                    (!label || (sample_label(sample, label, found, sizeof(found)) &&
                                strcmp(found, value) == 0))) {
                        *ret = sample->value;
                        return true;
                }
        }
        return false;
}

uint64_t samples_router_read(const Samples *samples)
{
        double seconds;

        return samples_find(samples, METRIC_CONFIG_LOADED, NULL, NULL, &seconds)
                       ? (uint64_t)(seconds * NSEC_PER_SEC)
                       : UNKNOWN;
}

int router_knows(const char *runtime_dir, const char *instance)
{
        Samples samples;
        double n;
        int r = samples_fetch(runtime_dir, &samples);

        if (r < 0)
                return r;
        r = samples_find(&samples, METRIC_INSTANCE_HANDED_OFF, "instance", instance, &n);
        samples_done(&samples);
        return r;
}
