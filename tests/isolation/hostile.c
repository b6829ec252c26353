/* SPDX-License-Identifier: MIT */
/*
 * What a customer's own module could do: gives the customer's CGI programs the connection that they
 * answer, by PASSED_FD, and the hand-off socket, by HANDOFF_FD. Built with the tests, loaded by a
 * snippet.
 */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <apr_portable.h>
#include <apr_strings.h>
#include <httpd.h>

#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#define FDS_MAX 256

static apr_status_t close_copy(void *fd)
{
        (void)close((int)(intptr_t)fd);
        return APR_SUCCESS;
}

static void give(request_rec *request, const char *name, int fd)
{
        const int copy = dup(fd); /* stays open when a program is started */

        if (copy < 0)
                return;
        apr_table_setn(request->subprocess_env, name, apr_itoa(request->pool, copy));
        apr_pool_cleanup_register(request->pool, (void *)(intptr_t)copy, close_copy,
                                  apr_pool_cleanup_null);
}

static int find_handoff_socket(void)
{
        for (int fd = 3; fd < FDS_MAX; fd++) {
                struct sockaddr_un name;
                socklen_t size = sizeof(name);

                memset(&name, 0, sizeof(name));
                if (getsockname(fd, (struct sockaddr *)&name, &size) == 0 &&
                    name.sun_family == AF_UNIX && strstr(name.sun_path, ".handoff"))
                        return fd;
        }
        return -1;
}

static int fixups(request_rec *request)
{
        conn_rec *conn = request->connection;
        apr_os_sock_t fd = -1;

        (void)apr_os_sock_get(&fd, ap_get_conn_socket(conn->master ? conn->master : conn));
        give(request, "PASSED_FD", fd);
        give(request, "HANDOFF_FD", find_handoff_socket());
        return DECLINED;
}

static void register_hooks(apr_pool_t *pool)
{
        ap_hook_fixups(fixups, NULL, NULL, APR_HOOK_MIDDLE);
}

__attribute__((visibility("default"))) module AP_MODULE_DECLARE_DATA hostile_module = {
        STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks, AP_MODULE_FLAG_NONE,
};
