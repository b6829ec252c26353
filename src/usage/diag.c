/* SPDX-License-Identifier: MIT */
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include "usage/diag.h"

/* The size of struct tcp_info up to the last field that is read here. Newer kernels send more
 * fields. */
#define INFO_LEAST (offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(uint64_t))

/* The bits of TCP states, as in the kernel's include/net/tcp_states.h. TIME_WAIT, CLOSE, LISTEN and
 * NEW_SYN_RECV are left out, because the kernel has no figures (bytes sent and received) for them.
 */
#define STATE_BITS                                                                           \
        ((1U << 1) | (1U << 2) | (1U << 3) | (1U << 4) | (1U << 5) | (1U << 8) | (1U << 9) | \
         (1U << 11))

/* Takes size bytes from the front of rest. Also removes the padding after these bytes, if any: it
 * fills them up to a multiple of four. */
static bool diag_take(Span *rest, size_t size, Span *ret)
{
        Span filling;
        const size_t fill = (4 - size % 4) % 4;

        if (!span_take(rest, size, ret))
                return false;
        return span_take(rest, fill < rest->size ? fill : rest->size, &filling);
}

/* Takes the next netlink attribute from the front of rest. */
static bool diag_attribute(Span *rest, struct nlattr *ret, Span *value)
{
        Span header;

        if (!span_take(rest, sizeof(*ret), &header))
                return false;
        memcpy(ret, header.data, sizeof(*ret));
        return ret->nla_len >= sizeof(*ret) && diag_take(rest, ret->nla_len - sizeof(*ret), value);
}

static void diag_read_socket(Span body, DiagMessage *message)
{
        struct inet_diag_msg socket;
        struct nlattr attribute;
        struct tcp_info info;
        Span head, value;

        if (!span_take(&body, sizeof(socket), &head))
                return;
        memcpy(&socket, head.data, sizeof(socket));
        message->cookie = (uint64_t)socket.id.idiag_cookie[1] << 32 | socket.id.idiag_cookie[0];
        while (diag_attribute(&body, &attribute, &value)) {
                if (attribute.nla_type != INET_DIAG_INFO || value.size < INFO_LEAST)
                        continue;
                memcpy(&info, value.data, INFO_LEAST);
                message->sent = info.tcpi_bytes_acked;
                message->received = info.tcpi_bytes_received;
                message->kind = DIAG_SOCKET;
        }
}

bool diag_next(Span *rest, DiagMessage *ret)
{
        struct nlmsghdr header;
        Span head, body;

        *ret = (DiagMessage){ .kind = DIAG_OTHER };
        if (!span_take(rest, sizeof(header), &head))
                return false;
        memcpy(&header, head.data, sizeof(header));
        if (header.nlmsg_len < sizeof(header) ||
            !diag_take(rest, header.nlmsg_len - sizeof(header), &body))
                return false;
        /* If connections change while the kernel sends an answer, the kernel sets the flag
         * NLM_F_DUMP_INTR. This flag is ignored: connections that are missing in the answer are
         * counted later. */
        if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY)
                diag_read_socket(body, ret);
        else if (header.nlmsg_type == NLMSG_DONE)
                ret->kind = DIAG_DONE;
        else if (header.nlmsg_type == NLMSG_ERROR)
                ret->kind = DIAG_ERROR;
        return true;
}

size_t diag_question(uint8_t family, uint8_t ret[static DIAG_QUESTION_MAX])
{
        const struct {
                struct nlmsghdr header;
                struct inet_diag_req_v2 question;
        } all = {
                .header = { .nlmsg_len = sizeof(all),
                            .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
                .question = { .sdiag_family = family,
                              .sdiag_protocol = IPPROTO_TCP,
                              .idiag_ext = 1U << (INET_DIAG_INFO - 1),
                              .idiag_states = STATE_BITS },
        };

        _Static_assert(sizeof(all) <= DIAG_QUESTION_MAX, "DIAG_QUESTION_MAX is too small");
        memcpy(ret, &all, sizeof(all));
        return sizeof(all);
}
