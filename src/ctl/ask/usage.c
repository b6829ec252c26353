/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "ctl/ask/usage.h"
#include "handoff/bellhop.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/folder-watch.h"
#include "util/text.h"

#define FILE_BYTES_MAX ((size_t)256 * 1024 * 1024)

/* The longest wait for bellhop-usage to write its newest figures. */
#define FRESH_USEC UINT64_C(5000000)

/* Returns the process id of bellhop-usage, which holds a lock on the file "lock" while it runs; 0:
 * no process holds the lock. */
static pid_t usage_find_process(const Ctl *ctl)
{
        struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
        _cleanup_free_ char *path = text_format("%s/lock", ctl->usage_dir);
        _cleanup_close_ int fd = path ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;

        return fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}

static int usage_is_renamed(void *userdata)
{
        return 1;
}

/* Makes bellhop-usage write its newest figures. False: bellhop-usage is not running. */
static bool usage_refresh(const Ctl *ctl)
{
        const pid_t pid = usage_find_process(ctl);

        return pid > 0 &&
               folder_watch(ctl->usage_dir, pid, SIGHUP, clock_monotonic_usec() + FRESH_USEC,
                            usage_is_renamed, NULL) != -ESRCH;
}

static int usage_is_month(const struct dirent *entry)
{
        return month_name_is_valid(entry->d_name);
}

/* Whether the account is of an instance with that name, or of a removed instance that had the name:
 * "alice~20261129T131500Z" had the name "alice". */
static bool usage_is_of(const Account *account, const char *name)
{
        const size_t length = strlen(name);

        return strncmp(account->name, name, length) == 0 &&
               (account->name[length] == 0 || account->name[length] == '~');
}

static int usage_take_account(UsedList *list, const Account *account, const char *month)
{
        const int r = array_append(list->used, list->n, (Used){ .account = *account });

        if (r == 0)
                (void)strcpy(list->used[list->n - 1].month, month);
        return r;
}

static int usage_read_month(const char *path, const char *month, const char *name, bool is_newest,
                            UsedList *list)
{
        _cleanup_free_ char *text = NULL;
        MonthReader reader = { .section = MONTH_IN_NOTHING };
        MonthLine line = { .kind = MONTH_HEAD_LINE };
        const size_t first = list->n;
        size_t size = 0;
        int r = file_read(path, 0, FILE_BYTES_MAX, &text, &size);

        reader.lines.rest = (Span){ (const uint8_t *)text, size };
        while (r == 0 && line.kind != MONTH_END) {
                line = month_next(&reader);
                if (line.kind == MONTH_INVALID)
                        r = -EBADMSG;
                else if (line.kind == MONTH_ACCOUNT && (!name || usage_is_of(&line.account, name)))
                        r = usage_take_account(list, &line.account, month);
        }
        /* When bellhop-usage ends, it notes this in its file. If a file has no such note,
         * bellhop-usage was killed, and the file is incomplete. But if bellhop-usage is running
         * now, it continues the newest file, which is complete even without the note. */
        for (size_t i = first; i < list->n; i++)
                list->used[i].is_complete = reader.head.is_complete &&
                                            list->used[i].account.n_reset == 0 &&
                                            (!reader.head.is_running || (is_newest && list->runs));
        return r;
}

static int usage_compare(const void *a, const void *b)
{
        const Used *x = a, *y = b;
        const int r = strcmp(x->month, y->month);

        return r != 0 ? r : strcmp(x->account.name, y->account.name);
}

int used_list_load(const Ctl *ctl, const char *month, const char *name, UsedList *ret,
                   char **ret_path)
{
        UsedList list = { .runs = usage_refresh(ctl) };
        struct dirent **months = NULL;
        const int n = scandir(ctl->usage_dir, &months, usage_is_month, alphasort);
        int r = n < 0 ? -errno : 0;

        *ret_path = strdup(ctl->usage_dir);
        for (int i = 0; i < n; i++) {
                if (r == 0 && (!month || strcmp(month, months[i]->d_name) == 0)) {
                        free(*ret_path);
                        *ret_path = text_format("%s/%s", ctl->usage_dir, months[i]->d_name);
                        r = *ret_path ? usage_read_month(*ret_path, months[i]->d_name, name,
                                                         i == n - 1, &list)
                                      : -ENOMEM;
                }
                free(months[i]);
        }
        free(months);
        if (list.n > 0)
                qsort(list.used, list.n, sizeof(*list.used), usage_compare);
        if (r < 0)
                used_list_done(&list);
        *ret = list;
        return r;
}

void used_list_done(UsedList *list)
{
        free(list->used);
        list->used = NULL;
        list->n = 0;
}

int used_end_account(const Ctl *ctl, const char *name)
{
        _cleanup_free_ char *path = text_format("%s/" USAGE_SOCKET, ctl->runtime_dir);
        _cleanup_close_ int fd = path ? bellhop_connect(path) : -ENOMEM;
        UsageMessage message;

        if (fd < 0)
                return fd;
        usage_message_init(&message, USAGE_ENDED);
        message.n = 1;
        (void)snprintf(message.records[0].instance, USAGE_NAME_MAX, "%s", name);
        if (send(fd, &message, usage_message_size(&message), MSG_NOSIGNAL) < 0)
                return -errno;
        return usage_refresh(ctl) ? 0 : -EAGAIN;
}
