/* SPDX-License-Identifier: MIT */
/* Directives and hooks of mod_bellhop, bellhop's module for Apache. When Apache starts, the module
 * takes over the descriptors that it inherits from its supervisor, bellhop-instance. The module
 * refuses requests that are not for this instance. A refusal never contains the customer's content.
 */
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <ap_listen.h>
#include <ap_mpm.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_ssl.h>
#include <mpm_common.h>

#include "httpd/canonical.h"
#include "httpd/challenge.h"
#include "httpd/inbox.h"
#include "httpd/judge.h"
#include "httpd/logs.h"
#include "httpd/names-rules.h"
#include "httpd/php-source.h"
#include "httpd/sigmask.h"
#include "httpd/vhosts.h"
#include "instance/admit.h"
#include "instance/inheritance.h"
#include "instance/page.h"
#include "util/cleanup.h"
#include "util/clock.h"

APLOG_USE_MODULE(bellhop);

/* The struct Inheritance is kept in the pool of the process, because Apache reads its configuration
 * twice and unloads this module in between. If you change the struct, change this key, so that a
 * module of another version does not find the old struct. */
#define INHERITANCE_KEY "bellhop-inheritance-2"

static struct Settings {
        const char *instance;
        const char *config_dir;
        const char *router_user;
        const char *php_handler;
} settings;

static Config *config;
static uint32_t own_instance;
static Inheritance *inheritance;

/* --- start --- */

static bool is_real_start(void)
{
        return ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_NORMAL;
}

/* Before it starts, Apache reads its configuration twice, the first time only as a test of the
 * syntax. Returns whether this is the first time. */
static bool is_rehearsal(void)
{
        return is_real_start() && ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG;
}

static int pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
        settings = (struct Settings){
                .config_dir = BELLHOP_CONFIG_DIR,
                .router_user = BELLHOP_ROUTER_USER,
        };
        vhosts_arrange(pconf);
        names_rules_init(pconf);
        return OK;
}

static bool mod_find_inheritance(server_rec *server)
{
        apr_pool_t *forever = server->process->pool;
        void *found = NULL;
        int r;

        (void)apr_pool_userdata_get(&found, INHERITANCE_KEY, forever);
        inheritance = found;
        if (inheritance)
                return true;
        inheritance = apr_pcalloc(forever, sizeof(*inheritance));
        inheritance->notify_socket = apr_pstrdup(forever, getenv("NOTIFY_SOCKET"));
        (void)apr_pool_userdata_set(inheritance, INHERITANCE_KEY, NULL, forever);
        r = inheritance_take(inheritance);
        if (r == 0)
                return true;
        ap_log_error(APLOG_MARK, APLOG_CRIT, -r, server,
                     "can't use the sockets and memory that bellhop-instance passes, or can't make "
                     "new ones; look at MemoryMax= and LimitNOFILE=");
        return false;
}

static void warn_of_listen(server_rec *server)
{
        for (const ap_directive_t *at = vhosts_unused_listen(); at; at = at->next)
                ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                             "%s:%d: Listen %s has no effect: connections come from the router; "
                             "for another port, run 'systemctl edit bellhop-router.socket'",
                             at->filename, at->line_num, at->args);
}

/* This runs before any of the customer's code, which must not find the environment variables that
 * are removed here. */
static bool mod_inherit(server_rec *server)
{
        if (!mod_find_inheritance(server))
                return false;
        (void)unsetenv("NOTIFY_SOCKET");
        page_use(inheritance->page, inheritance->bell);
        logs_use(inheritance->lines_fd);
        if (inheritance->handoff_fd < 0)
                ap_log_error(APLOG_MARK, APLOG_CRIT, 0, server,
                             "no hand-off socket was passed, but an instance needs one for its "
                             "connections; run 'systemctl start bellhop@%s.socket': the first "
                             "connection then starts the service",
                             settings.instance);
        return inheritance->handoff_fd >= 0;
}

static apr_status_t free_config(void *unused)
{
        config = config_free(config);
        return APR_SUCCESS;
}

static int load_config(apr_pool_t *pconf, server_rec *server)
{
        const int r = config_load_instance(settings.config_dir, settings.instance, &config,
                                           &own_instance);

        if (r == 0 && inheritance) {
                config_digest_others(config, ROUTE_NONE);
                page_set_others(inheritance->page, config->instances[own_instance].others);
        }
        if (r == 0 || r == -ENOENT) {
                apr_pool_cleanup_register(pconf, NULL, free_config, apr_pool_cleanup_null);
                for (size_t i = 0; i < config->n_problems; i++)
                        ap_log_error(APLOG_MARK, r < 0 ? APLOG_CRIT : APLOG_WARNING, 0, server,
                                     "%s", config->problems[i].text);
        }
        if (r == -ENOENT)
                ap_log_error(APLOG_MARK, APLOG_CRIT, 0, server,
                             "there is no instance '%s'; describe it in %s/instances/%s.conf",
                             settings.instance, settings.config_dir, settings.instance);
        else if (r < 0)
                ap_log_error(APLOG_MARK, APLOG_CRIT, -r, server, "can't read %s/instances",
                             settings.config_dir);
        return r < 0 ? !OK : OK;
}

static int check_settings(server_rec *server, uid_t *ret_router)
{
        const struct passwd *router;

        if (!settings.instance || !instance_name_is_valid(settings.instance)) {
                ap_log_error(APLOG_MARK, APLOG_CRIT, 0, server,
                             "the instance has no name; set 'BellhopInstance NAME', or "
                             "BELLHOP_INSTANCE in the environment if instance.conf is used");
                return !OK;
        }
        router = getpwnam(settings.router_user);
        if (!router) {
                ap_log_error(
                        APLOG_MARK, APLOG_CRIT, 0, server,
                        "user '%s' does not exist, but the router runs as this user; create it by "
                        "systemd-sysusers or set BellhopRouterUser",
                        settings.router_user);
                return !OK;
        }
        *ret_router = router->pw_uid;
        return OK;
}

static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server)
{
        uid_t router;

        if (check_settings(server, &router) != OK)
                return !OK;
        logs_init(server, settings.instance);
        php_source_set_handler(settings.php_handler);
        /* In a test of the configuration, messages must go to standard error, so no log is opened
         * here. */
        if (is_real_start() && !is_rehearsal())
                logs_open(pconf);
        if (is_real_start() &&
            (!mod_inherit(server) ||
             inbox_open(pconf, server, inheritance->handoff_fd, router) != APR_SUCCESS))
                return !OK;
        if (!is_rehearsal() && load_config(pconf, server) != OK)
                return !OK;
        if (!is_rehearsal())
                warn_of_listen(server);
        if (!is_rehearsal())
                names_rules_set_network(config->instances[own_instance].network != NETWORK_NO);
        return OK;
}

static int open_logs(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server)
{
        if (is_real_start())
                logs_open(pconf);
        return OK;
}

/* Adds ports 80 and 443 to the list of listeners until post_config(), because mod_md looks for them
 * in this list. */
static int show_ports(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server)
{
        inbox_show_ports(true);
        return OK;
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server)
{
        inbox_show_ports(false);
        if (!is_real_start() || is_rehearsal())
                return OK;
        if (ap_num_listen_buckets > 1) {
                ap_log_error(
                        APLOG_MARK, APLOG_CRIT, 0, server,
                        "a hand-off socket can't be duplicated; remove ListenCoresBucketsRatio");
                return !OK;
        }
        sigmask_handle_children(pconf);
        return OK;
}

/* `apache2 -t` skips files that only a start opens: logs, certificates and keys. But bellhopctl
 * check and the test before a reload must find mistakes in these files. So this function does the
 * rest of a start. */
static void test_config(apr_pool_t *pconf, server_rec *server)
{
        const int terminal = dup(STDERR_FILENO);
        apr_pool_t *plog, *ptemp;
        bool is_good;

        if (judge_is_wanted())
                judge_run(pconf, server);
        /* Nothing is freed here, because the process ends. */
        apr_pool_create(&plog, pconf);
        apr_pool_create(&ptemp, pconf);
        /* Logs are opened last, because they replace standard error, which gets all messages until
         * then. inbox_open() is necessary because the hooks also call the MPM, which requires a
         * listener. */
        is_good = inbox_open(pconf, server, -EBADF, 0) == APR_SUCCESS &&
                  ap_run_post_config(pconf, plog, ptemp, server) == OK &&
                  ap_run_open_logs(pconf, plog, ptemp, server) == OK;
        (void)dup2(terminal, STDERR_FILENO);
        close(terminal);
        if (is_good)
                return;
        (void)fprintf(stderr, "The server would not start: see above, or the error log.\n");
        exit(EXIT_FAILURE);
}

/* --- processes --- */

static void child_init(apr_pool_t *pchild, server_rec *server)
{
        int is_threaded = 0;

        (void)ap_mpm_query(AP_MPMQ_IS_THREADED, &is_threaded);
        sigmask_init_child(!is_threaded);
        logs_join();
        page_join(getpid());
        inbox_join(server);
}

static void child_status(server_rec *server, pid_t pid, ap_generation_t generation, int slot,
                         mpm_child_status state)
{
        /* When a child starts, the MPM has already set its signal handlers, so the parent is ready.
         */
        if (state == MPM_CHILD_STARTED)
                inheritance_say_ready(inheritance);
        if (state == MPM_CHILD_EXITED)
                page_leave(inheritance->page, pid, clock_monotonic_usec());
}

/* Also reports that the server is ready, because after a reload, it may take long until the first
 * child starts. */
static int monitor(apr_pool_t *pool, server_rec *server)
{
        inheritance_say_ready(inheritance);
        return OK;
}

/* --- connections and requests --- */

/* If a client starts TLS and there is no certificate, the client can't read Apache's plain "400 Bad
 * Request". So it gets the alert of a server that doesn't have the requested name (RFC 6066 section
 * 3). */
static int connection_begins(conn_rec *conn)
{
        static const char unrecognized_name[] = { 0x15, 3, 3, 0, 2, 2, 0x70 };
        const struct bellhop_handoff *handoff = inbox_handoff_of(conn);
        apr_size_t size = sizeof(unrecognized_name);

        inbox_taken(conn);
        if (conn->master || !handoff || handoff->protocol != BELLHOP_PROTOCOL_TLS ||
            ap_ssl_conn_is_ssl(conn))
                return DECLINED;

        ap_log_cerror(APLOG_MARK, APLOG_INFO, 0, conn,
                      "a client speaks TLS to '%s', but this instance has no certificate; install "
                      "one with bellhopctl cert",
                      handoff->host);
        (void)apr_socket_send(ap_get_conn_socket(conn), unrecognized_name, &size);
        /* This makes the MPM read what the client still sends, and only then close the connection.
         * Otherwise, the client could get a reset before it has read the alert. */
        conn->keepalive = AP_CONN_CLOSE;
        if (conn->cs)
                conn->cs->state = CONN_STATE_LINGER;
        return OK;
}

/* Whether this instance may serve the host. Returns true if host is NULL, because a request may
 * name no host. */
static bool mod_admits(const char *host, const struct bellhop_handoff *handoff)
{
        return !host || admit_host(config, own_instance, host, handoff);
}

/* From this function until request_ends(), a graceful stop must not interrupt the connection. */
static int request_begins(request_rec *request)
{
        conn_rec *conn = request->connection;
        const struct bellhop_handoff *handoff = inbox_handoff_of(conn);
        /* The host in the request target is checked, too. Apache ignores this host if the scheme of
         * the target is not that of the connection. */
        const char *target = request->parsed_uri.hostname;

        sigmask_change(SIG_BLOCK);
        if (handoff && admit_has_one_request(config, own_instance, handoff))
                conn->keepalive = AP_CONN_CLOSE;
        if (!handoff || (mod_admits(request->hostname, handoff) && mod_admits(target, handoff)))
                return config->instances[own_instance].is_suspended
                               ? HTTP_SERVICE_UNAVAILABLE
                               : canonical_redirect(request, config, own_instance);

        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, request,
                      "misdirected: a request for host '%s' came on a connection for '%s'",
                      target ? target : request->hostname, handoff->host);
        /* After this answer, the browser opens a new connection for that host. With HTTP/1.1, the
         * browser does so only after the present connection ends. */
        if (!conn->master)
                conn->keepalive = AP_CONN_CLOSE;
        return HTTP_MISDIRECTED_REQUEST;
}

/* Refuses CONNECT, unless mod_proxy handles it. Otherwise, an index file that is a program would
 * answer CONNECT, and the client would treat the connection as a tunnel. */
static int request_is_no_tunnel(request_rec *request)
{
        return request->method_number == M_CONNECT && request->proxyreq == PROXYREQ_NONE
                       ? HTTP_METHOD_NOT_ALLOWED
                       : DECLINED;
}

static int request_ends(request_rec *request)
{
        sigmask_change(SIG_UNBLOCK);
        page_requested();
        return DECLINED;
}

/* --- registration --- */

static const char *set_string(cmd_parms *cmd, void *unused, const char *value)
{
        const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);

        if (error)
                return error;
        *(const char **)cmd->info = value;
        return NULL;
}

/* The functions for the following directives check only the context, because vhosts_arrange() has
 * already read the values. */
static const char *check_global(cmd_parms *cmd, const char *unused)
{
        return ap_check_cmd_context(cmd, GLOBAL_ONLY);
}

static const char *take_folder(cmd_parms *cmd, void *unused, const char *folder)
{
        return check_global(cmd, folder);
}

static const char *take_folders(cmd_parms *cmd, void *unused, const char *pages,
                                const char *certificates)
{
        return check_global(cmd, pages);
}

static const command_rec directives[] = {
        AP_INIT_TAKE1("BellhopInstance", set_string, &settings.instance, RSRC_CONF,
                      "name of this instance, the customer; required"),
        AP_INIT_TAKE1("BellhopConfigDir", set_string, &settings.config_dir, RSRC_CONF,
                      "folder with instances/NAME.conf (default " BELLHOP_CONFIG_DIR ")"),
        AP_INIT_TAKE1("BellhopRouterUser", set_string, &settings.router_user, RSRC_CONF,
                      "the only user whose hand-offs are accepted (default " BELLHOP_ROUTER_USER
                      ")"),
        AP_INIT_TAKE1(
                "BellhopPhp", set_string, &settings.php_handler, RSRC_CONF,
                "the handler that runs PHP, as for SetHandler; without it, PHP files are refused"),
        AP_INIT_TAKE1("BellhopCertificate", take_folder, NULL, RSRC_CONF,
                      "folder with fullchain.pem and privkey.pem, for virtual hosts without their "
                      "own certificate"),
        AP_INIT_TAKE2("BellhopHosts", take_folders, NULL, RSRC_CONF,
                      "two folders, for pages and certificates, that may contain a folder named "
                      "after a host"),
        AP_INIT_RAW_ARGS("Order", names_rules_note, NULL, OR_LIMIT, NULL),
        AP_INIT_RAW_ARGS("Allow", names_rules_note, NULL, OR_LIMIT, NULL),
        AP_INIT_RAW_ARGS("Deny", names_rules_note, NULL, OR_LIMIT, NULL),
        AP_INIT_RAW_ARGS("Satisfy", names_rules_note, NULL, OR_AUTHCFG, NULL),
        { .name = NULL },
};

static void register_hooks(apr_pool_t *pool)
{
        /* mpm_itk forks in its hook for each connection, so a hook that runs after it would run in
         * two processes. */
        static const char *const before_fork[] = { "mpm_itk.c", NULL };

        /* This process has a capability, so the customer's other programs, which do not have it,
         * can't trace this process: see ptrace(2), "Ptrace access mode checking". Programs that
         * this process executes belong to the customer, and must not inherit the capability. */
        (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);

        ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
        ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
        logs_register_hooks();
        php_source_register_hooks();
        challenge_register_hooks();
        names_rules_register_hooks();
        ap_hook_open_logs(open_logs, NULL, NULL, APR_HOOK_REALLY_LAST);
        ap_hook_post_config(show_ports, NULL, NULL, APR_HOOK_REALLY_FIRST);
        ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_REALLY_LAST);
        ap_hook_test_config(test_config, NULL, NULL, APR_HOOK_REALLY_LAST);
        ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_REALLY_LAST);
        ap_hook_child_status(child_status, NULL, NULL, APR_HOOK_MIDDLE);
        ap_hook_monitor(monitor, NULL, NULL, APR_HOOK_MIDDLE);
        ap_hook_process_connection(connection_begins, NULL, before_fork, APR_HOOK_REALLY_FIRST);
        ap_hook_log_transaction(request_ends, NULL, NULL, APR_HOOK_REALLY_LAST);
        /* This runs before mod_ssl compares the host with the server name of the TLS handshake, and
         * before any rewriting, so a request for another instance's host runs no rewrite rule. */
        ap_hook_post_read_request(request_begins, NULL, NULL, APR_HOOK_REALLY_FIRST);
        /* This runs after mod_proxy has claimed its requests. */
        ap_hook_post_read_request(request_is_no_tunnel, NULL, NULL, APR_HOOK_REALLY_LAST);
}

/* This is the only symbol that mod_so looks for. All other symbols are hidden. */
__attribute__((visibility("default"))) module AP_MODULE_DECLARE_DATA bellhop_module = {
        STANDARD20_MODULE_STUFF, names_rules_make_dir, NULL, NULL, NULL, directives,
        register_hooks,          AP_MODULE_FLAG_NONE,
};
