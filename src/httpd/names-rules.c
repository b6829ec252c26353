/* SPDX-License-Identifier: MIT */
/*
 * In Apache itself, "Deny from .spammer.example" and "Require not host spammer.example" do not deny
 * a client whose name is unknown. An instance without network can't look up any name. So in such an
 * instance, mod_bellhop changes these rules: they deny each client whose name is unknown. The log
 * has the reason.
 */
#include <ap_provider.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_request.h>
#include <mod_auth.h>

#include "httpd/names-rules.h"

APLOG_USE_MODULE(bellhop);

static bool has_network;

void names_rules_set_network(bool is_there)
{
        has_network = is_there;
}

static int deny(request_rec *request, const char *rule)
{
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, request,
                      "denied: the rule '%s' needs the client's name, which can't be resolved with "
                      "Network=no; use addresses, or run 'bellhopctl set NAME --network=internet'",
                      rule);
        return HTTP_FORBIDDEN;
}

static bool has_name(request_rec *request)
{
        int is_address = 0;
        const char *name = ap_get_useragent_host(request, REMOTE_DOUBLE_REV, &is_address);

        return name && !is_address;
}

/* --- Require host, Require forward-dns --- */

typedef struct Rule {
        const char *text;
        const void *parsed; /* the result of the provider of mod_authz_host */
        bool is_turned;     /* a match denies the client */
} Rule;

/* The indexes of names[] and others[]. */
enum { BY_HOST, BY_FORWARD_DNS, PROVIDERS };

static const char *const names[PROVIDERS] = { "host", "forward-dns" };
static const authz_provider *others[PROVIDERS];

static bool is_turned(const ap_directive_t *directive)
{
        bool turned = strncasecmp(directive->args, "not ", 4) == 0;

        for (; directive; directive = directive->parent)
                turned ^= strcasecmp(directive->directive, "<RequireNone") == 0;
        return turned;
}

static const char *parse(cmd_parms *cmd, const char *line, const void **ret, int provider)
{
        Rule *rule = apr_pcalloc(cmd->pool, sizeof(*rule));

        rule->text = apr_pstrcat(cmd->pool, "Require ", cmd->directive->args, NULL);
        rule->is_turned = is_turned(cmd->directive);
        *ret = rule;
        return others[provider]->parse_require_line(cmd, line, &rule->parsed);
}

static const char *parse_host(cmd_parms *cmd, const char *line, const void **ret)
{
        return parse(cmd, line, ret, BY_HOST);
}

static const char *parse_forward_dns(cmd_parms *cmd, const char *line, const void **ret)
{
        return parse(cmd, line, ret, BY_FORWARD_DNS);
}

static authz_status judge_unknown(request_rec *request, const Rule *rule)
{
        (void)deny(request, rule->text);
        return rule->is_turned ? AUTHZ_GRANTED : AUTHZ_DENIED;
}

static authz_status check_host(request_rec *request, const char *line, const void *parsed)
{
        const Rule *rule = parsed;

        return has_network || has_name(request)
                       ? others[BY_HOST]->check_authorization(request, line, rule->parsed)
                       : judge_unknown(request, rule);
}

static authz_status check_forward_dns(request_rec *request, const char *line, const void *parsed)
{
        const Rule *rule = parsed;
        const authz_status found =
                others[BY_FORWARD_DNS]->check_authorization(request, line, rule->parsed);
        const char *word;
        apr_sockaddr_t *address;

        if (has_network || found != AUTHZ_DENIED)
                return found;
        while ((word = ap_getword_conf(request->pool, &line)) && word[0])
                if (apr_sockaddr_info_get(&address, word, APR_UNSPEC, 0, 0, request->pool) !=
                    APR_SUCCESS)
                        return judge_unknown(request, rule);
        return found;
}

void names_rules_init(apr_pool_t *pool)
{
        static const authz_provider own[PROVIDERS] = {
                [BY_HOST] = { check_host, parse_host },
                [BY_FORWARD_DNS] = { check_forward_dns, parse_forward_dns },
        };

        for (int i = 0; i < PROVIDERS; i++) {
                others[i] =
                        ap_lookup_provider(AUTHZ_PROVIDER_GROUP, names[i], AUTHZ_PROVIDER_VERSION);
                if (others[i])
                        ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, names[i],
                                                  AUTHZ_PROVIDER_VERSION, &own[i],
                                                  AP_AUTH_INTERNAL_PER_CONF);
        }
}

/* --- Deny from --- */

/* The "Deny from" rules of one section. As in mod_access_compat, they replace the rules of outer
 * sections. */
typedef struct DenyRules {
        apr_int64_t methods; /* the methods with a rule by name */
        const char *first;
} DenyRules;

void *names_rules_make_dir(apr_pool_t *pool, char *folder)
{
        return apr_pcalloc(pool, sizeof(DenyRules));
}

static bool is_name(apr_pool_t *pool, const char *word)
{
        apr_ipsubnet_t *subnet;

        return strncasecmp(word, "env=", 4) != 0 && strcasecmp(word, "all") != 0 &&
               !strchr(word, '/') &&
               APR_STATUS_IS_EINVAL(apr_ipsubnet_create(&subnet, word, NULL, pool));
}

/* Notes which "Deny from" rules name hosts. mod_access_compat executes Order, Allow, Deny and
 * Satisfy, and if a section contains any of them, its rules replace those of outer sections. So
 * this function is called for all four: then Apache makes new DenyRules for the section. */
const char *names_rules_note(cmd_parms *cmd, void *rules, const char *arguments)
{
        DenyRules *denies = rules;
        const char *word;

        if (!ap_find_linked_module("mod_access_compat.c"))
                return apr_pstrcat(cmd->pool, cmd->cmd->name, " needs mod_access_compat", NULL);
        if (strcasecmp(cmd->cmd->name, "Deny") != 0)
                return DECLINE_CMD;
        (void)ap_getword_conf(cmd->pool, &arguments);
        while ((word = ap_getword_conf(cmd->pool, &arguments)) && word[0])
                if (is_name(cmd->pool, word)) {
                        denies->methods |= cmd->limited;
                        denies->first = apr_pstrcat(cmd->pool, "Deny from ", word, NULL);
                }
        return DECLINE_CMD;
}

static bool has_name_in(apr_pool_t *pool, const char *words)
{
        const char *word;

        while ((word = ap_getword_conf(pool, &words)) && word[0])
                if (is_name(pool, word) && strcasecmp(word, "localhost") != 0)
                        return true;
        return false;
}

bool names_rules_is_one(apr_pool_t *pool, const ap_directive_t *directive)
{
        const char *arguments = directive->args, *word = ap_getword_conf(pool, &arguments);

        if (strcasecmp(directive->directive, "HostnameLookups") == 0)
                return strcasecmp(word, "off") != 0;
        if (strcasecmp(directive->directive, "Deny") == 0 ||
            strcasecmp(directive->directive, "Allow") == 0)
                return has_name_in(pool, arguments);
        if (strcasecmp(directive->directive, "Require") != 0)
                return false;
        if (strcasecmp(word, "not") == 0)
                word = ap_getword_conf(pool, &arguments);
        return (strcasecmp(word, names[BY_HOST]) == 0 ||
                strcasecmp(word, names[BY_FORWARD_DNS]) == 0) &&
               has_name_in(pool, arguments);
}

static int check_access(request_rec *request)
{
        const DenyRules *denies = ap_get_module_config(request->per_dir_config, &bellhop_module);

        if (has_network || !denies->first ||
            !(denies->methods & (AP_METHOD_BIT << request->method_number)) || has_name(request))
                return DECLINED;
        return deny(request, denies->first);
}

void names_rules_register_hooks(void)
{
        ap_hook_check_access(check_access, NULL, NULL, APR_HOOK_FIRST, AP_AUTH_INTERNAL_PER_CONF);
}
