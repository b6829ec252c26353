/* SPDX-License-Identifier: MIT */
#include "ctl/ask/bus-many.h"
#include "util/cleanup.h"

#define SYSTEMD   "org.freedesktop.systemd1"
#define OBJECT    "/org/freedesktop/systemd1"
#define UNIT_PATH OBJECT "/unit"
#define MANAGER   SYSTEMD ".Manager"

/* More would wait in queues, of which some have limits. */
#define AT_ONCE 256

/* A stop may take as long as visitors' requests do (TimeoutStopSec=), a reload of the router as
 * long as its files need. */
#define JOB_USEC (150 * UINT64_C(1000000))

static int wait_for_more(sd_bus *bus)
{
        int r = sd_bus_process(bus, NULL);

        if (r == 0)
                r = sd_bus_wait(bus, JOB_USEC);
        else if (r > 0)
                return 0;
        if (r == 0)
                return -ETIMEDOUT;
        return r < 0 && r != -EINTR ? r : 0;
}

/* --- questions --- */

typedef struct Asked {
        BusQuestion *question;
        size_t *n_open;
} Asked;

static int read_number(sd_bus_message *reply, const char *type, uint64_t *ret)
{
        uint32_t narrow;
        int r;

        if (type[0] != 'u')
                return sd_bus_message_read_basic(reply, 't', ret);
        r = sd_bus_message_read_basic(reply, 'u', &narrow);
        if (r >= 0)
                *ret = narrow;
        return r;
}

static int read_last_begin(sd_bus_message *reply, uint64_t *ret)
{
        uint64_t last = 0, begin;
        int r = sd_bus_message_enter_container(reply, 'a', "(sasbttttuii)");

        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'r', "sasbttttuii")) > 0) {
                r = sd_bus_message_skip(reply, "sasb");
                if (r >= 0)
                        r = sd_bus_message_read_basic(reply, 't', &begin);
                if (r >= 0)
                        r = sd_bus_message_skip(reply, "tttuii");
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
                if (r >= 0 && begin > last)
                        last = begin;
        }
        if (r >= 0)
                *ret = last;
        return r;
}

static int read_value(sd_bus_message *reply, BusQuestion *question)
{
        const char *type, *text;
        int r = sd_bus_message_peek_type(reply, NULL, &type), truth;

        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'v', type);
        if (r < 0)
                return r;
        switch (question->kind) {
        case PROPERTY_STRING:
                r = sd_bus_message_read_basic(reply, 's', &text);
                if (r < 0)
                        return r;
                *(char **)question->ret = strdup(text);
                return *(char **)question->ret ? 0 : -ENOMEM;
        case PROPERTY_NUMBER:
                return read_number(reply, type, question->ret);
        case PROPERTY_BOOL:
                r = sd_bus_message_read_basic(reply, 'b', &truth);
                if (r >= 0)
                        *(bool *)question->ret = truth;
                return r;
        case PROPERTY_LAST_BEGIN:
                return read_last_begin(reply, question->ret);
        }
        return -EINVAL;
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        Asked *asked = userdata;
        const int r = sd_bus_message_is_method_error(reply, NULL)
                              ? -sd_bus_message_get_errno(reply)
                              : read_value(reply, asked->question);

        asked->question->error = r < 0 ? r : 0;
        (*asked->n_open)--;
        return 0;
}

static int ask(sd_bus *bus, Asked *asked)
{
        const BusQuestion *question = asked->question;
        _cleanup_free_ char *path = NULL;
        char interface[64];
        int r = sd_bus_path_encode(UNIT_PATH, question->unit, &path);

        (void)snprintf(interface, sizeof(interface), SYSTEMD ".%s", question->interface);
        if (r >= 0)
                r = sd_bus_call_method_async(bus, NULL, SYSTEMD, path,
                                             "org.freedesktop.DBus.Properties", "Get", on_answer,
                                             asked, "ss", interface, question->property);
        return r;
}

int bus_ask_many(sd_bus *bus, BusQuestion questions[], size_t n)
{
        _cleanup_free_ Asked *asked = calloc(n + 1, sizeof(*asked));
        size_t n_open = 0;
        int r = asked ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && (i < n || n_open > 0);) {
                if (i < n && n_open < AT_ONCE) {
                        asked[i] = (Asked){ &questions[i], &n_open };
                        r = ask(bus, &asked[i++]);
                        n_open++;
                } else {
                        r = wait_for_more(bus);
                }
        }
        return r < 0 ? r : 0;
}

/* --- jobs --- */

typedef struct Batch {
        BusJob *jobs;
        size_t n_given;
        size_t n_open;
} Batch;

/* While a call waits for its reply, signals wait too: so the job's path is known by now. */
static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
        Batch *batch = userdata;
        const char *path, *result;

        if (sd_bus_message_read(message, "uoss", NULL, &path, NULL, &result) < 0)
                return 0;
        for (size_t i = 0; i < batch->n_given; i++) {
                BusJob *job = &batch->jobs[i];

                if (!job->path || job->result[0] || strcmp(job->path, path) != 0)
                        continue;
                (void)snprintf(job->result, sizeof(job->result), "%s", result);
                batch->n_open--;
        }
        return 0;
}

static int give(sd_bus *bus, Batch *batch, BusJob *job)
{
        static const char *const methods[] = {
                [JOB_START] = "StartUnit",
                [JOB_STOP] = "StopUnit",
                [JOB_RELOAD_OR_TRY_RESTART] = "ReloadOrTryRestartUnit",
                [JOB_TRY_RESTART] = "TryRestartUnit",
        };
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        const char *path;
        int r = sd_bus_call_method(bus, SYSTEMD, OBJECT, MANAGER, methods[job->kind], &error,
                                   &reply, "ss", job->unit, "replace");

        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &path);
        if (r >= 0 && !(job->path = strdup(path)))
                r = -ENOMEM;
        if (r >= 0)
                batch->n_open++;
        else if (error.message)
                job->why = strdup(error.message);
        job->error = r < 0 ? r : 0;
        sd_bus_message_unref(reply);
        sd_bus_error_free(&error);
        return r == -ENOMEM ? r : 0;
}

static int run_jobs(sd_bus *bus, Batch *batch, size_t n, bus_progress_t progress, void *userdata)
{
        int r = 0;

        while (r >= 0 && (batch->n_given < n || batch->n_open > 0)) {
                const size_t n_done = batch->n_given - batch->n_open;

                if (batch->n_given < n && batch->n_open < AT_ONCE)
                        r = give(bus, batch, &batch->jobs[batch->n_given++]);
                else
                        r = wait_for_more(bus);
                if (progress && batch->n_given - batch->n_open != n_done)
                        progress(batch->n_given - batch->n_open, n, userdata);
        }
        return r;
}

/* Without subscribers, systemd sends no signals. */
static int subscribe(sd_bus *bus)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(bus, SYSTEMD, OBJECT, MANAGER, "Subscribe", &error, NULL, NULL);

        if (sd_bus_error_has_name(&error, SYSTEMD ".AlreadySubscribed"))
                r = 0;
        sd_bus_error_free(&error);
        return r;
}

int bus_run_jobs(sd_bus *bus, BusJob jobs[], size_t n, bus_progress_t progress, void *userdata)
{
        Batch batch = { .jobs = jobs };
        sd_bus_slot *slot = NULL;
        int r = n == 0 ? 0
                       : sd_bus_match_signal(bus, &slot, SYSTEMD, OBJECT, MANAGER, "JobRemoved",
                                             on_job_removed, &batch);

        if (n == 0 || r < 0)
                return r;
        r = subscribe(bus);
        if (r >= 0)
                r = run_jobs(bus, &batch, n, progress, userdata);
        sd_bus_slot_unref(slot);
        return r < 0 ? r : 0;
}

bool job_is_done(const BusJob *job)
{
        return job->error == 0 && strcmp(job->result, "done") == 0;
}

void jobs_done(BusJob jobs[], size_t n)
{
        for (size_t i = 0; i < n; i++) {
                free(jobs[i].path);
                free(jobs[i].why);
                jobs[i].path = jobs[i].why = NULL;
        }
}

int bus_reset_failed(sd_bus *bus, const char *unit)
{
        const int r = sd_bus_call_method(bus, SYSTEMD, OBJECT, MANAGER, "ResetFailedUnit", NULL,
                                         NULL, "s", unit);

        return r < 0 ? r : 0;
}

int bus_daemon_reload(sd_bus *bus)
{
        sd_bus_message *call = NULL;
        int r = sd_bus_message_new_method_call(bus, &call, SYSTEMD, OBJECT, MANAGER, "Reload");

        /* With thousands of sockets it takes a minute. */
        if (r >= 0)
                r = sd_bus_call(bus, call, 4 * JOB_USEC, NULL, NULL);
        sd_bus_message_unref(call);
        return r < 0 ? r : 0;
}
