/* SPDX-License-Identifier: MIT */
/*
 * Owns the thread in the parent. The parent forks at any moment, and what another thread holds then
 * is held in the child for ever: so this one takes no lock, allocates nothing, and shares with the
 * others only what is atomic. It doesn't log either: the server's log is none of that.
 */
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <systemd/sd-daemon.h>

#include "handoff/hangup.h"
#include "httpd/stop.h"
#include "httpd/watch.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define USEC_PER_SEC UINT64_C(1000000)
#define FOREVER      UINT64_MAX

/* At most one status in so long: each costs systemd a little. Until then, changes don't wake us: so
 * in not more than IdleSec=, or we would hear too late of the end of the last connection. */
#define STATUS_USEC USEC_PER_SEC

/* A worker takes in microseconds what is in hand. A child that does not in so long has been stopped
 * by somebody, and must not keep the instance from ending. */
#define DRAIN_USEC (5 * USEC_PER_SEC)

/* So long until we look again whether what waits has been received. */
#define WAITING_USEC 100000

/* The first children are gone after so long. */
#define HASTEN_USEC 10000

#define STACK_BYTES (128 * 1024)

static struct {
        pthread_t thread;
        bool is_running;
        atomic_bool is_over;
        Watch *watch;
        uint64_t idle_usec;
        uint64_t status_due_usec;
} self;

static uint64_t earlier(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

static uint64_t later(uint64_t a, uint64_t b)
{
        return a > b ? a : b;
}

/* Or until the bell rings, or somebody has shut that socket for reading (-1: none). */
static void sleep_until_shut(uint64_t usec, int socket)
{
        struct pollfd events[] = {
                { .fd = self.watch->bell, .events = POLLIN },
                { .fd = socket, .events = POLLRDHUP },
        };
        const uint64_t now = clock_monotonic_usec();
        const uint64_t left = usec > now ? usec - now : 0;
        const struct timespec timeout = { .tv_sec = (time_t)(left / USEC_PER_SEC),
                                          .tv_nsec = (long)(left % USEC_PER_SEC * 1000) };
        eventfd_t unused;

        (void)ppoll(events, ELEMENTSOF(events), usec == FOREVER ? NULL : &timeout, NULL);
        (void)eventfd_read(self.watch->bell, &unused);
}

static void sleep_until(uint64_t usec)
{
        sleep_until_shut(usec, -1);
}

static void notify_status(const TallySum *sum, uint64_t now)
{
        char last[CLOCK_DATE_SIZE] = "never";
        char status[WATCH_STATUS_SIZE];

        if (sum->last_usec > 0)
                clock_date((clock_nsec(CLOCK_REALTIME) / 1000 - (now - sum->last_usec)) /
                                   USEC_PER_SEC,
                           last);
        (void)snprintf(status, sizeof(status),
                       "STATUS=%" PRIu64 " connections, %" PRIu64 " hand-offs, last hand-off: %s",
                       sum->n_open, sum->n_handoffs, last);
        if (strcmp(status, self.watch->status) == 0)
                return;
        memcpy(self.watch->status, status, sizeof(status));
        (void)sd_notify(0, status);
}

/* Returns when to look again. */
static uint64_t tell_status(uint64_t now)
{
        TallySum sum;

        if (!tally_has_changed(self.watch->tally))
                return FOREVER;
        if (now < self.status_due_usec)
                return self.status_due_usec;
        self.status_due_usec =
                now + (self.idle_usec > 0 ? earlier(self.idle_usec, STATUS_USEC) : STATUS_USEC);
        tally_listen(self.watch->tally);
        sum = tally_sum(self.watch->tally);
        notify_status(&sum, now);
        return FOREVER;
}

/* Whoever has received a connection has it taken by a worker before the server hears of anything.
 */
static void stop_receiving(void)
{
        const uint64_t most = clock_monotonic_usec() + DRAIN_USEC;

        tally_bar(self.watch->tally, self.watch->generation);
        while (tally_sum(self.watch->tally).n_in_hand > 0 && clock_monotonic_usec() < most &&
               !self.is_over)
                sleep_until(most);
}

static void end(void)
{
        self.watch->is_ended = true;
        if (self.watch->ended_usec == 0)
                self.watch->ended_usec = clock_monotonic_usec();
        stop_pass_on(ORDER_STOP);
}

static bool is_somebody_waiting(void)
{
        struct pollfd queue = { .fd = self.watch->handoff_fd, .events = POLLIN };

        return poll(&queue, 1, 0) > 0;
}

static uint64_t idle_until(const TallySum *sum)
{
        const uint64_t since =
                later(self.watch->began_usec, later(sum->last_usec, sum->ended_usec));

        if (self.idle_usec == 0 || self.idle_usec >= FOREVER - since || sum->n_open > 0)
                return FOREVER;
        return since + self.idle_usec;
}

/*
 * Who comes while we look is served by this start or by the next: what was not received stays in
 * the queue of the socket, which is systemd's, and starts the instance again. Returns when to look
 * again.
 */
static uint64_t end_if_idle(uint64_t now)
{
        const TallySum sum = tally_sum(self.watch->tally);
        const uint64_t until = idle_until(&sum);

        if (now < until)
                return until;
        /* The first child may not have got so far, or none has a worker to spare. */
        if (is_somebody_waiting())
                return now + WAITING_USEC;
        stop_receiving();
        if (tally_sum(self.watch->tally).n_handoffs != sum.n_handoffs || is_somebody_waiting()) {
                tally_unbar(self.watch->tally);
                return now;
        }
        (void)sd_notify(0, "STOPPING=1\nSTATUS=Idle, ending until the next hand-off");
        end();
        return FOREVER;
}

static void obey(unsigned orders)
{
        stop_receiving();
        if (orders & ORDER_STOP)
                end();
        else
                stop_pass_on(ORDER_RELOAD);
}

/* Until the server has been told to stop or to reload. */
static void watch_on(void)
{
        while (!self.is_over) {
                const unsigned orders = stop_take();
                const uint64_t now = clock_monotonic_usec();
                uint64_t next;

                if (orders > 0) {
                        obey(orders);
                        return;
                }
                if (hangup_complete(self.watch->handoff_fd)) {
                        (void)sd_notify(0, "STATUS=The hand-off socket has been shut by somebody");
                        obey(ORDER_STOP);
                        return;
                }
                next = earlier(tell_status(now), end_if_idle(now));
                if (self.watch->is_ended)
                        return;
                sleep_until_shut(next, self.watch->handoff_fd);
        }
}

/* The server looks for children that have ended, then sleeps for a second: one that ends in between
 * goes unnoticed that long, and whoever comes meanwhile waits. */
static void hasten(void)
{
        for (uint64_t pause = HASTEN_USEC; pause < USEC_PER_SEC && !self.is_over; pause *= 2) {
                sleep_until(clock_monotonic_usec() + pause);
                stop_wake();
        }
}

static void *run(void *unused)
{
        /* A reload that was under way at that moment has made the server forget it. */
        if (self.watch->is_ended)
                obey(ORDER_STOP);
        else
                watch_on();
        if (self.watch->is_ended)
                hasten();
        while (!self.is_over)
                sleep_until(FOREVER);
        return NULL;
}

void watch_init(Watch *watch, Tally *tally, int bell, int handoff_fd)
{
        watch->handoff_fd = handoff_fd;
        watch->tally = tally;
        watch->bell = bell;
        watch->began_usec = clock_monotonic_usec();
}

static int start_thread(void)
{
        pthread_attr_t attributes;
        sigset_t all, before;
        int r;

        /* Signals are for the parent's main thread: its sleep must be the one that is interrupted.
         */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, STACK_BYTES);
        r = pthread_create(&self.thread, &attributes, run, NULL);
        pthread_attr_destroy(&attributes);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return r;
}

int watch_start(Watch *watch, uint64_t idle_usec)
{
        int r;

        if (self.is_running)
                return 0;
        self.is_over = false;
        self.watch = watch;
        self.idle_usec = idle_usec;
        r = start_thread();
        if (r != 0)
                return r;
        self.is_running = true;
        stop_heed();
        return 0;
}

void watch_end(Watch *watch)
{
        if (self.is_running) {
                self.is_over = true;
                (void)eventfd_write(watch->bell, 1);
                (void)pthread_join(self.thread, NULL);
                self.is_running = false;
        }
        /* These came too late for the thread. */
        (void)hangup_complete(watch->handoff_fd);
        if (stop_take() & ORDER_STOP)
                watch->is_ended = true;
}
