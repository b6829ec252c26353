/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/change/instance-text.h"

static void put_list(FILE *out, const char *key, const OptionList *list)
{
        for (size_t i = 0; i < list->n; i++)
                fprintf(out, "%s=%s\n", key, list->items[i]);
}

char *instance_text(const Ctl *ctl)
{
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);

        if (!out)
                return NULL;
        fprintf(out, "# Made by bellhopctl add. After a change: bellhopctl apply\n"
                     "[Instance]\n");
        put_list(out, "Host", &ctl->hosts);
        put_list(out, "Address", &ctl->addresses);
        if (ctl->is_default)
                fprintf(out, "Default=yes\n");
        if (ctl->http)
                fprintf(out, "Http=%s\n", ctl->http);
        if (ctl->idle)
                fprintf(out, "IdleSec=%s\n", ctl->idle);
        if (ctl->network)
                fprintf(out, "Network=yes\n");
        if (fclose(out) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

/* A line break would be another line of the file. */
static bool is_one_line(const char *value)
{
        for (const char *c = value ? value : ""; *c; c++)
                if ((unsigned char)*c < ' ' || *c == '#')
                        return false;
        return true;
}

bool instance_text_is_possible(const Ctl *ctl)
{
        bool good = is_one_line(ctl->http) && is_one_line(ctl->idle);

        for (size_t i = 0; i < ctl->hosts.n; i++)
                good = good && is_one_line(ctl->hosts.items[i]);
        for (size_t i = 0; i < ctl->addresses.n; i++)
                good = good && is_one_line(ctl->addresses.items[i]);
        return good;
}
