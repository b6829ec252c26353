/* SPDX-License-Identifier: MIT */
/*
 * The customer's processes continue during a rename, because the user keeps the old name as a
 * second name. But usermod(8) and userdel(8) refuse to change a user who has processes. So both
 * programs run in their own PID namespace, where they see no other processes.
 */
#include <pwd.h>

#include "ctl/change/files.h"
#include "ctl/change/hold.h"
#include "ctl/change/second-name.h"
#include "util/cleanup.h"
#include "util/text.h"

#define SECOND_NAME_MARK "bellhopctl renames it to "

#define ALONE "unshare", "--fork", "--pid", "--mount-proc"

/* $1 and $2: the old and the new name; $3: the comment; $4 and $5: uid and gid. */
static const char give_script[] =
        "getent passwd \"$2\" >/dev/null || usermod --login \"$2\" \"$1\"\n"
        "useradd --system --non-unique --no-log-init --no-create-home --home-dir /nonexistent "
        "--shell /usr/sbin/nologin --comment \"$3\" --uid \"$4\" --gid \"$5\" \"$1\" || {\n"
        "    usermod --login \"$1\" \"$2\"\n"
        "    exit 1\n"
        "}\n";

/* Removes the old name first. While the old name has a range of subordinate ids, usermod(8) does
 * not add this range to the new name, because both names have the same uid. $1 and $2: the old and
 * the new name. */
static const char remove_script[] =
        "uids=$(grep \"^$1:\" /etc/subuid || :)\n"
        "gids=$(grep \"^$1:\" /etc/subgid || :)\n"
        "userdel \"$1\"\n"
        "for kind in uids gids; do\n"
        "    while IFS=: read -r _ first n; do\n"
        "        [ -z \"$first\" ] || usermod --add-sub$kind \"$first-$((first + n - 1))\" \"$2\"\n"
        "    done <<<\"${!kind}\"\n"
        "done\n";

void named_user_read(const char *name, NamedUser *ret)
{
        const struct passwd *user = getpwnam(name);
        const size_t length = strlen(SECOND_NAME_MARK);

        *ret = (NamedUser){ .exists = user != NULL };
        if (!user)
                return;
        ret->is_ours = user_is_ours(user);
        ret->uid = user->pw_uid;
        ret->gid = user->pw_gid;
        (void)snprintf(ret->home, sizeof(ret->home), "%s", user->pw_dir);
        if (strncmp(user->pw_gecos, SECOND_NAME_MARK, length) == 0)
                (void)snprintf(ret->renamed_to, sizeof(ret->renamed_to), "%s",
                               user->pw_gecos + length);
}

bool named_user_find_third(uid_t uid, const char *from, char ret[static NAME_UNIT_MAX])
{
        const struct passwd *user;
        bool found = false;

        setpwent();
        while (!found && (user = getpwent())) {
                found = user->pw_uid == uid && strcmp(user->pw_name, from) != 0;
                if (found)
                        (void)snprintf(ret, NAME_UNIT_MAX, "%s", user->pw_name);
        }
        endpwent();
        return found;
}

bool second_name_give(const char *from, const char *to, const NamedUser *user)
{
        _cleanup_free_ char *comment = text_format(SECOND_NAME_MARK "%s", to);
        _cleanup_free_ char *uid = text_format("%u", user->uid),
                            *gid = text_format("%u", user->gid);

        return comment && uid && gid &&
               hold_run(from,
                        (const char *const[]){ ALONE, "bash", "-euc", give_script, "bellhopctl",
                                               from, to, comment, uid, gid, NULL });
}

bool second_name_set_home(const char *to, const char *home)
{
        return program_run(
                (const char *const[]){ ALONE, "usermod", "--home", home, "--", to, NULL });
}

bool second_name_remove(const char *from, const char *to)
{
        return program_run((const char *const[]){ ALONE, "bash", "-euc", remove_script,
                                                  "bellhopctl", from, to, NULL });
}
