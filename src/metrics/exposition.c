/* SPDX-License-Identifier: MIT */
/* Owns the format. Knows no metric. */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>

#include "metrics/exposition.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define ROOM_FIRST 4096

void exposition_done(Exposition *exposition)
{
        free(exposition->data);
        *exposition = (Exposition){ 0 };
}

static void exposition_grow(Exposition *exposition, size_t n)
{
        size_t room = exposition->room ? exposition->room : ROOM_FIRST;
        char *bigger;

        while (room - exposition->size < n)
                room *= 2;
        bigger = realloc(exposition->data, room);
        if (!bigger) {
                exposition->failed = true;
                return;
        }
        exposition->data = bigger;
        exposition->room = room;
}

void exposition_printf(Exposition *exposition, const char *format, ...)
{
        while (!exposition->failed) {
                const size_t room = exposition->room - exposition->size;
                va_list args;
                int n;

                va_start(args, format);
                n = vsnprintf(exposition->data ? exposition->data + exposition->size : NULL, room,
                              format, args);
                va_end(args);
                assert(n >= 0);
                if ((size_t)n < room) {
                        exposition->size += (size_t)n;
                        return;
                }
                exposition_grow(exposition, (size_t)n + 1);
        }
}

void exposition_seconds(uint64_t nsec, char ret[static EXPOSITION_NUMBER_MAX])
{
        int n = snprintf(ret, EXPOSITION_NUMBER_MAX, "%" PRIu64 ".%09" PRIu64, nsec / NSEC_PER_SEC,
                         nsec % NSEC_PER_SEC);

        while (ret[n - 1] == '0')
                n--;
        if (ret[n - 1] == '.')
                n--;
        ret[n] = '\0';
}

void exposition_sample(Exposition *exposition, const char *name, const char *suffix,
                       const Label labels[static 2], uint64_t value, SampleUnit unit)
{
        const Label *first = labels[0].name ? &labels[0] : &labels[1];
        char number[EXPOSITION_NUMBER_MAX];

        if (unit == SAMPLE_NSEC)
                exposition_seconds(value, number);
        else
                snprintf(number, sizeof(number), "%" PRIu64, value);
        if (!first->name)
                exposition_printf(exposition, "%s%s %s\n", name, suffix, number);
        else if (first == &labels[1] || !labels[1].name)
                exposition_printf(exposition, "%s%s{%s=\"%s\"} %s\n", name, suffix, first->name,
                                  first->value, number);
        else
                exposition_printf(exposition, "%s%s{%s=\"%s\",%s=\"%s\"} %s\n", name, suffix,
                                  first->name, first->value, labels[1].name, labels[1].value,
                                  number);
}
