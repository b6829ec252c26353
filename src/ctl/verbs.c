/* SPDX-License-Identifier: MIT */
#include "ctl/verbs.h"
#include "util/cleanup.h"

const Verb verbs[] = {
        { "check", NULL, 0, 0, "Find what is wrong, and say how to mend it", verb_check },
        { "cert", "NAME", 1, 1, "Show the certificate of an instance, or make one", verb_cert },
        { "metrics", NULL, 0, 0, "Print the router's metrics, for Prometheus", verb_metrics },
};
const size_t n_verbs = ELEMENTSOF(verbs);

#define FLAG(field)   OPTION_FLAG, offsetof(Ctl, field)
#define STRING(field) OPTION_STRING, offsetof(Ctl, field)

const Option options[] = {
        { "strict", 0, NULL, "check", "Warnings are errors", FLAG(strict) },
        { "self-signed", 0, NULL, "cert", "Make a self-signed certificate", FLAG(self_signed) },
        { "force", 0, NULL, "cert", "Replace the certificate that is there", FLAG(force) },
        { "json", 0, NULL, NULL, "Print JSON", FLAG(json) },
        { "no-legend", 0, NULL, NULL, "Print neither headings nor summary", FLAG(no_legend) },
        { "no-pager", 0, NULL, NULL, "Print to the terminal itself", FLAG(no_pager) },
        { "config", 0, "DIR", NULL, "Configuration (default: " BELLHOP_CONFIG_DIR ")",
          STRING(config_dir) },
        { "runtime", 0, "DIR", NULL, "Sockets (default: " BELLHOP_RUNTIME_DIR ")",
          STRING(runtime_dir) },
        { "help", 'h', NULL, NULL, "Show this help", OPTION_HELP, 0 },
        { "version", 0, NULL, NULL, "Show the version", OPTION_VERSION, 0 },
};
const size_t n_options = ELEMENTSOF(options);

_Static_assert(ELEMENTSOF(options) < OPTIONS_MAX, "OPTIONS_MAX is too small");

const Verb *verb_find(const char *name)
{
        for (size_t i = 0; i < n_verbs; i++)
                if (strcmp(verbs[i].name, name) == 0)
                        return &verbs[i];
        return NULL;
}

bool option_is_for(const Option *option, const Verb *verb)
{
        const size_t length = strlen(verb->name);

        if (!option->verbs)
                return true;
        for (const char *at = option->verbs; *at; at += strspn(at, " ")) {
                const size_t word = strcspn(at, " ");

                if (word == length && memcmp(at, verb->name, length) == 0)
                        return true;
                at += word;
        }
        return false;
}
