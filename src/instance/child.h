/* SPDX-License-Identifier: MIT */
/* Starts programs, passes sockets to them, and records their end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define CHILD_FDS_MAX 5

typedef struct Child {
        const char *const *argv; /* ends with NULL; argv[0] is a path */
        int fds[CHILD_FDS_MAX];  /* get the numbers 3, 4, ... in the program; the caller keeps them
                                  */
        size_t n_fds;
        const char *fd_names; /* $LISTEN_FDNAMES: "a:b", see sd_listen_fds(3); NULL: no $LISTEN_*
                                 variables */
        const char *const *environment; /* "KEY=VALUE", added to our environment; the array ends
                                           with NULL; may be NULL */
        bool keeps_capability; /* the program keeps AmbientCapabilities= of bellhop@.service */
        int orphan_signal; /* sent to the rest of the program's process group if the program fails
                              or is killed */
} Child;

typedef struct Process {
        pid_t pid; /* 0: not started */
        bool has_ended;
        int status; /* as from waitpid(2), after the process has ended */
        int orphan_signal;
        sd_event_source *source;
        LIST_ENTRY(Process) link; /* in the list of all started processes */
} Process;

/* Starts the program in its own session, with default signal handlers, and without our variables
 * NOTIFY_SOCKET, LISTEN_* and BELLHOP_*. The event loop records the end of the program in *ret,
 * which must not move until child_done(). Returns 0 or a negative errno; if exec fails, the new
 * process reports this on stderr and exits with 127. */
int child_start(const Child *child, sd_event *event, Process *ret);

/* Starts the program like child_start(), and waits for its end. Returns its waitpid(2) status or a
 * negative errno. */
int child_run(const Child *child);

/* Executes the program in this process. Environment and descriptors are as in child_start().
 * Returns only after a failure, with a negative errno. */
int child_become(const Child *child);

/* Sends a signal. Does nothing after the process has ended, because its process id may now belong
 * to another process. */
void child_kill(const Process *process, int number);

/* Sends SIGKILL to the process and its process group, unless the process has ended. */
void child_kill_all(const Process *process);

/* Kills the process and its process group, unless the process has ended. Then forgets the
 * process. */
void child_done(Process *process);

/* Makes this process the parent of all orphaned descendants, and makes the event loop reap them.
 * Otherwise PID 1 would adopt them, and would start no unit before it has reaped all of them.
 * Returns 0 or a negative errno. */
int child_adopt_orphans(sd_event *event);

/* Makes a unix socket at path. Replaces a socket file that a killed supervisor has left. Returns
 * the descriptor or a negative errno (-ENOMEM if path is NULL). */
int child_bind(const char *path, int type);
