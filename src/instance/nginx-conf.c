/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "config/config.h"
#include "config/names.h"
#include "instance/nginx-conf.h"
#include "util/cleanup.h"
#include "util/text.h"

#define NGINX_CONNECTIONS "512" /* nginx's own default */

/* The values of a "server" block in the configuration of nginx. */
typedef struct Site {
        const char *host; /* NULL: all hosts without their own block */
        char folder[NAME_HOST_MAX];
        char www[PATH_MAX];
        char certificate[PATH_MAX], key[PATH_MAX];
        bool has_www, has_tls;
} Site;

static bool nginx_is_folder(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Finds the document root in the same way as conf/apache2/instance.conf does. */
static bool nginx_find_www(const Context *context, char ret[static PATH_MAX])
{
        const char *www = getenv("BELLHOP_WWW");

        if (www)
                return snprintf(ret, PATH_MAX, "%s", www) < PATH_MAX;
        (void)snprintf(ret, PATH_MAX, "/srv/www/%s", context->instance);
        if (!nginx_is_folder(ret))
                (void)snprintf(ret, PATH_MAX, "/home/%s/public_html", context->instance);
        return nginx_is_folder(ret);
}

/* Finds the certificate for all hosts that have no certificate of their own. This certificate is in
 * the credentials that systemd passes to this unit, or in the instance's folder of certificates. If
 * that folder exists but has no certificate, this function still returns true, so that nginx fails
 * to start instead of serving without TLS. If this happens in a reload, the old server keeps
 * running. */
static bool nginx_find_certificate(const Context *context, Site *site)
{
        const char *dir = context->config_dir, *name = context->instance;
        char tls[PATH_MAX], *credentials = getenv("BELLHOP_CREDENTIALS");

        if (credentials)
                (void)snprintf(tls, sizeof(tls), "%s", credentials);
        else
                (void)snprintf(tls, sizeof(tls), "/run/credentials/bellhop@%s.service", name);
        if (snprintf(site->key, PATH_MAX, "%s/privkey.pem", tls) < PATH_MAX &&
            snprintf(site->certificate, PATH_MAX, "%s/fullchain.pem", tls) < PATH_MAX &&
            access(site->key, F_OK) == 0)
                return true;
        return name_path_fill(NAME_CERTIFICATE, dir, name, site->certificate) &&
               name_path_fill(NAME_PRIVATE_KEY, dir, name, site->key) &&
               name_path_fill(NAME_TLS_DIR, dir, name, tls) && nginx_is_folder(tls);
}

static void nginx_find_site(const Context *context, const char *host, const Site *main, Site *ret)
{
        const char *dir = context->config_dir, *name = context->instance;

        *ret = (Site){ .host = host };
        if (host) {
                (void)name_host_folder(host, ret->folder);
                ret->has_www =
                        snprintf(ret->www, PATH_MAX, "%s/%s", main->www, ret->folder) < PATH_MAX &&
                        nginx_is_folder(ret->www);
                /* If the host's own certificate or key is missing, the host uses the main
                 * certificate, and nginx still starts. */
                ret->has_tls =
                        name_host_path_fill(NAME_CERTIFICATE, dir, name, host, ret->certificate) &&
                        name_host_path_fill(NAME_PRIVATE_KEY, dir, name, host, ret->key) &&
                        access(ret->certificate, R_OK) == 0 && access(ret->key, R_OK) == 0;
        } else {
                ret->has_www = nginx_find_www(context, ret->www);
                ret->has_tls = nginx_find_certificate(context, ret);
        }
}

static void nginx_write_server(FILE *out, const Context *context, const Site *site,
                               const Site *main)
{
        const char *dir = context->config_dir, *is_default = site->host ? "" : " default_server";
        const Site *tls = site->has_tls ? site : main;

        fprintf(out, "    server {\n");
        fprintf(out, "        listen 80%s;\n        listen [::]:80%s;\n", is_default, is_default);
        fprintf(out, "        listen 443 %s%s;\n        listen [::]:443 %s%s;\n", BELLHOP_NGINX_TLS,
                is_default, BELLHOP_NGINX_TLS, is_default);
        if (tls->has_tls)
                fprintf(out, "        ssl_certificate %s;\n        ssl_certificate_key %s;\n",
                        tls->certificate, tls->key);
        else
                fprintf(out, "        ssl_reject_handshake on;\n");
        fprintf(out, "        server_name %s;\n", site->host ? site->host : "_");
        if (!context->is_suspended) {
                /* nginx allows only one "root" in a server block, and a snippet may set it. So the
                 * main document root is set in the http block. */
                if (site->host && site->has_www)
                        fprintf(out, "        root %s;\n", site->www);
                /* nginx uses the first "location" pattern that matches, so the customer's snippets
                 * are included first. */
                fprintf(out, "        include %s/sites/%s/*.conf;\n", dir, context->instance);
                fprintf(out, "        include %s/sites/%s/*.nginx;\n", dir, context->instance);
                fprintf(out, "        include %s/nginx/php.conf;\n", dir);
        }
        fprintf(out, "    }\n");
}

static void nginx_write_http(FILE *out, const Context *context, const Config *config)
{
        static const char *const temporary[] = { "client_body", "proxy", "fastcgi", "uwsgi",
                                                 "scgi" };
        const char *dir = context->config_dir;
        const char *temporary_dir = getenv("TMPDIR") ? getenv("TMPDIR") : context->runtime_dir;
        Site main, site;

        nginx_find_site(context, NULL, NULL, &main);
        fprintf(out, "http {\n");
        for (size_t i = 0; i < ELEMENTSOF(temporary); i++)
                fprintf(out, "    %s_temp_path %s/nginx-%s;\n", temporary[i], temporary_dir,
                        temporary[i]);
        fprintf(out, "    upstream php {\n        server unix:%s/php.sock;\n    }\n",
                context->runtime_dir);
        fprintf(out, "    include %s/nginx/http.conf;\n", dir);
        if (!context->is_suspended) {
                fprintf(out, "    root %s;\n", main.www);
                /* With this setting, nginx follows a symbolic link only if the link and its target
                 * have the same owner, even if the link is the document root of a host. So the
                 * customer's links can't lead to files of root or of other customers. */
                fprintf(out, "    disable_symlinks if_not_owner from=%s;\n", main.www);
                fprintf(out, "    include %s/sites/%s/*.http;\n", dir, context->instance);
        }
        nginx_write_server(out, context, &main, &main);
        for (size_t i = 0; i < hostmap_size(config->map); i++) {
                const HostMapRoute route = hostmap_route(config->map, i);

                if (route.is_address)
                        continue;
                nginx_find_site(context, route.what, &main, &site);
                if (site.has_www || site.has_tls)
                        nginx_write_server(out, context, &site, &main);
        }
        fprintf(out, "}\n");
}

static int nginx_write(FILE *out, const Context *context, unsigned number)
{
        const char *connections = getenv("BELLHOP_NGINX_CONNECTIONS");
        Config *config = NULL;
        const int r = config_load_own(context->config_dir, context->instance, &config);

        if (r < 0)
                return r;
        fprintf(out, "include %s/nginx/instance.conf;\n", context->config_dir);
        fprintf(out, "bellhop_instance %s;\nbellhop_config_dir %s;\n", context->instance,
                context->config_dir);
        fprintf(out, "bellhop_log_files %s;\n", strcmp(context->logs, "files") == 0 ? "on" : "off");
        fprintf(out, "daemon off;\npid %s/nginx-%u.pid;\nerror_log stderr error;\n",
                context->runtime_dir, number);
        fprintf(out, "events {\n    worker_connections %s;\n}\n",
                connections ? connections : NGINX_CONNECTIONS);
        nginx_write_http(out, context, config);
        config_free(config);
        return 0;
}

int nginx_conf_make(const Context *context, unsigned number)
{
        _cleanup_close_ int fd = memfd_create("nginx.conf", MFD_CLOEXEC);
        const int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
        _cleanup_fclose_ FILE *out = copy < 0 ? NULL : fdopen(copy, "w");
        int r;

        if (!out) {
                r = -errno;
                close_fd(copy);
                return r;
        }
        r = nginx_write(out, context, number);
        if (r < 0 || fflush(out) != 0)
                return r < 0 ? r : -EIO;
        return take_fd(fd);
}
