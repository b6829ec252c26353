/* SPDX-License-Identifier: MIT */
/*
 * Owns the look at the modes of the key. A program that renews certificates as root may leave the
 * key open to everybody: the sandbox hides it from neighbours all the same, but not from other
 * users of the machine.
 */
#include <sys/stat.h>

#include <httpd.h>

#include <apr_strings.h>
#include <http_config.h>
#include <http_log.h>

#include "httpd/keys.h"

APLOG_USE_MODULE(bellhop);

void keys_warn(server_rec *server, const char *config_dir, const char *instance)
{
        const char *folder =
                apr_pstrcat(server->process->pconf, config_dir, "/tls/", instance, NULL);
        const char *key = apr_pstrcat(server->process->pconf, folder, "/privkey.pem", NULL);
        struct stat folder_status, key_status;

        if (stat(folder, &folder_status) < 0 || stat(key, &key_status) < 0)
                return;
        if ((folder_status.st_mode & S_IXOTH) && (key_status.st_mode & S_IROTH))
                ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                             "everybody on this machine can read the private key %s; "
                             "chown %s: %s && chmod 0400 %s",
                             key, instance, key, key);
}
