/* SPDX-License-Identifier: MIT */
#include "ctl/change/enforce.h"
#include "config/units.h"
#include "ctl/ask/stale.h"
#include "ctl/change/files.h"
#include "util/cleanup.h"

CtlStatus enforce_load(const Change *change, const char *name, Fleet *ret, FleetEntry **ret_entry)
{
        const int r = fleet_load(change->ctl, name, FLEET_FOR_APPLY, ret);
        const FleetEntry *entry;

        if (!change_good("The state of the instances can't be read", r) ||
            !change_good("systemd does not answer, so nothing was changed", ret->bus_error))
                return CTL_FAILED;
        entry = *ret_entry = fleet_find(ret, name);
        if (entry && entry->instance)
                return CTL_FINE;
        return change_explain_missing(ret->config, name, entry && entry->has_file);
}

/* --- what differs --- */

/* The last change of the files and folders that an instance reads, except its own file. ret_made:
 * as in changed_instance(). */
static uint64_t enforce_changed_own(const Enforce *enforce, const FleetEntry *entry,
                                    uint64_t *ret_made)
{
        const uint32_t number = config_find_instance(enforce->fleet->config, entry->name);
        const Hosts *hosts = number == ROUTE_NONE ? NULL : &enforce->hosts[number];
        const uint64_t files =
                changed_instance(enforce->change->ctl->config_dir, entry->name, hosts, ret_made);
        char root[PATH_MAX], path[PATH_MAX];
        uint64_t folder = 0;

        document_root_of(entry->name, root);
        if (hosts)
                folder = made_host_folder(root, hosts, path);
        return files > folder ? files : folder;
}

/* Finds the needs that a running instance has because its files changed after it read them. */
static unsigned enforce_find_stale(const Enforce *enforce, const FleetEntry *entry)
{
        const uint64_t started =
                entry->started_usec == UNKNOWN ? UNKNOWN : entry->started_usec * 1000;
        const ReadFiles read = stale_read_files_of(entry->pid);
        const uint64_t changed = changed_file(entry->instance->file);
        uint64_t made;
        const uint64_t own = enforce_changed_own(enforce, entry, &made);

        if (entry->instance->is_suspended && has_started_before(entry->started_usec, changed))
                return started == UNKNOWN ? NEED_UNKNOWN : NEED_SUSPEND;
        if (is_stale(started, made))
                return NEED_AGAIN;
        if (is_stale(read.nsec, changed) || is_stale(read.nsec, own) ||
            lacks_others(&read, entry->instance))
                return NEED_RELOAD;
        if (read.nsec != UNKNOWN)
                return 0;
        /* This instance does not report when it read its files. It has certainly read changes that
         * are older than its process, but may have missed later changes. */
        return started == UNKNOWN || is_stale(started, changed) || is_stale(started, own)
                       ? NEED_UNKNOWN
                       : 0;
}

static bool enforce_lacks_snippet_folder(const Enforce *enforce, const char *name)
{
        _cleanup_free_ char *path =
                name_path(NAME_SNIPPET_DIR, enforce->change->ctl->config_dir, name);

        return path && !place_exists(path);
}

static unsigned enforce_find_need(const Enforce *enforce, const FleetEntry *entry)
{
        const Instance *instance = entry->instance;
        const unsigned drop_in =
                units_differ(UNITS_GENERATED_DIR, instance->name, instance->network) ? NEED_DROP_IN
                                                                                     : 0;
        char socket[NAME_UNIT_MAX];
        unsigned need;

        (void)name_unit(NAME_SOCKET_UNIT, entry->name, socket);
        need = unit_is_active(&enforce->fleet->units, socket) ? 0 : NEED_START;
        if (enforce_lacks_snippet_folder(enforce, entry->name))
                need |= NEED_SNIPPETS;
        if (!log_folder_is_made(entry->name))
                need |= NEED_LOGS;
        if (entry->is_partly_unknown)
                need |= NEED_UNKNOWN;
        if (fleet_network(entry) != instance->network)
                return drop_in |
                       (change_keeps_units(entry->name) ? need | NEED_RESTART : NEED_RENEW);
        if (entry->state == FLEET_ACTIVE)
                need |= enforce_find_stale(enforce, entry);
        else if (entry->state == FLEET_STARTING &&
                 has_started_before(entry->started_usec, changed_file(instance->file)))
                need |= NEED_ANEW;
        return drop_in | need;
}

static int enforce_find_needs(Enforce *enforce)
{
        const Fleet *fleet = enforce->fleet;

        config_digest_others(enforce->fleet->config, ROUTE_NONE);
        enforce->hosts = hosts_new(fleet->config->map, fleet->config->n_instances);
        enforce->needs = calloc(fleet->n + 1, sizeof(*enforce->needs));
        if (!enforce->hosts || !enforce->needs)
                return -ENOMEM;
        for (size_t i = 0; i < fleet->n; i++) {
                if (fleet->entries[i].instance)
                        enforce->needs[i] = enforce_find_need(enforce, &fleet->entries[i]);
                else if (!fleet->entries[i].has_file)
                        enforce->needs[i] = NEED_STOP;
                enforce->any |= enforce->needs[i];
        }
        return 0;
}

static void enforce_find_router(Enforce *enforce)
{
        const int lacks = fleet_router_lacks(enforce->fleet,
                                             changed_router(enforce->change->ctl->config_dir));

        enforce->router_error = lacks < 0 ? lacks : 0;
        enforce->router_is_stale = lacks > 0;
}

int enforce_find(Change *change, Fleet *fleet, Enforce *ret)
{
        int r = fleet->bus_error;

        *ret = (Enforce){ .change = change, .fleet = fleet };
        if (r == 0)
                r = enforce_find_needs(ret);
        if (r == 0)
                enforce_find_router(ret);
        return r;
}

void enforce_done(Enforce *enforce)
{
        if (enforce->hosts)
                hosts_free(enforce->hosts, enforce->fleet->config->n_instances);
        free(enforce->needs);
}

/* --- enforcing: false if not everything is done --- */

static bool enforce_write_drop_ins(Enforce *enforce)
{
        const Fleet *fleet = enforce->fleet;
        bool good = true;

        for (size_t i = 0; i < fleet->n; i++) {
                const char *name = fleet->entries[i].name;

                if (!(enforce->needs[i] & NEED_DROP_IN) ||
                    !change_step(enforce->change, "drop-in", "set up the network of %s", name) ||
                    change_good(name, units_write(UNITS_GENERATED_DIR, name,
                                                  fleet->entries[i].instance->network)))
                        continue;
                /* After this error, the instance is not restarted: without its new drop-in, it
                 * would get its old network again. */
                enforce->needs[i] &= ~(unsigned)(NEED_RENEW | NEED_RESTART);
                good = false;
        }
        if (enforce->any & NEED_DROP_IN && !enforce->change->ctl->dry_run)
                good = change_good(UNITS_GENERATED_DIR, units_announce()) && good;
        return good;
}

static bool enforce_make_snippet_folders(Enforce *enforce)
{
        const char *dir = enforce->change->ctl->config_dir;
        bool good = true;

        for (size_t i = 0; i < enforce->fleet->n; i++) {
                const char *name = enforce->fleet->entries[i].name;

                if (enforce->needs[i] & NEED_SNIPPETS &&
                    change_step(enforce->change, "snippets", "make the folder of snippets for %s",
                                name))
                        good = change_good(name, snippet_folder_make(dir, name)) && good;
        }
        return good;
}

static bool enforce_make_log_folders(Enforce *enforce)
{
        bool good = true;

        for (size_t i = 0; i < enforce->fleet->n; i++) {
                const char *name = enforce->fleet->entries[i].name;

                if (enforce->needs[i] & NEED_LOGS &&
                    change_step(enforce->change, "logs", "make the folder of the logs of %s", name))
                        good = log_folder_make(name) && good;
        }
        return good;
}

static bool enforce_read_unit_files(Enforce *enforce)
{
        return !(enforce->any & NEED_RESTART) || change_read_unit_files(enforce->change);
}

/* The commands of systemctl(1) for the needs, in the order in which they run. A command gets the
 * units of all instances that have the need. */
static const struct {
        Need need;
        const char *verb;
        NameUnit unit;
        const char *kind;
        const char *what; /* the announcement, before the name; NULL: already announced */
} works[] = {
        { NEED_START, "start", NAME_SOCKET_UNIT, "socket", "start the hand-off socket of" },
        /* After the stop, systemd unloads these units, because no other unit wants them. At the
         * start, it loads them from their present files. */
        { NEED_RENEW, "stop", NAME_SOCKET_UNIT, "network", "to change the network, stop" },
        { NEED_RENEW, "stop", NAME_SERVICE_UNIT, "network", NULL },
        { NEED_RENEW, "start", NAME_SOCKET_UNIT, "network", "with the new network, start" },
        { NEED_STOP, "stop", NAME_SOCKET_UNIT, "units",
          "because the instance's file was removed, stop" },
        { NEED_STOP, "stop", NAME_SERVICE_UNIT, "units", NULL },
        { NEED_RESTART, "try-restart", NAME_SERVICE_UNIT, "network",
          "to change the network, restart" },
        { NEED_AGAIN, "try-restart", NAME_SERVICE_UNIT, "server",
          "to show a new folder to the instance, restart" },
        /* A server that is still starting can't be reloaded. */
        { NEED_ANEW, "try-restart", NAME_SERVICE_UNIT, "server",
          "because the file changed during the start, restart" },
        { NEED_SUSPEND, "try-restart", NAME_SERVICE_UNIT, "server",
          "because the instance is suspended, restart" },
        { NEED_RELOAD, "try-reload-or-restart", NAME_SERVICE_UNIT, "server",
          "reload the server of" },
};

static bool enforce_work(Enforce *enforce, unsigned needs)
{
        const Fleet *fleet = enforce->fleet;
        char(*units)[NAME_UNIT_MAX] = calloc(fleet->n + 1, sizeof(*units));
        bool good = change_good("units", units ? 0 : -ENOMEM);

        for (size_t i = 0; units && i < ELEMENTSOF(works); i++) {
                size_t n = 0;

                for (size_t j = 0; works[i].need & needs && j < fleet->n; j++) {
                        const char *name = fleet->entries[j].name;

                        if (!(enforce->needs[j] & works[i].need))
                                continue;
                        if (works[i].what)
                                (void)change_step(enforce->change, works[i].kind, "%s %s",
                                                  works[i].what, name);
                        (void)name_unit(works[i].unit, name, units[n++]);
                }
                if (!enforce->change->ctl->dry_run)
                        good = change_units(works[i].verb, units, n) && good;
        }
        free(units);
        return good;
}

static bool enforce_reload_router(Enforce *enforce)
{
        if (enforce->router_error < 0)
                output_error("It is not known whether the router has read the present "
                             "configuration: %s.",
                             metrics_fetch_explain(enforce->router_error));
        if (!enforce->router_is_stale && enforce->router_error == 0)
                return true;
        /* After a successful reload, the router has certainly read the files, even if this was
         * unknown before. */
        return change_step(enforce->change, "router", "have the router read the configuration")
                       ? change_reload_router(enforce->change)
                       : enforce->router_error == 0;
}

/* Removes the drop-ins of removed instances, so that later instances with the same names do not
 * inherit them. */
static bool enforce_remove_drop_ins(Enforce *enforce)
{
        bool good = true;

        if (!(enforce->any & NEED_STOP) || enforce->change->ctl->dry_run)
                return true;
        for (size_t i = 0; i < enforce->fleet->n; i++) {
                const char *name = enforce->fleet->entries[i].name;

                if (enforce->needs[i] & NEED_STOP)
                        good = change_good(name, units_write(UNITS_GENERATED_DIR, name, false)) &&
                               good;
        }
        return change_good(UNITS_GENERATED_DIR, units_announce()) && good;
}

bool enforce_say_unknown(const Enforce *enforce)
{
        const bool quiet = enforce->change->ctl->no_legend || enforce->change->ctl->json;
        bool any = false;

        for (size_t i = 0; !quiet && i < enforce->fleet->n; i++)
                if (enforce->needs[i] & NEED_UNKNOWN) {
                        output_print("%s%s",
                                     any ? " "
                                         : "It is not known whether these instances have read "
                                           "their files: ",
                                     enforce->fleet->entries[i].name);
                        any = true;
                }
        if (any)
                output_print(". To make sure, run: systemctl reload bellhop@NAME.service\n");
        return any;
}

bool enforce_run(Enforce *enforce)
{
        /* Continues after an error, because some changes in force are better than none. */
        bool good = enforce_write_drop_ins(enforce), is_read;

        good = enforce_read_unit_files(enforce) && good;
        good = enforce_make_snippet_folders(enforce) && good;
        good = enforce_make_log_folders(enforce) && good;

        good = enforce_work(enforce, NEED_START | NEED_RENEW) && good;
        is_read = enforce_reload_router(enforce);
        /* A router that has not read the files may still send connections to removed instances. */
        good = is_read && enforce_work(enforce, NEED_STOP) && enforce_remove_drop_ins(enforce) &&
               good;
        good = enforce_work(enforce,
                            NEED_RESTART | NEED_AGAIN | NEED_ANEW | NEED_SUSPEND | NEED_RELOAD) &&
               good;
        if (!good)
                output_error("Some changes are not in force. Find the cause with 'bellhopctl "
                             "check', remove it, then run the same command again.");
        return good;
}
