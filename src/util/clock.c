/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdio.h>

#include "util/clock.h"

#define SEC_PER_DAY 86400

static bool clock_is_leap(unsigned year)
{
        return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

void clock_date(uint64_t sec, char ret[static CLOCK_DATE_SIZE])
{
        static const char weekdays[][4] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
        static const struct {
                char name[4];
                unsigned n_days;
        } months[] = { { "Jan", 31 }, { "Feb", 28 }, { "Mar", 31 }, { "Apr", 30 },
                       { "May", 31 }, { "Jun", 30 }, { "Jul", 31 }, { "Aug", 31 },
                       { "Sep", 30 }, { "Oct", 31 }, { "Nov", 30 }, { "Dec", 31 } };
        const unsigned of_day = (unsigned)(sec % SEC_PER_DAY);
        uint64_t day = sec / SEC_PER_DAY;
        const char *weekday = weekdays[day % 7];
        unsigned year = 1970, month = 0, n;

        for (; day >= (n = clock_is_leap(year) ? 366 : 365); year++)
                day -= n;
        for (; day >= (n = months[month].n_days + (month == 1 && clock_is_leap(year))); month++)
                day -= n;
        (void)snprintf(ret, CLOCK_DATE_SIZE, "%s, %02u %s %04u %02u:%02u:%02u GMT", weekday,
                       (unsigned)day + 1, months[month].name, year, of_day / 3600, of_day / 60 % 60,
                       of_day % 60);
}
