/* SPDX-License-Identifier: MIT */
/* Checks whether clients reach the router on the usual ports and address families, and whether
 * other programs use its ports, now or after the next boot. */
#include <netinet/in.h>
#include <unistd.h>

#include "ctl/check/check.h"
#include "util/cleanup.h"
#include "util/text.h"

#define SOCKET    "bellhop-router.socket"
#define PORTS_MAX 64
#define EDIT      "in 'systemctl edit " SOCKET "'"
#define REOPEN    "systemctl restart " SOCKET " bellhop-router.service"

typedef enum PortUse {
        PORT_UNKNOWN, /* the user may not test ports below 1024, or the address family does not
                         exist */
        PORT_FREE,
        PORT_TAKEN,
} PortUse;

/* The ListenStream= lines of one port. */
typedef struct Port {
        uint16_t number;
        bool any4, any6; /* a line has no address, or the wildcard address */
        bool one4, one6; /* a line has another address */
} Port;

typedef struct Ports {
        Port ports[PORTS_MAX];
        size_t n;
        bool is_ipv6_only; /* BindIPv6Only=ipv6-only */
} Ports;

static PortUse ports_try(const void *address, sa_family_t family, socklen_t size)
{
        _cleanup_close_ int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int yes = 1;

        /* With SO_REUSEADDR, only a listening socket prevents bind(). */
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        if (family == AF_INET6)
                (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
        if (bind(fd, address, size) == 0)
                return PORT_FREE;
        return errno == EADDRINUSE ? PORT_TAKEN : PORT_UNKNOWN;
}

static PortUse ports_try_ipv4(uint16_t number)
{
        const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(number) };

        return ports_try(&any, AF_INET, sizeof(any));
}

static PortUse ports_try_ipv6(uint16_t number)
{
        const struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(number) };

        return ports_try(&any, AF_INET6, sizeof(any));
}

bool port_is_taken(uint16_t number)
{
        return ports_try_ipv4(number) != PORT_FREE || ports_try_ipv6(number) == PORT_TAKEN;
}

static const Port *ports_find(const Ports *ports, uint16_t number)
{
        for (size_t i = 0; i < ports->n; i++)
                if (ports->ports[i].number == number)
                        return &ports->ports[i];
        return NULL;
}

/* Adds an address of the socket unit. listen: the address as systemd shows it, such as
 * "[::]:80". */
static void ports_note(Ports *ports, const char *listen)
{
        const char *colon = strrchr(listen, ':');
        uint64_t number = 0;
        Port *port;

        if (colon)
                (void)text_number(span_from_string(colon + 1), UINT16_MAX, &number);
        port = (Port *)ports_find(ports, (uint16_t)number);
        if (number == 0 || (!port && ports->n == PORTS_MAX))
                return;
        if (!port) {
                port = &ports->ports[ports->n++];
                port->number = (uint16_t)number;
        }
        if (strncmp(listen, "0.0.0.0:", strlen("0.0.0.0:")) == 0)
                port->any4 = true;
        else if (strncmp(listen, "[::]:", strlen("[::]:")) == 0)
                port->any6 = true;
        else if (listen[0] == '[')
                port->one6 = true;
        else
                port->one4 = true;
}

static int ports_ask(sd_bus *bus, Ports *ret)
{
        _cleanup_free_ char *bind_ipv6_only = NULL;
        char **pairs = NULL;
        int r;

        *ret = (Ports){ .n = 0 };
        r = bus_get(bus, SOCKET, "Socket", "BindIPv6Only", PROPERTY_STRING, &bind_ipv6_only);
        if (r == 0)
                r = bus_get(bus, SOCKET, "Socket", "Listen", PROPERTY_STRINGS, &pairs);
        ret->is_ipv6_only = bind_ipv6_only && strcmp(bind_ipv6_only, "ipv6-only") == 0;
        for (char **at = pairs; at && *at; at += 2)
                if (strcmp(at[0], "Stream") == 0)
                        ports_note(ret, at[1]);
        bus_free_strings(pairs);
        return r;
}

static bool ports_have_ipv4(const Ports *ports, const Port *port)
{
        return port->any4 || port->one4 || (port->any6 && !ports->is_ipv6_only);
}

/* Reports a port with only one address family. Ignores a port for which the unit lists only certain
 * addresses: there, the other family is missing on purpose. */
static void ports_check_families(Check *check, const Ports *ports, const Port *port)
{
        const bool ipv4 = ports_have_ipv4(ports, port), ipv6 = port->any6 || port->one6;
        _cleanup_free_ char *advice = NULL;
        Finding *finding;

        if ((!port->any4 && !port->any6) || (ipv4 && ipv6))
                return;
        advice = text_format("Write ListenStream=%u, which is for IPv4 and IPv6%s, or the intended "
                             "addresses, " EDIT ". Then run '" REOPEN "'.",
                             port->number,
                             ports->is_ipv6_only ? " together with BindIPv6Only=both" : "");
        finding = finding_add(&check->findings, FINDING_ROUTER_PORTS, NOWHERE, advice,
                              "%s listens on port %u only over IPv%c", SOCKET, port->number,
                              ipv4 ? '4' : '6');
        if (finding && ipv4)
                finding->severity = SEVERITY_WARNING;
}

/* Reports a port on which nothing listens. This can be a port that was added to the unit: until the
 * unit is restarted, it listens only on its old ports. */
static void ports_check_open(Check *check, const Ports *ports, const Port *port)
{
        const bool ipv4 = port->any4 || (port->any6 && !ports->is_ipv6_only);
        const bool lacks4 = ipv4 && ports_try_ipv4(port->number) == PORT_FREE;
        const bool lacks6 = port->any6 && ports_try_ipv6(port->number) == PORT_FREE;

        if (lacks4 || lacks6)
                finding_add(&check->findings, FINDING_ROUTER_NOT_LISTENING, NOWHERE, REOPEN,
                            "%s is active, but nothing listens on its port %u%s", SOCKET,
                            port->number,
                            !lacks6   ? " by IPv4"
                            : !lacks4 ? " by IPv6"
                                      : "");
}

/* Returns the number of instances whose clients use the port, which is 80 or 443. */
static size_t ports_count_users(const Check *check, uint16_t number)
{
        size_t n = 0;

        for (size_t i = 0; i < check->config->n_instances; i++) {
                const Instance *instance = &check->config->instances[i];
                char tls[PATH_MAX];

                (void)snprintf(tls, sizeof(tls), "%s/tls/%s", check->ctl->config_dir,
                               instance->name);
                n += number == 80 ? instance->http != HTTP_REFUSE : access(tls, F_OK) == 0;
        }
        return n;
}

/* Reports a router that listens on only one of the ports 80 and 443. If it listens on neither, the
 * administrator has chosen other ports on purpose: another server uses 80 and 443, or a firewall
 * translates the ports. */
static void ports_check_usual(Check *check, const Ports *ports)
{
        const bool http = ports_find(ports, 80), https = ports_find(ports, 443);
        const uint16_t missing = http ? 443 : 80;
        _cleanup_free_ char *advice = NULL;

        if (http == https || ports_count_users(check, missing) == 0)
                return;
        advice = text_format("Write ListenStream=%u " EDIT ", then run '" REOPEN "'.", missing);
        finding_add(&check->findings, FINDING_ROUTER_PORTS, NOWHERE, advice,
                    "%s does not listen on port %u", SOCKET, missing);
}

static void ports_add_unknown(Check *check, const char *unit, int error)
{
        finding_add(&check->findings, FINDING_NOT_CHECKED, NOWHERE, NULL,
                    "the ports of %s were not checked: systemd does not answer (%s)", unit,
                    strerror(-error));
}

/* Returns a running web server, or NULL. Reports web servers that do not run now, but will start at
 * the next boot. */
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

/* Reports why the socket unit is not active. server: a web server that may have taken its ports;
 * NULL: there is none. */
static void ports_check_taken(Check *check, const Ports *ports, const char *server)
{
        _cleanup_free_ char *advice = NULL;

        if (server)
                advice = text_format("systemctl disable --now %s && " REOPEN, server);
        for (size_t i = 0; i < ports->n; i++) {
                const Port *port = &ports->ports[i];

                if ((port->any4 || port->one4) && port->any6 && !ports->is_ipv6_only)
                        finding_add(&check->findings, FINDING_ROUTER_PORTS, NOWHERE, NULL,
                                    "port %u of %s is listed for IPv4 twice: [::] includes IPv4",
                                    port->number, SOCKET);
                else if (ports_try_ipv4(port->number) == PORT_TAKEN ||
                         ports_try_ipv6(port->number) == PORT_TAKEN)
                        finding_add(&check->findings, FINDING_PORT_TAKEN, NOWHERE, advice,
                                    "port %u is taken by another program%s%s%s", port->number,
                                    server ? " (perhaps " : "", server ? server : "",
                                    server ? ")" : "");
        }
}

void check_ports(Check *check)
{
        const char *server;
        Ports ports;
        int r;

        if (!check->bus)
                return;
        server = ports_web_server(check);
        r = ports_ask(check->bus, &ports);
        if (r < 0) {
                ports_add_unknown(check, SOCKET, r);
                return;
        }
        ports_check_usual(check, &ports);
        for (size_t i = 0; i < ports.n; i++)
                ports_check_families(check, &ports, &ports.ports[i]);
        if (!unit_is_active(&check->units, SOCKET))
                ports_check_taken(check, &ports, server);
        else
                for (size_t i = 0; i < ports.n; i++)
                        ports_check_open(check, &ports, &ports.ports[i]);
}
