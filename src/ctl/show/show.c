/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>

#include "ctl/show/show.h"
#include "util/cleanup.h"

#define HOUR 3600
#define DAY  (24 * HOUR)

static const struct {
        unsigned seconds;
        const char *name;
} units[] = { { DAY, "d" }, { HOUR, "h" }, { 60, "min" }, { 1, "s" } };

#define UNITS ELEMENTSOF(units)

const char *show_count(uint64_t n, char ret[static SHOWN_MAX])
{
        if (n == UINT64_MAX)
                return strcpy(ret, "-");
        (void)snprintf(ret, SHOWN_MAX, "%" PRIu64, n);
        return ret;
}

const char *show_bytes(uint64_t n, char ret[static SHOWN_MAX])
{
        static const char letters[] = "BKMGTPE";
        double value = (double)n;
        size_t i = 0;

        if (n == UINT64_MAX)
                return strcpy(ret, "-");
        /* A value that would be rounded to 1024 becomes 1 of the next unit. */
        for (; value >= 1023.95; i++)
                value /= 1024;
        (void)snprintf(ret, SHOWN_MAX, i == 0 ? "%.0f%c" : "%.1f%c", value, letters[i]);
        return ret;
}

const char *show_nsec(uint64_t n, char ret[static SHOWN_MAX])
{
        if (n == UINT64_MAX)
                return strcpy(ret, "-");
        (void)snprintf(ret, SHOWN_MAX, "%.2fs", (double)n / 1e9);
        return ret;
}

/* Shows n / 10^zeros as a decimal number. */
static const char *show_decimal(uint64_t n, int zeros, char ret[static SHOWN_MAX])
{
        uint64_t unit = 1;
        int length;

        if (n == UINT64_MAX)
                return strcpy(ret, "-");
        for (int i = 0; i < zeros; i++)
                unit *= 10;
        length = snprintf(ret, SHOWN_MAX, "%" PRIu64 ".%0*" PRIu64, n / unit, zeros, n % unit);
        while (ret[length - 1] == '0')
                ret[--length] = 0;
        if (ret[length - 1] == '.')
                ret[--length] = 0;
        return ret;
}

const char *show_usec(uint64_t n, char ret[static SHOWN_MAX])
{
        return show_decimal(n, 6, ret);
}

const char *show_percent(uint64_t n, char ret[static SHOWN_MAX])
{
        return show_decimal(n, 4, ret);
}

const char *show_rate(double per_second, char ret[static SHOWN_MAX])
{
        if (isnan(per_second))
                return strcpy(ret, "-");
        (void)snprintf(ret, SHOWN_MAX, per_second < 99.95 ? "%.1f" : "%.0f", per_second);
        return ret;
}

const char *show_span(uint64_t seconds, char ret[static SHOWN_MAX])
{
        size_t i = 0;

        while (i < UNITS - 1 && (seconds == 0 || seconds % units[i].seconds != 0))
                i++;
        (void)snprintf(ret, SHOWN_MAX, "%" PRIu64 "%s", seconds / units[i].seconds, units[i].name);
        return ret;
}

const char *show_days(uint64_t days, char ret[static SHOWN_MAX])
{
        (void)snprintf(ret, SHOWN_MAX, "%" PRIu64 " day%s", days, days == 1 ? "" : "s");
        return ret;
}

const char *show_ago(time_t then, time_t now, char ret[static SHOWN_MAX])
{
        const uint64_t ago = then < now ? (uint64_t)(now - then) : 0;
        size_t i = 0;

        if (then == 0 || ago == 0)
                return strcpy(ret, then == 0 ? "-" : "now");
        while (ago < units[i].seconds)
                i++;
        (void)snprintf(ret, SHOWN_MAX, "%" PRIu64 "%s ago", ago / units[i].seconds, units[i].name);
        return ret;
}

const char *show_left(time_t then, time_t now, char ret[static SHOWN_MAX])
{
        const long left = (long)(then - now);

        if (then == 0 || left <= 0)
                return strcpy(ret, then == 0 ? "-" : "expired");
        if (left < 2 * DAY)
                (void)snprintf(ret, SHOWN_MAX, "in %ld hour%s", left / HOUR,
                               left / HOUR == 1 ? "" : "s");
        else
                (void)snprintf(ret, SHOWN_MAX, "in %ld days", left / DAY);
        return ret;
}

const char *show_time(time_t then, char ret[static SHOWN_MAX])
{
        struct tm tm;

        (void)gmtime_r(&then, &tm);
        (void)strftime(ret, SHOWN_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
        return ret;
}
