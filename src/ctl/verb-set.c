/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl set: changes settings in the file of an instance, and keeps the rest of the file. Then
 * it puts the file into effect, as apply does. The complete new file is checked before it is
 * written. If bellhopctl is killed, run the same command again: it does the remaining steps.
 */
#include "ctl/change/acme.h"
#include "ctl/change/draft.h"
#include "ctl/change/edit.h"
#include "ctl/change/enforce.h"
#include "ctl/change/limit.h"
#include "ctl/change/others.h"
#include "ctl/change/self-signed.h"
#include "ctl/check/reason.h"
#include "ctl/check/server-test.h"
#include "util/cleanup.h"
#include "util/text.h"

typedef struct Set {
        Change change;
        const char *name;
        Places places;
        Fleet fleet;
        FleetEntry *entry;
        char *text;    /* the new text of the file */
        Draft draft;   /* the new text, parsed */
        Wanted wanted; /* the limits that the options set */
        bool needs[LIMITS];
        bool is_of_file;   /* the options change settings of the file */
        Config *config;    /* the existing files, with the routes of the draft */
        ServerType server; /* before the change */
        TlsSource tls;     /* before the change */
        bool is_changed;   /* the file will change */
        bool is_other;     /* the new settings need another certificate */
        AcmeKeyType key_type;
        bool signs;     /* set signs a certificate, which is used until bellhop-acme gets one */
        AcmeState acme; /* the state of the certificate before the change */
        uint64_t begin; /* when that state was read */
} Set;

/* --- checks of the request --- */

static const struct {
        const char *key;
        bool is_list;
} settings[] = {
        { "Host", true },
        { "Address", true },
        { "Default", false },
        { "Http", false },
        { "IdleSec", false },
        { "Network", false },
        { "Server", false },
        { "Canonical", false },
        { "Tls", false },
        { "Acme", false },
        { "MailPerHour", false },
        { "MailPerDay", false },
        { "MailRecipientsPerDay", false },
};

/* Finds the value that the options give to a key. If the key takes a list, the values of all
 * these options form the list; otherwise, only the last value counts. An empty value cancels
 * earlier values. *ret becomes the value, which the caller frees, or NULL if no value remains.
 * Returns the number of options with this key, or -ENOMEM. */
static int set_value(const Ctl *ctl, const char *key, bool is_list, char **ret)
{
        _cleanup_free_ char *value = NULL;
        int n = 0;

        for (size_t i = 0; i < ctl->n_settings; i++) {
                const char *given = ctl->settings[i].value;
                const bool is_empty = given[strspn(given, " \t")] == 0;
                char *longer = NULL;

                if (strcmp(ctl->settings[i].key, key) != 0)
                        continue;
                if (!is_empty) {
                        longer = is_list && value ? text_format("%s %s", value, given)
                                                  : strdup(given);
                        if (!longer)
                                return -ENOMEM;
                }
                free(value);
                value = longer;
                n++;
        }
        *ret = take_ptr(value);
        return n;
}

static CtlStatus set_edit_one(Set *set, const char *key, const char *value)
{
        _cleanup_free_ char *edited = edit_setting(span_from_string(set->text), key, value);
        Draft draft = { .name = NULL }, old = set->draft;
        char *before = set->text;
        CtlStatus status = edited ? CTL_FINE : output_no_memory();

        if (edited)
                status = draft_parse(&draft, set->name, set->places.file, span_from_string(edited));
        /* If the new value is the same in another form, the old form is kept. */
        if (status == CTL_FINE && !draft_is_same(&old, &draft)) {
                set->text = take_ptr(edited);
                edited = before;
                set->draft = draft;
                set->is_changed = true;
                draft = old;
        }
        draft_done(&draft);
        return status;
}

static CtlStatus set_compare(Set *set, const char *before)
{
        Draft draft = { .name = NULL };
        const CtlStatus status =
                draft_parse(&draft, set->name, set->places.file, span_from_string(before));

        if (status == CTL_FINE) {
                set->tls = draft.parsed.instance.tls;
                set->is_other = !draft_has_same_certificate(&draft, &set->draft);
        }
        draft_done(&draft);
        return status;
}

/* Sets values first and removes settings last, because the file must have a route after each
 * change. */
static CtlStatus set_edit(Set *set)
{
        _cleanup_free_ char *before = NULL;
        CtlStatus status;
        size_t size;

        if (!change_read_file(set->places.file, &set->text, &size))
                return CTL_FAILED;
        before = strdup(set->text);
        if (!before)
                return output_no_memory();
        status = draft_parse(&set->draft, set->name, set->places.file, span_from_string(set->text));
        for (size_t i = 0; status == CTL_FINE && i < 2 * ELEMENTSOF(settings); i++) {
                const char *key = settings[i % ELEMENTSOF(settings)].key;
                const bool is_list = settings[i % ELEMENTSOF(settings)].is_list;
                const bool removes = i >= ELEMENTSOF(settings);
                _cleanup_free_ char *value = NULL;
                const int n = set_value(set->change.ctl, key, is_list, &value);

                set->is_of_file = set->is_of_file || n > 0;
                if (n < 0)
                        status = output_no_memory();
                else if (n > 0 && removes == !value)
                        status = set_edit_one(set, key, value);
        }
        return status == CTL_FINE ? set_compare(set, before) : status;
}

/* Tests the new server with the present snippets, which may be for the old server. Without this
 * test, the instance could stop and then fail to start. */
static CtlStatus set_try_server(const Set *set)
{
        Instance instance = set->draft.parsed.instance;
        _cleanup_free_ char *said = NULL, *place = NULL;
        Reason reason = { .what = NULL };
        Identity user;
        int r;

        if (geteuid() != 0 || instance.is_suspended || !identity_of(set->name, &user))
                return CTL_FINE;
        r = server_test_run(&(ServerTest){ .ctl = set->change.ctl,
                                           .bus = set->change.bus,
                                           .who = &user,
                                           .instance = &instance,
                                           .tests_php = true },
                            &said);
        if (r == CONFIGTEST_PASSED)
                return CTL_FINE;
        if (!change_good("The configuration for the other server can't be tested", r))
                return CTL_FAILED;
        if (r == CONFIGTEST_FAILED && reason_find(said, &reason) < 0)
                return output_no_memory();
        if (reason.file)
                place = text_format("%s:%u: ", reason.file, reason.line);
        output_error("With %s, the instance would not start: %s%s. Nothing was changed. If the "
                     "snippet is only for %s, give it a name that ends with .%s.",
                     server_names[instance.server], place ? place : "",
                     reason.what ? reason.what : "its test did not end", server_names[set->server],
                     server_names[set->server]);
        reason_done(&reason);
        return CTL_FAILED;
}

static CtlStatus set_check_acme(Set *set, int n_pair)
{
        const CtlStatus status = draft_check_acme(&set->draft, set->change.ctl, &set->key_type);

        set->signs = set->draft.parsed.instance.tls == TLS_ACME && n_pair == 0;
        if (status != CTL_FINE || !set->signs || !place_exists(set->places.tls))
                return status;
        output_error("The folder %s has no certificate, so the instance would not start. Remove "
                     "this folder first.",
                     set->places.tls);
        return CTL_FAILED;
}

static CtlStatus set_check(Set *set)
{
        const char *dir = set->change.ctl->config_dir;
        const int n_pair = places_count_pair(&set->places);
        CtlStatus status;
        uint32_t own;
        int r;

        if (!change_good(dir, config_load(dir, CONFIG_USERS_CHECK, NULL, &set->config)))
                return CTL_FAILED;
        own = config_find_instance(set->config, set->name);
        r = own == ROUTE_NONE ? -ENOENT : draft_replaces(set->config, own);
        if (!change_good(set->places.file, n_pair < 0 ? n_pair : r))
                return CTL_FAILED;
        set->server = set->config->instances[own].server;
        status = draft_check_conflicts(&set->draft, set->config);
        if (status == CTL_FINE && set->draft.parsed.instance.server != set->server) {
                status = draft_check_server(&set->draft);
                if (status == CTL_FINE)
                        status = set_try_server(set);
        }
        if (status == CTL_FINE && set->is_of_file)
                status = set_check_acme(set, n_pair);
        return status == CTL_FINE && set->is_changed
                       ? draft_check_https(&set->draft, &set->change, n_pair == 2 || set->signs,
                                           "Install one first")
                       : status;
}

/* --- steps; each returns false if it failed --- */

static bool set_write(Set *set)
{
        return !set->is_changed ||
               !change_step(&set->change, "file", "change the settings in %s", set->places.file) ||
               change_good(set->places.file, file_write(set->places.file, set->text));
}

/* Signs a certificate before the file is written: if plain HTTP will no longer be served, HTTPS
 * must work. */
static bool set_sign(Set *set)
{
        Hosts *hosts;
        int r;

        if (!set->signs ||
            !change_step(&set->change, "certificate", "sign a certificate for %s", set->name))
                return true;
        hosts = hosts_new(set->draft.parsed.routes, 1);
        r = hosts ? self_signed_make(set->change.ctl->config_dir, set->name, NULL, hosts,
                                     set->key_type, false)
                  : -ENOMEM;
        hosts_free(hosts, 1);
        return change_good(set->places.tls, r) && r == TLS_FILES_PUT;
}

static bool set_read_acme(Set *set)
{
        const bool is_acme = set->draft.parsed.instance.tls == TLS_ACME;

        return (!is_acme && set->tls != TLS_ACME) ||
               acme_read_files(&set->change, is_acme, set->is_changed);
}

/* With --dry-run, the file is not written. Adds to the needs of the instance (NEED_...) those that
 * it would have after the write. */
static void set_assume_written(Enforce *enforce, const FleetEntry *entry)
{
        const unsigned restarts = NEED_RENEW | NEED_RESTART | NEED_AGAIN | NEED_SUSPEND;

        enforce->router_is_stale = true;
        if (entry->state == FLEET_STARTING)
                enforce->needs[0] |= NEED_ANEW;
        else if (entry->state == FLEET_ACTIVE && !(enforce->any & restarts))
                enforce->needs[0] |= entry->instance->is_suspended ? NEED_SUSPEND : NEED_RELOAD;
        enforce->any = enforce->needs[0];
}

/* Replaces NEED_RENEW with NEED_RESTART, which restarts only the service. NEED_RENEW also stops the
 * socket for a moment, and clients would be refused. */
static void set_keep_socket(Enforce *enforce)
{
        if (enforce->any & NEED_RENEW && enforce->fleet->entries[0].state != FLEET_OFF) {
                enforce->needs[0] = (enforce->needs[0] & ~(unsigned)NEED_RENEW) | NEED_RESTART;
                enforce->any = enforce->needs[0];
        }
}

static bool set_enforce(Set *set)
{
        const bool is_assumed = set->is_changed && set->change.ctl->dry_run;
        Enforce enforce = { .needs = NULL };
        bool good = true;

        /* Loads the state again: an instance that was started meanwhile may use the old file. */
        if (set->is_changed && !is_assumed) {
                fleet_done(&set->fleet);
                good = enforce_load(&set->change, set->name, &set->fleet, &set->entry) == CTL_FINE;
        } else if (is_assumed) {
                set->entry->instance = &set->draft.parsed.instance;
        }
        good = good && change_good("The present state of the instance can't be read",
                                   enforce_find(&set->change, &set->fleet, &enforce));
        if (good && is_assumed)
                set_assume_written(&enforce, set->entry);
        if (good) {
                set_keep_socket(&enforce);
                good = enforce_run(&enforce) && set_read_acme(set) &&
                       others_reload(&set->change, set->config, ROUTE_NONE);
                (void)enforce_say_unknown(&enforce);
        }
        enforce_done(&enforce);
        return good;
}

static CtlStatus set_run(Set *set)
{
        _cleanup_free_ char *nothing = text_format("%s already has these settings.", set->name);

        if (!limit_apply(&set->change, set->name, &set->wanted, set->needs) || !set_sign(set) ||
            !set_write(set))
                return CTL_FAILED;
        if (set->is_of_file && !set_enforce(set)) {
                output_error("Not all changes are in force, because of the error above. Remove its "
                             "cause, then run the same command again.");
                return CTL_FAILED;
        }
        change_say_end(&set->change, nothing ? nothing : set->name);
        if (set->draft.parsed.instance.server != set->server)
                draft_say_ignored(&set->draft, set->change.ctl);
        if (!set->change.ctl->wait || set->change.ctl->dry_run)
                return CTL_FINE;
        if (!set->draft.parsed.instance.is_suspended)
                return acme_wait(&set->change, set->name, &set->acme, set->begin, set->is_other);
        output_error("bellhop-acme gets no certificate while the instance is suspended. First run: "
                     "bellhopctl resume %s",
                     set->name);
        return CTL_FAILED;
}

static bool set_wants_acme(const Ctl *ctl)
{
        for (size_t i = 0; i < ctl->n_settings; i++)
                if (strcmp(ctl->settings[i].key, "Tls") == 0 &&
                    strcmp(ctl->settings[i].value, tls_source_names[TLS_ACME]) == 0)
                        return true;
        return false;
}

CtlStatus verb_set(const Ctl *given, char *arguments[])
{
        Ctl waiting = *given;
        const Ctl *ctl = &waiting;
        Set set = { .name = arguments[0], .begin = (uint64_t)time(NULL) };
        CtlStatus status = change_check_name(set.name);

        if (status != CTL_FINE)
                return status;
        if (ctl->n_settings == 0) {
                output_error("Nothing to change. Write, for example: bellhopctl set %s --host=HOST",
                             set.name);
                return CTL_USAGE;
        }
        if (ctl->wait && !set_wants_acme(ctl)) {
                output_error("--wait can only be used with --acme.");
                return CTL_USAGE;
        }
        if (!draft_takes_values(ctl) || limit_options(ctl, &set.wanted) != CTL_FINE)
                return CTL_USAGE;
        /* A pager would show the progress only at the end. */
        waiting.no_pager = ctl->no_pager || ctl->wait;
        (void)acme_state_read(ctl->acme_dir, set.name, &set.acme);
        if (!places_init(ctl, set.name, &set.places))
                return CTL_FAILED;
        status = change_begin(ctl, &set.change);
        if (status == CTL_FINE)
                status = change_check_served(&set.change);
        if (status == CTL_FINE)
                status = enforce_load(&set.change, set.name, &set.fleet, &set.entry);
        if (status == CTL_FINE)
                status = set_edit(&set);
        if (status == CTL_FINE)
                status = set_check(&set);
        if (status == CTL_FINE)
                status = limit_find_needs(&set.change, set.name, &set.wanted, false, set.needs);
        if (status == CTL_FINE)
                status = set_run(&set);
        acme_state_done(&set.acme);
        free(set.text);
        draft_done(&set.draft);
        config_free(set.config);
        fleet_done(&set.fleet);
        return change_done(&set.change, status);
}
