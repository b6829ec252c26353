/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>

#include "config/settings.h"
#include "mail/session.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/deadline.h"
#include "util/log.h"
#include "util/text.h"

#define USEC_PER_SEC UINT64_C(1000000)

/* Changed counts are written to disk after this delay. A crash loses changes that are not yet
 * written. */
#define SAVE_USEC USEC_PER_SEC

/* At most this number of connections are accepted before other events are handled. */
#define ACCEPTS_MAX 16

#define MAIL_NAME_FILE "/etc/mailname"

/* --- settings --- */

/* Takes the name of this machine from the file that Debian's mail servers use, or from the kernel.
 */
static void door_find_name(MailSettings *settings)
{
        _cleanup_fclose_ FILE *file = fopen(MAIL_NAME_FILE, "re");
        char text[MAIL_NAME_MAX + 2] = "";
        Hostname host;

        if (!file || !fgets(text, sizeof(text), file))
                (void)gethostname(text, sizeof(text) - 1);
        text[strcspn(text, "\n")] = 0;
        if (hostname_parse(span_from_string(text), &host) != HOSTNAME_OK)
                (void)strcpy(host.name, "localhost");
        (void)strcpy(settings->name, host.name);
}

/* If mail.conf has a mistake, all earlier settings stay in force. When the service starts
 * (is_first), there are no earlier settings, so all settings have their defaults. */
static int door_load_settings(Door *door, bool is_first)
{
        Config problems = { .n_problems = 0 };
        MailSettings settings;
        const int r = mail_settings_load(&problems, door->config_dir, &settings);
        bool has_problems;

        if (r < 0)
                log_error_errno(r, "can't read the settings: %m");
        for (size_t i = 0; i < problems.n_problems; i++)
                log_error("%s", problems.problems[i].text);
        has_problems = problems.n_problems > 0;
        problems_done(&problems);
        if (r < 0 || (has_problems && !is_first))
                return r;
        if (!settings.name[0])
                door_find_name(&settings);
        door->settings = settings;
        return 0;
}

/* --- interface --- */

void door_log(Door *door, LogLimit *limit, const char *instance, const char *text)
{
        const LogFields fields = { .instance = instance };
        unsigned n;

        limit->interval_usec = 600 * USEC_PER_SEC;
        limit->burst = 1;
        if (!log_limit_pass(limit, event_now(door->event), &n))
                return;
        log_full(LOG_WARNING, &fields, "%s%s%s%s", instance ? instance : "", instance ? ": " : "",
                 text, n > 0 ? "; repeatedly since the last such line" : "");
}

static int door_on_save(sd_event_source *source, uint64_t usec, void *userdata)
{
        Door *door = userdata;
        const int r = door->budget.has_changed ? budget_save(&door->budget, door->state_dir) : 0;

        if (r < 0)
                log_error_errno(r,
                                "can't write %s/" BUDGET_FILE ": %m; a restart loses the "
                                "counts",
                                door->state_dir);
        notify_send(&door->notify, NOTIFY_NOTHING,
                    "%zu connections from programs, %zu connections to the mail server",
                    door->n_sessions, door->n_relays);
        return 0;
}

void door_save_later(Door *door)
{
        int enabled = SD_EVENT_OFF;

        (void)sd_event_source_get_enabled(door->save, &enabled);
        if (enabled != SD_EVENT_OFF)
                return;
        (void)sd_event_source_set_time_relative(door->save, SAVE_USEC);
        (void)sd_event_source_set_enabled(door->save, SD_EVENT_ONESHOT);
}

void door_next(Door *door)
{
        while (door->n_relays < door->settings.relays_max && !TAILQ_EMPTY(&door->waiting))
                session_relay(TAILQ_FIRST(&door->waiting));
}

/* --- connections --- */

__attribute__((format(printf, 2, 3))) static void door_refuse(int fd, const char *format, ...)
{
        char text[RELAY_REPLY_MAX];
        va_list args;
        int n;

        va_start(args, format);
        n = vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        (void)send(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static size_t door_count_of(const Door *door, uid_t uid)
{
        const Session *session;
        size_t n = 0;

        LIST_FOREACH (session, &door->sessions, link)
                n += session->uid == uid;
        return n;
}

int door_admit(Door *door, int fd, uid_t uid, MailLimits *ret)
{
        const struct passwd *user = getpwuid(uid);
        const char *name = user && uid != 0 ? user->pw_name : NULL;
        int r = name && instance_name_is_valid(name)
                        ? mail_limits_load(door->config_dir, name, &door->settings, ret)
                        : -ENOENT;

        if (r == 0)
                r = budget_find(&door->budget, name, uid);
        if (r == -ENOENT)
                door_refuse(fd, "554 5.7.1 only customers of bellhop can send mail here\r\n");
        else if (r == -EACCES)
                door_refuse(fd, "421 4.7.1 the site is suspended\r\n");
        else if (r < 0)
                door_refuse(fd, "421 4.3.0 the settings of the site can't be read\r\n");
        return r;
}

/* When the session times out, unless its program or the mail server sends something. */
static uint64_t door_end_of(const Session *session)
{
        uint64_t usec = 0;

        (void)sd_event_source_get_time(session->timer, &usec);
        return usec;
}

/* Finds the session that a new session of the customer replaces when there are too many: the one
 * that times out first, of the customer with the most sessions. Returns NULL unless that customer
 * has at least two more than this one. So customers who work together do not keep out others. A
 * session whose message is passed on is never replaced, because nobody would know whether the
 * message was sent. */
static Session *door_find_victim(const Door *door, uid_t uid)
{
        size_t most = door_count_of(door, uid) + 2;
        Session *session, *victim = NULL;

        LIST_FOREACH (session, &door->sessions, link) {
                const size_t n = door_count_of(door, session->uid);

                if (session->phase == SESSION_RELAYS || n < most ||
                    (victim && n == most && door_end_of(session) > door_end_of(victim)))
                        continue;
                victim = session;
                most = n;
        }
        return victim;
}

static void door_take_consume(Door *door, int fd)
{
        const MailSettings *settings = &door->settings;
        const bool is_full = door->n_sessions >= settings->connections_max;
        Session *victim = NULL;
        struct ucred peer;
        socklen_t size = sizeof(peer);
        MailLimits limits;
        int site;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
                (void)close(fd);
                return;
        }
        /* These limits are checked first, so that no file is read for a refused connection. */
        if (door_count_of(door, peer.uid) >= settings->connections_max_per_instance ||
            (is_full && !(victim = door_find_victim(door, peer.uid)))) {
                door_refuse(fd, "421 4.7.0 too many connections %s; try again later\r\n",
                            is_full ? "in all" : "of this site");
                (void)close(fd);
                return;
        }
        site = door_admit(door, fd, peer.uid, &limits);
        if (site < 0) {
                (void)close(fd);
                return;
        }
        if (victim)
                session_end(victim, "421 4.7.0 too many connections in all; try again later");
        if (session_new_consume(door, fd, peer.uid, site, &limits) < 0)
                door_log(door, &door->log, NULL, "not enough memory for a connection");
}

static int door_on_connect(sd_event_source *source, int listen_fd, uint32_t revents, void *userdata)
{
        Door *door = userdata;

        for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
                const int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
                        door_log(door, &door->log, NULL,
                                 "there are too few descriptors; raise LimitNOFILE= of "
                                 "bellhop-mail.service to more than three times ConnectionsMax=");
                        return 0;
                }
                if (fd < 0)
                        return 0;
                door_take_consume(door, fd);
        }
        return 0;
}

/* --- the loop --- */

static int door_on_hup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
        Door *door = userdata;

        notify_send(&door->notify, NOTIFY_RELOADING, "Reading the settings");
        (void)door_load_settings(door, false);
        notify_send(&door->notify, NOTIFY_READY, "Ready");
        door_next(door);
        return 0;
}

static int door_on_end(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
        Door *door = userdata;

        return sd_event_exit(door->event, 0);
}

static int door_watch(Door *door)
{
        static const struct {
                int number;
                sd_event_signal_handler_t handler;
        } signals[] = { { SIGHUP, door_on_hup },
                        { SIGTERM, door_on_end },
                        { SIGINT, door_on_end } };
        int r = sd_event_new(&door->event);

        if (r >= 0)
                r = notify_open_consume(&door->notify, door->event, -EBADF);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(signals); i++)
                r = sd_event_add_signal(door->event, NULL,
                                        signals[i].number | SD_EVENT_SIGNAL_PROCMASK,
                                        signals[i].handler, door);
        if (r >= 0)
                r = sd_event_add_time_relative(door->event, &door->save, CLOCK_MONOTONIC, 0, 0,
                                               door_on_save, door);
        if (r >= 0)
                r = sd_event_add_io(door->event, NULL, door->listen_fd, EPOLLIN, door_on_connect,
                                    door);
        return r;
}

static int door_load(Door *door)
{
        int r = door_load_settings(door, true);

        if (r == 0)
                r = budget_load(&door->budget, door->state_dir);
        if (r == -EBADMSG)
                log_error("%s/" BUDGET_FILE
                          " is damaged; move it elsewhere, and start bellhop-mail "
                          "again",
                          door->state_dir);
        else if (r < 0)
                log_error_errno(r, "can't read %s/" BUDGET_FILE ": %m", door->state_dir);
        return r;
}

int door_run(Door *door)
{
        int r = door_load(door);

        TAILQ_INIT(&door->waiting);
        if (r == 0) {
                r = door_watch(door);
                if (r < 0)
                        log_error_errno(r, "can't set up the event loop: %m");
        }
        if (r >= 0) {
                notify_send(&door->notify, NOTIFY_READY, "Ready");
                r = sd_event_loop(door->event);
        }
        while (!LIST_EMPTY(&door->sessions))
                session_free(LIST_FIRST(&door->sessions));
        if (door->save)
                (void)door_on_save(door->save, 0, door);
        sd_event_source_disable_unref(door->save);
        notify_done(&door->notify);
        sd_event_unref(door->event);
        budget_done(&door->budget);
        return r;
}
