/* SPDX-License-Identifier: MIT */
/* Other programs that have the router's ports, or may have them after the next boot. */
#include <netinet/in.h>

#include "ctl/check/check.h"
#include "util/cleanup.h"
#include "util/text.h"

#define PORTS_MAX 64

/* Without root, ports below 1024 can't be tried and count as free. */
static bool ports_in_use(const void *address, sa_family_t family, socklen_t size)
{
        _cleanup_close_ int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int yes = 1;

        /* So that only a listening socket is in the way. */
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        if (family == AF_INET6)
                (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
        return bind(fd, address, size) < 0 && errno == EADDRINUSE;
}

static bool ports_is_taken(uint16_t port)
{
        const struct sockaddr_in ipv4 = { .sin_family = AF_INET, .sin_port = htons(port) };
        const struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

        return ports_in_use(&ipv4, AF_INET, sizeof(ipv4)) ||
               ports_in_use(&ipv6, AF_INET6, sizeof(ipv6));
}

static void ports_add_unknown(Check *check, const char *unit, int error)
{
        finding_add(&check->findings, FINDING_NOT_CHECKED, NOWHERE, NULL,
                    "the ports of %s: systemd does not say (%s)", unit, strerror(-error));
}

/* Returns one that runs, or NULL, and adds those that only a boot will start. */
static const char *ports_web_server(Check *check)
{
        static const char *const servers[] = { "apache2.service", "nginx.service",
                                               "lighttpd.service", "caddy.service" };
        const char *running = NULL;

        for (size_t i = 0; i < ELEMENTSOF(servers); i++) {
                _cleanup_free_ char *enabled = NULL, *active = NULL, *advice = NULL;
                int r = bus_get(check->bus, servers[i], "Unit", "UnitFileState", PROPERTY_STRING,
                                &enabled);

                if (r == 0)
                        r = bus_get(check->bus, servers[i], "Unit", "ActiveState", PROPERTY_STRING,
                                    &active);
                if (r < 0)
                        ports_add_unknown(check, servers[i], r);
                else if (strcmp(active, "active") == 0)
                        running = servers[i];
                else if (strcmp(enabled, "enabled") == 0) {
                        advice = text_format("systemctl disable %s", servers[i]);
                        finding_add(&check->findings, FINDING_WEB_SERVER_ENABLED, NOWHERE, advice,
                                    "%s is enabled", servers[i]);
                }
        }
        return running;
}

void check_ports(Check *check)
{
        _cleanup_free_ char *advice = NULL;
        const char *server;
        uint16_t ports[PORTS_MAX];
        size_t n = 0;
        int r;

        if (!check->bus)
                return;
        server = ports_web_server(check);
        if (unit_is_active(&check->units, "bellhop-router.socket"))
                return;
        r = bus_get_listen_ports(check->bus, "bellhop-router.socket", ports, PORTS_MAX, &n);
        if (r < 0)
                ports_add_unknown(check, "bellhop-router.socket", r);
        if (server)
                advice = text_format("systemctl disable --now %s && systemctl restart "
                                     "bellhop-router.socket bellhop-router.service",
                                     server);
        for (size_t i = 0; i < n; i++)
                if (ports_is_taken(ports[i]))
                        finding_add(&check->findings, FINDING_PORT_TAKEN, NOWHERE, advice,
                                    "port %u is taken by another program%s%s%s", ports[i],
                                    server ? " (perhaps " : "", server ? server : "",
                                    server ? ")" : "");
}
