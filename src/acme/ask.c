/* SPDX-License-Identifier: MIT */
#include <sys/socket.h>
#include <sys/time.h>

#include "acme/ask.h"
#include "util/cleanup.h"
#include "util/text.h"
#include "util/unix-address.h"

#define ANSWER_BYTES_MAX (1024U * 1024)
#define TIMEOUT_SEC      120

/* A system call on a socket with a time limit fails with EINTR after a stop, for example while the
 * machine was suspended. */
static int ask_send(int fd, const char *question)
{
        size_t size = strlen(question);

        while (size > 0) {
                const ssize_t n = send(fd, question, size, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                question += n;
                size -= (size_t)n;
        }
        return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

static int ask_receive(int fd, char *buffer)
{
        size_t size = 0;
        ssize_t n;

        do {
                n = recv(fd, buffer + size, ANSWER_BYTES_MAX - size, 0);
                if (n < 0 && errno != EINTR)
                        return -errno;
                size += n < 0 ? 0 : (size_t)n;
        } while (n != 0 && size < ANSWER_BYTES_MAX);
        buffer[size] = 0;
        return n == 0 ? 0 : -EFBIG;
}

static int ask_connect(const char *path)
{
        const struct timeval timeout = { .tv_sec = TIMEOUT_SEC };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address;
        const int size = unix_address_fill(path, &address);

        if (size < 0)
                return size;
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
                return -errno;
        return connect(fd, (struct sockaddr *)&address, (socklen_t)size) < 0 ? -errno : take_fd(fd);
}

int acme_ask(const char *socket_path, const char *question, char **ret_text)
{
        _cleanup_free_ char *buffer = malloc(ANSWER_BYTES_MAX + 1);
        _cleanup_close_ int fd = ask_connect(socket_path);
        char *text;
        int r;

        if (!buffer || fd < 0)
                return buffer ? fd : -ENOMEM;
        r = ask_send(fd, question);
        if (r == 0)
                r = ask_receive(fd, buffer);
        text = r == 0 ? strpbrk(buffer, " \n") : NULL;
        if (!text)
                return r < 0 ? r : -EBADMSG;
        *text++ = 0;
        if (strcmp(buffer, "absent") == 0)
                return -ENOENT;
        if (strcmp(buffer, "ok") != 0)
                text[strcspn(text, "\n")] = 0;
        *ret_text = strdup(text);
        return !*ret_text ? -ENOMEM : strcmp(buffer, "ok") == 0 ? 0 : -EREMOTEIO;
}
