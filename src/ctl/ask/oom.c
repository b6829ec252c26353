/* SPDX-License-Identifier: MIT */
#include <systemd/sd-journal.h>
#include <time.h>

#include "ctl/ask/oom.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/text.h"

#define USEC_PER_HOUR (UINT64_C(3600) * 1000000)

typedef sd_journal *Journal;

static void oom_closep(Journal *journal)
{
        sd_journal_close(*journal);
}

static int oom_note(OomKills *kills, const char *instance, uint64_t usec)
{
        OomKill kill = { .last_usec = usec };

        for (size_t i = 0; i < kills->n; i++)
                if (strcmp(kills->kills[i].instance, instance) == 0) {
                        kills->kills[i].last_usec = usec;
                        return 0;
                }
        (void)snprintf(kill.instance, sizeof(kill.instance), "%s", instance);
        return array_append(kills->kills, kills->n, kill);
}

/* Notes the kill that the present line of the journal reports. The line's field UNIT names the
 * service of the instance, and can be trusted: oom_read_journal() selects lines with _UID=0, and
 * only programs of root can write such a line. */
static int oom_note_line(OomKills *kills, sd_journal *journal)
{
        static const char field[] = "UNIT=";
        _cleanup_free_ char *unit = NULL;
        char instance[NAME_UNIT_MAX];
        const void *data;
        uint64_t usec;
        size_t size;

        if (sd_journal_get_data(journal, "UNIT", &data, &size) < 0 || size < strlen(field) ||
            sd_journal_get_realtime_usec(journal, &usec) < 0)
                return 0;
        unit = strndup((const char *)data + strlen(field), size - strlen(field));
        if (!unit)
                return -ENOMEM;
        return name_from_unit(NAME_SERVICE_UNIT, unit, instance) ? oom_note(kills, instance, usec)
                                                                 : 0;
}

int oom_read_journal(OomKills *ret)
{
        /* SD_MESSAGE_UNIT_OUT_OF_MEMORY and SD_MESSAGE_UNIT_OOMD_KILL of sd-messages(3) */
        static const char *const matches[] = { "MESSAGE_ID=fe6faa94e7774663a0da52717891d8ef",
                                               "MESSAGE_ID=d989611b15e44c9dbf31e3c81256e4ed",
                                               "_UID=0" };
        _cleanup_(oom_closep) Journal journal = NULL;
        int r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);

        *ret = (OomKills){ .n = 0 };
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(matches); i++)
                r = sd_journal_add_match(journal, matches[i], 0);
        if (r >= 0)
                r = sd_journal_seek_realtime_usec(journal, (uint64_t)time(NULL) * 1000000 -
                                                                   OOM_HOURS * USEC_PER_HOUR);
        while (r >= 0 && (r = sd_journal_next(journal)) > 0)
                r = oom_note_line(ret, journal);
        return r < 0 ? r : 0;
}

void oom_done(OomKills *kills)
{
        free(kills->kills);
}

uint64_t oom_last(const OomKills *kills, const char *instance)
{
        for (size_t i = 0; i < kills->n; i++)
                if (strcmp(kills->kills[i].instance, instance) == 0)
                        return kills->kills[i].last_usec;
        return 0;
}
