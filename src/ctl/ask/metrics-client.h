/* SPDX-License-Identifier: MIT */
/* Asks the running router for its metrics, and reads them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * The text as the router gives it, NUL-terminated. A negative errno: -ESHUTDOWN when it does not
 * run, though to ask would start it: who only looks starts nothing. -ENOENT or -ECONNREFUSED when
 * nobody listens, -EACCES when we may not ask, -ETIMEDOUT, -EPROTO for an answer that is none.
 */
int control_fetch(const char *runtime_dir, const char *path, char **ret);
int metrics_fetch(const char *runtime_dir, char **ret);

/* The same for who is to be told why; NULL-free, and says what to do. */
const char *metrics_fetch_explain(int error);

typedef struct Sample {
        const char *name;
        const char *labels; /* as they stand between the braces: instance="alice",reason="x" */
        double value;
} Sample;

typedef struct Samples {
        Sample *samples; /* in the order of the text */
        size_t n;
        char *text; /* what they point into */
} Samples;

/* Takes the text, also when it fails: -ENOMEM, or -EPROTO for what is no text exposition. */
int samples_parse_consume(char *text, Samples *ret);
void samples_done(Samples *samples);

/* Fetch and parse. */
int samples_fetch(const char *runtime_dir, Samples *ret);

/* The value of a label of ours, which are words and names: no escapes. False: it has none. */
bool sample_label(const Sample *sample, const char *label, char *ret, size_t size);

/* The first sample of that name, and with that label value if label is not NULL. */
bool samples_find(const Samples *samples, const char *name, const char *label, const char *value,
                  double *ret);
