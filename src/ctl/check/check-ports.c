/* SPDX-License-Identifier: MIT */
/*
 * Owns the question who has the ports that the router listens on: /proc/net/tcp tells the socket,
 * /proc/PID/fd whose it is.
 */
#include <dirent.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <systemd/sd-login.h>

#include "ctl/check/check.h"
#include "ctl/show/text.h"
#include "util/cleanup.h"

#define TCP_LISTEN_STATE 0x0a /* TCP_LISTEN in the kernel's net/tcp_states.h */
#define PORTS_MAX        64

typedef struct Holder {
        pid_t pid; /* 0: not known */
        char name[32];
        char *unit;
} Holder;

/* Sockets of others are closed to all but root. */
static bool has_socket(pid_t pid, uint64_t inode)
{
        char folder[64], path[PATH_MAX], target[64], wanted[64];
        const struct dirent *entry;
        bool found = false;
        DIR *dir;

        (void)snprintf(folder, sizeof(folder), "/proc/%d/fd", (int)pid);
        (void)snprintf(wanted, sizeof(wanted), "socket:[%" PRIu64 "]", inode);
        dir = opendir(folder);
        while (dir && !found && (entry = readdir(dir))) {
                ssize_t size;

                (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
                size = readlink(path, target, sizeof(target) - 1);
                if (size < 0)
                        continue;
                target[size] = 0;
                found = strcmp(target, wanted) == 0;
        }
        if (dir)
                (void)closedir(dir);
        return found;
}

static void name_of(pid_t pid, char *ret, size_t size)
{
        char path[64];
        _cleanup_fclose_ FILE *file = NULL;

        (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
        file = fopen(path, "re");
        if (!file || !fgets(ret, (int)size, file))
                (void)snprintf(ret, size, "a process");
        ret[strcspn(ret, "\n")] = 0;
}

static Holder find_holder(uint64_t inode)
{
        Holder holder = { .name = "another program" };
        DIR *dir = opendir("/proc");
        const struct dirent *entry;

        while (dir && holder.pid == 0 && (entry = readdir(dir))) {
                const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

                if (pid > 0 && has_socket(pid, inode))
                        holder.pid = pid;
        }
        if (dir)
                (void)closedir(dir);
        if (holder.pid > 0)
                name_of(holder.pid, holder.name, sizeof(holder.name));
        if (holder.pid > 1 && sd_pid_get_unit(holder.pid, &holder.unit) < 0)
                holder.unit = NULL;
        return holder;
}

static void add_taken(Check *check, uint16_t port, uint64_t inode)
{
        static const char then[] = "systemctl restart bellhop-router.socket bellhop-router.service";
        const Holder holder = find_holder(inode);
        /* A scope is what somebody has started by hand. */
        const bool service = holder.unit && strstr(holder.unit, ".service");
        char *cure = NULL;

        if (service)
                cure = command("systemctl disable --now %s && %s", holder.unit, then);
        else if (holder.pid > 1)
                cure = command("kill %d && %s", (int)holder.pid, then);
        else if (holder.pid == 1)
                cure = command("systemctl list-sockets | grep :%u", port);
        finding_add(&check->findings, FINDING_PORT_TAKEN, (Place){ .line = 0 }, cure,
                    "port %u is taken by %s%s%s%s", port, holder.name, service ? " (" : "",
                    service ? holder.unit : "", service ? ")" : "");
        free(holder.unit);
}

/* Lines as in proc(5): number, local and remote address, state, ..., inode. One finding a port. */
static void look_at_sockets(Check *check, const char *path, uint16_t ports[], size_t *n_ports)
{
        _cleanup_fclose_ FILE *file = fopen(path, "re");
        char line[512];

        while (file && fgets(line, sizeof(line), file)) {
                unsigned port, state;
                uint64_t inode;

                if (sscanf(line, "%*s %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*s %*s %" SCNu64, &port,
                           &state, &inode) != 3 ||
                    state != TCP_LISTEN_STATE)
                        continue;
                for (size_t i = 0; i < *n_ports; i++)
                        if (ports[i] == port) {
                                add_taken(check, ports[i], inode);
                                ports[i] = ports[--*n_ports];
                                break;
                        }
        }
}

static void check_enabled(Check *check)
{
        static const char *const servers[] = { "apache2.service", "nginx.service",
                                               "lighttpd.service", "caddy.service" };

        for (size_t i = 0; i < ELEMENTSOF(servers); i++) {
                _cleanup_free_ char *enabled = NULL, *active = NULL;

                if (bus_get(check->bus, servers[i], "Unit", "UnitFileState", PROPERTY_STRING,
                            &enabled) == 0 &&
                    bus_get(check->bus, servers[i], "Unit", "ActiveState", PROPERTY_STRING,
                            &active) == 0 &&
                    strcmp(enabled, "enabled") == 0 && strcmp(active, "active") != 0)
                        finding_add(&check->findings, FINDING_WEB_SERVER_ENABLED,
                                    (Place){ .line = 0 },
                                    command("systemctl disable %s", servers[i]), "%s is enabled",
                                    servers[i]);
        }
}

void check_ports(Check *check)
{
        const UnitState *sockets;
        uint16_t ports[PORTS_MAX];
        size_t n = 0;

        if (!check->bus)
                return;
        check_enabled(check);
        sockets = units_find(&check->units, "bellhop-router.socket");
        /* Who listens has the ports. */
        if (sockets && strcmp(sockets->active, "active") == 0)
                return;
        if (bus_get_listen_ports(check->bus, "bellhop-router.socket", ports, PORTS_MAX, &n) < 0)
                return;
        look_at_sockets(check, "/proc/net/tcp", ports, &n);
        look_at_sockets(check, "/proc/net/tcp6", ports, &n);
}
