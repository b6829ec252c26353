/* SPDX-License-Identifier: MIT */
/* bellhop-generator: turns instance files into units (config/units.h). As systemd.generator(7)
 * requires, it does not communicate with other processes. It writes only into the folder that
 * systemd names and into UNITS_SBIN_COPIES. --instance=NAME writes one drop-in while the machine is
 * running; the next daemon-reload makes all units again. */
#include "config/config.h"
#include "config/units.h"
#include "util/cleanup.h"
#include "util/log.h"

/* Programs look for sendmail here. */
#define SBIN "/usr/sbin"

/* Writes the units of all instances. If those of one instance can't be written, continues with the
 * others. */
static int generate(const char *dir)
{
        Config *config = NULL;
        int r = config_load(BELLHOP_CONFIG_DIR, CONFIG_USERS_TRUST, NULL, &config);

        if (r < 0)
                return r;
        r = units_write_sendmail(dir, SBIN, UNITS_SBIN_COPIES);
        if (r < 0)
                log_error_errno(r, "can't give instances a sendmail: %m");
        for (size_t i = 0; i < config->n_problems; i++)
                log_warning("%s", config->problems[i].text);
        for (size_t i = 0; i < config->n_instances; i++) {
                const Instance *instance = &config->instances[i];
                const int error = units_write_wanted(dir, instance->name, instance->network);

                if (error < 0) {
                        log_error_errno(error, "can't write the units of %s: %m", instance->name);
                        r = error;
                }
        }
        config_free(config);
        return r;
}

/* Writes the units of one instance that was added, changed or removed. */
static int generate_one(const char *name)
{
        Config *config = NULL;
        uint32_t instance = ROUTE_NONE;
        int r = config_load_instance(BELLHOP_CONFIG_DIR, name, &config, &instance);

        if (r == 0)
                r = units_write(UNITS_GENERATED_DIR, name, config->instances[instance].network);
        else if (r == -ENOENT && config->n_problems == 0)
                r = units_write(UNITS_GENERATED_DIR, name, NETWORK_NO);
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
                r = generate(argv[1]);
        } else {
                fprintf(stderr,
                        "Usage: %s NORMAL-DIR EARLY-DIR LATE-DIR (see systemd.generator(7))\n"
                        "       %s --instance=NAME\n",
                        argv[0], argv[0]);
                return EXIT_FAILURE;
        }
        if (r < 0)
                log_error_errno(r, "bellhop-generator: can't make units from " BELLHOP_CONFIG_DIR
                                   ": %m");
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
