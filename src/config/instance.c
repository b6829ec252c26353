/* SPDX-License-Identifier: MIT */
/*
 * Owns the keys of bellhop.instance(5). What can only be known beside other files is not judged
 * here.
 */
#include <inttypes.h>

#include "config/instance.h"
#include "util/cleanup.h"

#define IDLE_USEC_DEFAULT (10 * 60 * UINT64_C(1000000))
#define INSTANCE_NAME_MAX 31 /* useradd(8): user names of up to 32 bytes with their NUL */

static bool is_alpha(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool instance_name_is_valid(const char *name)
{
        const size_t length = strlen(name);

        if (length == 0 || length > INSTANCE_NAME_MAX || !is_alpha(name[0]))
                return false;
        for (size_t i = 1; i < length; i++)
                if (!is_alpha(name[i]) && (name[i] < '0' || name[i] > '9') && name[i] != '-')
                        return false;
        return true;
}

/* The target of both lists is the draft itself. */
static int duplicate(SettingsFile *file, const char *key, Span word, uint64_t first_line)
{
        return problem_add(file, "%s=%.*s stands here twice, first in line %" PRIu64 "; remove one",
                           key, (int)word.size, (const char *)word.data, first_line);
}

static int add_host(SettingsFile *file, InstanceDraft *draft, const char *key, Span word)
{
        const bool wildcard = word.size > 2 && word.data[0] == '*' && word.data[1] == '.';
        Span plain = word;
        char host[HOSTNAME_MAX + 3];
        Hostname hostname;
        uint64_t first_line;
        int r;

        if (wildcard)
                plain = (Span){ .data = word.data + 2, .size = word.size - 2 };
        if (span_equals(word, "*"))
                return problem_add(file, "%s=* would be every host; write Default=yes for that",
                                   key);
        switch (hostname_parse(plain, &hostname)) {
        case HOSTNAME_OK:
                break;
        case HOSTNAME_ADDRESS:
                if (hostname_parse_with_port(plain, &hostname) == HOSTNAME_OK)
                        return problem_add(file,
                                           "%s=%.*s has a port; write the host alone, its "
                                           "connections lead here on all ports",
                                           key, setting_shown(word), (const char *)word.data);
                if (memmem(plain.data, plain.size, "://", 3))
                        return problem_add(file, "%s=%.*s is a URL; write the host alone", key,
                                           setting_shown(word), (const char *)word.data);
                return problem_add(file, "%s=%.*s is an address; write it as Address=", key,
                                   setting_shown(word), (const char *)word.data);
        case HOSTNAME_EMPTY:
        case HOSTNAME_INVALID:
                return problem_add(
                        file,
                        "%s=%.*s is no host name; letters, digits, '-', '_' and dots, one "
                        "'*.' in front, no "
                        "port, other scripts in their xn-- form (idn2)",
                        key, setting_shown(word), (const char *)word.data);
        }
        snprintf(host, sizeof(host), "%s%s", wildcard ? "*." : "", hostname.name);
        r = hostmap_add_host(draft->routes, host, 0, file->line, &first_line);
        return r == -EEXIST ? duplicate(file, key, word, first_line) : r;
}

static int add_address(SettingsFile *file, InstanceDraft *draft, const char *key, Span word)
{
        Address address;
        uint64_t first_line;
        int r;

        if (!address_parse(word, &address))
                return problem_add(
                        file,
                        "%s=%.*s is no address; write 192.0.2.7, 192.0.2.7:443, 2001:db8::7 or "
                        "[2001:db8::7]:443",
                        key, setting_shown(word), (const char *)word.data);
        r = hostmap_add_address(draft->routes, &address, 0, file->line, &first_line);
        return r == -EEXIST ? duplicate(file, key, word, first_line) : r;
}

static int parse_list(SettingsFile *file, const char *key, Span value, InstanceDraft *draft,
                      int (*add)(SettingsFile *, InstanceDraft *, const char *, Span))
{
        Span word;

        if (value.size == 0)
                return problem_add(file, "%s= is empty; remove the line or name one", key);
        while (words_next(&value, &word)) {
                int r;

                file->word = word;
                r = add(file, draft, key, word);
                file->word = (Span){ .size = 0 };
                if (r < 0)
                        return r;
        }
        return 0;
}

static int parse_host(SettingsFile *file, const char *key, Span value, void *target)
{
        return parse_list(file, key, value, target, add_host);
}

static int parse_address(SettingsFile *file, const char *key, Span value, void *target)
{
        return parse_list(file, key, value, target, add_address);
}

static int parse_default(SettingsFile *file, const char *key, Span value, void *target)
{
        InstanceDraft *draft = target;

        draft->instance.default_line = file->line;
        return setting_parse_bool(file, key, value, &draft->instance.is_default);
}

static int parse_http(SettingsFile *file, const char *key, Span value, void *target)
{
        static const char *const policies[] = {
                [HTTP_SERVE] = "serve",
                [HTTP_REDIRECT] = "redirect",
                [HTTP_REFUSE] = "refuse",
        };
        InstanceDraft *draft = target;

        for (size_t i = 0; i < ELEMENTSOF(policies); i++)
                if (span_equals(value, policies[i])) {
                        draft->instance.http = (HttpPolicy)i;
                        return 0;
                }
        return problem_add(file, "%s=%.*s is none of serve, redirect, refuse", key,
                           setting_shown(value), (const char *)value.data);
}

static const Setting instance_settings[] = {
        { "Instance", "Host", parse_host, 0 },
        { "Instance", "Address", parse_address, 0 },
        { "Instance", "Default", parse_default, 0 },
        { "Instance", "Http", parse_http, 0 },
        { "Instance", "IdleSec", setting_parse_timespan,
          offsetof(InstanceDraft, instance.idle_usec) },
        { "Instance", "Network", setting_parse_bool, offsetof(InstanceDraft, instance.network) },
};

int instance_draft_parse(InstanceDraft *draft, SettingsFile *file, const char *name, Span text)
{
        int r;

        draft->instance.idle_usec = IDLE_USEC_DEFAULT;
        draft->instance.name = strdup(name);
        draft->instance.file = strdup(file->path);
        draft->routes = hostmap_new();
        if (!draft->instance.name || !draft->instance.file || !draft->routes)
                return -ENOMEM;

        r = settings_parse(file, text, instance_settings, ELEMENTSOF(instance_settings), draft);
        if (r < 0 || file->n_problems > 0)
                return r;
        if (hostmap_size(draft->routes) == 0 && !draft->instance.is_default)
                return problem_add(file, "nothing leads here; add Host=, Address= or Default=yes");
        return 0;
}

void instance_draft_done(InstanceDraft *draft)
{
        free(draft->instance.name);
        free(draft->instance.file);
        draft->routes = hostmap_free(draft->routes);
}
