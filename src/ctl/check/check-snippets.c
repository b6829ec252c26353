/* SPDX-License-Identifier: MIT */
/*
 * The customer's own files: document root and snippets. bellhop-instance tests the snippets, as it
 * does before a reload.
 */
#include <glob.h>

#include "ctl/ask/file.h"
#include "ctl/check/check.h"
#include "ctl/check/configtest.h"
#include "ctl/check/reason.h"
#include "util/cleanup.h"
#include "util/text.h"

#define SNIPPET_MAX_BYTES (1024U * 1024)
#define STRANGER          65533 /* a uid and gid that nobody has */
#define ENVIRONMENT_MAX   256
#define PROGRAMS_PATH     "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static bool snippets_have(const char *text, const char *directive)
{
        const size_t length = strlen(directive);

        for (const char *line = text; *line; line += *line == '\n') {
                line += strspn(line, " \t");
                if (strncasecmp(line, directive, length) == 0 &&
                    (line[length] == ' ' || line[length] == '\t'))
                        return true;
                line = strchrnul(line, '\n');
        }
        return false;
}

void instance_add_closed(InstanceCheck *inst, FindingKind kind, const char *path,
                         const char *advice, const Access *access)
{
        if (access->error == -EACCES)
                instance_finding(inst, kind, path, advice,
                                 "user %s can't read it: %s is closed to that user (owner uid %u, "
                                 "mode %04o)",
                                 inst->name, access->obstacle, (unsigned)access->stat.st_uid,
                                 access->stat.st_mode & 07777);
        else
                instance_finding(inst, kind, path, advice, "%s: %s", access->obstacle,
                                 strerror(-access->error));
}

/* The instance includes these files, so root must own them. */
static void snippets_check_owner(InstanceCheck *inst, const char *path)
{
        const bool is_folder = path == inst->snippets;
        struct stat st;

        if (inst->snippets_not_roots || lstat(path, &st) < 0 ||
            (st.st_uid == 0 && (S_ISLNK(st.st_mode) || !(st.st_mode & (S_IWGRP | S_IWOTH)))))
                return;
        inst->snippets_not_roots = true;
        instance_finding(inst, FINDING_SNIPPETS_NOT_ROOTS, path, NULL,
                         st.st_uid == 0 ? "others than root may write in this %s (mode %04o)"
                                        : "root does not own this %s (mode %04o)",
                         is_folder ? "folder" : "file", st.st_mode & 07777);
}

static void snippets_look_at(InstanceCheck *inst, const char *path)
{
        _cleanup_free_ char *text = NULL;
        struct stat st;
        Access access;
        size_t size;

        inst->n_snippets++;
        snippets_check_owner(inst, path);
        if (access_ask(&inst->user, inst->replaced, path, R_OK, &access) == 0 &&
            access.error == -EACCES) {
                inst->snippets_unreadable = true;
                instance_add_closed(inst, FINDING_SNIPPET_ERROR, path, NULL, &access);
        }
        if (stat(path, &st) == 0)
                newest_note(&inst->newest, path, &st);
        if (file_read(path, SNIPPET_MAX_BYTES, &text, &size) < 0)
                return;
        inst->sets_document_root |= snippets_have(text, "DocumentRoot") ||
                                    snippets_have(text, "ProxyPass") ||
                                    snippets_have(text, "ScriptAlias");
        inst->sets_certificate |= snippets_have(text, "SSLCertificateFile");
}

void snippets_look(InstanceCheck *inst)
{
        _cleanup_free_ char *pattern = text_format("%s/{*.conf,php.fpm}", inst->snippets);
        glob_t found;

        snippets_check_owner(inst, inst->snippets);
        if (!pattern || glob(pattern, GLOB_BRACE, NULL, &found) != 0)
                return;
        for (size_t i = 0; i < found.gl_pathc; i++)
                snippets_look_at(inst, found.gl_pathv[i]);
        globfree(&found);
}

/* As the instance has it before a reload: with the environment of its unit, drop-ins included, in a
 * folder of its own. */
static int snippets_try(const InstanceCheck *inst, char **ret_said)
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
                        .network = inst->instance->network,
                        .argv = (const char *const[]){ BELLHOP_INSTANCE_PROGRAM, "--test", config,
                                                       "--", inst->name, NULL },
                        .environment = (char *const *)all,
                },
                ret_said);
        bus_free_strings(environment);
        return r;
}

static void snippets_add_error(InstanceCheck *inst, char *said)
{
        const size_t length = strlen(inst->snippets);
        Reason reason;
        bool is_snippet;

        if (reason_find(said, &reason) < 0) {
                inst->check->findings.n_lost++;
                return;
        }
        is_snippet = reason.file && strncmp(reason.file, inst->snippets, length) == 0 &&
                     reason.file[length] == '/';
        /* The test looks at certificates and the document root too, and says less about them. */
        if (is_snippet || !findings_have_error(&inst->check->findings, inst->name))
                finding_add(&inst->check->findings, FINDING_SNIPPET_ERROR,
                            (Place){ inst->name, reason.file ? reason.file : inst->snippets,
                                     reason.line },
                            NULL, "%s", reason.what);
        reason_done(&reason);
}

void check_snippets(InstanceCheck *inst)
{
        _cleanup_free_ char *said = NULL;
        char unit[NAME_UNIT_MAX];
        int r;

        /* Without snippets, there is nothing that the package has not brought. */
        if (inst->n_snippets == 0 || inst->snippets_unreadable || geteuid() != 0)
                return;
        /* Only an instance that runs has its credentials, without which Apache knows no TLS. */
        if (inst->has_credentials &&
            !unit_is_active(&inst->check->units, name_unit(NAME_SERVICE_UNIT, inst->name, unit))) {
                instance_finding(inst, FINDING_NOT_CHECKED, inst->snippets, NULL,
                                 "the snippets, as the instance has credentials and does not run");
                return;
        }
        r = snippets_try(inst, &said);
        if (r < 0)
                instance_finding(inst, FINDING_NOT_CHECKED, inst->snippets, NULL,
                                 "the snippets, as their test can't be run: %s", strerror(-r));
        else if (r == CONFIGTEST_FAILED)
                snippets_add_error(inst, said);
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

/* Files with passwords, by the names that applications give them. */
static void snippets_check_secrets(InstanceCheck *inst)
{
        static const char *const names[] = { ".env",
                                             "wp-config.php",
                                             "configuration.php",
                                             "LocalSettings.php",
                                             "settings.php",
                                             "sites/default/settings.php",
                                             "config/config.php",
                                             "app/etc/env.php",
                                             "typo3conf/LocalConfiguration.php",
                                             "config/system/settings.php" };
        static const char *const nothing[] = { NULL };
        static const Identity stranger = { .uid = STRANGER, .gid = STRANGER };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                char path[PATH_MAX];
                Access access;

                if (snprintf(path, sizeof(path), "%s/%s", inst->www, names[i]) >=
                            (int)sizeof(path) ||
                    access_ask(&stranger, nothing, path, R_OK, &access) < 0 || access.error < 0 ||
                    !S_ISREG(access.stat.st_mode))
                        continue;
                instance_finding(inst, FINDING_SECRET_EXPOSED, path, NULL,
                                 "every user of this machine can read it (mode %04o)",
                                 access.stat.st_mode & 07777);
        }
}

void check_document_root(InstanceCheck *inst)
{
        char home[PATH_MAX];
        struct stat st;
        Access access;

        (void)snprintf(inst->www, sizeof(inst->www), "/srv/www/%s", inst->name);
        (void)snprintf(home, sizeof(home), "/home/%s/public_html", inst->name);
        if (lstat(inst->www, &st) < 0 && lstat(home, &st) == 0)
                memcpy(inst->www, home, sizeof(inst->www));
        snippets_check_secrets(inst);
        if (inst->sets_document_root)
                return;
        if (access_ask(&inst->user, inst->replaced, inst->www, R_OK | X_OK, &access) < 0)
                inst->check->n_needs_root++;
        else if (access.error == -ENOENT || access.error == -ENOTDIR)
                instance_finding(inst, FINDING_DOCUMENT_ROOT_MISSING, inst->www, NULL,
                                 "the document root is not there");
        else if (access.error < 0)
                instance_add_closed(inst, FINDING_DOCUMENT_ROOT_UNREADABLE, inst->www, NULL,
                                    &access);
        else if (access.stat.st_mode & S_IWOTH)
                instance_finding(inst, FINDING_DOCUMENT_ROOT_WRITABLE, inst->www, NULL,
                                 "everybody may write in it (mode %04o)",
                                 access.stat.st_mode & 07777);
}
