/* SPDX-License-Identifier: MIT */
/* Formats numbers and times for people and for programs. Pure. */
#pragma once

#include <stdint.h>
#include <time.h>

#define SHOWN_MAX 40

/* All functions return ret. They show "-" if the number is unknown: if n is UINT64_MAX, or
 * per_second is NAN. */
const char *show_count(uint64_t n, char ret[static SHOWN_MAX]);
const char *show_bytes(uint64_t n, char ret[static SHOWN_MAX]);      /* "812B", "11.4M" */
const char *show_nsec(uint64_t n, char ret[static SHOWN_MAX]);       /* "0.52s" */
const char *show_span(uint64_t seconds, char ret[static SHOWN_MAX]); /* "45s", "10min" */
const char *show_usec(uint64_t n, char ret[static SHOWN_MAX]);       /* in seconds: "600", "0.5" */
const char *show_percent(uint64_t n, char ret[static SHOWN_MAX]);    /* n/10000, in %: "12.5" */
const char *show_rate(double per_second, char ret[static SHOWN_MAX]);

const char *show_days(uint64_t days, char ret[static SHOWN_MAX]); /* "1 day", "58 days" */

/* "now", "34s ago", "5min ago"; or "-" if the parameter "then" is 0. */
const char *show_ago(time_t then, time_t now, char ret[static SHOWN_MAX]);

/* "in 58 days", "in 7 hours", "expired"; or "-" if the parameter "then" is 0. */
const char *show_left(time_t then, time_t now, char ret[static SHOWN_MAX]);

/* "2026-10-05T07:12:03Z". */
const char *show_time(time_t then, char ret[static SHOWN_MAX]);
