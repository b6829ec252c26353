/* SPDX-License-Identifier: MIT */
/* Settings of bellhop-mail, from DIR/mail.conf and the files of instances. */
#pragma once

#include "config/config.h"

#define MAIL_NAME_MAX 253

/* bellhop-mail(8) */
typedef struct MailSettings {
        MailLimits limits; /* of each customer, unless the file of the instance has others */
        Address relay;     /* the machine's mail server */
        char name[MAIL_NAME_MAX + 1]; /* the domain of addresses without one; "": find out */
        bool takes_senders;           /* as programs give them */
        uint64_t size_max;            /* bytes of a message */
        uint64_t recipients_max;      /* of a message */
        uint64_t connections_max;
        uint64_t connections_max_per_instance;
        uint64_t relays_max; /* connections to the mail server */
        uint64_t store_max;  /* bytes of messages that are not yet passed on */
        uint64_t client_timeout_usec;
        uint64_t relay_timeout_usec;
} MailSettings;

/* Reads the defaults and DIR/mail.conf; a file with a mistake sets nothing. Adds its problems to
 * config. Returns 0 or a negative errno. */
int mail_settings_load(Config *config, const char *dir, MailSettings *ret);

/* Reads the limits of one instance from its file alone; it can send nothing if the file has a
 * mistake. Returns 0; -ENOENT: the instance does not exist; -EACCES: it is suspended; or another
 * negative errno. */
int mail_limits_load(const char *dir, const char *name, const MailSettings *settings,
                     MailLimits *ret);
