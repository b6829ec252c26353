/* SPDX-License-Identifier: MIT */
/* An outlet stays connected after the first hand-off, even while the instance is not running. */
#include <assert.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/param.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "challenge/challenge.h"
#include "config/names.h"
#include "router/outlet.h"
#include "util/cleanup.h"

#define RETRY_USEC (20 * UINT64_C(1000))

/* The longest time that an old hand-off socket may get connections after a new socket has replaced
 * it at its path. */
#define LOOK_USEC (100 * UINT64_C(1000))

/* A hand-off is in transit until the instance has received it. By default, the limit of hand-offs
 * in transit to one instance is between these two numbers. The lower one is enough for a burst. The
 * higher one is the length of a hand-off socket's queue on a machine with systemd
 * (net.unix.max_dgram_qlen). */
#define IN_FLIGHT_LOW  UINT64_C(16)
#define IN_FLIGHT_HIGH UINT64_C(512)

/* A hand-off is a datagram with a descriptor and a host. It takes this number of bytes of SO_SNDBUF
 * if the host is of usual length. If the hosts are longer, fewer hand-offs fit. outlet_bound()
 * halves the number of bytes for all hand-offs, because the kernel doubles the value that
 * setsockopt(2) sets: see socket(7). */
#define DATAGRAM_CHARGE 768

/* Increments a counter of the instance, and the sum of this counter for all instances. */
#define OUTLET_COUNT(outlet, field) ((outlet)->metrics.field++, (outlet)->shared->metrics->field++)

#define OUTLET_LOG(outlet, kind, ...)                                              \
        log_limits_write((outlet)->shared->log_limits, (outlet)->log_limits, kind, \
                         (LogFields){ .instance = (outlet)->name }, __VA_ARGS__)

static Outlet *outlet_of(const Start *start)
{
        return container_of(start, Outlet, start);
}

/* Watches the socket while connections wait for room, or while the instance starts. Does not watch
 * the socket while too many descriptors are in transit, or while the instance waits for its turn to
 * start: the socket is then writable, so the event loop would spin. */
static int outlet_watch(Outlet *outlet)
{
        const bool for_room =
                outlet->n_waiting > 0 && !outlet->in_flight && outlet->start.state != START_WAITING;
        const bool for_start = outlet->start.state == START_HAS_SLOT;
        int r;

        if (!outlet->writable)
                return 0;
        if (!for_room && !for_start)
                return sd_event_source_set_enabled(outlet->writable, SD_EVENT_OFF);
        /* While only the start is watched, the socket can be writable all the time. So the events
         * are edge-triggered: there is one each time that the instance receives a hand-off. */
        r = sd_event_source_set_io_events(outlet->writable,
                                          for_room ? EPOLLOUT : EPOLLOUT | EPOLLET);
        return r < 0 ? r : sd_event_source_set_enabled(outlet->writable, SD_EVENT_ON);
}

static bool outlet_socket_path(const Outlet *outlet, char ret[static PATH_MAX])
{
        const char *dir = outlet->shared->runtime_dir;
        int n;

        if (outlet->name)
                return name_path_fill(NAME_HANDOFF_SOCKET, dir, outlet->name, ret);
        n = snprintf(ret, PATH_MAX, "%s/" CHALLENGE_SOCKET, dir);
        return n > 0 && n < PATH_MAX;
}

static bool outlet_runs(const Start *start)
{
        const Outlet *outlet = outlet_of(start);
        char path[PATH_MAX];

        return name_path_fill(NAME_RUNNING_SIGN, outlet->shared->runtime_dir, outlet->name, path) &&
               access(path, F_OK) == 0;
}

static int outlet_unread_bytes(const Start *start)
{
        const Outlet *outlet = outlet_of(start);
        int n = 0;

        return outlet->fd >= 0 && ioctl(outlet->fd, SIOCOUTQ, &n) == 0 ? n : 0;
}

static void outlet_on_turn(Start *start)
{
        Outlet *outlet = outlet_of(start);

        if (outlet->n_waiting > 0)
                outlet_flush(outlet);
        else
                starts_forget(&outlet->shared->starts, start);
}

static void outlet_on_waited(const Start *start, uint64_t usec)
{
        Outlet *outlet = outlet_of(start);

        OUTLET_LOG(outlet, LOG_KIND_START_WAIT,
                   "clients of %s waited %.1f s because %zu other instances, the limit by "
                   "StartingMax=, were starting",
                   outlet->name, (double)usec / 1e6, outlet->shared->starts.max);
}

static void outlet_on_left(Start *start, bool is_late)
{
        Outlet *outlet = outlet_of(start);

        (void)outlet_watch(outlet);
        if (!is_late)
                return;
        OUTLET_COUNT(outlet, late_starts);
        OUTLET_LOG(outlet, LOG_KIND_LATE_START,
                   "%s was started by a connection, but received none for %d s: systemctl status "
                   "bellhop@%s.service",
                   outlet->name, (int)(START_SLOT_USEC / 1000000), outlet->name);
}

int outlet_shared_init(OutletShared *shared)
{
        static const StartHooks hooks = {
                .runs = outlet_runs,
                .unread_bytes = outlet_unread_bytes,
                .on_turn = outlet_on_turn,
                .on_waited = outlet_on_waited,
                .on_left = outlet_on_left,
        };

        assert(shared->event && shared->on_result);
        return starts_init(&shared->starts, shared->event, &hooks);
}

/* The descriptors in transit to all instances together count against the router's RLIMIT_NOFILE
 * (unix(7), ETOOMANYREFS). Half of this limit is divided among instances, so that instances that
 * receive nothing can't prevent others from receiving. */
void outlet_shared_set(OutletShared *shared, const RouterSettings *settings, size_t n_instances)
{
        uint64_t share = IN_FLIGHT_HIGH;
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && n_instances > 0)
                share = MIN(limit.rlim_cur / 2 / n_instances, IN_FLIGHT_HIGH);
        shared->in_flight_max = settings->in_flight_max_per_instance > 0
                                        ? settings->in_flight_max_per_instance
                                        : MAX(share, IN_FLIGHT_LOW);
        starts_set_max(&shared->starts, settings->starting_max);
}

void outlet_bound(const Outlet *outlet)
{
        const int size = (int)(outlet->shared->in_flight_max * DATAGRAM_CHARGE / 2);

        if (outlet->fd >= 0)
                (void)setsockopt(outlet->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

Outlet *outlet_new(OutletShared *shared, const char *name)
{
        Outlet *outlet = calloc(1, sizeof(*outlet));

        if (!outlet)
                return NULL;
        outlet->shared = shared;
        outlet->fd = -EBADF;
        TAILQ_INIT(&outlet->waiting);
        outlet->name = name ? strdup(name) : NULL;
        return outlet->name || !name ? outlet : outlet_free(outlet);
}

static void outlet_disconnect(Outlet *outlet)
{
        outlet->writable = sd_event_source_disable_unref(outlet->writable);
        outlet->fd = close_fd(outlet->fd);
}

Outlet *outlet_free(Outlet *outlet)
{
        if (!outlet)
                return NULL;
        assert(outlet->n_waiting == 0);
        starts_forget(&outlet->shared->starts, &outlet->start);
        outlet_disconnect(outlet);
        free(outlet->name);
        free(outlet);
        return NULL;
}

static int outlet_on_writable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Outlet *outlet = userdata;

        starts_look(&outlet->shared->starts, &outlet->start);
        outlet_flush(outlet);
        return 0;
}

static int outlet_connect(Outlet *outlet)
{
        struct stat st = { 0 };
        char path[PATH_MAX];
        int r;

        if (!outlet_socket_path(outlet, path))
                return -ENAMETOOLONG;
        /* stat() comes before bellhop_connect(), so outlet_leave_old() notices if the file is
         * replaced in between. */
        (void)stat(path, &st);
        outlet->fd = bellhop_connect(path);
        if (outlet->fd < 0)
                return outlet->fd;
        outlet->device = st.st_dev;
        outlet->inode = st.st_ino;
        outlet->looked_usec = event_now(outlet->shared->event);
        outlet_bound(outlet);
        /* The number of unread bytes is still that of the old socket. Compared with it, the empty
         * queue of the new socket would look as if the instance had received its hand-offs. */
        outlet->start.unread_bytes = 0;

        r = sd_event_add_io(outlet->shared->event, &outlet->writable, outlet->fd, EPOLLOUT,
                            outlet_on_writable, outlet);
        if (r >= 0)
                r = outlet_watch(outlet);
        if (r < 0)
                outlet_disconnect(outlet);
        return r;
}

/* Disconnects from a socket that was replaced. If a process of the instance holds the old socket
 * open, a restart of the socket's unit does not disconnect the outlet. While the old socket is
 * open, no other file gets its inode, so the new socket always has another inode. */
static void outlet_leave_old(Outlet *outlet)
{
        const uint64_t now = event_now(outlet->shared->event);
        char path[PATH_MAX];
        struct stat st;

        if (outlet->fd < 0 || now < outlet->looked_usec + LOOK_USEC)
                return;
        outlet->looked_usec = now;
        if (outlet_socket_path(outlet, path) && stat(path, &st) == 0 &&
            (st.st_dev != outlet->device || st.st_ino != outlet->inode))
                outlet_disconnect(outlet);
}

/* Returns 0 if the hand-off is in the instance's queue, BELLHOP_SEND_FULL or BELLHOP_SEND_IN_FLIGHT
 * if it can be sent later, or a negative errno if no process listens. */
static int outlet_try(Outlet *outlet, const struct bellhop_handoff *handoff, int fd)
{
        int r = 0;

        outlet_leave_old(outlet);
        /* If the socket unit was restarted meanwhile, the second try connects to its new socket. */
        for (int i = 0; i < 2; i++) {
                if (outlet->fd < 0)
                        r = outlet_connect(outlet);
                if (r < 0)
                        return r;
                r = bellhop_send(outlet->fd, handoff, fd);
                if (r != BELLHOP_SEND_GONE)
                        return r;
                outlet_disconnect(outlet);
                r = 0;
        }
        return -ECONNREFUSED;
}

/* Sets the timer to try again. A timer is necessary because no event occurs when other instances
 * receive their hand-offs, or when a new socket replaces a full one. */
static void outlet_retry(const OutletShared *shared, uint64_t usec)
{
        int enabled = SD_EVENT_OFF;
        uint64_t due;

        (void)sd_event_source_get_enabled(shared->retry, &enabled);
        if (enabled != SD_EVENT_OFF && sd_event_source_get_time(shared->retry, &due) >= 0 &&
            due <= event_now(shared->event) + usec)
                return;
        if (sd_event_source_set_time_relative(shared->retry, usec) >= 0)
                (void)sd_event_source_set_enabled(shared->retry, SD_EVENT_ONESHOT);
}

static void outlet_log_responder(const Outlet *outlet, const char *what)
{
        log_limits_write(
                outlet->shared->log_limits, NULL, LOG_KIND_RESPONDER, (LogFields){ 0 },
                "%s; certificate authorities get no answer over TLS until bellhop-acme-tls "
                "receives hand-offs: systemctl status bellhop-acme-tls.socket "
                "bellhop-acme-tls.service",
                what);
}

static void outlet_log_absent(Outlet *outlet)
{
        if (!outlet->name)
                outlet_log_responder(outlet, "no process receives hand-offs for bellhop-acme-tls");
        else
                OUTLET_LOG(outlet, LOG_KIND_ABSENT,
                           "no process receives hand-offs for %s (%m); its clients get 503 until "
                           "bellhop@%s.socket is active: systemctl start bellhop@%s.socket",
                           outlet->name, outlet->name, outlet->name);
}

static void outlet_log_queue_full(Outlet *outlet)
{
        if (!outlet->name)
                outlet_log_responder(outlet, "the hand-off socket of bellhop-acme-tls is full");
        else
                OUTLET_LOG(outlet, LOG_KIND_QUEUE_FULL,
                           "the hand-off socket of %s is full; its clients wait until it receives: "
                           "systemctl status bellhop@%s.service",
                           outlet->name, outlet->name);
}

static void outlet_note_sent(Outlet *outlet)
{
        const bool had_slot = outlet->start.state == START_HAS_SLOT;

        if (outlet->name && starts_sent(&outlet->shared->starts, &outlet->start))
                OUTLET_COUNT(outlet, starts);
        if (had_slot)
                (void)outlet_watch(outlet);
}

static OutletResult outlet_attempt(Outlet *outlet, const struct bellhop_handoff *handoff, int fd)
{
        int r;

        if (outlet->name && !starts_may_send(&outlet->shared->starts, &outlet->start))
                return OUTLET_WAIT;
        r = outlet_try(outlet, handoff, fd);
        outlet->in_flight = r == BELLHOP_SEND_IN_FLIGHT;
        if (r == 0) {
                outlet_note_sent(outlet);
                return OUTLET_SENT;
        }
        if (r == BELLHOP_SEND_FULL || r == BELLHOP_SEND_IN_FLIGHT) {
                outlet_retry(outlet->shared, r == BELLHOP_SEND_FULL ? LOOK_USEC : RETRY_USEC);
                return OUTLET_WAIT;
        }
        starts_forget(&outlet->shared->starts, &outlet->start);
        errno = -r;
        outlet_log_absent(outlet);
        return OUTLET_ABSENT;
}

OutletResult outlet_send(Outlet *outlet, const struct bellhop_handoff *handoff, int fd)
{
        assert(fd >= 0);
        if (outlet->n_waiting > 0)
                return OUTLET_WAIT;
        return outlet_attempt(outlet, handoff, fd);
}

void outlet_flush(Outlet *outlet)
{
        Waiter *first;

        while ((first = TAILQ_FIRST(&outlet->waiting))) {
                const OutletResult result = outlet_attempt(outlet, first->handoff, first->fd);
                const size_t n = outlet->n_waiting;

                if (result == OUTLET_WAIT) {
                        (void)outlet_watch(outlet);
                        return;
                }
                outlet->shared->on_result(first, result);
                assert(outlet->n_waiting < n);
        }
}

static void outlet_count_wait(Outlet *outlet)
{
        if (outlet->start.state == START_WAITING) {
                OUTLET_COUNT(outlet, start_waits);
        } else if (outlet->in_flight) {
                OUTLET_COUNT(outlet, in_flight_waits);
        } else {
                OUTLET_COUNT(outlet, queue_full_waits);
                outlet_log_queue_full(outlet);
        }
}

int outlet_enqueue(Outlet *outlet, Waiter *waiter)
{
        assert(!waiter->outlet && waiter->handoff);
        TAILQ_INSERT_TAIL(&outlet->waiting, waiter, link);
        outlet->n_waiting++;
        waiter->outlet = outlet;
        outlet_count_wait(outlet);
        return outlet_watch(outlet);
}

void outlet_dequeue(Waiter *waiter)
{
        Outlet *outlet = waiter->outlet;

        assert(outlet && outlet->n_waiting > 0);
        TAILQ_REMOVE(&outlet->waiting, waiter, link);
        waiter->outlet = NULL;
        if (--outlet->n_waiting > 0)
                return;
        if (outlet->start.state == START_WAITING)
                starts_forget(&outlet->shared->starts, &outlet->start);
        (void)outlet_watch(outlet);
}
