/* SPDX-License-Identifier: MIT */
/* What libbellhop offers to other programs; everything else stays inside (libbellhop.sym has the
 * versions). */
#pragma once

#define EXPORT __attribute__((visibility("default")))
