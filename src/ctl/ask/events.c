/* SPDX-License-Identifier: MIT */
#include "ctl/ask/events.h"
#include "util/cleanup.h"
#include "util/text.h"

#define CGROUP_DIR "/sys/fs/cgroup"

/* Files of a control group that have lines "KEY NUMBER". No instance has control groups below its
 * own (there is no Delegate=), so it does not matter that kernels before 6.11 do not count the
 * events of these in pids.events. */
static const struct {
        const char *file, *key;
        const char *v1_dir, *v1_file; /* in version 1, each controller has its own folder */
} events[EVENTS] = {
        [EVENT_OOM_KILL] = { "memory.events", "oom_kill", CGROUP_DIR "/memory",
                             "memory.oom_control" },
        [EVENT_TASKS_MAX] = { "pids.events", "max", CGROUP_DIR "/pids", "pids.events" },
};

static uint64_t events_read(const char *dir, const char *group, const char *name, const char *key)
{
        _cleanup_free_ char *path = text_format("%s%s/%s", dir, group, name);
        _cleanup_fclose_ FILE *file = path ? fopen(path, "re") : NULL;
        uint64_t count = UINT64_MAX, value;
        char line[128];

        while (file && fgets(line, sizeof(line), file)) {
                Span rest = span_from_string(line), word;

                rest.size -= rest.size > 0 && rest.data[rest.size - 1] == '\n';
                if (span_take_until(&rest, ' ', &word) && span_equals(word, key) &&
                    text_number(rest, UINT64_MAX - 1, &value))
                        count = value;
        }
        return count;
}

void events_count(sd_bus *bus, const char *instance, uint64_t ret[static EVENTS])
{
        _cleanup_free_ char *group = NULL;
        char unit[NAME_UNIT_MAX];
        const int r = bus_get(bus, name_unit(NAME_SERVICE_UNIT, instance, unit), "Service",
                              "ControlGroup", PROPERTY_STRING, &group);

        for (Event event = 0; event < EVENTS; event++) {
                ret[event] = UINT64_MAX;
                if (r < 0 || group[0] == 0)
                        continue;
                ret[event] = events_read(CGROUP_DIR, group, events[event].file, events[event].key);
                if (ret[event] == UINT64_MAX)
                        ret[event] = events_read(events[event].v1_dir, group, events[event].v1_file,
                                                 events[event].key);
        }
}
