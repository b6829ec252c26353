/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>

#include "firewall/rules.h"
#include "util/address.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/text.h"

#define PORT_RANGE      "/proc/sys/net/ipv4/ip_local_port_range"
#define EPHEMERAL_USUAL 32768U

/* Returns the first port of the range from which the kernel chooses ports for programs. */
static unsigned rules_ephemeral(void)
{
        _cleanup_fclose_ FILE *file = fopen(PORT_RANGE, "re");
        unsigned port;

        if (!file || fscanf(file, "%u", &port) != 1 || port > UINT16_MAX)
                port = EPHEMERAL_USUAL;
        return port > 1024 ? port : 1024;
}

static void rules_print_resolver(FILE *commands, const struct in6_addr *ip)
{
        const char family = IN6_IS_ADDR_V4MAPPED(ip) ? '4' : '6';
        char text[ADDRESS_TEXT_MAX];

        address_format(&(Address){ .ip = *ip }, text);
        fprintf(commands, "add element inet bellhop resolvers%c { %s }\n", family, text);
}

/* Returns the commands for nft(8), which the caller frees, or NULL if memory runs out. */
static char *rules_commands(const char *file, const Resolvers *resolvers, bool replaces)
{
        char *text = NULL;
        size_t size;
        FILE *commands = open_memstream(&text, &size);

        if (!commands)
                return NULL;
        /* "delete table" works for our own table, and for a table that an older version has left,
         * because that table has no owner. It fails if there is no table, so the first load adds
         * one. */
        if (!replaces)
                fprintf(commands, "add table inet bellhop\n");
        fprintf(commands,
                "delete table inet bellhop\n"
                "redefine ephemeral = %u\n"
                "include \"%s\"\n",
                rules_ephemeral(), file);
        for (size_t i = 0; i < resolvers->n; i++)
                rules_print_resolver(commands, &resolvers->ips[i]);
        if (fclose(commands) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

int rules_load(struct nft_ctx *nft, const char *file, const Resolvers *resolvers, bool replaces)
{
        _cleanup_free_ char *commands = rules_commands(file, resolvers, replaces);

        if (!commands)
                return -ENOMEM;
        if (nft_run_cmd_from_buffer(nft, commands) == 0)
                return 0;
        log_error("can't load the firewall rules in %s: %s", file, nft_ctx_get_error_buffer(nft));
        return -EINVAL;
}

/* Sends a packet that the rules must refuse. Returns the error of sendto(2), or 0. */
static int rules_try(const struct sockaddr *to, socklen_t size)
{
        _cleanup_close_ int fd = socket(to->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        return fd < 0 || sendto(fd, "", 0, MSG_DONTWAIT, to, size) < 0 ? -errno : 0;
}

int rules_probe(void)
{
        const struct sockaddr_in to4 = { .sin_family = AF_INET,
                                         .sin_port = htons(9),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const struct sockaddr_in6 to6 = { .sin6_family = AF_INET6,
                                          .sin6_port = htons(9),
                                          .sin6_addr = IN6ADDR_LOOPBACK_INIT };
        const int by4 = rules_try((const struct sockaddr *)&to4, sizeof(to4));
        const int by6 = rules_try((const struct sockaddr *)&to6, sizeof(to6));

        /* Without IPv6, the error in by6 is not EPERM. If by6 is 0 or -ECONNREFUSED, the rules did
         * not refuse the packet. */
        if (by4 == -EPERM && by6 != 0 && by6 != -ECONNREFUSED)
                return 0;
        log_error(
                "the rules are loaded, but the kernel does not apply them to bellhop.slice; start "
                "bellhop-firewall by its unit, which puts it into this slice; the machine needs "
                "control groups v2 and Linux 5.13 (in a container, Linux 6.12)");
        return -EOPNOTSUPP;
}
