/* SPDX-License-Identifier: MIT */
#include "ctl/change/draft.h"
#include "ctl/ask/pages.h"
#include "ctl/ask/server.h"
#include "ctl/ask/stale.h"
#include "util/cleanup.h"
#include "util/clock.h"

CtlStatus draft_parse(Draft *draft, const char *name, const char *path, Span text)
{
        SettingsFile file = { .path = path };
        CtlStatus status = CTL_FINE;

        draft->name = name;
        draft->problems = file.config = calloc(1, sizeof(*file.config));
        if (!draft->problems || instance_draft_parse(&draft->parsed, &file, name, text) < 0)
                return output_no_memory();
        for (size_t i = 0; i < draft->problems->n_problems; i++) {
                output_error("%s.", draft->problems->problems[i].what);
                status = CTL_FAILED;
        }
        return status;
}

void draft_done(Draft *draft)
{
        instance_draft_done(&draft->parsed);
        config_free(draft->problems);
}

static bool draft_has_same_routes(const HostMap *a, const HostMap *b)
{
        HostMap *both = hostmap_new();
        const size_t n = hostmap_size(a);
        int r = both && hostmap_size(b) == n ? 0 : -ENOENT;
        HostMapRoute taken;
        uint64_t other;

        if (r == 0)
                r = hostmap_merge(both, a, 0, 0, &taken, &other);
        for (size_t i = 0; r == 0 && i < n; i++)
                r = hostmap_copy(both, b, i, 0, 0, &other) == -EEXIST ? 0 : -ENOENT;
        hostmap_free(both);
        return r == 0;
}

static bool draft_is_same_text(const char *a, const char *b)
{
        return a && b ? strcmp(a, b) == 0 : a == b;
}

bool draft_is_same(const Draft *a, const Draft *b)
{
        const Instance *first = &a->parsed.instance, *second = &b->parsed.instance;

        return first->is_default == second->is_default && first->http == second->http &&
               first->network == second->network && first->server == second->server &&
               first->idle_usec == second->idle_usec && first->tls == second->tls &&
               strcmp(first->acme, second->acme) == 0 &&
               draft_is_same_text(first->canonical, second->canonical) &&
               memcmp(&first->mail, &second->mail, sizeof(first->mail)) == 0 &&
               draft_has_same_routes(a->parsed.routes, b->parsed.routes);
}

static bool draft_has_hosts_of(const HostMap *map, const HostMap *other)
{
        bool has_all = true;

        for (size_t i = 0; has_all && i < hostmap_size(other); i++) {
                const HostMapRoute wanted = hostmap_route(other, i);
                size_t j = 0;

                while (!wanted.is_address && j < hostmap_size(map) &&
                       strcmp(hostmap_route(map, j).what, wanted.what) != 0)
                        j++;
                has_all = wanted.is_address || j < hostmap_size(map);
        }
        return has_all;
}

bool draft_has_same_certificate(const Draft *a, const Draft *b)
{
        return a->parsed.instance.tls == b->parsed.instance.tls &&
               strcmp(a->parsed.instance.acme, b->parsed.instance.acme) == 0 &&
               draft_has_hosts_of(a->parsed.routes, b->parsed.routes) &&
               draft_has_hosts_of(b->parsed.routes, a->parsed.routes);
}

static bool draft_has_host(const Draft *draft)
{
        for (size_t i = 0; i < hostmap_size(draft->parsed.routes); i++)
                if (!hostmap_route(draft->parsed.routes, i).is_address)
                        return true;
        return false;
}

CtlStatus draft_check_acme(const Draft *draft, const Ctl *ctl, AcmeKeyType *ret)
{
        const Instance *instance = &draft->parsed.instance;
        AcmeSettings settings;
        Config *config;
        int r;

        *ret = ACME_KEY_EC;
        if (instance->tls != TLS_ACME)
                return CTL_FINE;
        if (!draft_has_host(draft)) {
                output_error("An authority signs certificates only for hosts. Give %s a host with "
                             "--host=HOST.",
                             draft->name);
                return CTL_FAILED;
        }
        config = calloc(1, sizeof(*config));
        if (!config)
                return output_no_memory();
        r = acme_settings_load(config, ctl->config_dir, instance->acme, &settings);
        for (size_t i = 0; i < config->n_problems; i++)
                output_error("%s", config->problems[i].text);
        config_free(config);
        *ret = settings.key_type;
        if (r == -ENOENT)
                output_error("The file of the authority, %s/acme/%s.conf, does not exist; see "
                             "bellhop.acme.conf(5).",
                             ctl->config_dir, instance->acme);
        else if (r < 0 && r != -EINVAL)
                output_error("%s/acme/%s.conf: %s.", ctl->config_dir, instance->acme, strerror(-r));
        return r == 0 ? CTL_FINE : CTL_FAILED;
}

bool draft_takes_values(const Ctl *ctl)
{
        for (size_t i = 0; i < ctl->n_settings; i++)
                if (strpbrk(ctl->settings[i].value, "\n\r#")) {
                        output_error("An option has a line break or '#' in its value, which is not "
                                     "allowed.");
                        return false;
                }
        return true;
}

CtlStatus draft_check_conflicts(const Draft *draft, const Config *config)
{
        HostMapRoute taken = { .what = "Default=yes" };
        Origin other;
        uint64_t origin;
        int r;

        if (!instance_has_canonical(&draft->parsed)) {
                output_error("The canonical host %s is not one of the exact hosts. Add it with "
                             "--host=, or name another host with --canonical=.",
                             draft->parsed.instance.canonical);
                return CTL_FAILED;
        }
        if (draft->parsed.instance.is_default && config->default_instance != ROUTE_NONE) {
                other.instance = &config->instances[config->default_instance];
                other.file = other.instance->file;
                other.line = other.instance->default_line;
        } else {
                r = hostmap_merge(config->map, draft->parsed.routes, ROUTE_NONE, 0, &taken,
                                  &origin);
                if (r != -EEXIST)
                        return r < 0 ? output_no_memory() : CTL_FINE;
                other = config_origin(config, origin);
        }
        if (other.instance)
                output_error("%s already leads to %s (%s:%u). Remove it there first, then run "
                             "'bellhopctl apply'.",
                             taken.what, other.instance->name, other.file, other.line);
        else
                output_error("%s is already in %s:%u, a file with a mistake. 'bellhopctl check' "
                             "shows the mistake. Correct it, or remove %s there.",
                             taken.what, other.file, other.line, taken.what);
        return CTL_FAILED;
}

CtlStatus draft_check_server(const Draft *draft)
{
        const ServerType server = draft->parsed.instance.server;
        const char *missing = server_lacks(server);

        if (!missing)
                return CTL_FINE;
        output_error("%s does not exist, so the instance would not start. Install %s first, or "
                     "name another server with --server=.",
                     missing, server_packages[server]);
        return CTL_FAILED;
}

void draft_say_ignored(const Draft *draft, const Ctl *ctl)
{
        char www[PATH_MAX];
        Identity user;
        Pages pages;

        if (draft->parsed.instance.server != SERVER_NGINX || ctl->no_legend || ctl->json ||
            !identity_of(draft->name, &user))
                return;
        document_root_of(draft->name, www);
        (void)pages_look(&user, www, PAGES_DEFAULT,
                         clock_nsec(CLOCK_MONOTONIC) + pages_seconds(PAGES_DEFAULT) * NSEC_PER_SEC,
                         &pages);
        if (pages.htaccess_size > 0)
                output_print(
                        "nginx does not read the .htaccess files in %s, so clients can get files "
                        "that these forbid. For advice, run: bellhopctl check --instance=%s\n",
                        www, draft->name);
        pages_done(&pages);
}

int draft_replaces(Config *config, uint32_t instance)
{
        HostMap *rest = hostmap_new();
        int r = rest ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < hostmap_size(config->map); i++) {
                const HostMapRoute route = hostmap_route(config->map, i);
                uint64_t other;

                if (route.instance != instance)
                        r = hostmap_copy(rest, config->map, i, route.instance, route.origin,
                                         &other);
        }
        if (r < 0) {
                hostmap_free(rest);
                return r;
        }
        hostmap_free(config->map);
        config->map = rest;
        config->instances[instance].is_default = false;
        if (config->default_instance == instance)
                config->default_instance = ROUTE_NONE;
        return 0;
}

CtlStatus draft_check_https(const Draft *draft, const Change *change, bool has_pair,
                            const char *advice)
{
        _cleanup_free_ char *path = NULL;
        char unit[NAME_UNIT_MAX];
        bool encrypted;
        int r;

        if (draft->parsed.instance.http == HTTP_SERVE || has_pair)
                return CTL_FINE;
        r = bus_get_credential(change->bus, name_unit(NAME_SERVICE_UNIT, draft->name, unit),
                               "fullchain.pem", &path, &encrypted);
        if (!change_good("It is not known whether the unit of the instance passes a certificate "
                         "(LoadCredential=)",
                         r))
                return CTL_FAILED;
        if (path)
                return CTL_FINE;
        output_error("Without plain HTTP, clients need HTTPS, but %s has no certificate. %s: "
                     "bellhopctl cert %s --install CERT KEY",
                     draft->name, advice, draft->name);
        return CTL_FAILED;
}
