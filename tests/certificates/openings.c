/* SPDX-License-Identifier: MIT */
/*
 * openings: shows which processes open private keys, in all mount namespaces, until its standard
 * input ends. The kernel asks it before each opening of a file of the root's file system, so the
 * process still exists. Each line has the real, effective, saved and file system uid, the name of
 * the program, and the path. The first line is "watching", the last one "N openings in all".
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

/* In privkey.pem, and in the name of a new key until it is complete. */
#define KEY "privkey"

static void print_opening(int id, const char *path)
{
        char name[64], line[256], command[64] = "?\n", uids[256] = "?\n";
        FILE *status;

        (void)snprintf(name, sizeof(name), "/proc/%d/status", id);
        status = fopen(name, "re");
        while (status && fgets(line, sizeof(line), status)) {
                if (strncmp(line, "Name:\t", 6) == 0)
                        (void)strcpy(command, line + 6);
                if (strncmp(line, "Uid:\t", 5) == 0)
                        (void)strcpy(uids, line + 5);
        }
        if (status)
                (void)fclose(status);
        printf("%.*s\t%.*s\t%s\n", (int)strcspn(uids, "\n"), uids, (int)strcspn(command, "\n"),
               command, path);
}

/* Whether the file is a part of the system, and never a key. It is ignored after its first opening,
 * because TLS clients open hundreds of authorities' certificates for each connection. */
static int is_of_system(const char *path)
{
        return strncmp(path, "/usr/", 5) == 0 || strncmp(path, "/etc/ssl/certs/", 15) == 0;
}

static void look(int fd, const struct fanotify_event_metadata *event)
{
        const struct fanotify_response response = { .fd = event->fd, .response = FAN_ALLOW };
        char name[64], path[PATH_MAX];
        ssize_t size;

        (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", event->fd);
        size = readlink(name, path, sizeof(path) - 1);
        path[size > 0 ? size : 0] = 0;
        if (strstr(strrchr(path, '/') ? strrchr(path, '/') : path, KEY))
                print_opening(event->pid, path);
        if (is_of_system(path) &&
            fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY,
                          FAN_OPEN_PERM, event->fd, NULL) < 0)
                perror("fanotify_mark");
        if (write(fd, &response, sizeof(response)) != sizeof(response))
                perror("response");
        (void)close(event->fd);
}

int main(void)
{
        static char buffer[1 << 16] __attribute__((aligned(8)));
        const int fd = fanotify_init(FAN_CLASS_CONTENT | FAN_REPORT_TID | FAN_UNLIMITED_QUEUE |
                                             FAN_CLOEXEC,
                                     O_RDONLY | O_LARGEFILE | O_CLOEXEC);
        struct pollfd ready[] = { { .fd = fd, .events = POLLIN },
                                  { .fd = STDIN_FILENO, .events = POLLIN } };
        unsigned long n = 0;

        if (fd < 0 || fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN_PERM, AT_FDCWD,
                                    "/") < 0) {
                perror("fanotify");
                return EXIT_FAILURE;
        }
        printf("watching\n");
        while (fflush(stdout) == 0 && !ready[1].revents && poll(ready, 2, -1) > 0) {
                const ssize_t size = ready[0].revents ? read(fd, buffer, sizeof(buffer)) : 0;

                for (ssize_t at = 0; at < size;) {
                        struct fanotify_event_metadata event;

                        memcpy(&event, buffer + at, sizeof(event));
                        look(fd, &event);
                        at += event.event_len;
                        n++;
                }
        }
        printf("%lu openings in all\n", n);
        return EXIT_SUCCESS;
}
