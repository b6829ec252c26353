/* SPDX-License-Identifier: MIT */
/*
 * Prometheus's text format, version 0.0.4, into a growing buffer. Pure but for memory, and without
 * floating point: seconds are counted in whole nanoseconds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPOSITION_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

typedef struct Exposition {
        char *data;
        size_t size;
        size_t room;
        bool failed; /* no memory: what is there is not whole */
} Exposition;

void exposition_done(Exposition *exposition);

void exposition_printf(Exposition *exposition, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

typedef struct Label {
        const char *name;  /* NULL: no label */
        const char *value; /* of the characters of our own words and names: nothing is escaped */
} Label;

typedef enum SampleUnit {
        SAMPLE_COUNT,
        SAMPLE_NSEC, /* written as seconds */
} SampleUnit;

/* suffix: "" or what histograms and summaries add to the name. */
void exposition_sample(Exposition *exposition, const char *name, const char *suffix,
                       const Label labels[static 2], uint64_t value, SampleUnit unit);

#define EXPOSITION_NUMBER_MAX 32

/* Nanoseconds as seconds, without needless zeros. */
void exposition_seconds(uint64_t nsec, char ret[static EXPOSITION_NUMBER_MAX]);
