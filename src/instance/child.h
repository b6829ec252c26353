/* SPDX-License-Identifier: MIT */
/* How an instance starts a program, provides sockets for it, and learns of its end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define CHILD_FDS_MAX 5

typedef struct Child {
        const char *const *argv; /* ends with NULL; argv[0] is a path */
        int fds[CHILD_FDS_MAX];  /* become 3, 4, ...; the caller keeps them */
        size_t n_fds;
        const char *fd_names; /* "a:b" as from systemd: sd_listen_fds(3); NULL: none */
        const char *const
                *environment;  /* "KEY=VALUE" in addition to our own, ends with NULL; or NULL */
        bool keeps_capability; /* the ambient one: see bellhop@.service */
        int orphan_signal;     /* sent to its group if it fails or is killed */
} Child;

typedef struct Process {
        pid_t pid; /* 0: not started */
        bool has_ended;
        int status; /* of waitpid(2), after it has ended */
        int orphan_signal;
        sd_event_source *source;
        LIST_ENTRY(Process) link; /* of all started processes */
} Process;

/* Starts the program in a session of its own, with default signals, without our NOTIFY_SOCKET,
 * LISTEN_* and BELLHOP_*. The event loop records its end in *ret, which must not move until
 * child_done(). Returns 0 or a negative errno; a failed exec is reported on stderr and exits with
 * 127. */
int child_start(const Child *child, sd_event *event, Process *ret);

/* The same, but waits for the end of the program. Returns its waitpid(2) status or a negative
 * errno. */
int child_run(const Child *child);

/* Becomes the program in this process, in the same way. Returns only after a failure, with a
 * negative errno. */
int child_become(const Child *child);

/* Sends a signal. Does nothing after the process has ended: its process id may belong to another
 * process. */
void child_kill(const Process *process, int number);

/* The same with SIGKILL, also to its process group. */
void child_kill_all(const Process *process);

/* Kills it if it has not ended, with its process group. */
void child_done(Process *process);

/* Makes this process the parent of all orphaned descendants, and makes the event loop wait for
 * them. Otherwise PID 1 would handle each of them before it starts a unit. Returns 0 or a negative
 * errno. */
int child_adopt_orphans(sd_event *event);

/* Makes a unix socket at path, and replaces one that a killed supervisor has left. path NULL means
 * that there was no memory. Returns the descriptor or a negative errno. */
int child_bind(const char *path, int type);
