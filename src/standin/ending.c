/* SPDX-License-Identifier: MIT */
/*
 * Owns the question whether an instance can't start or has crashed. An instance that was ready is
 * started again at once, because what is in its queue can be served; after a pause, if it crashed
 * within a second of starting, twice in a row. One that was killed while it started counts as
 * crashed until somebody in the queue has waited for five seconds.
 */
#include <stdio.h>
#include <systemd/sd-bus.h>

#include "config/names.h"
#include "standin/ending.h"
#include "util/cleanup.h"

#define SYSTEMD           "org.freedesktop.systemd1"
#define SYSTEMD_UNIT      SYSTEMD ".Unit"
#define SYSTEMD_SERVICE   SYSTEMD ".Service"
#define SYSTEMD_UNIT_PATH "/org/freedesktop/systemd1/unit"

/* systemd may be busy with a daemon-reload of thousands of units; visitors wait meanwhile. */
#define ASK_USEC (5 * UINT64_C(1000000))

/* A crash so soon after READY=1, so soon after the last one, is a loop. */
#define LOOP_RAN_USEC   UINT64_C(1000000)
#define LOOP_APART_USEC (2 * UINT64_C(1000000))

#define PATIENCE_USEC (5 * UINT64_C(1000000))

Ending ending_judge(const EndingFacts *facts)
{
        const bool was_ready = facts->ready_usec > 0 && facts->ready_usec >= facts->start_usec;
        const uint64_t ran_usec = was_ready ? facts->end_usec - facts->ready_usec : 0;

        if (!facts->is_loaded ||
            (!was_ready && (!facts->is_killed || facts->waited_usec >= PATIENCE_USEC)))
                return ENDING_NEVER_READY;
        if (ran_usec < LOOP_RAN_USEC && facts->last_stand_in_usec > 0 &&
            facts->end_usec - facts->last_stand_in_usec < LOOP_APART_USEC)
                return ENDING_CRASH_LOOP;
        return ENDING_CRASH;
}

/* As in systemd.exec(5), $SERVICE_RESULT. */
static bool ending_is_by_signal(const char *result)
{
        return strcmp(result, "signal") == 0 || strcmp(result, "core-dump") == 0 ||
               strcmp(result, "oom-kill") == 0;
}

static int ending_ask_cause(sd_bus *bus, const char *path, bool *ret_is_killed,
                            char ret[static ENDING_CAUSE_MAX])
{
        _cleanup_free_ char *result = NULL;
        int32_t status;
        int r = sd_bus_get_property_string(bus, SYSTEMD, path, SYSTEMD_SERVICE, "Result", NULL,
                                           &result);

        if (r >= 0)
                r = sd_bus_get_property_trivial(bus, SYSTEMD, path, SYSTEMD_SERVICE,
                                                "ExecMainStatus", NULL, 'i', &status);
        if (r < 0)
                return r;
        *ret_is_killed = ending_is_by_signal(result);
        snprintf(ret, ENDING_CAUSE_MAX, "%s %d", result, status);
        return 0;
}

static int ending_ask_times(sd_bus *bus, const char *path, const char *own_path, EndingFacts *facts)
{
        const struct {
                const char *path, *property;
                uint64_t *usec;
        } times[] = {
                { path, "InactiveExitTimestampMonotonic", &facts->start_usec },
                { path, "ActiveEnterTimestampMonotonic", &facts->ready_usec },
                { path, "InactiveEnterTimestampMonotonic", &facts->end_usec },
                { own_path, "InactiveEnterTimestampMonotonic", &facts->last_stand_in_usec },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(times); i++)
                r = sd_bus_get_property_trivial(bus, SYSTEMD, times[i].path, SYSTEMD_UNIT,
                                                times[i].property, NULL, 't', times[i].usec);
        return r;
}

static int ending_ask_bus(sd_bus *bus, const char *instance, EndingFacts *facts,
                          char ret_cause[static ENDING_CAUSE_MAX])
{
        _cleanup_free_ char *path = NULL, *own_path = NULL, *load_state = NULL;
        char unit[NAME_UNIT_MAX];
        int r = sd_bus_path_encode(SYSTEMD_UNIT_PATH, name_unit(NAME_SERVICE_UNIT, instance, unit),
                                   &path);

        if (r >= 0)
                r = sd_bus_path_encode(SYSTEMD_UNIT_PATH,
                                       name_unit(NAME_STANDIN_UNIT, instance, unit), &own_path);
        if (r >= 0)
                r = sd_bus_get_property_string(bus, SYSTEMD, path, SYSTEMD_UNIT, "LoadState", NULL,
                                               &load_state);
        if (r < 0)
                return r;
        facts->is_loaded = strcmp(load_state, "loaded") == 0;
        if (!facts->is_loaded) {
                snprintf(ret_cause, ENDING_CAUSE_MAX, "%s", load_state);
                return 0;
        }
        r = ending_ask_times(bus, path, own_path, facts);
        return r < 0 ? r : ending_ask_cause(bus, path, &facts->is_killed, ret_cause);
}

int ending_ask(const char *instance, EndingFacts *ret, char ret_cause[static ENDING_CAUSE_MAX])
{
        sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus);

        if (r >= 0)
                r = sd_bus_set_method_call_timeout(bus, ASK_USEC);
        if (r >= 0)
                r = ending_ask_bus(bus, instance, ret, ret_cause);
        sd_bus_flush_close_unref(bus);
        return r;
}
