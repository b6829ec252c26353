/* SPDX-License-Identifier: MIT */
/* Defines the names of instance files, sockets and units in one place, so that all programs agree.
 * Pure. */
#pragma once

#include <limits.h>
#include <stdbool.h>

/* The end of the name of each configuration file, such as DIR/instances/NAME.conf. */
#define NAME_CONF_SUFFIX ".conf"

/* Room for "*.", the longest host and the terminating NUL. */
#define NAME_HOST_MAX 256

/* CONFIG is the configuration folder, and RUNTIME the folder of sockets. */
typedef enum NamePath {
        NAME_INSTANCE_FILE,  /* CONFIG/instances/NAME.conf */
        NAME_TLS_DIR,        /* CONFIG/tls/NAME */
        NAME_CERTIFICATE,    /* CONFIG/tls/NAME/fullchain.pem */
        NAME_PRIVATE_KEY,    /* CONFIG/tls/NAME/privkey.pem */
        NAME_SNIPPET_DIR,    /* CONFIG/sites/NAME */
        NAME_HANDOFF_SOCKET, /* RUNTIME/NAME.handoff */
        NAME_RUNNING_SIGN, /* RUNTIME/NAME.running: a folder that exists while the instance runs */
} NamePath;

/* Returns a path that belongs to the instance. dir: CONFIG or RUNTIME, as in the comments above.
 * The caller frees the string. Returns NULL if memory runs out. */
char *name_path(NamePath what, const char *dir, const char *instance);

/* Does the same without allocating memory. Returns false if the path has PATH_MAX bytes or more. */
bool name_path_fill(NamePath what, const char *dir, const char *instance,
                    char ret[static PATH_MAX]);

typedef enum NameUnit {
        NAME_SOCKET_UNIT,         /* bellhop@NAME.socket */
        NAME_SERVICE_UNIT,        /* bellhop@NAME.service */
        NAME_STANDIN_UNIT,        /* bellhop-standin@NAME.service */
        NAME_SERVICE_DROP_IN_DIR, /* bellhop@NAME.service.d */
} NameUnit;

/* The service that lets instances with Network=internet reach only the internet. */
#define FIREWALL_SERVICE "bellhop-firewall.service"

/* A host can have its own folder in the document root, and its own folder in the instance's folder
 * of certificates. Both folders have the same name. Sets ret to this name, and returns ret. The
 * name is the host, but with '_' instead of the '*' of a wildcard. */
const char *name_host_folder(const char *host, char ret[static NAME_HOST_MAX]);

/* Does the same as name_path_fill(), but for a file in the host's folder of certificates. what:
 * NAME_CERTIFICATE or NAME_PRIVATE_KEY. */
bool name_host_path_fill(NamePath what, const char *dir, const char *instance, const char *host,
                         char ret[static PATH_MAX]);

/* Room for the longest name of a unit and the terminating NUL. */
#define NAME_UNIT_MAX 128

/* Sets ret to the name of the instance's unit, and returns ret. Truncates a name that is too long,
 * which happens only if the name of the instance is invalid. */
const char *name_unit(NameUnit what, const char *instance, char ret[static NAME_UNIT_MAX]);

/* Sets ret to the name of the instance that the unit belongs to. Returns false if the unit is not
 * of the kind 'what'. */
bool name_from_unit(NameUnit what, const char *unit, char ret[static NAME_UNIT_MAX]);
