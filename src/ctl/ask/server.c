/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "ctl/ask/server.h"
#include "util/cleanup.h"

const char *const server_packages[SERVER_TYPES] = {
        [SERVER_APACHE] = "Apache httpd and mod_bellhop (Debian: libapache2-mod-bellhop)",
        [SERVER_NGINX] = "nginx and its module for bellhop (Debian: libnginx-mod-bellhop)",
};

static const char *const files[SERVER_TYPES][2] = {
        [SERVER_APACHE] = { BELLHOP_APACHE, BELLHOP_APACHE_MODULE },
        [SERVER_NGINX] = { BELLHOP_NGINX, BELLHOP_NGINX_MODULE },
};

const char *server_lacks(ServerType server)
{
        for (size_t i = 0; i < ELEMENTSOF(files[server]); i++)
                if (access(files[server][i], F_OK) < 0 && errno == ENOENT)
                        return files[server][i];
        return NULL;
}
