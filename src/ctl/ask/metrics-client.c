/* SPDX-License-Identifier: MIT */
/*
 * Owns the way to the control socket, HTTP by libcurl, and the reading of Prometheus's text format
 * as the router writes it: no timestamps.
 */
#include <curl/curl.h>

#include "ctl/ask/bus.h"
#include "ctl/ask/metrics-client.h"
#include "util/cleanup.h"

#define FETCH_SECONDS 10L

static int error_of(CURL *curl, CURLcode code)
{
        long error = 0;

        if (code == CURLE_OUT_OF_MEMORY)
                return -ENOMEM;
        if (code == CURLE_OPERATION_TIMEDOUT)
                return -ETIMEDOUT;
        if (code != CURLE_COULDNT_CONNECT)
                return -EPROTO;
        (void)curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &error);
        return error > 0 ? -(int)error : -ECONNREFUSED;
}

static int fetch(CURL *curl, const char *socket, const char *url, FILE *out)
{
        CURLcode code;

        if (curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket) != CURLE_OK ||
            curl_easy_setopt(curl, CURLOPT_URL, url) != CURLE_OK ||
            curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L) != CURLE_OK ||
            curl_easy_setopt(curl, CURLOPT_TIMEOUT, FETCH_SECONDS) != CURLE_OK ||
            curl_easy_setopt(curl, CURLOPT_WRITEDATA, out) != CURLE_OK)
                return -ENOMEM;
        code = curl_easy_perform(curl);
        return code == CURLE_OK ? 0 : error_of(curl, code);
}

/* By systemd's word; where there is none, by that of the socket. */
static bool is_stopped(const char *runtime_dir)
{
        _cleanup_free_ char *state = NULL;
        sd_bus *bus;
        bool stopped;

        if (strcmp(runtime_dir, BELLHOP_RUNTIME_DIR) != 0 || bus_open(&bus) < 0)
                return false;
        stopped =
                bus_get_string(bus, "bellhop-router.service", "Unit", "ActiveState", &state) == 0 &&
                (strcmp(state, "inactive") == 0 || strcmp(state, "failed") == 0 ||
                 strcmp(state, "deactivating") == 0);
        (void)bus_close(bus);
        return stopped;
}

int control_fetch(const char *runtime_dir, const char *path, char **ret)
{
        _cleanup_free_ char *socket = NULL, *url = NULL, *text = NULL;
        size_t size = 0;
        FILE *out;
        CURL *curl;
        int r = -ENOMEM;

        if (asprintf(&socket, "%s/control", runtime_dir) < 0 ||
            asprintf(&url, "http://localhost%s", path) < 0)
                return -ENOMEM;
        if (is_stopped(runtime_dir))
                return -ESHUTDOWN;
        out = open_memstream(&text, &size);
        if (!out)
                return -ENOMEM;
        curl = curl_easy_init();
        if (curl)
                r = fetch(curl, socket, url, out);
        curl_easy_cleanup(curl);
        if (fclose(out) != 0 && r == 0)
                r = -ENOMEM;
        if (r == 0)
                *ret = take_ptr(text);
        return r;
}

int metrics_fetch(const char *runtime_dir, char **ret)
{
        return control_fetch(runtime_dir, "/metrics", ret);
}

const char *metrics_fetch_explain(int error)
{
        switch (-error) {
        case EACCES:
        case EPERM:
                return "only root and the group bellhop may ask the router; use sudo";
        case ESHUTDOWN:
                return "the router does not run; systemctl start bellhop.target";
        case ENOENT:
                return "the control socket is not there; systemctl restart bellhop-router.service";
        case ECONNREFUSED:
                return "nobody listens on the control socket; systemctl restart "
                       "bellhop-router.service";
        case ETIMEDOUT:
                return "the router does not answer; see systemctl status bellhop-router.service";
        case EPROTO:
                return "the answer is not the router's; see which program has the control socket "
                       "(ss -xlp)";
        default:
                return strerror(-error);
        }
}

static int samples_append(Samples *samples, size_t *room, const Sample *sample)
{
        if (samples->n == *room) {
                const size_t more = *room ? *room * 2 : 256;
                Sample *grown = reallocarray(samples->samples, more, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                samples->samples = grown;
                *room = more;
        }
        samples->samples[samples->n++] = *sample;
        return 0;
}

/* Behind the '}' that ends the labels: one in quotes does not. NULL: there is none. */
static char *skip_labels(char *at)
{
        bool quoted = false;

        for (; *at; at++) {
                if (quoted && *at == '\\' && at[1])
                        at++;
                else if (*at == '"')
                        quoted = !quoted;
                else if (*at == '}' && !quoted)
                        return at + 1;
        }
        return NULL;
}

/* Cuts the line up. False: it is no sample. */
static bool parse_line(char *line, Sample *ret)
{
        char *at = line + strcspn(line, "{ "), *end;
        Sample sample = { .name = line, .labels = "" };

        if (at == line)
                return false;
        if (*at == '{') {
                *at++ = 0;
                sample.labels = at;
                at = skip_labels(at);
                if (!at)
                        return false;
                at[-1] = 0;
        }
        if (*at != ' ')
                return false;
        *at++ = 0;
        sample.value = strtod(at, &end);
        *ret = sample;
        return end > at && *end == 0;
}

int samples_parse_consume(char *text, Samples *ret)
{
        Samples samples = { .text = text };
        size_t room = 0;
        int r = 0;

        for (char *line = text, *next; r == 0 && *line; line = next) {
                char *end = strchrnul(line, '\n');
                Sample sample;

                next = *end ? end + 1 : end;
                *end = 0;
                if (*line == 0 || *line == '#')
                        continue;
                r = parse_line(line, &sample) ? samples_append(&samples, &room, &sample) : -EPROTO;
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
        const int r = metrics_fetch(runtime_dir, &text);

        return r < 0 ? r : samples_parse_consume(text, ret);
}

bool sample_label(const Sample *sample, const char *label, char *ret, size_t size)
{
        const size_t length = strlen(label);

        for (const char *at = sample->labels; *at;) {
                const char *value = strstr(at, "=\""), *end;

                if (!value)
                        return false;
                value += 2;
                end = strchr(value, '"');
                if (!end)
                        return false;
                if ((size_t)(value - 2 - at) == length && memcmp(at, label, length) == 0 &&
                    (size_t)(end - value) < size) {
                        (void)snprintf(ret, size, "%.*s", (int)(end - value), value);
                        return true;
                }
                at = end + 1;
                at += *at == ',';
        }
        return false;
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
