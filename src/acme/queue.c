/* SPDX-License-Identifier: MIT */
/*
 * For each instance, the queue knows when bellhop-acme must next try to get or renew the
 * certificate. At this time, the instance is due. The queue starts a process for each try, first
 * for the instance that was due first. The settings of a certificate authority limit how many of
 * these processes run for it at the same time, and how many certificates are ordered from it in an
 * hour. If an authority fails for two instances, it is paused, and all its instances wait. Times
 * are of CLOCK_REALTIME, because certificates expire by this clock.
 */
#include <dirent.h>
#include <openssl/evp.h>
#include <signal.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "acme/order.h"
#include "acme/queue.h"
#include "acme/state.h"
#include "config/acme-settings.h"
#include "config/names.h"
#include "config/settings.h"
#include "ctl/ask/hosts.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/notify.h"
#include "util/text.h"

#define ORDERS_OF_TRY_MAX 5

#define USEC_PER_SEC UINT64_C(1000000)
#define HOUR_SEC     UINT64_C(3600)

/* If the process for a due instance can't be started, the instance is tried again after this
 * time. */
#define BLOCKED_SEC 30

/* The longest time for which bellhop-acme sleeps. If the clock is set meanwhile, bellhop-acme
 * notices this only when it wakes up. */
#define WAIT_SEC_MAX 60

/* If a recorded time is further in the future than this, it comes from a wrong clock. */
#define AHEAD_SEC_MAX 60

/* The pause of an authority ends when the instance that caused it is due again, but after this time
 * at the latest. */
#define PAUSE_SEC_MAX HOUR_SEC

typedef struct Authority {
        char name[ACME_NAME_MAX + 1];
        AcmeSettings settings;
        uint64_t paused_at, paused_until;
        uint64_t n_orders; /* in the last hour, and those that running tries may make */
        uint64_t n_running;
        const struct Entry *refused; /* the last instance whose try returned ACME_PAUSE; NULL after
                                        another instance's try has returned ACME_ANSWERED */
        TAILQ_ENTRY(Authority) link;
} Authority;

typedef struct Entry {
        struct Manager *manager;
        char *name; /* of the instance */
        Authority *authority;
        char **hosts;
        size_t n_hosts;
        char wanted[ACME_DIGEST_MAX + 1];
        uint64_t tried, next;
        uint64_t orders[ACME_ORDERS_MAX];
        size_t n_orders;
        sd_event_source *running; /* NULL: no process */
        Authority *running_at;    /* the authority that the process uses */
        uint64_t n_allowed;       /* orders that the process may make */
        uint64_t tried_before;
        bool is_listed; /* the present configuration has the instance */
        TAILQ_ENTRY(Entry) link;
} Entry;

typedef struct Manager {
        const Queue *queue;
        sd_event *event;
        sd_event_source *timer;
        Notify notify;
        TAILQ_HEAD(, Authority) authorities;
        TAILQ_HEAD(, Entry) entries;
        size_t n_entries;
} Manager;

static uint64_t queue_now(void)
{
        return (uint64_t)time(NULL);
}

/* --- authorities --- */

/* If the file of the authority has a mistake, each try reports it, and the queue applies the
 * default limits to this authority. A change of the authority's settings ends its pause. */
static void queue_load_authority(const Manager *manager, Authority *authority)
{
        const AcmeSettings before = authority->settings;
        Config problems = { .n_problems = 0 };

        (void)acme_settings_load(&problems, manager->queue->config_dir, authority->name,
                                 &authority->settings);
        if (memcmp(&before, &authority->settings, sizeof(before)) != 0) {
                authority->paused_until = 0;
                authority->refused = NULL;
        }
        problems_done(&problems);
}

static Authority *queue_authority(Manager *manager, const char *name)
{
        Authority *authority;

        TAILQ_FOREACH (authority, &manager->authorities, link)
                if (strcmp(authority->name, name) == 0)
                        return authority;
        authority = calloc(1, sizeof(*authority));
        if (!authority)
                return NULL;
        (void)snprintf(authority->name, sizeof(authority->name), "%s", name);
        queue_load_authority(manager, authority);
        TAILQ_INSERT_TAIL(&manager->authorities, authority, link);
        return authority;
}

/* --- instances --- */

static Entry *queue_find(const Manager *manager, const char *name)
{
        Entry *entry;

        TAILQ_FOREACH (entry, &manager->entries, link)
                if (strcmp(entry->name, name) == 0)
                        return entry;
        return NULL;
}

static void queue_drop_hosts(Entry *entry)
{
        texts_free(entry->hosts, entry->n_hosts);
        entry->hosts = NULL;
        entry->n_hosts = 0;
}

static void queue_remove(Manager *manager, Entry *entry)
{
        Authority *authority;

        TAILQ_FOREACH (authority, &manager->authorities, link)
                if (authority->refused == entry)
                        authority->refused = NULL;
        TAILQ_REMOVE(&manager->entries, entry, link);
        manager->n_entries--;
        queue_drop_hosts(entry);
        free(entry->name);
        free(entry);
}

static Entry *queue_add(Manager *manager, const char *name)
{
        Entry *entry = calloc(1, sizeof(*entry));

        if (!entry || !(entry->name = strdup(name))) {
                free(entry);
                return NULL;
        }
        entry->manager = manager;
        TAILQ_INSERT_TAIL(&manager->entries, entry, link);
        manager->n_entries++;
        return entry;
}

/* Makes a digest of all data whose change is a reason to try at once. */
static int queue_digest(Entry *entry)
{
        unsigned char digest[ACME_DIGEST_MAX / 2];
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        bool good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
                    EVP_DigestUpdate(context, entry->authority->name,
                                     strlen(entry->authority->name) + 1) == 1 &&
                    EVP_DigestUpdate(context, &entry->authority->settings,
                                     sizeof(entry->authority->settings)) == 1;

        for (size_t i = 0; good && i < entry->n_hosts; i++)
                good = EVP_DigestUpdate(context, entry->hosts[i], strlen(entry->hosts[i]) + 1) == 1;
        good = good && EVP_DigestFinal_ex(context, digest, NULL) == 1;
        EVP_MD_CTX_free(context);
        for (size_t i = 0; good && i < sizeof(digest); i++)
                (void)snprintf(entry->wanted + 2 * i, 3, "%02x", digest[i]);
        return good ? 0 : -ENOMEM;
}

/* Reads the state of the instance, which the process of a try may have changed. */
static void queue_read_state(Entry *entry)
{
        AcmeState state;

        (void)acme_state_read(entry->manager->queue->state_dir, entry->name, &state);
        entry->tried = state.tried;
        entry->next = strcmp(state.wanted, entry->wanted) == 0 ? state.next : 0;
        entry->n_orders = state.n_orders;
        memcpy(entry->orders, state.orders, sizeof(entry->orders));
        acme_state_done(&state);
}

/* Adds or updates the instance if it has Tls=acme. The queue then owns the array of hosts, and
 * *hosts is empty. */
static int queue_take(Manager *manager, const Instance *instance, Hosts *hosts)
{
        Entry *entry = queue_find(manager, instance->name);
        int r;

        if (instance->tls != TLS_ACME || instance->is_suspended)
                return 0;
        if (!entry)
                entry = queue_add(manager, instance->name);
        if (!entry)
                return -ENOMEM;
        entry->authority = queue_authority(manager, instance->acme);
        queue_drop_hosts(entry);
        entry->hosts = take_ptr(hosts->hosts);
        entry->n_hosts = hosts->n_hosts;
        hosts->n_hosts = 0;
        r = entry->authority ? queue_digest(entry) : -ENOMEM;
        if (r == 0) {
                entry->is_listed = true;
                queue_read_state(entry);
        }
        return r;
}

/* Removes the state of removed instances. An instance whose file has a mistake keeps its state. */
static void queue_forget_removed(const Manager *manager)
{
        const Queue *queue = manager->queue;
        _cleanup_free_ char *folder = text_format("%s/instances", queue->state_dir);
        DIR *dir = folder ? opendir(folder) : NULL;

        for (struct dirent *entry; dir && (entry = readdir(dir));) {
                const char *name = entry->d_name;
                _cleanup_free_ char *file = name_path(NAME_INSTANCE_FILE, queue->config_dir, name);

                if (name[0] == '.' || !file || access(file, F_OK) == 0 || errno != ENOENT ||
                    queue_find(manager, name))
                        continue;
                (void)unlinkat(dirfd(dir), name, 0);
                acme_order_forget(queue->state_dir, name);
        }
        if (dir)
                (void)closedir(dir);
}

static int queue_load(Manager *manager)
{
        Config *config = NULL;
        Authority *authority;
        Entry *entry, *next;
        Hosts *hosts;
        int r = config_load(manager->queue->config_dir, CONFIG_USERS_CHECK, NULL, &config);

        if (r < 0)
                return r;
        hosts = hosts_new(config->map, config->n_instances);
        if (!hosts)
                r = -ENOMEM;
        TAILQ_FOREACH (authority, &manager->authorities, link)
                queue_load_authority(manager, authority);
        TAILQ_FOREACH (entry, &manager->entries, link)
                entry->is_listed = false;
        for (uint32_t i = 0; r == 0 && i < config->n_instances; i++)
                r = queue_take(manager, &config->instances[i], &hosts[i]);
        hosts_free(hosts, config->n_instances);
        config_free(config);
        for (entry = TAILQ_FIRST(&manager->entries); entry; entry = next) {
                next = TAILQ_NEXT(entry, link);
                if (!entry->is_listed && !entry->running)
                        queue_remove(manager, entry);
        }
        if (r == 0)
                queue_forget_removed(manager);
        return r;
}

/* --- processes --- */

static void queue_start_due(Manager *manager);

/* A customer can make the tries of one instance fail, for example by reaching the authority's limit
 * of orders for a host. So an authority is paused for all instances only after the tries of two
 * different instances have returned ACME_PAUSE. */
static void queue_note_result(Authority *authority, const Entry *entry, int result)
{
        const uint64_t now = queue_now();

        if (result == ACME_PAUSE && authority->refused && authority->refused != entry) {
                authority->paused_at = now;
                authority->paused_until =
                        entry->next < now + PAUSE_SEC_MAX ? entry->next : now + PAUSE_SEC_MAX;
        }
        if (result == ACME_PAUSE)
                authority->refused = entry;
        else if (result == ACME_ANSWERED && authority->refused != entry)
                authority->refused = NULL;
}

static int queue_on_end(sd_event_source *source, const siginfo_t *info, void *userdata)
{
        Entry *entry = userdata;
        Manager *manager = entry->manager;
        Authority *authority = entry->running_at;
        const uint64_t soon = queue_now() + BLOCKED_SEC;

        entry->running = sd_event_source_disable_unref(entry->running);
        authority->n_running--;
        queue_read_state(entry);
        if (info->si_code != CLD_EXITED)
                log_error("the process that gets a certificate for %s was killed", entry->name);
        /* If the process wrote no new state, for example because the disk is full, the instance
         * would be due again at once. So it waits for BLOCKED_SEC. */
        if ((info->si_code != CLD_EXITED || entry->tried == entry->tried_before) &&
            entry->next < soon) {
                entry->next = soon;
                entry->tried = entry->tried < soon ? entry->tried : soon;
        }
        if (info->si_code == CLD_EXITED)
                queue_note_result(authority, entry, info->si_status);
        if (!entry->is_listed) {
                queue_remove(manager, entry);
                /* The process may have written the state after the instance was removed. */
                queue_forget_removed(manager);
        }
        queue_start_due(manager);
        return 0;
}

static int queue_start(Entry *entry)
{
        const Queue *queue = entry->manager->queue;
        const uint64_t n_left =
                entry->authority->settings.orders_per_hour - entry->authority->n_orders;
        pid_t pid;
        int r;

        entry->n_allowed = n_left < ORDERS_OF_TRY_MAX ? n_left : ORDERS_OF_TRY_MAX;
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0) {
                const AcmeOrder order = { entry->name,       entry->authority->name,
                                          entry->wanted,     entry->hosts,
                                          entry->n_hosts,    entry->n_allowed,
                                          queue->config_dir, queue->state_dir,
                                          queue->challenges, queue->cert_socket,
                                          queue->hook };
                sigset_t none;

                sigemptyset(&none);
                (void)sigprocmask(SIG_SETMASK, &none, NULL);
                _exit((int)acme_order_run(&order));
        }
        r = sd_event_add_child(entry->manager->event, &entry->running, pid, WEXITED, queue_on_end,
                               entry);
        if (r < 0) {
                (void)kill(pid, SIGKILL);
                return r;
        }
        entry->running_at = entry->authority;
        entry->running_at->n_running++;
        entry->running_at->n_orders += entry->n_allowed;
        entry->tried_before = entry->tried;
        return 0;
}

/* --- whose turn it is --- */

static void queue_count_orders(Manager *manager, uint64_t now)
{
        Authority *authority;
        const Entry *entry;

        TAILQ_FOREACH (authority, &manager->authorities, link)
                authority->n_orders = 0;
        TAILQ_FOREACH (entry, &manager->entries, link) {
                if (entry->running)
                        entry->running_at->n_orders += entry->n_allowed;
                for (size_t i = 0; i < entry->n_orders; i++)
                        entry->authority->n_orders += entry->orders[i] + HOUR_SEC > now &&
                                                      entry->orders[i] <= now + AHEAD_SEC_MAX;
        }
}

static bool queue_can_start(const Authority *authority, uint64_t now)
{
        const bool is_paused =
                now < authority->paused_until && authority->paused_at <= now + AHEAD_SEC_MAX;
        const uint64_t n_max = authority->refused ? 1 : authority->settings.orders_max;

        return !is_paused && authority->n_running < n_max &&
               authority->n_orders < authority->settings.orders_per_hour;
}

static bool queue_is_due(const Entry *entry, uint64_t now)
{
        return entry->next <= now || entry->tried > now + AHEAD_SEC_MAX;
}

/* Looks only at instances whose try can start now. Returns the one that has been due for the
 * longest time, or NULL if there is none. */
static Entry *queue_first(const Manager *manager, uint64_t now)
{
        Entry *entry, *first = NULL;

        TAILQ_FOREACH (entry, &manager->entries, link)
                if (entry->is_listed && !entry->running && queue_is_due(entry, now) &&
                    (!first || entry->next < first->next) && queue_can_start(entry->authority, now))
                        first = entry;
        return first;
}

/* Returns when to check the instance again. */
static uint64_t queue_time_of(const Entry *entry, uint64_t now)
{
        const uint64_t pause = entry->authority->paused_until, blocked = now + BLOCKED_SEC;

        if (!queue_is_due(entry, now))
                return entry->next;
        return now < pause && pause < blocked ? pause : blocked;
}

static uint64_t queue_next_time(const Manager *manager, uint64_t now)
{
        uint64_t next = UINT64_MAX;
        const Entry *entry;

        TAILQ_FOREACH (entry, &manager->entries, link)
                if (entry->is_listed && !entry->running) {
                        const uint64_t due = queue_time_of(entry, now);

                        next = due < next ? due : next;
                }
        return next < now + WAIT_SEC_MAX ? next : now + WAIT_SEC_MAX;
}

static void queue_start_due(Manager *manager)
{
        const uint64_t now = queue_now();
        size_t n_running = 0;
        Entry *entry;
        int r;

        queue_count_orders(manager, now);
        while ((entry = queue_first(manager, now))) {
                r = queue_start(entry);
                if (r < 0) {
                        log_error_errno(
                                r, "can't start the process that gets a certificate for %s: %m",
                                entry->name);
                        entry->next = now + BLOCKED_SEC;
                        entry->tried = entry->tried < now ? entry->tried : now;
                }
        }
        TAILQ_FOREACH (entry, &manager->entries, link)
                n_running += entry->running != NULL;
        (void)sd_event_source_set_time_relative(manager->timer, (queue_next_time(manager, now) -
                                                                 now) * USEC_PER_SEC);
        (void)sd_event_source_set_enabled(manager->timer, SD_EVENT_ONESHOT);
        notify_send(&manager->notify, NOTIFY_NOTHING,
                    "%zu instances with Tls=acme, %zu orders in progress", manager->n_entries,
                    n_running);
}

/* --- the loop --- */

static int queue_on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
        queue_start_due(userdata);
        return 0;
}

/* Ends bellhop-acme if no instance has Tls=acme. bellhopctl starts it again for the first instance
 * that gets Tls=acme. */
static int queue_go_on(Manager *manager)
{
        if (TAILQ_EMPTY(&manager->entries))
                return sd_event_exit(manager->event, 0);
        queue_start_due(manager);
        return 0;
}

static int queue_on_hup(sd_event_source *source, const struct signalfd_siginfo *info,
                        void *userdata)
{
        Manager *manager = userdata;
        int r;

        notify_send(&manager->notify, NOTIFY_RELOADING, "Reading the configuration");
        r = queue_load(manager);
        if (r < 0)
                log_error_errno(r, "can't read the configuration: %m");
        notify_send(&manager->notify, NOTIFY_READY, "Ready");
        return queue_go_on(manager);
}

static int queue_on_end_signal(sd_event_source *source, const struct signalfd_siginfo *info,
                               void *userdata)
{
        Manager *manager = userdata;

        return sd_event_exit(manager->event, 0);
}

static int queue_watch(Manager *manager)
{
        static const struct {
                int number;
                sd_event_signal_handler_t handler;
        } signals[] = { { SIGHUP, queue_on_hup },
                        { SIGTERM, queue_on_end_signal },
                        { SIGINT, queue_on_end_signal } };
        sigset_t child;
        int r = sd_event_new(&manager->event);

        sigemptyset(&child);
        (void)sigaddset(&child, SIGCHLD);
        if (r >= 0 && sigprocmask(SIG_BLOCK, &child, NULL) < 0)
                r = -errno;
        if (r >= 0)
                r = notify_open_consume(&manager->notify, manager->event, -EBADF);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(signals); i++)
                r = sd_event_add_signal(manager->event, NULL,
                                        signals[i].number | SD_EVENT_SIGNAL_PROCMASK,
                                        signals[i].handler, manager);
        if (r >= 0)
                r = sd_event_add_time(manager->event, &manager->timer, CLOCK_BOOTTIME, UINT64_MAX,
                                      0, queue_on_time, manager);
        return r;
}

static int queue_make_folders(const Queue *queue)
{
        const char *const folders[][2] = {
                { queue->state_dir, "instances" },    { queue->state_dir, "orders" },
                { queue->state_dir, "accounts" },     { queue->challenges, "http-01" },
                { queue->challenges, "tls-alpn-01" },
        };

        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                _cleanup_free_ char *path = text_format("%s/%s", folders[i][0], folders[i][1]);

                if (!path)
                        return -ENOMEM;
                if (mkdir(path, 0755) < 0 && errno != EEXIST) {
                        log_error("%s: %m", path);
                        return -errno;
                }
        }
        return 0;
}

int queue_run(const Queue *queue)
{
        Manager manager = { .queue = queue };
        int r = queue_make_folders(queue);

        TAILQ_INIT(&manager.authorities);
        TAILQ_INIT(&manager.entries);
        if (r == 0)
                r = queue_watch(&manager);
        if (r >= 0)
                r = queue_load(&manager);
        if (r < 0)
                log_error_errno(r, "can't start: %m");
        if (r >= 0) {
                notify_send(&manager.notify, NOTIFY_READY, "Ready");
                (void)queue_go_on(&manager);
                r = sd_event_loop(manager.event);
        }
        while (!TAILQ_EMPTY(&manager.entries)) {
                Entry *entry = TAILQ_FIRST(&manager.entries);

                /* A running try continues without this process. */
                sd_event_source_disable_unref(entry->running);
                queue_remove(&manager, entry);
        }
        while (!TAILQ_EMPTY(&manager.authorities)) {
                Authority *authority = TAILQ_FIRST(&manager.authorities);

                TAILQ_REMOVE(&manager.authorities, authority, link);
                free(authority);
        }
        sd_event_source_disable_unref(manager.timer);
        notify_done(&manager.notify);
        sd_event_unref(manager.event);
        return r;
}
