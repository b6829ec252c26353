/* SPDX-License-Identifier: MIT */
/*
 * bellhop-php: waits until a request for the customer's PHP is in the socket that is its standard
 * input, and becomes his PHP-FPM. Until then, this is all that a site pays for PHP.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* As `listen` in fpm.conf has it. */
#define SOCKET_FD 3
#define SOCKETS   "/dev/fd/3=3"

#define EXIT_CANT_RUN 126 /* as a shell has it */

static void on_quit(int number)
{
        _exit(EXIT_SUCCESS);
}

/* The server holds back some signals, and makes this process at any time. */
static int set_signals(void)
{
        const struct sigaction quit = { .sa_handler = on_quit };
        sigset_t none;

        sigemptyset(&none);
        /* A group of its own, by which the server finds the workers that a PHP-FPM which crashed
         * has left. Without a server there are no requests: systemd ends both, but not every server
         * has systemd. */
        if (setpgid(0, 0) < 0 || sigaction(SIGQUIT, &quit, NULL) < 0 ||
            sigprocmask(SIG_SETMASK, &none, NULL) < 0 || prctl(PR_SET_PDEATHSIG, SIGQUIT) < 0)
                return -errno;
        return 0;
}

/* PHP-FPM has a use of its own for standard input. */
static int place_socket(void)
{
        if (dup2(STDIN_FILENO, SOCKET_FD) < 0 || close_range(SOCKET_FD + 1, ~0U, 0) < 0 ||
            close(STDIN_FILENO) < 0 || open("/dev/null", O_RDONLY) != STDIN_FILENO)
                return -errno;
        return 0;
}

static int wait_for_request(void)
{
        struct pollfd request = { .fd = SOCKET_FD, .events = POLLIN };

        while (poll(&request, 1, -1) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

static int make_session_folder(void)
{
        const char *state = getenv("STATE_DIRECTORY");
        char path[4096];

        if (!state)
                return 0;
        (void)snprintf(path, sizeof(path), "%s/php-sessions", state);
        return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* systemd hears of the server from the server alone. */
static int set_environment(void)
{
        if (unsetenv("NOTIFY_SOCKET") < 0 ||
            /* PHP-FPM's own way to be told of a socket that it did not open. */
            setenv("FPM_SOCKETS", SOCKETS, 1) < 0 ||
            /* Settings of PHP itself; the empty first place stands for the machine's own. */
            setenv("PHP_INI_SCAN_DIR", ":" BELLHOP_CONFIG_DIR "/php", 1) < 0)
                return -errno;
        return 0;
}

static int become(char *fpm, char *config)
{
        char *const arguments[] = { fpm, (char *)"--nodaemonize", (char *)"--fpm-config", config,
                                    NULL };
        int r = set_signals();

        if (r == 0)
                r = place_socket();
        if (r == 0)
                r = set_environment();
        if (r == 0)
                r = wait_for_request();
        if (r == 0)
                r = make_session_folder();
        if (r < 0)
                return r;
        (void)execv(fpm, arguments);
        return -errno;
}

int main(int argc, char *argv[])
{
        if (argc != 3) {
                fprintf(stderr, "Usage: %s PHP-FPM CONFIG (see BellhopPhp in mod_bellhop(8))\n",
                        argv[0]);
                return EXIT_CANT_RUN;
        }
        errno = -become(argv[1], argv[2]);
        fprintf(stderr, "%s can't become %s: %m\n", argv[0], argv[1]);
        return EXIT_CANT_RUN;
}
