/* SPDX-License-Identifier: MIT */
/*
 * Decides which lines of the journal concern an instance.
 */
#include <systemd/sd-journal.h>
#include <time.h>

#include "config/names.h"
#include "ctl/ask/journal.h"
#include "util/cleanup.h"
#include "util/text.h"

/* The search ends after this many lines, even if it has not yet found as many as the caller
 * wants. */
#define LOOKED_AT_MAX 2000

/* Longer fields are cut, because a customer's program can send a line of 30 MB. */
#define FIELD_BYTES_MAX 4096

typedef sd_journal *Journal;

static void journal_donep(Journal *journal)
{
        sd_journal_close(*journal);
}

/* Returns the text of a field, to be freed; at most FIELD_BYTES_MAX with the name. NULL: the line
 * does not have the field. */
static char *journal_field(sd_journal *journal, const char *name)
{
        const size_t skip = strlen(name) + 1;
        const void *data;
        size_t size;

        if (sd_journal_get_data(journal, name, &data, &size) < 0 || size < skip)
                return NULL;
        if (size > FIELD_BYTES_MAX)
                size = FIELD_BYTES_MAX;
        return strndup((const char *)data + skip, size - skip);
}

static char *journal_text(sd_journal *journal, bool refusal)
{
        _cleanup_free_ char *a =
                journal_field(journal, refusal ? "BELLHOP_REASON" : "SYSLOG_IDENTIFIER");
        _cleanup_free_ char *b = journal_field(journal, refusal ? "BELLHOP_HOST" : "MESSAGE");
        _cleanup_free_ char *c = refusal ? journal_field(journal, "BELLHOP_PEER") : NULL;
        uint64_t usec = 0;
        char date[32], *text;
        struct tm tm;
        time_t then;

        (void)sd_journal_get_realtime_usec(journal, &usec);
        then = (time_t)(usec / 1000000);
        (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&then, &tm));
        text = text_format("%s %s: %s%s%s", date, a ? a : "?",
                           b         ? b
                           : refusal ? "no host"
                                     : "",
                           refusal ? " from " : "", c ? c : "");
        return text;
}

/* Reads the journal backwards, so the last line is the first element of texts. */
static int journal_read_back(sd_journal *journal, bool refusals, size_t max, char ***texts,
                             size_t *n)
{
        int r = sd_journal_seek_tail(journal);

        for (size_t i = 0; r >= 0 && *n < max && i < LOOKED_AT_MAX; i++) {
                _cleanup_free_ char *text = NULL;
                const void *data;
                size_t size;

                r = sd_journal_previous(journal);
                if (r <= 0)
                        break;
                if ((sd_journal_get_data(journal, "BELLHOP_REASON", &data, &size) >= 0) != refusals)
                        continue;
                text = journal_text(journal, refusals);
                r = text ? texts_append(texts, n, text) : -ENOMEM;
        }
        return r;
}

/* Selects the lines that match at least one group of fields. In a group, fields with the same name
 * are alternatives, but fields with different names must all match. If refusals is
 * true, only the first group counts. */
static int journal_match(sd_journal *journal, const char *instance, bool refusals)
{
        char service[NAME_UNIT_MAX], standin[NAME_UNIT_MAX], socket[NAME_UNIT_MAX];
        _cleanup_free_ char *errors = text_format("bellhop-%s", instance);
        _cleanup_free_ char *php = text_format("bellhop-php-%s", instance);
        const struct {
                const char *field, *value; /* NULL: the next group begins */
        } all[] = {
                { "_SYSTEMD_UNIT", "bellhop-router.service" },
                { "BELLHOP_INSTANCE", instance },
                { NULL, NULL },
                { "_SYSTEMD_UNIT", name_unit(NAME_SERVICE_UNIT, instance, service) },
                { "_SYSTEMD_UNIT", name_unit(NAME_STANDIN_UNIT, instance, standin) },
                { "_TRANSPORT", "stdout" },
                { "_TRANSPORT", "syslog" },
                { NULL, NULL },
                /* Lines that programs sent with sd_journal_send(3). The log of requests does not
                 * match, because it has another identifier. */
                { "_SYSTEMD_UNIT", service },
                { "_SYSTEMD_UNIT", standin },
                { "SYSLOG_IDENTIFIER", errors },
                { "SYSLOG_IDENTIFIER", php },
                { "SYSLOG_IDENTIFIER", "bellhop-instance" },
                { "SYSLOG_IDENTIFIER", "bellhop-standin" },
                { NULL, NULL },
                { "_PID", "1" },
                { "UNIT", service },
                { "UNIT", standin },
                { "UNIT", name_unit(NAME_SOCKET_UNIT, instance, socket) },
        };
        int r = errors && php ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(all); i++) {
                _cleanup_free_ char *text = NULL;

                if (!all[i].field && refusals)
                        break;
                if (all[i].field)
                        text = text_format("%s=%s", all[i].field, all[i].value);
                r = text           ? sd_journal_add_match(journal, text, 0)
                    : all[i].field ? -ENOMEM
                                   : sd_journal_add_disjunction(journal);
        }
        return r;
}

int journal_read(const char *instance, bool refusals, size_t max, char ***ret, size_t *ret_n)
{
        _cleanup_(journal_donep) Journal journal = NULL;
        char **texts = NULL;
        size_t n = 0;
        /* Opens all files of this machine's journal, because journald keeps the lines of each user
         * in a separate file. */
        int r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY);

        if (r >= 0)
                r = sd_journal_set_data_threshold(journal, FIELD_BYTES_MAX);
        if (r >= 0)
                r = journal_match(journal, instance, refusals);
        if (r >= 0)
                r = journal_read_back(journal, refusals, max, &texts, &n);
        if (r < 0) {
                texts_free(texts, n);
                return r;
        }
        for (size_t i = 0; i < n / 2; i++) {
                char *text = texts[i];

                texts[i] = texts[n - 1 - i];
                texts[n - 1 - i] = text;
        }
        *ret = texts;
        *ret_n = n;
        return 0;
}
