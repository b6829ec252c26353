/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl apply: makes what runs the same as the files, and touches nothing else. New sockets
 * are there before the router sends to them; old ones go after it has stopped to.
 */
#include "config/units.h"
#include "ctl/ask/fleet.h"
#include "ctl/ask/stale.h"
#include "ctl/change/change.h"
#include "ctl/change/files.h"
#include "metrics/metrics.h"
#include "util/cleanup.h"
#include "util/text.h"

/* What one instance needs. */
typedef enum Need {
        NEED_DROP_IN = 1 << 0,  /* its drop-in is not what the file asks for */
        NEED_START = 1 << 1,    /* its socket is not there */
        NEED_RELOAD = 1 << 2,   /* its server has read older files */
        NEED_AGAIN = 1 << 3,    /* its server does not see a new folder */
        NEED_RENEW = 1 << 4,    /* its units have another network, and can be forgotten */
        NEED_RESTART = 1 << 5,  /* the same, but all units must be read again */
        NEED_STOP = 1 << 6,     /* it has no file any more */
        NEED_SNIPPETS = 1 << 7, /* it has no folder for them */
        NEED_UNKNOWN = 1 << 8,  /* nobody says whether it needs more */
        NEED_SUSPEND = 1 << 9,  /* it is suspended, and programs may run from before */
} Need;

typedef struct Apply {
        Change change;
        Fleet fleet;
        unsigned *needs;      /* of each of fleet.entries, made of Need */
        unsigned any;         /* all of them */
        bool router_is_stale; /* it has read older files */
        int router_error;     /* why that is not known */
} Apply;

static void apply_done(Apply *apply)
{
        free(apply->needs);
        fleet_done(&apply->fleet);
}

/* --- what differs --- */

/* Of an instance that runs. */
static unsigned apply_find_stale(const Apply *apply, const FleetEntry *entry)
{
        const Ctl *ctl = apply->change.ctl;
        const uint64_t started =
                entry->started_usec == UNKNOWN ? UNKNOWN : entry->started_usec * 1000;
        const ReadFiles read = stale_read_files_of(entry->pid);
        const uint64_t changed = changed_file(entry->instance->file);
        uint64_t made;
        const uint64_t own = changed_instance(ctl->config_dir, entry->name, &made);

        if (entry->instance->is_suspended && has_started_before(entry->started_usec, changed))
                return started == UNKNOWN ? NEED_UNKNOWN : NEED_SUSPEND;
        if (is_stale(started, made))
                return NEED_AGAIN;
        if (is_stale(read.nsec, changed) || is_stale(read.nsec, own) ||
            lacks_others(&read, entry->instance))
                return NEED_RELOAD;
        if (read.nsec != UNKNOWN)
                return 0;
        /* What is older than the process has been read, whatever the instance says. */
        return started == UNKNOWN || is_stale(started, changed) || is_stale(started, own)
                       ? NEED_UNKNOWN
                       : 0;
}

static bool apply_lacks_snippet_folder(const Apply *apply, const char *name)
{
        _cleanup_free_ char *path =
                name_path(NAME_SNIPPET_DIR, apply->change.ctl->config_dir, name);

        return path && !place_exists(path);
}

static unsigned apply_find_need(const Apply *apply, const FleetEntry *entry)
{
        const Instance *instance = entry->instance;
        const unsigned drop_in =
                units_differ(UNITS_GENERATED_DIR, instance->name, instance->network) ? NEED_DROP_IN
                                                                                     : 0;
        char socket[NAME_UNIT_MAX];
        unsigned need;

        (void)name_unit(NAME_SOCKET_UNIT, entry->name, socket);
        need = unit_is_active(&apply->fleet.units, socket) ? 0 : NEED_START;
        if (apply_lacks_snippet_folder(apply, entry->name))
                need |= NEED_SNIPPETS;
        if (entry->is_partly_unknown)
                need |= NEED_UNKNOWN;
        if (entry->private_network == instance->network)
                return drop_in |
                       (change_keeps_units(entry->name) ? need | NEED_RESTART : NEED_RENEW);
        if (entry->state == FLEET_ACTIVE)
                need |= apply_find_stale(apply, entry);
        return drop_in | need;
}

static int apply_find_needs(Apply *apply)
{
        const Fleet *fleet = &apply->fleet;

        config_digest_others(apply->fleet.config, ROUTE_NONE);
        apply->needs = calloc(fleet->n + 1, sizeof(*apply->needs));
        if (!apply->needs)
                return -ENOMEM;
        for (size_t i = 0; i < fleet->n; i++) {
                if (fleet->entries[i].instance)
                        apply->needs[i] = apply_find_need(apply, &fleet->entries[i]);
                else if (!fleet->entries[i].has_file)
                        apply->needs[i] = NEED_STOP;
                apply->any |= apply->needs[i];
        }
        return 0;
}

static void apply_find_router(Apply *apply)
{
        const Fleet *fleet = &apply->fleet;
        const int lacks = fleet_router_lacks(fleet, changed_router(apply->change.ctl->config_dir));
        double problems;

        apply->router_error = lacks < 0 ? lacks : 0;
        /* Behind a mistake there may be a user who has come since, which no file shows. */
        apply->router_is_stale = lacks > 0 || (samples_find(&fleet->samples, METRIC_CONFIG_PROBLEMS,
                                                            NULL, NULL, &problems) &&
                                               problems > 0);
}

static int apply_find_all(Apply *apply)
{
        int r = fleet_load(apply->change.ctl, NULL, FLEET_FOR_APPLY, &apply->fleet);

        if (r == 0)
                r = apply->fleet.bus_error;
        if (r == 0)
                r = apply_find_needs(apply);
        if (r == 0)
                apply_find_router(apply);
        return r;
}

/* --- making it the same: false if not all is done --- */

static bool apply_write_drop_ins(Apply *apply)
{
        const Fleet *fleet = &apply->fleet;
        bool good = true;

        for (size_t i = 0; i < fleet->n; i++) {
                const char *name = fleet->entries[i].name;

                if (!(apply->needs[i] & NEED_DROP_IN) ||
                    !change_step(&apply->change, "drop-in",
                                 "let systemd know about the network of %s", name) ||
                    change_good(name, units_write(UNITS_GENERATED_DIR, name,
                                                  fleet->entries[i].instance->network)))
                        continue;
                /* It would come back with the network that it has. */
                apply->needs[i] &= ~(unsigned)(NEED_RENEW | NEED_RESTART);
                good = false;
        }
        if (apply->any & NEED_DROP_IN && !apply->change.ctl->dry_run)
                good = change_good(UNITS_GENERATED_DIR, units_announce()) && good;
        return good;
}

static bool apply_make_snippet_folders(Apply *apply)
{
        const char *dir = apply->change.ctl->config_dir;
        bool good = true;

        for (size_t i = 0; i < apply->fleet.n; i++) {
                const char *name = apply->fleet.entries[i].name;

                if (apply->needs[i] & NEED_SNIPPETS &&
                    change_step(&apply->change, "snippets",
                                "make the folder of Apache snippets for %s", name))
                        good = change_good(name, snippet_folder_make(dir, name)) && good;
        }
        return good;
}

static bool apply_read_unit_files(Apply *apply)
{
        return !(apply->any & NEED_RESTART) || change_read_unit_files(&apply->change);
}

/* Commands of systemctl for the units of all instances with that need. */
static const struct {
        Need need;
        const char *verb;
        NameUnit unit;
        const char *kind;
        const char *what; /* before the name; NULL: was said already */
} works[] = {
        { NEED_START, "start", NAME_SOCKET_UNIT, "socket", "start the hand-off socket of" },
        /* systemd forgets units that nothing wants, and then reads them as they are now. */
        { NEED_RENEW, "stop", NAME_SOCKET_UNIT, "network", "stop, to change its network," },
        { NEED_RENEW, "stop", NAME_SERVICE_UNIT, "network", NULL },
        { NEED_RENEW, "start", NAME_SOCKET_UNIT, "network", "start again" },
        { NEED_STOP, "stop", NAME_SOCKET_UNIT, "units", "stop, as its file has gone," },
        { NEED_STOP, "stop", NAME_SERVICE_UNIT, "units", NULL },
        { NEED_RESTART, "try-restart", NAME_SERVICE_UNIT, "network",
          "restart, to change its network," },
        { NEED_AGAIN, "try-restart", NAME_SERVICE_UNIT, "server",
          "restart, as it does not see a folder that is new," },
        { NEED_SUSPEND, "try-restart", NAME_SERVICE_UNIT, "server",
          "restart, as it is suspended," },
        { NEED_RELOAD, "try-reload-or-restart", NAME_SERVICE_UNIT, "server",
          "reload the server of" },
};

static bool apply_work(Apply *apply, unsigned needs)
{
        const Fleet *fleet = &apply->fleet;
        char(*units)[NAME_UNIT_MAX] = calloc(fleet->n + 1, sizeof(*units));
        bool good = change_good("units", units ? 0 : -ENOMEM);

        for (size_t i = 0; units && i < ELEMENTSOF(works); i++) {
                size_t n = 0;

                for (size_t j = 0; works[i].need & needs && j < fleet->n; j++) {
                        const char *name = fleet->entries[j].name;

                        if (!(apply->needs[j] & works[i].need))
                                continue;
                        if (works[i].what)
                                (void)change_step(&apply->change, works[i].kind, "%s %s",
                                                  works[i].what, name);
                        (void)name_unit(works[i].unit, name, units[n++]);
                }
                if (!apply->change.ctl->dry_run)
                        good = change_units(works[i].verb, units, n) && good;
        }
        free(units);
        return good;
}

static bool apply_reload_router(Apply *apply)
{
        if (apply->router_error < 0)
                output_error("Whether the router has read the files is not known: %s.",
                             metrics_fetch_explain(apply->router_error));
        if (!apply->router_is_stale && apply->router_error == 0)
                return true;
        /* A reload that succeeds is an answer. */
        return change_step(&apply->change, "router", "let the router read the files")
                       ? change_reload_router(&apply->change)
                       : apply->router_error == 0;
}

/* An instance that gets the name later must not inherit them. */
static bool apply_remove_drop_ins(Apply *apply)
{
        bool good = true;

        if (!(apply->any & NEED_STOP) || apply->change.ctl->dry_run)
                return true;
        for (size_t i = 0; i < apply->fleet.n; i++) {
                const char *name = apply->fleet.entries[i].name;

                if (apply->needs[i] & NEED_STOP)
                        good = change_good(name, units_write(UNITS_GENERATED_DIR, name, false)) &&
                               good;
        }
        return change_good(UNITS_GENERATED_DIR, units_announce()) && good;
}

/* False: there are none. */
static bool apply_say_unknown(const Apply *apply)
{
        const bool quiet = apply->change.ctl->no_legend || apply->change.ctl->json;
        bool any = false;

        for (size_t i = 0; !quiet && i < apply->fleet.n; i++)
                if (apply->needs[i] & NEED_UNKNOWN) {
                        output_print("%s%s",
                                     any ? " " : "Not known, whether they have read their files: ",
                                     apply->fleet.entries[i].name);
                        any = true;
                }
        if (any)
                output_print(". To make sure: systemctl reload bellhop@NAME.service\n");
        return any;
}

static CtlStatus apply_run(Apply *apply)
{
        const Config *config = apply->fleet.config;
        /* Each goes as far as it can: what is in force is better than what is not. */
        bool good = apply_write_drop_ins(apply), is_read;

        good = apply_read_unit_files(apply) && good;
        good = apply_make_snippet_folders(apply) && good;

        good = apply_work(apply, NEED_START | NEED_RENEW) && good;
        is_read = apply_reload_router(apply);
        /* A router that has not read the files may still send to what they don't have. */
        good = is_read && apply_work(apply, NEED_STOP) && apply_remove_drop_ins(apply) && good;
        good = apply_work(apply, NEED_RESTART | NEED_AGAIN | NEED_SUSPEND | NEED_RELOAD) && good;
        if (!good) {
                output_error("Not all is in force. Run the same command again when the cause is "
                             "gone.");
                return CTL_FAILED;
        }
        for (size_t i = 0; i < config->n_problems; i++)
                output_error("%s", config->problems[i].text);
        if (config->n_problems > 0)
                output_error("What is named above is not in force; all else is.");
        change_say_end(&apply->change, apply_say_unknown(apply)
                                               ? "All else is in force as the files have it."
                                               : "All is in force as the files have it.");
        return config->n_problems > 0 ? CTL_FAILED : CTL_FINE;
}

CtlStatus verb_apply(const Ctl *ctl, char *arguments[])
{
        Apply apply = { .needs = NULL };
        CtlStatus status = change_begin(ctl, &apply.change);

        if (status == CTL_FINE)
                status = change_check_served(&apply.change);
        if (status == CTL_FINE)
                status = change_good("What is in force can't be seen", apply_find_all(&apply))
                                 ? apply_run(&apply)
                                 : CTL_FAILED;
        apply_done(&apply);
        return change_done(&apply.change, status);
}
