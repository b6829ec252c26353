/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdlib.h>

#include "usage/open.h"

#define PLACES_MIN 64

void open_table_done(OpenTable *table)
{
        free(table->places);
        *table = (OpenTable){ .n = 0 };
}

/* Returns the place where the search for a cookie begins. Cookies are consecutive numbers, which
 * the multiplication spreads. */
static size_t open_home(const OpenTable *table, uint64_t cookie)
{
        return (size_t)(cookie * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (table->n_places - 1);
}

/* Returns the place of the cookie, or the free place where the cookie must be added. */
static Open *open_place(const OpenTable *table, uint64_t cookie)
{
        size_t i = open_home(table, cookie);

        while (table->places[i].cookie != 0 && table->places[i].cookie != cookie)
                i = (i + 1) & (table->n_places - 1);
        return &table->places[i];
}

Open *open_table_find(const OpenTable *table, uint64_t cookie)
{
        Open *open = table->n_places > 0 ? open_place(table, cookie) : NULL;

        return open && open->cookie != 0 ? open : NULL;
}

/* Makes room for another entry, so that at most half of the places are taken. Returns false if max
 * is reached, or if there is no memory. */
static bool open_make_room(OpenTable *table)
{
        OpenTable larger = { .n = table->n, .max = table->max };

        if (table->n >= table->max)
                return false;
        if (table->n < table->n_places / 2)
                return true;
        larger.n_places = table->n_places > 0 ? table->n_places * 2 : PLACES_MIN;
        larger.places = calloc(larger.n_places, sizeof(*larger.places));
        if (!larger.places)
                return false;
        for (size_t i = 0; i < table->n_places; i++)
                if (table->places[i].cookie != 0)
                        *open_place(&larger, table->places[i].cookie) = table->places[i];
        free(table->places);
        *table = larger;
        return true;
}

Open *open_table_add(OpenTable *table, uint64_t cookie)
{
        Open *open;

        assert(cookie != 0 && !open_table_find(table, cookie));
        if (!open_make_room(table))
                return NULL;
        open = open_place(table, cookie);
        *open = (Open){ .cookie = cookie };
        table->n++;
        return open;
}

/* The removed entry leaves a gap. Later entries move into it, so that no search ends there too
 * early: Knuth, volume 3, 6.4, algorithm R. */
void open_table_remove(OpenTable *table, Open *open)
{
        const size_t mask = table->n_places - 1;
        size_t gap = (size_t)(open - table->places), i = gap;

        assert(open->cookie != 0);
        for (;;) {
                size_t home;

                i = (i + 1) & mask;
                if (table->places[i].cookie == 0)
                        break;
                home = open_home(table, table->places[i].cookie);
                if (((i - home) & mask) < ((i - gap) & mask))
                        continue;
                table->places[gap] = table->places[i];
                gap = i;
        }
        table->places[gap].cookie = 0;
        table->n--;
}

void open_table_sweep(OpenTable *table, bool (*goes)(const Open *open, void *userdata),
                      void *userdata)
{
        /* If a removal moves another entry into place i, the loop checks that entry too. An entry
         * that moves from the start to the end of the table may be missed until the next call. */
        for (size_t i = 0; i < table->n_places; i++)
                while (table->places[i].cookie != 0 && goes(&table->places[i], userdata))
                        open_table_remove(table, &table->places[i]);
}
