/* SPDX-License-Identifier: MIT */
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "util/cleanup.h"
#include "util/inherit.h"

int inherit_init(Inherited *inherited)
{
        _cleanup_free_ char **names = NULL;
        const int n = sd_listen_fds_with_names(/* unset_environment = */ true, &names);

        *inherited = (Inherited){ .n = 0 };
        if (n <= 0)
                return n;
        inherited->sockets = calloc((size_t)n, sizeof(*inherited->sockets));
        if (!inherited->sockets) {
                for (int i = 0; i < n; i++) {
                        close_fd(SD_LISTEN_FDS_START + i);
                        free(names[i]);
                }
                return -ENOMEM;
        }
        for (int i = 0; i < n; i++)
                inherited->sockets[i] =
                        (struct InheritedSocket){ SD_LISTEN_FDS_START + i, names[i] };
        inherited->n = (size_t)n;
        return 0;
}

int inherit_take(Inherited *inherited, const char *name, int family, int type, int listening)
{
        for (size_t i = 0; i < inherited->n; i++) {
                struct InheritedSocket *socket = &inherited->sockets[i];

                if (socket->fd >= 0 && strcmp(socket->name, name) == 0 &&
                    (type == 0 || sd_is_socket(socket->fd, family, type, listening) > 0))
                        return take_fd(socket->fd);
        }
        return -ENOENT;
}

void inherit_done(Inherited *inherited)
{
        for (size_t i = 0; i < inherited->n; i++) {
                close_fd(inherited->sockets[i].fd);
                free(inherited->sockets[i].name);
        }
        free(inherited->sockets);
        *inherited = (Inherited){ .n = 0 };
}
