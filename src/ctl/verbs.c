/* SPDX-License-Identifier: MIT */
#include "ctl/verbs.h"
#include "acme/state.h"
#include "config/lines.h"
#include "util/cleanup.h"

const Verb verbs[] = {
        { "list", "[PATTERN...]", "List instances and how they are", verb_list },
        { "status", "NAME", "Show all about one instance, and what it needs", verb_status },
        { "top", NULL, "Show what the instances do, again and again", verb_top },
        { "route", "HOST|ADDR[:PORT]", "Show which instance gets a connection, and why",
          verb_route },
        { "add", "NAME", "Add an instance, and let it serve", verb_add },
        { "set", "NAME", "Change settings of an instance", verb_set },
        { "export", "[NAME]", "Print the settings of all instances, or of one, as JSON",
          verb_export },
        { "import", "[FILE]", "Add instances from JSON, CSV or a running Apache", verb_import },
        { "remove", "NAME", "Remove an instance, and keep its files", verb_remove },
        { "rename", "NAME NEW", "Give an instance, its user and its files another name",
          verb_rename },
        { "suspend", "NAME", "Refuse the visitors of an instance, and end its programs",
          verb_suspend },
        { "resume", "NAME", "Serve the visitors of a suspended instance again", verb_resume },
        { "apply", NULL, "Bring into force what has changed in the files", verb_apply },
        { "check", NULL, "Find what is wrong, and say how to fix it", verb_check },
        { "cert", "NAME", "Show, make, request or install the certificate of an instance",
          verb_cert },
        { "usage", "[NAME]", "Show what instances have used, by month", verb_usage },
        { "metrics", NULL, "Print the router's metrics, for Prometheus", verb_metrics },
};
const size_t n_verbs = ELEMENTSOF(verbs);

#define FLAG(field)   OPTION_FLAG, offsetof(Ctl, field), NULL
#define STRING(field) OPTION_STRING, offsetof(Ctl, field), NULL
#define SETTING(key)  OPTION_SETTING, 0, key

const Option options[] = {
        { "state", 0, "STATE", "list", "Only those in that state; several: a,b", STRING(state) },
        { "sort", 0, "COLUMN", "list", "In the order of that column; -COLUMN: reversed",
          STRING(sort) },
        { "month", 0, "[=MONTH]", "usage", "Only that month, YYYY-MM; without a value: this one",
          STRING(month) },
        { "tls", 0, NULL, "route", "Over TLS only", FLAG(only_tls) },
        { "http", 0, NULL, "route", "Over plain HTTP only", FLAG(only_http) },
        { "offline", 0, NULL, "route", "Read the files, do not ask the router", FLAG(offline) },
        { "host", 0, "HOST", "add set cert", "A host or *.SUFFIX that leads there; again for more",
          SETTING("Host") },
        { "address", 0, "ADDR", "add set",
          "A local address, with or without port, that leads there", SETTING("Address") },
        { "default", 0, "[=BOOL]", "add set", "It gets what leads nowhere else",
          SETTING("Default") },
        { "canonical", 0, "HOST", "add set", "Redirect its other exact hosts to this one",
          SETTING("Canonical") },
        { "http", 0, "POLICY", "add set", "Plain HTTP: serve, redirect or refuse",
          SETTING("Http") },
        { "idle", 0, "TIME", "add set", "It exits after that time without connections",
          SETTING("IdleSec") },
        { "network", 0, "[=REACH]", "add set", "What it can connect to: internet, yes or no",
          SETTING("Network") },
        { "server", 0, "KIND", "add set", "What serves it: apache or nginx", SETTING("Server") },
        { "tls", 0, "SOURCE", "add set", "Who puts its certificate there: files or acme",
          SETTING("Tls") },
        { "acme", 0, "[=AUTHORITY]", "add set",
          "Have bellhop-acme get its certificate, from that authority", OPTION_ACME, 0, NULL },
        { "mail-per-hour", 0, "N", "add set", "It sends no more messages in an hour",
          SETTING("MailPerHour") },
        { "mail-per-day", 0, "N", "add set", "Nor in a day", SETTING("MailPerDay") },
        { "mail-recipients-per-day", 0, "N", "add set", "Nor to more recipients in a day",
          SETTING("MailRecipientsPerDay") },
        { "memory-max", 0, "SIZE", "add set", "It gets no more memory, such as 1G",
          SETTING("MemoryMax") },
        { "cpu-max", 0, "PERCENT", "add set", "Nor processor time, such as 150%",
          SETTING("CPUQuota") },
        { "tasks-max", 0, "N", "add set", "Nor processes and threads", SETTING("TasksMax") },
        { "disk-max", 0, "SIZE", "add set", "Nor disk space, where quotas are on",
          SETTING("DiskMax") },
        { "create-user", 0, NULL, "add", "Create the user if there is none", FLAG(create_user) },
        { "later", 0, NULL, "add", "Leave it to apply to bring it into force", FLAG(later) },
        { "wait", 0, NULL, "add set cert", "Wait until bellhop-acme has the certificate",
          FLAG(wait) },
        { "apache", 0, "[=FILE]", "import", "From the configuration of Apache", STRING(apache) },
        { "user", 0, "HOST", "import", "HOST=USER: the user of that host's site", SETTING("user") },
        { "network", 0, "[=REACH]", "import", "What they can connect to: internet or yes",
          STRING(network) },
        { "acme", 0, "[=AUTHORITY]", "import", "Have bellhop-acme get their certificates",
          STRING(acme) },
        { "dry-run", 0, NULL, "add set import remove rename suspend resume apply",
          "Only say what would be done", FLAG(dry_run) },
        { "purge", 0, NULL, "remove", "Remove its files and the user made for it, too",
          FLAG(purge) },
        { "yes", 'y', NULL, "remove rename", "Do not ask, or refuse", FLAG(yes) },
        { "count", 'n', "N", "top", "Stop after N times", STRING(count) },
        { "delay", 'd', "SEC", "top", "Wait SEC seconds in between (default: 2)", STRING(delay) },
        { "strict", 0, NULL, "check", "Warnings are errors", FLAG(strict) },
        { "instance", 0, "NAME", "check", "Show only its findings", STRING(instance) },
        { "files", 0, "N", "check", "Look at N files of each document root (default: 5000)",
          STRING(files) },
        { "self-signed", 0, NULL, "cert add", "Make a self-signed certificate", FLAG(self_signed) },
        { "install", 0, NULL, "cert",
          "Install the files CERT and KEY, which follow NAME; KEY may be left out", FLAG(install) },
        { "request", 0, NULL, "cert", "Print a request for a certificate, signed with the key",
          FLAG(request) },
        { "renew", 0, NULL, "cert", "Have bellhop-acme check it at once, and renew it if needed",
          FLAG(renew) },
        { "force", 0, NULL, "cert", "Replace the certificate that is there", FLAG(force) },
        { "json", 0, NULL, NULL, "Print JSON", FLAG(json) },
        { "no-legend", 0, NULL, NULL, "Print neither headings nor summary", FLAG(no_legend) },
        { "no-pager", 0, NULL, NULL, "Print to the terminal itself", FLAG(no_pager) },
        { "config", 0, "DIR", NULL, "Configuration (default: " BELLHOP_CONFIG_DIR ")",
          STRING(config_dir) },
        { "runtime", 0, "DIR", NULL, "Sockets (default: " BELLHOP_RUNTIME_DIR ")",
          STRING(runtime_dir) },
        { "usage-dir", 0, "DIR", "usage", "Figures (default: " BELLHOP_USAGE_DIR ")",
          STRING(usage_dir) },
        { "acme-dir", 0, "DIR", "list status add set check cert metrics",
          "States of certificates (default: " ACME_STATE_DIR ")", STRING(acme_dir) },
        { "help", 'h', NULL, NULL, "Show this help", OPTION_HELP, 0, NULL },
        { "version", 0, NULL, NULL, "Show the version", OPTION_VERSION, 0, NULL },
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
        Span list = span_from_string(option->verbs ? option->verbs : ""), word;
        bool found = !option->verbs || !verb;

        while (!found && words_next(&list, &word))
                found = span_equals(word, verb->name);
        return found;
}
