/* SPDX-License-Identifier: MIT */
#include "config/acme-settings.h"
#include "config/settings.h"
#include "util/cleanup.h"
#include "util/text.h"

#define SECOND UINT64_C(1000000)
#define HOUR   (3600 * SECOND)

static const AcmeSettings acme_settings_default = {
        .directory = "https://acme-v02.api.letsencrypt.org/directory",
        .challenges = { [ACME_HTTP_01] = true, [ACME_TLS_ALPN_01] = true },
        .checks_names = true,
        .orders_per_hour = 90,
        .orders_per_week_per_instance = 20,
        .orders_max = 4,
        .order_timeout_usec = 600 * SECOND,
        .retry_usec = HOUR,
        .retry_max_usec = 24 * HOUR,
};

const char *const acme_key_type_names[ACME_KEY_TYPES] = {
        [ACME_KEY_EC] = "ec",
        [ACME_KEY_RSA] = "rsa",
};

const char *const acme_challenge_names[ACME_CHALLENGES] = {
        [ACME_HTTP_01] = "http-01",
        [ACME_TLS_ALPN_01] = "tls-alpn-01",
        [ACME_DNS_01] = "dns-01",
};

/* Copies the value into an array of ACME_TEXT_MAX + 1 bytes. uacme gets the value as an argument or
 * as a line of its input, so the value must not contain blanks or control characters, or begin with
 * '-'. */
static int acme_parse_text(SettingsFile *file, Span value, void *target)
{
        bool good = value.size > 0 && value.size <= ACME_TEXT_MAX && value.data[0] != '-';

        for (size_t i = 0; good && i < value.size; i++)
                good = value.data[i] > ' ' && value.data[i] < 0x7f;
        if (!good)
                return problem_value(file, value, NULL,
                                     "is empty, too long, begins with '-', or has a blank or a "
                                     "character that is not ASCII");
        memcpy(target, value.data, value.size);
        ((char *)target)[value.size] = 0;
        return 0;
}

static bool acme_starts_with(Span value, const char *prefix)
{
        return value.size > strlen(prefix) && memcmp(value.data, prefix, strlen(prefix)) == 0;
}

static int acme_parse_directory(SettingsFile *file, Span value, void *target)
{
        return acme_starts_with(value, "https://")
                       ? acme_parse_text(file, value, target)
                       : problem_value(file, value, NULL, "does not begin with https://");
}

static int acme_parse_path(SettingsFile *file, Span value, void *target)
{
        return acme_starts_with(value, "/")
                       ? acme_parse_text(file, value, target)
                       : problem_value(file, value, NULL, "does not begin with /");
}

static int acme_parse_key_type(SettingsFile *file, Span value, void *target)
{
        const int type = setting_choose(value, acme_key_type_names, ACME_KEY_TYPES);

        if (type < 0)
                return problem_value(file, value, NULL, "is neither ec nor rsa");
        *(AcmeKeyType *)target = (AcmeKeyType)type;
        return 0;
}

/* Parses all words of the value in one call, because together they replace the default list. */
static int acme_parse_challenges(SettingsFile *file, Span value, void *target)
{
        bool *challenges = target;
        Span word;

        memset(challenges, 0, sizeof(bool[ACME_CHALLENGES]));
        while (words_next(&value, &word)) {
                const int challenge = setting_choose(word, acme_challenge_names, ACME_CHALLENGES);

                if (challenge < 0)
                        return problem_value(file, word, NULL,
                                             "is none of http-01, tls-alpn-01, dns-01");
                challenges[challenge] = true;
        }
        return 0;
}

static int acme_parse_address(SettingsFile *file, Span word, void *target)
{
        AcmeSettings *settings = target;
        Address address;

        if (!address_parse(word, &address) || address.port != 0)
                return problem_value(file, word, NULL,
                                     "is not an address; write 192.0.2.7 or 2001:db8::7");
        if (settings->n_addresses == ACME_ADDRESSES_MAX)
                return problem_value(file, word, NULL,
                                     "is one address too many; remove an address");
        settings->addresses[settings->n_addresses++] = address.ip;
        return 0;
}

#define SETTING(name, parser, field) \
        .key = name, .parse = parser, .offset = offsetof(AcmeSettings, field)
#define FROM_1 .low = 1, .high = UINT64_MAX - 1, .range = "more than 0"

static const Setting acme_settings[] = {
        { SETTING("Directory", acme_parse_directory, directory) },
        { SETTING("Contact", acme_parse_text, contact) },
        { SETTING("ExternalAccountFile", acme_parse_path, external_account) },
        { SETTING("KeyType", acme_parse_key_type, key_type) },
        { SETTING("Challenges", acme_parse_challenges, challenges) },
        { SETTING("DnsHook", acme_parse_path, dns_hook) },
        { SETTING("CheckNames", setting_parse_bool, checks_names) },
        { .key = "Addresses", .parse = acme_parse_address, .is_list = true },
        { SETTING("CaaDomain", acme_parse_text, caa) },
        { SETTING("OrdersPerHour", setting_parse_count, orders_per_hour), FROM_1 },
        { SETTING("OrdersPerWeekPerInstance", setting_parse_count, orders_per_week_per_instance),
          .low = 1, .high = 100, .range = "from 1 to 100" },
        { SETTING("OrdersMax", setting_parse_count, orders_max), .low = 1, .high = 100,
          .range = "from 1 to 100" },
        { SETTING("OrderTimeoutSec", setting_parse_timespan, order_timeout_usec), FROM_1 },
        { SETTING("RetrySec", setting_parse_timespan, retry_usec), FROM_1 },
        { SETTING("RetryMaxSec", setting_parse_timespan, retry_max_usec), FROM_1 },
};

static const SettingsTable acme_table = { "Acme", acme_settings, ELEMENTSOF(acme_settings) };

static int acme_check(SettingsFile *file, AcmeSettings *settings)
{
        /* CaaDomain= has a default only for Let's Encrypt. */
        if (!settings->caa[0] && strcmp(settings->directory, acme_settings_default.directory) == 0)
                (void)strcpy(settings->caa, "letsencrypt.org");
        file->line = 0;
        return settings->challenges[ACME_DNS_01] && !settings->dns_hook[0]
                       ? problem_add(file, NULL,
                                     "Challenges=dns-01 needs a program in DnsHook=, such as "
                                     "/usr/share/uacme/nsupdate.sh")
                       : 0;
}

int acme_settings_load(Config *config, const char *dir, const char *name, AcmeSettings *ret)
{
        _cleanup_free_ char *path = text_format("%s/acme/%s.conf", dir, name), *text = NULL;
        SettingsFile file = { .path = path, .config = config };
        AcmeSettings read = acme_settings_default;
        size_t size;
        int r = path ? settings_read_file(&file, &text, &size) : -ENOMEM;

        *ret = acme_settings_default;
        if (r < 0 || !text)
                return r < 0 ? r : -ENOENT;
        r = settings_parse(&file, (Span){ (const uint8_t *)text, size }, &acme_table, &read);
        if (r == 0 && file.n_problems == 0)
                r = acme_check(&file, &read);
        if (r < 0 || file.n_problems > 0)
                return r < 0 ? r : -EINVAL;
        *ret = read;
        return 0;
}
