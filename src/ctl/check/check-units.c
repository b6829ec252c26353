/* SPDX-License-Identifier: MIT */
/*
 * Owns what systemd and the running router are asked: whether all runs, comes back after a boot,
 * and has read the files as they are now.
 */
#include <dirent.h>
#include <inttypes.h>

#include "ctl/ask/bus.h"
#include "ctl/check/check.h"
#include "ctl/show/text.h"
#include "util/cleanup.h"

#define QUEUE_LENGTH   "/proc/sys/net/unix/max_dgram_qlen"
#define QUEUE_LEAST    64
#define QUEUE_PROPOSED 512

static const char *active_state(const Check *check, const char *unit)
{
        const UnitState *state = units_find(&check->units, unit);

        return state ? state->active : "inactive";
}

static bool is_active(const Check *check, const char *unit)
{
        const char *state = active_state(check, unit);

        return strcmp(state, "active") == 0 || strcmp(state, "reloading") == 0 ||
               strcmp(state, "activating") == 0;
}

static bool is_enabled(const Check *check, const char *unit)
{
        _cleanup_free_ char *state = NULL;

        return bus_get(check->bus, unit, "Unit", "UnitFileState", PROPERTY_STRING, &state) == 0 &&
               strncmp(state, "enabled", strlen("enabled")) == 0;
}

static void check_target(Check *check)
{
        if (!is_enabled(check, "bellhop.target"))
                finding_add(&check->findings, FINDING_TARGET_NOT_ENABLED, (Place){ .line = 0 },
                            command("systemctl enable bellhop.target"),
                            "bellhop.target is not enabled");
}

static void check_router(Check *check)
{
        if (!is_active(check, "bellhop-router.socket")) {
                finding_add(&check->findings, FINDING_ROUTER_NOT_LISTENING, (Place){ .line = 0 },
                            command("systemctl start bellhop.target bellhop-router.socket "
                                    "bellhop-router.service"),
                            "bellhop-router.socket is %s",
                            active_state(check, "bellhop-router.socket"));
                return;
        }
        if (strcmp(active_state(check, "bellhop-router.service"), "failed") == 0)
                finding_add(&check->findings, FINDING_ROUTER_FAILED, (Place){ .line = 0 },
                            command("systemctl restart bellhop-router.service || journalctl -n 20 "
                                    "-u bellhop-router.service"),
                            "bellhop-router.service has failed");
        else if (check->loaded == 0)
                finding_add(
                        &check->findings, FINDING_NOT_CHECKED, (Place){ .line = 0 },
                        geteuid() == 0 ? command("systemctl restart bellhop-router.service") : NULL,
                        "whether the router has read the files as they are now: it does not tell");
}

/* The newest of what the router reads; folders too, as a file may have gone. */
typedef struct Newest {
        uint64_t changed;
        char path[PATH_MAX];
} Newest;

static void note_newest(Newest *newest, const char *path)
{
        const uint64_t changed = changed_file(path);

        if (changed <= newest->changed)
                return;
        newest->changed = changed;
        (void)snprintf(newest->path, sizeof(newest->path), "%s", path);
}

static void note_folder(Newest *newest, const char *folder)
{
        DIR *dir = opendir(folder);
        const struct dirent *entry;
        char path[PATH_MAX];

        while (dir && (entry = readdir(dir)))
                if (entry->d_name[0] != '.' &&
                    snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) < PATH_MAX)
                        note_newest(newest, path);
        if (dir)
                (void)closedir(dir);
        /* Last: it has changed as well when a file in it was replaced. */
        note_newest(newest, folder);
}

static void check_reloaded(Check *check)
{
        const char *dir = check->ctl->config_dir;
        Newest newest = { .changed = 0 };
        char path[PATH_MAX];

        if (check->loaded == 0)
                return;
        if (snprintf(path, sizeof(path), "%s/router.conf", dir) < PATH_MAX)
                note_newest(&newest, path);
        if (snprintf(path, sizeof(path), "%s/router.conf.d", dir) < PATH_MAX)
                note_folder(&newest, path);
        if (snprintf(path, sizeof(path), "%s/instances", dir) < PATH_MAX)
                note_folder(&newest, path);
        if (is_stale(check->loaded, newest.changed))
                finding_add(&check->findings, FINDING_ROUTER_NOT_RELOADED,
                            (Place){ .file = newest.path }, cure_apply(check),
                            "it has changed since the router read it");
}

/* Whose name is in the unit's: bellhop@NAME.suffix. */
static bool instance_of_unit(const char *unit, const char *suffix, char ret[static NAME_UNIT_MAX])
{
        const char *at = strchr(unit, '@'), *dot = strrchr(unit, '.');

        if (!at || !dot || dot < at || strcmp(dot + 1, suffix) != 0 ||
            strncmp(unit, "bellhop@", strlen("bellhop@")) != 0)
                return false;
        (void)snprintf(ret, NAME_UNIT_MAX, "%.*s", (int)(dot - at - 1), at + 1);
        return true;
}

/* One whose file has a mistake is not left over. */
static bool has_file(const Check *check, const char *instance)
{
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/instances/%s.conf", check->ctl->config_dir, instance) < 0) {
                path = NULL;
                return true;
        }
        return access(path, F_OK) == 0;
}

static void check_left_over(Check *check)
{
        char instance[NAME_UNIT_MAX];

        for (size_t i = 0; i < check->units.n; i++) {
                const UnitState *unit = &check->units.units[i];

                if (instance_of_unit(unit->name, "socket", instance) &&
                    strcmp(unit->active, "active") == 0 && !has_file(check, instance))
                        finding_add(&check->findings, FINDING_SOCKET_LEFT_OVER,
                                    (Place){ .instance = instance }, cure_apply(check),
                                    "%s listens, but there is no file for this instance",
                                    unit->name);
        }
}

static void check_queue(Check *check)
{
        _cleanup_fclose_ FILE *file = fopen(QUEUE_LENGTH, "re");
        unsigned length;

        if (!file || fscanf(file, "%u", &length) != 1 || length >= QUEUE_LEAST)
                return;
        finding_add(
                &check->findings, FINDING_QUEUE_TOO_SHORT, (Place){ .file = QUEUE_LENGTH },
                command("echo net.unix.max_dgram_qlen=%d > /etc/sysctl.d/60-bellhop.conf && sysctl "
                        "-p /etc/sysctl.d/60-bellhop.conf && systemctl restart 'bellhop@*.socket'",
                        QUEUE_PROPOSED),
                "a hand-off socket that is made now has room for %u connections", length);
}

void check_router_units(Check *check)
{
        if (!check->bus)
                return;
        check_queue(check);
        check_target(check);
        check_router(check);
        check_reloaded(check);
        check_left_over(check);
}

static void check_socket(Check *check, const Site *site)
{
        const Instance *instance = site->instance;
        /* A file that the router has not read yet is a site that is only being made. */
        const bool is_new =
                check->loaded > 0 && is_stale(check->loaded, changed_file(instance->file));
        char unit[NAME_UNIT_MAX];
        Finding *finding;

        (void)name_unit(NAME_SOCKET_UNIT, instance->name, unit);
        if (is_active(check, unit))
                return;
        finding = finding_add(&check->findings, FINDING_SOCKET_NOT_STARTED,
                              (Place){ instance->name, NULL, 0 },
                              is_new ? cure_apply(check) : command("systemctl restart %s", unit),
                              "%s is %s", unit, active_state(check, unit));
        if (finding && is_new)
                finding->severity = SEVERITY_WARNING;
}

static bool has_older_files(const Check *check, const Site *site)
{
        return is_stale(stale_instance_read(check->ctl->runtime_dir, site->instance->name),
                        site->changed);
}

/* A folder that has come since its start is not in its mount namespace, whatever it reads again. */
static bool lacks_folder(const Check *check, const Site *site, const char *unit)
{
        _cleanup_free_ char *path = NULL;
        uint64_t pid;

        if (bus_get(check->bus, unit, "Service", "MainPID", PROPERTY_NUMBER, &pid) < 0 ||
            pid == 0 || asprintf(&path, "/proc/%" PRIu64 "/root%s", pid, site->tls) < 0) {
                path = NULL;
                return false;
        }
        return access(site->tls, F_OK) == 0 && access(path, F_OK) < 0 && errno == ENOENT;
}

static void check_service(Check *check, const Site *site)
{
        const char *name = site->instance->name;
        _cleanup_free_ char *result = NULL;
        char unit[NAME_UNIT_MAX], standin[NAME_UNIT_MAX];

        (void)name_unit(NAME_SERVICE_UNIT, name, unit);
        /* The stand-in refuses its visitors for a while, before it is tried again. */
        (void)name_unit(NAME_STANDIN_UNIT, name, standin);
        if (strcmp(active_state(check, unit), "failed") == 0 || is_active(check, standin)) {
                (void)bus_get(check->bus, unit, "Service", "Result", PROPERTY_STRING, &result);
                finding_add(&check->findings, FINDING_SITE_FAILED, (Place){ name, NULL, 0 },
                            command("systemctl restart %s || journalctl -n 20 -u %s", unit, unit),
                            "%s has failed (%s)", unit, result ? result : "no reason known");
                return;
        }
        if (strcmp(active_state(check, unit), "active") != 0)
                return;
        if (lacks_folder(check, site, unit))
                finding_add(&check->findings, FINDING_SITE_NOT_RELOADED,
                            (Place){ name, site->tls, 0 },
                            command("systemctl try-restart bellhop@%s.service", name),
                            "it has come since the site's server was started");
        else if (has_older_files(check, site))
                finding_add(&check->findings, FINDING_SITE_NOT_RELOADED,
                            (Place){ name, site->changed_file, 0 },
                            site->has_credentials
                                    ? command("systemctl try-restart bellhop@%s.service", name)
                                    : command(RELOAD_SITE, name),
                            "it has changed since the site's server read it");
}

void check_site_units(Check *check, const Site *site)
{
        if (!check->bus)
                return;
        check_socket(check, site);
        check_service(check, site);
}
