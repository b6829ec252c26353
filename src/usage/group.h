/* SPDX-License-Identifier: MIT */
/* The processor time of instances: of the control groups of their units, in cgroup v2, or v1 where
 * the machine has that. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Of one instance. group: which group it is, as a unit gets a new one each time that it starts. 0,
 * -ENOENT (it does not run) or another negative errno. */
int group_read(const char *instance, uint64_t *ret_group, uint64_t *ret_nsec);

/* Calls on_group for each instance that runs. 0 or a negative errno. */
int group_read_all(void (*on_group)(void *userdata, const char *instance, uint64_t group,
                                    uint64_t nsec),
                   void *userdata);

/* Whether the process is one of the unit of that instance: /proc/PID/cgroup. */
bool group_has(const char *instance, int pid);
