/* SPDX-License-Identifier: MIT */
/* Settings of bellhop-mail, from DIR/mail.conf and the files of instances. */
#pragma once

#include "config/config.h"

#define MAIL_NAME_MAX 253

/* bellhop-mail(8) */
typedef struct MailSettings {
        MailLimits limits; /* of each customer whose instance's file does not set them */
        Address relay;     /* the machine's mail server */
        char name[MAIL_NAME_MAX +
                  1];            /* domain for addresses without one; "": that of the machine */
        bool takes_senders;      /* keeps the sender that a program gives */
        uint64_t size_max;       /* bytes of a message */
        uint64_t recipients_max; /* of a message */
        uint64_t connections_max;
        uint64_t connections_max_per_instance;
        uint64_t relays_max; /* connections to the mail server */
        uint64_t store_max;  /* bytes of messages that are not yet passed on */
        uint64_t client_timeout_usec;
        uint64_t relay_timeout_usec;
} MailSettings;

/* Sets the defaults, then reads DIR/mail.conf. A file with a mistake changes no setting, and its
 * problems are added to config. Returns 0 or a negative errno. */
int mail_settings_load(Config *config, const char *dir, MailSettings *ret);

/* Reads the limits of one instance from its file alone. Limits that the file does not set are those
 * in settings. If the file has a mistake, the instance can send no mail. Returns 0; -ENOENT: the
 * instance does not exist; -EACCES: it is suspended; or another negative errno. */
int mail_limits_load(const char *dir, const char *name, const MailSettings *settings,
                     MailLimits *ret);
