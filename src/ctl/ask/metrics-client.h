/* SPDX-License-Identifier: MIT */
/* Sends requests to the running router through its control socket, and reads its metrics. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Sends the HTTP request "GET path". *ret: the body of the router's answer, a string to be freed.
 * Returns 0 or a negative errno: -ESHUTDOWN if the router is not running; -ENOENT or -ECONNREFUSED
 * if no process listens; -EACCES if we have no access; -ETIMEDOUT; -ECONNRESET if the answer ends
 * too early; -EPROTO if the answer does not come from a router. Does not connect to a router that
 * is not running, because a connection would start the router.
 */
int control_fetch(const char *runtime_dir, const char *path, char **ret);

/* Describes an error of control_fetch() for people, with advice. */
const char *metrics_fetch_explain(int error);

typedef struct Sample {
        const char *name;
        const char *labels; /* the text between the braces: instance="alice",reason="x" */
        double value;
} Sample;

typedef struct Samples {
        Sample *samples; /* in the order of the text */
        size_t n;
        char *text; /* contains the strings of the samples */
} Samples;

/* Parses the text, and takes ownership of it even after an error. Returns 0, -ENOMEM, or -EPROTO if
 * the text is not in Prometheus's format. */
int samples_parse_consume(char *text, Samples *ret);
void samples_done(Samples *samples);

/* Fetches and parses the metrics. */
int samples_fetch(const char *runtime_dir, Samples *ret);

/* Copies the value of the label to ret. The router's values are words and names, so they contain no
 * escapes. False: the sample does not have the label, or the value is too long. */
bool sample_label(const Sample *sample, const char *label, char *ret, size_t size);

/* Finds the first sample with that name and, if label is not NULL, with that value of the label.
 * *ret gets the sample's number. */
bool samples_find(const Samples *samples, const char *name, const char *label, const char *value,
                  double *ret);

/* The time when the router began to read the configuration that it uses now, in nanoseconds since
 * 1970; UNKNOWN: the samples do not contain this time. */
uint64_t samples_router_read(const Samples *samples);

/* Whether the router has an instance with that name: 1, 0, or a negative errno, as from
 * samples_fetch(). */
int router_knows(const char *runtime_dir, const char *instance);
