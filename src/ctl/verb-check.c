/* SPDX-License-Identifier: MIT */
#include "ctl/output.h"

CtlStatus verb_check(const Ctl *ctl, char *arguments[])
{
        output_error("Not there yet.");
        return CTL_FAILED;
}
