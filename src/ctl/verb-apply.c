/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl apply: what differs between the files and what runs is made the same, and nothing else
 * is touched. New sockets are there before the router sends to them, old ones go when it does no
 * longer.
 */
#include "config/units.h"
#include "ctl/ask/fleet.h"
#include "ctl/ask/stale.h"
#include "ctl/change/change.h"
#include "util/cleanup.h"

#define WANTS_DIR UNITS_GENERATED_DIR "/bellhop.target.wants"

/* What one instance needs. */
typedef struct Need {
        bool drop_in; /* of another kind than the file asks for */
        bool start;   /* its socket */
        bool reload;  /* its server, which has read older files */
        bool again;   /* its server, which does not see a folder that is new */
        bool renew;   /* its units, which have another network; they can be forgotten */
        bool restart; /* the same, but they can't: all units must be read again */
} Need;

typedef struct Apply {
        Change change;
        Fleet fleet;
        Need *needs; /* of each of fleet.sites */
        bool *exact; /* of each instance: no other file matters to it */
        char **old;  /* instances that have a socket and no file */
        size_t n_old;
        bool router;     /* has read older files */
        bool unit_files; /* must be read again */
} Apply;

static void apply_done(Apply *apply)
{
        for (size_t i = 0; i < apply->n_old; i++)
                free(apply->old[i]);
        free(apply->old);
        free(apply->needs);
        free(apply->exact);
        fleet_done(&apply->fleet);
}

/* --- what differs --- */

static int find_exact(Apply *apply)
{
        const Config *config = apply->fleet.config;
        HostMapRoute route;
        size_t cursor = 0;

        apply->exact = malloc(config->n_instances + 1);
        if (!apply->exact)
                return -ENOMEM;
        for (size_t i = 0; i < config->n_instances; i++)
                apply->exact[i] = !config->instances[i].is_default;
        /* As config_load_instance() has it. */
        while (hostmap_next(config->map, &cursor, &route))
                if (route.is_address || route.what[0] == '*')
                        apply->exact[route.instance] = false;
        return 0;
}

static bool is_wanted_since_boot(const char *name)
{
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, WANTS_DIR "/bellhop@%s.socket", name) < 0) {
                path = NULL;
                return true;
        }
        return access(path, F_OK) == 0;
}

/* What systemd says of services that it has in memory, and how many questions that is. */
#define ASKS (1 + SERVER_QUESTIONS)

typedef struct Told {
        bool private_network;
        ServerTimes times;
} Told;

static int ask_services(Apply *apply, Told *told)
{
        const Fleet *fleet = &apply->fleet;
        _cleanup_free_ BusQuestion *questions = calloc(fleet->n + 1, ASKS * sizeof(*questions));
        size_t n = 0;

        if (!questions)
                return -ENOMEM;
        for (size_t i = 0; i < fleet->n; i++) {
                char unit[UNIT_NAME_MAX];

                if (!fleet->sites[i].instance)
                        continue;
                told[i].private_network = !fleet->sites[i].instance->network;
                unit_name(fleet->sites[i].name, "service", unit);
                if (!units_find(&fleet->units, unit))
                        continue;
                questions[n] = (BusQuestion){ .interface = "Service",
                                              .property = "PrivateNetwork",
                                              .kind = PROPERTY_BOOL,
                                              .ret = &told[i].private_network };
                memcpy(questions[n++].unit, unit, sizeof(unit));
                server_questions(unit, &told[i].times, questions + n);
                n += SERVER_QUESTIONS;
        }
        return bus_ask_many(apply->change.bus, questions, n);
}

/* One that runs. */
static void look_behind(const Apply *apply, const Member *member, const ServerTimes *times,
                        uint64_t changed, Need *need)
{
        uint64_t tls_made;
        const uint64_t own = changed_site(apply->change.ctl->config_dir, member->name, &tls_made);

        need->again = is_behind(times->started * 1000, tls_made);
        need->reload = !need->again && (is_behind(server_read(times), changed) ||
                                        is_behind(server_read(times), own));
}

static void find_need(Apply *apply, const Member *member, const Told *told, uint64_t changed_any,
                      Need *need)
{
        const Instance *instance = member->instance;
        const uint32_t number = config_find_instance(apply->fleet.config, member->name);
        char socket[UNIT_NAME_MAX];
        uint64_t changed;

        unit_name(member->name, "socket", socket);
        need->drop_in = units_differ(UNITS_GENERATED_DIR, instance);
        need->start = !unit_is_active(&apply->fleet.units, socket);
        if (told->private_network == instance->network) {
                need->restart = is_wanted_since_boot(member->name);
                need->renew = !need->restart;
                return;
        }
        changed = apply->exact[number] ? changed_file(instance->file) : changed_any;
        if (member->state == SITE_ACTIVE)
                look_behind(apply, member, &told->times, changed, need);
}

static int find_needs(Apply *apply)
{
        const Fleet *fleet = &apply->fleet;
        const uint64_t changed = changed_instances(apply->change.ctl->config_dir);
        _cleanup_free_ Told *told = calloc(fleet->n + 1, sizeof(*told));
        int r = find_exact(apply);

        apply->needs = calloc(fleet->n + 1, sizeof(*apply->needs));
        if (!told || !apply->needs)
                return -ENOMEM;
        if (r == 0)
                r = ask_services(apply, told);
        for (size_t i = 0; r == 0 && i < fleet->n; i++) {
                if (!fleet->sites[i].instance)
                        continue;
                find_need(apply, &fleet->sites[i], &told[i], changed, &apply->needs[i]);
                apply->unit_files |= apply->needs[i].restart;
        }
        return r;
}

/* bellhop@NAME.socket. False: it is another unit. */
static bool name_of_socket(const char *unit, char ret[static UNIT_NAME_MAX])
{
        static const char prefix[] = "bellhop@", suffix[] = ".socket";
        const size_t length = strlen(unit);

        if (strncmp(unit, prefix, strlen(prefix)) != 0 || length >= UNIT_NAME_MAX ||
            length <= strlen(prefix) + strlen(suffix) ||
            strcmp(unit + length - strlen(suffix), suffix) != 0)
                return false;
        (void)snprintf(ret, UNIT_NAME_MAX, "%.*s", (int)(length - strlen(prefix) - strlen(suffix)),
                       unit + strlen(prefix));
        return true;
}

/* One whose file has a mistake is served as before, and none of them. */
static int find_old(Apply *apply)
{
        const Units *units = &apply->fleet.units;

        for (size_t i = 0; i < units->n; i++) {
                char name[UNIT_NAME_MAX];
                char **old;

                if (strcmp(units->units[i].active, "inactive") == 0 ||
                    !name_of_socket(units->units[i].name, name) || fleet_find(&apply->fleet, name))
                        continue;
                old = reallocarray(apply->old, apply->n_old + 1, sizeof(*old));
                if (!old)
                        return -ENOMEM;
                apply->old = old;
                old[apply->n_old] = strdup(name);
                if (!old[apply->n_old])
                        return -ENOMEM;
                apply->n_old++;
        }
        return 0;
}

/* With mistakes, users may have come or gone since, of which no file tells. */
static bool router_is_behind(const Apply *apply)
{
        const Samples *samples = &apply->fleet.samples;
        double loaded, problems;

        /* At its start it reads them. */
        if (apply->fleet.router_error == -ESHUTDOWN)
                return false;
        if (!samples_find(samples, "bellhop_config_loaded_timestamp_seconds", NULL, NULL,
                          &loaded) ||
            !samples_find(samples, "bellhop_config_problems", NULL, NULL, &problems))
                return true;
        return problems > 0 ||
               is_behind((uint64_t)(loaded * 1e9), changed_router(apply->change.ctl->config_dir));
}

static int find_all(Apply *apply)
{
        int r = fleet_load(apply->change.ctl, NULL, &apply->fleet);

        if (r == 0)
                r = apply->fleet.bus_error;
        if (r == 0)
                r = find_needs(apply);
        if (r == 0)
                r = find_old(apply);
        if (r == 0)
                apply->router = router_is_behind(apply);
        return r;
}

/* --- making it the same --- */

static bool write_drop_ins(Apply *apply)
{
        const Fleet *fleet = &apply->fleet;
        bool any = false;
        int r = 0;

        for (size_t i = 0; r == 0 && i < fleet->n; i++) {
                if (!apply->needs[i].drop_in)
                        continue;
                change_say(&apply->change, "drop-in", "let systemd know about the network of %s",
                           fleet->sites[i].name);
                if (!apply->change.ctl->dry_run)
                        r = units_write(UNITS_GENERATED_DIR, fleet->sites[i].instance);
                any = true;
        }
        if (r == 0 && any && !apply->change.ctl->dry_run)
                r = units_announce();
        if (r < 0)
                output_error("%s: %s.", UNITS_GENERATED_DIR, strerror(-r));
        return r == 0;
}

static bool read_unit_files(Apply *apply)
{
        int r;

        if (!apply->unit_files)
                return true;
        change_say(&apply->change, "daemon-reload",
                   "let systemd read all its unit files (with thousands of customers, a minute)");
        if (apply->change.ctl->dry_run)
                return true;
        r = bus_daemon_reload(apply->change.bus);
        if (r < 0)
                output_error("systemctl daemon-reload has failed: %s.", strerror(-r));
        return r == 0;
}

/* Which of the needs a job is for. */
typedef bool (*needs_it_t)(const Need *need);

static bool needs_start(const Need *need)
{
        return need->start && !need->renew;
}

static bool needs_reload(const Need *need)
{
        return need->reload;
}

static bool needs_again(const Need *need)
{
        return need->again;
}

static bool needs_renew(const Need *need)
{
        return need->renew;
}

static bool needs_restart(const Need *need)
{
        return need->restart;
}

typedef struct Work {
        const char *what; /* before the name */
        const char *kind;
        const char *suffix; /* of the unit */
        JobKind job;
        needs_it_t needs_it;
} Work;

/* All at once. */
static bool work(Apply *apply, const Work *work)
{
        const Fleet *fleet = &apply->fleet;
        _cleanup_free_ BusJob *jobs = calloc(fleet->n + 1, sizeof(*jobs));
        size_t n = 0;

        if (!jobs) {
                (void)output_no_memory();
                return false;
        }
        for (size_t i = 0; i < fleet->n; i++) {
                if (!work->needs_it(&apply->needs[i]))
                        continue;
                if (work->what)
                        change_say(&apply->change, work->kind, "%s %s", work->what,
                                   fleet->sites[i].name);
                jobs[n].kind = work->job;
                unit_name(fleet->sites[i].name, work->suffix, jobs[n++].unit);
        }
        return n == 0 || apply->change.ctl->dry_run ||
               change_jobs(&apply->change, work->kind, jobs, n);
}

static bool start_sockets(Apply *apply)
{
        static const Work start = { "start the hand-off socket of", "socket", "socket", JOB_START,
                                    needs_start };

        return work(apply, &start);
}

/* systemd forgets units that nothing wants, and then reads them as they are now. */
static bool renew_units(Apply *apply)
{
        static const Work all[] = {
                { "stop, to change its network,", "network", "socket", JOB_STOP, needs_renew },
                { NULL, "network", "service", JOB_STOP, needs_renew },
                { "start again", "network", "socket", JOB_START, needs_renew },
        };
        bool good = true;

        for (size_t i = 0; good && i < ELEMENTSOF(all); i++)
                good = work(apply, &all[i]);
        return good;
}

static bool change_servers(Apply *apply)
{
        static const Work all[] = {
                { "restart, to change its network,", "network", "service", JOB_TRY_RESTART,
                  needs_restart },
                { "restart, as its certificate is the first,", "server", "service", JOB_TRY_RESTART,
                  needs_again },
                { "reload the server of", "server", "service", JOB_RELOAD_OR_TRY_RESTART,
                  needs_reload },
        };
        bool good = true;

        for (size_t i = 0; i < ELEMENTSOF(all); i++)
                good = work(apply, &all[i]) && good;
        return good;
}

static bool reload_router(Apply *apply)
{
        if (!apply->router)
                return true;
        change_say(&apply->change, "router", "let the router read the files");
        return apply->change.ctl->dry_run || change_reload_router(&apply->change);
}

static bool stop_old(Apply *apply)
{
        _cleanup_free_ BusJob *jobs = calloc(2 * apply->n_old + 1, sizeof(*jobs));
        bool good;

        if (!jobs) {
                (void)output_no_memory();
                return false;
        }
        for (size_t i = 0; i < apply->n_old; i++) {
                change_say(&apply->change, "units", "stop %s, which has no file any more",
                           apply->old[i]);
                jobs[2 * i].kind = jobs[2 * i + 1].kind = JOB_STOP;
                unit_name(apply->old[i], "socket", jobs[2 * i].unit);
                unit_name(apply->old[i], "service", jobs[2 * i + 1].unit);
        }
        if (apply->n_old == 0 || apply->change.ctl->dry_run)
                return true;
        good = change_jobs(&apply->change, "stopping", jobs, 2 * apply->n_old);
        for (size_t i = 0; good && i < apply->n_old; i++)
                good = units_remove(UNITS_GENERATED_DIR, apply->old[i]) == 0;
        return good && units_announce() == 0;
}

static CtlStatus print_end(const Apply *apply)
{
        const Config *config = apply->fleet.config;
        const Ctl *ctl = apply->change.ctl;

        for (size_t i = 0; i < config->n_problems; i++)
                output_error("%s", config->problems[i].text);
        if (config->n_problems > 0)
                output_error("What is named above is not in force; all else is.");
        if (!ctl->no_legend && !ctl->json) {
                if (apply->change.n_steps == 0)
                        printf("All is in force as the files have it.\n");
                else if (ctl->dry_run)
                        printf("This is what would be done.\n");
        }
        return config->n_problems > 0 ? CTL_FAILED : CTL_FINE;
}

static CtlStatus run(Apply *apply)
{
        const int r = find_all(apply);
        bool good;

        if (r < 0) {
                output_error("What is in force can't be seen: %s.", strerror(-r));
                return CTL_FAILED;
        }
        /* Each goes as far as it can: what is in force is better than what is not. */
        good = write_drop_ins(apply) && read_unit_files(apply);
        good = start_sockets(apply) && good;
        good = renew_units(apply) && good;
        good = reload_router(apply) && good;
        good = stop_old(apply) && good;
        good = change_servers(apply) && good;
        if (good)
                return print_end(apply);
        output_error("Not all is in force. Run the same command again when the cause is gone.");
        return CTL_FAILED;
}

CtlStatus verb_apply(const Ctl *ctl, char *arguments[])
{
        Apply apply = { .n_old = 0 };
        CtlStatus status = change_begin(ctl, &apply.change);

        if (status == CTL_FINE)
                status = change_check_served(&apply.change);
        if (status == CTL_FINE)
                status = run(&apply);
        apply_done(&apply);
        return change_done(&apply.change, status);
}
