/* SPDX-License-Identifier: MIT */
/*
 * Checks whether all units of bellhop are running and will run after the next boot, and whether the
 * router and the instances have read the present files. Asks systemd and the router.
 */
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>

#include "ctl/ask/events.h"
#include "ctl/ask/log-folder.h"
#include "ctl/ask/metrics-client.h"
#include "ctl/check/check.h"
#include "instance/state.h"
#include "metrics/metrics.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"

#define QUEUE_LENGTH "/proc/sys/net/unix/max_dgram_qlen"
#define QUEUE_LEAST  64

#define RSYSLOGD "/usr/sbin/rsyslogd"

static void units_ask_router(Check *check)
{
        Samples samples = { .n = 0 };

        check->router_error = samples_fetch(check->ctl->runtime_dir, &samples);
        check->loaded = samples_router_read(&samples);
        samples_done(&samples);
}

void units_ask(Check *check)
{
        int r = sd_bus_open_system(&check->bus);

        if (r >= 0)
                r = bus_list_units(check->bus, "bellhop*", &check->units);
        if (r < 0) {
                check->bus = sd_bus_flush_close_unref(check->bus);
                finding_add(&check->findings, FINDING_NOT_CHECKED, NOWHERE, NULL,
                            "the units were not checked: systemd can't be reached (%s)",
                            strerror(-r));
        }
        units_ask_router(check);
        r = oom_read_journal(&check->oom);
        if (r < 0)
                finding_add(&check->findings, FINDING_NOT_CHECKED, NOWHERE, NULL,
                            "it is not known whether programs were killed because memory ran out: "
                            "the journal can't be read (%s)",
                            strerror(-r));
}

static const char *units_state(const Check *check, const char *unit)
{
        const UnitState *state = units_find(&check->units, unit);

        return state ? state->active : "inactive";
}

static void units_check_queue(Check *check)
{
        _cleanup_fclose_ FILE *file = fopen(QUEUE_LENGTH, "re");
        unsigned length;

        if (file && fscanf(file, "%u", &length) == 1 && length < QUEUE_LEAST)
                finding_add(&check->findings, FINDING_QUEUE_TOO_SHORT,
                            (Place){ .file = QUEUE_LENGTH }, NULL,
                            "a new hand-off socket has room for only %u connections", length);
}

static void units_check_target(Check *check)
{
        _cleanup_free_ char *state = NULL;

        const int r = bus_get(check->bus, "bellhop.target", "Unit", "UnitFileState",
                              PROPERTY_STRING, &state);

        if (r < 0)
                finding_add(&check->findings, FINDING_NOT_CHECKED, NOWHERE, NULL,
                            "it is not known whether bellhop.target is enabled: systemd does not "
                            "answer (%s)",
                            strerror(-r));
        else if (strncmp(state, "enabled", strlen("enabled")) != 0)
                finding_add(&check->findings, FINDING_TARGET_NOT_ENABLED, NOWHERE, NULL,
                            "bellhop.target is not enabled");
}

static void units_check_router(Check *check)
{
        static const char socket[] = "bellhop-router.socket", service[] = "bellhop-router.service";

        if (!unit_has_begun(&check->units, socket))
                finding_add(&check->findings, FINDING_ROUTER_NOT_LISTENING, NOWHERE, NULL,
                            "%s is %s", socket, units_state(check, socket));
        else if (strcmp(units_state(check, service), "failed") == 0)
                finding_add(&check->findings, FINDING_ROUTER_FAILED, NOWHERE, NULL, "%s has failed",
                            service);
        else if (check->loaded == UNKNOWN) {
                Finding *finding = finding_add(
                        &check->findings, FINDING_NOT_CHECKED, NOWHERE, NULL,
                        "it is not known whether the router has read the present configuration: %s",
                        check->router_error < 0 ? metrics_fetch_explain(check->router_error)
                                                : "it does not answer");

                /* If the router is running, but gives root no answer, this is an error. A router
                 * that is not running reads the files at its start. Other users may have no access
                 * to the router. */
                if (finding && geteuid() == 0 && check->router_error != -ESHUTDOWN)
                        finding->severity = SEVERITY_ERROR;
        }
}

void newest_note(Newest *newest, const char *path, uint64_t changed)
{
        if (changed <= newest->changed)
                return;
        newest->changed = changed;
        (void)snprintf(newest->path, sizeof(newest->path), "%s", path);
}

static void units_check_reloaded(Check *check)
{
        /* Checks the folders as well, because the removal of a file changes only its folder. Each
         * folder comes after its files: if a new file changes both at the same time, the finding
         * names the file. */
        static const char *const patterns[] = { "router.conf", "router.conf.d/*", "router.conf.d",
                                                "instances/*", "instances" };
        Newest newest = { .changed = 0 };

        for (size_t i = 0; i < ELEMENTSOF(patterns); i++) {
                _cleanup_free_ char *pattern =
                        text_format("%s/%s", check->ctl->config_dir, patterns[i]);
                struct stat st;
                glob_t found;

                if (!pattern || glob(pattern, 0, NULL, &found) != 0)
                        continue;
                for (size_t j = 0; j < found.gl_pathc; j++)
                        if (stat(found.gl_pathv[j], &st) == 0)
                                newest_note(&newest, found.gl_pathv[j], changed_inode(&st));
                globfree(&found);
        }
        if (is_stale(check->loaded, newest.changed))
                finding_add(&check->findings, FINDING_ROUTER_NOT_RELOADED,
                            (Place){ .file = newest.path }, NULL,
                            "it changed after the router read the configuration");
}

const MachineUnit machine_units[] = {
        { "bellhop.target", true },
        { "bellhop.slice", false },
        { "bellhop-router.socket", true },
        { "bellhop-router.service", true },
        { "bellhop-router-control.socket", true },
        { "bellhop-metrics.socket", false },
        { "bellhop-metrics.service", false },
        { "bellhop-usage.socket", false },
        { "bellhop-usage-reports.socket", false },
        { "bellhop-usage.service", false },
        { "bellhop-firewall.service", false },
        { "bellhop-network.slice", false },
        { "bellhop-private.service", true },
        { "bellhop-log.socket", false },
        { "bellhop-log.service", false },
        { "bellhop-mail.socket", false },
        { "bellhop-mail.service", false },
        { "bellhop-acme-tls.socket", false },
        { "bellhop-acme-tls.service", false },
        { "bellhop-acme.service", false },
        { "bellhop-cert.socket", false },
};
const size_t n_machine_units = ELEMENTSOF(machine_units);

static bool units_is_masked(const char *folder, const char *unit)
{
        _cleanup_free_ char *path = text_format("%s/%s", folder, unit);
        char target[PATH_MAX];
        const ssize_t n = path ? readlink(path, target, sizeof(target) - 1) : -1;

        target[n < 0 ? 0 : n] = 0;
        return strcmp(target, "/dev/null") == 0;
}

/* Reports a unit of bellhop-usage that is not active although bellhop.target is. A unit that is
 * "activating" does not count as active, because a unit that fails at each start stays in this
 * state. */
static void units_check_usage(Check *check)
{
        static const struct {
                const char *unit, *advice;
        } units[] = {
                { "bellhop-usage.socket",
                  "systemctl start bellhop-usage.socket bellhop-usage.service" },
                { "bellhop-usage-reports.socket", "systemctl start bellhop-usage-reports.socket" },
                { "bellhop-usage.service", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(units); i++) {
                const char *state = units_state(check, units[i].unit);

                if (!unit_has_begun(&check->units, "bellhop.target") ||
                    strcmp(state, "active") == 0 || strcmp(state, "reloading") == 0 ||
                    units_is_masked("/etc/systemd/system", units[i].unit))
                        continue;
                finding_add(&check->findings, FINDING_USAGE_NOT_COUNTED, NOWHERE, units[i].advice,
                            "%s is %s", units[i].unit, state);
                break;
        }
}

/* Reports masked units. instance: the instance of the units; NULL: none. */
static void units_check_masked(Check *check, const char *instance, const char *const units[],
                               size_t n)
{
        static const char *const folders[] = { "/etc/systemd/system", "/run/systemd/system" };

        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < ELEMENTSOF(folders); j++)
                        if (units_is_masked(folders[j], units[i]))
                                finding_add(&check->findings, FINDING_UNIT_MASKED,
                                            (Place){ .instance = instance }, NULL, "%s is masked",
                                            units[i]);
}

/* Adds a finding if logs are not written. Ignores a masked unit, because an administrator has
 * turned it off on purpose. */
static void units_check_log(Check *check)
{
        static const char socket[] = "bellhop-log.socket";

        if (unit_has_begun(&check->units, socket) || units_is_masked("/etc/systemd/system", socket))
                return;
        if (access(RSYSLOGD, X_OK) < 0)
                finding_add(&check->findings, FINDING_LOGS_NOT_WRITTEN, NOWHERE,
                            "Install rsyslog, and run 'systemctl start bellhop-log.socket'.",
                            RSYSLOGD " is missing");
        else
                finding_add(&check->findings, FINDING_LOGS_NOT_WRITTEN, NOWHERE, NULL, "%s is %s",
                            socket, units_state(check, socket));
}

static void units_check_left_over(Check *check)
{
        char name[NAME_UNIT_MAX];

        for (size_t i = 0; i < check->units.n; i++) {
                const UnitState *unit = &check->units.units[i];
                _cleanup_free_ char *path = NULL;

                if (!name_from_unit(NAME_SOCKET_UNIT, unit->name, name) ||
                    strcmp(unit->active, "active") != 0)
                        continue;
                path = name_path(NAME_INSTANCE_FILE, check->ctl->config_dir, name);
                /* Checks only whether the file exists: an instance whose file has a mistake also
                 * has a socket. */
                if (path && access(path, F_OK) < 0)
                        finding_add(&check->findings, FINDING_SOCKET_LEFT_OVER,
                                    (Place){ .instance = name }, NULL,
                                    "%s listens, but this instance has no file", unit->name);
        }
}

void check_router_units(Check *check)
{
        static const char *const templates[] = { "bellhop@.socket", "bellhop@.service",
                                                 "bellhop-standin@.service" };

        for (size_t i = 0; i < n_machine_units; i++)
                if (machine_units[i].is_needed)
                        units_check_masked(check, NULL, &machine_units[i].name, 1);
        units_check_masked(check, NULL, templates, ELEMENTSOF(templates));
        if (!check->bus)
                return;
        units_check_queue(check);
        units_check_target(check);
        units_check_router(check);
        units_check_usage(check);
        units_check_reloaded(check);
        units_check_log(check);
        units_check_left_over(check);
}

static void units_check_socket(InstanceCheck *inst)
{
        const Check *check = inst->check;
        char unit[NAME_UNIT_MAX];
        Finding *finding;
        bool is_new;

        (void)name_unit(NAME_SOCKET_UNIT, inst->name, unit);
        if (unit_has_begun(&check->units, unit))
                return;
        /* If the router has not read the instance's file yet, the instance may be new, and
         * 'bellhopctl apply' starts its socket. So the finding is only a warning. */
        is_new = is_stale(check->loaded, changed_file(inst->instance->file));
        finding = instance_finding(inst, FINDING_SOCKET_NOT_STARTED, NULL,
                                   is_new ? ADVICE_APPLY : NULL, "%s is %s", unit,
                                   units_state(check, unit));
        if (finding && is_new)
                finding->severity = SEVERITY_WARNING;
}

/* Whether a running instance can't see a folder. A folder that was made after the instance started
 * is not in the instance's mount namespace, even after a reload. */
static bool units_lacks_folder(const char *folder, uint64_t pid)
{
        _cleanup_free_ char *path = state_dir_of(pid, folder);

        return pid > 0 && path && access(folder, F_OK) == 0 && access(path, F_OK) < 0 &&
               errno == ENOENT;
}

/* Whether the folder was replaced after the start of the instance, which still sees the old one. */
static bool units_has_other_folder(const char *folder, uint64_t pid)
{
        _cleanup_free_ char *path = state_dir_of(pid, folder);
        struct stat outside, inside;

        return pid > 0 && path && stat(folder, &outside) == 0 && S_ISDIR(outside.st_mode) &&
               lstat(path, &inside) == 0 &&
               (outside.st_dev != inside.st_dev || outside.st_ino != inside.st_ino);
}

/* Whether programs that started before the customer was suspended may still run. */
static bool units_outlive_suspension(const InstanceCheck *inst, const char *unit)
{
        uint64_t started = UNKNOWN;

        return inst->instance->is_suspended &&
               bus_get(inst->check->bus, unit, "Service", "ExecMainStartTimestamp", PROPERTY_NUMBER,
                       &started) == 0 &&
               started != UNKNOWN &&
               has_started_before(started, changed_file(inst->instance->file));
}

/* Returns the folder of certificates or of snippets if a running instance can't see it. Otherwise,
 * returns NULL. */
static const char *units_new_folder(const InstanceCheck *inst, uint64_t pid)
{
        if (units_lacks_folder(inst->tls, pid))
                return inst->tls;
        return inst->n_snippets > 0 && units_lacks_folder(inst->snippets, pid) ? inst->snippets
                                                                               : NULL;
}

static void units_check_active(InstanceCheck *inst, const char *unit)
{
        static const char restart[] = "systemctl try-restart bellhop@{name}.service";
        char host_folder[PATH_MAX];
        const uint64_t made = made_host_folder(inst->www, inst->hosts, host_folder);
        const char *folder;
        uint64_t pid = 0;
        ReadFiles read;

        (void)bus_get(inst->check->bus, unit, "Service", "MainPID", PROPERTY_NUMBER, &pid);
        read = stale_read_files_of(pid);
        newest_note(&inst->newest, host_folder, made);
        folder = units_new_folder(inst, pid);
        if (!inst->instance->is_suspended && units_has_other_folder(inst->www, pid))
                instance_finding(inst, FINDING_DOCUMENT_ROOT_REPLACED, inst->www, NULL,
                                 "it was replaced after the instance started");
        if (units_outlive_suspension(inst, unit))
                instance_finding(inst, FINDING_SITE_NOT_RELOADED, inst->instance->file, restart,
                                 "the instance is suspended, but programs that the customer "
                                 "started before may still run");
        else if (folder)
                instance_finding(inst, FINDING_SITE_NOT_RELOADED, folder, restart,
                                 "it was made after the instance started");
        else if (read.nsec == UNKNOWN)
                inst->check->n_silent++;
        else if (is_stale(read.nsec, inst->newest.changed))
                /* systemd passes credentials only at the start, so a reload is not enough. */
                instance_finding(inst, FINDING_SITE_NOT_RELOADED, inst->newest.path,
                                 inst->has_credentials ? restart : NULL,
                                 "it changed after the instance read its configuration");
        else if (lacks_others(&read, inst->instance))
                instance_finding(inst, FINDING_SITE_NOT_RELOADED, NULL, NULL,
                                 "the hosts of other instances changed after this instance read "
                                 "them, so it still serves old hosts on open connections");
}

/* Reports programs that were killed because memory ran out. Uses both the kernel's counter and the
 * journal. The counter is lost when the service ends, and the journal may not reach back to the
 * start of the service. */
static void units_check_oom(InstanceCheck *inst, uint64_t n)
{
        if (oom_last(&inst->check->oom, inst->name) > 0 || (n > 0 && n != UNKNOWN))
                instance_finding(inst, FINDING_OOM_KILL, NULL, NULL,
                                 "a program of the instance was killed, because memory ran out");
}

/* Reports limits that the instance has reached. */
static void units_check_events(InstanceCheck *inst, bool is_active)
{
        uint64_t n[EVENTS] = { UNKNOWN, UNKNOWN };

        if (is_active)
                events_count(inst->check->bus, inst->name, n);
        units_check_oom(inst, n[EVENT_OOM_KILL]);
        if (n[EVENT_TASKS_MAX] > 0 && n[EVENT_TASKS_MAX] != UNKNOWN)
                instance_finding(inst, FINDING_TASKS_LIMIT, NULL, NULL,
                                 "the instance has reached its limit of tasks");
}

/* Whether the socket starts the instance's own service. If it starts another unit, such as
 * apache2.service, that server writes its own logs, and needs no folder of bellhop-log. */
static bool units_starts(const Check *check, const char *socket, const char *service)
{
        char **triggers = NULL;
        bool starts =
                bus_get(check->bus, socket, "Unit", "Triggers", PROPERTY_STRINGS, &triggers) < 0;

        for (char **unit = triggers; unit && *unit; unit++)
                starts |= strcmp(*unit, service) == 0;
        bus_free_strings(triggers);
        return starts;
}

void check_instance_units(InstanceCheck *inst)
{
        Check *check = inst->check;
        _cleanup_free_ char *result = NULL;
        char socket[NAME_UNIT_MAX], unit[NAME_UNIT_MAX], standin[NAME_UNIT_MAX];

        (void)name_unit(NAME_SOCKET_UNIT, inst->name, socket);
        (void)name_unit(NAME_SERVICE_UNIT, inst->name, unit);
        (void)name_unit(NAME_STANDIN_UNIT, inst->name, standin);
        units_check_masked(check, inst->name, (const char *const[]){ socket, unit, standin }, 3);
        if (!check->bus)
                return;
        units_check_socket(inst);
        if (unit_has_begun(&check->units, "bellhop-log.socket") &&
            !log_folder_is_made(inst->name) && units_starts(check, socket, unit))
                instance_finding(inst, FINDING_LOG_FOLDER, LOG_DIR, NULL,
                                 "the folder %s in it, or the link to that folder in .uid, is "
                                 "missing or wrong",
                                 inst->name);
        units_check_events(inst, strcmp(units_state(check, unit), "active") == 0);
        /* After a failure, the instance's stand-in (bellhop-standin@.service) refuses connections
         * for a while. After this time, a connection can start the instance again. */
        if (strcmp(units_state(check, unit), "failed") == 0 ||
            unit_has_begun(&check->units, standin)) {
                (void)bus_get(check->bus, unit, "Service", "Result", PROPERTY_STRING, &result);
                instance_finding(inst, FINDING_SITE_FAILED, NULL, NULL, "%s has failed (%s)", unit,
                                 result ? result : "reason unknown");
        } else if (strcmp(units_state(check, unit), "active") == 0) {
                units_check_active(inst, unit);
        }
}
