/* SPDX-License-Identifier: MIT */
/*
 * Checks whether the server accepts the snippets and .htaccess files of a customer, and what
 * effects they have. bellhop-instance makes the server test its configuration, as before a reload.
 * In this test, Apache also reports facts that only Apache itself can know, such as unusable
 * .htaccess files (verdict.h).
 */
#include "ctl/ask/server.h"
#include "ctl/check/check.h"
#include "ctl/check/reason.h"
#include "ctl/check/server-test.h"
#include "instance/verdict.h"
#include "util/cleanup.h"
#include "util/text.h"

#define USER_INI                                                                                 \
        "Remove the line, and write the setting into a file .user.ini in the same folder, such " \
        "as 'memory_limit = 256M'."
#define PHP_CONF                                                                                \
        "Remove the line, and write the setting into /etc/bellhop/sites/{name}/php.fpm, as in " \
        "mod_bellhop(8)."

/* --- errors in the snippets --- */

static bool server_is_snippet(const InstanceCheck *inst, const char *file)
{
        const size_t length = strlen(inst->snippets);

        return file && strncmp(file, inst->snippets, length) == 0 && file[length] == '/';
}

static void server_add_error(InstanceCheck *inst, char *said)
{
        const char *advice = NULL;
        Reason reason;

        if (reason_find(said, &reason) < 0) {
                inst->check->findings.n_lost++;
                return;
        }
        if (inst->instance->network == NETWORK_NO &&
            strstr(reason.what, "host not found in upstream"))
                advice = instance_target_advice[inst->instance->server];
        /* The test can also fail because of the certificate or the document root. Earlier checks
         * report such errors with more detail. */
        if (server_is_snippet(inst, reason.file) || !inst->has_error)
                finding_add(&inst->check->findings, FINDING_SNIPPET_ERROR,
                            (Place){ inst->name, reason.file ? reason.file : inst->snippets,
                                     reason.line },
                            advice, "%s", reason.what);
        reason_done(&reason);
}

static void server_add_failure(InstanceCheck *inst, int r, char *said)
{
        if (r < 0)
                instance_finding(inst, FINDING_NOT_CHECKED, inst->snippets, NULL,
                                 "the snippets were not checked: their test can't be run: %s",
                                 strerror(-r));
        else if (r == CONFIGTEST_FAILED)
                server_add_error(inst, said);
        else if (r == CONFIGTEST_ENDLESS)
                instance_finding(inst, FINDING_SNIPPET_ERROR, inst->snippets, NULL,
                                 "the snippets could not be checked: their test did not end within "
                                 "%d seconds, because an included file never ends, or because a "
                                 "program of user %s stops the test",
                                 CONFIGTEST_SECONDS, inst->name);
        else if (r == CONFIGTEST_KILLED)
                instance_finding(inst, FINDING_SNIPPET_ERROR, inst->snippets, NULL,
                                 "the snippets could not be checked: their test was killed by a "
                                 "program of user %s, or by the kernel because memory ran out",
                                 inst->name);
}

/* --- reports of the server --- */

static void server_add_htaccess(InstanceCheck *inst, const Verdict *verdict)
{
        const char *advice = NULL;

        if (strstr(verdict->what, "'php_admin_"))
                advice = PHP_CONF;
        else if (strstr(verdict->what, "'php_"))
                advice = USER_INI;
        else if (verdict->line == 0)
                advice =
                        "Put a file there that user {name} can read, or remove the .htaccess file.";
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
                instance_finding(inst, FINDING_HTACCESS_ERROR, NULL,
                                 "Correct the .htaccess files named above first.",
                                 "%u more .htaccess files have mistakes", verdict->line);
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

/* Reports why the .htaccess files were not judged, unless an error already explains this. */
static void server_add_unjudged(InstanceCheck *inst, int r, char *said)
{
        Reason reason = { .what = NULL };

        if (inst->htaccess_size == 0 || findings_have_error(&inst->check->findings, inst->name))
                return;
        if (r == CONFIGTEST_FAILED)
                (void)reason_find(said, &reason);
        instance_finding(inst, FINDING_NOT_CHECKED, NULL, NULL,
                         "the .htaccess files were not checked: %s",
                         r < 0         ? strerror(-r)
                         : reason.what ? reason.what
                                       : "their test did not end, or was killed");
        reason_done(&reason);
}

/* Returns whether a file that the server needs is missing. If so, reports it. */
static bool server_is_missing(InstanceCheck *inst)
{
        const ServerType server = inst->instance->server;
        const char *missing = server_lacks(server);
        _cleanup_free_ char *advice = NULL;

        if (!missing)
                return false;
        advice = text_format("Install %s, then run '" ADVICE_RELOAD "'.", server_packages[server]);
        instance_finding(inst, FINDING_SERVER_MISSING, inst->instance->file, advice,
                         "%s does not exist", missing);
        return true;
}

void check_server(InstanceCheck *inst)
{
        _cleanup_free_ char *said = NULL;
        char unit[NAME_UNIT_MAX];
        int r;

        if (server_is_missing(inst))
                return;
        /* Without snippets and .htaccess files, the server has only configuration of the package,
         * which needs no test. */
        if ((inst->n_snippets == 0 && inst->htaccess_size == 0) || inst->snippets_unreadable ||
            geteuid() != 0)
                return;
        /* The test needs the credentials for TLS, and only a running instance has them. */
        if (inst->has_credentials &&
            !unit_is_active(&inst->check->units, name_unit(NAME_SERVICE_UNIT, inst->name, unit))) {
                instance_finding(
                        inst, FINDING_NOT_CHECKED, inst->snippets, NULL,
                        "the snippets and .htaccess files were not checked: their test needs the "
                        "credentials of the instance, which only a running instance has");
                return;
        }
        r = server_test_run(
                &(ServerTest){
                        .ctl = inst->check->ctl,
                        .bus = inst->check->bus,
                        .who = &inst->user,
                        .instance = inst->instance,
                        .judges = true,
                        /* Without snippets, PHP has only settings of the package, which
                         * need no test. */
                        .tests_php = inst->n_snippets > 0,
                        .input = inst->htaccess,
                        .input_size = inst->htaccess_size,
                },
                &said);
        if (inst->instance->server == SERVER_APACHE &&
            (!said || !verdict_read(said, server_on_verdict, inst)))
                server_add_unjudged(inst, r, said);
        if (inst->n_snippets > 0)
                server_add_failure(inst, r, said);
}
