/* SPDX-License-Identifier: MIT */
/*
 * Pending connections on their way from one router process to the next, through systemd's
 * descriptor store (FileDescriptorStoreMax= in the unit).
 */
#pragma once

#include <stdbool.h>

typedef struct Router Router;

/* The name that stored descriptors have. */
#define STORE_NAME "pending"

/* Gives all pending connections to systemd, if there is one. What it has not taken when this
 * returns is closed. */
void store_save(Router *router);

/* Takes up what a former router has stored in this descriptor. */
void store_take_up_consume(Router *router, int fd);

/* Makes systemd forget what it has stored by that name. */
void store_forget(const char *name);
