/* SPDX-License-Identifier: MIT */
/* Asks the running router through its control socket, and reads its metrics. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The router's answer to GET path, NUL-terminated, to be freed. A negative errno: -ESHUTDOWN if it
 * is not running (asking would start it); -ENOENT or -ECONNREFUSED if nothing listens; -EACCES if
 * we have no access; -ETIMEDOUT; -ECONNRESET if the answer ends too early; -EPROTO if it is not an
 * answer of a router.
 */
int control_fetch(const char *runtime_dir, const char *path, char **ret);

/* The text of such an error for people, with advice. */
const char *metrics_fetch_explain(int error);

typedef struct Sample {
        const char *name;
        const char *labels; /* as between the braces: instance="alice",reason="x" */
        double value;
} Sample;

typedef struct Samples {
        Sample *samples; /* in the order of the text */
        size_t n;
        char *text; /* owns the strings */
} Samples;

/* Takes the text, even if it fails. Returns 0, -ENOMEM, or -EPROTO if the text is not in
 * Prometheus's format. */
int samples_parse_consume(char *text, Samples *ret);
void samples_done(Samples *samples);

/* Fetches and parses the metrics. */
int samples_fetch(const char *runtime_dir, Samples *ret);

/* The value of a label. The router's labels are words and names, so they contain no escapes. False:
 * the label is missing. */
bool sample_label(const Sample *sample, const char *label, char *ret, size_t size);

/* The first sample with that name, and with that label value if label is not NULL. */
bool samples_find(const Samples *samples, const char *name, const char *label, const char *value,
                  double *ret);

/* The time when the router began to read the files in force, in nanoseconds since 1970; UNKNOWN:
 * the router does not answer. */
uint64_t samples_router_read(const Samples *samples);

/* Whether the router has an instance with that name: 1, 0, or an error as above. */
int router_knows(const char *runtime_dir, const char *instance);
