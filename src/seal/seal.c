/* SPDX-License-Identifier: MIT */
/* This file never reads a byte from a client. */
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "seal/seal.h"
#include "util/address.h"
#include "util/cleanup.h"

/* The largest number of checks in a filter: port, protocol, and four words of an address. */
#define CHECKS_MAX 6

typedef struct Seal {
        struct sock_filter code[CHECKS_MAX * 2 + 2];
        unsigned n;
} Seal;

/* The filter's input begins with the TCP header; earlier bytes have negative offsets. */
#define TCP_DESTINATION_PORT  2
#define IPV4_DESTINATION      (SKF_NET_OFF + 16)
#define IPV6_DESTINATION_WORD (SKF_NET_OFF + 24)

static void seal_want(Seal *seal, unsigned short size, int offset, uint32_t value)
{
        seal->code[seal->n++] =
                (struct sock_filter)BPF_STMT(BPF_LD | BPF_ABS | size, (uint32_t)offset);
        seal->code[seal->n++] =
                (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 0);
}

/* Adds checks of a packet's destination address to the filter. The address "any" matches each
 * address of its family. */
static void seal_want_address(Seal *seal, const struct in6_addr *ip, bool only_ipv6)
{
        const bool is_ipv4 = IN6_IS_ADDR_V4MAPPED(ip), is_any = IN6_IS_ADDR_UNSPECIFIED(ip);

        if (is_ipv4 && ip->s6_addr32[3] == INADDR_ANY)
                return;
        if (!is_any || only_ipv6)
                seal_want(seal, BPF_W, SKF_AD_OFF + SKF_AD_PROTOCOL,
                          is_ipv4 ? ETH_P_IP : ETH_P_IPV6);
        if (is_ipv4)
                seal_want(seal, BPF_W, IPV4_DESTINATION, ntohl(ip->s6_addr32[3]));
        for (int i = 0; !is_any && !is_ipv4 && i < 4; i++)
                seal_want(seal, BPF_W, IPV6_DESTINATION_WORD + 4 * i, ntohl(ip->s6_addr32[i]));
}

/* Ends the filter with two instructions: the first accepts a packet, the second drops it. Each
 * failed check jumps to the second. */
static void seal_finish(Seal *seal)
{
        const unsigned drop = seal->n + 1;

        for (unsigned i = 1; i < seal->n; i += 2)
                seal->code[i].jf = (uint8_t)(drop - i - 1);
        seal->code[seal->n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
        seal->code[seal->n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
}

static bool seal_has_option(int fd, int level, int option)
{
        int value = 0;
        socklen_t size = sizeof(value);

        return getsockopt(fd, level, option, &value, &size) == 0 && value != 0;
}

static int seal_put_on(int fd)
{
        Seal made = { .n = 0 };
        struct sock_fprog program = { .filter = made.code };
        struct sockaddr_storage name;
        socklen_t size = sizeof(name);
        Address local;

        if (getsockname(fd, (struct sockaddr *)&name, &size) < 0)
                return -errno;
        if (!address_from_sockaddr(&name, &local))
                return -EAFNOSUPPORT;
        seal_want(&made, BPF_H, TCP_DESTINATION_PORT, local.port);
        seal_want_address(&made, &local.ip, seal_has_option(fd, IPPROTO_IPV6, IPV6_V6ONLY));
        seal_finish(&made);
        program.len = (unsigned short)made.n;
        if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &(int){ 1 }, sizeof(int)) < 0)
                return -errno;
        return 0;
}

int seal_connection(int fd)
{
        /* If the connection has a locked filter, this filter is a seal, because no other program
         * locks filters here. A seal by a previous router process is as good as a new one. */
        return seal_has_option(fd, SOL_SOCKET, SO_LOCK_FILTER) ? 0 : seal_put_on(fd);
}

int seal_listener(int fd)
{
        /* With Transparent=yes, the local address of a connection is not that of its listener, so
         * each connection needs its own seal. */
        if (seal_has_option(fd, IPPROTO_IP, IP_TRANSPARENT) ||
            seal_has_option(fd, IPPROTO_IPV6, IPV6_TRANSPARENT))
                return -EOPNOTSUPP;
        return seal_connection(fd);
}
