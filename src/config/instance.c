/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "config/instance.h"
#include "config/names.h"
#include "util/cleanup.h"

#define GUESS_MAX         512
#define INSTANCE_NAME_MAX 31 /* useradd(8) allows user names of 32 bytes, including the NUL */

#define INSTANCE_NAME_FIRST "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

bool instance_name_is_valid(const char *name)
{
        const size_t length = strlen(name);

        return length > 0 && length <= INSTANCE_NAME_MAX && strchr(INSTANCE_NAME_FIRST, name[0]) &&
               strspn(name, INSTANCE_NAME_FIRST "0123456789-") == length;
}

static int instance_duplicate(SettingsFile *file, Span word, uint64_t first_line)
{
        return problem_add(file, NULL,
                           "%s=%.*s appears twice, first in line %" PRIu64 "; remove one",
                           file->key, PROBLEM_SHOWN(word), first_line);
}

static int instance_empty(SettingsFile *file, Span value)
{
        return problem_value(file, value, NULL, "is empty; remove the line or write a value");
}

/* Removes "*." from the front of the host, and returns whether the host had it. */
static bool instance_take_wildcard(Span *host)
{
        const bool wildcard = host->size > 2 && host->data[0] == '*' && host->data[1] == '.';

        if (wildcard)
                *host = (Span){ .data = host->data + 2, .size = host->size - 2 };
        return wildcard;
}

/* Guesses the hosts that are meant by a word of Host= with a scheme, a port or commas. Returns NULL
 * if no guess is possible. */
static const char *instance_guess_hosts(Span word, char ret[static GUESS_MAX])
{
        char text[GUESS_MAX], *rest = NULL;
        size_t used = 0;
        Hostname host;

        if (word.size >= sizeof(text))
                return NULL;
        memcpy(text, word.data, word.size);
        text[word.size] = 0;
        for (char *part = strtok_r(text, ",;", &rest); part; part = strtok_r(NULL, ",;", &rest)) {
                const char *scheme = strstr(part, "://"), *begin = scheme ? scheme + 3 : part;
                const size_t size = strcspn(begin, ":/");
                Span plain = { .data = (const uint8_t *)begin, .size = size };

                (void)instance_take_wildcard(&plain);
                if (hostname_parse(plain, &host) != HOSTNAME_OK)
                        return NULL;
                used += (size_t)snprintf(ret + used, GUESS_MAX - used, "%s%.*s", used ? " " : "",
                                         (int)size, begin);
        }
        return used > 0 ? ret : NULL;
}

/* Adds a problem that says why the word is not a host. plain: the word without "*.". form: the
 * result of hostname_parse() for plain. */
static int instance_not_a_host(SettingsFile *file, Span word, Span plain, HostnameResult form)
{
        char guess[GUESS_MAX];
        const char *meant = instance_guess_hosts(word, guess), *wrong;
        Hostname hostname;

        if (meant && strchr(meant, ' '))
                wrong = "is not a host name; write blanks between hosts";
        else if (form != HOSTNAME_ADDRESS)
                wrong = "is not a host name; use letters, digits, '-', '_' and dots, at most one "
                        "'*.' in front, no port, and the xn-- form for other scripts (idn2)";
        else if (hostname_parse_with_port(plain, &hostname) == HOSTNAME_OK)
                wrong = "has a port; write only the host, which is routed here on all ports";
        else if (memmem(plain.data, plain.size, "://", 3))
                wrong = "is a URL; write only the host";
        else
                return problem_value(file, word, NULL, "is an address; write it as Address=");
        return problem_value(file, word, meant, "%s", wrong);
}

static int instance_parse_host(SettingsFile *file, Span word, void *target)
{
        InstanceDraft *draft = target;
        Span plain = word;
        const bool wildcard = instance_take_wildcard(&plain);
        char host[HOSTNAME_MAX + 3];
        Hostname hostname;
        HostnameResult form;
        uint64_t first_line;
        int r;

        if (word.size == 0)
                return instance_empty(file, word);
        if (span_equals(word, "*"))
                return problem_value(file, word, NULL,
                                     "would be every host; write Default=yes instead");
        form = hostname_parse(plain, &hostname);
        if (form != HOSTNAME_OK)
                return instance_not_a_host(file, word, plain, form);
        snprintf(host, sizeof(host), "%s%s", wildcard ? "*." : "", hostname.name);
        r = hostmap_add_host(draft->routes, host, 0, file->line, &first_line);
        return r == -EEXIST ? instance_duplicate(file, word, first_line) : r;
}

static int instance_parse_address(SettingsFile *file, Span word, void *target)
{
        InstanceDraft *draft = target;
        Address address;
        uint64_t first_line;
        int r;

        if (word.size == 0)
                return instance_empty(file, word);
        if (!address_parse(word, &address))
                return problem_value(
                        file, word, NULL,
                        "is not an address; write 192.0.2.7, 192.0.2.7:443, 2001:db8::7 "
                        "or [2001:db8::7]:443");
        r = hostmap_add_address(draft->routes, &address, 0, file->line, &first_line);
        return r == -EEXIST ? instance_duplicate(file, word, first_line) : r;
}

static int instance_parse_default(SettingsFile *file, Span value, void *target)
{
        InstanceDraft *draft = target;

        draft->instance.default_line = file->line;
        return setting_parse_bool(file, value, &draft->instance.is_default);
}

const char *const http_policies[HTTP_POLICIES] = {
        [HTTP_SERVE] = "serve",
        [HTTP_REDIRECT] = "redirect",
        [HTTP_REFUSE] = "refuse",
};

static int instance_parse_http(SettingsFile *file, Span value, void *target)
{
        const int policy = setting_choose(value, http_policies, HTTP_POLICIES);

        if (policy < 0)
                return problem_value(file, value, NULL, "is none of serve, redirect, refuse");
        ((InstanceDraft *)target)->instance.http = (HttpPolicy)policy;
        return 0;
}

const char *const network_names[NETWORKS] = {
        [NETWORK_NO] = "no",
        [NETWORK_INTERNET] = "internet",
        [NETWORK_YES] = "yes",
};

static int instance_parse_network(SettingsFile *file, Span value, void *target)
{
        InstanceDraft *draft = target;
        bool all;

        if (span_equals(value, network_names[NETWORK_INTERNET])) {
                draft->instance.network = NETWORK_INTERNET;
                return 0;
        }
        if (!setting_is_bool(value, &all))
                return problem_value(file, value, NULL, "is none of no, internet, yes");
        draft->instance.network = all ? NETWORK_YES : NETWORK_NO;
        return 0;
}

const char *const server_names[SERVER_TYPES] = {
        [SERVER_APACHE] = "apache",
        [SERVER_NGINX] = "nginx",
};

static int instance_parse_server(SettingsFile *file, Span value, void *target)
{
        const int server = setting_choose(value, server_names, SERVER_TYPES);

        if (server < 0)
                return problem_value(file, value, NULL, "is neither apache nor nginx");
        ((InstanceDraft *)target)->instance.server = (ServerType)server;
        return 0;
}

const char *const tls_source_names[TLS_SOURCES] = {
        [TLS_FILES] = "files",
        [TLS_ACME] = "acme",
};

static int instance_parse_tls(SettingsFile *file, Span value, void *target)
{
        const int source = setting_choose(value, tls_source_names, TLS_SOURCES);

        if (source < 0)
                return problem_value(file, value, NULL, "is neither files nor acme");
        ((InstanceDraft *)target)->instance.tls = (TlsSource)source;
        return 0;
}

static int instance_parse_acme(SettingsFile *file, Span value, void *target)
{
        Instance *instance = &((InstanceDraft *)target)->instance;
        char name[ACME_NAME_MAX + 1] = "";

        if (value.size <= ACME_NAME_MAX)
                memcpy(name, value.data, value.size);
        if (!instance_name_is_valid(name))
                return problem_value(file, value, NULL,
                                     "is not a valid name of an authority; write the name of a "
                                     "file in the folder acme, without \"" NAME_CONF_SUFFIX "\"");
        memcpy(instance->acme, name, sizeof(name));
        return 0;
}

static int instance_parse_canonical(SettingsFile *file, Span value, void *target)
{
        InstanceDraft *draft = target;
        Hostname host;

        if (value.size == 0)
                return instance_empty(file, value);
        if (hostname_parse(value, &host) != HOSTNAME_OK)
                return problem_value(
                        file, value, NULL,
                        "is not an exact host; write a host of Host= that has no wildcard");
        free(draft->instance.canonical);
        draft->instance.canonical = strdup(host.name);
        draft->canonical_line = file->line;
        return draft->instance.canonical ? 0 : -ENOMEM;
}

bool instance_has_canonical(const InstanceDraft *draft)
{
        const char *canonical = draft->instance.canonical;
        HostMapMatch match;
        Hostname host;

        if (!canonical)
                return true;
        (void)hostname_parse(span_from_string(canonical), &host);
        match = hostmap_find_host(draft->routes, &host);
        return match.route != ROUTE_NONE &&
               strcmp(hostmap_route(draft->routes, match.route).what, canonical) == 0;
}

#define MAIL_LIMIT(name, field)                    \
        .key = name, .parse = setting_parse_count, \
        .offset = offsetof(InstanceDraft, instance.mail.field)

/* If a row has no offset, its parser gets the whole draft as the target. */
static const Setting instance_settings[] = {
        { .key = "Host", .parse = instance_parse_host, .is_list = true },
        { .key = "Address", .parse = instance_parse_address, .is_list = true },
        { .key = "Default", .parse = instance_parse_default },
        { .key = "Canonical", .parse = instance_parse_canonical },
        { .key = "Http", .parse = instance_parse_http },
        { .key = "IdleSec",
          .parse = setting_parse_timespan,
          .offset = offsetof(InstanceDraft, instance.idle_usec) },
        { .key = "Network", .parse = instance_parse_network },
        { .key = "Server", .parse = instance_parse_server },
        { .key = "Tls", .parse = instance_parse_tls },
        { .key = "Acme", .parse = instance_parse_acme },
        { .key = "Suspended",
          .parse = setting_parse_bool,
          .offset = offsetof(InstanceDraft, instance.is_suspended) },
        { MAIL_LIMIT("MailPerHour", per_hour) },
        { MAIL_LIMIT("MailPerDay", per_day) },
        { MAIL_LIMIT("MailRecipientsPerDay", recipients_per_day) },
};

static const SettingsTable instance_table = { "Instance", instance_settings,
                                              ELEMENTSOF(instance_settings) };

int instance_draft_parse(InstanceDraft *draft, SettingsFile *file, const char *name, Span text)
{
        int r;

        draft->instance.idle_usec = INSTANCE_IDLE_USEC_DEFAULT;
        (void)strcpy(draft->instance.acme, ACME_NAME_DEFAULT);
        draft->instance.mail = (MailLimits){ UINT64_MAX, UINT64_MAX, UINT64_MAX };
        draft->instance.name = strdup(name);
        draft->instance.file = strdup(file->path);
        draft->routes = hostmap_new();
        if (!draft->instance.name || !draft->instance.file || !draft->routes)
                return -ENOMEM;

        r = settings_parse(file, text, &instance_table, draft);
        if (r < 0 || file->n_problems > 0)
                return r;
        if (hostmap_size(draft->routes) == 0 && !draft->instance.is_default)
                return problem_add(
                        file, NULL,
                        "no route leads to this instance; add Host=, Address= or Default=yes");
        return 0;
}

int instance_draft_check(const InstanceDraft *draft, SettingsFile *file)
{
        if (file->n_problems > 0 || instance_has_canonical(draft))
                return 0;
        file->line = draft->canonical_line;
        return problem_add(file, NULL,
                           "Canonical=%s is not an exact host of this instance; add it to Host=",
                           draft->instance.canonical);
}

void instance_draft_done(InstanceDraft *draft)
{
        free(draft->instance.name);
        free(draft->instance.file);
        free(draft->instance.canonical);
        draft->routes = hostmap_free(draft->routes);
}
