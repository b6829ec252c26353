/* SPDX-License-Identifier: MIT */
/* The state that an instance reports: a small file in its runtime folder, which bellhop-instance
 * replaces as a whole and bellhopctl reads. A program of the customer can write anything into the
 * file, so the state is only shown, and never used in a way that could harm others. */
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
        STATE_STARTING,  /* the first server is not ready yet */
        STATE_READY,     /* the server receives hand-offs */
        STATE_RELOADING, /* a new server reads the files again, and the old one still serves */
        STATE_STOPPING,  /* the instance finishes its connections and then ends */
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
        uint64_t read_usec; /* CLOCK_REALTIME when the server began to read its files; 0: not yet */
        uint64_t others;    /* the value of Instance.others that the server has read */
        uint64_t reload_usec; /* CLOCK_MONOTONIC when the last reload began; 0: none yet */
        StateReload reload;
} State;

/* Writes "VERSION=1\nSTATE=ready\nCONNECTIONS=...\n", and a NUL. Returns the length without the
 * NUL. */
size_t state_format(const State *state, char ret[static STATE_MAX_BYTES]);

/* Returns false if the text has another version or is malformed. Unknown keys are ignored. Pure. */
bool state_parse(Span text, State *ret);

/* Returns a path to the folder that the process pid sees as dir in its mount namespace, or NULL if
 * memory is exhausted. The caller frees the path. If no process has this id (0, for example),
 * nothing exists at the path. Root and processes of the same unit can use the path: see
 * /proc/pid/root in proc(5). */
char *state_dir_of(uint64_t pid, const char *dir);

/* Replaces STATE_FILE in dir. Returns 0 or a negative errno. */
int state_write(const char *dir, const State *state);

/* Reads STATE_FILE in dir. Does not follow links, does not block, and opens only a regular file.
 * Returns 0, -ENOENT (not running), -EBADMSG (malformed) or another negative errno. */
int state_read(const char *dir, State *ret);
