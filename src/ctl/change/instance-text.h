/* SPDX-License-Identifier: MIT */
/* The file of an instance, as the options of bellhopctl add ask for it. Pure but for memory. */
#pragma once

#include "ctl/ctl.h"

/* False: a value has a line break or '#', and would be something else in the file. */
bool instance_text_is_possible(const Ctl *ctl);

/* To be freed. NULL: no memory. */
char *instance_text(const Ctl *ctl);
