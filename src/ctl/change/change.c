/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/file.h>

#include "config/units.h"
#include "ctl/ask/metrics-client.h"
#include "ctl/ask/stale.h"
#include "ctl/change/change.h"
#include "ctl/change/files.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/text.h"

#define ROUTER_SOCKET "bellhop-router.socket"

static volatile sig_atomic_t interrupted;

static void change_on_signal(int number)
{
        interrupted = 1;
}

bool change_is_interrupted(void)
{
        return interrupted;
}

static void change_on_signals(void (*handler)(int number))
{
        static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
        const struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                (void)sigaction(numbers[i], &action, NULL);
}

static void change_delay_signals(void)
{
        change_on_signals(change_on_signal);
        /* If the output goes into a pipe, the program at the other end may close the pipe. Then
         * SIGPIPE must not end bellhopctl before everything is done. */
        (void)signal(SIGPIPE, SIG_IGN);
}

/* Locks the folder of the sockets itself, so no lock file is left behind. The lock ends with the
 * process. Customers can't open this folder. Otherwise, they could take the lock, and bellhopctl
 * would wait for ever. */
static CtlStatus change_take_lock(Change *change)
{
        const char *dir = change->ctl->runtime_dir;

        change->lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (change->lock >= 0 && flock(change->lock, LOCK_EX) == 0)
                return CTL_FINE;
        output_error("%s can't be used: %s.%s", dir, strerror(errno),
                     errno == ENOENT ? " Is bellhop installed?" : "");
        return CTL_FAILED;
}

CtlStatus change_begin(const Ctl *ctl, Change *ret)
{
        static const Column columns[] = {
                { "", "change", 0, SCOLS_JSON_STRING },
                { "", "what", 0, SCOLS_JSON_STRING },
        };
        const char *what = "systemd can't be reached (is it running, and is dbus installed?)";

        *ret = (Change){ .ctl = ctl, .lock = -EBADF };
        output_start(ctl, &ret->output);
        if (ctl->json)
                ret->steps = table_new(&ret->output, "changes", columns, ELEMENTSOF(columns));
        if (!ctl->dry_run && geteuid() != 0) {
                output_error("Only root can change instances. Use sudo, or --dry-run to see what "
                             "would be done.");
                return CTL_FAILED;
        }
        if (!change_good(what, sd_bus_open_system(&ret->bus)))
                return CTL_FAILED;
        if (ctl->dry_run)
                return CTL_FINE;
        change_delay_signals();
        return change_take_lock(ret);
}

CtlStatus change_done(Change *change, CtlStatus status)
{
        if (change->ctl->json && table_print(&change->steps) < 0)
                status = output_no_memory();
        sd_bus_flush_close_unref(change->bus);
        change->lock = close_fd(change->lock);
        return output_done(&change->output, status);
}

CtlStatus change_check_served(const Change *change)
{
        const int r = bus_is_active(change->bus, ROUTER_SOCKET);

        if (change_good("systemd does not answer", r) && r == 0)
                output_error(ROUTER_SOCKET " is not active, so no client would be served. First "
                                           "run: systemctl enable --now bellhop.target");
        return r > 0 ? CTL_FINE : CTL_FAILED;
}

void change_let_others(Change *change)
{
        change->lock = close_fd(change->lock);
        change_on_signals(SIG_DFL);
        (void)fflush(stdout);
        if (interrupted)
                (void)raise(SIGINT);
}

bool change_step(Change *change, const char *kind, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list args;

        change->n_steps++;
        va_start(args, format);
        text = text_format_args(format, args);
        va_end(args);
        if (change->ctl->json) {
                table_add(&change->steps);
                table_set(&change->steps, 0, kind);
                table_set(&change->steps, 1, text);
        } else {
                output_paint(&change->output, COLOR_FAINT, "%s", text ? text : kind);
                output_print("\n");
                (void)fflush(stdout);
        }
        return !change->ctl->dry_run;
}

void change_say_end(const Change *change, const char *nothing_to_do)
{
        if (change->ctl->no_legend || change->ctl->json)
                return;
        if (change->n_steps == 0)
                output_print("%s\n", nothing_to_do);
        else if (change->ctl->dry_run)
                output_print("This is what would be done.\n");
}

bool change_good(const char *what, int r)
{
        if (r < 0)
                output_error("%s: %s.", what, strerror(-r));
        return r >= 0;
}

CtlStatus change_check_name(const char *name)
{
        if (instance_name_is_valid(name))
                return CTL_FINE;
        output_error(
                "'%s' is not a valid name of an instance. 'bellhopctl list' shows all instances.",
                name);
        return CTL_USAGE;
}

CtlStatus change_explain_missing(const Config *config, const char *name, bool has_file)
{
        if (!has_file) {
                output_error("There is no instance '%s'. 'bellhopctl list' shows all instances.",
                             name);
                return CTL_FAILED;
        }
        for (size_t i = 0; i < config->n_problems; i++)
                if (config->problems[i].instance && strcmp(config->problems[i].instance, name) == 0)
                        output_error("%s", config->problems[i].text);
        output_error("Nothing was changed, because the file of the instance has a mistake, so "
                     "bellhop does not use this file. Correct the mistake first.");
        return CTL_FAILED;
}

CtlStatus change_not_done(void)
{
        output_error("Not everything is done, because of the error above. Remove its cause, then "
                     "run the same command again.");
        return CTL_FAILED;
}

bool change_read_file(const char *path, char **ret, size_t *ret_size)
{
        struct stat st;

        if (lstat(path, &st) < 0 || !S_ISLNK(st.st_mode))
                return change_good(path, file_read(path, 0, CONFIG_FILE_MAX_BYTES, ret, ret_size));
        output_error("%s is a symbolic link, which bellhopctl does not change. Edit its target, "
                     "then run: bellhopctl apply",
                     path);
        return false;
}

/* The maximum number of units in one systemctl command. */
#define UNITS_AT_ONCE 256

bool change_units(const char *verb, char units[][NAME_UNIT_MAX], size_t n)
{
        bool good = true;

        for (size_t i = 0; i < n; i += UNITS_AT_ONCE) {
                const char *command[UNITS_AT_ONCE + 4] = { "systemctl", verb, "--" };

                for (size_t j = 0; j < UNITS_AT_ONCE && i + j < n; j++)
                        command[3 + j] = units[i + j];
                output_progress(verb, i, n);
                good = program_run(command) && good;
        }
        output_progress(NULL, n, n);
        return good;
}

bool change_try_unit(const char *verb, const char *unit, char ret_error[static PROGRAM_ERROR_MAX])
{
        return program_try((const char *const[]){ "systemctl", verb, "--", unit, NULL }, ret_error);
}

bool change_say_failed(const char *unit, const char *error)
{
        output_error("%s", error);
        output_error("To see why, run: systemctl status %s; journalctl -xeu %s", unit, unit);
        return false;
}

bool change_unit(const char *verb, const char *unit)
{
        char error[PROGRAM_ERROR_MAX];

        return change_try_unit(verb, unit, error) || change_say_failed(unit, error);
}

void change_await_start(sd_bus *bus, const char *unit)
{
        char error[PROGRAM_ERROR_MAX];

        /* The job of the start exists already, so this only waits for its end. */
        if (bus_has_begun(bus, unit) > 0 && bus_is_active(bus, unit) == 0)
                (void)change_try_unit("start", unit, error);
}

bool change_keeps_units(const char *name)
{
        char unit[NAME_UNIT_MAX];
        _cleanup_free_ char *path = text_format(UNITS_GENERATED_DIR "/bellhop.target.wants/%s",
                                                name_unit(NAME_SOCKET_UNIT, name, unit));

        return !path || access(path, F_OK) == 0;
}

bool change_read_unit_files(Change *change)
{
        return !change_step(change, "daemon-reload",
                            "have systemd read all its unit files (this takes a minute with "
                            "thousands of instances)") ||
               program_run((const char *const[]){ "systemctl", "daemon-reload", NULL });
}

/* Whether the router has begun to read its files after this time, and uses them. */
static bool change_router_has_read(const Change *change, uint64_t after_nsec)
{
        Samples samples = { .n = 0 };
        uint64_t read = UNKNOWN;

        if (samples_fetch(change->ctl->runtime_dir, &samples) == 0)
                read = samples_router_read(&samples);
        samples_done(&samples);
        return read != UNKNOWN && !is_stale(read, after_nsec);
}

bool change_reload_router(const Change *change)
{
        char error[PROGRAM_ERROR_MAX];
        uint64_t begin;

        wait_past(changed_router(change->ctl->config_dir));
        begin = clock_nsec(CLOCK_REALTIME_COARSE);
        /* If /run is full, the router reads the files, but can't report this to systemctl(1). */
        return change_try_unit("try-reload-or-restart", ROUTER_SERVICE, error) ||
               change_router_has_read(change, begin) || change_say_failed(ROUTER_SERVICE, error);
}

/* If the folder of certificates or snippets was made after the start of the server, restarts the
 * server: it would not see this folder after a reload. */
bool change_renew_server(sd_bus *bus, const char *config_dir, const char *name)
{
        uint64_t started_usec = UNKNOWN, made;
        char unit[NAME_UNIT_MAX];
        int r = bus_has_begun(bus, name_unit(NAME_SERVICE_UNIT, name, unit));

        change_await_start(bus, unit);
        if (r > 0)
                r = bus_get(bus, unit, "Service", "ExecMainStartTimestamp", PROPERTY_NUMBER,
                            &started_usec);
        if (!change_good("systemd does not answer", r))
                return false;
        (void)changed_instance(config_dir, name, NULL, &made);
        /* No change until now has a later time than this clock shows. */
        wait_past(clock_nsec(CLOCK_REALTIME_COARSE));
        return started_usec == UNKNOWN ||
               change_unit(is_stale(started_usec * 1000, made) ? "try-restart"
                                                               : "try-reload-or-restart",
                           unit);
}
