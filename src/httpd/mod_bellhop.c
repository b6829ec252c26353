/* SPDX-License-Identifier: MIT */
/*
 * Owns the directives, the hooks and the life of an instance: what starts it, and what it tells
 * systemd then and at its end; watch.c does in between. Never touches a connection or a request:
 * inbox.c and admit.c do.
 *
 * A reload unloads this file and loads it anew, so whatever outlives one is in struct Life.
 */
#include <inttypes.h>
#include <pwd.h>
#include <sys/eventfd.h>
#include <systemd/sd-daemon.h>

#include <ap_listen.h>
#include <ap_mpm.h>
#include <apr_shm.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <mpm_common.h>

#include "httpd/admit.h"
#include "httpd/confine.h"
#include "httpd/inbox.h"
#include "httpd/journal.h"
#include "httpd/keys.h"
#include "httpd/php.h"
#include "httpd/shield.h"
#include "httpd/stop.h"
#include "httpd/trial.h"
#include "httpd/watch.h"
#include "util/cleanup.h"
#include "util/clock.h"

APLOG_USE_MODULE(bellhop);

#define CONFIG_DIR_DEFAULT "/etc/bellhop"

/* From the order to stop on; TimeoutStopSec= must be longer. */
#define STOP_USEC UINT64_C(40000000)

/* Lives in the process pool. A module with another layout may be loaded over it when a new release
 * was installed: change the key with the struct, and with those of Watch, Tally and Php. */
#define LIFE_KEY "bellhop-life-3"

typedef struct Life {
        int handoff_fd;
        bool is_ready; /* systemd knows that we are up */
        Watch watch;
        Php php;
} Life;

static struct Settings {
        const char *instance;
        const char *config_dir;
        const char *router_user;
        PhpSettings php;
} settings;

static Config *config;
static uint32_t own_instance;
static Life *life;

static bool is_real_start(void)
{
        return ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_NORMAL;
}

/* The server reads its configuration twice before it starts; the first time is for syntax only. */
static bool is_rehearsal(void)
{
        return is_real_start() && ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG;
}

static int pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
        settings = (struct Settings){
                .config_dir = CONFIG_DIR_DEFAULT,
                .router_user = BELLHOP_ROUTER_USER,
        };
        return OK;
}

static int find_handoff_socket(server_rec *server)
{
        apr_pool_t *forever = server->process->pool;
        void *found = NULL;

        (void)apr_pool_userdata_get(&found, LIFE_KEY, forever);
        life = found;
        if (!life) {
                life = apr_pcalloc(forever, sizeof(*life));
                life->handoff_fd = inbox_inherit(server);
                php_init(&life->php);
                (void)apr_pool_userdata_set(life, LIFE_KEY, NULL, forever);
        }
        if (life->handoff_fd >= 0)
                return OK;
        ap_log_error(
                APLOG_MARK, APLOG_CRIT, 0, server,
                "an instance gets its connections from a hand-off socket, and none was passed "
                "in; start it by 'systemctl start bellhop@%s.socket', the service follows with "
                "the first connection",
                settings.instance);
        return !OK;
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
                ap_log_error(
                        APLOG_MARK, APLOG_CRIT, 0, server,
                        "whose instance is this? set 'BellhopInstance NAME', or BELLHOP_INSTANCE "
                        "in the environment where instance.conf is used");
                return !OK;
        }
        router = getpwnam(settings.router_user);
        if (!router) {
                ap_log_error(APLOG_MARK, APLOG_CRIT, 0, server,
                             "there is no user '%s', as which the router runs; create it by "
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
        journal_init(settings.instance);
        settings.php.instance = settings.instance;
        settings.php.config_dir = settings.config_dir;
        if (is_real_start() && (find_handoff_socket(server) != OK ||
                                inbox_open(pconf, server, life->handoff_fd, router) != APR_SUCCESS))
                return !OK;
        if (!is_rehearsal() && load_config(pconf, server) != OK)
                return !OK;
        admit_init(config, own_instance);
        return OK;
}

/* The children are gone, and with them all requests for PHP: what it still does is work behind its
 * responses. */
static void end(void)
{
        const uint64_t ended_usec = life->watch.ended_usec;

        (void)sd_notify(0, "STOPPING=1");
        php_end(&life->php, (ended_usec ? ended_usec : clock_monotonic_usec()) + STOP_USEC);
}

/* Also when a reload is due; the process that ends has nothing more to tell. */
static apr_status_t leave_config(void *unused)
{
        stop_end();
        watch_end(&life->watch);
        if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_DESTROY_CONFIG)
                (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_monotonic_usec());
        else
                end();
        return APR_SUCCESS;
}

static int make_tally(server_rec *server)
{
        apr_pool_t *forever = server->process->pool;
        const int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        apr_shm_t *memory;
        apr_status_t status;
        int n_children = 1;

        if (bell < 0) {
                ap_log_error(APLOG_MARK, APLOG_CRIT, errno, server,
                             "can't create an event descriptor; look at LimitNOFILE=");
                return !OK;
        }
        (void)ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &n_children); /* can't change by a reload */
        status = apr_shm_create(&memory, tally_size((size_t)n_children), NULL, forever);
        if (status != APR_SUCCESS) {
                ap_log_error(APLOG_MARK, APLOG_CRIT, status, server,
                             "no shared memory for counters; raise MemoryMax= of this instance or "
                             "lower ServerLimit");
                return !OK;
        }
        watch_init(&life->watch, tally_init(apr_shm_baseaddr_get(memory), (size_t)n_children, bell),
                   bell, life->handoff_fd);
        return OK;
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server)
{
        if (!is_real_start() || is_rehearsal())
                return OK;
        if (ap_num_listen_buckets > 1) {
                ap_log_error(
                        APLOG_MARK, APLOG_CRIT, 0, server,
                        "a hand-off socket can't be multiplied; remove ListenCoresBucketsRatio");
                return !OK;
        }
        if (!life->watch.tally && make_tally(server) != OK)
                return !OK;
        keys_warn(server, settings.config_dir, settings.instance);
        life->watch.generation++;
        apr_pool_cleanup_register(pconf, NULL, leave_config, apr_pool_cleanup_null);
        stop_begin(life->watch.bell);
        php_set_up(&life->php, &settings.php, pconf, server);
        /* A graceful restart doesn't come by pre_mpm. */
        if (life->is_ready)
                (void)sd_notify(0, "READY=1");
        return OK;
}

static int pre_mpm(apr_pool_t *process, ap_scoreboard_e type)
{
        life->is_ready = true;
        (void)sd_notifyf(0, "READY=1\nSTATUS=Ready for hand-offs");
        return OK;
}

static void child_init(apr_pool_t *pchild, server_rec *server)
{
        int is_threaded = 0;

        stop_leave();
        (void)ap_mpm_query(AP_MPMQ_IS_THREADED, &is_threaded);
        shield_init(!is_threaded);
        tally_join(life->watch.tally, getpid(), life->watch.generation);
        inbox_join(server);
}

/* Between the requests of a connection that is kept alive, a graceful stop may interrupt the wait.
 */
static int request_begins(request_rec *request)
{
        shield_up();
        return DECLINED;
}

static int request_ends(request_rec *request)
{
        shield_down();
        return DECLINED;
}

static int connection_begins(conn_rec *conn)
{
        inbox_taken(conn);
        return admit_connection(conn);
}

/* In the parent, when the MPM has set its handlers; the first child is on its way, and need not
 * wait for any of it. */
static void start_others(server_rec *server)
{
        const int r = watch_start(&life->watch, config->instances[own_instance].idle_usec);

        if (r != 0)
                ap_log_error(APLOG_MARK, APLOG_CRIT, r, server,
                             "this instance can't watch itself, and neither ends when idle nor "
                             "heeds orders until it can; look at TasksMax=");
        php_run(&life->php);
}

static void child_status(server_rec *server, pid_t pid, ap_generation_t generation, int slot,
                         mpm_child_status state)
{
        if (state == MPM_CHILD_STARTED)
                start_others(server);
        if (state == MPM_CHILD_EXITED)
                tally_leave(life->watch.tally, pid, clock_monotonic_usec());
}

/* After a reload, it may take long until a child has a place. */
static int monitor(apr_pool_t *pool, server_rec *server)
{
        start_others(server);
        return OK;
}

static void test_config(apr_pool_t *pconf, server_rec *server)
{
        trial_run(pconf, server, &settings.php);
}

static const char *set_string(cmd_parms *cmd, void *unused, const char *value)
{
        const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);

        if (error)
                return error;
        *(const char **)cmd->info = value;
        return NULL;
}

static const char *set_php(cmd_parms *cmd, void *unused, const char *socket, const char *program)
{
        const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);

        if (error)
                return error;
        settings.php.socket = socket;
        settings.php.program = program;
        return NULL;
}

static const command_rec directives[] = {
        AP_INIT_TAKE1("BellhopInstance", set_string, &settings.instance, RSRC_CONF,
                      "name of this instance, the customer; required"),
        AP_INIT_TAKE1("BellhopConfigDir", set_string, &settings.config_dir, RSRC_CONF,
                      "folder with instances/NAME.conf (default " CONFIG_DIR_DEFAULT ")"),
        AP_INIT_TAKE1("BellhopRouterUser", set_string, &settings.router_user, RSRC_CONF,
                      "the only user whose hand-offs are taken (default " BELLHOP_ROUTER_USER ")"),
        AP_INIT_TAKE2("BellhopPhp", set_php, NULL, RSRC_CONF,
                      "where PHP-FPM is installed, the socket to find it at, and the program "
                      "bellhop-php (default none)"),
        AP_INIT_TAKE2(
                "BellhopFence", confine, NULL, RSRC_CONF | EXEC_ON_READ,
                "name of this instance and the folder with instances/NAME.conf: from here on, "
                "this server and its programs are fenced in as Network= there says"),
        { .name = NULL },
};

static void register_hooks(apr_pool_t *pool)
{
        /* It forks there for each connection, and what was noted behind that would be noted twice.
         */
        static const char *const before_fork[] = { "mpm_itk.c", NULL };

        ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
        ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
        ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_REALLY_LAST);
        ap_hook_test_config(test_config, NULL, NULL, APR_HOOK_REALLY_LAST);
        ap_hook_pre_mpm(pre_mpm, NULL, NULL, APR_HOOK_REALLY_LAST);
        ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_REALLY_LAST);
        ap_hook_child_status(child_status, NULL, NULL, APR_HOOK_MIDDLE);
        ap_hook_monitor(monitor, NULL, NULL, APR_HOOK_MIDDLE);
        ap_hook_process_connection(connection_begins, NULL, before_fork, APR_HOOK_REALLY_FIRST);
        ap_hook_log_transaction(request_ends, NULL, NULL, APR_HOOK_REALLY_LAST);
        ap_hook_post_read_request(request_begins, NULL, NULL, APR_HOOK_REALLY_FIRST);
        /* Before mod_ssl compares names and before any rewriting: a foreign host runs no customer's
         * rule. */
        ap_hook_post_read_request(admit_request, NULL, NULL, APR_HOOK_REALLY_FIRST);
}

/* The one symbol that mod_so looks for; all others are hidden. */
__attribute__((visibility("default"))) module AP_MODULE_DECLARE_DATA bellhop_module = {
        STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, directives, register_hooks,
        AP_MODULE_FLAG_NONE,
};
