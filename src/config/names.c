/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "config/names.h"
#include "util/text.h"

/* The parts of a path, or of the name of a unit, before and after the name of the instance. */
typedef struct Form {
        const char *before, *after;
} Form;

static const Form paths[] = {
        [NAME_INSTANCE_FILE] = { "/instances/", NAME_CONF_SUFFIX },
        [NAME_TLS_DIR] = { "/tls/", "" },
        [NAME_CERTIFICATE] = { "/tls/", "/fullchain.pem" },
        [NAME_PRIVATE_KEY] = { "/tls/", "/privkey.pem" },
        [NAME_SNIPPET_DIR] = { "/sites/", "" },
        [NAME_HANDOFF_SOCKET] = { "/", ".handoff" },
        [NAME_RUNNING_SIGN] = { "/", ".running" },
};

static const Form units[] = {
        [NAME_SOCKET_UNIT] = { "bellhop@", ".socket" },
        [NAME_SERVICE_UNIT] = { "bellhop@", ".service" },
        [NAME_STANDIN_UNIT] = { "bellhop-standin@", ".service" },
        [NAME_SERVICE_DROP_IN_DIR] = { "bellhop@", ".service.d" },
};

char *name_path(NamePath what, const char *dir, const char *instance)
{
        return text_format("%s%s%s%s", dir, paths[what].before, instance, paths[what].after);
}

bool name_path_fill(NamePath what, const char *dir, const char *instance, char ret[static PATH_MAX])
{
        const int n = snprintf(ret, PATH_MAX, "%s%s%s%s", dir, paths[what].before, instance,
                               paths[what].after);

        return n >= 0 && n < PATH_MAX;
}

const char *name_host_folder(const char *host, char ret[static NAME_HOST_MAX])
{
        (void)snprintf(ret, NAME_HOST_MAX, "%s", host);
        if (ret[0] == '*')
                ret[0] = '_';
        return ret;
}

bool name_host_path_fill(NamePath what, const char *dir, const char *instance, const char *host,
                         char ret[static PATH_MAX])
{
        char folder[NAME_HOST_MAX];
        const int n = snprintf(ret, PATH_MAX, "%s%s%s/%s%s", dir, paths[what].before, instance,
                               name_host_folder(host, folder), paths[what].after);

        return n >= 0 && n < PATH_MAX;
}

const char *name_unit(NameUnit what, const char *instance, char ret[static NAME_UNIT_MAX])
{
        (void)snprintf(ret, NAME_UNIT_MAX, "%s%s%s", units[what].before, instance,
                       units[what].after);
        return ret;
}

bool name_from_unit(NameUnit what, const char *unit, char ret[static NAME_UNIT_MAX])
{
        const size_t before = strlen(units[what].before), after = strlen(units[what].after);
        const size_t length = strlen(unit);

        if (length <= before + after || length - before - after >= NAME_UNIT_MAX ||
            memcmp(unit, units[what].before, before) != 0 ||
            strcmp(unit + length - after, units[what].after) != 0)
                return false;
        (void)snprintf(ret, NAME_UNIT_MAX, "%.*s", (int)(length - before - after), unit + before);
        return true;
}
