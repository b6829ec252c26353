/* SPDX-License-Identifier: MIT */
/*
 * Whether the server takes the snippets and .htaccess files of a customer, and what it would do by
 * them. bellhop-instance tests that, as it does before a reload, and the server judges what only it
 * can know.
 */
#include "ctl/check/check.h"
#include "ctl/check/configtest.h"
#include "ctl/check/reason.h"
#include "instance/verdict.h"
#include "util/cleanup.h"
#include "util/text.h"

#define ENVIRONMENT_MAX 256
#define PROGRAMS_PATH   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define USER_INI                                                                                 \
        "Remove the line, and write the setting into a file .user.ini in the same folder, such " \
        "as 'memory_limit = 256M'."
#define PHP_CONF                                                                                \
        "Remove the line, and write the setting into /etc/bellhop/sites/{name}/php.fpm, as in " \
        "mod_bellhop(8)."

/* As the instance has it before a reload: as its user, with the environment of its unit, drop-ins
 * included, in a folder of its own. */
static int server_try(const InstanceCheck *inst, char **ret_said)
{
        const Check *check = inst->check;
        _cleanup_free_ char *config = text_format("--config=%s", check->ctl->config_dir);
        _cleanup_free_ char *state = text_format("STATE_DIRECTORY=/var/lib/bellhop/%s", inst->name);
        char unit[NAME_UNIT_MAX], **environment = NULL;
        const char *all[ENVIRONMENT_MAX] = { "RUNTIME_DIRECTORY=" CONFIGTEST_FOLDER, state };
        size_t n = 2;
        int r = config && state ? 0 : -ENOMEM;

        (void)name_unit(NAME_SERVICE_UNIT, inst->name, unit);
        if (r == 0 && check->bus)
                r = bus_get(check->bus, unit, "Service", "Environment", PROPERTY_STRINGS,
                            &environment);
        if (r < 0)
                return r;
        for (char **at = environment; at && *at && n < ENVIRONMENT_MAX - 2; at++)
                all[n++] = *at;
        all[n] = "PATH=" PROGRAMS_PATH;
        r = configtest_run(
                &(ConfigTest){
                        .who = &inst->user,
                        .network = inst->instance->network != NETWORK_NO,
                        .input = inst->htaccess,
                        .input_size = inst->htaccess_size,
                        /* Without snippets, there is no PHP but what the package has brought. */
                        .argv = (const char *const[]){ BELLHOP_INSTANCE_PROGRAM, "--judge",
                                                       inst->n_snippets > 0 ? "--test" : "--judge",
                                                       config, "--", inst->name, NULL },
                        .environment = (char *const *)all,
                },
                ret_said);
        bus_free_strings(environment);
        return r;
}

/* --- what is wrong with the snippets --- */

static bool server_is_snippet(const InstanceCheck *inst, const char *file)
{
        const size_t length = strlen(inst->snippets);

        return file && strncmp(file, inst->snippets, length) == 0 && file[length] == '/';
}

static void server_add_error(InstanceCheck *inst, char *said)
{
        Reason reason;

        if (reason_find(said, &reason) < 0) {
                inst->check->findings.n_lost++;
                return;
        }
        /* The test looks at certificates and the document root too, and says less about them. */
        if (server_is_snippet(inst, reason.file) || !inst->has_error)
                finding_add(&inst->check->findings, FINDING_SNIPPET_ERROR,
                            (Place){ inst->name, reason.file ? reason.file : inst->snippets,
                                     reason.line },
                            NULL, "%s", reason.what);
        reason_done(&reason);
}

static void server_add_failure(InstanceCheck *inst, int r, char *said)
{
        if (r < 0)
                instance_finding(inst, FINDING_NOT_CHECKED, inst->snippets, NULL,
                                 "the snippets, as their test can't be run: %s", strerror(-r));
        else if (r == CONFIGTEST_FAILED)
                server_add_error(inst, said);
        else if (r == CONFIGTEST_ENDLESS)
                instance_finding(inst, FINDING_SNIPPET_ERROR, inst->snippets, NULL,
                                 "the snippets could not be checked: their test did not end within "
                                 "%d seconds; a file that they include does not end, or a program "
                                 "of user %s stops the test",
                                 CONFIGTEST_SECONDS, inst->name);
        else if (r == CONFIGTEST_KILLED)
                instance_finding(inst, FINDING_SNIPPET_ERROR, inst->snippets, NULL,
                                 "the snippets could not be checked: their test was killed, by a "
                                 "program of user %s, or by the kernel for want of memory",
                                 inst->name);
}

/* --- what the server judges --- */

static void server_add_htaccess(InstanceCheck *inst, const Verdict *verdict)
{
        const char *advice = NULL;

        if (strstr(verdict->what, "'php_admin_"))
                advice = PHP_CONF;
        else if (strstr(verdict->what, "'php_"))
                advice = USER_INI;
        else if (verdict->line == 0)
                advice = "Put a file there that user {name} can read, or none.";
        finding_add(&inst->check->findings, FINDING_HTACCESS_ERROR,
                    (Place){ inst->name, verdict->file, verdict->line }, advice, "%s",
                    verdict->what);
}

static void server_add_name_rule(InstanceCheck *inst, const Verdict *verdict)
{
        if (inst->instance->network == NETWORK_NO)
                finding_add(&inst->check->findings, FINDING_RULE_BY_NAME,
                            (Place){ inst->name, verdict->file, verdict->line }, NULL, "%s",
                            verdict->what);
}

static void server_on_verdict(const Verdict *verdict, void *userdata)
{
        InstanceCheck *inst = userdata;

        if (verdict->kind == VERDICT_HTACCESS)
                server_add_htaccess(inst, verdict);
        else if (verdict->kind == VERDICT_MORE)
                instance_finding(inst, FINDING_HTACCESS_ERROR, NULL, "Correct these first.",
                                 "%u more .htaccess files", verdict->line);
        else if (verdict->kind == VERDICT_NAME)
                server_add_name_rule(inst, verdict);
        else if (!server_is_snippet(inst, verdict->file))
                return;
        else if (verdict->kind == VERDICT_LISTEN)
                finding_add(&inst->check->findings, FINDING_LISTEN_UNUSED,
                            (Place){ inst->name, verdict->file, verdict->line }, NULL, "Listen %s",
                            verdict->what);
        else
                instance_check_target(inst, verdict->file, verdict->line, verdict->what);
}

/* Why the .htaccess files were not judged, where no error says it. */
static void server_add_unjudged(InstanceCheck *inst, int r, char *said)
{
        Reason reason = { .what = NULL };

        if (inst->htaccess_size == 0 || findings_have_error(&inst->check->findings, inst->name))
                return;
        if (r == CONFIGTEST_FAILED)
                (void)reason_find(said, &reason);
        instance_finding(inst, FINDING_NOT_CHECKED, NULL, NULL, "the .htaccess files: %s",
                         r < 0         ? strerror(-r)
                         : reason.what ? reason.what
                                       : "their test did not end, or was killed");
        reason_done(&reason);
}

void check_server(InstanceCheck *inst)
{
        _cleanup_free_ char *said = NULL;
        char unit[NAME_UNIT_MAX];
        int r;

        /* Without these, there is nothing that the package has not brought. */
        if ((inst->n_snippets == 0 && inst->htaccess_size == 0) || inst->snippets_unreadable ||
            geteuid() != 0)
                return;
        /* Only an instance that runs has its credentials, without which Apache knows no TLS. */
        if (inst->has_credentials &&
            !unit_is_active(&inst->check->units, name_unit(NAME_SERVICE_UNIT, inst->name, unit))) {
                instance_finding(inst, FINDING_NOT_CHECKED, inst->snippets, NULL,
                                 "the snippets and .htaccess files, as the instance has "
                                 "credentials and does not run");
                return;
        }
        r = server_try(inst, &said);
        if (!said || !verdict_read(said, server_on_verdict, inst))
                server_add_unjudged(inst, r, said);
        if (inst->n_snippets > 0)
                server_add_failure(inst, r, said);
}
