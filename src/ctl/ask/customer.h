/* SPDX-License-Identifier: MIT */
/* What a customer consists of, and where it is. */
#pragma once

#include <limits.h>
#include <pwd.h>
#include <stdbool.h>

#include "ctl/ctl.h"

#define WWW_DIR "/srv/www"

/*
 * The comment of a user that bellhopctl has made, in the user database itself: so it can't be
 * there without the user, nor the user without it, and users can't change it.
 */
#define USER_MARK "bellhop customer"

typedef struct Customer {
        const char *name;
        char file[PATH_MAX]; /* of the instance */
        char tls[PATH_MAX];  /* and the folders that are its own */
        char snippets[PATH_MAX];
        char www[PATH_MAX];
        char wanted[PATH_MAX]; /* the link of a socket that was enabled by hand */
} Customer;

/* False: a path would be too long. */
bool customer_init(const Ctl *ctl, const char *name, Customer *ret);

/* The user was made for it by bellhopctl add --create-user. */
bool user_is_marked(const struct passwd *user);

/* Whether the router has read a file of that instance. With no router to ask: false. */
bool router_knows(const Ctl *ctl, const char *name);
