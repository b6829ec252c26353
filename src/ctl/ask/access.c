/* SPDX-License-Identifier: MIT */
/*
 * Owns the walk to a file. First, as who we are, all steps are opened without right to anything
 * (O_PATH); then a child that has become the user asks for each of them alone, so that folders
 * before it, which the sandbox may replace, have no say.
 */
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "ctl/ask/access.h"
#include "util/cleanup.h"

#define STEPS_MAX 256
#define LINKS_MAX 40 /* as in the kernel */

bool identity_of(const char *user, Identity *ret)
{
        const struct passwd *pw = getpwnam(user);

        if (!pw)
                return false;
        *ret = (Identity){ .uid = pw->pw_uid, .gid = pw->pw_gid, .n_groups = ACCESS_GROUPS_MAX };
        /* Of more groups than that, the first count. */
        if (getgrouplist(user, pw->pw_gid, ret->groups, &ret->n_groups) < 0)
                ret->n_groups = ACCESS_GROUPS_MAX;
        return true;
}

typedef struct Step {
        int fd;
        char *path;
        int mode;
        size_t question;
} Step;

typedef struct Walk {
        Step steps[STEPS_MAX];
        size_t n;
        char path[PATH_MAX]; /* so far, without links */
        char rest[PATH_MAX];
        unsigned n_links;
} Walk;

static void walk_done(Walk *walk)
{
        for (size_t i = 0; i < walk->n; i++) {
                walk->steps[i].fd = close_fd(walk->steps[i].fd);
                free(walk->steps[i].path);
        }
        walk->n = 0;
}

static bool is_replaced(const char *const replaced[], const char *path)
{
        for (; *replaced; replaced++)
                if (strcmp(*replaced, path) == 0)
                        return true;
        return false;
}

static int add_step(Walk *walk, size_t question, int fd, int mode)
{
        char *path = strdup(walk->path[0] ? walk->path : "/");

        if (!path || walk->n >= STEPS_MAX) {
                free(path);
                (void)close_fd(fd);
                return path ? -ENAMETOOLONG : -ENOMEM;
        }
        walk->steps[walk->n++] =
                (Step){ .fd = fd, .path = path, .mode = mode, .question = question };
        return 0;
}

/* Without its last part. */
static void go_up(char *path)
{
        char *slash = strrchr(path, '/');

        if (slash)
                *slash = 0;
}

/* What stands in the link comes before the rest. The link itself is no part of the path. */
static int follow(Walk *walk)
{
        char target[PATH_MAX], whole[PATH_MAX];
        const ssize_t size = readlink(walk->path, target, sizeof(target) - 1);
        int length;

        if (size < 0)
                return -errno;
        if (++walk->n_links > LINKS_MAX)
                return -ELOOP;
        target[size] = 0;
        if (target[0] == '/')
                walk->path[0] = 0;
        else
                go_up(walk->path);
        length = snprintf(whole, sizeof(whole), "%s/%s", target, walk->rest);
        if (length < 0 || (size_t)length >= sizeof(whole))
                return -ENAMETOOLONG;
        memcpy(walk->rest, whole, (size_t)length + 1);
        return 0;
}

/* The next part of the rest goes to the end of the path. False: there is none. */
static bool next_part(Walk *walk, int *ret_error)
{
        char *part = walk->rest + strspn(walk->rest, "/");
        const size_t size = strcspn(part, "/"), length = strlen(walk->path);

        if (size == 0)
                return false;
        *ret_error = 0;
        if (size == 2 && memcmp(part, "..", 2) == 0) {
                go_up(walk->path);
        } else if (size != 1 || part[0] != '.') {
                if (length + size + 2 > sizeof(walk->path))
                        *ret_error = -ENAMETOOLONG;
                else
                        (void)snprintf(walk->path + length, sizeof(walk->path) - length, "/%.*s",
                                       (int)size, part);
        }
        memmove(walk->rest, part + size, strlen(part + size) + 1);
        return true;
}

static bool at_the_end(const Walk *walk)
{
        return walk->rest[strspn(walk->rest, "/")] == 0;
}

/* One part: a link is followed, anything else becomes a step. */
static int take_step(Walk *walk, const char *const replaced[], const AccessQuestion *question,
                     size_t number)
{
        _cleanup_close_ int fd =
                open(walk->path[0] ? walk->path : "/", O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (S_ISLNK(st.st_mode))
                return follow(walk);
        if (at_the_end(walk))
                return add_step(walk, number, take_fd(fd), question->mode);
        if (is_replaced(replaced, walk->path))
                return 0;
        return add_step(walk, number, take_fd(fd), X_OK);
}

static int walk_to(Walk *walk, const char *const replaced[], const AccessQuestion *question,
                   size_t number)
{
        int error = 0;

        if (strlen(question->path) >= sizeof(walk->rest))
                return -ENAMETOOLONG;
        walk->path[0] = 0;
        walk->n_links = 0;
        (void)snprintf(walk->rest, sizeof(walk->rest), "%s", question->path);
        while (error == 0 && next_part(walk, &error))
                if (error == 0)
                        error = take_step(walk, replaced, question, number);
        return error;
}

static void answer(AccessQuestion *question, int error, const char *obstacle, int fd)
{
        question->error = error;
        if (obstacle) {
                free(question->obstacle);
                question->obstacle = strdup(obstacle);
        }
        if (fd >= 0)
                (void)fstat(fd, &question->stat);
}

/* The errors of all steps, as who we are now. */
static void ask_steps(const Walk *walk, int errors[static STEPS_MAX])
{
        for (size_t i = 0; i < walk->n; i++) {
                const Step *step = &walk->steps[i];

                errors[i] = faccessat(step->fd, "", step->mode, AT_EMPTY_PATH) < 0 ? -errno : 0;
        }
}

static int ask_as(const Identity *who, const Walk *walk, int errors[static STEPS_MAX])
{
        int status;
        const pid_t pid = fork();

        if (pid < 0)
                return -errno;
        if (pid == 0) {
                if (setgroups((size_t)who->n_groups, who->groups) < 0 ||
                    setresgid(who->gid, who->gid, who->gid) < 0 ||
                    setresuid(who->uid, who->uid, who->uid) < 0)
                        _exit(EXIT_FAILURE);
                ask_steps(walk, errors);
                _exit(EXIT_SUCCESS);
        }
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

static int ask_all(const Identity *who, const Walk *walk, AccessQuestion *questions)
{
        const size_t size = STEPS_MAX * sizeof(int);
        int *errors = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        int r = 0;

        if (errors == MAP_FAILED)
                return -errno;
        if (who->uid == geteuid())
                ask_steps(walk, errors);
        else
                r = ask_as(who, walk, errors);
        for (size_t i = 0; r == 0 && i < walk->n; i++) {
                const Step *step = &walk->steps[i];
                AccessQuestion *question = &questions[step->question];

                /* The first obstacle is the one to be removed. */
                if (question->error == 0)
                        answer(question, errors[i], errors[i] < 0 ? step->path : NULL, step->fd);
        }
        (void)munmap(errors, size);
        return r;
}

int access_ask(const Identity *who, const char *const replaced[], AccessQuestion *questions,
               size_t n)
{
        Walk *walk;
        int r;

        if (who->uid != geteuid() && geteuid() != 0)
                return -EPERM;
        walk = calloc(1, sizeof(*walk));
        if (!walk)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                int error;

                questions[i].error = 0;
                questions[i].obstacle = NULL;
                error = walk_to(walk, replaced, &questions[i], i);
                /* Who could not look into a folder is held up by the folder. */
                if (error == -EACCES)
                        go_up(walk->path);
                if (error < 0)
                        answer(&questions[i], error, walk->path, -EBADF);
                if (error == -EACCES)
                        (void)stat(walk->path[0] ? walk->path : "/", &questions[i].stat);
        }
        r = ask_all(who, walk, questions);
        walk_done(walk);
        free(walk);
        return r;
}

void access_done(AccessQuestion *questions, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                free(questions[i].obstacle);
                questions[i].obstacle = NULL;
        }
}
