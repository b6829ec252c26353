/* SPDX-License-Identifier: MIT */
/* A reload has its own thread, which reads files and the user database, and accesses no data of the
 * router. The signal SIGHUP requests a reload. A signal gets no answer, so the router writes the
 * time at which a reload began, and its result, to a file. The program in ExecReload= sends SIGHUP,
 * and waits for the result of a reload that began later. Type=notify-reload, which systemd has
 * since version 253, would also wait, but can't report failure. */
#include <assert.h>
#include <inttypes.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "router/reload.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/folder-watch.h"
#include "util/log-ids.h"
#include "util/log.h"
#include "util/text.h"

/* The file in $RUNTIME_DIRECTORY that ExecReload= reads. It contains
 * "BEGIN_USEC=...\nRESULT=...\nTEXT=...\n". */
#define RELOAD_FILE "reload"

#define END_TIMEOUT_MSEC 500

/* The time limit of reload_ask(). It is less than TimeoutStartSec=, after which systemd would kill
 * the program in ExecReload= without a message. */
#define ASK_TIMEOUT_USEC (80 * UINT64_C(1000000))

typedef enum ReloadWork {
        RELOAD_IDLE,
        RELOAD_LOADING,
        RELOAD_FREEING,
} ReloadWork;

struct Reload {
        const ReloadHooks *hooks;
        void *userdata;
        sd_event_source *done;
        int done_fd; /* an eventfd, readable when the thread has ended */
        pthread_t thread;
        ReloadWork work;
        bool again; /* another reload was requested while the thread was busy */
        uint64_t begin_usec;
        char note[RELOAD_NOTE_MAX];

        /* While the thread runs, it owns these fields. */
        const char *dir;
        Config *in_force; /* NULL: none yet */
        Config *config;   /* loaded, or to be freed */
        int error;
};

const char *reload_note(const Reload *reload)
{
        return reload->note;
}

/* The note may quote a value from a file, and the value may have any bytes. Replaces the bytes that
 * systemd does not accept in a status, and those that would end the line TEXT= in RELOAD_FILE. */
static void reload_clean_note(Reload *reload)
{
        for (char *c = reload->note; *c; c++)
                if (*c < ' ' || *c > '~')
                        *c = '?';
}

static void reload_report_problems(Reload *reload, const Config *config)
{
        const char *settings = config->settings_kept ? "the router" : "";
        char kept[96] = "";

        if (config->n_problems == 0) {
                reload->note[0] = 0;
                return;
        }
        for (size_t i = 0; i < config->n_problems; i++)
                log_full(LOG_WARNING, &(LogFields){ .message_id = LOG_ID_CONFIG_PROBLEM }, "%s",
                         config->problems[i].text);
        if (config->n_kept > 0)
                snprintf(kept, sizeof(kept), "%zu instances%s%s keep their old settings",
                         config->n_kept, settings[0] ? " and " : "", settings);
        else if (settings[0])
                snprintf(kept, sizeof(kept), "%s keeps its old settings", settings);
        log_warning("the files with the mistakes logged above are ignored%s%s; everything else is "
                    "served",
                    kept[0] ? ", but " : "", kept);
        snprintf(reload->note, sizeof(reload->note),
                 "the configuration has errors, see the journal%s%s; the first error: %s",
                 kept[0] ? "; " : "", kept, config->problems[0].text);
        reload_clean_note(reload);
}

static void reload_report_failure(Reload *reload, int error)
{
        errno = -error;
        snprintf(reload->note, sizeof(reload->note),
                 "the configuration in %s can't be read: %m; the old one remains in force",
                 reload->dir);
        reload_clean_note(reload);
        log_full(LOG_ERR, &(LogFields){ .message_id = LOG_ID_RELOAD_FAILED }, "%s", reload->note);
}

static void reload_write_result(const Reload *reload, ReloadResult result)
{
        const char *folder = getenv("RUNTIME_DIRECTORY");
        _cleanup_free_ char *path = NULL, *unfinished = NULL;
        FILE *file;
        bool failed;

        if (!folder)
                return;
        path = text_format("%s/" RELOAD_FILE, folder);
        unfinished = text_format("%s/" RELOAD_FILE ".new", folder);
        file = path && unfinished ? fopen(unfinished, "we") : NULL;
        failed = !file || fprintf(file, "BEGIN_USEC=%" PRIu64 "\nRESULT=%u\nTEXT=%s\n",
                                  reload->begin_usec, (unsigned)result, reload->note) < 0;
        if ((file && fclose(file) != 0) || failed || rename(unfinished, path) < 0)
                log_warning("can't write %s/" RELOAD_FILE
                            ": %m; systemctl reload can't detect the end of this reload",
                            folder);
}

/* Frees the replaced configuration, and returns free memory to the kernel. */
static void reload_release(Reload *reload)
{
        reload->config = config_free(reload->config);
        (void)malloc_trim(0);
}

static void *reload_thread(void *userdata)
{
        Reload *reload = userdata;

        if (reload->work == RELOAD_LOADING)
                reload->error = config_load(reload->dir, CONFIG_USERS_CHECK, reload->in_force,
                                            &reload->config);
        else
                reload_release(reload);
        (void)eventfd_write(reload->done_fd, 1);
        return NULL;
}

static int reload_start_thread(Reload *reload, ReloadWork work)
{
        int r;

        reload->work = work;
        r = pthread_create(&reload->thread, NULL, reload_thread, reload);
        if (r != 0)
                reload->work = RELOAD_IDLE;
        return -r;
}

static ReloadResult reload_use(Reload *reload)
{
        Config *config = reload->config;
        int r = reload->error;

        if (r >= 0)
                r = reload->hooks->use(reload->userdata, config);
        if (r < 0) {
                reload_report_failure(reload, r);
                return RELOAD_FAILED;
        }
        reload->config = reload->in_force;
        reload->in_force = config;
        reload_report_problems(reload, config);
        log_info("serving %zu instances from %s", config->n_instances, reload->dir);
        return config->n_problems > 0 ? RELOAD_USED_WITH_ERRORS : RELOAD_USED;
}

/* First calls the hook, which notifies systemd, and then writes the result: systemd must know of
 * the end of the reload before the program in ExecReload= does. */
static void reload_end(Reload *reload, ReloadResult result)
{
        reload->hooks->on_end(reload->userdata, result, !reload->again);
        reload_write_result(reload, result);
}

static void reload_begin(Reload *reload)
{
        int r;

        assert(reload->work == RELOAD_IDLE && !reload->config);
        reload->again = false;
        reload->begin_usec = clock_monotonic_usec();
        r = reload_start_thread(reload, RELOAD_LOADING);
        if (r < 0) {
                reload_report_failure(reload, r);
                reload_end(reload, RELOAD_FAILED);
        }
}

static int reload_on_done(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Reload *reload = userdata;
        const ReloadWork work = reload->work;
        eventfd_t n;

        if (eventfd_read(fd, &n) < 0)
                return 0;
        (void)pthread_join(reload->thread, NULL);
        reload->work = RELOAD_IDLE;
        if (work == RELOAD_LOADING)
                reload_end(reload, reload_use(reload));
        /* A thread also frees the replaced configuration, because this takes time with a hundred
         * thousand hosts. */
        if (reload->config && reload_start_thread(reload, RELOAD_FREEING) < 0)
                reload->config = config_free(reload->config);
        if (reload->work == RELOAD_IDLE && reload->again)
                reload_begin(reload);
        return 0;
}

void reload_request(Reload *reload)
{
        if (reload->work == RELOAD_IDLE)
                reload_begin(reload);
        else
                reload->again = true;
}

DEFINE_CLEANUP(Reload *, reload_free);

int reload_new(sd_event *event, const char *dir, const ReloadHooks *hooks, void *userdata,
               Reload **ret)
{
        _cleanup_(reload_freep) Reload *reload = calloc(1, sizeof(*reload));
        int r;

        if (!reload)
                return -ENOMEM;
        *reload = (Reload){ .hooks = hooks, .userdata = userdata, .dir = dir };
        reload->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (reload->done_fd < 0)
                return -errno;
        r = sd_event_add_io(event, &reload->done, reload->done_fd, EPOLLIN, reload_on_done, reload);
        if (r >= 0)
                r = config_load(dir, CONFIG_USERS_CHECK, NULL, &reload->config);
        if (r < 0)
                return r;
        if (reload_use(reload) == RELOAD_FAILED)
                return -ENOMEM;
        reload_release(reload);
        *ret = take_ptr(reload);
        return 0;
}

/* Waits a moment for the thread. Returns whether the thread is still busy. */
static bool reload_is_busy(const Reload *reload)
{
        struct pollfd end = { .fd = reload->done_fd, .events = POLLIN };

        if (reload->work == RELOAD_IDLE)
                return false;
        if (poll(&end, 1, END_TIMEOUT_MSEC) <= 0)
                return true;
        (void)pthread_join(reload->thread, NULL);
        return false;
}

Reload *reload_free(Reload *reload)
{
        if (!reload)
                return NULL;
        reload->done = sd_event_source_disable_unref(reload->done);
        /* A thread that is still busy uses the data until the process ends, so nothing is freed. */
        if (reload_is_busy(reload))
                return NULL;
        config_free(reload->config);
        config_free(reload->in_force);
        close_fd(reload->done_fd);
        free(reload);
        return NULL;
}

/* --- ExecReload=: a reload that began after our signal has read the files as they are now --- */

typedef struct ReloadQuestion {
        const char *path;
        uint64_t begin_usec;
        ReloadAnswer *answer;
} ReloadQuestion;

/* Returns 1 if the file has the answer of a reload that began after our request, 0 if not yet, or a
 * negative errno. */
static int reload_read_answer(void *userdata)
{
        const ReloadQuestion *question = userdata;
        _cleanup_fclose_ FILE *file = fopen(question->path, "re");
        ReloadAnswer *answer = question->answer;
        uint64_t begin_usec;
        unsigned result;

        if (!file)
                return errno == ENOENT ? 0 : -errno;
        if (fscanf(file, "BEGIN_USEC=%" SCNu64 " RESULT=%u TEXT=", &begin_usec, &result) != 2 ||
            result >= RELOAD_RESULT_COUNT || !fgets(answer->text, sizeof(answer->text), file))
                return -EBADMSG;
        answer->text[strcspn(answer->text, "\n")] = 0;
        answer->result = (ReloadResult)result;
        return begin_usec >= question->begin_usec;
}

int reload_ask(pid_t router, ReloadAnswer *ret)
{
        const uint64_t begin = clock_monotonic_usec();
        const char *folder = getenv("RUNTIME_DIRECTORY");
        _cleanup_free_ char *path = folder ? text_format("%s/" RELOAD_FILE, folder) : NULL;
        ReloadQuestion question = { path, begin, ret };

        if (!path)
                return folder ? -ENOMEM : -ENXIO;
        return folder_watch(folder, router, SIGHUP, begin + ASK_TIMEOUT_USEC, reload_read_answer,
                            &question);
}
