/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl add: a table of steps, each of which sees whether it is needed, and is done as a whole
 * or not at all. What fails is undone. After a kill, the same command goes on; until then nobody
 * sees anything of it, because the file of the instance is written after all other files.
 */
#include <pwd.h>

#include "config/instance.h"
#include "config/units.h"
#include "config/users.h"
#include "ctl/ask/file.h"
#include "ctl/ask/hosts.h"
#include "ctl/ask/metrics-client.h"
#include "ctl/change/change.h"
#include "ctl/change/files.h"
#include "ctl/change/self-signed.h"
#include "util/cleanup.h"
#include "util/text.h"

typedef struct Add {
        Change change;
        const char *name;
        Places places;
        char *text; /* of the file */
        InstanceDraft draft;
        Config *problems; /* of the text */
        Config *config;   /* what is there already */
        bool has_file;
        bool has_signed; /* a certificate, now */
} Add;

/* --- what is asked for --- */

/* What another instance has already. */
static CtlStatus add_check_conflicts(Add *add)
{
        Config *config = add->config;
        const Instance *other;
        HostMapConflict conflict;
        unsigned line;
        int r;

        if (add->draft.instance.is_default && config->default_instance != ROUTE_NONE) {
                other = &config->instances[config->default_instance];
                output_error("%s is the default already (%s:%u); only one instance can be.",
                             other->name, other->file, other->default_line);
                return CTL_FAILED;
        }
        r = hostmap_merge(config->map, add->draft.routes, ROUTE_NONE, 0, &conflict);
        if (r == -EEXIST) {
                other = config_origin(config, conflict.other, &line);
                output_error("%s leads to %s already (%s:%u). Remove it there first, and "
                             "'bellhopctl apply'.",
                             conflict.what, other->name, other->file, line);
                return CTL_FAILED;
        }
        return r < 0 ? output_no_memory() : CTL_FINE;
}

static CtlStatus add_parse(Add *add)
{
        SettingsFile file = { .path = add->places.file };
        CtlStatus status = CTL_FINE;

        add->text = instance_text(add->change.ctl);
        add->problems = file.config = calloc(1, sizeof(*file.config));
        if (!add->text || !add->problems ||
            instance_draft_parse(&add->draft, &file, add->name, span_from_string(add->text)) < 0)
                return output_no_memory();
        for (size_t i = 0; i < add->problems->n_problems; i++) {
                output_error("%s.", add->problems->problems[i].what);
                status = CTL_FAILED;
        }
        return status == CTL_FINE && !add->has_file ? add_check_conflicts(add) : status;
}

/* A file that is there must be the one that is asked for. */
static CtlStatus add_check_file(Add *add)
{
        const char *path = add->places.file;
        _cleanup_free_ char *text = NULL;
        size_t size;

        if (!add->has_file)
                return CTL_FINE;
        if (!change_good(path, file_read(path, CONFIG_FILE_MAX_BYTES, &text, &size)))
                return CTL_FAILED;
        if (size == strlen(add->text) && memcmp(text, add->text, size) == 0)
                return CTL_FINE;
        output_error("%s is there already, and says something else. To change the instance, edit "
                     "it, and 'bellhopctl apply'; to begin anew, 'bellhopctl remove %s' first.",
                     path, add->name);
        return CTL_FAILED;
}

static CtlStatus add_check_user(const Add *add)
{
        const char *name = add->name;
        const Users ask_by_name = { .n = 0 };
        UserVerdict verdict = USER_MISSING;

        if (!change_good("The users can't be read", users_check(&ask_by_name, name, &verdict)))
                return CTL_FAILED;
        switch (verdict) {
        case USER_FITS:
                return CTL_FINE;
        case USER_MISSING:
                if (add->change.ctl->create_user)
                        return CTL_FINE;
                output_error("User %s does not exist; the instance would run as %s. Add "
                             "--create-user, or: useradd --create-home %s",
                             name, name, name);
                return CTL_FAILED;
        case USER_IS_ROOT:
        case USER_IS_ROUTER:
                output_error("The instance would run as %s, which is %s. Choose another name.",
                             name, verdict == USER_IS_ROOT ? "root" : "the router's user");
                return CTL_FAILED;
        }
        return CTL_FAILED;
}

/* --- the steps --- */

static bool add_job(Add *add, JobKind kind, NameUnit what)
{
        char unit[NAME_UNIT_MAX];

        return change_job(&add->change, kind, name_unit(what, add->name, unit));
}

static int add_is_active(Add *add, NameUnit what)
{
        char unit[NAME_UNIT_MAX];

        return bus_is_active(add->change.bus, name_unit(what, add->name, unit));
}

/* From the first step on, there is one. */
static const struct passwd *add_user(const Add *add)
{
        const struct passwd *user = getpwnam(add->name);

        if (!user)
                output_error("User %s has gone.", add->name);
        return user;
}

static bool user_needed(Add *add)
{
        return !getpwnam(add->name);
}

static bool user_run(Add *add)
{
        return program_run((const char *const[]){ "useradd", "--create-home", "--comment",
                                                  USER_MARK, "--", add->name, NULL });
}

static void user_undo(Add *add)
{
        (void)program_run((const char *const[]){ "userdel", "--remove", "--", add->name, NULL });
}

/* instance.conf finds pages in either place: those of an older website stay in use. */
static bool www_needed(Add *add)
{
        _cleanup_free_ char *public_html = text_format("/home/%s/public_html", add->name);

        return !place_exists(add->places.www) && public_html && !place_exists(public_html);
}

static bool www_run(Add *add)
{
        const struct passwd *user = add_user(add);

        return user &&
               change_good(add->places.www, folder_make(WWW_DIR, add->name, user->pw_uid,
                                                        user->pw_gid, 0750, first_page_put, NULL));
}

/* Other files that have come to be in the folder stay. */
static void add_remove_folder(const char *path, const char *const names[])
{
        for (; *names; names++) {
                _cleanup_free_ char *file = text_format("%s/%s", path, *names);

                if (file)
                        (void)unlink(file);
        }
        (void)rmdir(path);
}

static void www_undo(Add *add)
{
        add_remove_folder(add->places.www, (const char *const[]){ FIRST_PAGE, NULL });
}

static bool certificate_needed(Add *add)
{
        return add->change.ctl->self_signed && !place_exists(add->places.tls);
}

static bool certificate_run(Add *add)
{
        Hosts *hosts = hosts_new(add->draft.routes, 1);
        const int r = hosts ? self_signed_make(add->change.ctl->config_dir, add->name, hosts, false)
                            : -ENOMEM;

        hosts_free(hosts, 1);
        if (r == SELF_SIGNED_NO_NAME)
                output_error("A certificate needs a --host or --address to name.");
        else if (r == SELF_SIGNED_NO_USER)
                (void)add_user(add);
        add->has_signed = change_good(add->places.tls, r) && r == SELF_SIGNED_MADE;
        return add->has_signed;
}

static void certificate_undo(Add *add)
{
        add_remove_folder(add->places.tls,
                          (const char *const[]){ "fullchain.pem", "privkey.pem", NULL });
}

static bool drop_in_needed(Add *add)
{
        return units_differ(UNITS_GENERATED_DIR, &add->draft.instance);
}

static bool drop_in_run(Add *add)
{
        int r = units_write(UNITS_GENERATED_DIR, &add->draft.instance);

        if (r == 0)
                r = units_announce();
        return change_good(UNITS_GENERATED_DIR, r);
}

static void drop_in_undo(Add *add)
{
        if (units_remove(UNITS_GENERATED_DIR, add->name) == 0)
                (void)units_announce();
}

static bool file_needed(Add *add)
{
        return !add->has_file;
}

static bool file_run(Add *add)
{
        return change_good(add->places.file, file_write(add->places.file, add->text));
}

static void file_undo(Add *add)
{
        (void)file_remove(add->places.file);
}

/* If systemd does not answer, the start says so. */
static bool socket_needed(Add *add)
{
        return add_is_active(add, NAME_SOCKET_UNIT) != 1;
}

static bool socket_run(Add *add)
{
        return add_job(add, JOB_START, NAME_SOCKET_UNIT);
}

static void socket_undo(Add *add)
{
        (void)add_job(add, JOB_STOP, NAME_SOCKET_UNIT);
}

/* An instance that runs does not see a folder that has come since its start. */
static bool server_needed(Add *add)
{
        return (add->has_signed || certificate_needed(add)) &&
               add_is_active(add, NAME_SERVICE_UNIT) == 1;
}

static bool server_run(Add *add)
{
        return add_job(add, JOB_TRY_RESTART, NAME_SERVICE_UNIT);
}

/* One that can't be asked has a file, at least, that it reads at its next start. */
static bool router_needed(Add *add)
{
        const int r = router_knows(add->change.ctl->runtime_dir, add->name);

        return !add->has_file || r == 0 || r == -ESHUTDOWN;
}

static bool router_run(Add *add)
{
        int r;

        if (!change_reload_router(&add->change) ||
            !change_job(&add->change, JOB_START, ROUTER_SERVICE))
                return false;
        r = router_knows(add->change.ctl->runtime_dir, add->name);
        if (r < 0)
                output_error("The router has read the files, but can't be asked about %s: %s.",
                             add->name, metrics_fetch_explain(r));
        else if (r == 0)
                output_error("The router does not take it: 'journalctl -xeu " ROUTER_SERVICE
                             "' says why.");
        return r != 0;
}

typedef struct Step {
        const char *kind;
        const char *what;
        bool (*needed)(Add *add);
        bool (*run)(Add *add);
        void (*undo)(Add *add);
} Step;

static const Step steps[] = {
        { "user", "create user ", user_needed, user_run, user_undo },
        { "document-root", "make document root " WWW_DIR "/", www_needed, www_run, www_undo },
        { "certificate", "sign a certificate for ", certificate_needed, certificate_run,
          certificate_undo },
        { "drop-in", "let systemd know about the network of ", drop_in_needed, drop_in_run,
          drop_in_undo },
        { "file", "write the file of ", file_needed, file_run, file_undo },
        { "socket", "start the hand-off socket of ", socket_needed, socket_run, socket_undo },
        { "server", "restart the server of ", server_needed, server_run, NULL },
        { "router", "let the router read the files: it serves ", router_needed, router_run, NULL },
};

#define ROUTER_STEP (ELEMENTSOF(steps) - 1)

/* From the end backwards, but for the router, which has to read the files when they are gone. */
static void add_undo(Add *add, const bool done[static ELEMENTSOF(steps)], size_t failed)
{
        for (size_t i = failed; i-- > 0;)
                if (done[i] && steps[i].undo) {
                        (void)change_step(&add->change, "undo", "undo: %s%s", steps[i].what,
                                          add->name);
                        steps[i].undo(add);
                }
        if (failed > ROUTER_STEP)
                (void)change_reload_router(&add->change);
}

static CtlStatus add_run_steps(Add *add)
{
        bool done[ELEMENTSOF(steps)] = { false };

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                if (!steps[i].needed(add) ||
                    !change_step(&add->change, steps[i].kind, "%s%s", steps[i].what, add->name))
                        continue;
                /* A step that has failed has left nothing. */
                done[i] = steps[i].run(add);
                if (done[i] && !change_is_interrupted())
                        continue;
                if (done[i])
                        output_error("Interrupted.");
                add_undo(add, done, i + 1);
                return CTL_FAILED;
        }
        return CTL_FINE;
}

static void add_print_url(Add *add)
{
        Hosts *hosts = hosts_new(add->draft.routes, 1);
        const bool has_tls = place_exists(add->places.tls);

        for (size_t i = 0; hosts && i < hosts->n_hosts; i++)
                if (hosts->hosts[i][0] != '*') {
                        printf("See http%s://%s/%s\n", has_tls ? "s" : "", hosts->hosts[i],
                               add->has_signed ? " (browsers warn of a self-signed certificate)"
                                               : "");
                        break;
                }
        hosts_free(hosts, 1);
}

static void add_print_end(Add *add)
{
        const Ctl *ctl = add->change.ctl;
        _cleanup_free_ char *nothing = text_format("%s is there already, as asked for.", add->name);

        change_say_end(&add->change, nothing ? nothing : add->name);
        if (ctl->no_legend || ctl->json || ctl->dry_run)
                return;
        if (add->change.n_steps > 0)
                add_print_url(add);
        if (!place_exists(add->places.tls))
                printf("It has no certificate yet, and so no HTTPS. Put one there as "
                       "mod_bellhop(8) "
                       "says, or: bellhopctl cert %s --self-signed\n",
                       add->name);
}

static CtlStatus add_prepare(Add *add)
{
        const Ctl *ctl = add->change.ctl;
        CtlStatus status;

        add->has_file = access(add->places.file, F_OK) == 0;
        if (!change_good(ctl->config_dir,
                         config_load(ctl->config_dir, CONFIG_USERS_CHECK, NULL, &add->config)))
                return CTL_FAILED;
        status = add_parse(add);
        if (status == CTL_FINE)
                status = add_check_file(add);
        if (status == CTL_FINE)
                status = add_check_user(add);
        return status == CTL_FINE ? change_check_served(&add->change) : status;
}

static CtlStatus add_check_words(const Ctl *ctl, const char *name)
{
        if (!instance_name_is_valid(name))
                output_error("'%s' is no name for an instance: letters, digits, '-' and '_', at "
                             "most 31, no digit or '-' first.",
                             name);
        else if (ctl->hosts.n == 0 && ctl->addresses.n == 0 && !ctl->is_default)
                output_error("Say what leads to %s: --host=HOST, once or more (or --address=ADDR, "
                             "or --default).",
                             name);
        else if (!instance_text_is_possible(ctl))
                output_error("An option has a line break or '#' in its value.");
        else
                return CTL_FINE;
        return CTL_USAGE;
}

CtlStatus verb_add(const Ctl *ctl, char *arguments[])
{
        Add add = { .name = arguments[0] };
        CtlStatus status = add_check_words(ctl, add.name);

        if (status != CTL_FINE)
                return status;
        if (!places_init(ctl, add.name, &add.places)) {
                output_error("The path %s is too long.", ctl->config_dir);
                return CTL_FAILED;
        }
        status = change_begin(ctl, &add.change);
        if (status == CTL_FINE)
                status = add_prepare(&add);
        if (status == CTL_FINE)
                status = add_run_steps(&add);
        if (status == CTL_FINE)
                add_print_end(&add);
        free(add.text);
        instance_draft_done(&add.draft);
        config_free(add.problems);
        config_free(add.config);
        return change_done(&add.change, status);
}
