/* SPDX-License-Identifier: MIT */
/*
 * The customer's own files: document root and snippets. Apache itself judges the snippets, as the
 * user as whom the instance reads them.
 */
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "ctl/ask/file.h"
#include "ctl/check/check.h"
#include "util/cleanup.h"
#include "util/text.h"

#define SNIPPET_MAX_BYTES (1024U * 1024)
#define APACHE_SECONDS    30
#define APACHE_PATH       "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define OUTPUT_MAX_BYTES  (64U * 1024)

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

static void snippets_look_at(InstanceCheck *inst, const char *path)
{
        _cleanup_free_ char *text = NULL;
        struct stat st;
        Access access;
        size_t size;

        inst->n_snippets++;
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
        _cleanup_free_ char *pattern = text_format("%s/*.conf", inst->snippets);
        glob_t found;

        if (!pattern || glob(pattern, 0, NULL, &found) != 0)
                return;
        for (size_t i = 0; i < found.gl_pathc; i++)
                snippets_look_at(inst, found.gl_pathv[i]);
        globfree(&found);
}

/* unit: the environment of the unit, drop-ins included, or NULL. */
_Noreturn static void snippets_exec(const InstanceCheck *inst, const char *runtime,
                                    char *const unit[], int output)
{
        const char *dir = inst->check->ctl->config_dir;
        char *file = text_format("%s/apache2/instance.conf", dir);
        char *define = text_format("Define BELLHOP_CONFIG_DIR %s", dir);

        if (!file || !define || clearenv() != 0 || setenv("BELLHOP_MPM", "event", true) < 0)
                _exit(EXIT_FAILURE);
        for (; unit && *unit; unit++)
                (void)putenv(*unit);
        if (setenv("BELLHOP_INSTANCE", inst->name, true) < 0 ||
            setenv("RUNTIME_DIRECTORY", runtime, true) < 0 ||
            setenv("PATH", APACHE_PATH, true) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
            dup2(output, STDERR_FILENO) < 0 || close(STDIN_FILENO) < 0 ||
            open("/dev/null", O_RDONLY) != STDIN_FILENO ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            setgroups((size_t)inst->user.n_groups, inst->user.groups) < 0 ||
            setresgid(inst->user.gid, inst->user.gid, inst->user.gid) < 0 ||
            setresuid(inst->user.uid, inst->user.uid, inst->user.uid) < 0)
                _exit(EXIT_FAILURE);
        /* A snippet may include a file that never ends. */
        (void)alarm(APACHE_SECONDS);
        execl(BELLHOP_APACHE, BELLHOP_APACHE, "-t", "-C", define, "-f", file, (char *)NULL);
        dprintf(STDERR_FILENO, "%s can't be run: %m\n", BELLHOP_APACHE);
        _exit(EXIT_FAILURE);
}

/* What Apache says is wrong, to be freed; NULL: nothing, or it could not be asked. */
static char *snippets_ask_apache(const InstanceCheck *inst)
{
        const Check *check = inst->check;
        char runtime[] = "/tmp/bellhopctl-XXXXXX", unit[NAME_UNIT_MAX];
        _cleanup_close_ int output = memfd_create("bellhopctl", MFD_CLOEXEC);
        char **environment = NULL, *text;
        int status = 0;
        pid_t pid;

        if (output < 0 || !mkdtemp(runtime))
                return NULL;
        (void)name_unit(NAME_SERVICE_UNIT, inst->name, unit);
        if (check->bus &&
            bus_get(check->bus, unit, "Service", "Environment", PROPERTY_STRINGS, &environment) < 0)
                environment = NULL;
        pid = chown(runtime, inst->user.uid, inst->user.gid) < 0 ? -1 : fork();
        if (pid == 0)
                snippets_exec(inst, runtime, environment, output);
        while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        (void)rmdir(runtime);
        bus_free_strings(environment);
        if (pid < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
                return NULL;
        text = calloc(1, OUTPUT_MAX_BYTES);
        if (text && pread(output, text, OUTPUT_MAX_BYTES - 1, 0) <= 0)
                (void)snprintf(text, OUTPUT_MAX_BYTES, "Apache did not end within %d seconds",
                               APACHE_SECONDS);
        return text;
}

/* "...yntax error on line 3 of FILE:" and what is wrong, behind it or in the next line; or other
 * words, of which the first line counts. */
static void snippets_add_error(InstanceCheck *inst, char *text)
{
        _cleanup_free_ char *file = NULL, *what = NULL;
        const char *found = strstr(text, "error on line ");
        unsigned line = 0;
        bool is_snippet;

        if (!found ||
            sscanf(found, "error on line %u of %m[^:\n]: %m[^\n]", &line, &file, &what) != 3)
                text[strcspn(text, "\n")] = 0;
        is_snippet = what && strncmp(file, inst->snippets, strlen(inst->snippets)) == 0;
        /* Apache looks at certificates and the document root too, and says less about them. */
        if (is_snippet || !findings_have_error(&inst->check->findings, inst->name))
                finding_add(&inst->check->findings, FINDING_SNIPPET_ERROR,
                            (Place){ inst->name, what ? file : inst->snippets, what ? line : 0 },
                            NULL, "%s", what ? what : text);
}

void check_snippets(InstanceCheck *inst)
{
        _cleanup_free_ char *text = NULL;
        char unit[NAME_UNIT_MAX];

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
        text = snippets_ask_apache(inst);
        if (text)
                snippets_add_error(inst, text);
}

void check_document_root(InstanceCheck *inst)
{
        char path[PATH_MAX], home[PATH_MAX];
        struct stat st;
        Access access;

        (void)snprintf(path, sizeof(path), "/srv/www/%s", inst->name);
        (void)snprintf(home, sizeof(home), "/home/%s/public_html", inst->name);
        if (inst->sets_document_root)
                return;
        if (lstat(path, &st) < 0 && lstat(home, &st) == 0)
                memcpy(path, home, sizeof(path));
        if (access_ask(&inst->user, inst->replaced, path, R_OK | X_OK, &access) < 0)
                inst->check->n_needs_root++;
        else if (access.error == -ENOENT || access.error == -ENOTDIR)
                instance_finding(inst, FINDING_DOCUMENT_ROOT_MISSING, path, NULL,
                                 "the document root is not there");
        else if (access.error < 0)
                instance_add_closed(inst, FINDING_DOCUMENT_ROOT_UNREADABLE, path, NULL, &access);
        else if (access.stat.st_mode & S_IWOTH)
                instance_finding(inst, FINDING_DOCUMENT_ROOT_WRITABLE, path, NULL,
                                 "everybody may write in it (mode %04o)",
                                 access.stat.st_mode & 07777);
}
