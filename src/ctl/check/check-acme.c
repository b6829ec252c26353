/* SPDX-License-Identifier: MIT */
/*
 * Checks the results that bellhop-acme(8) has recorded for each certificate, and whether anything
 * prevents bellhop-acme from working.
 */
#include <fcntl.h>

#include "config/acme-settings.h"
#include "ctl/check/check.h"
#include "ctl/show/show.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/text.h"

#define DAY_SECONDS 86400

#define ACME_UNIT "bellhop-acme.service"

#define HOSTS_MAX       100 /* the maximum number of hosts in a certificate */
#define HOSTS_SHOWN_MAX 10

void acme_look(InstanceCheck *inst)
{
        if (inst->instance->tls == TLS_ACME)
                inst->knows_acme =
                        acme_state_read(inst->check->ctl->acme_dir, inst->name, &inst->acme) == 0;
}

/* --- the authority --- */

/* Loads the settings of the instance's authority, and reports mistakes in them. Returns whether
 * settings were loaded. */
static bool acme_load(const InstanceCheck *inst, AcmeSettings *settings)
{
        const char *dir = inst->check->ctl->config_dir, *authority = inst->instance->acme;
        Config *config = calloc(1, sizeof(*config));
        const int r = config ? acme_settings_load(config, dir, authority, settings) : -ENOMEM;
        _cleanup_free_ char *path = text_format("%s/acme/%s.conf", dir, authority);

        for (size_t i = 0; config && i < config->n_problems; i++)
                finding_add(&inst->check->findings, FINDING_ACME_AUTHORITY,
                            (Place){ inst->name, config->problems[i].file,
                                     config->problems[i].line },
                            NULL, "%s", config->problems[i].what);
        if (r == -ENOENT)
                instance_finding(inst, FINDING_ACME_AUTHORITY, path,
                                 "Make the file (see bellhop.acme.conf(5)), or name another "
                                 "authority with 'bellhopctl set {name} --acme=AUTHORITY'.",
                                 "this file does not exist, but Acme=%s names it", authority);
        else if (r < 0 && r != -EINVAL)
                instance_finding(inst, FINDING_ACME_AUTHORITY, path, NULL, "%s", strerror(-r));
        config_free(config);
        return r == 0;
}

/* --- hosts --- */

static void acme_check_hosts(InstanceCheck *inst, const AcmeSettings *settings)
{
        const Hosts *hosts = inst->hosts;
        const char *file = inst->instance->file;

        if (hosts->n_hosts == 0)
                instance_finding(inst, FINDING_ACME_NO_HOST, file, NULL,
                                 "the file has Tls=acme, but no Host=");
        if (hosts->n_hosts > HOSTS_MAX)
                instance_finding(inst, FINDING_ACME_TOO_MANY_HOSTS, file, NULL,
                                 "the file has Tls=acme and %zu hosts", hosts->n_hosts);
        for (size_t i = 0; settings && i < hosts->n_hosts; i++)
                if (hosts->hosts[i][0] == '*' && !settings->challenges[ACME_DNS_01]) {
                        instance_finding(
                                inst, FINDING_ACME_WILDCARD, file, NULL,
                                "%s is a wildcard, but the authority %s has no Challenges=dns-01",
                                hosts->hosts[i], inst->instance->acme);
                        break;
                }
}

/* Reports the hosts for which bellhop-acme got no certificate, except wildcards that
 * acme_check_hosts() has reported. */
static void acme_check_failures(InstanceCheck *inst, const AcmeSettings *settings)
{
        const AcmeState *state = &inst->acme;
        _cleanup_free_ char *text = NULL;
        size_t size, n = 0;
        FILE *out = open_memstream(&text, &size);

        for (size_t i = 0; out && i < state->n_failures_of_hosts; i++) {
                const AcmeFailure *failure = &state->failures[i];

                if (failure->host[0] == '*' && settings && !settings->challenges[ACME_DNS_01])
                        continue;
                if (n++ < HOSTS_SHOWN_MAX)
                        fprintf(out, "%s%s (%s)", n > 1 ? ", " : "", failure->host,
                                failure->reason);
        }
        if (out && fclose(out) == 0 && n > 0)
                instance_finding(inst, FINDING_ACME_HOSTS, inst->instance->file, NULL,
                                 "bellhop-acme got no certificate for %s%s", text,
                                 n > HOSTS_SHOWN_MAX ? " and others" : "");
}

/* --- the last try --- */

/* Whether clients notice now, or will notice soon, that there is no new certificate. */
static bool acme_is_urgent(const InstanceCheck *inst)
{
        const time_t now = inst->check->now;

        if (inst->certificate_end == 0)
                return false;
        return inst->self_signed ? now - inst->certificate_begin > DAY_SECONDS
                                 : inst->certificate_end - now < 7 * DAY_SECONDS;
}

static void acme_check_last_try(InstanceCheck *inst)
{
        const AcmeState *state = &inst->acme;
        const bool is_urgent = acme_is_urgent(inst);
        Finding *finding = NULL;
        char next[SHOWN_MAX];

        if (state->error)
                finding = instance_finding(inst, FINDING_ACME_FAILED, inst->instance->file, NULL,
                                           "bellhop-acme can't get a certificate: %s%s%s",
                                           state->error, state->next > 0 ? "; next try: " : "",
                                           state->next > 0 ? show_time((time_t)state->next, next)
                                                           : "");
        else if (inst->self_signed && is_urgent)
                finding = instance_finding(inst, FINDING_ACME_FAILED, inst->instance->file,
                                           "Read the log of bellhop-acme: journalctl -u " ACME_UNIT,
                                           "bellhop-acme has got no certificate for more than a "
                                           "day, and the present one is self-signed");
        if (finding && is_urgent)
                finding->severity = SEVERITY_ERROR;
}

void check_acme(InstanceCheck *inst)
{
        AcmeSettings settings;
        bool is_loaded;

        if (inst->instance->tls != TLS_ACME)
                return;
        is_loaded = acme_load(inst, &settings);
        acme_check_hosts(inst, is_loaded ? &settings : NULL);
        acme_check_last_try(inst);
        acme_check_failures(inst, is_loaded ? &settings : NULL);
}

/* --- the account --- */

/* Returns the URL of the account, which the caller frees. Returns NULL if there is no account, or
 * if only root can read the URL. */
static char *acme_read_account(const Check *check, const char *authority)
{
        _cleanup_free_ char *path =
                text_format("%s/accounts/%s/url", check->ctl->acme_dir, authority);
        char *url = NULL;
        size_t size;

        if (!path || file_read(path, O_NOFOLLOW, ACME_TEXT_MAX, &url, &size) < 0)
                return NULL;
        url[strcspn(url, "\n")] = 0;
        /* The URL becomes a part of a DNS record that an administrator copies, so it must not
         * contain characters that have a meaning in a record. */
        if (strncmp(url, "https://", 8) == 0 && !strpbrk(url, " \t\";\\") && strlen(url) > 8)
                return url;
        free(url);
        return NULL;
}

/* Reports the CAA record that names the account at an instance's authority. Does nothing if an
 * earlier instance has the same authority, because each record is reported only once. */
static void acme_check_account(Check *check, size_t number)
{
        const Instance *instances = check->config->instances;
        const char *authority = instances[number].acme;
        _cleanup_free_ char *url = NULL;
        AcmeSettings settings;
        Config *config;
        int r;

        for (size_t i = 0; i < number; i++)
                if (instances[i].tls == TLS_ACME && strcmp(instances[i].acme, authority) == 0)
                        return;
        url = acme_read_account(check, authority);
        config = url ? calloc(1, sizeof(*config)) : NULL;
        if (!config)
                return;
        r = acme_settings_load(config, check->ctl->config_dir, authority, &settings);
        if (r == 0 && settings.caa[0])
                finding_add(&check->findings, FINDING_ACME_ACCOUNT, NOWHERE, NULL,
                            "to permit only bellhop-acme's account at the authority %s, DNS needs "
                            "this record: CAA 0 issue \"%s; accounturi=%s\"",
                            authority, settings.caa, url);
        config_free(config);
}

/* --- the service --- */

void check_acme_service(Check *check)
{
        const UnitState *target = units_find(&check->units, "bellhop.target");
        const UnitState *unit = units_find(&check->units, ACME_UNIT);
        const char *state = unit ? unit->active : "inactive";
        size_t n = 0;

        for (size_t i = 0; i < check->config->n_instances; i++)
                n += check->config->instances[i].tls == TLS_ACME &&
                     !check->config->instances[i].is_suspended;
        if (n == 0)
                return;
        for (size_t i = 0; i < check->config->n_instances; i++)
                if (check->config->instances[i].tls == TLS_ACME)
                        acme_check_account(check, i);
        if (access(BELLHOP_UACME, X_OK) < 0)
                finding_add(&check->findings, FINDING_ACME_CLIENT_MISSING, NOWHERE, NULL,
                            BELLHOP_UACME " is missing");
        if (check->bus && target && strcmp(target->active, "active") == 0 &&
            strcmp(state, "active") != 0 && strcmp(state, "reloading") != 0)
                finding_add(&check->findings, FINDING_ACME_NOT_RUNNING, NOWHERE, NULL,
                            ACME_UNIT " is %s, and %zu instance%s Tls=acme", state, n,
                            n == 1 ? " has" : "s have");
}
