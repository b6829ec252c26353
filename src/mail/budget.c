/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <inttypes.h>

#include "mail/budget.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/text.h"

#define HOUR           3600
#define FILE_BYTES_MAX (BUDGET_SITES_MAX * BUDGET_LINE_MAX)
#define HEADING        "[Mail]\n"

/* --- the file --- */

bool budget_parse(const Line *line, BudgetSite *ret)
{
        uint64_t *const numbers[] = {
                &ret->hour,   &ret->in_hour,   &ret->day, &ret->in_day, &ret->recipients_in_day,
                &ret->n_sent, &ret->n_refused, &ret->uid
        };
        Span rest = line->value, word;

        *ret = (BudgetSite){ .hour = 0 };
        if (line->kind != LINE_ASSIGNMENT || line->error || line->key.size >= sizeof(ret->name))
                return false;
        memcpy(ret->name, line->key.data, line->key.size);
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                if (!words_next(&rest, &word) || !text_number(word, UINT64_MAX, numbers[i]))
                        return false;
        return !words_next(&rest, &word) && instance_name_is_valid(ret->name);
}

size_t budget_format(const BudgetSite *site, char ret[static BUDGET_LINE_MAX])
{
        return (size_t)snprintf(ret, BUDGET_LINE_MAX,
                                "%s=%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
                                " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                                site->name, site->hour, site->in_hour, site->day, site->in_day,
                                site->recipients_in_day, site->n_sent, site->n_refused, site->uid);
}

static int budget_read(Budget *budget, Span text)
{
        LineReader reader = { .rest = text };
        BudgetSite site;
        Line line;
        int r = 0;

        while (r == 0 && (line = lines_next(&reader)).kind != LINE_END) {
                if (line.kind == LINE_SECTION)
                        continue;
                if (!budget_parse(&line, &site) || budget->n_sites >= BUDGET_SITES_MAX)
                        return -EBADMSG;
                r = array_append(budget->sites, budget->n_sites, site);
        }
        return r;
}

int budget_load(Budget *budget, const char *dir)
{
        _cleanup_free_ char *path = text_format("%s/" BUDGET_FILE, dir), *text = NULL;
        size_t size;
        const int r = path ? file_read(path, O_NOFOLLOW, FILE_BYTES_MAX, &text, &size) : -ENOMEM;

        if (r < 0)
                return r == -ENOENT ? 0 : r == -EFBIG ? -EBADMSG : r;
        /* Each file that budget_save() writes has a heading, so an empty file is damaged. */
        if (size == 0)
                return -EBADMSG;
        return budget_read(budget, (Span){ (const uint8_t *)text, size });
}

int budget_save(Budget *budget, const char *dir)
{
        _cleanup_free_ char *path = text_format("%s/" BUDGET_FILE, dir);
        _cleanup_free_ char *new_path = text_format("%s/" BUDGET_FILE ".new", dir);
        _cleanup_fclose_ FILE *file = path && new_path ? fopen(new_path, "we") : NULL;
        char line[BUDGET_LINE_MAX];

        if (!file)
                return path && new_path ? -errno : -ENOMEM;
        (void)fputs(HEADING, file);
        for (size_t i = 0; i < budget->n_sites; i++) {
                (void)budget_format(&budget->sites[i], line);
                (void)fputs(line, file);
        }
        if (fflush(file) != 0 || rename(new_path, path) < 0)
                return -errno;
        budget->has_changed = false;
        return 0;
}

void budget_done(Budget *budget)
{
        free(budget->sites);
}

/* --- charges --- */

int budget_find(Budget *budget, const char *name, uid_t uid)
{
        BudgetSite site = { .uid = uid };
        int r;

        if (strlen(name) >= sizeof(site.name))
                return -ENOSPC;
        (void)strcpy(site.name, name);
        for (size_t i = 0; i < budget->n_sites; i++) {
                if (strcmp(budget->sites[i].name, name) != 0)
                        continue;
                /* If the uid differs, the counts are of an earlier customer with this name. */
                if (uid != 0 && budget->sites[i].uid != uid)
                        budget->sites[i] = site;
                return (int)i;
        }
        if (budget->n_sites >= BUDGET_SITES_MAX)
                return -ENOSPC;
        r = array_append(budget->sites, budget->n_sites, site);
        return r < 0 ? r : (int)budget->n_sites - 1;
}

/* Sets the counts to 0 if they are from another hour or day. That hour or day may be later than the
 * present one, if root has set the clock back. */
static void budget_turn(BudgetSite *site, time_t now)
{
        const uint64_t hour = (uint64_t)now / HOUR, day = (uint64_t)now / BUDGET_DAY_SEC;

        if (hour != site->hour) {
                site->hour = hour;
                site->in_hour = 0;
        }
        if (day != site->day) {
                site->day = day;
                site->in_day = site->recipients_in_day = 0;
        }
}

BudgetVerdict budget_charge(Budget *budget, int number, const MailLimits *limits, bool is_recipient,
                            time_t now)
{
        BudgetSite *site = &budget->sites[number];

        /* Only the charge of a message can begin a new hour or day. For a recipient, the parameter
         * now is the time when the message began, which may be in an earlier hour: budget_turn()
         * would go back to that hour, and set the counts to 0. */
        if (is_recipient) {
                if (site->recipients_in_day >= limits->recipients_per_day)
                        return BUDGET_RECIPIENTS;
                site->recipients_in_day++;
        } else {
                budget_turn(site, now);
                if (site->in_day >= limits->per_day)
                        return BUDGET_DAY;
                if (site->in_hour >= limits->per_hour)
                        return BUDGET_HOUR;
                site->in_hour++;
                site->in_day++;
        }
        budget->has_changed = true;
        return BUDGET_FITS;
}

void budget_refund(Budget *budget, int number, uint64_t n_recipients, time_t charged)
{
        BudgetSite *site = &budget->sites[number];

        if (site->hour == (uint64_t)charged / HOUR && site->in_hour > 0)
                site->in_hour--;
        if (site->day == (uint64_t)charged / BUDGET_DAY_SEC && site->in_day > 0) {
                site->in_day--;
                site->recipients_in_day -= n_recipients < site->recipients_in_day
                                                   ? n_recipients
                                                   : site->recipients_in_day;
        }
        budget->has_changed = true;
}

void budget_count(Budget *budget, int number, bool is_sent)
{
        BudgetSite *site = &budget->sites[number];

        if (is_sent)
                site->n_sent++;
        else
                site->n_refused++;
        budget->has_changed = true;
}
