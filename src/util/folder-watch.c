/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/folder-watch.h"

int folder_watch_init(FolderWatch *watch, const char *folder, pid_t process)
{
        *watch = (FolderWatch){ inotify_init1(IN_CLOEXEC | IN_NONBLOCK), -EBADF };
        if (watch->changes < 0)
                return -errno;
        watch->process = pidfd_open(process, 0);
        if (watch->process < 0 || inotify_add_watch(watch->changes, folder, IN_MOVED_TO) < 0)
                return -errno;
        return 0;
}

int folder_watch_signal(const FolderWatch *watch, int number)
{
        return pidfd_send_signal(watch->process, number, NULL, 0) < 0 ? -errno : 0;
}

int folder_watch_wait(const FolderWatch *watch, uint64_t end_usec)
{
        struct pollfd fds[] = { { .fd = watch->changes, .events = POLLIN },
                                { .fd = watch->process, .events = POLLIN } };
        _Alignas(struct inotify_event) char events[4096];

        for (;;) {
                const uint64_t now = clock_monotonic_usec();
                const int r = now < end_usec ? poll(fds, ELEMENTSOF(fds),
                                                    (int)((end_usec - now) / 1000) + 1)
                                             : 0;

                if (r < 0 && errno == EINTR)
                        continue;
                if (r < 0)
                        return -errno;
                if (r == 0)
                        return -ETIMEDOUT;
                if (fds[1].revents)
                        return -ESRCH;
                return read(watch->changes, events, sizeof(events)) < 0 && errno != EAGAIN ? -errno
                                                                                           : 0;
        }
}

void folder_watch_done(FolderWatch *watch)
{
        watch->changes = close_fd(watch->changes);
        watch->process = close_fd(watch->process);
}
