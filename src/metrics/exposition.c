/* SPDX-License-Identifier: MIT */
/*
 * Owns the format. Knows no metric.
 */
#include <inttypes.h>

#include "metrics/exposition.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define ROOM_FIRST 4096

void exposition_done(Exposition *exposition)
{
        free(exposition->data);
        *exposition = (Exposition){ 0 };
}

static bool reserve(Exposition *exposition, size_t n)
{
        size_t room = exposition->room ? exposition->room : ROOM_FIRST;
        char *bigger;

        while (room - exposition->size < n)
                room *= 2;
        if (room == exposition->room)
                return true;
        bigger = realloc(exposition->data, room);
        if (!bigger) {
                exposition->failed = true;
                return false;
        }
        exposition->data = bigger;
        exposition->room = room;
        return true;
}

static void put_bytes(Exposition *exposition, const char *bytes, size_t n)
{
        if (!reserve(exposition, n))
                return;
        memcpy(exposition->data + exposition->size, bytes, n);
        exposition->size += n;
}

void exposition_put(Exposition *exposition, const char *text)
{
        put_bytes(exposition, text, strlen(text));
}

/* special: what has to be escaped here; HELP takes '"' as it is. */
static void put_escaped(Exposition *exposition, const char *text, const char *special)
{
        for (;;) {
                const size_t n = strcspn(text, special);

                put_bytes(exposition, text, n);
                if (!text[n])
                        return;
                exposition_put(exposition, text[n] == '\n' ? "\\n" : "\\");
                if (text[n] != '\n')
                        put_bytes(exposition, text + n, 1);
                text += n + 1;
        }
}

void exposition_family(Exposition *exposition, const char *name, const char *type, const char *help)
{
        exposition_put(exposition, "# HELP ");
        exposition_put(exposition, name);
        exposition_put(exposition, " ");
        put_escaped(exposition, help, "\\\n");
        exposition_put(exposition, "\n# TYPE ");
        exposition_put(exposition, name);
        exposition_put(exposition, " ");
        exposition_put(exposition, type);
        exposition_put(exposition, "\n");
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
        char number[EXPOSITION_NUMBER_MAX];
        const char *between = "{";

        exposition_put(exposition, name);
        exposition_put(exposition, suffix);
        for (size_t i = 0; i < 2; i++) {
                if (!labels[i].name)
                        continue;
                exposition_put(exposition, between);
                exposition_put(exposition, labels[i].name);
                exposition_put(exposition, "=\"");
                put_escaped(exposition, labels[i].value, "\\\n\"");
                exposition_put(exposition, "\"");
                between = ",";
        }
        if (unit == SAMPLE_NSEC)
                exposition_seconds(value, number);
        else
                snprintf(number, sizeof(number), "%" PRIu64, value);
        exposition_put(exposition, between[0] == ',' ? "} " : " ");
        exposition_put(exposition, number);
        exposition_put(exposition, "\n");
}
