/* SPDX-License-Identifier: MIT */
/* The state that an instance reports: a small file in its runtime folder, which bellhop-instance
 * replaces as a whole and bellhopctl reads. A process of the customer can write anything there, so
 * the state is only shown, and never used in a way that could harm others. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/span.h"

#define STATE_FILE      "state"
#define STATE_MAX_BYTES 512

/* The runtime folder of an instance: a file system that exists only in the mount namespace of its
 * unit.
 */
#define INSTANCE_RUNTIME_DIR "/run/bellhop-instance"

typedef enum StateKind {
        STATE_STARTING,  /* the server has not yet been ready */
        STATE_READY,     /* it receives hand-offs */
        STATE_RELOADING, /* it reads its files again, and still serves */
        STATE_STOPPING,  /* it finishes received connections, and receives no new ones */
        STATE_KINDS,
} StateKind;

/* The result of the last reload. */
typedef enum StateReload {
        STATE_RELOAD_NONE, /* there was no reload */
        STATE_RELOAD_RUNNING,
        STATE_RELOAD_DONE,
        STATE_RELOAD_FAILED, /* the server keeps its old settings */
        STATE_RELOADS,
} StateReload;

typedef struct State {
        StateKind kind;
        uint64_t n_open;            /* connections */
        uint64_t n_handoffs;        /* since the start */
        uint64_t last_handoff_usec; /* CLOCK_REALTIME; 0: none yet */
        uint64_t read_usec;   /* CLOCK_REALTIME when it last began to read files; 0: not yet */
        uint64_t others;      /* the Instance.others that the server has read */
        uint64_t reload_usec; /* CLOCK_MONOTONIC when the last reload began; 0: none yet */
        StateReload reload;
} State;

/* "VERSION=1\nSTATE=ready\nCONNECTIONS=...\n", NUL-terminated. Returns its length. */
size_t state_format(const State *state, char ret[static STATE_MAX_BYTES]);

/* False: the text has another version or another form. Unknown keys are ignored. Pure. */
bool state_parse(Span text, State *ret);

/* Returns the path through which other processes reach dir in the mount namespace of that process;
 * NULL without memory. The caller frees it. If no process has that id (0, for example), nothing
 * exists at this path. Root and processes of the same unit can use the path: see /proc/pid/root in
 * proc(5). */
char *state_dir_of(uint64_t pid, const char *dir);

/* Replaces STATE_FILE in dir. Returns 0 or a negative errno. */
int state_write(const char *dir, const State *state);

/* Reads STATE_FILE in dir without following links, blocking, or opening anything except a regular
 * file. Returns 0, -ENOENT (not running), -EBADMSG (another form) or another negative errno. */
int state_read(const char *dir, State *ret);
