/* SPDX-License-Identifier: MIT */
/*
 * bellhop-generator: at boot and at daemon-reload, turns each instance file into what systemd must
 * know: bellhop.target wants its hand-off socket, and a drop-in opens the network where
 * Network=yes. See systemd.generator(7): it writes into the folder it is given, and speaks to
 * nobody.
 */
#include <sys/stat.h>

#include "config/config.h"
#include "util/cleanup.h"
#include "util/log.h"

static int make_folder(const char *path)
{
        return mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int want_socket(const char *folder, const char *name)
{
        _cleanup_free_ char *link = NULL;

        if (asprintf(&link, "%s/bellhop@%s.socket", folder, name) < 0)
                return -ENOMEM;
        return symlink(BELLHOP_UNIT_DIR "/bellhop@.socket", link) < 0 && errno != EEXIST ? -errno
                                                                                         : 0;
}

/* Lifts what the template has for Network=no; the reasons stand there. */
static int open_network(const char *dir, const char *unit, const char *name)
{
        _cleanup_free_ char *folder = NULL, *path = NULL;
        _cleanup_fclose_ FILE *file = NULL;
        int r;

        if (asprintf(&folder, "%s/%s@%s.service.d", dir, unit, name) < 0 ||
            asprintf(&path, "%s/50-network.conf", folder) < 0)
                return -ENOMEM;
        r = make_folder(folder);
        if (r < 0)
                return r;
        file = fopen(path, "we");
        if (!file)
                return -errno;
        fprintf(file, "# Made by bellhop-generator: Network=yes in the file of this instance.\n"
                      "[Service]\n"
                      "PrivateNetwork=no\n"
                      "RestrictAddressFamilies=AF_INET6 AF_NETLINK\n"
                      "IPAddressDeny=\n");
        return fflush(file) == 0 ? 0 : -errno;
}

static int generate(const char *config_dir, const char *dir)
{
        _cleanup_free_ char *wants = NULL;
        Config *config = NULL;
        int r;

        if (asprintf(&wants, "%s/bellhop.target.wants", dir) < 0)
                return -ENOMEM;
        r = config_load(config_dir, CONFIG_USERS_TRUST, NULL, &config);
        if (r < 0)
                return r;
        for (size_t i = 0; i < config->n_problems; i++)
                log_warning("%s", config->problems[i].text);
        r = make_folder(wants);
        for (size_t i = 0; r == 0 && i < config->n_instances; i++) {
                r = want_socket(wants, config->instances[i].name);
                if (r == 0 && config->instances[i].network)
                        r = open_network(dir, "bellhop", config->instances[i].name);
                if (r == 0 && config->instances[i].network)
                        r = open_network(dir, "bellhop-php", config->instances[i].name);
        }
        config_free(config);
        return r;
}

int main(int argc, char *argv[])
{
        int r;

        log_open();
        if (argc != 4) {
                fprintf(stderr,
                        "Usage: %s NORMAL-DIR EARLY-DIR LATE-DIR (see systemd.generator(7))\n",
                        argv[0]);
                return EXIT_FAILURE;
        }
        r = generate(BELLHOP_CONFIG_DIR, argv[1]);
        if (r < 0) {
                errno = -r;
                log_error("bellhop-generator: can't make units from %s: %m", BELLHOP_CONFIG_DIR);
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
