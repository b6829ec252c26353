/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl add: a table of steps, each of which sees whether it is needed, and is done as a whole
 * or not at all. What fails is undone; what was killed is gone on with by the same command, and
 * until then nobody sees anything of it: the file of the instance comes last of all files.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "config/instance.h"
#include "config/units.h"
#include "config/users.h"
#include "ctl/ask/customer.h"
#include "ctl/ask/hosts.h"
#include "ctl/change/change.h"
#include "ctl/change/first-page.h"
#include "ctl/change/instance-text.h"
#include "ctl/change/self-signed.h"
#include "util/cleanup.h"

#define ROUTER_SERVICE "bellhop-router.service"
#define CERTIFICATE    "fullchain.pem"
#define KEY            "privkey.pem"

typedef struct Add {
        Change change;
        Customer customer;
        char *text;     /* of the file */
        Config *draft;  /* what it says: this instance and no other */
        Config *config; /* what is there already */
        bool has_file;
        bool has_signed; /* a certificate, now */
} Add;

/* --- what is asked for --- */

/* What another one has already. */
static CtlStatus check_conflicts(Add *add, const InstanceDraft *draft)
{
        Config *config = add->config;
        const Instance *other;
        HostMapConflict conflict;
        unsigned line;
        int r;

        if (draft->instance.is_default && config->default_instance != ROUTE_NONE) {
                other = &config->instances[config->default_instance];
                output_error("%s is the default already (%s:%u); only one instance can be.",
                             other->name, other->file, other->default_line);
                return CTL_FAILED;
        }
        r = hostmap_merge(config->map, draft->routes, ROUTE_NONE, 0, &conflict);
        if (r == -EEXIST) {
                other = config_origin(config, conflict.other, &line);
                output_error("%s leads to %s already (%s:%u). Remove it there first, and "
                             "'bellhopctl apply'.",
                             conflict.what, other->name, other->file, line);
                return CTL_FAILED;
        }
        return r < 0 ? output_no_memory() : CTL_FINE;
}

/* Takes the draft over into a configuration of its own. */
static int keep_draft(Add *add, InstanceDraft *draft)
{
        Config *config = add->draft;
        HostMapConflict conflict;

        config->map = hostmap_new();
        config->instances = malloc(sizeof(*config->instances));
        config->default_instance = ROUTE_NONE;
        if (!config->map || !config->instances)
                return -ENOMEM;
        config->instances[0] = draft->instance;
        config->n_instances = 1;
        draft->instance = (Instance){ .name = NULL };
        return hostmap_merge(config->map, draft->routes, 0, 0, &conflict);
}

static CtlStatus parse(Add *add)
{
        _cleanup_(instance_draft_done) InstanceDraft draft = { .routes = NULL };
        SettingsFile file = { .path = add->customer.file };
        CtlStatus status = CTL_FINE;
        int r;

        add->text = instance_text(add->change.ctl);
        add->draft = file.config = calloc(1, sizeof(*file.config));
        if (!add->text || !add->draft)
                return output_no_memory();
        r = instance_draft_parse(&draft, &file, add->customer.name, span_from_string(add->text));
        for (size_t i = 0; r == 0 && i < file.config->n_problems; i++) {
                output_error("%s.", file.config->problems[i].what);
                status = CTL_FAILED;
        }
        if (r == 0 && status == CTL_FINE && !add->has_file)
                status = check_conflicts(add, &draft);
        if (r == 0 && status == CTL_FINE)
                r = keep_draft(add, &draft);
        return r < 0 ? output_no_memory() : status;
}

/* One that is there must be the one that is asked for: else whose word counts? */
static CtlStatus check_file(Add *add)
{
        const char *path = add->customer.file;
        Config problems = { .n_problems = 0 };
        SettingsFile file = { .path = path, .config = &problems };
        _cleanup_free_ char *there = NULL;
        bool same;
        size_t size;
        int r;

        if (!add->has_file)
                return CTL_FINE;
        r = settings_read_file(&file, &there, &size);
        same = there && size == strlen(add->text) && memcmp(there, add->text, size) == 0;
        problems_free(problems.problems, problems.n_problems);
        if (r < 0)
                return change_fail(path, r);
        if (same)
                return CTL_FINE;
        output_error("%s is there already, and says something else. To change the customer, edit "
                     "it, and 'bellhopctl apply'; to begin anew, 'bellhopctl remove %s' first.",
                     path, add->customer.name);
        return CTL_FAILED;
}

static CtlStatus check_user(const Add *add)
{
        const char *name = add->customer.name;
        const Users ask_by_name = { .n = 0 };
        UserVerdict verdict = USER_MISSING;
        const int r = users_check(&ask_by_name, name, &verdict);

        if (r < 0)
                return change_fail("The users can't be read", r);
        switch (verdict) {
        case USER_FITS:
                return CTL_FINE;
        case USER_MISSING:
                if (add->change.ctl->create_user)
                        return CTL_FINE;
                output_error("There is no user %s, as whom the site would run. Add --create-user, "
                             "or make one: useradd --create-home %s",
                             name, name);
                return CTL_FAILED;
        case USER_IS_ROOT:
        case USER_IS_ROUTER:
                output_error("The site would run as %s, which is %s. Choose another name.", name,
                             verdict == USER_IS_ROOT ? "root" : "the router's user");
                return CTL_FAILED;
        }
        return CTL_FAILED;
}

/* --- the steps --- */

/* The user of the customer; there is one from the first step on. */
static const struct passwd *user_of(const Add *add)
{
        const struct passwd *user = getpwnam(add->customer.name);

        if (!user)
                output_error("User %s has gone.", add->customer.name);
        return user;
}

static bool user_needed(Add *add)
{
        return !getpwnam(add->customer.name);
}

static bool user_run(Add *add)
{
        const char *const command[] = { "useradd", "--create-home",    "--comment", USER_MARK,
                                        "--",      add->customer.name, NULL };

        return program_run(command);
}

static void user_undo(Add *add)
{
        const char *const command[] = { "userdel", "--remove", "--", add->customer.name, NULL };

        (void)program_run(command);
}

static bool exists(const char *path)
{
        return access(path, F_OK) == 0;
}

/* Where instance.conf looks for pages if there is no document root: that of an older site stays in
 * use. */
static bool has_public_html(const Add *add)
{
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "/home/%s/public_html", add->customer.name) < 0) {
                path = NULL;
                return false;
        }
        return exists(path);
}

static bool www_needed(Add *add)
{
        return !exists(add->customer.www) && !has_public_html(add);
}

static bool www_run(Add *add)
{
        const struct passwd *user = user_of(add);
        const int r = user ? folder_make(WWW_DIR, add->customer.name, user->pw_uid, user->pw_gid,
                                         0750, first_page_put)
                           : 0;

        if (r < 0)
                (void)change_fail(add->customer.www, r);
        return user && r == 0;
}

/* What has come to be in it meanwhile stays. */
static void remove_folder(const char *path, const char *first, const char *second)
{
        const char *const names[] = { first, second };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *file = NULL;

                if (names[i] && asprintf(&file, "%s/%s", path, names[i]) >= 0)
                        (void)unlink(file);
        }
        (void)rmdir(path);
}

static void www_undo(Add *add)
{
        remove_folder(add->customer.www, FIRST_PAGE, NULL);
}

static bool certificate_needed(Add *add)
{
        return add->change.ctl->self_signed && !exists(add->customer.tls);
}

static bool certificate_run(Add *add)
{
        Hosts *hosts = hosts_new(add->draft);
        const int r = hosts ? self_signed_make(add->change.ctl->config_dir, add->customer.name,
                                               &hosts[0], false)
                            : -ENOMEM;

        hosts_free(hosts, add->draft);
        if (r < 0)
                (void)change_fail(add->customer.tls, r);
        else if (r == SELF_SIGNED_NO_NAME)
                output_error("A certificate needs a --host or --address to name.");
        else if (r == SELF_SIGNED_NO_USER)
                (void)user_of(add);
        add->has_signed = r == SELF_SIGNED_MADE;
        return add->has_signed;
}

static void certificate_undo(Add *add)
{
        remove_folder(add->customer.tls, CERTIFICATE, KEY);
}

static bool drop_in_needed(Add *add)
{
        return units_differ(UNITS_GENERATED_DIR, &add->draft->instances[0]);
}

static bool drop_in_run(Add *add)
{
        int r = units_write(UNITS_GENERATED_DIR, &add->draft->instances[0]);

        if (r == 0)
                r = units_announce();
        if (r < 0)
                (void)change_fail(UNITS_GENERATED_DIR, r);
        return r == 0;
}

static void drop_in_undo(Add *add)
{
        if (units_remove(UNITS_GENERATED_DIR, add->customer.name) == 0)
                (void)units_announce();
}

static bool file_needed(Add *add)
{
        return !add->has_file;
}

static bool file_run(Add *add)
{
        const int r = file_write(add->customer.file, add->text);

        if (r < 0)
                (void)change_fail(add->customer.file, r);
        return r == 0;
}

static void file_undo(Add *add)
{
        (void)file_remove(add->customer.file);
}

static bool socket_needed(Add *add)
{
        char unit[UNIT_NAME_MAX];
        Units units;
        bool active;

        unit_name(add->customer.name, "socket", unit);
        if (bus_list_units(add->change.bus, unit, &units) < 0)
                return true;
        active = unit_is_active(&units, unit);
        units_done(&units);
        return !active;
}

static bool socket_run(Add *add)
{
        char unit[UNIT_NAME_MAX];

        unit_name(add->customer.name, "socket", unit);
        return change_job(&add->change, JOB_START, unit);
}

static void socket_undo(Add *add)
{
        char unit[UNIT_NAME_MAX];

        unit_name(add->customer.name, "socket", unit);
        (void)change_job(&add->change, JOB_STOP, unit);
}

/* One that runs does not see a folder that has come since its start. */
static bool server_needed(Add *add)
{
        char unit[UNIT_NAME_MAX];
        Units units;
        bool active;

        unit_name(add->customer.name, "service", unit);
        if (!(add->has_signed || certificate_needed(add)) ||
            bus_list_units(add->change.bus, unit, &units) < 0)
                return false;
        active = unit_is_active(&units, unit);
        units_done(&units);
        return active;
}

static bool server_run(Add *add)
{
        char unit[UNIT_NAME_MAX];

        unit_name(add->customer.name, "service", unit);
        return change_job(&add->change, JOB_TRY_RESTART, unit);
}

static bool router_needed(Add *add)
{
        return !add->has_file || !router_knows(add->change.ctl, add->customer.name);
}

static bool router_run(Add *add)
{
        if (!change_reload_router(&add->change) ||
            !change_job(&add->change, JOB_START, ROUTER_SERVICE))
                return false;
        if (router_knows(add->change.ctl, add->customer.name))
                return true;
        output_error("The router does not take it: 'journalctl -xeu bellhop-router.service' says "
                     "why.");
        return false;
}

/* When the file has gone again. */
static void router_undo(Add *add)
{
        (void)change_reload_router(&add->change);
}

typedef struct Step {
        const char *kind;
        const char *what;
        bool (*needed)(Add *add);
        bool (*run)(Add *add);
        void (*undo)(Add *add);
} Step;

/* In this order, and undone from below, but for the router, which then has to read the files. */
static const Step steps[] = {
        { "user", "create user", user_needed, user_run, user_undo },
        { "document-root", "make document root " WWW_DIR "/", www_needed, www_run, www_undo },
        { "certificate", "sign a certificate for", certificate_needed, certificate_run,
          certificate_undo },
        { "drop-in", "let systemd know about the network of", drop_in_needed, drop_in_run,
          drop_in_undo },
        { "file", "write the file of", file_needed, file_run, file_undo },
        { "socket", "start the hand-off socket of", socket_needed, socket_run, socket_undo },
        { "server", "restart the server of", server_needed, server_run, NULL },
        { "router", "let the router read the files: it serves", router_needed, router_run, NULL },
};

static void say(Add *add, const Step *step, const char *before, const char *kind)
{
        const size_t length = strlen(step->what);
        const bool is_path = step->what[length - 1] == '/';

        change_say(&add->change, kind, "%s%s%s%s", before, step->what, is_path ? "" : " ",
                   add->customer.name);
}

static void undo(Add *add, const bool done[static ELEMENTSOF(steps)], bool router)
{
        for (size_t i = ELEMENTSOF(steps); i-- > 0;)
                if (done[i] && steps[i].undo) {
                        say(add, &steps[i], "undo: ", "undo");
                        steps[i].undo(add);
                }
        if (router)
                router_undo(add);
}

static CtlStatus run_steps(Add *add)
{
        const bool dry_run = add->change.ctl->dry_run;
        bool done[ELEMENTSOF(steps)] = { false };

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                const bool is_router = i == ELEMENTSOF(steps) - 1;
                bool good = true;

                if (!steps[i].needed(add))
                        continue;
                say(add, &steps[i], "", steps[i].kind);
                if (dry_run)
                        continue;
                done[i] = true;
                good = steps[i].run(add);
                if (good && !change_is_interrupted())
                        continue;
                if (good)
                        output_error("Interrupted.");
                /* One that has failed has left nothing. */
                done[i] = good;
                undo(add, done, is_router);
                return CTL_FAILED;
        }
        return CTL_FINE;
}

static void print_url(Add *add)
{
        Hosts *hosts = hosts_new(add->draft);
        const bool has_tls = exists(add->customer.tls);

        for (size_t i = 0; hosts && i < hosts->n_hosts; i++)
                if (hosts->hosts[i][0] != '*') {
                        printf("See http%s://%s/%s\n", has_tls ? "s" : "", hosts->hosts[i],
                               add->has_signed ? " (browsers warn of a self-signed certificate)"
                                               : "");
                        break;
                }
        hosts_free(hosts, add->draft);
}

static void print_end(Add *add)
{
        const Ctl *ctl = add->change.ctl;
        const Customer *customer = &add->customer;

        if (ctl->no_legend || ctl->json)
                return;
        if (add->change.n_steps == 0)
                printf("%s is there already, as asked for.\n", customer->name);
        if (ctl->dry_run) {
                printf("This is what would be done.\n");
                return;
        }
        if (add->change.n_steps > 0)
                print_url(add);
        if (!exists(customer->tls))
                printf("It has no certificate yet, and so no HTTPS. Put one there, and restart the "
                       "site:\n"
                       "  install -d -o %s -g %s -m 0750 %s\n"
                       "  install -o %s -g %s -m 0400 fullchain.pem privkey.pem %s\n"
                       "  systemctl try-restart bellhop@%s.service\n",
                       customer->name, customer->name, customer->tls, customer->name,
                       customer->name, customer->tls, customer->name);
}

static CtlStatus prepare(Add *add)
{
        const Ctl *ctl = add->change.ctl;
        CtlStatus status;
        int r;

        add->has_file = exists(add->customer.file);
        r = config_load(ctl->config_dir, CONFIG_USERS_CHECK, NULL, &add->config);
        if (r < 0)
                return change_fail(ctl->config_dir, r);
        status = parse(add);
        if (status == CTL_FINE)
                status = check_file(add);
        if (status == CTL_FINE)
                status = check_user(add);
        return status == CTL_FINE ? change_check_served(&add->change) : status;
}

static CtlStatus check_words(const Ctl *ctl, const char *name)
{
        if (!instance_name_is_valid(name)) {
                output_error("'%s' is no name for a customer: letters, digits, '-' and '_', at "
                             "most 31, no digit or '-' first.",
                             name);
                return CTL_USAGE;
        }
        if (ctl->hosts.n == 0 && ctl->addresses.n == 0 && !ctl->is_default) {
                output_error("Say what leads to %s: --host=HOST, once or more (or --address=ADDR, "
                             "or --default).",
                             name);
                return CTL_USAGE;
        }
        if (!instance_text_is_possible(ctl)) {
                output_error("An option has a line break or '#' in its value.");
                return CTL_USAGE;
        }
        return CTL_FINE;
}

CtlStatus verb_add(const Ctl *ctl, char *arguments[])
{
        Add add = { .text = NULL };
        CtlStatus status = check_words(ctl, arguments[0]);

        if (status != CTL_FINE)
                return status;
        if (!customer_init(ctl, arguments[0], &add.customer)) {
                output_error("The path %s is too long.", ctl->config_dir);
                return CTL_FAILED;
        }
        status = change_begin(ctl, &add.change);
        if (status == CTL_FINE)
                status = prepare(&add);
        if (status == CTL_FINE)
                status = run_steps(&add);
        if (status == CTL_FINE)
                print_end(&add);
        free(add.text);
        config_free(add.config);
        config_free(add.draft);
        return change_done(&add.change, status);
}
