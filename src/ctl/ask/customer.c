/* SPDX-License-Identifier: MIT */
#include <stdarg.h>

#include "ctl/ask/customer.h"
#include "ctl/ask/metrics-client.h"
#include "util/cleanup.h"

#define WANTS_DIR "/etc/systemd/system/bellhop.target.wants"

__attribute__((format(printf, 2, 3))) static bool fill(char ret[static PATH_MAX],
                                                       const char *format, ...)
{
        va_list args;
        int n;

        va_start(args, format);
        n = vsnprintf(ret, PATH_MAX, format, args);
        va_end(args);
        return n > 0 && n < PATH_MAX;
}

bool customer_init(const Ctl *ctl, const char *name, Customer *ret)
{
        const char *dir = ctl->config_dir;

        ret->name = name;
        return fill(ret->file, "%s/instances/%s.conf", dir, name) &&
               fill(ret->tls, "%s/tls/%s", dir, name) &&
               fill(ret->snippets, "%s/sites/%s", dir, name) &&
               fill(ret->www, WWW_DIR "/%s", name) &&
               fill(ret->wanted, WANTS_DIR "/bellhop@%s.socket", name);
}

bool user_is_marked(const struct passwd *user)
{
        const size_t length = strlen(USER_MARK);

        /* Behind a comma come rooms and numbers. */
        return strncmp(user->pw_gecos, USER_MARK, length) == 0 &&
               (user->pw_gecos[length] == 0 || user->pw_gecos[length] == ',');
}

bool router_knows(const Ctl *ctl, const char *name)
{
        Samples samples;
        double n;
        bool known;

        if (samples_fetch(ctl->runtime_dir, &samples) < 0)
                return false;
        known = samples_find(&samples, "bellhop_instance_handed_off_total", "instance", name, &n);
        samples_done(&samples);
        return known;
}
