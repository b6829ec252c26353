/* SPDX-License-Identifier: MIT */
/*
 * Owns what is asked of an instance's document root and snippets. Apache itself judges the
 * snippets, as the user that they are read as in earnest.
 */
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "ctl/ask/file.h"
#include "ctl/check/advice-site.h"
#include "util/cleanup.h"

#define SNIPPET_MAX_BYTES (1024U * 1024)
#define APACHE_SECONDS    30
#define OUTPUT_MAX_BYTES  (64U * 1024)
#define ENVIRONMENT_MAX   64

void replaced_init(const Check *check, Replaced *ret)
{
        const int a = snprintf(ret->paths[0], PATH_MAX, "%s/tls", check->ctl->config_dir);
        const int b = snprintf(ret->paths[1], PATH_MAX, "%s/sites", check->ctl->config_dir);

        memcpy(ret->list, ((const char *[REPLACED_MAX]){ "/home", "/srv/www" }), sizeof(ret->list));
        if (a > 0 && a < PATH_MAX && b > 0 && b < PATH_MAX) {
                ret->list[2] = ret->paths[0];
                ret->list[3] = ret->paths[1];
        }
}

void site_note_file(Site *site, const char *path, const struct stat *st)
{
        const uint64_t changed = changed_inode(st);

        if (changed <= site->changed)
                return;
        site->changed = changed;
        (void)snprintf(site->changed_file, sizeof(site->changed_file), "%s", path);
}

static bool has_directive(const char *text, const char *name)
{
        const size_t length = strlen(name);

        for (const char *line = text; *line;) {
                const char *word = line + strspn(line, " \t");

                if (strncasecmp(word, name, length) == 0 &&
                    (word[length] == ' ' || word[length] == '\t'))
                        return true;
                line = strchrnul(line, '\n');
                line += *line == '\n';
        }
        return false;
}

/* Whether the site's user can. The folder itself is made right by systemd at the start. */
static bool can_read(Check *check, const Site *site, const char *path)
{
        AccessQuestion question = { .path = path, .mode = R_OK };
        Replaced replaced;
        bool can = true;

        replaced_init(check, &replaced);
        replaced.list[4] = site->snippets;
        if (access_ask(&site->user, replaced.list, &question, 1) == 0 &&
            question.error == -EACCES) {
                can = false;
                finding_add(&check->findings, FINDING_SNIPPET_ERROR,
                            (Place){ site->instance->name, path, 0 },
                            cure_closed_snippet(site, path),
                            "user %s can't read it: %s is closed to that user",
                            site->instance->name, question.obstacle);
        }
        access_done(&question, 1);
        return can;
}

static void look_at_snippet(Check *check, Site *site, const char *path)
{
        _cleanup_free_ char *text = NULL;
        struct stat st;
        size_t size;

        site->n_snippets++;
        site->snippets_unreadable |= !can_read(check, site, path);
        if (stat(path, &st) == 0)
                site_note_file(site, path, &st);
        if (file_read(path, SNIPPET_MAX_BYTES, &text, &size) < 0)
                return;
        site->sets_document_root |= has_directive(text, "DocumentRoot") ||
                                    has_directive(text, "ProxyPass") ||
                                    has_directive(text, "ScriptAlias");
        site->sets_certificate |= has_directive(text, "SSLCertificateFile");
}

static bool is_snippet(const char *name)
{
        const size_t length = strlen(name);

        return name[0] != '.' && length > strlen(".conf") &&
               strcmp(name + length - strlen(".conf"), ".conf") == 0;
}

void look_at_snippets(Check *check, Site *site)
{
        DIR *dir = opendir(site->snippets);
        const struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                _cleanup_free_ char *path = NULL;

                if (!is_snippet(entry->d_name))
                        continue;
                if (asprintf(&path, "%s/%s", site->snippets, entry->d_name) < 0)
                        path = NULL;
                else
                        look_at_snippet(check, site, path);
        }
        if (dir)
                (void)closedir(dir);
}

/* The environment that the unit has, drop-ins included. */
static void unit_environment(const Check *check, const char *instance, char ***ret)
{
        char unit[NAME_UNIT_MAX];

        *ret = NULL;
        (void)name_unit(NAME_SERVICE_UNIT, instance, unit);
        if (check->bus &&
            bus_get(check->bus, unit, "Service", "Environment", PROPERTY_STRINGS, ret) < 0)
                *ret = NULL;
}

_Noreturn static void exec_apache(const Check *check, const Site *site, const char *runtime,
                                  char *const unit[], int output)
{
        char instance[128], folder[PATH_MAX + 32], file[PATH_MAX + 64], define[PATH_MAX + 64];
        char *environment[ENVIRONMENT_MAX + 4];
        size_t n = 0;

        (void)snprintf(instance, sizeof(instance), "BELLHOP_INSTANCE=%s", site->instance->name);
        (void)snprintf(folder, sizeof(folder), "RUNTIME_DIRECTORY=%s", runtime);
        (void)snprintf(file, sizeof(file), "%s/apache2/instance.conf", check->ctl->config_dir);
        (void)snprintf(define, sizeof(define), "Define BELLHOP_CONFIG_DIR %s",
                       check->ctl->config_dir);
        for (; unit && unit[n] && n < ENVIRONMENT_MAX; n++)
                environment[n] = unit[n];
        if (n == 0)
                environment[n++] = (char *)"BELLHOP_MPM=event";
        environment[n++] = instance;
        environment[n++] = folder;
        environment[n++] =
                (char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        environment[n] = NULL;

        if (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0 ||
            close(STDIN_FILENO) < 0 || open("/dev/null", O_RDONLY) != STDIN_FILENO ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            setgroups((size_t)site->user.n_groups, site->user.groups) < 0 ||
            setresgid(site->user.gid, site->user.gid, site->user.gid) < 0 ||
            setresuid(site->user.uid, site->user.uid, site->user.uid) < 0)
                _exit(EXIT_FAILURE);
        /* A snippet may include what never ends. */
        (void)alarm(APACHE_SECONDS);
        execle(BELLHOP_APACHE, BELLHOP_APACHE, "-t", "-C", define, "-f", file, (char *)NULL,
               environment);
        dprintf(STDERR_FILENO, "%s can't be run: %m\n", BELLHOP_APACHE);
        _exit(EXIT_FAILURE);
}

/* What Apache says of it, to be freed; NULL: nothing is wrong, or it could not be asked. */
static char *ask_apache(const Check *check, const Site *site)
{
        char runtime[] = "/tmp/bellhopctl-XXXXXX";
        _cleanup_close_ int output = memfd_create("bellhopctl", MFD_CLOEXEC);
        char **environment = NULL, *text = NULL;
        int status = 0;
        pid_t pid;

        if (output < 0 || !mkdtemp(runtime))
                return NULL;
        unit_environment(check, site->instance->name, &environment);
        pid = chown(runtime, site->user.uid, site->user.gid) < 0 ? -1 : fork();
        if (pid == 0)
                exec_apache(check, site, runtime, environment, output);
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

/* "... Syntax error on line 3 of FILE:" and what is wrong, there or in the next line. Cuts the text
 * up. */
static void parse_apache_error(char *text, char **ret_file, unsigned *ret_line, char **ret_what)
{
        static const char on_line[] = "rror on line ";
        char *found = strstr(text, on_line), *file = found ? strstr(found, " of /") : NULL, *what;

        *ret_file = NULL;
        *ret_line = 0;
        *ret_what = text;
        what = file ? strstr(file, ":") : NULL;
        if (what) {
                *ret_line = (unsigned)strtoul(found + strlen(on_line), NULL, 10);
                *ret_file = file + strlen(" of ");
                *what++ = 0;
                what += strspn(what, " \n");
                *ret_what = what;
        }
        (*ret_what)[strcspn(*ret_what, "\n")] = 0;
}

static void add_apache_error(Check *check, const Site *site, char *text)
{
        char *file, *what;
        unsigned line;
        bool own;

        parse_apache_error(text, &file, &line, &what);
        own = file && strncmp(file, site->snippets, strlen(site->snippets)) == 0;
        /* Apache looks at certificates and document root too, and says less about them. */
        if (!own && findings_have_error(&check->findings, site->instance->name))
                return;
        finding_add(&check->findings, FINDING_SNIPPET_ERROR,
                    (Place){ site->instance->name, file ? file : site->snippets, line },
                    own ? cure_snippet_line(site, file, line) : NULL, "%s", what);
}

static bool is_running(const Check *check, const Site *site)
{
        const UnitState *state;
        char unit[NAME_UNIT_MAX];

        (void)name_unit(NAME_SERVICE_UNIT, site->instance->name, unit);
        state = units_find(&check->units, unit);
        return state && strcmp(state->active, "active") == 0;
}

void check_snippets(Check *check, const Site *site)
{
        _cleanup_free_ char *text = NULL;

        /* Without any, there is nothing in it that the package did not bring. */
        if (site->n_snippets == 0 || site->snippets_unreadable || geteuid() != 0)
                return;
        /* Only a site that runs has its credentials, without which Apache knows no word of TLS. */
        if (site->has_credentials && !is_running(check, site)) {
                finding_add(&check->findings, FINDING_NOT_CHECKED,
                            (Place){ site->instance->name, site->snippets, 0 }, NULL,
                            "the snippets, as the site has credentials and does not run");
                return;
        }
        text = ask_apache(check, site);
        if (text)
                add_apache_error(check, site, text);
}

void check_document_root(Check *check, const Site *site)
{
        char path[PATH_MAX], home[PATH_MAX];
        const char *name = site->instance->name;
        const Place place = { name, path, 0 };
        AccessQuestion question = { .path = path, .mode = R_OK | X_OK };
        Replaced replaced;
        struct stat st;

        (void)snprintf(path, sizeof(path), "/srv/www/%s", name);
        (void)snprintf(home, sizeof(home), "/home/%s/public_html", name);
        if (site->sets_document_root)
                return;
        if (lstat(path, &st) < 0 && lstat(home, &st) == 0)
                memcpy(path, home, sizeof(path));
        replaced_init(check, &replaced);
        if (access_ask(&site->user, replaced.list, &question, 1) < 0) {
                check->n_needs_root++;
                return;
        }
        if (question.error == -ENOENT || question.error == -ENOTDIR)
                finding_add(&check->findings, FINDING_DOCUMENT_ROOT_MISSING, place,
                            cure_no_document_root(site), "the document root is not there");
        else if (question.error < 0)
                finding_add(&check->findings, FINDING_DOCUMENT_ROOT_UNREADABLE, place,
                            cure_closed_document_root(site, path, &question),
                            "user %s can't read it: %s is closed to that user (owner uid %u, mode "
                            "%04o)",
                            name, question.obstacle, (unsigned)question.stat.st_uid,
                            question.stat.st_mode & 07777);
        else if (question.stat.st_mode & S_IWOTH)
                finding_add(&check->findings, FINDING_DOCUMENT_ROOT_WRITABLE, place,
                            cure_open_document_root(site, path),
                            "everybody may write in it (mode %04o)", question.stat.st_mode & 07777);
        access_done(&question, 1);
}
