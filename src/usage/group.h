/* SPDX-License-Identifier: MIT */
/* Reads the processor time of instances from the control groups of their units. The machine can use
 * cgroup v2 or v1. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Reads the processor time of one instance. *ret_group identifies the control group: a unit gets a
 * new group at each start. Returns 0, -ENOENT if the instance is not running, or another negative
 * errno. */
int group_read(const char *instance, uint64_t *ret_group, uint64_t *ret_nsec);

/* Calls on_group() for each running instance. Returns 0 or a negative errno. */
int group_read_all(void (*on_group)(void *userdata, const char *instance, uint64_t group,
                                    uint64_t nsec),
                   void *userdata);

/* Whether the process belongs to the unit of that instance, according to /proc/PID/cgroup. */
bool group_has(const char *instance, int pid);
