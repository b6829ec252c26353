/* SPDX-License-Identifier: MIT */
#include "ctl/check/server-test.h"
#include "config/names.h"
#include "ctl/ask/bus.h"
#include "util/cleanup.h"
#include "util/text.h"

#define ENVIRONMENT_MAX 256
#define PROGRAMS_PATH   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Runs the test in the same way as the unit of the instance does before each reload: as the
 * instance's user, with the environment of the unit and its drop-ins. Only the runtime folder is
 * different. */
int server_test_run(const ServerTest *test, char **ret_said)
{
        const Instance *instance = test->instance;
        _cleanup_free_ char *config = text_format("--config=%s", test->ctl->config_dir);
        _cleanup_free_ char *server = text_format("--server=%s", server_names[instance->server]);
        _cleanup_free_ char *state =
                text_format("STATE_DIRECTORY=/var/lib/bellhop/%s", instance->name);
        char unit[NAME_UNIT_MAX], **environment = NULL;
        const char *all[ENVIRONMENT_MAX] = { "RUNTIME_DIRECTORY=" CONFIGTEST_FOLDER, state };
        const char *first = test->judges ? "--judge" : "--test";
        size_t n = 2;
        int r = config && server && state ? 0 : -ENOMEM;

        (void)name_unit(NAME_SERVICE_UNIT, instance->name, unit);
        if (r == 0 && test->bus)
                r = bus_get(test->bus, unit, "Service", "Environment", PROPERTY_STRINGS,
                            &environment);
        if (r < 0)
                return r;
        for (char **at = environment; at && *at && n < ENVIRONMENT_MAX - 2; at++)
                all[n++] = *at;
        all[n] = "PATH=" PROGRAMS_PATH;
        r = configtest_run(
                &(ConfigTest){
                        .who = test->who,
                        .network = instance->network != NETWORK_NO,
                        .input = test->input,
                        .input_size = test->input_size,
                        .argv = (const char *const[]){ BELLHOP_INSTANCE_PROGRAM, first,
                                                       test->tests_php ? "--test" : first, config,
                                                       server, "--", instance->name, NULL },
                        .environment = (char *const *)all,
                },
                ret_said);
        bus_free_strings(environment);
        return r;
}
