/* SPDX-License-Identifier: MIT */
#include <sys/socket.h>

#include "fence/fence.h"
#include "instance/confine.h"
#include "util/cleanup.h"
#include "util/log-ids.h"
#include "util/log.h"

static void confine_report_gaps(const char *instance, unsigned missing)
{
        for (unsigned i = 0; i < FENCE_PARTS; i++)
                if (missing & 1U << i)
                        log_full(LOG_WARNING,
                                 &(LogFields){ .message_id = LOG_ID_FENCE_GAP,
                                               .instance = instance },
                                 "the fence of %s has a gap: %s", instance, fence_gap(1U << i));
}

int confine(Confined *confined, const char *instance, bool network)
{
        const unsigned wanted = fence_wanted(network) & ~confined->raised;
        const int r = fence_raise(wanted);

        if (r < 0) {
                errno = -r;
                log_error("can't raise the fence of %s: %m; see the kernel's messages in the "
                          "journal, and SystemCallFilter= of bellhop@%s.service",
                          instance, instance);
                return r;
        }
        confined->raised |= wanted;
        confine_report_gaps(instance, wanted & ~fence_offered());
        return 0;
}

/*
 * The hand-off socket outlives the instance. A filter on it that drops everything would do so
 * without a word to the router, even when systemd has long made a new socket (measured on
 * Linux 6.18).
 */
void confine_handoff_socket(int handoff_fd)
{
        (void)setsockopt(handoff_fd, SOL_SOCKET, SO_LOCK_FILTER, &(int){ 1 }, sizeof(int));
}
