/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl top: rates, again and again. On a terminal it has a screen of its own, which it leaves
 * as it was; elsewhere, each look is a table below the last one.
 */
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>

#include "ctl/show/output.h"
#include "ctl/show/rates.h"
#include "ctl/show/show.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define DELAY_MIN 0.1
#define DELAY_MAX 86400.0

/* Above the table, and its headings. */
#define LINES_ABOVE 3

#define SCREEN_BEGIN "\033[?1049h\033[?25l"
#define SCREEN_CLEAR "\033[H\033[J"
#define SCREEN_END   "\033[?25h\033[?1049l"

typedef struct Look {
        Fleet fleet;
        uint64_t usec;
} Look;

typedef struct Top {
        const Ctl *ctl;
        Output output;
        uint64_t delay_usec;
        uint64_t n_left; /* UINT64_MAX: without end */
        bool screen;
        struct termios terminal; /* as it was */
        int signals;
        Look before, now;
        bool ended;
} Top;

static bool parse_delay(const char *text, uint64_t *ret)
{
        char *end;
        const double seconds = strtod(text, &end);

        if (end == text || *end != 0 || !(seconds >= DELAY_MIN && seconds <= DELAY_MAX))
                return false;
        *ret = (uint64_t)(seconds * 1e6);
        return true;
}

static bool parse_count(const char *text, uint64_t *ret)
{
        char *end;

        errno = 0;
        *ret = strtoull(text, &end, 10);
        return text[0] >= '0' && text[0] <= '9' && *end == 0 && errno == 0 && *ret > 0;
}

static int look(Top *top)
{
        fleet_done(&top->before.fleet);
        top->before = top->now;
        top->now = (Look){ .usec = clock_monotonic_usec() };
        return fleet_load(top->ctl, NULL, &top->now.fleet);
}

/* --- the table --- */

enum { NAME, STATE, ACCEPTED, HANDOFFS, REFUSED, PENDING, OPEN, CPU, MEMORY, COLUMNS };

static const Column columns[COLUMNS] = {
        [NAME] = { "INSTANCE", "instance", 0, SCOLS_JSON_STRING },
        [STATE] = { "STATE", "state", 0, SCOLS_JSON_STRING },
        [ACCEPTED] = { "ACCEPTED/S", "accepted_per_second", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
        [HANDOFFS] = { "HAND-OFFS/S", "handoffs_per_second", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
        [REFUSED] = { "REFUSED/S", "refused_per_second", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
        [PENDING] = { "PENDING", "pending", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
        [OPEN] = { "CONNECTIONS", "connections", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
        [CPU] = { "CPU%", "cpu_percent", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
        [MEMORY] = { "MEMORY", "memory_bytes", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
};

static int set_rate(const Output *output, TableLine *line, size_t column, double value)
{
        char text[SHOWN_MAX];

        if (!output->json)
                return table_set(line, column, show_rate(value, text));
        return isnan(value) ? 0 : table_setf(line, column, "%.3f", value);
}

static int set_number(const Output *output, TableLine *line, size_t column, uint64_t n,
                      const char *(*show)(uint64_t, char *))
{
        char text[SHOWN_MAX];

        if (!output->json)
                return table_set(line, column, show(n, text));
        return n == UNKNOWN ? 0 : table_setf(line, column, "%" PRIu64, n);
}

static int fill_line(const Output *output, TableLine *line, const Rates *rates)
{
        int r = 0;

        if (rates->name || !output->json)
                r = table_set(line, NAME, rates->name ? rates->name : "(all)");
        if (r == 0 && rates->name)
                r = table_set(line, STATE, site_state_names[rates->state]);
        if (r == 0 && (!rates->name || output->json))
                r = set_rate(output, line, ACCEPTED, rates->accepted);
        if (r == 0)
                r = set_rate(output, line, HANDOFFS, rates->handoffs);
        if (r == 0)
                r = set_rate(output, line, REFUSED, rates->refused);
        if (r == 0)
                r = set_number(output, line, PENDING, rates->pending, show_count);
        if (r == 0)
                r = set_number(output, line, OPEN, rates->n_open, show_count);
        if (r == 0)
                r = set_rate(output, line, CPU, rates->cpu * 100);
        return r == 0 ? set_number(output, line, MEMORY, rates->memory, show_bytes) : r;
}

/* How many lines fit below what stands above. */
static size_t room(const Top *top)
{
        struct winsize size = { .ws_row = 0 };

        if (!top->screen || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0)
                return SIZE_MAX;
        return size.ws_row > LINES_ABOVE ? size.ws_row - LINES_ABOVE : 1;
}

static int print_rates(const Top *top, const Rates *rates)
{
        Table *table = table_new(&top->output, "rates", columns, COLUMNS);
        size_t left = room(top);
        int r = table ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && left > 0 && i <= top->now.fleet.n; i++) {
                TableLine *line;

                /* What does nothing is no line for people. */
                if (i > 0 && !top->output.json && rates_are_quiet(&rates[i]))
                        continue;
                line = table_add(table, NULL);
                r = line ? fill_line(&top->output, line, &rates[i]) : -ENOMEM;
                left--;
        }
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}

static void print_head(const Top *top)
{
        const Fleet *fleet = &top->now.fleet;
        const time_t now = time(NULL);
        size_t n_active = 0;
        char text[SHOWN_MAX];
        struct tm tm;

        for (size_t i = 0; i < fleet->n; i++)
                n_active += fleet->sites[i].state == SITE_ACTIVE;
        (void)localtime_r(&now, &tm);
        (void)strftime(text, sizeof(text), "%H:%M:%S", &tm);
        printf("%s  %zu instance%s, %zu active%s%s\n", text, fleet->n, fleet->n == 1 ? "" : "s",
               n_active, fleet->router_error < 0 ? "; no numbers: " : "",
               fleet->router_error < 0 ? metrics_fetch_explain(fleet->router_error) : "");
}

static int print_frame(const Top *top)
{
        const double seconds = (double)(top->now.usec - top->before.usec) / 1e6;
        _cleanup_free_ Rates *rates = rates_new(&top->before.fleet, &top->now.fleet, seconds);
        int r;

        if (!rates)
                return -ENOMEM;
        /* In one piece, so that it does not flicker. */
        if (top->screen)
                (void)fputs(SCREEN_CLEAR, stdout);
        if (!top->output.json && top->output.legend)
                print_head(top);
        r = print_rates(top, rates);
        if (!top->screen && !top->output.json && top->output.legend)
                (void)putchar('\n');
        (void)fflush(stdout);
        return r;
}

/* --- the terminal --- */

static void screen_begin(Top *top)
{
        struct termios raw;

        if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || top->ctl->json ||
            tcgetattr(STDIN_FILENO, &top->terminal) < 0)
                return;
        raw = top->terminal;
        raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        /* Stopped, it would leave its screen behind. */
        raw.c_cc[VSUSP] = _POSIX_VDISABLE;
        if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
                return;
        (void)fputs(SCREEN_BEGIN, stdout);
        (void)fflush(stdout);
        top->screen = true;
}

static void screen_end(Top *top)
{
        if (!top->screen)
                return;
        (void)fputs(SCREEN_END, stdout);
        (void)fflush(stdout);
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &top->terminal);
        top->screen = false;
}

static void read_key(Top *top)
{
        char key;
        const ssize_t n = read(STDIN_FILENO, &key, 1);

        top->ended = n <= 0 || key == 'q' || key == 'Q';
}

/* True: only the size of the terminal has changed. */
static bool read_signal(Top *top)
{
        struct signalfd_siginfo info;

        if (read(top->signals, &info, sizeof(info)) != sizeof(info))
                return false;
        if (info.ssi_signo == SIGWINCH)
                return true;
        top->ended = true;
        return false;
}

static int open_signals(void)
{
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGHUP);
        (void)sigaddset(&set, SIGWINCH);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Until the next look is due, or it is over. */
static int wait_for_next(Top *top)
{
        const uint64_t end = top->now.usec + top->delay_usec;
        int r = 0;

        while (r == 0 && !top->ended) {
                struct pollfd fds[] = { { .fd = top->signals, .events = POLLIN },
                                        { .fd = top->screen ? STDIN_FILENO : -1,
                                          .events = POLLIN } };
                const uint64_t now = clock_monotonic_usec();
                int n;

                if (now >= end)
                        return 0;
                n = poll(fds, ELEMENTSOF(fds), (int)((end - now) / 1000) + 1);
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n <= 0)
                        continue;
                if (fds[1].revents)
                        read_key(top);
                /* Before the second look, there is nothing to show. */
                if (fds[0].revents && read_signal(top) && top->screen && top->before.usec > 0)
                        r = print_frame(top);
        }
        return r;
}

static int run(Top *top)
{
        int r = look(top);

        if (r == 0 && top->screen) {
                (void)fputs(SCREEN_CLEAR "Looking ...\n", stdout);
                (void)fflush(stdout);
        }
        while (r == 0 && !top->ended && top->n_left > 0) {
                r = wait_for_next(top);
                if (r < 0 || top->ended)
                        break;
                r = look(top);
                if (r == 0)
                        r = print_frame(top);
                if (top->n_left != UINT64_MAX)
                        top->n_left--;
                /* Who reads it has gone. */
                if (ferror(stdout))
                        break;
        }
        return r;
}

CtlStatus verb_top(const Ctl *ctl, char *arguments[])
{
        Top top = { .ctl = ctl, .n_left = UINT64_MAX };
        Ctl without_pager = *ctl;
        CtlStatus status = CTL_FINE;
        int r;

        if (!parse_delay(ctl->delay ? ctl->delay : "2", &top.delay_usec)) {
                output_error("--delay=%s is no number of seconds from 0.1 on.", ctl->delay);
                return CTL_USAGE;
        }
        if (ctl->count && !parse_count(ctl->count, &top.n_left)) {
                output_error("--count=%s is no number from 1 on.", ctl->count);
                return CTL_USAGE;
        }
        top.signals = open_signals();
        if (top.signals < 0) {
                output_error("No signals: %s.", strerror(errno));
                return CTL_FAILED;
        }
        without_pager.no_pager = true;
        output_start(&without_pager, &top.output);
        screen_begin(&top);
        r = run(&top);
        screen_end(&top);
        if (r < 0) {
                output_error("%s can't be looked at: %s.", ctl->config_dir, strerror(-r));
                status = CTL_FAILED;
        }
        fleet_done(&top.before.fleet);
        fleet_done(&top.now.fleet);
        close_fd(top.signals);
        return output_done(&top.output, status);
}
