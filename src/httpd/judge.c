/* SPDX-License-Identifier: MIT */
/*
 * An .htaccess file is checked for each virtual host whose document root contains it. Apache's
 * ap_directory_walk() finds which directives are allowed in the folder of the file, and Apache's
 * parser reads the file. ap_directory_walk() could also read the file, but it reports an error only
 * as text, without the line number. Facts about the other configuration files come from the tree of
 * directives that Apache has already read.
 */
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <httpd.h>

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_request.h>

#include "httpd/judge.h"
#include "httpd/names-rules.h"
#include "httpd/vhosts.h"
#include "instance/verdict.h"

bool judge_is_wanted(void)
{
        return ap_exists_config_define(VERDICT_DEFINE);
}

/* Makes a request with only those fields that ap_directory_walk() needs. */
static request_rec *judge_make_request(apr_pool_t *pool, server_rec *server, const char *folder)
{
        request_rec *request = apr_pcalloc(pool, sizeof(*request));
        conn_rec *conn = apr_pcalloc(pool, sizeof(*conn));
        core_request_config *core = apr_pcalloc(pool, sizeof(*core));

        conn->pool = pool;
        conn->base_server = server;
        conn->client_ip = conn->local_ip = apr_pstrdup(pool, "-");
        conn->notes = apr_table_make(pool, 1);
        conn->conn_config = ap_create_conn_config(pool);
        core->notes = apr_pcalloc(pool, AP_NUM_STD_NOTES * sizeof(*core->notes));
        request->pool = pool;
        request->connection = conn;
        request->server = server;
        request->useragent_ip = conn->client_ip;
        request->method = "GET";
        request->uri = request->unparsed_uri = request->the_request = apr_pstrdup(pool, "/");
        request->headers_in = apr_table_make(pool, 1);
        request->headers_out = apr_table_make(pool, 1);
        request->err_headers_out = apr_table_make(pool, 1);
        request->subprocess_env = apr_table_make(pool, 1);
        request->notes = apr_table_make(pool, 1);
        request->per_dir_config = server->lookup_defaults;
        request->request_config = ap_create_request_config(pool);
        ap_set_core_module_config(request->request_config, core);
        request->filename = request->canonical_filename = apr_pstrcat(pool, folder, "/", NULL);
        return request;
}

/* Finds the directives that AllowOverride allows in the folder. Returns NULL if Apache reads no
 * .htaccess file there. */
static const core_dir_config *judge_find_overrides(apr_pool_t *pool, server_rec *server,
                                                   const char *folder)
{
        request_rec *request = judge_make_request(pool, server, folder);
        core_server_config *core = ap_get_core_module_config(server->module_config);
        char *const names = core->access_name;
        const core_dir_config *found;
        int r;

        core->access_name = apr_pstrdup(pool, "");
        r = ap_directory_walk(request);
        core->access_name = names;
        found = ap_get_core_module_config(request->per_dir_config);
        return r == OK && (found->override != 0 ||
                           (found->override_list && !apr_is_empty_table(found->override_list)))
                       ? found
                       : NULL;
}

static void judge_write(apr_pool_t *pool, VerdictKind kind, const ap_directive_t *directive,
                        const char *what)
{
        verdict_write(stdout, &(Verdict){ kind, (unsigned)directive->line_num,
                                          apr_pstrdup(pool, directive->filename),
                                          apr_pstrdup(pool, what) });
}

/* Searches a tree for directives that need the host names of clients, and reports only the first
 * one. Returns whether there is one. */
static bool judge_name_rules(apr_pool_t *pool, const ap_directive_t *directive)
{
        for (; directive; directive = directive->next) {
                if (names_rules_is_one(pool, directive)) {
                        judge_write(pool, VERDICT_NAME, directive,
                                    apr_pstrcat(pool, directive->directive, " ", directive->args,
                                                NULL));
                        return true;
                }
                if (judge_name_rules(pool, directive->first_child))
                        return true;
        }
        return false;
}

/* Parses the file as ap_parse_htaccess() does. Returns the error, or NULL. */
static const char *judge_htaccess_parse(apr_pool_t *pool, server_rec *server, const char *folder,
                                        const core_dir_config *allowed, ap_configfile_t *file,
                                        unsigned *ret_line)
{
        cmd_parms parms = {
                .override = (int)allowed->override,
                .override_opts = (int)allowed->override_opts,
                .override_list = allowed->override_list,
                .limited = -1,
                .config_file = file,
                .pool = pool,
                .temp_pool = pool,
                .server = server,
                .path = apr_pstrcat(pool, folder, "/", NULL),
        };
        static char last[PATH_MAX];
        ap_directive_t *tree = NULL;
        const char *error = ap_build_config(&parms, pool, pool, &tree);

        if (!error)
                error = ap_walk_config(tree, &parms, ap_create_per_dir_config(pool));
        /* Several virtual hosts may have the same document root, but each file must be reported
         * only once. */
        if (!error && strcmp(last, folder) != 0)
                (void)judge_name_rules(pool, tree);
        (void)apr_cpystrn(last, folder, sizeof(last));
        *ret_line = parms.err_directive ? (unsigned)parms.err_directive->line_num : 0;
        return error;
}

/* Opens the first existing file of those that AccessFileName names, as Apache does for a request.
 * Refuses a file that is not a regular one, because opening a fifo would block. Returns the error,
 * or NULL. */
static const char *judge_htaccess_open(apr_pool_t *pool, server_rec *server, const char *folder,
                                       ap_configfile_t **ret, char **ret_path)
{
        const core_server_config *core = ap_get_core_module_config(server->module_config);
        const char *names = core->access_name;
        apr_status_t status;
        struct stat st;

        *ret = NULL;
        while (names[0]) {
                *ret_path = ap_make_full_path(pool, folder, ap_getword_conf(pool, &names));
                if (stat(*ret_path, &st) == 0 && !S_ISREG(st.st_mode))
                        return "it is not a file";
                status = ap_pcfg_openfile(ret, pool, *ret_path);
                if (status == APR_SUCCESS)
                        return NULL;
                if (!APR_STATUS_IS_ENOENT(status) && !APR_STATUS_IS_ENOTDIR(status))
                        return apr_psprintf(pool, "the instance's user can't read it: %s",
                                            strerror(status));
        }
        return NULL;
}

/* Returns the error, or NULL if there is no error or no file. */
static const char *judge_htaccess_find_error(apr_pool_t *pool, server_rec *server,
                                             const char *folder, Verdict *verdict)
{
        const core_dir_config *allowed = judge_find_overrides(pool, server, folder);
        ap_configfile_t *file = NULL;
        const char *error = NULL;

        if (allowed)
                error = judge_htaccess_open(pool, server, folder, &file, &verdict->file);
        if (file) {
                error = judge_htaccess_parse(pool, server, folder, allowed, file, &verdict->line);
                ap_cfg_closefile(file);
        }
        return error;
}

static bool judge_htaccess_is_below(const server_rec *server, const char *folder)
{
        const core_server_config *core = ap_get_core_module_config(server->module_config);
        const char *root = core->ap_document_root;
        size_t length = root ? strlen(root) : 0;

        while (length > 0 && root[length - 1] == '/')
                length--;
        return length > 0 && strncmp(folder, root, length) == 0 &&
               (folder[length] == 0 || folder[length] == '/');
}

/* Returns the error without the file name and line that Apache puts before some messages. */
static const char *judge_skip_place(const char *error, const Verdict *verdict)
{
        const size_t length = strlen(verdict->file);
        const char *end = strncmp(error, verdict->file, length) == 0 && error[length] == ':'
                                  ? strstr(error + length, ": ")
                                  : NULL;

        return end ? end + 2 : error;
}

/* Checks the .htaccess file of a folder, and reports its mistakes if is_shown is true. Returns
 * whether clients get an error in this folder. */
static bool judge_htaccess_folder(apr_pool_t *pool, server_rec *servers, const char *folder,
                                  bool is_shown)
{
        const char *error = NULL;
        apr_pool_t *own;

        apr_pool_create(&own, pool);
        for (server_rec *server = servers; server && !error; server = server->next) {
                Verdict verdict = { .kind = VERDICT_HTACCESS };

                if (judge_htaccess_is_below(server, folder))
                        error = judge_htaccess_find_error(own, server, folder, &verdict);
                if (!error || !is_shown)
                        continue;
                verdict.what = apr_pstrdup(own, judge_skip_place(error, &verdict));
                verdict_write(stdout, &verdict);
        }
        apr_pool_destroy(own);
        return error;
}

static void judge_htaccess_all(apr_pool_t *pool, server_rec *servers)
{
        char *list, *end, root[] = "/";
        struct stat st;
        ssize_t size = 0;
        unsigned n = 0;

        if (fstat(STDIN_FILENO, &st) < 0 || !S_ISREG(st.st_mode))
                return;
        list = end = apr_pcalloc(pool, (apr_size_t)st.st_size + 1);
        while (end < list + st.st_size &&
               (size = read(STDIN_FILENO, end, (size_t)(list + st.st_size - end))) > 0)
                end += size;
        for (char *folder = list; folder < end; folder += strlen(folder) + 1)
                n += judge_htaccess_folder(pool, servers, folder, n < VERDICT_HTACCESS_MAX);
        if (n > VERDICT_HTACCESS_MAX)
                verdict_write(stdout,
                              &(Verdict){ VERDICT_MORE, n - VERDICT_HTACCESS_MAX, root, NULL });
}

/* --- directives --- */

/* Returns the address to which a directive passes requests, such as "http://127.0.0.1:3000/" or
 * "unix:/run/app.sock|http://localhost/". Returns NULL if the directive passes no requests. */
static const char *judge_find_target(apr_pool_t *pool, const ap_directive_t *directive)
{
        static const char *const passing[] = { "ProxyPass", "ProxyPassMatch", "BalancerMember",
                                               "SetHandler" };
        const char *arguments = directive->args;

        for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
                if (strcasecmp(directive->directive, passing[i]) != 0)
                        continue;
                while (arguments[0]) {
                        const char *word = ap_getword_conf(pool, &arguments);

                        if (strncasecmp(word, "proxy:", strlen("proxy:")) == 0)
                                word += strlen("proxy:");
                        if (strncasecmp(word, "unix:", strlen("unix:")) == 0 ||
                            (word[0] != '/' && strstr(word, "://")))
                                return word;
                }
        }
        return NULL;
}

static void judge_directives(apr_pool_t *pool, const ap_directive_t *directive)
{
        for (; directive; directive = directive->next) {
                const char *target = judge_find_target(pool, directive);

                if (target)
                        judge_write(pool, VERDICT_TARGET, directive, target);
                if (!vhosts_is_copy(directive))
                        judge_directives(pool, directive->first_child);
        }
}

void judge_run(apr_pool_t *pool, server_rec *servers)
{
        judge_directives(pool, ap_conftree);
        (void)judge_name_rules(pool, ap_conftree);
        for (const ap_directive_t *at = vhosts_unused_listen(); at; at = at->next)
                judge_write(pool, VERDICT_LISTEN, at, at->args);
        judge_htaccess_all(pool, servers);
        verdict_write(stdout, &(Verdict){ .kind = VERDICT_END });
        (void)fflush(stdout);
}
