/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl suspend and resume: change Suspended= in the file of the instance, have the router
 * read the file, and restart the instance. If bellhopctl is killed, run the same command again: it
 * does the remaining steps. Once the file is changed, a failed step does not prevent the next
 * steps.
 */
#include "config/names.h"
#include "ctl/ask/stale.h"
#include "ctl/change/acme.h"
#include "ctl/change/edit.h"
#include "ctl/change/enforce.h"
#include "ctl/change/files.h"
#include "util/cleanup.h"
#include "util/text.h"

typedef struct Suspend {
        Change change;
        const char *name;
        bool wanted; /* the new value of Suspended= */
        Places places;
        Fleet fleet;
        FleetEntry *entry;
} Suspend;

/* --- steps; each returns false if it failed --- */

static bool suspend_write(const Suspend *suspend)
{
        const char *path = suspend->places.file;
        _cleanup_free_ char *text = NULL, *edited = NULL;
        size_t size;

        if (!change_read_file(path, &text, &size))
                return false;
        edited = edit_setting((Span){ (const uint8_t *)text, size }, "Suspended",
                              suspend->wanted ? "yes" : NULL);
        return change_good(path, edited ? file_write(path, edited) : -ENOMEM);
}

static bool suspend_reload_router(Suspend *suspend)
{
        return !change_step(&suspend->change, "router",
                            suspend->wanted ? "have the router read the configuration: it refuses "
                                              "plain HTTP for %s"
                                            : "have the router read the configuration: it sends "
                                              "connections to %s",
                            suspend->name) ||
               change_reload_router(&suspend->change);
}

/* Whether the instance may still have the old setting. For suspend, compares the time of the last
 * change of the file with the start time from systemd. The instance's own report is not used for
 * this, because a customer could forge the report to avoid the restart. */
static bool suspend_needs_restart(const Suspend *suspend, bool is_changed)
{
        const FleetEntry *entry = suspend->entry;
        const uint64_t changed = changed_file(entry->instance->file);
        ReadFiles read;

        if (entry->state != FLEET_ACTIVE && entry->state != FLEET_STARTING &&
            entry->state != FLEET_STOPPING)
                return false;
        if (is_changed || suspend->wanted)
                return is_changed || has_started_before(entry->started_usec, changed);
        read = stale_read_files_of(entry->pid);
        return is_stale(read.nsec, changed);
}

static bool suspend_restart(Suspend *suspend)
{
        /* For an instance that is already stopping, "stop" only waits until it has stopped. Its
         * next start reads the file. */
        const char *verb = suspend->entry->state == FLEET_STOPPING ? "stop" : "try-restart";
        char unit[NAME_UNIT_MAX];

        return !change_step(&suspend->change, "server",
                            "restart the instance of %s after requests in progress are finished "
                            "(up to 45 s)",
                            suspend->name) ||
               change_unit(verb, name_unit(NAME_SERVICE_UNIT, suspend->name, unit));
}

static bool suspend_run(Suspend *suspend)
{
        const char *path = suspend->entry->instance->file;
        const bool is_changed = suspend->entry->instance->is_suspended != suspend->wanted;
        bool good = true;
        int router;

        if (is_changed &&
            change_step(&suspend->change, "file", "%s Suspended=yes %s %s",
                        suspend->wanted ? "write" : "remove", suspend->wanted ? "to" : "from",
                        path) &&
            !suspend_write(suspend))
                return false;
        router = fleet_router_lacks(&suspend->fleet, changed_file(path));
        if (is_changed || router != 0)
                good = suspend_reload_router(suspend);
        if (suspend_needs_restart(suspend, is_changed))
                good = suspend_restart(suspend) && good;
        if (suspend->entry->instance->tls == TLS_ACME)
                good = acme_read_files(&suspend->change, !suspend->wanted, is_changed) && good;
        return good;
}

static void suspend_say_end(const Suspend *suspend)
{
        const char *state = suspend->wanted ? "already suspended" : "not suspended";
        const Ctl *ctl = suspend->change.ctl;
        _cleanup_free_ char *nothing = text_format("%s is %s.", suspend->name, state);

        change_say_end(&suspend->change, nothing ? nothing : state);
        if (suspend->wanted && suspend->change.n_steps > 0 && !ctl->dry_run && !ctl->no_legend &&
            !ctl->json)
                output_print("Clients of %s get 503 Service Unavailable. To serve them again, run: "
                             "bellhopctl resume %s\n",
                             suspend->name, suspend->name);
}

static CtlStatus suspend_or_resume(const Ctl *ctl, const char *name, bool wanted)
{
        Suspend suspend = { .name = name, .wanted = wanted };
        CtlStatus status = change_check_name(name);

        if (status != CTL_FINE)
                return status;
        if (!places_init(ctl, name, &suspend.places))
                return CTL_FAILED;
        status = change_begin(ctl, &suspend.change);
        if (status == CTL_FINE)
                status = enforce_load(&suspend.change, name, &suspend.fleet, &suspend.entry);
        if (status == CTL_FINE && suspend_run(&suspend)) {
                suspend_say_end(&suspend);
        } else if (status == CTL_FINE) {
                status = change_not_done();
        }
        fleet_done(&suspend.fleet);
        return change_done(&suspend.change, status);
}

CtlStatus verb_suspend(const Ctl *ctl, char *arguments[])
{
        return suspend_or_resume(ctl, arguments[0], true);
}

CtlStatus verb_resume(const Ctl *ctl, char *arguments[])
{
        return suspend_or_resume(ctl, arguments[0], false);
}
