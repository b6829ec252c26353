/* SPDX-License-Identifier: MIT */
/* How an instance has ended, as systemd has seen it: nothing that the customer could forge. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum Ending {
        ENDING_NEVER_READY, /* it could not start */
        ENDING_CRASH,       /* it had been ready, or was killed while it started */
        ENDING_CRASH_LOOP,  /* soon after its start, and so it was last time */
} Ending;

#define ENDING_CAUSE_MAX 64

/* What systemd knows, and the queue. Times are CLOCK_MONOTONIC, 0: never. */
typedef struct EndingFacts {
        bool is_loaded;              /* the unit's files are valid */
        bool is_killed;              /* by a signal, whoever sent it */
        uint64_t start_usec;         /* the instance's last start */
        uint64_t ready_usec;         /* when it was ready last */
        uint64_t end_usec;           /* when it ended */
        uint64_t last_stand_in_usec; /* when the stand-in before us ended */
        uint64_t waited_usec;        /* how long the first in the queue has waited */
} EndingFacts;

/* Asks systemd over the system bus for all but waited_usec. cause: in its words, "exit-code 1".
 * Negative errno: the bus does not answer. */
int ending_ask(const char *instance, EndingFacts *ret, char ret_cause[static ENDING_CAUSE_MAX]);

Ending ending_judge(const EndingFacts *facts);
