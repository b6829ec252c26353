/* SPDX-License-Identifier: MIT */
/*
 * Owns the control socket and its clients. Tells, and takes no orders: there is nothing here by
 * which a client could change what the router does.
 */
#include <sys/socket.h>

#include "decide/explain.h"
#include "router/router.h"
#include "sniff/sniff.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define REQUEST_BYTES_MAX 4096
/* Formatted at once, between two looks at the other sockets: about 0.1 ms of work. */
#define PIECE_BYTES 32768
/* For request and answer together. */
#define CLIENT_USEC   (10 * UINT64_C(1000000))
#define RESUME_USEC   (1 * UINT64_C(1000000))
#define ACCURACY_USEC 100000

#define METRICS_PATH "/metrics"
#define ROUTE_PATH   "/route"
#define NOT_VALID    "This is no valid HTTP/1 request.\n"
#define NO_QUESTION  "Ask for example " ROUTE_PATH "?protocol=tls&host=alice.example.\n"

struct ControlClient {
        ControlSocket *control;
        int fd;
        sd_event_source *io;
        sd_event_source *deadline;
        size_t request_bytes;
        Exposition answer; /* the piece that is being sent */
        size_t sent_bytes;
        bool more; /* another piece follows */
        bool chunked;
        MetricsCursor cursor;
        LIST_ENTRY(ControlClient) by_control;
        char request[REQUEST_BYTES_MAX];
};

static const char *instance_name(const void *userdata, size_t i)
{
        const Router *router = userdata;

        return router->config->instances[i].name;
}

/* What counts seconds since 1970 may be set, what hand-offs are counted by may not. */
static uint64_t since_1970(uint64_t monotonic_nsec)
{
        const uint64_t ago = clock_nsec(CLOCK_MONOTONIC) - monotonic_nsec;

        return monotonic_nsec == 0 ? 0 : (clock_nsec(CLOCK_REALTIME) - ago) / NSEC_PER_SEC;
}

static const InstanceMetrics *instance_metrics(const void *userdata, size_t i)
{
        const Router *router = userdata;
        Outlet *outlet = router->outlets[i];

        if (!outlet)
                return NULL;
        outlet->metrics.waiting = outlet->n_waiting;
        outlet->metrics.last_sec = since_1970(outlet->metrics.last_nsec);
        return &outlet->metrics;
}

static void fill_in(Router *router)
{
        Metrics *metrics = &router->metrics;

        metrics->pending[PENDING_SNIFFING] = router->sniffing.n;
        metrics->pending[PENDING_WAITING] = router->waiting.n;
        metrics->pending_max = router->pending_max;
        metrics->lingering = router->lingering.n;
        metrics->sources = router->sources.n;
        metrics->starting = router->starts.n_starting;
        metrics->starting_max = router->starts.max;
        metrics->instances = router->config->n_instances;
        metrics->routes = hostmap_size(router->config->map);
        metrics->problems = router->config->n_problems;
}

/* The next piece, as a chunk (RFC 9112 section 7.1) where the client knows these. */
static void client_format(ControlClient *client)
{
        RefusalLabel refusals[REFUSE_REASON_COUNT];
        Router *router = client->control->router;
        Exposition *answer = &client->answer;
        const MetricsSource source = {
                .metrics = &router->metrics,
                .refusals = refusals,
                .n_refusals = REFUSE_REASON_COUNT,
                .n_instances = router->config->n_instances,
                .instance_name = instance_name,
                .instance_metrics = instance_metrics,
                .userdata = router,
        };
        char size[16];

        for (RefuseReason i = 0; i < REFUSE_REASON_COUNT; i++)
                refusals[i] =
                        (RefusalLabel){ refuse_reason_name(i), refuse_reason_is_of_instance(i) };
        fill_in(router);
        answer->size = 0;
        client->sent_bytes = 0;
        if (client->chunked)
                exposition_put(answer, "00000000\r\n");
        client->more = metrics_write(&source, &client->cursor, answer, PIECE_BYTES);
        if (!client->chunked || answer->failed)
                return;
        snprintf(size, sizeof(size), "%08zx", answer->size - strlen("00000000\r\n"));
        memcpy(answer->data, size, strlen(size));
        exposition_put(answer, client->more ? "\r\n" : "\r\n0\r\n\r\n");
}

static ControlClient *client_free(ControlClient *client)
{
        ControlSocket *control = client->control;

        client->io = sd_event_source_disable_unref(client->io);
        client->deadline = sd_event_source_disable_unref(client->deadline);
        close_fd(client->fd);
        exposition_done(&client->answer);
        LIST_REMOVE(client, by_control);
        control->n_clients--;
        (void)sd_event_source_set_enabled(control->io, SD_EVENT_ON);
        free(client);
        return NULL;
}

/* At most one piece, then others have their turn. False: the client is done with. */
static bool client_send(ControlClient *client)
{
        Exposition *answer = &client->answer;
        ssize_t n;

        if (client->sent_bytes == answer->size && client->more)
                client_format(client);
        /* Cut off, a chunked answer is seen not to be whole. */
        if (answer->failed)
                return false;
        n = send(client->fd, answer->data + client->sent_bytes, answer->size - client->sent_bytes,
                 MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        client->sent_bytes += (size_t)n;
        return client->sent_bytes < answer->size || client->more;
}

static void put_head(Exposition *answer, const char *status, const char *fields)
{
        exposition_put(answer, "HTTP/1.1 ");
        exposition_put(answer, status);
        exposition_put(answer, "\r\nCache-Control: no-store\r\nConnection: close\r\n");
        exposition_put(answer, fields);
        exposition_put(answer, "\r\n");
}

static void answer_text(Exposition *answer, const char *status, const char *text, bool body)
{
        char fields[160];

        snprintf(fields, sizeof(fields),
                 "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n%s",
                 strlen(text), strncmp(status, "405", 3) == 0 ? "Allow: GET, HEAD\r\n" : "");
        put_head(answer, status, fields);
        if (body)
                exposition_put(answer, text);
}

/* Which way a connection would take, of which nothing need exist: no name is looked up, nobody is
 * woken. */
static void answer_route(const Config *config, Exposition *answer, Span query, bool body)
{
        char text[EXPLAIN_MAX];
        Question question;

        if (!explain_parse_question(query, &question)) {
                answer_text(answer, "400 Bad Request", NO_QUESTION, body);
                return;
        }
        explain(config, &question, text);
        answer_text(answer, "200 OK", text, body);
}

/* The head is valid already. */
static void client_answer(ControlClient *client, Span head)
{
        Exposition *answer = &client->answer;
        Span method, target, path, query, version;
        bool get;

        while (head.size > 0 && (head.data[0] == '\r' || head.data[0] == '\n'))
                head = (Span){ head.data + 1, head.size - 1 };
        if (!span_take_until(&head, ' ', &method) || !span_take_until(&head, ' ', &target) ||
            !span_take_until(&head, '\r', &version)) {
                answer_text(answer, "400 Bad Request", NOT_VALID, true);
                return;
        }
        query = target;
        if (!span_take_until(&query, '?', &path)) {
                path = target;
                query = (Span){ target.data, 0 };
        }
        get = span_equals(method, "GET");
        if (!get && !span_equals(method, "HEAD")) {
                answer_text(answer, "405 Method Not Allowed", "Only GET and HEAD are known.\n",
                            true);
        } else if (span_equals(path, ROUTE_PATH)) {
                answer_route(client->control->router->config, answer, query, get);
        } else if (!span_equals(path, METRICS_PATH)) {
                answer_text(answer, "404 Not Found",
                            "The metrics are at " METRICS_PATH ", routes at " ROUTE_PATH ".\n",
                            get);
        } else {
                client->chunked = span_equals(version, "HTTP/1.1");
                client->more = get;
                put_head(answer, "200 OK",
                         client->chunked ? "Content-Type: " EXPOSITION_CONTENT_TYPE "\r\n"
                                           "Transfer-Encoding: chunked\r\n"
                                         : "Content-Type: " EXPOSITION_CONTENT_TYPE "\r\n");
        }
}

/* False: the client is done with. */
static bool client_receive(ControlClient *client)
{
        const ssize_t n = recv(client->fd, client->request + client->request_bytes,
                               sizeof(client->request) - client->request_bytes, MSG_DONTWAIT);
        Exposition *answer = &client->answer;
        Sniff sniffed;
        Span head;

        if (n <= 0)
                return n < 0 && (errno == EAGAIN || errno == EINTR);
        client->request_bytes += (size_t)n;
        head = (Span){ (const uint8_t *)client->request, client->request_bytes };
        sniffed = sniff_http(head);
        if (sniffed.outcome == SNIFF_MALFORMED || sniffed.host_required)
                answer_text(answer, "400 Bad Request", NOT_VALID, true);
        else if (sniffed.outcome != SNIFF_MORE)
                client_answer(client, head);
        else if (client->request_bytes == sizeof(client->request))
                answer_text(answer, "431 Request Header Fields Too Large",
                            "The head of the request is too large.\n", true);
        else
                return true;
        return !answer->failed && sd_event_source_set_io_events(client->io, EPOLLOUT) >= 0;
}

static int client_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        ControlClient *client = userdata;

        if (!(client->answer.size > 0 ? client_send(client) : client_receive(client)))
                client_free(client);
        return 0;
}

static int client_on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        client_free(userdata);
        return 0;
}

static int client_new_consume(ControlSocket *control, int fd)
{
        ControlClient *client = calloc(1, sizeof(*client));
        sd_event *event = control->router->event;
        int r;

        if (!client) {
                close_fd(fd);
                return -ENOMEM;
        }
        client->control = control;
        client->fd = fd;
        LIST_INSERT_HEAD(&control->clients, client, by_control);
        control->n_clients++;
        r = sd_event_add_io(event, &client->io, fd, EPOLLIN, client_on_io, client);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &client->deadline, CLOCK_MONOTONIC,
                                               CLIENT_USEC, ACCURACY_USEC, client_on_deadline,
                                               client);
        if (r < 0)
                client_free(client);
        return r;
}

static int control_on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        ControlSocket *control = userdata;
        const int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        int r = client < 0 ? -errno : client_new_consume(control, client);

        if (control->n_clients >= CONTROL_CLIENTS_MAX)
                return sd_event_source_set_enabled(control->io, SD_EVENT_OFF);
        if (r >= 0 || r == -EAGAIN || r == -EINTR || r == -ECONNABORTED)
                return 0;
        /* Listening on would spin. */
        if (sd_event_source_set_time_relative(control->resume, RESUME_USEC) >= 0 &&
            sd_event_source_set_enabled(control->resume, SD_EVENT_ONESHOT) >= 0)
                (void)sd_event_source_set_enabled(control->io, SD_EVENT_OFF);
        return 0;
}

static int control_on_resume(sd_event_source *source, uint64_t usec, void *userdata)
{
        const ControlSocket *control = userdata;

        if (control->n_clients < CONTROL_CLIENTS_MAX)
                (void)sd_event_source_set_enabled(control->io, SD_EVENT_ON);
        return 0;
}

void control_init(ControlSocket *control, Router *router)
{
        *control = (ControlSocket){ .router = router, .fd = -EBADF };
        LIST_INIT(&control->clients);
}

void control_done(ControlSocket *control)
{
        while (!LIST_EMPTY(&control->clients))
                client_free(LIST_FIRST(&control->clients));
        control->io = sd_event_source_disable_unref(control->io);
        control->resume = sd_event_source_disable_unref(control->resume);
        control->fd = close_fd(control->fd);
}

void control_set_socket_consume(ControlSocket *control, int fd)
{
        control->fd = fd;
}

size_t control_descriptors(const ControlSocket *control)
{
        return control->fd < 0 ? 0 : 1 + CONTROL_CLIENTS_MAX;
}

int control_start(ControlSocket *control)
{
        sd_event *event = control->router->event;
        int r;

        if (control->fd < 0)
                return 0;
        r = sd_event_add_time(event, &control->resume, CLOCK_MONOTONIC, UINT64_MAX, ACCURACY_USEC,
                              control_on_resume, control);
        if (r >= 0)
                r = sd_event_source_set_enabled(control->resume, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_io(event, &control->io, control->fd, EPOLLIN, control_on_readable,
                                    control);
        return r;
}
