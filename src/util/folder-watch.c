/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/folder-watch.h"

/* Waits until a file is renamed into the folder, or the process ends. changes is an inotify
 * descriptor; process is a pidfd, or -1. Returns 0 when the caller should look for its file again,
 * or a negative errno. */
static int folder_watch_wait(int changes, int process, uint64_t end_usec)
{
        struct pollfd fds[] = { { .fd = changes, .events = POLLIN },
                                { .fd = process, .events = POLLIN } };
        _Alignas(struct inotify_event) char events[4096];
        const uint64_t now = clock_monotonic_usec();
        const int r =
                now < end_usec ? poll(fds, ELEMENTSOF(fds), (int)((end_usec - now) / 1000) + 1) : 0;

        if (r == 0)
                return -ETIMEDOUT;
        if (r < 0)
                return errno == EINTR ? 0 : -errno;
        if (fds[1].revents)
                return -ESRCH;
        return read(changes, events, sizeof(events)) < 0 && errno != EAGAIN ? -errno : 0;
}

int folder_watch(const char *folder, pid_t process, int number, uint64_t end_usec,
                 int (*look)(void *userdata), void *userdata)
{
        _cleanup_close_ int changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        /* With a pidfd, the signal can't reach another process that has later got the same id. */
        _cleanup_close_ int pidfd = changes < 0 ? -EBADF : pidfd_open(process, 0);
        int r = 0;

        if (pidfd < 0 || inotify_add_watch(changes, folder, IN_MOVED_TO) < 0 ||
            pidfd_send_signal(pidfd, number, NULL, 0) < 0)
                return -errno;
        while (r == 0) {
                r = folder_watch_wait(changes, pidfd, end_usec);
                if (r == 0)
                        r = look(userdata);
        }
        return r < 0 ? r : 0;
}

int folder_wait(const char *folder, uint64_t end_usec, int (*look)(void *userdata), void *userdata)
{
        _cleanup_close_ int changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        int r;

        if (changes < 0 || inotify_add_watch(changes, folder, IN_MOVED_TO) < 0)
                return -errno;
        while ((r = look(userdata)) == 0) {
                r = folder_watch_wait(changes, -1, end_usec);
                if (r < 0)
                        break;
        }
        return r < 0 ? r : 0;
}
