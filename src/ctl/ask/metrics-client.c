/* SPDX-License-Identifier: MIT */
/*
 * Talks to the control socket over HTTP, with libcurl, and parses Prometheus's text format as the
 * router writes it, without timestamps.
 */
#include <curl/curl.h>
#include <unistd.h>

#include "ctl/ask/bus.h"
#include "ctl/ask/metrics-client.h"
#include "ctl/ctl.h"
#include "metrics/metrics.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"

#define FETCH_SECONDS 10

/* The time until another attempt. A router that restarts, or needs room for other connections,
 * closes a connection. */
#define FETCH_AGAIN_USEC (20 * 1000)

/* Waits for a place in the queue of the socket: libcurl's own connect() does not wait, so programs
 * that connect in a loop take each place before it (unix(7), EAGAIN). userdata: int *, 0 or a
 * negative errno. The type and the result are those of curl_opensocket_callback. */
static curl_socket_t metrics_connect(void *userdata, curlsocktype purpose,
                                     struct curl_sockaddr *address)
{
        const struct timeval limit = { .tv_sec = FETCH_SECONDS };
        const int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, 0);

        if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0 &&
            connect(fd, &address->addr, address->addrlen) == 0)
                return fd;
        *(int *)userdata = errno == EAGAIN ? -ETIMEDOUT : -errno;
        close_fd(fd);
        return CURL_SOCKET_BAD;
}

static int metrics_is_connected(void *userdata, curl_socket_t fd, curlsocktype purpose)
{
        return CURL_SOCKOPT_ALREADY_CONNECTED;
}

static int metrics_perform(CURL *curl, const char *path, const char *url, FILE *out)
{
        int connected = 0;

        if (curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, path) != CURLE_OK ||
            curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, metrics_connect) != CURLE_OK ||
            curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &connected) != CURLE_OK ||
            curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, metrics_is_connected) != CURLE_OK ||
            curl_easy_setopt(curl, CURLOPT_URL, url) != CURLE_OK ||
            curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L) != CURLE_OK ||
            curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)FETCH_SECONDS) != CURLE_OK ||
            curl_easy_setopt(curl, CURLOPT_WRITEDATA, out) != CURLE_OK)
                return -ENOMEM;
        switch ((int)curl_easy_perform(curl)) {
        case CURLE_OK:
                return 0;
        case CURLE_OUT_OF_MEMORY:
                return -ENOMEM;
        case CURLE_OPERATION_TIMEDOUT:
                return -ETIMEDOUT;
        case CURLE_GOT_NOTHING:
        case CURLE_PARTIAL_FILE:
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
                return -ECONNRESET;
        case CURLE_COULDNT_CONNECT:
                return connected < 0 ? connected : -ECONNRESET;
        default:
                return -EPROTO;
        }
}

static int metrics_fetch_once(const char *path, const char *url, char **ret)
{
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        CURL *curl = curl_easy_init();
        int r = out && curl ? metrics_perform(curl, path, url, out) : -ENOMEM;

        curl_easy_cleanup(curl);
        if (out && fclose(out) != 0 && r == 0)
                r = -ENOMEM;
        if (r == 0)
                *ret = take_ptr(text);
        return r;
}

/* False also if systemd does not answer: then the socket must be tried. */
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
        _cleanup_free_ char *url = text_format("http://localhost%s", path);
        const uint64_t begin = clock_monotonic_usec();
        int r;

        if (!socket || !url)
                return -ENOMEM;
        if (metrics_router_is_stopped(runtime_dir))
                return -ESHUTDOWN;
        while ((r = metrics_fetch_once(socket, url, ret)) == -ECONNRESET &&
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
                return "no process listens on the control socket; run systemctl restart "
                       "bellhop-router.service";
        case ETIMEDOUT:
                return "the router does not answer; see systemctl status bellhop-router.service";
        case ECONNRESET:
                return "the router's answer is incomplete; see systemctl status "
                       "bellhop-router.service";
        case EPROTO:
                return "the answer does not come from the router; find the owner of the socket "
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
