/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/param.h>

#include "usage/ledger.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/open-regular.h"
#include "util/text.h"

/* usage/ledger.h explains ticks, owners and orphans. */

/* The ledger forgets a connection that the kernel has not listed for this number of ticks. The
 * number is large, because the kernel stops listing a connection that was reset, but still reports
 * its end when the instance closes it. */
#define TICKS_UNSEEN 60
/* The ledger forgets an orphan after this number of ticks. Usually, the router reports the owner of
 * a connection before the connection ends, but it may have to wait for room in the socket of
 * bellhop-usage. */
#define TICKS_ORPHAN 2

#define ORPHANS_MAX 65536

#define FILE_BYTES_MAX (256 * 1024 * 1024)

/* --- accounts --- */

static uint32_t *ledger_index_place(const Ledger *ledger, const char *name)
{
        uint64_t hash = UINT64_C(0xCBF29CE484222325); /* FNV-1a */
        size_t i;

        for (const char *c = name; *c; c++)
                hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001B3);
        i = (size_t)hash & (ledger->n_index - 1);
        while (ledger->index[i] != 0 &&
               strcmp(ledger->accounts[ledger->index[i] - 1].name, name) != 0)
                i = (i + 1) & (ledger->n_index - 1);
        return &ledger->index[i];
}

static int ledger_index_again(Ledger *ledger, size_t n_index)
{
        uint32_t *index = calloc(n_index, sizeof(*index));

        if (!index)
                return -ENOMEM;
        free(ledger->index);
        ledger->index = index;
        ledger->n_index = n_index;
        for (size_t i = 0; i < ledger->n_accounts; i++)
                *ledger_index_place(ledger, ledger->accounts[i].name) = (uint32_t)i + 1;
        return 0;
}

/* Returns the account with that name, and makes it if it does not exist. Returns NULL if there is
 * no room for it. */
static Account *ledger_account(Ledger *ledger, const char *name)
{
        Account account = { .cpu_nsec = ACCOUNT_UNKNOWN, .requests = ACCOUNT_UNKNOWN };
        uint32_t *place = ledger->n_index > 0 ? ledger_index_place(ledger, name) : NULL;

        if (place && *place != 0)
                return &ledger->accounts[*place - 1];
        if (strlen(name) >= sizeof(account.name) || ledger->n_accounts >= ledger->accounts_max)
                return NULL;
        (void)strcpy(account.name, name);
        if (array_append(ledger->accounts, ledger->n_accounts, account) < 0)
                return NULL;
        if (2 * ledger->n_accounts > ledger->n_index) {
                if (ledger_index_again(ledger, ledger->n_index > 0 ? 2 * ledger->n_index : 64) <
                    0) {
                        ledger->n_accounts--;
                        return NULL;
                }
        } else {
                *ledger_index_place(ledger, name) = (uint32_t)ledger->n_accounts;
        }
        return &ledger->accounts[ledger->n_accounts - 1];
}

void ledger_lose(Ledger *ledger)
{
        ledger->head.is_complete = false;
}

void ledger_use_socket(Ledger *ledger, uint64_t socket)
{
        if (ledger->head.socket != 0 && ledger->head.socket != socket)
                ledger_lose(ledger);
        ledger->head.socket = socket;
}

static Account *ledger_account_or_lose(Ledger *ledger, const char *name)
{
        Account *account = ledger_account(ledger, name);

        if (!account) {
                ledger->n_missed++;
                ledger_lose(ledger);
        }
        return account;
}

static void ledger_add(uint64_t *number, uint64_t more)
{
        *number = (*number == ACCOUNT_UNKNOWN ? 0 : *number) + more;
}

/* --- connections --- */

static void ledger_forget(Ledger *ledger, Open *open)
{
        if (open->account == OPEN_NOBODY)
                ledger->n_orphans--;
        open_table_remove(&ledger->open, open);
}

void ledger_hand_off(Ledger *ledger, uint64_t cookie, const char *name, uint64_t n_received)
{
        Account *account = ledger_account_or_lose(ledger, name);
        Open *open = cookie != 0 ? open_table_find(&ledger->open, cookie) : NULL;

        if (!account || cookie == 0)
                return;
        if (open && open->account == OPEN_NOBODY) {
                account->sent += open->sent;
                account->received += open->received;
                account->n_reset += open->received < n_received;
                ledger_forget(ledger, open);
        } else if (!open) {
                open = open_table_add(&ledger->open, cookie);
                if (open) {
                        open->account = (uint32_t)(account - ledger->accounts);
                        open->stamp = ledger->stamp;
                        open->n_least = n_received;
                } else {
                        ledger->n_missed++;
                        ledger_lose(ledger);
                }
        }
}

static void ledger_count(Ledger *ledger, Open *open, const DiagMessage *message)
{
        Account *account = &ledger->accounts[open->account];

        open->stamp = ledger->stamp;
        if (message->sent > open->sent) {
                account->sent += message->sent - open->sent;
                open->sent = message->sent;
        }
        if (message->received > open->received) {
                account->received += message->received - open->received;
                open->received = message->received;
        }
        open->n_least = MAX(open->n_least, open->received);
}

void ledger_see(Ledger *ledger, const DiagMessage *message)
{
        Open *open = open_table_find(&ledger->open, message->cookie);

        if (open && open->account != OPEN_NOBODY)
                ledger_count(ledger, open, message);
}

void ledger_end(Ledger *ledger, const DiagMessage *message)
{
        Open *open = message->cookie != 0 ? open_table_find(&ledger->open, message->cookie) : NULL;

        if (open && open->account != OPEN_NOBODY) {
                ledger_count(ledger, open, message);
                /* Fewer bytes than before mean that the instance has disconnected the socket by
                 * connect(2), which sets the figures to 0. */
                ledger->accounts[open->account].n_reset += message->received < open->n_least;
                ledger_forget(ledger, open);
        } else if (!open && message->cookie != 0 && ledger->n_orphans < ORPHANS_MAX &&
                   (open = open_table_add(&ledger->open, message->cookie))) {
                open->account = OPEN_NOBODY;
                open->stamp = ledger->stamp;
                open->sent = message->sent;
                open->received = message->received;
                ledger->n_orphans++;
        }
}

/* --- processor time and requests --- */

void ledger_add_cpu(Ledger *ledger, const char *name, uint64_t group, uint64_t nsec)
{
        Account *account = ledger_account_or_lose(ledger, name);

        if (!account)
                return;
        if (ledger->is_new)
                ledger_add(&account->cpu_nsec, 0);
        else if (account->group == group && nsec >= account->group_nsec)
                ledger_add(&account->cpu_nsec, nsec - account->group_nsec);
        else
                ledger_add(&account->cpu_nsec, nsec);
        account->group = group;
        account->group_nsec = nsec;
}

bool ledger_is_reporter(const Ledger *ledger, const char *name, uint64_t reporter)
{
        const uint32_t *place = ledger->n_index > 0 ? ledger_index_place(ledger, name) : NULL;

        return place && *place != 0 && ledger->accounts[*place - 1].reporter == reporter;
}

void ledger_add_requests(Ledger *ledger, const char *name, uint64_t reporter, uint64_t n)
{
        Account *account = ledger_account_or_lose(ledger, name);

        if (!account || n == ACCOUNT_UNKNOWN)
                return;
        if (account->reporter == reporter && n >= account->n_reported)
                ledger_add(&account->requests, n - account->n_reported);
        else
                ledger_add(&account->requests, n);
        account->reporter = reporter;
        account->n_reported = n;
}

/* --- files --- */

static int ledger_read(int dir_fd, const char *name, char **ret, size_t *ret_size)
{
        struct stat st;
        _cleanup_close_ int fd = open_regular(dir_fd, name, O_NOFOLLOW, &st);
        _cleanup_free_ char *text = NULL;
        ssize_t n;

        if (fd < 0)
                return fd == -EINVAL ? -EBADMSG : fd;
        if (st.st_size > FILE_BYTES_MAX)
                return -EFBIG;
        text = malloc((size_t)st.st_size + 1);
        if (!text)
                return -ENOMEM;
        n = read(fd, text, (size_t)st.st_size);
        if (n != st.st_size)
                return n < 0 ? -errno : -EIO;
        text[n] = 0;
        *ret = take_ptr(text);
        *ret_size = (size_t)n;
        return 0;
}

static int ledger_write(int dir_fd, const char *name, const char *text, size_t size)
{
        char new[NAME_MAX];
        _cleanup_close_ int fd = -EBADF;

        (void)snprintf(new, sizeof(new), "%s.new", name);
        fd = openat(dir_fd, new, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        for (size_t done = 0; done < size;) {
                const ssize_t n = write(fd, text + done, size - done);

                if (n < 0)
                        return -errno;
                done += (size_t)n;
        }
        if (fdatasync(fd) < 0)
                return -errno;
        return renameat(dir_fd, new, dir_fd, name) < 0 ? -errno : 0;
}

static void ledger_write_accounts(const Ledger *ledger, FILE *file)
{
        char line[MONTH_LINE_MAX];

        fputs(MONTH_ACCOUNTS, file);
        for (size_t i = 0; i < ledger->n_accounts; i++) {
                const Account *a = &ledger->accounts[i];
                const bool is_empty = a->sent == 0 && a->received == 0 && a->group == 0 &&
                                      a->cpu_nsec == ACCOUNT_UNKNOWN &&
                                      a->requests == ACCOUNT_UNKNOWN && a->reporter == 0 &&
                                      a->n_reset == 0;

                if (!is_empty)
                        (void)fwrite(line, 1, month_format_account(a, line), file);
        }
}

static void ledger_write_connections(const Ledger *ledger, FILE *file)
{
        char line[MONTH_LINE_MAX];

        fputs(MONTH_CONNECTIONS, file);
        for (size_t i = 0; i < ledger->open.n_places; i++) {
                const Open *open = &ledger->open.places[i];
                OpenConnection connection = { .cookie = open->cookie,
                                              .sent = open->sent,
                                              .received = open->received };

                if (open->cookie == 0 || open->account == OPEN_NOBODY)
                        continue;
                (void)strcpy(connection.name, ledger->accounts[open->account].name);
                (void)fwrite(line, 1, month_format_connection(&connection, line), file);
        }
}

static int ledger_write_month(Ledger *ledger, bool with_connections)
{
        _cleanup_free_ char *text = NULL;
        char head[MONTH_LINE_MAX];
        size_t size = 0;
        FILE *file = open_memstream(&text, &size);

        if (!file)
                return -ENOMEM;
        (void)fwrite(head, 1, month_format_head(&ledger->head, head), file);
        ledger_write_accounts(ledger, file);
        if (with_connections)
                ledger_write_connections(ledger, file);
        if (fclose(file) != 0)
                return -ENOMEM;
        return ledger_write(ledger->dir_fd, ledger->month, text, size);
}

int ledger_save(Ledger *ledger, bool is_running)
{
        ledger->head.is_running = is_running;
        return ledger_write_month(ledger, true);
}

/* --- months --- */

static void ledger_name_month(time_t now, char ret[static MONTH_NAME_MAX])
{
        struct tm tm;

        (void)strftime(ret, MONTH_NAME_MAX, "%Y-%m", gmtime_r(&now, &tm));
}

/* Replaces an account in memory by kept, the same account in a file. If the clock was set
 * back to the month of this file, the account in memory already has a last seen state (see
 * Account). This state stays, because it is newer. The state in kept is useless if it is from
 * another boot. */
static void ledger_take_account(Account *account, const Account *kept, bool is_same_boot)
{
        const Account seen = *account;

        *account = *kept;
        if (seen.group != 0 || !is_same_boot) {
                account->group = seen.group;
                account->group_nsec = seen.group_nsec;
        }
        if (seen.reporter != 0 || !is_same_boot) {
                account->reporter = seen.reporter;
                account->n_reported = seen.n_reported;
        }
}

static int ledger_take_line(Ledger *ledger, const MonthLine *line, bool is_same_boot)
{
        Account *account;
        Open *open;

        if (line->kind == MONTH_ACCOUNT) {
                account = ledger_account_or_lose(ledger, line->account.name);
                if (account)
                        ledger_take_account(account, &line->account, is_same_boot);
        } else if (line->kind == MONTH_CONNECTION && is_same_boot) {
                account = ledger_account_or_lose(ledger, line->connection.name);
                open = !account || line->connection.cookie == 0 ||
                                       open_table_find(&ledger->open, line->connection.cookie)
                               ? NULL
                               : open_table_add(&ledger->open, line->connection.cookie);
                if (open) {
                        open->account = (uint32_t)(account - ledger->accounts);
                        open->sent = line->connection.sent;
                        open->received = open->n_least = line->connection.received;
                }
        }
        return line->kind == MONTH_INVALID ? -EBADMSG : 0;
}

/* Reads the file of a month. Sets *was_cut to true if bellhop-usage was killed before it wrote all
 * figures. */
static int ledger_load(Ledger *ledger, const char *month, const char *boot, bool *was_cut)
{
        _cleanup_free_ char *text = NULL;
        MonthReader reader = { .section = MONTH_IN_NOTHING };
        size_t size;
        MonthLine line;
        int r = ledger_read(ledger->dir_fd, month, &text, &size);

        if (r < 0)
                return r;
        reader.lines.rest = (Span){ (const uint8_t *)text, size };
        do {
                line = month_next(&reader);
                r = ledger_take_line(ledger, &line, strcmp(reader.head.boot, boot) == 0);
        } while (r == 0 && line.kind != MONTH_END);
        if (ledger->head.boot[0] == 0 && strcmp(reader.head.boot, boot) == 0) {
                ledger->head.router = reader.head.router;
                ledger->head.socket = reader.head.socket;
        }
        *was_cut = reader.head.is_running;
        ledger->head.is_complete = reader.head.is_complete && !*was_cut;
        return r;
}

/* Sets the figures of all accounts to zero for a new month, but keeps their last seen state. */
static void ledger_clear(Ledger *ledger)
{
        for (size_t i = 0; i < ledger->n_accounts; i++) {
                Account *account = &ledger->accounts[i];

                account->sent = account->received = 0;
                account->cpu_nsec = account->requests = ACCOUNT_UNKNOWN;
                account->n_reset = 0;
        }
}

static int ledger_is_month(const struct dirent *entry)
{
        return month_name_is_valid(entry->d_name);
}

/* Finds the newest month that has a file, or returns -ENOENT. */
static int ledger_find_last(const Ledger *ledger, char ret[static MONTH_NAME_MAX])
{
        struct dirent **entries = NULL;
        const int n = scandirat(ledger->dir_fd, ".", &entries, ledger_is_month, alphasort);

        if (n > 0)
                (void)strcpy(ret, entries[n - 1]->d_name);
        for (int i = 0; i < n; i++)
                free(entries[i]);
        free(entries);
        return n < 0 ? -errno : n == 0 ? -ENOENT : 0;
}

static int ledger_lock(Ledger *ledger)
{
        const struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

        ledger->lock_fd = openat(ledger->dir_fd, LEDGER_LOCK,
                                 O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (ledger->lock_fd < 0)
                return -errno;
        if (fcntl(ledger->lock_fd, F_SETLK, &lock) < 0)
                return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
        return 0;
}

int ledger_open(Ledger *ledger, const char *dir, const char *boot, time_t now)
{
        char last[MONTH_NAME_MAX];
        bool was_cut = false;
        int r;

        ledger->lock_fd = -EBADF;
        ledger->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (ledger->dir_fd < 0)
                return -errno;
        r = ledger_lock(ledger);
        if (r < 0)
                return r;
        ledger_name_month(now, ledger->month);
        ledger->head.is_complete = true;
        r = ledger_load(ledger, ledger->month, boot, &was_cut);
        if (r == -ENOENT && (r = ledger_find_last(ledger, last)) == 0) {
                r = ledger_load(ledger, last, boot, &was_cut);
                ledger_clear(ledger);
                ledger->head.is_complete = !was_cut;
        } else if (r == -ENOENT) {
                ledger->is_new = true;
        }
        (void)snprintf(ledger->head.boot, sizeof(ledger->head.boot), "%s", boot);
        return r == -ENOENT ? 0 : r;
}

void ledger_done(Ledger *ledger)
{
        open_table_done(&ledger->open);
        free(ledger->accounts);
        free(ledger->index);
        ledger->lock_fd = close_fd(ledger->lock_fd);
        ledger->dir_fd = close_fd(ledger->dir_fd);
}

static bool ledger_is_stale(const Open *open, void *userdata)
{
        Ledger *ledger = userdata;
        const bool is_orphan = open->account == OPEN_NOBODY;
        const bool goes = ledger->stamp - open->stamp > (is_orphan ? TICKS_ORPHAN : TICKS_UNSEEN);

        if (goes && is_orphan)
                ledger->n_orphans--;
        else if (goes)
                ledger->accounts[open->account].n_reset++;
        return goes;
}

int ledger_tick(Ledger *ledger, time_t now)
{
        char month[MONTH_NAME_MAX];
        bool was_cut;
        int r;

        ledger->stamp++;
        ledger->is_new = false;
        open_table_sweep(&ledger->open, ledger_is_stale, ledger);
        ledger_name_month(now, month);
        if (strcmp(month, ledger->month) == 0)
                return 0;
        ledger->head.is_running = false;
        r = ledger_write_month(ledger, false);
        if (r < 0)
                return r;
        (void)strcpy(ledger->month, month);
        ledger_clear(ledger);
        ledger->head.is_complete = true;
        /* If the clock was set back to this month, its file already exists. */
        r = ledger_load(ledger, month, ledger->head.boot, &was_cut);
        return r == -ENOENT ? 0 : r;
}

/* --- removed customers --- */

static int ledger_rename_in_file(const Ledger *ledger, const char *month, const char *name,
                                 const char *new_name)
{
        _cleanup_free_ char *text = NULL, *key = text_format("\n%s=", name), *all = NULL;
        char *at;
        size_t size;
        int r = ledger_read(ledger->dir_fd, month, &text, &size);

        if (r < 0 || !key)
                return r < 0 ? r : -ENOMEM;
        /* The search begins at this heading, because the keys above it, such as BOOT, are not names
         * of instances. */
        at = strstr(text, "\n" MONTH_ACCOUNTS);
        at = at ? strstr(at + 1, key) : NULL;
        if (!at)
                return 0;
        *at = 0;
        all = text_format("%s\n%s=%s", text, new_name, at + strlen(key));
        return all ? ledger_write(ledger->dir_fd, month, all, strlen(all)) : -ENOMEM;
}

int ledger_close_account(Ledger *ledger, const char *name, time_t now)
{
        Account *account = ledger_account(ledger, name);
        struct dirent **entries = NULL;
        char new_name[ACCOUNT_NAME_MAX];
        struct tm tm;
        int n, r = 0;

        if (!account)
                return -ENOSPC;
        /* If two accounts with this name are closed in one second, the later one gets the time of
         * the next second. */
        do {
                (void)snprintf(new_name, sizeof(new_name), "%s~", name);
                (void)strftime(new_name + strlen(new_name), sizeof(new_name) - strlen(new_name),
                               "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
                now++;
        } while (*ledger_index_place(ledger, new_name) != 0);
        (void)strcpy(account->name, new_name);
        /* No unit or report has the new name, so the last seen state is useless. It is set to 0, so
         * that files of later months get no line for this account. */
        account->group = account->group_nsec = account->reporter = account->n_reported = 0;
        if (ledger_index_again(ledger, ledger->n_index) < 0)
                return -ENOMEM;
        n = scandirat(ledger->dir_fd, ".", &entries, ledger_is_month, alphasort);
        for (int i = 0; i < n; i++) {
                if (r == 0 && strcmp(entries[i]->d_name, ledger->month) != 0)
                        r = ledger_rename_in_file(ledger, entries[i]->d_name, name, new_name);
                free(entries[i]);
        }
        free(entries);
        return r < 0 ? r : ledger_save(ledger, true);
}
