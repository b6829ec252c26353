/* SPDX-License-Identifier: MIT */
#include "ctl/verbs.h"
#include "acme/state.h"
#include "config/lines.h"
#include "util/cleanup.h"

const Verb verbs[] = {
        { "list", "[PATTERN...]", "List instances and their states", verb_list },
        { "status", "NAME", "Show everything about one instance", verb_status },
        { "top", NULL, "Show again and again what the instances do", verb_top },
        { "route", "HOST|ADDR[:PORT]", "Show which instance gets a connection, and why",
          verb_route },
        { "add", "NAME", "Add an instance and bring it into force", verb_add },
        { "set", "NAME", "Change settings of an instance", verb_set },
        { "export", "[NAME]", "Print the settings of instances as JSON", verb_export },
        { "import", "[FILE]", "Add instances from JSON, CSV or Apache's configuration",
          verb_import },
        { "remove", "NAME", "Remove an instance, and keep its files", verb_remove },
        { "rename", "NAME NEW", "Rename an instance, its user and its files", verb_rename },
        { "suspend", "NAME", "Answer the clients of an instance with 503", verb_suspend },
        { "resume", "NAME", "Serve a suspended instance again", verb_resume },
        { "apply", NULL, "Bring changed files into force", verb_apply },
        { "check", NULL, "Find mistakes, and say how to fix them", verb_check },
        { "cert", "NAME", "Show, make, request, install or renew a certificate", verb_cert },
        { "usage", "[NAME]", "Show what instances have used, by month", verb_usage },
        { "metrics", NULL, "Print metrics for Prometheus", verb_metrics },
};
const size_t n_verbs = ELEMENTSOF(verbs);

#define FLAG(field)   OPTION_FLAG, offsetof(Ctl, field), NULL
#define STRING(field) OPTION_STRING, offsetof(Ctl, field), NULL
#define SETTING(key)  OPTION_SETTING, 0, key

/* Options of the same verbs are together, because --help shows them as a group. */
const Option options[] = {
        { "state", 0, "STATE", "list", "Show only this state, or several: a,b", STRING(state) },
        { "sort", 0, "COLUMN", "list", "Sort by this column; -COLUMN reverses the order",
          STRING(sort) },
        { "count", 'n', "N", "top", "Stop after N tables", STRING(count) },
        { "delay", 'd', "SEC", "top", "Wait SEC seconds between tables (default: 2)",
          STRING(delay) },
        { "tls", 0, NULL, "route", "Show only the route over TLS", FLAG(only_tls) },
        { "http", 0, NULL, "route", "Show only the route over plain HTTP", FLAG(only_http) },
        { "offline", 0, NULL, "route", "Read the files, and do not ask the router", FLAG(offline) },
        { "month", 0, "[=MONTH]", "usage", "Show only month YYYY-MM; without a value: this month",
          STRING(month) },
        { "usage-dir", 0, "DIR", "usage", "Usage figures (default: " BELLHOP_USAGE_DIR ")",
          STRING(usage_dir) },
        { "host", 0, "HOST", "add set cert", "A host or *.SUFFIX; repeat it for more",
          SETTING("Host") },
        { "wait", 0, NULL, "add set cert", "Wait until bellhop-acme has the certificate",
          FLAG(wait) },
        { "address", 0, "ADDR", "add set", "A local address, with or without port",
          SETTING("Address") },
        { "default", 0, "[=BOOL]", "add set", "Serve connections that have no other route",
          SETTING("Default") },
        { "canonical", 0, "HOST", "add set", "Redirect the other exact hosts to this one",
          SETTING("Canonical") },
        { "http", 0, "POLICY", "add set", "Plain HTTP: serve, redirect or refuse",
          SETTING("Http") },
        { "idle", 0, "TIME", "add set", "Exit after this time without connections",
          SETTING("IdleSec") },
        { "network", 0, "[=REACH]", "add set", "What the instance can reach: internet, yes or no",
          SETTING("Network") },
        { "server", 0, "KIND", "add set", "The server: apache or nginx", SETTING("Server") },
        { "tls", 0, "SOURCE", "add set", "Where the certificate comes from: files or acme",
          SETTING("Tls") },
        { "acme", 0, "[=AUTHORITY]", "add set", "Get the certificate with bellhop-acme",
          OPTION_ACME, 0, NULL },
        { "mail-per-hour", 0, "N", "add set", "The most messages in an hour",
          SETTING("MailPerHour") },
        { "mail-per-day", 0, "N", "add set", "The most messages in a day", SETTING("MailPerDay") },
        { "mail-recipients-per-day", 0, "N", "add set", "The most recipients in a day",
          SETTING("MailRecipientsPerDay") },
        { "memory-max", 0, "SIZE", "add set", "The most memory, such as 1G", SETTING("MemoryMax") },
        { "cpu-max", 0, "PERCENT", "add set", "The most processor time, such as 150%",
          SETTING("CPUQuota") },
        { "tasks-max", 0, "N", "add set", "The most processes and threads", SETTING("TasksMax") },
        { "disk-max", 0, "SIZE", "add set", "The most disk space; needs quotas",
          SETTING("DiskMax") },
        { "create-user", 0, NULL, "add", "Create the user if it does not exist",
          FLAG(create_user) },
        { "later", 0, NULL, "add", "Do not bring it into force; run apply for this", FLAG(later) },
        { "self-signed", 0, NULL, "add cert", "Make a self-signed certificate", FLAG(self_signed) },
        { "install", 0, NULL, "cert", "Install the files CERT [KEY], which follow NAME",
          FLAG(install) },
        { "request", 0, NULL, "cert", "Print a request for a certificate", FLAG(request) },
        { "renew", 0, NULL, "cert", "Have bellhop-acme check and renew it at once", FLAG(renew) },
        { "force", 0, NULL, "cert", "Replace the present certificate", FLAG(force) },
        { "apache", 0, "[=FILE]", "import", "Read the configuration of Apache", STRING(apache) },
        { "user", 0, "HOST", "import", "HOST=USER: the user of that virtual host",
          SETTING("user") },
        { "network", 0, "[=REACH]", "import", "What the instances can reach: internet or yes",
          STRING(network) },
        { "acme", 0, "[=AUTHORITY]", "import", "Get the certificates with bellhop-acme",
          STRING(acme) },
        { "purge", 0, NULL, "remove", "Also remove files, and a user that add created",
          FLAG(purge) },
        { "yes", 'y', NULL, "remove rename", "Proceed without asking, despite warnings",
          FLAG(yes) },
        { "strict", 0, NULL, "check", "Treat warnings as errors", FLAG(strict) },
        { "instance", 0, "NAME", "check", "Show only findings of this instance", STRING(instance) },
        { "files", 0, "N", "check", "Look at N files per document root (default: 5000)",
          STRING(files) },
        { "dry-run", 0, NULL, "add set import remove rename suspend resume apply",
          "Only say what would be done", FLAG(dry_run) },
        { "acme-dir", 0, "DIR", "list status add set check cert metrics",
          "Certificate states (default: " ACME_STATE_DIR ")", STRING(acme_dir) },
        { "json", 0, NULL, NULL, "Print JSON", FLAG(json) },
        { "no-legend", 0, NULL, NULL, "Print neither headings nor a summary", FLAG(no_legend) },
        { "no-pager", 0, NULL, NULL, "Do not use a pager", FLAG(no_pager) },
        { "config", 0, "DIR", NULL, "Configuration (default: " BELLHOP_CONFIG_DIR ")",
          STRING(config_dir) },
        { "runtime", 0, "DIR", NULL, "Sockets (default: " BELLHOP_RUNTIME_DIR ")",
          STRING(runtime_dir) },
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
