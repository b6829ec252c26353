/* SPDX-License-Identifier: MIT */
#include "config/mail-settings.h"
#include "config/instance.h"
#include "config/names.h"
#include "util/cleanup.h"
#include "util/text.h"

#define SECOND   UINT64_C(1000000)
#define MEBIBYTE UINT64_C(1048576)

static const MailSettings mail_settings_default = {
        .limits = { .per_hour = 200, .per_day = 1000, .recipients_per_day = 2000 },
        .relay = { .ip.s6_addr = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1 },
                   .port = 25 },
        .takes_senders = true,
        .size_max = 25 * MEBIBYTE,
        .recipients_max = 100,
        .connections_max = 256,
        .connections_max_per_instance = 5,
        .relays_max = 10,
        .store_max = 1024 * MEBIBYTE,
        .client_timeout_usec = 60 * SECOND,
        .relay_timeout_usec = 60 * SECOND,
};

static int mail_parse_relay(SettingsFile *file, Span value, void *target)
{
        Address *relay = target;

        if (!address_parse(value, relay))
                return problem_value(file, value, NULL,
                                     "is not an address; write 127.0.0.1:25 or [::1]:25");
        if (relay->port == 0)
                relay->port = 25;
        return 0;
}

static int mail_parse_name(SettingsFile *file, Span value, void *target)
{
        Hostname host;

        if (hostname_parse(value, &host) != HOSTNAME_OK)
                return problem_value(file, value, NULL, "is not a host name");
        (void)strcpy(target, host.name);
        return 0;
}

static int mail_parse_sender(SettingsFile *file, Span value, void *target)
{
        *(bool *)target = span_equals(value, "given");
        if (*(bool *)target || span_equals(value, "instance"))
                return 0;
        return problem_value(file, value, NULL, "is neither 'given' nor 'instance'");
}

#define SETTING(name, parser, field) \
        .key = name, .parse = parser, .offset = offsetof(MailSettings, field)
#define MORE_THAN_0 .low = 1, .high = UINT64_MAX - 1, .range = "more than 0"

static const Setting mail_settings[] = {
        { SETTING("Relay", mail_parse_relay, relay) },
        { SETTING("MailName", mail_parse_name, name) },
        { SETTING("Sender", mail_parse_sender, takes_senders) },
        { SETTING("MailPerHour", setting_parse_count, limits.per_hour) },
        { SETTING("MailPerDay", setting_parse_count, limits.per_day) },
        { SETTING("MailRecipientsPerDay", setting_parse_count, limits.recipients_per_day) },
        { SETTING("RecipientsMax", setting_parse_count, recipients_max), .low = 1, .high = 10000,
          .range = "from 1 to 10000" },
        { SETTING("MessageMaxBytes", setting_parse_size, size_max), MORE_THAN_0 },
        { SETTING("StoreMaxBytes", setting_parse_size, store_max), MORE_THAN_0 },
        { SETTING("ConnectionsMax", setting_parse_count, connections_max), MORE_THAN_0 },
        { SETTING("ConnectionsMaxPerInstance", setting_parse_count, connections_max_per_instance),
          MORE_THAN_0 },
        { SETTING("RelayConnectionsMax", setting_parse_count, relays_max), MORE_THAN_0 },
        { SETTING("ClientTimeoutSec", setting_parse_timespan, client_timeout_usec), MORE_THAN_0 },
        /* bellhop-sendmail waits 5 minutes for an answer of bellhop-mail, so this time must be
         * shorter. */
        { SETTING("RelayTimeoutSec", setting_parse_timespan, relay_timeout_usec), .low = 1,
          .high = 240 * SECOND, .range = "more than 0, at most 4min" },
};

static const SettingsTable mail_table = { "Mail", mail_settings, ELEMENTSOF(mail_settings) };

int mail_settings_load(Config *config, const char *dir, MailSettings *ret)
{
        _cleanup_free_ char *path = text_format("%s/mail.conf", dir), *text = NULL;
        SettingsFile file = { .path = path, .config = config };
        MailSettings read = mail_settings_default;
        size_t size;
        int r = path ? settings_read_file(&file, &text, &size) : -ENOMEM;

        *ret = mail_settings_default;
        if (r < 0 || !text)
                return r;
        r = settings_parse(&file, (Span){ (const uint8_t *)text, size }, &mail_table, &read);
        if (r == 0 && file.n_problems == 0)
                *ret = read;
        return r;
}

static uint64_t mail_limit(uint64_t own, uint64_t of_all)
{
        return own == UINT64_MAX ? of_all : own;
}

int mail_limits_load(const char *dir, const char *name, const MailSettings *settings_of_all,
                     MailLimits *ret)
{
        _cleanup_free_ char *path = name_path(NAME_INSTANCE_FILE, dir, name);
        const MailLimits *all = &settings_of_all->limits;
        Instance instance;
        int r;

        if (!path)
                return -ENOMEM;
        if (access(path, F_OK) < 0)
                return errno == ENOENT ? -ENOENT : -errno;
        r = config_read_instance(dir, name, &instance);
        if (r < 0)
                return r;
        *ret = (MailLimits){
                mail_limit(instance.mail.per_hour, all->per_hour),
                mail_limit(instance.mail.per_day, all->per_day),
                mail_limit(instance.mail.recipients_per_day, all->recipients_per_day),
        };
        return instance.is_suspended ? -EACCES : 0;
}
