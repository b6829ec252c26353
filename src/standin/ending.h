/* SPDX-License-Identifier: MIT */
/* How an instance has ended, as systemd has seen it: nothing that the customer could forge. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum Ending {
        ENDING_NEVER_READY, /* it could not start */
        ENDING_CRASH,       /* it had been ready */
        ENDING_CRASH_LOOP,  /* it had been ready for a moment only, and so it was last time */
} Ending;

#define ENDING_CAUSE_MAX 64

/* Asks systemd over the system bus. cause: in systemd's words, "exit-code 1". Negative errno: the
 * bus does not answer. */
int ending_ask(const char *instance, Ending *ret, char ret_cause[static ENDING_CAUSE_MAX]);

/* What systemd tells, and the judgement of it. Times are CLOCK_MONOTONIC, 0: never. */
typedef struct EndingFacts {
        bool is_loaded;              /* the unit's files are valid */
        uint64_t start_usec;         /* the instance's last start */
        uint64_t ready_usec;         /* when it was ready last */
        uint64_t end_usec;           /* when it ended */
        uint64_t last_stand_in_usec; /* when the stand-in before us ended */
} EndingFacts;

Ending ending_judge(const EndingFacts *facts);
