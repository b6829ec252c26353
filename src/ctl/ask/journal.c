/* SPDX-License-Identifier: MIT */
/*
 * Owns which lines of the journal are about an instance.
 */
#include <systemd/sd-journal.h>

#include "ctl/ask/bus.h"
#include "ctl/ask/journal.h"
#include "refuse/refuse.h"
#include "util/cleanup.h"

#define ROUTER "_SYSTEMD_UNIT=bellhop-router.service"

/* Lines that are passed over; more than that many of them, and it shall not take for ever. */
#define LOOKED_AT_MAX 2000

typedef sd_journal *Journal;

static void journal_donep(Journal *journal)
{
        sd_journal_close(*journal);
}

static int match(sd_journal *journal, const char *field, const char *value)
{
        char text[128];

        (void)snprintf(text, sizeof(text), "%s%s", field, value);
        return sd_journal_add_match(journal, text, 0);
}

/* To be freed. NULL: it has no such field. */
static char *field_of(sd_journal *journal, const char *name)
{
        const size_t skip = strlen(name) + 1;
        const void *data;
        size_t size;

        if (sd_journal_get_data(journal, name, &data, &size) < 0 || size < skip)
                return NULL;
        return strndup((const char *)data + skip, size - skip);
}

/* Messages may come from the customer's programs: nothing in them shall reach a terminal as more
 * than text. */
static void make_printable(char *text)
{
        for (char *c = text; *c; c++)
                if ((unsigned char)*c < ' ' || *c == 0x7f)
                        *c = ' ';
}

static int append(JournalLines *lines, sd_journal *journal, char *text_taken)
{
        JournalLine *grown = reallocarray(lines->lines, lines->n + 1, sizeof(*grown));
        uint64_t usec = 0;

        if (!grown || !text_taken) {
                if (grown)
                        lines->lines = grown;
                free(text_taken);
                return -ENOMEM;
        }
        lines->lines = grown;
        (void)sd_journal_get_realtime_usec(journal, &usec);
        make_printable(text_taken);
        grown[lines->n++] = (JournalLine){ .usec = usec, .text = text_taken };
        return 0;
}

static char *refusal_text(sd_journal *journal)
{
        _cleanup_free_ char *reason = field_of(journal, "BELLHOP_REASON");
        _cleanup_free_ char *host = field_of(journal, "BELLHOP_HOST");
        _cleanup_free_ char *peer = field_of(journal, "BELLHOP_PEER");
        char *text;

        return asprintf(&text, "%s: %s from %s", reason ? reason : "?", host ? host : "no host",
                        peer ? peer : "unknown") < 0
                       ? NULL
                       : text;
}

static char *line_text(sd_journal *journal)
{
        _cleanup_free_ char *who = field_of(journal, "SYSLOG_IDENTIFIER");
        _cleanup_free_ char *what = field_of(journal, "MESSAGE");
        char *text;

        return asprintf(&text, "%s: %s", who ? who : "?", what ? what : "") < 0 ? NULL : text;
}

static void turn(JournalLines *lines)
{
        for (size_t i = 0; i < lines->n / 2; i++) {
                const JournalLine line = lines->lines[i];

                lines->lines[i] = lines->lines[lines->n - 1 - i];
                lines->lines[lines->n - 1 - i] = line;
        }
}

/* From the end back. refusals: those only, else all but those. */
static int read_back(sd_journal *journal, bool refusals, size_t max, JournalLines *ret)
{
        JournalLines lines = { .n = 0 };
        int r = sd_journal_seek_tail(journal);

        for (size_t i = 0; r >= 0 && lines.n < max && i < LOOKED_AT_MAX; i++) {
                const void *data;
                size_t size;

                r = sd_journal_previous(journal);
                if (r <= 0)
                        break;
                if (refusals)
                        r = append(&lines, journal, refusal_text(journal));
                else if (sd_journal_get_data(journal, "BELLHOP_REASON", &data, &size) < 0)
                        r = append(&lines, journal, line_text(journal));
        }
        if (r < 0) {
                journal_lines_done(&lines);
                return r;
        }
        turn(&lines);
        *ret = lines;
        return 0;
}

static int match_refusals(sd_journal *journal, const char *instance)
{
        int r = match(journal, ROUTER, "");

        if (r >= 0)
                r = match(journal, "BELLHOP_INSTANCE=", instance);
        for (RefuseReason i = 0; r >= 0 && i < REFUSE_REASON_COUNT; i++)
                if (refuse_reason_is_of_instance(i))
                        r = match(journal, "BELLHOP_REASON=", refuse_reason_name(i));
        return r;
}

/* Requests come to the journal by its own protocol, what goes wrong by the others. */
static int match_lines(sd_journal *journal, const char *instance)
{
        char services[2][UNIT_NAME_MAX], socket[UNIT_NAME_MAX];
        int r = match(journal, ROUTER, "");

        unit_name(instance, "service", services[0]);
        unit_name_of("bellhop-standin", instance, "service", services[1]);
        unit_name(instance, "socket", socket);
        if (r >= 0)
                r = match(journal, "BELLHOP_INSTANCE=", instance);
        if (r >= 0)
                r = sd_journal_add_disjunction(journal);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(services); i++)
                r = match(journal, "_SYSTEMD_UNIT=", services[i]);
        if (r >= 0)
                r = match(journal, "_TRANSPORT=", "stdout");
        if (r >= 0)
                r = match(journal, "_TRANSPORT=", "syslog");
        if (r >= 0)
                r = sd_journal_add_disjunction(journal);
        if (r >= 0)
                r = match(journal, "_PID=", "1");
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(services); i++)
                r = match(journal, "UNIT=", services[i]);
        if (r >= 0)
                r = match(journal, "UNIT=", socket);
        return r;
}

static int read_journal(const char *instance, bool refusals, size_t max, JournalLines *ret)
{
        _cleanup_(journal_donep) Journal journal = NULL;
        int r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);

        if (r >= 0)
                r = refusals ? match_refusals(journal, instance) : match_lines(journal, instance);
        return r < 0 ? r : read_back(journal, refusals, max, ret);
}

int journal_refusals(const char *instance, size_t max, JournalLines *ret)
{
        return read_journal(instance, true, max, ret);
}

int journal_lines(const char *instance, size_t max, JournalLines *ret)
{
        return read_journal(instance, false, max, ret);
}

void journal_lines_done(JournalLines *lines)
{
        for (size_t i = 0; i < lines->n; i++)
                free(lines->lines[i].text);
        free(lines->lines);
        *lines = (JournalLines){ .n = 0 };
}
