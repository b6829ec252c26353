/* SPDX-License-Identifier: MIT */
/*
 * A graceful stop that can't get lost. The server's own signal for it, SIGWINCH, is ignored by
 * default, so one that comes before the MPM has set its handlers is gone: the server runs on, until
 * whoever asked it to stop loses patience and kills it with all that it serves. SIGINT ends a
 * process that has not got so far, which has received nothing yet; afterwards it is a SIGWINCH.
 * Between the two it waits.
 */
#pragma once

/* In the parent, before the MPM sets its handlers, and while this module is not loaded. */
void stop_hold(void);

/* In the parent, when the MPM has set them. */
void stop_heed(void);

/* In a child, which may have been forked meanwhile. */
void stop_leave(void);
