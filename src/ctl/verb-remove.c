/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl remove: its file goes first, so that whatever ends this in the middle, the customer is
 * gone at the next boot, and the same command goes on with what is left.
 */
#include <sys/stat.h>

#include "config/config.h"
#include "config/units.h"
#include "ctl/ask/customer.h"
#include "ctl/change/change.h"
#include "util/cleanup.h"

typedef struct Remove {
        Change change;
        Customer customer;
} Remove;

static bool exists(const char *path)
{
        struct stat st;

        /* A link that leads nowhere is there. */
        return lstat(path, &st) == 0;
}

/* False: not all of it is done. */
static bool remove_file(Remove *remove, const char *kind, const char *path)
{
        int r;

        if (!exists(path))
                return true;
        change_say(&remove->change, kind, "remove %s", path);
        r = remove->change.ctl->dry_run ? 0 : file_remove(path);
        if (r < 0)
                (void)change_fail(path, r);
        return r == 0;
}

/* Nobody is sent there any more, before nobody is there. */
static bool tell_router(Remove *remove, bool had_file)
{
        Change *change = &remove->change;

        if (!had_file && !router_knows(change->ctl, remove->customer.name))
                return true;
        change_say(change, "router", "let the router read the files: it does not serve %s any more",
                   remove->customer.name);
        return change->ctl->dry_run || change_reload_router(change);
}

/* One that has failed would be remembered. */
static void forget_units(Remove *remove, const Units *units)
{
        for (size_t i = 0; i < units->n; i++)
                (void)bus_reset_failed(remove->change.bus, units->units[i].name);
}

static bool stop_all(Remove *remove, const Units *units)
{
        Change *change = &remove->change;
        _cleanup_free_ BusJob *jobs = calloc(units->n + 1, sizeof(*jobs));
        size_t n = 0;

        if (!jobs) {
                (void)output_no_memory();
                return false;
        }
        for (size_t i = 0; i < units->n; i++)
                if (strcmp(units->units[i].active, "inactive") != 0) {
                        jobs[n].kind = JOB_STOP;
                        (void)snprintf(jobs[n].unit, sizeof(jobs[n].unit), "%s",
                                       units->units[i].name);
                        n++;
                }
        if (n == 0)
                return true;
        change_say(change, "units",
                   "stop the units of %s, when requests in progress are finished (up to 45 s)",
                   remove->customer.name);
        return change->ctl->dry_run || change_jobs(change, "stopping", jobs, n);
}

/* Hand-off socket, server, and a stand-in. */
static bool stop_units(Remove *remove)
{
        char pattern[UNIT_NAME_MAX];
        Units units;
        bool good;
        int r;

        unit_name_of("bellhop*", remove->customer.name, "*", pattern);
        r = bus_list_units(remove->change.bus, pattern, &units);
        if (r < 0) {
                (void)change_fail("systemd does not answer", r);
                return false;
        }
        good = stop_all(remove, &units);
        if (good && !remove->change.ctl->dry_run)
                forget_units(remove, &units);
        units_done(&units);
        return good;
}

/* Nobody who gets the name later shall inherit it. */
static bool remove_drop_in(Remove *remove)
{
        const Instance none = { .name = (char *)remove->customer.name, .network = false };
        int r;

        if (!units_differ(UNITS_GENERATED_DIR, &none))
                return true;
        change_say(&remove->change, "drop-in", "let systemd forget about the network of %s",
                   remove->customer.name);
        if (remove->change.ctl->dry_run)
                return true;
        r = units_remove(UNITS_GENERATED_DIR, remove->customer.name);
        if (r == 0)
                r = units_announce();
        if (r < 0)
                (void)change_fail(UNITS_GENERATED_DIR, r);
        return r == 0;
}

/* rm(1) knows how to go through folders of somebody who may be changing them meanwhile. */
static bool remove_folder(Remove *remove, const char *kind, const char *path)
{
        const char *const command[] = { "rm", "--recursive", "--force", "--one-file-system",
                                        "--", path,          NULL };

        if (!exists(path))
                return true;
        change_say(&remove->change, kind, "remove %s and all that is in it", path);
        return remove->change.ctl->dry_run || program_run(command);
}

static bool remove_user(Remove *remove)
{
        const char *name = remove->customer.name;
        const struct passwd *user = getpwnam(name);
        const char *const command[] = { "userdel", "--remove", "--", name, NULL };

        if (!user || !user_is_marked(user))
                return true;
        change_say(&remove->change, "user", "remove user %s and %s", name, user->pw_dir);
        return remove->change.ctl->dry_run || program_run(command);
}

static bool purge(Remove *remove)
{
        bool good = remove_folder(remove, "certificate", remove->customer.tls);

        good = remove_folder(remove, "snippets", remove->customer.snippets) && good;
        good = remove_folder(remove, "document-root", remove->customer.www) && good;
        return remove_user(remove) && good;
}

static void print_rest(const Remove *remove)
{
        const Ctl *ctl = remove->change.ctl;
        const Customer *customer = &remove->customer;
        const char *const places[] = { customer->www, customer->tls, customer->snippets };
        const struct passwd *user = getpwnam(customer->name);
        bool any = false;

        if (ctl->no_legend || ctl->json)
                return;
        if (remove->change.n_steps == 0)
                printf("Nothing of %s is left to be removed.\n", customer->name);
        if (ctl->dry_run) {
                printf("This is what would be done.\n");
                return;
        }
        for (size_t i = 0; i < ELEMENTSOF(places); i++)
                if (exists(places[i])) {
                        printf("%s%s", any ? ", " : "Left as they are: ", places[i]);
                        any = true;
                }
        if (user && (any || ctl->purge))
                printf("%suser %s%s", any ? ", " : "Left: ", user->pw_name,
                       ctl->purge ? ", whom bellhopctl has not made" : "");
        if (any || (user && ctl->purge))
                printf(".%s\n", ctl->purge ? "" : " With --purge, they are removed too.");
}

/* What is purged does not come back. */
static CtlStatus ask(const Ctl *ctl, const char *name)
{
        char answer[64] = "";

        if (!ctl->purge || ctl->yes || ctl->dry_run)
                return CTL_FINE;
        if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
                output_error("--purge removes the pages, certificate and settings of %s for good. "
                             "Add --yes if that is meant; --dry-run shows what there is.",
                             name);
                return CTL_USAGE;
        }
        fprintf(stderr,
                "The pages, certificate and settings of %s are removed for good, and so is the "
                "user with its home if bellhopctl has made it.\n"
                "Type the name to go on: ",
                name);
        if (!fgets(answer, sizeof(answer), stdin))
                answer[0] = 0;
        answer[strcspn(answer, "\n")] = 0;
        if (strcmp(answer, name) == 0)
                return CTL_FINE;
        output_error("Nothing was changed.");
        return CTL_FAILED;
}

static CtlStatus run(Remove *remove)
{
        const bool had_file = exists(remove->customer.file);
        bool good = remove_file(remove, "file", remove->customer.file) &&
                    remove_file(remove, "enabled", remove->customer.wanted) &&
                    tell_router(remove, had_file) && stop_units(remove) && remove_drop_in(remove);

        if (good && remove->change.ctl->purge)
                good = purge(remove);
        if (good)
                print_rest(remove);
        else
                output_error("Not all is done. Run the same command again when the cause is gone.");
        return good ? CTL_FINE : CTL_FAILED;
}

CtlStatus verb_remove(const Ctl *ctl, char *arguments[])
{
        Remove remove = { .customer = { .name = NULL } };
        CtlStatus status;

        if (!instance_name_is_valid(arguments[0])) {
                output_error("'%s' is no name of a customer. 'bellhopctl list' tells which there "
                             "are.",
                             arguments[0]);
                return CTL_USAGE;
        }
        if (!customer_init(ctl, arguments[0], &remove.customer)) {
                output_error("The path %s is too long.", ctl->config_dir);
                return CTL_FAILED;
        }
        status = ask(ctl, arguments[0]);
        if (status != CTL_FINE)
                return status;
        status = change_begin(ctl, &remove.change);
        if (status == CTL_FINE)
                status = run(&remove);
        return change_done(&remove.change, status);
}
