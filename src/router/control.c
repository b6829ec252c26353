/* SPDX-License-Identifier: MIT */
/* The control socket accepts no commands, so no client can change the router. The router makes an
 * answer in pieces, at most one in each turn of the event loop, and only after the client has
 * received the previous piece. Between two pieces, the router remembers the name of the last
 * instance in the answer, and not its index, which a reload can change. */
#include <assert.h>
#include <sys/socket.h>

#include "decide/explain.h"
#include "router/control.h"
#include "sniff/sniff.h"
#include "util/cleanup.h"

#define REQUEST_BYTES_MAX 4096
/* The time limit for a request and its answer together. */
#define CLIENT_USEC (10 * UINT64_C(1000000))

/* Limits how often connections are accepted. Without this limit, the event loop would spin when
 * descriptors or memory have run out, and a program that connects in a loop would slow down the
 * router's clients. The interval is short, so that root does not wait long behind such a program.
 */
#define RATE_USEC  (50 * UINT64_C(1000))
#define RATE_BURST 20

#define METRICS_PATH  "/metrics"
#define ROUTE_PATH    "/route"
#define NOT_VALID     "This is not a valid HTTP/1 request.\n"
#define COMMON_FIELDS "Cache-Control: no-store\r\nConnection: close\r\n"
#define NO_QUESTION   "Ask for example " ROUTE_PATH "?protocol=tls&host=alice.example.\n"

typedef struct ControlClient {
        ControlSocket *control;
        int fd;
        sd_event_source *io;
        Deadline deadline;
        bool is_root;
        uint64_t active_usec; /* when the client last sent or received something */
        size_t request_bytes;
        Exposition answer; /* the piece that is being sent */
        size_t sent_bytes;
        bool more; /* another piece follows */
        bool chunked;
        MetricsCursor cursor;
        char request[REQUEST_BYTES_MAX];
} ControlClient;

/* Makes the next piece of the answer, as a chunk (RFC 9112 section 7.1) if the client supports
 * chunks. */
static void control_format(ControlClient *client)
{
        ControlSocket *control = client->control;
        Exposition *answer = &client->answer;
        MetricsSource source;
        char size[16];

        control->get_metrics(control->userdata, &source);
        answer->size = 0;
        client->sent_bytes = 0;
        if (client->chunked)
                exposition_printf(answer, "00000000\r\n");
        client->more = metrics_write(&source, &client->cursor, answer, METRICS_PIECE_MAX);
        if (!client->chunked || answer->failed)
                return;
        snprintf(size, sizeof(size), "%08zx", answer->size - strlen("00000000\r\n"));
        memcpy(answer->data, size, strlen(size));
        exposition_printf(answer, "%s", client->more ? "\r\n" : "\r\n0\r\n\r\n");
}

static void control_free_client(Deadline *deadline)
{
        ControlClient *client = container_of(deadline, ControlClient, deadline);
        ControlSocket *control = client->control;

        deadline_queue_remove(&control->clients, &client->deadline);
        sd_event_source_disable_unref(client->io);
        close_fd(client->fd);
        free(client);
}

/* Sends at most one piece, so that other clients have their turn. Returns false if the connection
 * must be closed. */
static bool control_send(ControlClient *client)
{
        Exposition *answer = &client->answer;
        ssize_t n;

        if (client->sent_bytes == answer->size && client->more)
                control_format(client);
        /* If there is no memory for the piece, the router closes the connection. The client sees
         * that the chunked answer is incomplete. */
        if (answer->failed)
                return false;
        n = send(client->fd, answer->data + client->sent_bytes, answer->size - client->sent_bytes,
                 MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        client->sent_bytes += (size_t)n;
        client->active_usec = event_now(client->control->event);
        return client->sent_bytes < answer->size || client->more;
}

static void control_put_text(Exposition *answer, const char *status, const char *text, bool body)
{
        exposition_printf(
                answer,
                "HTTP/1.1 %s\r\n" COMMON_FIELDS
                "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n%s\r\n%s",
                status, strlen(text), strncmp(status, "405", 3) == 0 ? "Allow: GET, HEAD\r\n" : "",
                body ? text : "");
}

/* Tells the client which instance would get the connection that the query describes. Resolves no
 * names, and starts no instance. */
static void control_put_route(const ControlSocket *control, Exposition *answer, Span query,
                              bool body)
{
        char text[EXPLAIN_MAX];
        Question question;

        if (!explain_parse_question(query, &question)) {
                control_put_text(answer, "400 Bad Request", NO_QUESTION, body);
                return;
        }
        explain(*control->config, &question, text);
        control_put_text(answer, "200 OK", text, body);
}

/* The parameter head is the head of the request, which sniff_http() has already checked. */
static void control_answer(ControlClient *client, Span head)
{
        Exposition *answer = &client->answer;
        Span method, target, path, query, version;
        bool get;

        while (head.size > 0 && (head.data[0] == '\r' || head.data[0] == '\n'))
                head = (Span){ head.data + 1, head.size - 1 };
        if (!span_take_until(&head, ' ', &method) || !span_take_until(&head, ' ', &target) ||
            !span_take_until(&head, '\r', &version)) {
                control_put_text(answer, "400 Bad Request", NOT_VALID, true);
                return;
        }
        query = target;
        if (!span_take_until(&query, '?', &path)) {
                path = target;
                query = (Span){ target.data, 0 };
        }
        get = span_equals(method, "GET");
        if (!get && !span_equals(method, "HEAD")) {
                control_put_text(answer, "405 Method Not Allowed",
                                 "Only GET and HEAD are supported.\n", true);
        } else if (span_equals(path, ROUTE_PATH)) {
                control_put_route(client->control, answer, query, get);
        } else if (!span_equals(path, METRICS_PATH)) {
                control_put_text(answer, "404 Not Found",
                                 "The metrics are at " METRICS_PATH ", routes at " ROUTE_PATH ".\n",
                                 get);
        } else {
                client->chunked = span_equals(version, "HTTP/1.1");
                client->more = get;
                exposition_printf(answer,
                                  "HTTP/1.1 200 OK\r\n" COMMON_FIELDS
                                  "Content-Type: " EXPOSITION_CONTENT_TYPE "\r\n%s\r\n",
                                  client->chunked ? "Transfer-Encoding: chunked\r\n" : "");
        }
}

/* Returns false if the connection must be closed. */
static bool control_receive(ControlClient *client)
{
        const ssize_t n = recv(client->fd, client->request + client->request_bytes,
                               sizeof(client->request) - client->request_bytes, MSG_DONTWAIT);
        Exposition *answer = &client->answer;
        Sniff sniffed;
        Span head;

        if (n <= 0)
                return n < 0 && (errno == EAGAIN || errno == EINTR);
        client->request_bytes += (size_t)n;
        client->active_usec = event_now(client->control->event);
        head = (Span){ (const uint8_t *)client->request, client->request_bytes };
        sniffed = sniff_http(head);
        if (sniffed.outcome == SNIFF_MALFORMED || sniffed.host_required)
                control_put_text(answer, "400 Bad Request", NOT_VALID, true);
        else if (sniffed.outcome != SNIFF_MORE)
                control_answer(client, head);
        else if (client->request_bytes == sizeof(client->request))
                control_put_text(answer, "431 Request Header Fields Too Large",
                                 "The head of the request is too large.\n", true);
        else
                return true;
        return !answer->failed && sd_event_source_set_io_events(client->io, EPOLLOUT) >= 0;
}

static int control_on_client_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        ControlClient *client = userdata;

        if (!(client->answer.size > 0 ? control_send(client) : control_receive(client)))
                control_free_client(&client->deadline);
        return 0;
}

static bool control_is_root(int fd)
{
        struct ucred peer;
        socklen_t size = sizeof(peer);

        return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0;
}

/* If all places for clients are taken, closes the connection of the client that has been silent
 * longest. A client of another user never takes the place of a client of root, so root has at least
 * CONTROL_ROOT_MAX places. */
static void control_make_room(ControlSocket *control, bool is_root)
{
        const size_t max = CONTROL_CLIENTS_MAX + (is_root ? CONTROL_ROOT_MAX : 0);
        ControlClient *silent = NULL;
        Deadline *deadline;
        size_t n = 0;

        TAILQ_FOREACH (deadline, &control->clients.list, link) {
                ControlClient *client = container_of(deadline, ControlClient, deadline);

                n += is_root || !client->is_root;
                if (client->is_root == is_root &&
                    (!silent || client->active_usec < silent->active_usec))
                        silent = client;
        }
        if (n >= max)
                control_free_client(&silent->deadline);
}

static void control_new_client_consume(ControlSocket *control, int fd)
{
        ControlClient *client = calloc(1, sizeof(*client));
        const uint64_t now = event_now(control->event);

        if (!client) {
                close_fd(fd);
                return;
        }
        client->control = control;
        client->fd = fd;
        client->is_root = control_is_root(fd);
        client->active_usec = now;
        control_make_room(control, client->is_root);
        if (deadline_queue_add(&control->clients, &client->deadline, now + CLIENT_USEC) < 0 ||
            sd_event_add_io(control->event, &client->io, fd, EPOLLIN, control_on_client_io,
                            client) < 0)
                control_free_client(&client->deadline);
}

/* Accepts the connection even if all places are taken, because the router learns the client's user
 * only from an accepted connection. */
static int control_on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        const int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (client >= 0)
                control_new_client_consume(userdata, client);
        return 0;
}

void control_done(ControlSocket *control)
{
        deadline_queue_done(&control->clients);
        control->io = sd_event_source_disable_unref(control->io);
        control->fd = close_fd(control->fd);
}

size_t control_descriptors(const ControlSocket *control)
{
        return control->fd < 0 ? 0 : 1 + CONTROL_CLIENTS_MAX + CONTROL_ROOT_MAX;
}

int control_start(ControlSocket *control)
{
        int r;

        assert(control->config && control->get_metrics && control->event);
        if (control->fd < 0)
                return 0;
        r = deadline_queue_init(&control->clients, control->event, control_free_client);
        if (r >= 0)
                r = sd_event_add_io(control->event, &control->io, control->fd, EPOLLIN,
                                    control_on_readable, control);
        return r < 0 ? r : sd_event_source_set_ratelimit(control->io, RATE_USEC, RATE_BURST);
}
