/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <sys/stat.h>

#include "config/names.h"
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

static const FenceReach reaches[NETWORKS] = {
        [NETWORK_NO] = FENCE_NOWHERE,
        [NETWORK_INTERNET] = FENCE_INTERNET,
        [NETWORK_YES] = FENCE_EVERYWHERE,
};

/* Whether the rules of bellhop-firewall apply to this process. The rules select processes by
 * control group. */
static bool confine_is_ruled(void)
{
        _cleanup_fclose_ FILE *file = fopen("/proc/self/cgroup", "re");
        char line[PATH_MAX];
        bool found = false;

        while (file && !found && fgets(line, sizeof(line), file))
                found = strstr(line, "/bellhop.slice/") && !strstr(line, "/bellhop-network.slice/");
        return found;
}

static FenceReach confine_reach(const Context *context, Network network)
{
        if (network != NETWORK_INTERNET || !context->serves || confine_is_ruled())
                return reaches[network];
        log_warning("%s can't open TCP connections, because its unit is not in bellhop.slice: run "
                    "'bellhopctl apply', and remove Slice= from drop-ins of bellhop@%s.service",
                    context->instance, context->instance);
        return FENCE_NOWHERE;
}

int confine(Context *context, Instance *ret)
{
        static unsigned raised; /* the parts of the fence that are already set up */
        const char *instance = context->instance;
        int r = config_read_instance(context->config_dir, instance, ret);
        unsigned wanted;

        if (r < 0) {
                log_error_errno(r, "can't read the settings of %s: %m", instance);
                return r;
        }
        context->server = ret->server;
        context->is_suspended = ret->is_suspended;
        wanted = fence_wanted(confine_reach(context, ret->network)) & ~raised;
        r = fence_raise(wanted);
        if (r < 0) {
                log_error_errno(
                        r,
                        "can't set up the fence of %s: %m; see the kernel's messages in the "
                        "journal, and SystemCallFilter= of bellhop@%s.service",
                        instance, instance);
                return r;
        }
        raised |= wanted;
        confine_report_gaps(instance, wanted & ~fence_offered());
        return 0;
}

/* A program that renews certificates as root may make the key readable for everybody. The sandbox
 * still hides the key from other instances, but not from other users of the machine. */
void confine_warn_key(const Context *context)
{
        char folder[PATH_MAX], key[PATH_MAX];
        struct stat folder_status, key_status;

        if (!name_path_fill(NAME_TLS_DIR, context->config_dir, context->instance, folder) ||
            !name_path_fill(NAME_PRIVATE_KEY, context->config_dir, context->instance, key) ||
            stat(folder, &folder_status) < 0 || stat(key, &key_status) < 0)
                return;
        if ((folder_status.st_mode & S_IXOTH) && (key_status.st_mode & S_IROTH))
                log_warning("all users of this machine can read the private key %s; 'bellhopctl "
                            "check' says how to prevent it",
                            key);
}
