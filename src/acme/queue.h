/* SPDX-License-Identifier: MIT */
/* Decides when bellhop-acme tries to get the certificate of each instance. */
#pragma once

typedef struct Queue {
        const char *config_dir, *state_dir;
        const char *challenges, *cert_socket, *hook; /* as in AcmeOrder */
} Queue;

/* Runs until SIGTERM, or until no instance has Tls=acme. Returns 0 or a negative errno. */
int queue_run(const Queue *queue);
