/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/stat.h>

#include "ctl/ask/stale.h"
#include "ctl/change/acme.h"
#include "ctl/show/show.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/folder-watch.h"
#include "util/text.h"

#define WAIT_MINUTES 5

/* Longer than the kernel's tick, which limits how exact the times of files are. bellhop-acme is
 * started or reloaded at least this long after a file was changed, so systemd's time of the start
 * or reload is certainly later than the time of the file. */
#define TICKS_NSEC UINT64_C(20000000)

static uint64_t acme_changed(const char *dir)
{
        const uint64_t instances = changed_below(dir, "instances");
        const uint64_t authorities = changed_below(dir, "acme");

        return instances > authorities ? instances : authorities;
}

static bool acme_is_used(const Config *config)
{
        for (size_t i = 0; i < config->n_instances; i++)
                if (config->instances[i].tls == TLS_ACME)
                        return true;
        return false;
}

/* Whether the last start or reload of bellhop-acme was before the time "changed": 1, 0, or a
 * negative errno. systemd has the time of the last change of the unit's state, and each start and
 * each reload changes the state. */
static int acme_is_stale(const Change *change, uint64_t changed)
{
        uint64_t since = UNKNOWN;
        const int r = bus_get(change->bus, ACME_SERVICE, "Unit", "StateChangeTimestamp",
                              PROPERTY_NUMBER, &since);

        return r < 0 ? r : has_started_before(since, changed);
}

static bool acme_reload(Change *change, bool is_changed)
{
        const uint64_t changed = acme_changed(change->ctl->config_dir);
        const int stale = is_changed ? 1 : acme_is_stale(change, changed);

        if (!change_good("It is not known whether bellhop-acme has read the present configuration",
                         stale))
                return false;
        if (stale == 0 || !change_step(change, "acme", "have bellhop-acme read the configuration"))
                return true;
        wait_past(changed + TICKS_NSEC);
        return change_unit("try-reload-or-restart", ACME_SERVICE);
}

bool acme_read_files(Change *change, bool is_wanted, bool is_changed)
{
        const char *dir = change->ctl->config_dir;
        const int runs = bus_is_active(change->bus, ACME_SERVICE);
        Config *config = NULL;
        bool good = change_good("systemd does not answer", runs);

        if (!good || runs == 1)
                return good && acme_reload(change, is_changed);
        good = change_good(dir, config_load(dir, CONFIG_USERS_CHECK, NULL, &config));
        is_wanted = is_wanted || (good && acme_is_used(config));
        config_free(config);
        if (is_wanted && change_step(change, "acme", "start bellhop-acme")) {
                wait_past(acme_changed(dir) + TICKS_NSEC);
                good = change_unit("start", ACME_SERVICE) && good;
        }
        return good;
}

/* Opens the folder of the states. Follows no link, because the user bellhop-acme could replace the
 * folder with a link. -ENOENT: the folder does not exist. */
static int acme_open_states(const Change *change)
{
        _cleanup_free_ char *path = text_format("%s/instances", change->ctl->acme_dir);
        const int fd = path ? open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;

        return fd >= 0 ? fd : path ? -errno : -ENOMEM;
}

static bool acme_has_state(int states, const char *name)
{
        struct stat st;

        return states >= 0 && fstatat(states, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool acme_rename_state(Change *change, const char *from, const char *to)
{
        _cleanup_close_ int states = acme_open_states(change);

        return !acme_has_state(states, from) ||
               !change_step(change, "acme",
                            "rename the record of bellhop-acme's tries for %s to %s", from, to) ||
               change_good(to, renameat(states, from, states, to) < 0 ? -errno : 0);
}

bool acme_remove_state(Change *change, const char *name)
{
        _cleanup_close_ int states = acme_open_states(change);

        return !acme_has_state(states, name) ||
               !change_step(change, "acme", "remove the record of bellhop-acme's tries for %s",
                            name) ||
               change_good(name, unlinkat(states, name, 0) < 0 && errno != ENOENT ? -errno : 0);
}

/* --- the result --- */

static AcmeVerdict acme_judge_last(const AcmeState *now)
{
        if (now->error || !now->certificate[0])
                return ACME_HAS_FAILED;
        return now->n_failures_of_hosts > 0 ? ACME_LACKS_HOSTS : ACME_HAS_CERTIFICATE;
}

AcmeVerdict acme_judge(const AcmeState *before, const AcmeState *now, bool is_changed,
                       uint64_t begin)
{
        const bool is_new = strcmp(before->certificate, now->certificate) != 0;
        const bool was_tried = now->tried > before->tried ||
                               (now->tried >= begin && strcmp(before->wanted, now->wanted) != 0);

        if (now->tried == 0 || (is_changed && !was_tried && !(is_new && now->certificate[0])))
                return ACME_WAITS;
        return acme_judge_last(now);
}

typedef struct AcmeWait {
        Change *change;
        const char *name;
        const AcmeState *before;
        uint64_t begin;
        bool is_changed;
        uint64_t ordered; /* orders that began before this time are not reported */
        AcmeState now;
} AcmeWait;

static void acme_say_order(AcmeWait *wait)
{
        const size_t n = wait->now.n_orders;

        if (!wait->is_changed || n == 0 || wait->now.orders[n - 1] < wait->ordered)
                return;
        wait->ordered = wait->now.orders[n - 1] + 1;
        (void)change_step(
                wait->change, "wait",
                "bellhop-acme has sent its request, and the authority now checks the hosts");
}

static int acme_look(void *userdata)
{
        AcmeWait *wait = userdata;
        int r;

        acme_state_done(&wait->now);
        r = acme_state_read(wait->change->ctl->acme_dir, wait->name, &wait->now);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        acme_say_order(wait);
        return acme_judge(wait->before, &wait->now, wait->is_changed, wait->begin) != ACME_WAITS;
}

static void acme_say_hosts(const AcmeState *state)
{
        for (size_t i = 0; i < state->n_failures_of_hosts; i++)
                output_error("%s: %s", state->failures[i].host, state->failures[i].reason);
}

static CtlStatus acme_say_failure(const AcmeWait *wait)
{
        const AcmeState *now = &wait->now;
        char left[SHOWN_MAX];

        output_error("%s got no certificate%s%s", wait->name, now->error ? ": " : "",
                     now->error ? now->error : "");
        acme_say_hosts(now);
        output_error(
                "bellhop-acme tries again %s. 'bellhopctl status %s' shows the result of that try.",
                now->next > (uint64_t)time(NULL) ? show_left((time_t)now->next, time(NULL), left)
                                                 : "by itself",
                wait->name);
        return CTL_FAILED;
}

static CtlStatus acme_say_end(const AcmeWait *wait)
{
        const AcmeVerdict verdict = acme_judge_last(&wait->now);
        char until[SHOWN_MAX];

        if (verdict == ACME_HAS_FAILED)
                return acme_say_failure(wait);
        (void)change_step(wait->change, "wait", "%s has a certificate, valid until %s", wait->name,
                          show_time((time_t)wait->now.not_after, until));
        if (verdict == ACME_HAS_CERTIFICATE)
                return CTL_FINE;
        output_error("The certificate of %s lacks these hosts:", wait->name);
        acme_say_hosts(&wait->now);
        return CTL_FAILED;
}

CtlStatus acme_wait(Change *change, const char *name, const AcmeState *before, uint64_t begin,
                    bool is_changed)
{
        const uint64_t end = clock_monotonic_usec() + WAIT_MINUTES * UINT64_C(60000000);
        _cleanup_free_ char *folder = text_format("%s/instances", change->ctl->acme_dir);
        const uint64_t last = before->n_orders > 0 ? before->orders[before->n_orders - 1] : 0;
        CtlStatus status = CTL_FAILED;
        AcmeWait wait = { .change = change,
                          .name = name,
                          .before = before,
                          .begin = begin,
                          .is_changed = is_changed,
                          .ordered = last < begin ? begin : last + 1 };
        int r = folder ? 0 : -ENOMEM;

        change_let_others(change);
        if (is_changed)
                (void)change_step(change, "wait",
                                  "wait for the certificate of %s: bellhop-acme checks the hosts",
                                  name);
        if (r == 0)
                r = folder_wait(folder, end, acme_look, &wait);
        if (r == -ETIMEDOUT)
                output_error(
                        "There is no certificate after %d minutes. bellhop-acme keeps trying: "
                        "'bellhopctl status %s' shows its progress, 'journalctl -u " ACME_SERVICE
                        "' its log.",
                        WAIT_MINUTES, name);
        else if (r < 0)
                output_error("The state of bellhop-acme can't be read: %s: %s. See: systemctl "
                             "status " ACME_SERVICE,
                             folder ? folder : name, strerror(-r));
        else
                status = acme_say_end(&wait);
        acme_state_done(&wait.now);
        return status;
}
