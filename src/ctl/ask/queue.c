/* SPDX-License-Identifier: MIT */
/* Asks the kernel about all unix sockets, because sock_diag(7) can't search for a path. Finds the
 * socket by its inode. */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "ctl/ask/queue.h"
#include "util/cleanup.h"

#define REPLY_MAX 32768

/* Reads one message of the kernel. Returns 1 if the queue is empty, 0 if it is not, and -1 if the
 * message is about another socket. */
static int queue_read_message(const struct nlmsghdr *header, uint32_t inode)
{
        const struct unix_diag_msg *message = NLMSG_DATA(header);
        const struct rtattr *attribute = (const void *)(message + 1);
        int rest = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof(*message)));
        struct unix_diag_rqlen lengths = { 0 };
        struct unix_diag_vfs file = { 0 };

        for (; RTA_OK(attribute, rest); attribute = RTA_NEXT(attribute, rest)) {
                if (attribute->rta_type == UNIX_DIAG_VFS && RTA_PAYLOAD(attribute) >= sizeof(file))
                        memcpy(&file, RTA_DATA(attribute), sizeof(file));
                if (attribute->rta_type == UNIX_DIAG_RQLEN &&
                    RTA_PAYLOAD(attribute) >= sizeof(lengths))
                        memcpy(&lengths, RTA_DATA(attribute), sizeof(lengths));
        }
        /* Does not compare the device numbers, because the message and stat(2) encode these numbers
         * in different ways. At worst, another socket with the same inode number, on another file
         * system, makes our queue seem not to be empty. */
        if (message->udiag_type != SOCK_DGRAM || file.udiag_vfs_ino != inode)
                return -1;
        return lengths.udiag_rqueue == 0;
}

/* Whether the queue is empty: 1, 0, or a negative errno. */
static int queue_read_reply(int fd, uint32_t inode)
{
        union {
                struct nlmsghdr header;
                char bytes[REPLY_MAX];
        } reply;
        int empty = 1;

        for (;;) {
                ssize_t n = recv(fd, &reply, sizeof(reply), 0);

                if (n <= 0)
                        return n < 0 ? -errno : -EPROTO;
                for (const struct nlmsghdr *header = &reply.header; NLMSG_OK(header, n);
                     header = NLMSG_NEXT(header, n)) {
                        if (header->nlmsg_type == NLMSG_DONE)
                                return empty;
                        if (header->nlmsg_type == NLMSG_ERROR)
                                return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
                        if (queue_read_message(header, inode) == 0)
                                empty = 0;
                }
        }
}

int queue_is_empty(const char *path)
{
        const struct {
                struct nlmsghdr header;
                struct unix_diag_req request;
        } question = {
                .header = { .nlmsg_len = sizeof(question),
                            .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
                .request = { .sdiag_family = AF_UNIX,
                             .udiag_states = UINT32_MAX,
                             .udiag_show = UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN },
        };
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 1 : -errno;
        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        if (fd < 0 || send(fd, &question, sizeof(question), 0) < 0)
                return -errno;
        return queue_read_reply(fd, (uint32_t)st.st_ino);
}
