/* SPDX-License-Identifier: MIT */
/* What code in bellhop-acme-tls can't do, though bellhop-acme runs as the same user. */
#include "unit.h"

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "acme-tls/confine.h"

#define TEXT    "secret"
#define UNKNOWN 255 /* the kernel has no Landlock */

static char folder[] = "/tmp/bellhop-unit-XXXXXX";
static char inside[64], outside[64];
static char secret[] = TEXT;
static pid_t other; /* a process of the same user */

static void write_file(char path[static 64], const char *name)
{
        int fd;

        (void)snprintf(path, 64, "%s/%s", folder, name);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, TEXT, strlen(TEXT)), strlen(TEXT));
        close_fd(fd);
}

static int open_path(const char *path, int flags)
{
        const int fd = open(path, flags | O_CLOEXEC, 0600);

        close_fd(fd);
        return fd < 0 ? errno : 0;
}

static int read_inside(void)
{
        return open_path(inside, O_RDONLY);
}

static int write_inside(void)
{
        return open_path(inside, O_WRONLY);
}

static int make_inside(void)
{
        char path[80];

        (void)snprintf(path, sizeof(path), "%s-new", inside);
        return open_path(path, O_WRONLY | O_CREAT | O_EXCL);
}

static int remove_inside(void)
{
        return unlink(inside) < 0 ? errno : 0;
}

static int read_outside(void)
{
        return open_path(outside, O_RDONLY);
}

static int read_machine(void)
{
        return open_path("/etc/passwd", O_RDONLY);
}

static int open_of_process(const char *name)
{
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%d/%s", other, name);
        return open_path(path, O_RDONLY);
}

static int read_memory_by_proc(void)
{
        return open_of_process("mem");
}

static int read_environment(void)
{
        return open_of_process("environ");
}

static int enter_its_root(void)
{
        return open_of_process("root/etc/passwd");
}

static int read_memory(void)
{
        char copy[sizeof(secret)];
        const struct iovec to = { copy, sizeof(copy) }, from = { secret, sizeof(secret) };

        return process_vm_readv(other, &to, 1, &from, 1, 0) < 0 ? errno : 0;
}

static int trace(void)
{
        return ptrace(PTRACE_SEIZE, other, NULL, NULL) < 0 ? errno : 0;
}

/* What an attempt comes to in a child of its own. */
static int try(bool is_confined, int (*attempt)(void))
{
        const pid_t child = fork();
        int status;

        assert_true(child >= 0);
        if (child == 0) {
                char path[80];

                (void)snprintf(path, sizeof(path), "%s/challenges", folder);
                if (is_confined) {
                        const int r = confine(path);

                        if (r != 0)
                                _exit(r == CONFINE_UNKNOWN ? UNKNOWN : 254);
                }
                _exit(attempt());
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void test_attempts(void **state)
{
        static const struct {
                const char *label;
                int (*attempt)(void);
                int outcome;
        } attempts[] = {
                { "read a challenge", read_inside, 0 },
                { "write a challenge", write_inside, EACCES },
                { "make a challenge", make_inside, EACCES },
                { "read another file of the user", read_outside, EACCES },
                { "read a file of the machine", read_machine, EACCES },
                { "read the memory of another process", read_memory, EPERM },
                { "read it by /proc", read_memory_by_proc, EACCES },
                { "read its environment", read_environment, EACCES },
                { "enter its root", enter_its_root, EACCES },
                { "trace it", trace, EPERM },
                { "remove a challenge", remove_inside, EACCES },
        };

        /* Without Landlock there is nothing to test. */
        if (try(true, read_inside) == UNKNOWN)
                skip_test("this kernel has no Landlock");
        for (size_t i = 0; i < ELEMENTSOF(attempts); i++) {
                const int outcome = try(true, attempts[i].attempt);

                if (outcome != attempts[i].outcome)
                        fail_msg("%s: %s", attempts[i].label, strerror(outcome));
        }
        /* It is the confinement that keeps it from that. */
        for (size_t i = 0; i < ELEMENTSOF(attempts); i++) {
                const int outcome = try(false, attempts[i].attempt);

                if (outcome != 0 && attempts[i].attempt != trace &&
                    attempts[i].attempt != read_memory &&
                    attempts[i].attempt != read_memory_by_proc)
                        fail_msg("%s, not confined: %s", attempts[i].label, strerror(outcome));
        }
}

static int set_up(void **state)
{
        char path[64];

        if (!mkdtemp(folder))
                return -1;
        (void)snprintf(path, sizeof(path), "%s/challenges", folder);
        if (mkdir(path, 0700) < 0)
                return -1;
        write_file(inside, "challenges/x");
        write_file(outside, "x");
        other = fork();
        if (other == 0) {
                (void)pause();
                _exit(0);
        }
        return other < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
        char path[80];

        (void)kill(other, SIGKILL);
        (void)waitpid(other, NULL, 0);
        (void)snprintf(path, sizeof(path), "%s-new", inside);
        (void)unlink(path);
        (void)unlink(inside);
        (void)unlink(outside);
        (void)snprintf(path, sizeof(path), "%s/challenges", folder);
        (void)rmdir(path);
        return rmdir(folder);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_attempts) };

        return cmocka_run_group_tests_name("acme-confine", tests, set_up, tear_down);
}
