/* SPDX-License-Identifier: MIT */
/* The responder has one thread with one event loop. A client gets one handshake, in a limited time,
 * and no data. If there are too many clients, the oldest connection is closed. */
#include <assert.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "acme-tls/certificate.h"
#include "acme-tls/responder.h"
#include "handoff/bellhop.h"
#include "refuse/linger.h"
#include "sniff/sniff.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/notify.h"

/* The maximum numbers of connections whose handshake is not finished, and of connections that are
 * kept open after the handshake (refuse/linger.h). LimitNOFILE= of the unit has room for all of
 * them, and for the descriptors in one received message. */
#define HANDSHAKES_MAX 512
#define LINGERING_MAX  512

#define HANDSHAKE_USEC (10 * UINT64_C(1000000))

/* After receiving this number of connections, the responder serves open connections before it
 * receives more. */
#define RECEIVE_BATCH 16

/* The largest header of the PROXY protocol, version 2. */
#define PROXY_SIZE_MAX (16 + 65535)

static const uint8_t protocol[] = { 'a', 'c', 'm', 'e', '-', 't', 'l', 's', '/', '1' };

typedef struct Responder {
        sd_event *event;
        Notify notify;
        int handoff_fd;
        uid_t sender;
        const char *challenges_dir;
        uint64_t idle_usec;
        EVP_PKEY *key; /* for all certificates; it is only in memory */
        SSL_CTX *context;
        sd_event_source *handoff;
        sd_event_source *idle;
        DeadlineQueue handshakes;
        LingerQueue lingering;
        size_t n_answered;
        uint8_t peek[PROXY_SIZE_MAX];
} Responder;

typedef struct Handshake {
        Responder *responder;
        SSL *ssl;
        int fd;
        sd_event_source *io;
        Deadline deadline;
} Handshake;

static void responder_notify(Responder *responder, NotifyEvent happened, size_t n_answered)
{
        notify_send(&responder->notify, happened, "answered challenges: %zu", n_answered);
}

/* --- one handshake --- */

/* Ends the handshake. The connection stays open for a moment: if it were closed while unread bytes
 * of the client are left, a reset would follow, and the client could lose the result. */
static void responder_end(Handshake *handshake)
{
        Responder *responder = handshake->responder;
        const int fd = handshake->fd;

        deadline_queue_remove(&responder->handshakes, &handshake->deadline);
        sd_event_source_disable_unref(handshake->io);
        SSL_free(handshake->ssl);
        free(handshake);
        linger_reply_consume(&responder->lingering, fd, "", 0);
}

static void responder_on_deadline(Deadline *deadline)
{
        responder_end(container_of(deadline, Handshake, deadline));
}

/* Continues a handshake. Returns false if the handshake has ended. */
static bool responder_step(Handshake *handshake)
{
        uint32_t events = EPOLLIN;
        int r;

        ERR_clear_error();
        r = SSL_accept(handshake->ssl);
        if (r == 1) {
                (void)SSL_shutdown(handshake->ssl);
                responder_notify(handshake->responder, NOTIFY_NOTHING,
                                 ++handshake->responder->n_answered);
                return false;
        }
        r = SSL_get_error(handshake->ssl, r);
        if (r == SSL_ERROR_WANT_WRITE)
                events = EPOLLOUT;
        else if (r != SSL_ERROR_WANT_READ)
                return false;
        return sd_event_source_set_io_events(handshake->io, events) >= 0;
}

static int responder_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Handshake *handshake = userdata;

        if (!responder_step(handshake))
                responder_end(handshake);
        return 0;
}

/* Refuses a client whose list of protocols (ALPN) has anything except acme-tls/1, because RFC 8737
 * section 4 allows only this protocol. The router hands off no such client, so this is only a
 * second check. */
static int responder_on_hello(SSL *ssl, int *alert, void *userdata)
{
        const unsigned char *data;
        size_t size;

        if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation,
                                      &data, &size) == 1 &&
            size == 3 + sizeof(protocol) && data[2] == sizeof(protocol) &&
            memcmp(data + 3, protocol, sizeof(protocol)) == 0)
                return SSL_CLIENT_HELLO_SUCCESS;
        *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
        return SSL_CLIENT_HELLO_ERROR;
}

static int responder_on_protocols(SSL *ssl, const unsigned char **ret, unsigned char *ret_size,
                                  const unsigned char *offered, unsigned size, void *userdata)
{
        *ret = protocol;
        *ret_size = sizeof(protocol);
        return SSL_TLSEXT_ERR_OK;
}

/* --- hand-offs --- */

/* Removes the PROXY header from the socket, if a proxy in front of the router has sent one. The
 * router has already checked the header. */
static bool responder_skip_proxy(Responder *responder, int fd)
{
        const ssize_t n =
                recv(fd, responder->peek, sizeof(responder->peek), MSG_PEEK | MSG_DONTWAIT);
        const Span bytes = { .data = responder->peek, .size = n > 0 ? (size_t)n : 0 };
        SniffProxy proxy;

        if (n <= 0 || sniff(bytes).protocol == BELLHOP_PROTOCOL_TLS)
                return n > 0;
        proxy = sniff_proxy(bytes);
        return (proxy.outcome == SNIFF_PROXY_SOURCE || proxy.outcome == SNIFF_PROXY_NO_SOURCE) &&
               recv(fd, responder->peek, proxy.size, MSG_DONTWAIT) == (ssize_t)proxy.size;
}

static SSL *responder_new_ssl(const Responder *responder, int fd, X509 *certificate)
{
        const int flags = fcntl(fd, F_GETFL);
        SSL *ssl;

        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return NULL;
        ssl = SSL_new(responder->context);
        if (ssl && SSL_use_certificate(ssl, certificate) == 1 &&
            SSL_use_PrivateKey(ssl, responder->key) == 1 && SSL_set_fd(ssl, fd) == 1)
                return ssl;
        SSL_free(ssl);
        return NULL;
}

static void responder_start_consume(Responder *responder, int fd, X509 *certificate)
{
        Handshake *handshake = calloc(1, sizeof(*handshake));
        SSL *ssl = handshake ? responder_new_ssl(responder, fd, certificate) : NULL;

        if (!ssl) {
                free(handshake);
                linger_refuse_consume(&responder->lingering, fd, REFUSE_OVERLOAD,
                                      BELLHOP_PROTOCOL_TLS, 0);
                return;
        }
        if (responder->handshakes.n >= HANDSHAKES_MAX)
                responder_on_deadline(deadline_queue_first(&responder->handshakes));
        *handshake = (Handshake){ .responder = responder, .ssl = ssl, .fd = fd };
        if (deadline_queue_add(&responder->handshakes, &handshake->deadline,
                               event_now(responder->event) + HANDSHAKE_USEC) < 0 ||
            sd_event_add_io(responder->event, &handshake->io, fd, EPOLLIN, responder_on_io,
                            handshake) < 0 ||
            !responder_step(handshake))
                responder_end(handshake);
}

static void responder_take_consume(Responder *responder, const struct bellhop_handoff *handoff,
                                   int fd)
{
        uint8_t digest[CHALLENGE_DIGEST_SIZE];
        X509 *certificate;

        /* The challenge may have ended while the connection was in the queue of the hand-off
         * socket. */
        if (!handoff->host[0] ||
            !challenge_read_digest(responder->challenges_dir, handoff->host, digest) ||
            !responder_skip_proxy(responder, fd)) {
                linger_refuse_consume(&responder->lingering, fd, REFUSE_UNKNOWN_HOST,
                                      BELLHOP_PROTOCOL_TLS, 0);
                return;
        }
        certificate = certificate_make(responder->key, handoff->host, digest);
        if (certificate)
                responder_start_consume(responder, fd, certificate);
        else
                linger_refuse_consume(&responder->lingering, fd, REFUSE_OVERLOAD,
                                      BELLHOP_PROTOCOL_TLS, 0);
        X509_free(certificate);
}

static int responder_on_handoff(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Responder *responder = userdata;
        struct bellhop_handoff handoff;
        int connection;

        for (size_t i = 0; i < RECEIVE_BATCH; i++) {
                const int r = bellhop_receive(fd, responder->sender, &handoff, &connection);

                if (r == BELLHOP_RECEIVE_EMPTY)
                        break;
                if (r < 0 && r != -EMFILE)
                        return sd_event_exit(responder->event, r);
                if (r == 0)
                        responder_take_consume(responder, &handoff, connection);
        }
        return sd_event_source_set_time_relative(responder->idle, responder->idle_usec);
}

/* --- start and end --- */

static int responder_on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
        Responder *responder = userdata;
        int r;

        if (responder->handshakes.n == 0 && responder->lingering.deadlines.n == 0)
                return sd_event_exit(responder->event, 0);
        r = sd_event_source_set_time_relative(source, responder->idle_usec);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int responder_init_tls(Responder *responder)
{
        /* The machine's configuration of OpenSSL does not apply to this process. */
        if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
                return -ENOMEM;
        responder->key = EVP_EC_gen("P-256");
        responder->context = SSL_CTX_new(TLS_server_method());
        if (!responder->key || !responder->context ||
            SSL_CTX_set_min_proto_version(responder->context, TLS1_2_VERSION) != 1 ||
            SSL_CTX_set_num_tickets(responder->context, 0) != 1)
                return -ENOMEM;
        (void)SSL_CTX_set_options(responder->context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
        (void)SSL_CTX_set_session_cache_mode(responder->context, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_client_hello_cb(responder->context, responder_on_hello, NULL);
        SSL_CTX_set_alpn_select_cb(responder->context, responder_on_protocols, NULL);
        return 0;
}

static int responder_init(Responder *responder)
{
        int r = responder_init_tls(responder);

        if (r >= 0)
                r = sd_event_new(&responder->event);
        if (r >= 0)
                r = notify_open_consume(&responder->notify, responder->event, -EBADF);
        if (r >= 0)
                r = sd_event_set_signal_exit(responder->event, true);
        if (r >= 0)
                r = deadline_queue_init(&responder->handshakes, responder->event,
                                        responder_on_deadline);
        if (r >= 0)
                r = linger_init(&responder->lingering, responder->event, LINGERING_MAX);
        if (r >= 0)
                r = sd_event_add_time_relative(responder->event, &responder->idle, CLOCK_MONOTONIC,
                                               responder->idle_usec, 0, responder_on_idle,
                                               responder);
        if (r >= 0)
                r = sd_event_add_io(responder->event, &responder->handoff, responder->handoff_fd,
                                    EPOLLIN, responder_on_handoff, responder);
        return r;
}

static void responder_done(Responder *responder)
{
        if (responder->handshakes.timer)
                deadline_queue_done(&responder->handshakes);
        if (responder->lingering.deadlines.timer)
                deadline_queue_done(&responder->lingering.deadlines);
        sd_event_source_disable_unref(responder->handoff);
        sd_event_source_disable_unref(responder->idle);
        notify_done(&responder->notify);
        sd_event_unref(responder->event);
        SSL_CTX_free(responder->context);
        EVP_PKEY_free(responder->key);
        close_fd(responder->handoff_fd);
}

int responder_run_consume(int handoff_fd, uid_t sender_uid, const char *challenges_dir,
                          uint64_t idle_usec)
{
        static Responder responder;
        int r;

        assert(handoff_fd >= 0);
        responder = (Responder){ .notify.fd = -EBADF,
                                 .handoff_fd = handoff_fd,
                                 .sender = sender_uid,
                                 .challenges_dir = challenges_dir,
                                 .idle_usec = idle_usec };
        r = responder_init(&responder);
        if (r >= 0) {
                responder_notify(&responder, NOTIFY_READY, 0);
                r = sd_event_loop(responder.event);
                responder_notify(&responder, NOTIFY_STOPPING, responder.n_answered);
        }
        if (r < 0)
                log_error_errno(r, "can't answer challenges: %m");
        responder_done(&responder);
        return r;
}
