/* SPDX-License-Identifier: MIT */
/*
 * A program that renews certificates as root may leave the key open to everybody: the sandbox hides
 * it from other instances all the same, but not from other users of the machine.
 */
#include <sys/stat.h>

#include "config/names.h"
#include "instance/keys.h"
#include "util/log.h"

void keys_warn(const char *config_dir, const char *instance)
{
        char folder[PATH_MAX], key[PATH_MAX];
        struct stat folder_status, key_status;

        if (!name_path_fill(NAME_TLS_DIR, config_dir, instance, folder) ||
            !name_path_fill(NAME_PRIVATE_KEY, config_dir, instance, key) ||
            stat(folder, &folder_status) < 0 || stat(key, &key_status) < 0)
                return;
        if ((folder_status.st_mode & S_IXOTH) && (key_status.st_mode & S_IROTH))
                log_warning("everybody on this machine can read the private key %s; take the "
                            "permission from others: mode 0400, owned by %s",
                            key, instance);
}
