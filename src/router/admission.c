/* SPDX-License-Identifier: MIT */
/* For PendingMaxPerSource=, this file counts the pending connections of each source (see source.h).
 * It does not count for PendingMax= and PendingMaxPerInstance=: the router counts all pending
 * connections, and each outlet (see outlet.h) counts the connections that wait in it. */
#include <assert.h>
#include <errno.h>
#include <sys/param.h>
#include <sys/resource.h>

#include "router/admission.h"

void admission_set(Admission *admission, const RouterSettings *settings, size_t n_descriptors)
{
        struct rlimit limit;
        uint64_t room;

        admission->settings = settings;
        admission->pending_max = settings->pending_max;
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        /* Half of the remaining descriptors are for pending connections. The other half is for
         * refused connections, which may stay open for a moment (see refuse/linger.h). */
        room = limit.rlim_cur > n_descriptors + 2 ? (limit.rlim_cur - n_descriptors) / 2 : 1;
        admission->pending_max = MIN(room, settings->pending_max);
}

bool admission_has_room(Admission *admission, size_t n_pending)
{
        assert(admission->pending_max > 0);
        if (n_pending <= admission->pending_max)
                return true;
        log_limits_write(admission->log_limits, NULL, LOG_KIND_PENDING_LIMIT, (LogFields){ 0 },
                         "%zu connections are pending, which is the limit (PendingMax=, bounded by "
                         "LimitNOFILE= of bellhop-router.service); the oldest are refused",
                         admission->pending_max);
        return false;
}

bool admission_charge(Admission *admission, const Address *client, Source **ret)
{
        const int r = source_charge(&admission->sources, admission->settings, client, ret);
        char peer[ADDRESS_TEXT_MAX];

        if (r == -EDQUOT) {
                address_format(client, peer);
                log_limits_write(admission->log_limits, NULL, LOG_KIND_SOURCE_LIMIT,
                                 (LogFields){ .peer = peer },
                                 "the network of %s has reached PendingMaxPerSource=; more "
                                 "connections from there get 429",
                                 peer);
        }
        return r == 0;
}

bool admission_of_instance(Admission *admission, Outlet *outlet)
{
        if (outlet->n_waiting < admission->settings->pending_max_per_instance)
                return true;
        /* The outlet without a name leads to bellhop-acme-tls, and not to an instance. outlet.c has
         * already logged that bellhop-acme-tls receives nothing. */
        if (!outlet->name)
                return false;
        log_limits_write(admission->log_limits, outlet->log_limits, LOG_KIND_INSTANCE_LIMIT,
                         (LogFields){ .instance = outlet->name },
                         "%s has reached PendingMaxPerInstance=; more clients get 503 until it "
                         "receives connections: systemctl status bellhop@%s.service",
                         outlet->name, outlet->name);
        return false;
}
