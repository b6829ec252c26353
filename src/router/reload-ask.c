/* SPDX-License-Identifier: MIT */
/* Owns waiting for a reload, for ExecReload=. A reload that began after our signal has read the
 * files as they are now: see reload.c. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <time.h>

#include "router/reload.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* Less than TimeoutStartSec=, with which systemd would end us without a word. */
#define ASK_TIMEOUT_USEC (80 * UINT64_C(1000000))

static bool reload_find_result(const char *name, ReloadResult *ret)
{
        for (int i = 0; i < RELOAD_RESULT_COUNT; i++)
                if (strcmp(name, reload_result_name((ReloadResult)i)) == 0) {
                        *ret = (ReloadResult)i;
                        return true;
                }
        return false;
}

/* 1: it is about a reload that began at that time or later. 0: not yet. */
static int reload_read_result(const char *path, uint64_t since_usec, ReloadResult *ret,
                              char **ret_text)
{
        _cleanup_fclose_ FILE *file = fopen(path, "re");
        _cleanup_free_ char *text = NULL;
        uint64_t begin_usec;
        char name[32];
        size_t size = 0;

        if (!file)
                return errno == ENOENT ? 0 : -errno;
        if (fscanf(file, "BEGIN_USEC=%" SCNu64 " RESULT=%31s TEXT=", &begin_usec, name) != 2 ||
            !reload_find_result(name, ret))
                return -EBADMSG;
        if (begin_usec < since_usec)
                return 0;
        if (getline(&text, &size, file) < 0)
                return -EBADMSG;
        text[strcspn(text, "\n")] = 0;
        *ret_text = take_ptr(text);
        return 1;
}

/* Waits until something happens in the folder. */
static int reload_wait_for_change(int watch, int process, uint64_t end_usec)
{
        struct pollfd fds[] = { { .fd = watch, .events = POLLIN },
                                { .fd = process, .events = POLLIN } };
        _Alignas(struct inotify_event) char events[4096];
        const uint64_t now = clock_monotonic_usec();
        int r = now < end_usec ? poll(fds, ELEMENTSOF(fds), (int)((end_usec - now) / 1000) + 1) : 0;

        if (r < 0)
                return errno == EINTR ? 0 : -errno;
        if (r == 0)
                return -ETIMEDOUT;
        if (fds[1].revents)
                return -ESRCH;
        return read(watch, events, sizeof(events)) < 0 && errno != EAGAIN ? -errno : 0;
}

int reload_ask(pid_t router, ReloadResult *ret, char **ret_text)
{
        const uint64_t begin = clock_monotonic_usec();
        const char *folder = getenv("RUNTIME_DIRECTORY");
        _cleanup_close_ int process = pidfd_open(router, 0);
        _cleanup_close_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        _cleanup_free_ char *path = NULL;
        int r = 0;

        if (!folder)
                return -ENXIO;
        if (process < 0 || watch < 0)
                return -errno;
        if (asprintf(&path, "%s/" RELOAD_FILE, folder) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (inotify_add_watch(watch, folder, IN_MOVED_TO) < 0 ||
            pidfd_send_signal(process, SIGHUP, NULL, 0) < 0)
                return -errno;
        while (r == 0) {
                r = reload_wait_for_change(watch, process, begin + ASK_TIMEOUT_USEC);
                if (r == 0)
                        r = reload_read_result(path, begin, ret, ret_text);
        }
        return r < 0 ? r : 0;
}
