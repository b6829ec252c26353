/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl add: goes through a table of steps, and does those that are needed. Each step is done
 * completely or not at all. If a step fails, the earlier steps are undone. If bellhopctl is killed,
 * run the same command again: it does the remaining steps. The instance's file is written after all
 * its other files, so the router never sees an instance whose other files are missing.
 */
#include <pwd.h>

#include "config/units.h"
#include "config/users.h"
#include "ctl/ask/cms.h"
#include "ctl/ask/hosts.h"
#include "ctl/ask/metrics-client.h"
#include "ctl/ask/stale.h"
#include "ctl/change/acme.h"
#include "ctl/change/draft.h"
#include "ctl/change/limit.h"
#include "ctl/change/others.h"
#include "ctl/change/self-signed.h"
#include "metrics/metrics.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/text.h"

typedef struct Add {
        Change change;
        const char *name;
        Places places;
        char *text; /* the new text of the file */
        Draft draft;
        Config *config;      /* the existing files, with the routes of the draft */
        Wanted wanted;       /* the limits that the options set */
        bool limits[LIMITS]; /* the limits that have to be set */
        bool has_file;
        bool signs; /* add signs a certificate, if there is none */
        AcmeKeyType key_type;
        AcmeState acme;  /* the state of the certificate before the change */
        uint64_t begin;  /* when that state was read */
        bool has_pair;   /* the folder has a certificate and its key */
        bool has_signed; /* add has signed a certificate */
} Add;

/* --- checks of the request --- */

static CtlStatus add_parse(Add *add)
{
        CtlStatus status;

        add->text = instance_text(add->change.ctl);
        if (!add->text)
                return output_no_memory();
        status = draft_parse(&add->draft, add->name, add->places.file, span_from_string(add->text));
        add->signs = add->change.ctl->self_signed || add->draft.parsed.instance.tls == TLS_ACME;
        return status == CTL_FINE && !add->has_file
                       ? draft_check_conflicts(&add->draft, add->config)
                       : status;
}

/* If the instance's file exists already, checks that it has the same text as the new file would
 * have. */
static CtlStatus add_check_file(Add *add)
{
        const char *path = add->places.file;
        _cleanup_free_ char *text = NULL;
        size_t size;

        if (!add->has_file)
                return CTL_FINE;
        if (!change_good(path, file_read(path, 0, CONFIG_FILE_MAX_BYTES, &text, &size)))
                return CTL_FAILED;
        if (size == strlen(add->text) && memcmp(text, add->text, size) == 0)
                return CTL_FINE;
        output_error("%s already exists with other settings. To change the instance, run "
                     "'bellhopctl set %s'. To begin again, run 'bellhopctl remove %s' first.",
                     path, add->name, add->name);
        return CTL_FAILED;
}

static CtlStatus add_check_user(const Add *add)
{
        const Users ask_by_name = { .n = 0 };
        const int verdict = users_check(&ask_by_name, add->name);

        if (!change_good("The users can't be read", verdict < 0 ? verdict : 0))
                return CTL_FAILED;
        if (verdict == USER_FITS || (verdict == USER_MISSING && add->change.ctl->create_user))
                return CTL_FINE;
        if (verdict == USER_MISSING)
                output_error("User %s does not exist, but the instance would run as %s. Add "
                             "--create-user, or run: useradd --create-home %s",
                             add->name, add->name, add->name);
        else
                output_error("The instance would run as %s, which is %s. Choose another name.",
                             add->name, verdict == USER_IS_ROOT ? "root" : "the router's user");
        return CTL_FAILED;
}

/* Checks the files in the TLS folder: if the folder exists but lacks the certificate or the key,
 * the instance does not start. */
static CtlStatus add_check_pair(Add *add)
{
        const int n = places_count_pair(&add->places);

        if (n < 0)
                return output_no_memory();
        add->has_pair = n == 2;
        if (add->has_pair || (n == 0 && add->signs) || !place_exists(add->places.tls))
                return CTL_FINE;
        output_error(
                "%s has no fullchain.pem or no privkey.pem, so the instance would not start. %s",
                add->places.tls,
                n > 0 ? "Restore the missing file, or move the folder away."
                      : "Add --self-signed, or remove the folder.");
        return CTL_FAILED;
}

static CtlStatus add_check_https(const Add *add)
{
        return draft_check_https(&add->draft, &add->change, add->has_pair || add->signs,
                                 getpwnam(add->name) ? "Add --self-signed, or install one first"
                                                     : "Add --self-signed, or create the user with "
                                                       "useradd(8) and install one first");
}

/* --- the steps --- */

enum {
        USER,
        WWW,
        SNIPPETS,
        LOGS,
        CERTIFICATE,
        DROP_IN,
        LIMIT,
        INSTANCE_FILE,
        SOCKET,
        SERVER,
        ROUTER,
        STEPS
};

static const struct {
        const char *kind; /* for JSON */
        const char *what; /* for people; the name follows */
} steps[STEPS] = {
        [USER] = { "user", "create user " },
        [WWW] = { "document-root", "make document root " WWW_DIR "/" },
        [SNIPPETS] = { "snippets", "make the folder of snippets for " },
        [LOGS] = { "logs", "make the folder of the logs of " },
        [CERTIFICATE] = { "certificate", "sign a certificate for " },
        [DROP_IN] = { "drop-in", "set up the network of " },
        [LIMIT] = { "limit", "set the limits of " },
        [INSTANCE_FILE] = { "file", "write the settings file of " },
        [SOCKET] = { "socket", "start the hand-off socket of " },
        [SERVER] = { "server", "restart the server of " },
        [ROUTER] = { "router", "have the router read the configuration: it serves " },
};

/* The result of a step. */
typedef enum Done {
        DONE,
        DONE_NOT,     /* the step failed, and left nothing behind */
        DONE_UNKNOWN, /* the result is unknown, so nothing is undone */
} Done;

static Done add_done(bool good)
{
        return good ? DONE : DONE_NOT;
}

static int add_is_active(const Add *add, NameUnit what)
{
        char unit[NAME_UNIT_MAX];

        return bus_is_active(add->change.bus, name_unit(what, add->name, unit));
}

/* Finds the steps that are needed. Returns false if systemd does not answer. */
static bool add_find_needs(const Add *add, bool needs[static STEPS])
{
        const Ctl *ctl = add->change.ctl;
        _cleanup_free_ char *public_html = text_format("/home/%s/public_html", add->name);
        const int listens = add_is_active(add, NAME_SOCKET_UNIT);
        const int runs = listens < 0 ? listens : add_is_active(add, NAME_SERVICE_UNIT);

        needs[USER] = !getpwnam(add->name);
        /* A new document root would take precedence over public_html, which may contain an existing
         * website. */
        needs[WWW] = !place_exists(add->places.www) && public_html && !place_exists(public_html);
        needs[SNIPPETS] = !place_exists(add->places.snippets);
        needs[LOGS] = !log_folder_is_made(add->name);
        needs[CERTIFICATE] = add->signs && !add->has_pair;
        needs[DROP_IN] =
                units_differ(UNITS_GENERATED_DIR, add->name, add->draft.parsed.instance.network);
        needs[LIMIT] = false;
        for (LimitKind kind = 0; kind < LIMITS; kind++)
                needs[LIMIT] = needs[LIMIT] || add->limits[kind];
        needs[INSTANCE_FILE] = !add->has_file;
        needs[SOCKET] = listens == 0;
        /* A running instance does not see a TLS folder that was made after its start. */
        needs[SERVER] = needs[CERTIFICATE] && runs == 1;
        /* If the router does not answer, it may not have read the instance's file. */
        needs[ROUTER] = !add->has_file || router_knows(ctl->runtime_dir, add->name) != 1;
        if (ctl->later)
                needs[SOCKET] = needs[SERVER] = needs[ROUTER] = false;
        return change_good("systemd does not answer, so nothing was changed", runs);
}

static bool add_make_www(const Add *add)
{
        const struct passwd *user = getpwnam(add->name);
        int r = user ? 0 : -ESRCH;

        if (user && user_is_ours(user))
                r = home_link_put(user->pw_dir, NULL, add->places.www);
        if (!change_good(user ? user->pw_dir : add->name, r))
                return false;
        return change_good(add->places.www, folder_make(WWW_DIR, add->name, user->pw_uid,
                                                        user->pw_gid, 0750, first_page_put, NULL));
}

static bool add_sign(Add *add)
{
        Hosts *hosts = hosts_new(add->draft.parsed.routes, 1);
        const int r = hosts ? self_signed_make(add->change.ctl->config_dir, add->name, NULL, hosts,
                                               add->key_type, false)
                            : -ENOMEM;

        hosts_free(hosts, 1);
        if (r == TLS_FILES_NO_USER)
                output_error("User %s no longer exists.", add->name);
        add->has_signed = change_good(add->places.tls, r) && r == TLS_FILES_PUT;
        return add->has_signed;
}

/* Asks the router whether it has the instance now. The exit status of systemctl(1) does not show
 * this: if systemctl(1) fails because of a time-out, the reload continues. */
static Done add_ask_router(const Add *add)
{
        const Ctl *ctl = add->change.ctl;
        double n;
        Samples samples;
        Done done = DONE_UNKNOWN;
        const int r = samples_fetch(ctl->runtime_dir, &samples);

        if (r < 0) {
                output_error("It is not known whether the router serves %s: %s.", add->name,
                             metrics_fetch_explain(r));
                return r == -ESHUTDOWN ? DONE_NOT : DONE_UNKNOWN;
        }
        if (samples_find(&samples, METRIC_INSTANCE_HANDED_OFF, "instance", add->name, &n))
                done = DONE;
        else if (samples_router_read(&samples) != UNKNOWN &&
                 !is_stale(samples_router_read(&samples), changed_file(add->places.file)))
                done = DONE_NOT;
        samples_done(&samples);
        if (done == DONE_NOT)
                output_error("The router does not accept the file of the instance: 'journalctl "
                             "-xeu " ROUTER_SERVICE "' says why.");
        else if (done == DONE_UNKNOWN)
                output_error("The router has not read the configuration yet: 'systemctl "
                             "status " ROUTER_SERVICE "' says why.");
        return done;
}

static Done add_reload_router(const Add *add)
{
        const bool good =
                change_reload_router(&add->change) && change_unit("start", ROUTER_SERVICE);
        const Done done = add_ask_router(add);

        return done == DONE && !good ? DONE_UNKNOWN : done;
}

/* If systemctl(1) fails, perhaps systemd only answered too late. So after a failure, asks systemd
 * whether the socket is active. */
static Done add_start_socket(const Add *add)
{
        char unit[NAME_UNIT_MAX], error[PROGRAM_ERROR_MAX];
        int r;

        if (change_try_unit("start", name_unit(NAME_SOCKET_UNIT, add->name, unit), error))
                return DONE;
        r = add_is_active(add, NAME_SOCKET_UNIT);
        if (!change_good("systemd does not answer", r))
                return DONE_UNKNOWN;
        return add_done(r == 1 || change_say_failed(unit, error));
}

/* If systemctl(1) fails, perhaps systemd only answered too late. If the server is active after the
 * failure, it may already use the new certificate, so the result is unknown. */
static Done add_restart_server(const Add *add)
{
        char unit[NAME_UNIT_MAX];
        int r;

        if (change_unit("try-restart", name_unit(NAME_SERVICE_UNIT, add->name, unit)))
                return DONE;
        r = add_is_active(add, NAME_SERVICE_UNIT);
        return change_good("systemd does not answer", r) && r == 0 ? DONE_NOT : DONE_UNKNOWN;
}

static Done add_do(Add *add, int step)
{
        switch (step) {
        case USER:
                return add_done(user_make(add->name));
        case WWW:
                return add_done(add_make_www(add));
        case SNIPPETS:
                return add_done(
                        change_good(add->places.snippets,
                                    snippet_folder_make(add->change.ctl->config_dir, add->name)));
        case LOGS:
                return add_done(log_folder_make(add->name));
        case CERTIFICATE:
                return add_done(add_sign(add));
        case DROP_IN:
                return add_done(change_good(UNITS_GENERATED_DIR,
                                            units_write(UNITS_GENERATED_DIR, add->name,
                                                        add->draft.parsed.instance.network)) &&
                                change_good(UNITS_GENERATED_DIR, units_announce()));
        case LIMIT:
                return add_done(limit_apply(&add->change, add->name, &add->wanted, add->limits));
        case INSTANCE_FILE:
                return add_done(
                        change_good(add->places.file, file_write(add->places.file, add->text)));
        case SOCKET:
                return add_start_socket(add);
        case SERVER:
                return add_restart_server(add);
        default:
                return add_reload_router(add);
        }
}

/* Removes two files from the folder, then the folder itself. A folder that contains other files is
 * kept. */
static void add_remove_folder(const char *path, const char *first, const char *second)
{
        _cleanup_free_ char *a = text_format("%s/%s", path, first);
        _cleanup_free_ char *b = text_format("%s/%s", path, second);

        if (a)
                (void)unlink(a);
        if (b)
                (void)unlink(b);
        (void)rmdir(path);
}

static void add_undo(Add *add, int step)
{
        char unit[NAME_UNIT_MAX];

        (void)change_step(&add->change, "undo", "undo: %s%s", steps[step].what, add->name);
        if (step == USER)
                (void)program_run(
                        (const char *const[]){ "userdel", "--remove", "--", add->name, NULL });
        else if (step == WWW)
                add_remove_folder(add->places.www, FIRST_PAGE, "");
        else if (step == SNIPPETS)
                (void)rmdir(add->places.snippets);
        else if (step == LOGS)
                (void)rmdir(add->places.logs);
        else if (step == CERTIFICATE)
                add_remove_folder(add->places.tls, "fullchain.pem", "privkey.pem");
        else if (step == DROP_IN && units_write(UNITS_GENERATED_DIR, add->name, NETWORK_NO) == 0)
                (void)units_announce();
        else if (step == LIMIT)
                limit_undo(add->name, add->limits);
        else if (step == INSTANCE_FILE)
                (void)file_remove(add->places.file);
        else if (step == SOCKET)
                (void)change_unit("stop", name_unit(NAME_SOCKET_UNIT, add->name, unit));
}

/* Undoes the steps from step "last" back to the first step. failed: the step at which add ended,
 * because the step failed or because a signal arrived. A step that failed left nothing behind, so
 * "last" is the step before it. A step in which a signal arrived was completed, so "last" is that
 * step. */
static CtlStatus add_undo_all(Add *add, const bool needs[static STEPS], int last, int failed)
{
        for (int i = last; i >= 0; i--)
                if (needs[i] && i != SERVER && i != ROUTER)
                        add_undo(add, i);
        /* The instance's files are removed, so the router must forget the instance. */
        if (failed == ROUTER)
                (void)change_reload_router(&add->change);
        return CTL_FAILED;
}

/* Informs bellhop-acme and the other instances. Must be called after the router has the instance,
 * because the router answers an authority's challenges only for hosts that it has. */
static bool add_let_others_know(Add *add)
{
        const bool is_acme = add->draft.parsed.instance.tls == TLS_ACME;
        bool good = true;

        if (add->change.ctl->later)
                return true;
        if (is_acme)
                good = acme_read_files(&add->change, true, !add->has_file);
        return others_reload(&add->change, add->config, ROUTE_NONE) && good;
}

static CtlStatus add_run_steps(Add *add)
{
        bool needs[STEPS];

        if (!add_find_needs(add, needs))
                return CTL_FAILED;
        for (int i = 0; i < STEPS; i++) {
                Done done;

                /* limit_apply() announces each limit as a step of its own. */
                if (!needs[i] || (i != LIMIT && !change_step(&add->change, steps[i].kind, "%s%s",
                                                             steps[i].what, add->name)))
                        continue;
                done = add_do(add, i);
                if (done == DONE_UNKNOWN) {
                        output_error("The result is not known, so nothing was undone. Run the same "
                                     "command again to see the state.");
                        return CTL_FAILED;
                }
                if (done == DONE_NOT)
                        return add_undo_all(add, needs, i - 1, i);
                if (change_is_interrupted()) {
                        output_error("Interrupted.");
                        return add_undo_all(add, needs, i, i);
                }
        }
        if (add_let_others_know(add))
                return CTL_FINE;
        output_error("%s is served, but not all changes are in force. Remove the cause, then run "
                     "'bellhopctl apply'.",
                     add->name);
        return CTL_FAILED;
}

/* Proposes --network= for a CMS that is already installed. */
static void add_propose_network(const Add *add)
{
        const char *cms = NULL;
        Identity user;

        if (add->draft.parsed.instance.network == NETWORK_NO && identity_of(add->name, &user))
                cms = cms_find(&user, add->places.www);
        if (cms)
                output_print("%s can't connect to other servers, for example for updates. To allow "
                             "this, run: bellhopctl set %s --network=internet\n",
                             cms, add->name);
}

static void add_print_end(const Add *add)
{
        const Ctl *ctl = add->change.ctl;
        const bool has_tls = place_exists(add->places.tls);
        _cleanup_free_ char *nothing =
                text_format("%s already exists with these settings.", add->name);

        change_say_end(&add->change, nothing ? nothing : add->name);
        if (ctl->no_legend || ctl->json || ctl->dry_run)
                return;
        if (ctl->later) {
                output_print("To bring the instance into force, run: bellhopctl apply\n");
                return;
        }
        for (size_t i = 0; add->change.n_steps > 0 && i < hostmap_size(add->draft.parsed.routes);
             i++) {
                const HostMapRoute route = hostmap_route(add->draft.parsed.routes, i);

                if (!route.is_address && route.what[0] != '*') {
                        output_print("See http%s://%s/%s\n", has_tls ? "s" : "", route.what,
                                     add->has_signed
                                             ? " (browsers warn of a self-signed certificate)"
                                             : "");
                        break;
                }
        }
        if (!has_tls)
                output_print("The website has no certificate yet, so it is not served over HTTPS. "
                             "To add one, run: bellhopctl cert %s --install CERT KEY, or "
                             "bellhopctl cert %s --self-signed\n",
                             add->name, add->name);
        if (add->draft.parsed.instance.tls == TLS_ACME && !ctl->wait)
                output_print("bellhop-acme is getting a certificate for the website. To see the "
                             "progress, run: bellhopctl status %s\n",
                             add->name);
        add_propose_network(add);
        draft_say_ignored(&add->draft, ctl);
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
        if (status == CTL_FINE && !add->has_file)
                status = draft_check_server(&add->draft);
        if (status == CTL_FINE)
                status = draft_check_acme(&add->draft, ctl, &add->key_type);
        if (status == CTL_FINE)
                status = add_check_pair(add);
        if (status == CTL_FINE)
                status = add_check_https(add);
        if (status == CTL_FINE)
                status = limit_find_needs(&add->change, add->name, &add->wanted, !add->has_file,
                                          add->limits);
        if (status != CTL_FINE || ctl->later)
                return status;
        return change_check_served(&add->change);
}

static CtlStatus add_check_words(const Ctl *ctl, const char *name)
{
        bool names = false, leads = false, is_acme = false;

        for (size_t i = 0; i < ctl->n_settings; i++) {
                const char *key = ctl->settings[i].key;

                if (ctl->settings[i].value[0] == 0)
                        continue;
                names = names || strcmp(key, "Host") == 0 || strcmp(key, "Address") == 0;
                leads = leads || names || strcmp(key, "Default") == 0;
                is_acme = is_acme ||
                          (strcmp(key, "Tls") == 0 &&
                           strcmp(ctl->settings[i].value, tls_source_names[TLS_ACME]) == 0);
        }
        if (!instance_name_is_valid(name))
                output_error("'%s' is not a valid name of an instance: use letters, digits, '-' "
                             "and '_', at most 31, with no digit or '-' first.",
                             name);
        else if (!leads)
                output_error("Add a route to %s: --host=HOST, once or more (or --address=ADDR, or "
                             "--default).",
                             name);
        else if (ctl->self_signed && !names)
                output_error("A self-signed certificate needs a --host or --address.");
        else if (ctl->wait && (!is_acme || ctl->later))
                output_error("--wait can only be used with --acme, without --later.");
        else if (draft_takes_values(ctl))
                return CTL_FINE;
        return CTL_USAGE;
}

/* Waits for the certificate. If bellhop-acme still has the state of an earlier instance with this
 * name, that state is ignored. */
static CtlStatus add_wait(Add *add)
{
        const Ctl *ctl = add->change.ctl;

        if (!ctl->wait || ctl->dry_run || add->draft.parsed.instance.tls != TLS_ACME)
                return CTL_FINE;
        return acme_wait(&add->change, add->name, &add->acme, add->begin, !add->has_file);
}

CtlStatus verb_add(const Ctl *given, char *arguments[])
{
        Ctl ctl = *given;
        Add add = { .name = arguments[0], .begin = (uint64_t)time(NULL) };
        CtlStatus status = add_check_words(&ctl, add.name);

        if (status == CTL_FINE)
                status = limit_options(&ctl, &add.wanted);
        if (status != CTL_FINE)
                return status;
        if (!places_init(&ctl, add.name, &add.places))
                return CTL_FAILED;
        /* A pager would show the progress only at the end. */
        ctl.no_pager = ctl.no_pager || ctl.wait;
        (void)acme_state_read(ctl.acme_dir, add.name, &add.acme);
        status = change_begin(&ctl, &add.change);
        if (status == CTL_FINE)
                status = add_prepare(&add);
        if (status == CTL_FINE)
                status = add_run_steps(&add);
        if (status == CTL_FINE) {
                add_print_end(&add);
                status = add_wait(&add);
        }
        acme_state_done(&add.acme);
        free(add.text);
        draft_done(&add.draft);
        config_free(add.config);
        return change_done(&add.change, status);
}
