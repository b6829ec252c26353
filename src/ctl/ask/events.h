/* SPDX-License-Identifier: MIT */
/*
 * Reads how often a limit of an instance was reached. The kernel counts this for the control group
 * of the service, which systemd removes when the service ends.
 */
#pragma once

#include "ctl/ask/bus.h"

typedef enum Event {
        EVENT_OOM_KILL,  /* the kernel's OOM killer killed a process */
        EVENT_TASKS_MAX, /* a process or thread did not start, because there were too many */
        EVENTS,
} Event;

/* Gets the counts since the service was started. UINT64_MAX: the service is not running, or the
 * count is unknown. */
void events_count(sd_bus *bus, const char *instance, uint64_t ret[static EVENTS]);
