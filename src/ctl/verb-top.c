/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl top: shows rates repeatedly. On a terminal, it uses a separate screen, and at the end
 * restores the old one. Elsewhere, it prints each table below the previous table.
 */
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "ctl/ask/rates.h"
#include "ctl/show/output.h"
#include "ctl/show/show.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"

#define DELAY_MIN 0.1
#define DELAY_MAX 86400.0

/* The number of lines of the screen that are not rows of the table: the line above the table, its
 * headings, and the line of the cursor below it. */
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
        uint64_t n_left; /* the number of tables still to print; UINT64_MAX: without end */
        bool screen;
        struct termios terminal; /* the saved settings */
        sigset_t signals;        /* the saved signal mask */
        Look before, now;
} Top;

static int top_look(Top *top)
{
        fleet_done(&top->before.fleet);
        top->before = top->now;
        top->now = (Look){ .usec = clock_monotonic_usec() };
        return fleet_load(top->ctl, NULL, FLEET_FOR_LIST, &top->now.fleet);
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

static void top_set_rate(Table *table, size_t column, double value)
{
        char text[SHOWN_MAX];

        if (!table->output->json)
                table_set(table, column, show_rate(value, text));
        else if (!isnan(value))
                table_setf(table, column, "%.3f", value);
}

static void top_add_line(Table *table, const Rates *rates)
{
        const bool json = table->output->json;

        table_add(table);
        table_set(table, NAME, rates->name || json ? rates->name : "(all)");
        if (rates->name)
                table_set(table, STATE, fleet_state_names[rates->state]);
        if (!rates->name || json)
                top_set_rate(table, ACCEPTED, rates->accepted);
        top_set_rate(table, HANDOFFS, rates->handoffs);
        top_set_rate(table, REFUSED, rates->refused);
        table_set_number(table, PENDING, rates->pending, show_count);
        table_set_number(table, OPEN, rates->n_open, show_count);
        top_set_rate(table, CPU, rates->cpu * 100);
        table_set_number(table, MEMORY, rates->memory, show_bytes);
}

/* Returns the number of rows that fit on the screen. */
static size_t top_room(const Top *top)
{
        struct winsize size = { .ws_row = 0 };

        if (!top->screen || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0)
                return SIZE_MAX;
        return size.ws_row > LINES_ABOVE ? size.ws_row - LINES_ABOVE : 1;
}

static void top_print_head(const Top *top)
{
        const Fleet *fleet = &top->now.fleet;
        const time_t now = time(NULL);
        size_t n_active = 0;
        char text[SHOWN_MAX];
        struct tm tm;

        for (size_t i = 0; i < fleet->n; i++)
                n_active += fleet->entries[i].state == FLEET_ACTIVE;
        (void)localtime_r(&now, &tm);
        (void)strftime(text, sizeof(text), "%H:%M:%S", &tm);
        output_print("%s  %zu instance%s, %zu active%s%s\n", text, fleet->n,
                     fleet->n == 1 ? "" : "s", n_active,
                     fleet->router_error < 0 ? "; no numbers: " : "",
                     fleet->router_error < 0 ? metrics_fetch_explain(fleet->router_error) : "");
}

static int top_print_frame(const Top *top)
{
        const double seconds = (double)(top->now.usec - top->before.usec) / 1e6;
        const bool json = top->output.json, legend = top->output.legend && !json;
        _cleanup_free_ Rates *rates = rates_new(&top->before.fleet, &top->now.fleet, seconds);
        Table table = table_new(&top->output, "rates", columns, COLUMNS);
        size_t left = top_room(top);
        int r;

        /* The sequence that clears the screen is written together with the new table, to avoid
         * flicker. */
        if (top->screen)
                (void)fputs(SCREEN_CLEAR, stdout);
        if (legend)
                top_print_head(top);
        /* The table for people leaves out idle instances. */
        for (size_t i = 0; rates && left > 0 && i <= top->now.fleet.n; i++)
                if (i == 0 || json || !rates_are_quiet(&rates[i])) {
                        top_add_line(&table, &rates[i]);
                        left--;
                }
        r = table_print(&table);
        if (legend && !top->screen)
                output_print("\n");
        (void)fflush(stdout);
        return rates ? r : -ENOMEM;
}

/* --- the terminal --- */

static void top_begin_screen(Top *top)
{
        struct termios raw;

        if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || top->ctl->json ||
            tcgetattr(STDIN_FILENO, &top->terminal) < 0)
                return;
        raw = top->terminal;
        raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        /* Disables Ctrl-Z, which would return to the shell while the terminal shows our screen. */
        raw.c_cc[VSUSP] = _POSIX_VDISABLE;
        top->screen = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
        if (top->screen)
                (void)fputs(SCREEN_BEGIN SCREEN_CLEAR "Looking ...\n", stdout);
        (void)fflush(stdout);
}

static void top_end_screen(Top *top)
{
        if (!top->screen)
                return;
        (void)fputs(SCREEN_END, stdout);
        (void)fflush(stdout);
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &top->terminal);
}

static volatile sig_atomic_t ended, resized;

static void top_on_signal(int number)
{
        if (number == SIGWINCH)
                resized = 1;
        else
                ended = 1;
}

/* Blocks the signals, so that they arrive only while top_wait() waits. */
static void top_catch_signals(sigset_t *ret_before)
{
        static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };
        const struct sigaction action = { .sa_handler = top_on_signal };
        sigset_t set;

        (void)sigemptyset(&set);
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                (void)sigaction(numbers[i], &action, NULL);
                (void)sigaddset(&set, numbers[i]);
        }
        (void)sigprocmask(SIG_BLOCK, &set, ret_before);
}

/* Waits until the next table is due, or until a key or signal ends top. */
static int top_wait(const Top *top)
{
        const uint64_t end = top->now.usec + top->delay_usec;
        uint64_t now;
        int r = 0;

        while (r == 0 && !ended && (now = clock_monotonic_usec()) < end) {
                const struct timespec left = { (time_t)((end - now) / 1000000),
                                               (long)((end - now) % 1000000 * 1000) };
                struct pollfd fd = { .fd = top->screen ? STDIN_FILENO : -1, .events = POLLIN };
                char key;

                if (ppoll(&fd, 1, &left, &top->signals) > 0 &&
                    (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q'))
                        ended = 1;
                /* Before the second call of top_look(), there are no rates to show. */
                if (resized && top->screen && top->before.usec > 0)
                        r = top_print_frame(top);
                resized = 0;
        }
        return r;
}

static int top_run(Top *top)
{
        int r = top_look(top);

        while (r == 0 && top->n_left > 0 && !ferror(stdout)) {
                r = top_wait(top);
                if (r == 0 && !ended)
                        r = top_look(top);
                if (r < 0 || ended)
                        break;
                r = top_print_frame(top);
                if (top->n_left != UINT64_MAX)
                        top->n_left--;
        }
        return r;
}

CtlStatus verb_top(const Ctl *ctl, char *arguments[])
{
        Top top = { .ctl = ctl, .n_left = UINT64_MAX };
        Ctl without_pager = *ctl;
        char *end = (char *)"";
        const double delay = ctl->delay ? strtod(ctl->delay, &end) : 2;
        CtlStatus status = CTL_FINE;
        int r;

        if (*end != 0 || end == ctl->delay || !(delay >= DELAY_MIN && delay <= DELAY_MAX)) {
                output_error("--delay=%s is not a number of seconds from 0.1 to 86400.",
                             ctl->delay);
                return CTL_USAGE;
        }
        if (ctl->count && (!text_number(span_from_string(ctl->count), UINT64_MAX, &top.n_left) ||
                           top.n_left == 0)) {
                output_error("--count=%s is not a number greater than 0.", ctl->count);
                return CTL_USAGE;
        }
        top_catch_signals(&top.signals);
        top.delay_usec = (uint64_t)(delay * 1e6);
        without_pager.no_pager = true;
        output_start(&without_pager, &top.output);
        top_begin_screen(&top);
        r = top_run(&top);
        top_end_screen(&top);
        if (r < 0)
                status = output_bad_configuration(ctl, r);
        fleet_done(&top.before.fleet);
        fleet_done(&top.now.fleet);
        return output_done(&top.output, status);
}
