/* SPDX-License-Identifier: MIT */
/*
 * libbellhop: the hand-off protocol, version 1. See bellhop-handoff(7) and libbellhop(3).
 *
 * A hand-off is one datagram on a unix socket of type SOCK_DGRAM: a header of 16 bytes, the host
 * that the client named (0 to 253 bytes), and one SCM_RIGHTS control message with exactly one
 * connected TCP socket. The client's bytes are still unread in this socket. The host is in
 * canonical form (lower case, without a trailing dot or port), and has no terminating NUL. Numbers
 * are in the machine's byte order, because a hand-off never leaves the machine. The receiver never
 * sends an answer.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BELLHOP_PROTOCOL_VERSION 1
#define BELLHOP_MAGIC            "BHOP"
#define BELLHOP_HOST_MAX         253 /* longest host: RFC 1035 section 2.3.4 without the trailing dot */

/* Why the router chose this receiver. */
enum bellhop_reason {
        BELLHOP_REASON_ADDRESS = 1,     /* by the local address, without reading a byte */
        BELLHOP_REASON_SERVER_NAME = 2, /* by the TLS server name */
        BELLHOP_REASON_HOST = 3,        /* by the HTTP Host or an absolute request target */
        BELLHOP_REASON_DEFAULT = 4,     /* no route has the host, or the client named no host */
};

/* The protocol of the first bytes. */
enum bellhop_protocol {
        BELLHOP_PROTOCOL_UNKNOWN = 0, /* not examined */
        BELLHOP_PROTOCOL_TLS = 1,
        BELLHOP_PROTOCOL_HTTP = 2,
};

/* The header of the datagram. */
struct bellhop_header {
        uint8_t magic[4];       /* BELLHOP_MAGIC */
        uint8_t version;        /* BELLHOP_PROTOCOL_VERSION */
        uint8_t reason;         /* enum bellhop_reason */
        uint8_t protocol;       /* enum bellhop_protocol */
        uint8_t host_length;    /* size of the host that follows, 0 to BELLHOP_HOST_MAX */
        uint64_t accepted_nsec; /* when the router accepted the connection: CLOCK_MONOTONIC */
};

/* One hand-off, in the form in which bellhop_send() and bellhop_receive() use it. */
struct bellhop_handoff {
        enum bellhop_reason reason;
        enum bellhop_protocol protocol;
        uint64_t accepted_nsec;
        char host[BELLHOP_HOST_MAX + 1]; /* canonical, NUL-terminated; "" without a host */
};

/* Results of receiving, besides 0 (received) and a negative errno (the socket has failed). */
enum bellhop_receive_result {
        BELLHOP_RECEIVE_EMPTY = 1,   /* no hand-off is waiting */
        BELLHOP_RECEIVE_FOREIGN = 2, /* the sender is not the router */
        BELLHOP_RECEIVE_INVALID = 3, /* not a hand-off of version 1 */
        BELLHOP_RECEIVE_SOCKET = 4,  /* not exactly one connected TCP socket */
};

/* Results of sending, besides 0 (sent) and a negative errno. */
enum bellhop_send_result {
        BELLHOP_SEND_FULL = 1, /* the queue is full: wait until the socket is writable */
        BELLHOP_SEND_GONE = 2, /* no process has the other end open: connect again */
        BELLHOP_SEND_IN_FLIGHT =
                3, /* too many descriptors are in transit in total (RLIMIT_NOFILE) */
};

/* Connects a new datagram socket to the hand-off socket at path (at most 107 bytes). Returns a
 * close-on-exec, non-blocking descriptor that the caller owns, or a negative errno: -ENOENT and
 * -ECONNREFUSED mean that no process listens there. */
int bellhop_connect(const char *path);

/* Sends one connection over a socket from bellhop_connect(). The caller still owns fd: close it
 * after success. Never blocks. Returns 0, an enum bellhop_send_result, or a negative errno (-EINVAL
 * if the host is too long, or if reason or protocol is out of range). */
int bellhop_send(int handoff_fd, const struct bellhop_handoff *handoff, int fd);

/*
 * Receives one connection. Set SO_PASSCRED on handoff_fd before anything is sent to it. Only
 * hand-offs of sender_uid, the router's user, are accepted. Never blocks. Returns 0, an enum
 * bellhop_receive_result, or a negative errno. If it returns 0, *ret_fd is a close-on-exec
 * descriptor of the connection, and the caller owns it. A refused message is discarded with its
 * descriptors: call again for the next one. -EMFILE means that no descriptor was free and the
 * connection is lost.
 */
int bellhop_receive(int handoff_fd, uid_t sender_uid, struct bellhop_handoff *ret_handoff,
                    int *ret_fd);

#ifdef __cplusplus
}
#endif
