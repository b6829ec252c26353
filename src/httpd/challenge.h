/* SPDX-License-Identifier: MIT */
/* Answers challenges of certificate authorities that the customer's own ACME client has prepared in
 * the document root. */
#pragma once

void challenge_register_hooks(void);
