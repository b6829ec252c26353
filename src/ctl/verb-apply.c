/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl apply: makes the running state match the files, for all instances.
 */
#include "ctl/change/acme.h"
#include "ctl/change/enforce.h"
#include "metrics/metrics.h"

static CtlStatus apply_run(Enforce *enforce)
{
        const Config *config = enforce->fleet->config;
        double problems;
        bool good;

        /* If the router found mistakes, apply makes it read the files again, even if no file has
         * changed: a mistake can also be corrected outside the files, for example by creating a
         * missing user. */
        if (samples_find(&enforce->fleet->samples, METRIC_CONFIG_PROBLEMS, NULL, NULL, &problems) &&
            problems > 0)
                enforce->router_is_stale = true;
        good = enforce_run(enforce);
        /* bellhop-acme reads the files after the router, because the router answers an authority's
         * challenges only for hosts that it has. */
        if (!acme_read_files(enforce->change, false, false) || !good)
                return CTL_FAILED;
        for (size_t i = 0; i < config->n_problems; i++)
                output_error("%s", config->problems[i].text);
        if (config->n_problems > 0)
                output_error("The settings with the mistakes shown above are not in force; "
                             "everything else is.");
        change_say_end(enforce->change,
                       enforce_say_unknown(enforce)
                               ? "Everything else in the configuration is in force."
                               : "Everything in the configuration is in force.");
        return config->n_problems > 0 ? CTL_FAILED : CTL_FINE;
}

CtlStatus verb_apply(const Ctl *ctl, char *arguments[])
{
        static const char what[] = "The present state of the instances can't be read";
        Fleet fleet = { .n = 0 };
        Enforce enforce = { .needs = NULL };
        Change change;
        CtlStatus status = change_begin(ctl, &change);

        if (status == CTL_FINE)
                status = change_check_served(&change);
        if (status == CTL_FINE &&
            !(change_good(what, fleet_load(ctl, NULL, FLEET_FOR_APPLY, &fleet)) &&
              change_good(what, enforce_find(&change, &fleet, &enforce))))
                status = CTL_FAILED;
        if (status == CTL_FINE)
                status = apply_run(&enforce);
        enforce_done(&enforce);
        fleet_done(&fleet);
        return change_done(&change, status);
}
