/* SPDX-License-Identifier: MIT */
/* Sends answers to challenges that the customer's own ACME client has put into the document
 * root. */
#pragma once

void challenge_register_hooks(void);
