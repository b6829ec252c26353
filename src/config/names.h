/* SPDX-License-Identifier: MIT */
/* The only place for names of instance files, sockets and units, so that programs agree. Pure. */
#pragma once

#include <limits.h>
#include <stdbool.h>

/* Every file of an instance: DIR/instances/NAME.conf. */
#define NAME_CONF_SUFFIX ".conf"

/* Room for "*." and the longest host, and the terminating NUL. */
#define NAME_HOST_MAX 256

typedef enum NamePath {
        NAME_INSTANCE_FILE,  /* CONFIG/instances/NAME.conf */
        NAME_TLS_DIR,        /* CONFIG/tls/NAME */
        NAME_CERTIFICATE,    /* CONFIG/tls/NAME/fullchain.pem */
        NAME_PRIVATE_KEY,    /* CONFIG/tls/NAME/privkey.pem */
        NAME_SNIPPET_DIR,    /* CONFIG/sites/NAME */
        NAME_HANDOFF_SOCKET, /* RUNTIME/NAME.handoff */
        NAME_RUNNING_SIGN,   /* RUNTIME/NAME.running: a folder while the unit runs */
} NamePath;

/* dir: the configuration folder, or the runtime folder for the last two. Returns a string
 * to be freed, or NULL without memory. */
char *name_path(NamePath what, const char *dir, const char *instance);

/* The same without allocation; false: the path has PATH_MAX bytes or more. */
bool name_path_fill(NamePath what, const char *dir, const char *instance,
                    char ret[static PATH_MAX]);

typedef enum NameUnit {
        NAME_SOCKET_UNIT,         /* bellhop@NAME.socket */
        NAME_SERVICE_UNIT,        /* bellhop@NAME.service */
        NAME_STANDIN_UNIT,        /* bellhop-standin@NAME.service */
        NAME_SERVICE_DROP_IN_DIR, /* bellhop@NAME.service.d */
} NameUnit;

/* Limits instances with Network=internet to the internet. */
#define FIREWALL_SERVICE "bellhop-firewall.service"

/* The folder of a host, exact or "*.suffix", below the document root and the folder of the
 * certificate: the host itself, with '_' instead of the asterisk. Returns ret. */
const char *name_host_folder(const char *host, char ret[static NAME_HOST_MAX]);

/* A file of that folder, as name_path_fill() does. what: NAME_CERTIFICATE or NAME_PRIVATE_KEY. */
bool name_host_path_fill(NamePath what, const char *dir, const char *instance, const char *host,
                         char ret[static PATH_MAX]);

/* Room for the longest instance name and the terminating NUL. */
#define NAME_UNIT_MAX 128

/* Returns ret. Truncates a name that is too long, which no instance has. */
const char *name_unit(NameUnit what, const char *instance, char ret[static NAME_UNIT_MAX]);

/* The instance that such a unit belongs to; false: the unit has another name. */
bool name_from_unit(NameUnit what, const char *unit, char ret[static NAME_UNIT_MAX]);
