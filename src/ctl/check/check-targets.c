/* SPDX-License-Identifier: MIT */
/*
 * Checks applications to which a snippet passes requests: whether the instance can reach them, and
 * whether a program listens. Unix sockets are looked up in the file system as the instance sees it,
 * with the rights of the instance's user.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "ctl/check/check.h"
#include "ctl/check/configtest.h"
#include "instance/state.h"
#include "util/cleanup.h"
#include "util/text.h"
#include "util/unix-address.h"

/* At these paths, each instance has its own folders. */
static const char *const targets_private[] = { CONFIGTEST_FOLDER "/", "/tmp/", "/var/tmp/",
                                               "/run/bellhop-instance/" };

#define HOST_MAX 256

#define TARGETS_NETWORK \
        "; or write Network=yes into the file of the instance. Then run '" ADVICE_APPLY "'."

const char *const instance_target_advice[SERVER_TYPES] = {
        [SERVER_APACHE] = "Make the application listen on a unix socket, and write 'unix:PATH|' "
                          "before the URL" TARGETS_NETWORK,
        [SERVER_NGINX] = "Make the application listen on a unix socket, and write its path instead "
                         "of the address, as in bellhop-nginx(8)" TARGETS_NETWORK,
};

typedef struct Target {
        InstanceCheck *inst;
        const char *file;
        unsigned line;
} Target;

__attribute__((format(printf, 3, 4))) static void
targets_add(const Target *target, const char *advice, const char *format, ...)
{
        _cleanup_free_ char *what = NULL;
        va_list args;

        va_start(args, format);
        what = text_format_args(format, args);
        va_end(args);
        finding_add(&target->inst->check->findings, FINDING_APPLICATION_UNREACHABLE,
                    (Place){ target->inst->name, target->file, target->line }, advice, "%s",
                    what ? what : "");
}

/* --- unix sockets --- */

/* Opens the root folder as the instance sees it. If the instance is not running, opens the root
 * folder of this process. */
static int targets_open_root(const InstanceCheck *inst, bool *ret_runs)
{
        _cleanup_free_ char *path = NULL;
        char unit[NAME_UNIT_MAX];
        uint64_t pid = 0;

        if (inst->check->bus)
                (void)bus_get(inst->check->bus, name_unit(NAME_SERVICE_UNIT, inst->name, unit),
                              "Service", "MainPID", PROPERTY_NUMBER, &pid);
        *ret_runs = pid > 0;
        path = pid > 0 ? state_dir_of(pid, "/") : strdup("/");
        return path ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
}

/* Tries to connect to a socket below root. Call this function with the rights of the instance's
 * user. */
static int targets_connect(int root, const char *path)
{
        const struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
        _cleanup_close_ int place = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_un address;
        char self[32];
        struct stat st;
        int size;

        if (place < 0 || fstat(place, &st) < 0)
                return -errno;
        if (!S_ISSOCK(st.st_mode))
                return -ENOTSOCK;
        (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", place);
        size = unix_address_fill(self, &address);
        if (fd < 0 || size < 0 || connect(fd, (struct sockaddr *)&address, (socklen_t)size) == 0)
                return 0;
        return -errno;
}

static bool targets_is_private(const char *path)
{
        for (size_t i = 0; i < ELEMENTSOF(targets_private); i++)
                if (strncmp(path, targets_private[i], strlen(targets_private[i])) == 0)
                        return true;
        return false;
}

static void targets_check_socket(const Target *target, const char *path)
{
        bool runs;
        _cleanup_close_ int root = targets_open_root(target->inst, &runs);
        Identity own;
        int r;

        /* While the server tests its configuration, CONFIGTEST_FOLDER replaces the instance's
         * runtime folder. A path in CONFIGTEST_FOLDER is not checked, because the running instance
         * uses another path. */
        if (path[0] != '/' || root < 0 || (targets_is_private(path) && !runs) ||
            strncmp(path, CONFIGTEST_FOLDER "/", strlen(CONFIGTEST_FOLDER "/")) == 0)
                return;
        r = access_begin_as(&target->inst->user, &own);
        if (r == 0)
                r = targets_connect(root, path);
        if (access_end_as(&own) < 0 || r == 0 || r == -EAGAIN)
                return;
        if (r == -ENOENT || r == -ENOTDIR)
                targets_add(target, NULL, "socket %s does not exist", path);
        else if (r == -ECONNREFUSED)
                targets_add(target, NULL, "no program listens on the socket %s", path);
        else if (r == -EACCES || r == -ENOTSOCK)
                targets_add(target, NULL, "user %s can't connect to %s: %s", target->inst->name,
                            path, strerror(-r));
}

/* --- TCP --- */

static bool targets_is_local(const char *host)
{
        struct in_addr ip;

        return strcasecmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
               (inet_pton(AF_INET, host, &ip) == 1 && ntohl(ip.s_addr) >> 24 == 127);
}

/* Finds the port of a URL. text: the text after the host. Returns false if the port is unknown. */
static bool targets_find_port(const char *url, const char *text, uint16_t *ret)
{
        static const struct {
                const char *scheme;
                uint16_t port;
        } known[] = { { "http://", 80 },   { "ws://", 80 },     { "https://", 443 },
                      { "wss://", 443 },   { "fcgi://", 8000 }, { "ajp://", 8009 },
                      { "scgi://", 4000 }, { "uwsgi://", 3031 } };
        uint64_t number;

        if (text[0] == ':') {
                const Span digits = { (const uint8_t *)text + 1, strspn(text + 1, "0123456789") };

                if (!text_number(digits, UINT16_MAX, &number) || number == 0)
                        return false;
                *ret = (uint16_t)number;
                return true;
        }
        if (!strstr(url, "://")) {
                *ret = 80;
                return true;
        }
        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (strncasecmp(url, known[i].scheme, strlen(known[i].scheme)) == 0) {
                        *ret = known[i].port;
                        return true;
                }
        return false;
}

/* Finds the host of a URL. Returns the text after the host. */
static const char *targets_find_host(const char *url, char ret[static HOST_MAX])
{
        const char *scheme = strstr(url, "://");
        const char *host = scheme ? scheme + strlen("://") : url;
        const bool is_ipv6 = host[0] == '[';
        const size_t length = strcspn(host + is_ipv6, is_ipv6 ? "]" : ":/");

        (void)snprintf(ret, HOST_MAX, "%.*s", (int)length, host + is_ipv6);
        host += is_ipv6 + length;
        return host + (host[0] == ']');
}

static void targets_check_url(const Target *target, const char *url)
{
        char name[HOST_MAX];
        const char *rest = targets_find_host(url, name);
        uint16_t port;

        if (target->inst->instance->network == NETWORK_NO)
                targets_add(target, instance_target_advice[target->inst->instance->server],
                            "an instance with Network=no can't connect to %s", url);
        else if (targets_is_local(name) && targets_find_port(url, rest, &port) &&
                 !port_is_taken(port))
                targets_add(target, NULL, "no program listens on port %u, which %s needs", port,
                            url);
}

void instance_check_target(InstanceCheck *inst, const char *file, unsigned line, const char *text)
{
        const Target target = { inst, file, line };
        _cleanup_free_ char *path = NULL;

        if (strncasecmp(text, "unix:", strlen("unix:")) != 0) {
                if (strstr(text, "://") && strncasecmp(text, "balancer:", strlen("balancer:")) != 0)
                        targets_check_url(&target, text);
                return;
        }
        text += strlen("unix:");
        path = strndup(text, strcspn(text, "|"));
        if (path)
                targets_check_socket(&target, path);
}

static bool targets_is_address(const char *host)
{
        unsigned char ip[sizeof(struct in6_addr)];

        return inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1;
}

void instance_check_nginx_target(InstanceCheck *inst, const char *file, unsigned line,
                                 const char *text)
{
        const Target target = { inst, file, line };
        const char *scheme = strstr(text, "://");
        const char *address = scheme ? scheme + strlen("://") : text;
        _cleanup_free_ char *path = NULL;
        char host[HOST_MAX];

        if (strchr(text, '$'))
                return;
        if (strncasecmp(address, "unix:", strlen("unix:")) == 0) {
                address += strlen("unix:");
                path = strndup(address, strcspn(address, ":"));
                if (path)
                        targets_check_socket(&target, path);
                return;
        }
        (void)targets_find_host(text, host);
        if (targets_is_local(host) || targets_is_address(host))
                targets_check_url(&target, text);
}
