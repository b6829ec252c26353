/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "instance/inheritance.h"
#include "util/cleanup.h"
#include "util/inherit.h"
#include "util/unix-address.h"

int inheritance_take(Inheritance *ret)
{
        Inherited inherited;
        int page_fd, r = inherit_init(&inherited);

        if (r < 0)
                return r;
        ret->handoff_fd = inherit_take(&inherited, PAGE_HANDOFF_NAME, AF_UNIX, SOCK_DGRAM, -1);
        page_fd = inherit_take(&inherited, PAGE_FD_NAME, AF_UNSPEC, 0, -1);
        ret->bell = inherit_take(&inherited, PAGE_BELL_NAME, AF_UNSPEC, 0, -1);
        ret->lines_fd = inherit_take(&inherited, PAGE_LINES_NAME, AF_UNIX, SOCK_DGRAM, -1);
        /* Takes the descriptor of nginx's configuration, so that inherit_done() does not close it:
         * nginx reads its configuration again after a SIGHUP. */
        (void)inherit_take(&inherited, PAGE_CONF_NAME, AF_UNSPEC, 0, -1);
        inherit_done(&inherited);
        r = page_fd < 0 ? page_fd = page_new(&ret->page) : page_open(page_fd, &ret->page);
        close_fd(page_fd);
        if (r < 0)
                return r;
        if (ret->bell < 0)
                ret->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return ret->bell < 0 ? -errno : 0;
}

void inheritance_say_ready(Inheritance *inheritance)
{
        static const char ready[] = "READY=1";
        struct sockaddr_un address;
        _cleanup_close_ int fd = -EBADF;
        int size;

        if (!inheritance->notify_socket)
                return;
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        size = unix_address_fill_notify(take_ptr(inheritance->notify_socket), &address);
        if (fd >= 0 && size >= 0)
                (void)sendto(fd, ready, strlen(ready), MSG_NOSIGNAL, (struct sockaddr *)&address,
                             (socklen_t)size);
}
