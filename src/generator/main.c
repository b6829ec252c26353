/* SPDX-License-Identifier: MIT */
/*
 * bellhop-generator: at boot and at daemon-reload, turns each instance file into what systemd must
 * know: bellhop.target wants its hand-off socket, and a drop-in says what the template can't. See
 * systemd.generator(7): it writes into the folder it is given, and speaks to nobody. With
 * --instance=, does the second for one instance while the machine runs.
 */
#include <sys/stat.h>

#include "config/config.h"
#include "config/units.h"
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
                if (r == 0)
                        r = units_write(dir, &config->instances[i]);
        }
        config_free(config);
        return r;
}

/* An instance that is new, has changed or has gone. */
static int generate_one(const char *name)
{
        Config *config = NULL;
        uint32_t instance = ROUTE_NONE;
        int r;

        if (!instance_name_is_valid(name)) {
                log_error("'%s' is no name for an instance", name);
                return -EINVAL;
        }
        r = config_load_instance(BELLHOP_CONFIG_DIR, name, &config, &instance);
        if (r == 0)
                r = units_write(UNITS_GENERATED_DIR, &config->instances[instance]);
        else if (r == -ENOENT && config->n_problems == 0)
                r = units_remove(UNITS_GENERATED_DIR, name);
        for (size_t i = 0; r < 0 && config && i < config->n_problems; i++)
                log_error("%s", config->problems[i].text);
        config_free(config);
        return r < 0 ? r : units_announce();
}

int main(int argc, char *argv[])
{
        static const char one[] = "--instance=";
        int r;

        log_open();
        if (argc == 2 && strncmp(argv[1], one, strlen(one)) == 0) {
                r = generate_one(argv[1] + strlen(one));
        } else if (argc == 4) {
                r = generate(BELLHOP_CONFIG_DIR, argv[1]);
        } else {
                fprintf(stderr,
                        "Usage: %s NORMAL-DIR EARLY-DIR LATE-DIR (see systemd.generator(7))\n"
                        "       %s --instance=NAME\n",
                        argv[0], argv[0]);
                return EXIT_FAILURE;
        }
        if (r < 0) {
                errno = -r;
                log_error("bellhop-generator: can't make units from %s: %m", BELLHOP_CONFIG_DIR);
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
