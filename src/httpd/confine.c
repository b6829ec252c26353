/* SPDX-License-Identifier: MIT */
/* Owns what of the fence this process has already: a reload can add to it, nothing takes away. */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <apr_strings.h>
#include <http_core.h>

#include "config/config.h"
#include "fence/fence.h"
#include "httpd/confine.h"
#include "util/cleanup.h"
#include "util/log-ids.h"
#include "util/log.h"

#define RAISED_KEY "bellhop-fence-1"

static void tell_gaps(const char *name, unsigned missing)
{
        log_open();
        for (unsigned i = 0; i < FENCE_PARTS; i++)
                if (missing & 1U << i)
                        log_full(LOG_WARNING,
                                 &(LogFields){ .message_id = LOG_ID_FENCE_GAP, .instance = name },
                                 "the fence of %s has a gap: %s", name, fence_gap(1U << i));
}

/*
 * The hand-off socket outlives this server. A filter on it that drops all would do so without a
 * word to the router, even when systemd has long made a new socket (measured on Linux 6.18): so
 * nobody gets to put one on.
 */
static void lock_filters(void)
{
        const int n = sd_listen_fds(0);

        for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++)
                (void)setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &(int){ 1 }, sizeof(int));
}

/*
 * The unit gives this server a capability that is good for nothing but to keep the same user's
 * other programs from tracing it, from the moment when it is executed: ptrace(2), "Ptrace access
 * mode checking". What it executes itself is a customer's program, and gets none.
 */
static void keep_capability(void)
{
        (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

const char *confine(cmd_parms *cmd, void *unused, const char *name, const char *config_dir)
{
        apr_pool_t *forever = cmd->server->process->pool;
        bool network = false;
        unsigned wanted, *raised;
        void *found = NULL;
        int r = config_read_network(config_dir, name, &network);

        if (r < 0)
                return apr_psprintf(cmd->pool, "can't read %s/instances/%s.conf: %s", config_dir,
                                    name, strerror(-r));
        (void)apr_pool_userdata_get(&found, RAISED_KEY, forever);
        raised = found;
        if (!raised) {
                raised = apr_pcalloc(forever, sizeof(*raised));
                lock_filters();
                keep_capability();
                /* Not _setn: a reload unloads the key with this file. */
                (void)apr_pool_userdata_set(raised, RAISED_KEY, NULL, forever);
        }
        wanted = fence_wanted(network) & ~*raised;
        r = fence_raise(wanted);
        if (r < 0)
                return apr_psprintf(cmd->pool,
                                    "can't fence this instance in: %s; the journal of the kernel "
                                    "and SystemCallFilter= of bellhop@%s.service may tell why",
                                    strerror(-r), name);
        *raised |= wanted;
        if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_NORMAL)
                tell_gaps(name, wanted & ~fence_offered());
        return NULL;
}
