/* SPDX-License-Identifier: MIT */
/* The instances whose certificates bellhop-acme gets, and their order. */
#pragma once

typedef struct Queue {
        const char *config_dir, *state_dir;
        const char *challenges, *cert_socket, *hook; /* as in AcmeOrder */
} Queue;

/* Runs until SIGTERM, or until no instance has Tls=acme. Returns 0 or a negative errno. */
int queue_run(const Queue *queue);
