/* SPDX-License-Identifier: MIT */
/* Owns waiting for a reload, for ExecReload=. A reload that began after our signal has read the
 * files as they are now: see reload.c. */
#include <inttypes.h>
#include <signal.h>

#include "router/reload.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/folder-watch.h"
#include "util/text.h"

/* Less than TimeoutStartSec=, with which systemd would end us without a word. */
#define ASK_TIMEOUT_USEC (80 * UINT64_C(1000000))

static bool ask_find_result(const char *name, ReloadResult *ret)
{
        for (int i = 0; i < RELOAD_RESULT_COUNT; i++)
                if (strcmp(name, reload_result_names[i]) == 0) {
                        *ret = (ReloadResult)i;
                        return true;
                }
        return false;
}

/* 1: it is about a reload that began at that time or later. 0: not yet. */
static int ask_read_result(const char *path, uint64_t since_usec, ReloadResult *ret,
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
            !ask_find_result(name, ret))
                return -EBADMSG;
        if (begin_usec < since_usec)
                return 0;
        if (getline(&text, &size, file) < 0)
                return -EBADMSG;
        text[strcspn(text, "\n")] = 0;
        *ret_text = take_ptr(text);
        return 1;
}

int reload_ask(pid_t router, ReloadResult *ret, char **ret_text)
{
        const uint64_t begin = clock_monotonic_usec();
        const char *folder = getenv("RUNTIME_DIRECTORY");
        _cleanup_free_ char *path = folder ? text_format("%s/" RELOAD_FILE, folder) : NULL;
        FolderWatch watch;
        int r;

        if (!path)
                return folder ? -ENOMEM : -ENXIO;
        r = folder_watch_init(&watch, folder, router);
        if (r == 0)
                r = folder_watch_signal(&watch, SIGHUP);
        while (r == 0) {
                r = folder_watch_wait(&watch, begin + ASK_TIMEOUT_USEC);
                if (r == 0)
                        r = ask_read_result(path, begin, ret, ret_text);
        }
        folder_watch_done(&watch);
        return r < 0 ? r : 0;
}
