/* SPDX-License-Identifier: MIT */
/* Asks the running router by its control socket, and reads its metrics. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the router answers to GET path, NUL-terminated, to be freed. A negative errno: -ESHUTDOWN
 * when it does not run (asking would start it), -ENOENT or -ECONNREFUSED when nobody listens,
 * -EACCES when we may not ask, -ETIMEDOUT, -ECONNRESET when it ends too early, -EPROTO when it is
 * no answer of a router.
 */
int control_fetch(const char *runtime_dir, const char *path, char **ret);

/* Such an error for people, with what to do about it. */
const char *metrics_fetch_explain(int error);

typedef struct Sample {
        const char *name;
        const char *labels; /* as they are between the braces: instance="alice",reason="x" */
        double value;
} Sample;

typedef struct Samples {
        Sample *samples; /* in the order of the text */
        size_t n;
        char *text; /* owns the strings */
} Samples;

/* Takes the text, also when it fails: -ENOMEM, or -EPROTO for what is no text exposition. */
int samples_parse_consume(char *text, Samples *ret);
void samples_done(Samples *samples);

/* Fetches and parses the metrics. */
int samples_fetch(const char *runtime_dir, Samples *ret);

/* The value of one of our labels, which are words and names without escapes. False: it has none. */
bool sample_label(const Sample *sample, const char *label, char *ret, size_t size);

/* The first sample of that name, and with that label value if label is not NULL. */
bool samples_find(const Samples *samples, const char *name, const char *label, const char *value,
                  double *ret);

/* When the router began to read the files that are in force, in nanoseconds since 1970; UNKNOWN: it
 * does not say. */
uint64_t samples_router_read(const Samples *samples);

/* Whether the router has an instance of that name: 1, 0, or why it can't be asked, as above. */
int router_knows(const char *runtime_dir, const char *instance);
