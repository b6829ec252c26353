/* SPDX-License-Identifier: MIT */
/*
 * Checks the customer's pages: whether clients get them, and whether other users can read passwords
 * in them. The document root belongs to the customer, so it is read as the customer.
 */
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <pwd.h>

#include "ctl/ask/cms.h"
#include "ctl/ask/pages.h"
#include "ctl/check/check.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"

#define STRANGER    65533 /* a uid and gid that nobody has */
#define SECRETS_MAX 10    /* further files with passwords are only counted */
#define SECRETS_MORE \
        "Correct the files named above first: 'bellhopctl check' then names the next ones."
#define PHP_FPM "BELLHOP_PHP_FPM="
#define PHP_NAMED                                                                              \
        "Correct " PHP_FPM " in 'systemctl edit bellhop@{name}.service', then run 'systemctl " \
        "try-restart bellhop@{name}.service'."

/* Reports files in which common applications store passwords, if every user can read them. */
static void pages_check_secrets(InstanceCheck *inst, const char *folder)
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

                if (snprintf(path, sizeof(path), "%s/%s", folder, names[i]) >= (int)sizeof(path) ||
                    access_ask(&stranger, nothing, path, R_OK, &access) < 0 || access.error < 0 ||
                    !S_ISREG(access.stat.st_mode))
                        continue;
                if (inst->n_secrets++ < SECRETS_MAX)
                        instance_finding(inst, FINDING_SECRET_EXPOSED, path, NULL,
                                         "every user of this machine can read it (mode %04o)",
                                         access.stat.st_mode & 07777);
        }
}

/* Finds the file or folder that a path leads to. Uses the kernel, because realpath(3) takes long if
 * a customer has made many links. ret: its path, without links. */
static bool pages_find_place(const char *path, char ret[static PATH_MAX], struct stat *ret_stat)
{
        _cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
        char self[32];
        ssize_t n;

        (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
        n = fd >= 0 && fstat(fd, ret_stat) == 0 ? readlink(self, ret, PATH_MAX - 1) : -1;
        ret[n < 0 ? 0 : n] = 0;
        return n > 0;
}

/* Whether the sandboxes of other instances hide the folder. path: contains no symbolic links. */
static bool pages_is_hidden(const char *path)
{
        static const char *const parents[] = { "/home", "/srv/www", "/root" };
        char parent[PATH_MAX];

        for (size_t i = 0; i < ELEMENTSOF(parents); i++) {
                const size_t length = realpath(parents[i], parent) ? strlen(parent) : 0;

                if (length > 0 && strncmp(path, parent, length) == 0 && path[length] == '/')
                        return true;
        }
        return false;
}

/* Reports a home or document root of the customer that other users can enter and that no sandbox
 * hides. */
static void pages_check_place(InstanceCheck *inst, const char *path)
{
        char real[PATH_MAX];
        struct stat st;

        if (pages_find_place(path, real, &st) && !pages_is_hidden(real) &&
            st.st_uid == inst->user.uid && (st.st_mode & S_IXOTH))
                instance_finding(
                        inst, FINDING_FOLDER_ELSEWHERE, real, NULL,
                        "it is outside /home and /srv/www, and open to other users (mode %04o)",
                        st.st_mode & 07777);
}

static bool pages_is_in(const char *path, const char *folder)
{
        const size_t length = strlen(folder);

        return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

/* Reports the user's home if the instance can't write to it. The unit makes only /home/NAME
 * writable, but a drop-in can make another home writable. */
static void pages_check_home(InstanceCheck *inst, const char *path)
{
        char home[PATH_MAX], real[PATH_MAX], unit[NAME_UNIT_MAX], **binds = NULL;
        bool is_bound = false;
        struct stat st;
        Access access;

        if (snprintf(home, sizeof(home), "/home/%s", inst->name) >= (int)sizeof(home) ||
            strcmp(path, home) == 0 || !pages_find_place(path, real, &st) ||
            pages_is_in(real, home) || pages_is_in(real, inst->www) || !inst->check->bus ||
            bus_get(inst->check->bus, name_unit(NAME_SERVICE_UNIT, inst->name, unit), "Service",
                    "BindPaths", PROPERTY_STRINGS, &binds) < 0)
                return;
        for (char **at = binds; at && *at; at += 2)
                is_bound = is_bound || pages_is_in(path, at[1]);
        bus_free_strings(binds);
        if (!is_bound)
                instance_finding(inst, FINDING_HOME_READ_ONLY, path,
                                 access_ask_fixed(path, &access) == 0 && access.error == 0
                                         ? NULL
                                         : ADVICE_MOVE_HOME,
                                 "the home of user %s is this folder, and not %s", inst->name,
                                 home);
}

static void pages_check_places(InstanceCheck *inst, const char *public_html)
{
        const struct passwd *user = getpwnam(inst->name);
        _cleanup_free_ char *home = text_format("/home/%s", inst->name);

        pages_check_place(inst, inst->www);
        if (strcmp(inst->www, public_html) != 0)
                pages_check_place(inst, public_html);
        if (user) {
                pages_check_place(inst, user->pw_dir);
                pages_check_home(inst, user->pw_dir);
        }
        if (home && (!user || strcmp(user->pw_dir, home) != 0))
                pages_check_place(inst, home);
}

/* Advice for a document root that the user owns, but has no access to. NULL: another obstacle. */
static const char *pages_open_root(const InstanceCheck *inst, const Access *access)
{
        return access->error == -EACCES && access->stat.st_uid == inst->user.uid &&
                               strcmp(access->obstacle, inst->www) == 0
                       ? "runuser --pty -u {name} -- chmod u+rx {file}"
                       : NULL;
}

void check_document_root(InstanceCheck *inst)
{
        char home[PATH_MAX];
        Access access;

        inst->pages_end_nsec =
                clock_nsec(CLOCK_MONOTONIC) + pages_seconds(inst->check->files_max) * NSEC_PER_SEC;
        (void)snprintf(home, sizeof(home), "/home/%s/public_html", inst->name);
        document_root_of(inst->name, inst->www);
        pages_check_places(inst, home);
        pages_check_secrets(inst, inst->www);
        if (inst->sets_document_root)
                return;
        if (access_ask(&inst->user, inst->replaced, inst->www, R_OK | X_OK, &access) < 0)
                inst->check->n_needs_root++;
        else if (access.error == -ENOENT || access.error == -ENOTDIR)
                instance_finding(inst, FINDING_DOCUMENT_ROOT_MISSING, inst->www, NULL,
                                 "the document root does not exist");
        else if (access.error < 0)
                instance_add_closed(inst, FINDING_DOCUMENT_ROOT_UNREADABLE, inst->www,
                                    pages_open_root(inst, &access), &access);
        else if (access.stat.st_mode & S_IWOTH)
                instance_finding(inst, FINDING_DOCUMENT_ROOT_WRITABLE, inst->www, NULL,
                                 "everybody can write to it (mode %04o)",
                                 access.stat.st_mode & 07777);
}

static void pages_add_closed(InstanceCheck *inst, const ClosedPages *closed)
{
        const bool is_own = closed->stat.st_uid == inst->user.uid;
        _cleanup_free_ char *more = NULL;
        Finding *finding;

        if (closed->n == 0)
                return;
        if (closed->n > 1)
                more = text_format(", nor %zu more files or folders", closed->n - 1);
        finding = instance_finding(inst, FINDING_PAGES_UNREADABLE, closed->path,
                                   is_own ? "runuser --pty -u {name} -- chmod u+rX {file}" : NULL,
                                   "user %s can't read it (owner uid %u, mode %04o)%s", inst->name,
                                   (unsigned)closed->stat.st_uid, closed->stat.st_mode & 07777,
                                   more ? more : "");
        if (finding && !closed->is_first)
                finding->severity = SEVERITY_WARNING;
}

/* Returns the value of BELLHOP_PHP_FPM= in the unit's environment, or NULL if it is not set. */
static const char *pages_find_named(char *const *environment)
{
        const char *named = NULL;

        for (char *const *at = environment; at && *at; at++)
                if (strncmp(*at, PHP_FPM, strlen(PHP_FPM)) == 0)
                        named = *at + strlen(PHP_FPM);
        return named;
}

static bool pages_have_program(const char *pattern)
{
        glob_t found;
        const bool any = glob(pattern, GLOB_NOSORT, NULL, &found) == 0;

        if (any)
                globfree(&found);
        return any;
}

static void pages_check_php(InstanceCheck *inst, const Pages *pages)
{
        char unit[NAME_UNIT_MAX], **environment = NULL;
        const char *program;
        Finding *finding;

        /* A snippet with a handler may run PHP in another way, so nothing is reported. */
        if (!pages->php[0] || inst->sets_handler ||
            (inst->check->bus &&
             bus_get(inst->check->bus, name_unit(NAME_SERVICE_UNIT, inst->name, unit), "Service",
                     "Environment", PROPERTY_STRINGS, &environment) < 0))
                return;
        program = pages_find_named(environment);
        if (!pages_have_program(program ? program : BELLHOP_PHP_FPM)) {
                finding = instance_finding(inst, FINDING_PHP_MISSING, pages->php,
                                           program ? PHP_NAMED : NULL,
                                           "it needs PHP, but %s does not exist",
                                           program ? program : BELLHOP_PHP_FPM);
                if (finding && !pages->php_is_first)
                        finding->severity = SEVERITY_WARNING;
        }
        bus_free_strings(environment);
}

/* Reports .htaccess files that nginx ignores. If the instance has snippets, the finding is only a
 * note, because the snippets may contain the same rules as the .htaccess files. */
static void pages_add_ignored(InstanceCheck *inst, const Pages *pages)
{
        _cleanup_free_ char *file = text_format("%s/.htaccess", pages->htaccess), *more = NULL;
        size_t n = 0;
        Finding *finding;

        for (size_t i = 0; i < pages->htaccess_size; i++)
                n += pages->htaccess[i] == 0;
        if (n > 1)
                more = text_format(", nor %zu more .htaccess files", n - 1);
        finding = instance_finding(inst, FINDING_HTACCESS_IGNORED, file, NULL,
                                   "nginx does not read this file%s", more ? more : "");
        if (finding && inst->n_of_server > 0)
                finding->severity = SEVERITY_NOTE;
}

static bool pages_is_late(const InstanceCheck *inst)
{
        return clock_nsec(CLOCK_MONOTONIC) >= inst->pages_end_nsec;
}

/* Reports an application that needs the network, if the instance has none. Adds at most one
 * finding, because the advice is for the whole instance. */
static void pages_check_network(InstanceCheck *inst, const char *root, const Pages *pages)
{
        const char *folder = root, *cms;

        if (inst->instance->network != NETWORK_NO)
                return;
        cms = cms_find(&inst->user, folder);
        for (size_t i = 0; !cms && i < pages->n_apps && !pages_is_late(inst); i++) {
                folder = pages->apps[i];
                cms = cms_find(&inst->user, folder);
        }
        if (cms)
                instance_finding(
                        inst, FINDING_NETWORK_NEEDED, folder, NULL,
                        "%s can't connect to other servers, as the instance has Network=no", cms);
}

static void pages_check_root(InstanceCheck *inst, const char *root, FILE *out)
{
        const size_t max = inst->check->files_max;
        Pages pages;

        if (pages_look(&inst->user, root, max, inst->pages_end_nsec, &pages) == 0) {
                if (inst->instance->server == SERVER_APACHE)
                        (void)fwrite(pages.htaccess, 1, pages.htaccess_size, out);
                else if (pages.htaccess_size > 0)
                        pages_add_ignored(inst, &pages);
                pages_add_closed(inst, &pages.closed);
                pages_check_php(inst, &pages);
                pages_check_network(inst, root, &pages);
                for (size_t i = 0; i < pages.n_apps && !pages_is_late(inst); i++)
                        pages_check_secrets(inst, pages.apps[i]);
                if (pages_is_late(inst))
                        instance_finding(inst, FINDING_NOT_CHECKED, root, NULL,
                                         "only a part of the files and folders was checked, "
                                         "because the check took more than %" PRIu64
                                         " seconds; to check more, use --files=N",
                                         pages_seconds(max));
                else if (pages.is_cut)
                        instance_finding(inst, FINDING_NOT_CHECKED, root, NULL,
                                         "only the first %zu files and folders, from the top down, "
                                         "were checked; to check more, use --files=N",
                                         max);
        }
        pages_done(&pages);
}

/* Whether the document root is in another customer's folder below /srv/www or /home. */
static bool pages_is_of_another(const InstanceCheck *inst, const char *root)
{
        static const char *const parents[] = { "/srv/www/", "/home/" };

        for (size_t i = 0; i < ELEMENTSOF(parents); i++) {
                const size_t length = strlen(parents[i]), of_name = strlen(inst->name);

                if (strncmp(root, parents[i], length) == 0)
                        return strncmp(root + length, inst->name, of_name) != 0 ||
                               (root[length + of_name] != '/' && root[length + of_name] != 0);
        }
        return false;
}

/* Whether the instance can use a document root that a snippet sets. If not, reports the reason. */
static bool pages_have_root(InstanceCheck *inst, const char *root)
{
        Access access;

        if (pages_is_of_another(inst, root))
                instance_finding(inst, FINDING_DOCUMENT_ROOT_UNREADABLE, root, NULL,
                                 "in /home and /srv/www, the instance sees only folders of user %s",
                                 inst->name);
        else if (access_ask(&inst->user, inst->replaced, root, X_OK, &access) < 0)
                return false;
        else if (access.error == -ENOENT || access.error == -ENOTDIR)
                instance_finding(inst, FINDING_DOCUMENT_ROOT_MISSING, root,
                                 "Make the folder, or correct the snippet, then "
                                 "run '" ADVICE_RELOAD "'.",
                                 "the document root that a snippet sets does not exist");
        else if (access.error < 0)
                instance_add_closed(inst, FINDING_DOCUMENT_ROOT_UNREADABLE, root, NULL, &access);
        else
                return true;
        return false;
}

/* Checks the pages in the document roots that snippets set. If snippets set none, checks the pages
 * in the default document root. */
void check_pages(InstanceCheck *inst)
{
        FILE *out;

        inst->has_error = findings_have_error(&inst->check->findings, inst->name);
        if (geteuid() != 0)
                return;
        out = open_memstream(&inst->htaccess, &inst->htaccess_size);
        if (!out) {
                inst->check->findings.n_lost++;
                return;
        }
        if (inst->n_roots == 0)
                pages_check_root(inst, inst->www, out);
        for (size_t i = 0; i < inst->n_roots; i++)
                if (pages_have_root(inst, inst->roots[i]))
                        pages_check_root(inst, inst->roots[i], out);
        if (inst->n_secrets > SECRETS_MAX)
                instance_finding(inst, FINDING_SECRET_EXPOSED, NULL, SECRETS_MORE,
                                 "every user of this machine can read %zu more files",
                                 inst->n_secrets - SECRETS_MAX);
        if (fclose(out) != 0)
                inst->check->findings.n_lost++;
}
