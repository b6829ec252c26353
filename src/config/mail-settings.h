/* SPDX-License-Identifier: MIT */
/* Reads the settings of bellhop-mail, from DIR/mail.conf and the files of instances. */
#pragma once

#include "config/config.h"

#define MAIL_NAME_MAX 253

/* The settings of bellhop-mail(8). */
typedef struct MailSettings {
        MailLimits limits; /* of each customer, unless the instance's file sets other limits */
        Address relay;     /* the machine's mail server */
        char name[MAIL_NAME_MAX +
                  1];       /* domain that is added to addresses without one; "": the machine's */
        bool takes_senders; /* keeps the sender that a program names */
        uint64_t size_max;  /* the most bytes of a message */
        uint64_t recipients_max; /* the most recipients of a message */
        uint64_t connections_max;
        uint64_t connections_max_per_instance;
        uint64_t relays_max; /* the most connections to the mail server */
        uint64_t store_max;  /* the most bytes of messages that wait for the mail server */
        uint64_t client_timeout_usec;
        uint64_t relay_timeout_usec;
} MailSettings;

/* Sets the defaults, then reads DIR/mail.conf. A file with a mistake changes no setting, and its
 * problems are added to config. Returns 0 or a negative errno. */
int mail_settings_load(Config *config, const char *dir, MailSettings *ret);

/* Gets the mail limits of one instance: from its file or, if this file does not set a limit, from
 * settings. If the file has a mistake, the instance can send no mail. Returns 0; -ENOENT if the
 * instance does not exist; -EACCES if it is suspended; or another negative errno. */
int mail_limits_load(const char *dir, const char *name, const MailSettings *settings,
                     MailLimits *ret);
