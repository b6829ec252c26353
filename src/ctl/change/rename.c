/* SPDX-License-Identifier: MIT */
#include <grp.h>
#include <sys/stat.h>

#include "config/config.h"
#include "ctl/ask/access.h"
#include "ctl/change/ending.h"
#include "ctl/change/hold.h"
#include "ctl/change/rename.h"
#include "util/cleanup.h"
#include "util/text.h"

#define MAIL_DIR "/var/mail"

char *rename_record(const char *to, const char *from)
{
        char unit[NAME_UNIT_MAX];

        return text_format("/etc/systemd/system/%s/" RENAME_RECORD "%s.conf",
                           name_unit(NAME_SERVICE_DROP_IN_DIR, to, unit), from);
}

char *rename_kept(size_t number, const char *name)
{
        return text_format("%s/%s", kept_by_name[number] ? kept_by_name[number] : MAIL_DIR, name);
}

bool rename_is_link(const char *path)
{
        struct stat st;

        return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

/* Finds the old and the new path of the home. Leaves both empty if the home is not named after the
 * user, or if users other than root can change the folder that contains the home. */
static void rename_find_home(Rename *rename)
{
        const char *home = rename->user.renamed_to[0] || !rename->user.exists ? rename->other.home
                                                                              : rename->user.home;
        const char *name = strrchr(home, '/');
        const int length = name ? (int)(name - home) : 0;
        char parent[PATH_MAX];
        Access access;

        if (length == 0 || (strcmp(name + 1, rename->from) != 0 &&
                            !(rename->has_begun && strcmp(name + 1, rename->to) == 0)))
                return;
        (void)snprintf(parent, sizeof(parent), "%.*s", length, home);
        if (access_ask_roots(parent, &access) != 0 || access.error != 0 ||
            snprintf(rename->old_home, PATH_MAX, "%s/%s", parent, rename->from) >= PATH_MAX ||
            snprintf(rename->new_home, PATH_MAX, "%s/%s", parent, rename->to) >= PATH_MAX)
                rename->old_home[0] = rename->new_home[0] = 0;
}

/* Whether the user has only the new name, but other parts of the instance still have the old one,
 * because an earlier bellhopctl was killed. */
static bool rename_lacks_second_name(const Rename *rename)
{
        const char *name = strrchr(rename->other.home, '/');

        return rename->other.exists &&
               (rename_is_link(rename->old.www) || rename_is_link(rename->old.snippets) ||
                (place_exists(rename->old.file) && name && strcmp(name + 1, rename->from) == 0));
}

static bool rename_find_begun(Rename *rename)
{
        _cleanup_free_ char *record = rename_record(rename->to, rename->from);

        if (!record)
                return change_good(rename->to, -ENOMEM);
        if (rename->user.exists)
                rename->has_begun =
                        rename->other.exists && strcmp(rename->user.renamed_to, rename->to) == 0;
        else if (rename_lacks_second_name(rename))
                rename->has_begun = true;
        else
                rename->is_done = rename->other.exists && place_exists(record);
        return true;
}

static CtlStatus rename_check_user(const Rename *rename)
{
        const NamedUser *user = &rename->user;
        char third[NAME_UNIT_MAX] = "";

        if (!user->exists)
                return change_explain_missing(NULL, rename->from, false);
        else if (user->renamed_to[0])
                output_error("A rename of %s is not finished. First run: bellhopctl rename %s %s",
                             rename->from, rename->from, user->renamed_to);
        else if (rename->other.exists)
                output_error("User %s already exists%s. Choose another name.", rename->to,
                             rename->other.uid == user->uid ? ", with the same uid" : "");
        else if (named_user_find_third(user->uid, rename->from, third))
                output_error("User %s has the same uid as %s. If a rename of %s is not finished, "
                             "finish it first. Otherwise, give one of them another uid.",
                             third, rename->from, third);
        else
                return CTL_FINE;
        return CTL_FAILED;
}

static CtlStatus rename_check_file(const Rename *rename)
{
        const char *dir = rename->change.ctl->config_dir;
        Config *config = NULL;
        CtlStatus status = CTL_FINE;

        if (!change_good(dir, config_load(dir, CONFIG_USERS_CHECK, NULL, &config)))
                return CTL_FAILED;
        if (config_find_instance(config, rename->from) == ROUTE_NONE)
                status = change_explain_missing(config, rename->from,
                                                place_exists(rename->old.file));
        config_free(config);
        return status;
}

static CtlStatus rename_check_free(const char *path, const char *name)
{
        if (!place_exists(path))
                return CTL_FINE;
        output_error("%s already exists. Choose another name than %s, or move it away.", path,
                     name);
        return CTL_FAILED;
}

static int rename_use_first(const char *place, void *userdata)
{
        (void)snprintf(userdata, PATH_MAX, "%s", place);
        return 1;
}

/* Checks that nothing has the new name yet: the customer must not get files of other users. */
static CtlStatus rename_check_new_places(const Rename *rename)
{
        const Places *new = &rename->new;
        char settings[PATH_MAX] = "";
        const char *const places[] = { new->file,        new->tls,   new->snippets, new->www,
                                       new->state,       new->cache, new->logs,     new->wanted,
                                       rename->new_home, settings };
        CtlStatus status = CTL_FINE;

        (void)settings_find(rename->to, rename_use_first, settings);
        for (size_t i = 0; status == CTL_FINE && i < ELEMENTSOF(places); i++)
                if (places[i][0])
                        status = rename_check_free(places[i], rename->to);
        for (size_t i = 0; status == CTL_FINE && i < RENAME_KEPT; i++) {
                _cleanup_free_ char *path = rename_kept(i, rename->to);

                status = path ? rename_check_free(path, rename->to) : output_no_memory();
        }
        if (status == CTL_FINE && rename->has_group && getgrnam(rename->to)) {
                output_error("Group %s already exists. Choose another name, or remove the group: "
                             "groupdel %s",
                             rename->to, rename->to);
                status = CTL_FAILED;
        }
        return status;
}

/* Checks that nothing is mounted in the folders of the instance: a mount point can't be renamed,
 * and fstab(5) or a mount unit would still have the old name. */
static CtlStatus rename_check_mounts(const Rename *rename)
{
        const Places *old = &rename->old;
        const char *const places[] = { old->tls,   old->snippets, old->www,        old->state,
                                       old->cache, old->logs,     rename->old_home };

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                _cleanup_free_ char *mount = NULL;

                if (!places[i][0] || !place_exists(places[i]))
                        continue;
                if (!change_good("The list of mounts can't be read", mount_find(places[i], &mount)))
                        return CTL_FAILED;
                if (mount) {
                        output_error("A file system is mounted in %s, so the folder can't be "
                                     "renamed. Unmount the file system first.",
                                     places[i]);
                        return CTL_FAILED;
                }
        }
        return CTL_FINE;
}

typedef struct Search {
        Mentions mentions;
        const char *name;
} Search;

/* Searches one file or folder for the name, except records of renames (rename_record()), which
 * contain former names on purpose. */
static int rename_search(const char *place, void *userdata)
{
        Search *search = userdata;

        return mentions_add(&search->mentions, place, search->name, RENAME_RECORD);
}

int rename_find_mentions(const Rename *rename, const char *name, Mentions *ret)
{
        Search search = { .name = rename->from };
        _cleanup_free_ char *snippets =
                name_path(NAME_SNIPPET_DIR, rename->change.ctl->config_dir, name);
        int r = snippets ? rename_search(snippets, &search) : -ENOMEM;

        if (r == 0)
                r = settings_find(name, rename_search, &search);
        *ret = search.mentions;
        return r;
}

/* Reports settings of root that contain the old name, because they would be wrong after the
 * rename. */
static CtlStatus rename_check_mentions(Rename *rename)
{
        const Ctl *ctl = rename->change.ctl;
        Mentions found;
        int r = rename_find_mentions(rename, rename->from, &found);

        for (size_t i = 0; r == 0 && !ctl->yes && i < found.n; i++)
                if (ctl->dry_run)
                        (void)change_step(&rename->change, "by-hand",
                                          "correct by hand: %s:%u contains the old name %s",
                                          found.mentions[i].file, found.mentions[i].line,
                                          rename->from);
                else
                        output_error("%s:%u contains the old name %s.", found.mentions[i].file,
                                     found.mentions[i].line, rename->from);
        if (r == 0 && found.n > 0 && !ctl->yes && !ctl->dry_run) {
                output_error("Nothing was changed, because the lines shown above contain the old "
                             "name, and would be wrong after the rename. Replace the name with "
                             "${BELLHOP_INSTANCE} or ${BELLHOP_WWW} in snippets, ${USER} in "
                             "php.fpm, and %%i in units. Or add --yes, and correct these lines "
                             "after the rename.");
                r = 1;
        }
        mentions_done(&found);
        return change_good(rename->old.snippets, r) && r == 0 ? CTL_FINE : CTL_FAILED;
}

/* Checks that bellhopctl created the user, or that --yes is given. If bellhopctl did not create the
 * user, other programs may use the name, for example for mail, FTP or a database. */
static CtlStatus rename_check_owner(const Rename *rename)
{
        if (rename->user.is_ours || rename->change.ctl->yes || rename->change.ctl->dry_run)
                return CTL_FINE;
        output_error("bellhopctl did not create user %s, so other programs may use the name. Add "
                     "--yes to rename the user anyway.",
                     rename->from);
        return CTL_FAILED;
}

CtlStatus rename_prepare(Rename *rename)
{
        CtlStatus status;

        if (!rename->change.ctl->dry_run && !hold_wait(rename->change.bus, rename->from))
                return CTL_FAILED;
        named_user_read(rename->from, &rename->user);
        named_user_read(rename->to, &rename->other);
        rename->has_group = getgrnam(rename->from);
        if (!rename_find_begun(rename))
                return CTL_FAILED;
        rename_find_home(rename);
        if (rename->has_begun || rename->is_done)
                return CTL_FINE;
        status = rename_check_user(rename);
        if (status == CTL_FINE)
                status = rename_check_file(rename);
        if (status == CTL_FINE)
                status = rename_check_new_places(rename);
        if (status == CTL_FINE)
                status = rename_check_mounts(rename);
        if (status == CTL_FINE)
                status = rename_check_owner(rename);
        return status == CTL_FINE ? rename_check_mentions(rename) : status;
}
