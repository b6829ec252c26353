/* SPDX-License-Identifier: MIT */
/* To check a host, bellhop-acme writes a file as for a challenge of type http-01, but with a random
 * answer. Then it requests this answer from the host over HTTP, as the authority would do. If the
 * router sends the correct answer, the host leads to this machine. */
#include <arpa/nameser.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <poll.h>
#include <resolv.h>
#include <stdarg.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "acme/answer.h"
#include "acme/names.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"

#define HTTP_PORT  80
#define HTTPS_PORT 443

#define ADDRESSES_CHECKED 8
#define CONNECT_NSEC      (UINT64_C(5) * 1000000000)

/* The time for DNS is limited, because DNS servers may belong to a customer and be slow. */
#define PART_NSEC        (UINT64_C(30) * 1000000000) /* once for CAA records, once for addresses */
#define RESOLVER_OPTIONS "timeout:3 attempts:2"

#define TYPE_CAA 257 /* RFC 8659 */

typedef struct Name {
        const AcmeSettings *settings;
        const char *challenges;
        const char *host; /* without "*." */
        bool is_wildcard;
        char *reason;
} Name;

__attribute__((format(printf, 2, 3))) static bool names_refuse(const Name *name, const char *format,
                                                               ...)
{
        va_list args;

        va_start(args, format);
        (void)vsnprintf(name->reason, NAMES_REASON_MAX, format, args);
        va_end(args);
        return false;
}

/* --- CAA --- */

/* Reads the CAA records of an answer. Returns true if there is at least one, whatever its tag. */
static bool names_caa_read(ns_msg *message, const char *tag, const char *own, Caa *caa)
{
        bool any = false;

        for (int i = 0; i < ns_msg_count(*message, ns_s_an); i++) {
                ns_rr rr;

                if (ns_parserr(message, ns_s_an, i, &rr) < 0 || (int)ns_rr_type(rr) != TYPE_CAA)
                        continue;
                any = true;
                answer_add_caa((Span){ ns_rr_rdata(rr), ns_rr_rdlen(rr) }, tag, own, caa);
        }
        return any;
}

/* Checks the CAA records of the host. If it has none, the records of the nearest parent domain with
 * CAA records count. If DNS does not answer, the check passes, because the authority asks DNS
 * itself. */
static bool names_check_caa(const Name *name)
{
        const uint64_t deadline_nsec = clock_nsec(CLOCK_MONOTONIC) + PART_NSEC;
        struct __res_state resolver = { 0 };
        const char *own = name->settings->caa;
        unsigned char answer[NS_MAXMSG];
        Caa caa = { .is_there = false };
        bool any = false;

        if (!own[0] || res_ninit(&resolver) < 0)
                return true;
        for (const char *at = name->host;
             at && *at && !any && clock_nsec(CLOCK_MONOTONIC) < deadline_nsec;
             at = strchr(at, '.') ? strchr(at, '.') + 1 : NULL) {
                const int n = res_nquery(&resolver, at, ns_c_in, TYPE_CAA, answer, sizeof(answer));
                ns_msg message;

                /* DNS may not answer for parent domains either, so they are not tried. */
                if (n < 0 && resolver.res_h_errno == TRY_AGAIN)
                        break;
                if (n < 0 || ns_initparse(answer, n, &message) < 0)
                        continue;
                any = names_caa_read(&message, name->is_wildcard ? "issuewild" : "issue", own,
                                     &caa);
                if (name->is_wildcard && !caa.is_there)
                        (void)names_caa_read(&message, "issue", own, &caa);
        }
        res_nclose(&resolver);
        return !caa.is_there || caa.allows ||
               names_refuse(name,
                            "the CAA records in DNS allow %s to sign certificates, not %s; change "
                            "these records",
                            caa.other[0] ? caa.other : "nobody", own);
}

/* --- the way from the internet --- */

static bool names_read_address(const struct sockaddr *from, Address *ret)
{
        struct sockaddr_storage copy = { 0 };

        if (!from || (from->sa_family != AF_INET && from->sa_family != AF_INET6))
                return false;
        memcpy(&copy, from,
               from->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                          : sizeof(struct sockaddr_in6));
        return address_from_sockaddr(&copy, ret);
}

static bool names_is_of_interface(const struct in6_addr *ip)
{
        struct ifaddrs *all = NULL;
        bool found = false;

        if (getifaddrs(&all) < 0)
                return false;
        for (const struct ifaddrs *at = all; at && !found; at = at->ifa_next) {
                Address address;

                found = names_read_address(at->ifa_addr, &address) &&
                        memcmp(&address.ip, ip, sizeof(*ip)) == 0;
        }
        freeifaddrs(all);
        return found;
}

/* Whether Addresses= in the authority's file has the address. */
static bool names_is_declared(const AcmeSettings *settings, const struct in6_addr *ip)
{
        for (size_t i = 0; i < settings->n_addresses; i++)
                if (memcmp(&settings->addresses[i], ip, sizeof(*ip)) == 0)
                        return true;
        return false;
}

static bool names_wait(int fd, short events, uint64_t deadline_nsec)
{
        struct pollfd poll_fd = { .fd = fd, .events = events };
        uint64_t now;
        int r = 0;

        while ((now = clock_nsec(CLOCK_MONOTONIC)) < deadline_nsec && r <= 0) {
                r = poll(&poll_fd, 1, (int)((deadline_nsec - now) / 1000000) + 1);
                if (r < 0 && errno != EINTR)
                        return false;
        }
        return r > 0;
}

/* Returns a descriptor or a negative errno. */
static int names_connect(const struct addrinfo *to, uint16_t port, uint64_t deadline_nsec)
{
        struct sockaddr_storage address;
        _cleanup_close_ int fd =
                socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        int error = 0;
        socklen_t size = sizeof(error);

        if (fd < 0)
                return -errno;
        memcpy(&address, to->ai_addr, to->ai_addrlen);
        if (to->ai_family == AF_INET6)
                ((struct sockaddr_in6 *)&address)->sin6_port = htons(port);
        else
                ((struct sockaddr_in *)&address)->sin_port = htons(port);
        if (connect(fd, (struct sockaddr *)&address, to->ai_addrlen) == 0)
                return take_fd(fd);
        if (errno != EINPROGRESS)
                return -errno;
        if (!names_wait(fd, POLLOUT, deadline_nsec))
                return -ETIMEDOUT;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0)
                return error != 0 ? -error : -errno;
        return take_fd(fd);
}

#define PROBE_HEX 32
#define PROBE_MAX 2048

/* The file with the random answer, which the router reads. The path has the same form as the path
 * of a challenge's file: DIR/http-01/HOST/TOKEN. */
typedef struct Probe {
        char token[PROBE_HEX + 1];
        char answer[2 * (PROBE_HEX + 1)]; /* only the router can send it, because the request does
                                             not contain it */
        char folder[PATH_MAX], path[PATH_MAX + PROBE_HEX + 2];
} Probe;

static int names_probe_put(const Name *name, Probe *ret)
{
        unsigned char random[PROBE_HEX];
        char text[2 * PROBE_HEX + 1];
        _cleanup_close_ int fd = -EBADF;

        if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
                return -errno;
        for (size_t i = 0; i < sizeof(random); i++)
                (void)snprintf(text + 2 * i, 3, "%02x", random[i]);
        (void)snprintf(ret->token, sizeof(ret->token), "%.*s", PROBE_HEX, text);
        (void)snprintf(ret->answer, sizeof(ret->answer), "%s.%s", ret->token, text + PROBE_HEX);
        (void)snprintf(ret->folder, sizeof(ret->folder), "%s/http-01/%s", name->challenges,
                       name->host);
        (void)snprintf(ret->path, sizeof(ret->path), "%s/%s", ret->folder, ret->token);
        if (mkdir(ret->folder, 0755) < 0 && errno != EEXIST)
                return -errno;
        fd = open(ret->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0 || write(fd, ret->answer, strlen(ret->answer)) != (ssize_t)strlen(ret->answer))
                return -errno;
        return 0;
}

static void names_probe_remove(const Probe *probe)
{
        (void)unlink(probe->path);
        (void)rmdir(probe->folder); /* fails if the folder has other files */
}

/* Requests the file of the probe over the connection fd. Returns whether the body of the response
 * is the probe's answer. Ignores the status code. */
static bool names_probe_ask(int fd, const Name *name, const Probe *probe, uint64_t deadline_nsec)
{
        char text[PROBE_MAX + 1];
        size_t size = 0;
        ssize_t n = snprintf(text, sizeof(text),
                             "GET /.well-known/acme-challenge/%s HTTP/1.1\r\nHost: %s\r\n"
                             "User-Agent: bellhop-acme\r\nConnection: close\r\n\r\n",
                             probe->token, name->host);
        const char *body;

        if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
                return false;
        while (size < PROBE_MAX && names_wait(fd, POLLIN, deadline_nsec)) {
                n = recv(fd, text + size, PROBE_MAX - size, 0);
                if (n <= 0)
                        break;
                size += (size_t)n;
        }
        text[size] = 0;
        body = strstr(text, "\r\n\r\n");
        return body && strcmp(body + 4, probe->answer) == 0;
}

typedef struct Way {
        bool http; /* the router answers on port 80 */
        int error; /* negative errno of the connection to port 80; 0: the connection was made */
        bool https;
} Way;

static Way names_try(const Name *name, const Probe *probe, const struct addrinfo *to)
{
        const uint64_t deadline = clock_nsec(CLOCK_MONOTONIC) + CONNECT_NSEC;
        _cleanup_close_ int http = names_connect(to, HTTP_PORT, deadline), https = -EBADF;
        Way way = { .error = http < 0 ? http : 0 };

        way.http = http >= 0 && names_probe_ask(http, name, probe, deadline);
        if (!way.http) {
                https = names_connect(to, HTTPS_PORT, deadline + CONNECT_NSEC);
                way.https = https >= 0;
        }
        return way;
}

/* Checks one address of the host. Sets *challenge to tls-alpn-01 if http-01 can't work at this
 * address. */
static bool names_check_address(const Name *name, const Probe *probe, const struct addrinfo *to,
                                AcmeChallenge *challenge)
{
        const bool *challenges = name->settings->challenges;
        char text[ADDRESS_TEXT_MAX];
        Address address;
        Way way;

        if (!names_read_address(to->ai_addr, &address))
                return true;
        address.port = 0;
        address_format(&address, text);
        if (names_is_declared(name->settings, &address.ip))
                return true;
        way = names_try(name, probe, to);
        if (way.http && challenges[ACME_HTTP_01])
                return true;
        /* If the router has answered, the address leads to this machine, even if no interface has
         * it. */
        if (!way.http && !names_is_of_interface(&address.ip))
                return names_refuse(name,
                                    "DNS points %s to %s, which is not this machine; correct DNS "
                                    "or, if that address is forwarded to this machine, add it to "
                                    "Addresses= in the file of the authority",
                                    name->host, text);
        if ((way.http || way.https) && challenges[ACME_TLS_ALPN_01]) {
                *challenge = ACME_TLS_ALPN_01;
                return true;
        }
        if (way.error < 0)
                return names_refuse(name, "a connection to port 80 of %s fails: %s", text,
                                    strerror(-way.error));
        return names_refuse(name,
                            "bellhop does not answer on port 80 of %s for %s; 'ss -tlnp' shows "
                            "which program listens there",
                            text, name->host);
}

static bool names_check_way(const Name *name, AcmeChallenge *ret)
{
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
        struct addrinfo *all = NULL;
        uint64_t deadline_nsec;
        Probe probe;
        bool good = true;
        size_t n = 0;
        int r = getaddrinfo(name->host, NULL, &hints, &all);

        deadline_nsec = clock_nsec(CLOCK_MONOTONIC) + PART_NSEC;
        if (r == EAI_NONAME || r == EAI_NODATA)
                return names_refuse(name, "DNS has no address of %s; add one", name->host);
        if (r != 0)
                return names_refuse(name, "DNS does not answer for %s: %s", name->host,
                                    r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
        r = names_probe_put(name, &probe);
        if (r < 0)
                good = names_refuse(name, "%s can't be written: %s", probe.path, strerror(-r));
        *ret = name->settings->challenges[ACME_HTTP_01] ? ACME_HTTP_01 : ACME_TLS_ALPN_01;
        for (const struct addrinfo *at = all; at && good && n < ADDRESSES_CHECKED;
             at = at->ai_next, n++)
                good = clock_nsec(CLOCK_MONOTONIC) < deadline_nsec
                               ? names_check_address(name, &probe, at, ret)
                               : names_refuse(name, "the addresses of this host answer too slowly");
        names_probe_remove(&probe);
        freeaddrinfo(all);
        return good;
}

bool names_check(const AcmeSettings *settings, const char *challenges, const char *host,
                 AcmeChallenge *ret, char reason[static NAMES_REASON_MAX])
{
        const bool is_wildcard = host[0] == '*';
        const Name name = { settings, challenges, is_wildcard ? host + 2 : host, is_wildcard,
                            reason };
        const bool by_dns = is_wildcard || (!settings->challenges[ACME_HTTP_01] &&
                                            !settings->challenges[ACME_TLS_ALPN_01]);

        *ret = ACME_DNS_01;
        if (by_dns && !settings->challenges[ACME_DNS_01])
                return names_refuse(&name, "a wildcard needs Challenges=dns-01 and DnsHook= in the "
                                           "file of the authority");
        if (!settings->checks_names) {
                if (!by_dns)
                        *ret = settings->challenges[ACME_HTTP_01] ? ACME_HTTP_01 : ACME_TLS_ALPN_01;
                return true;
        }
        (void)setenv("RES_OPTIONS", RESOLVER_OPTIONS, 0);
        return names_check_caa(&name) && (by_dns || names_check_way(&name, ret));
}
