/* SPDX-License-Identifier: MIT */
/*
 * hold_run() runs the command in a oneshot unit that is ordered before the instance's unit. So
 * systemd starts the instance only after the command has ended (systemd.unit(5), Before=).
 */
#include <assert.h>
#include <time.h>

#include "ctl/change/files.h"
#include "ctl/change/hold.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/text.h"

#define COMMAND_WORDS_MAX 16

/* Waits until the instance's unit, $0, is not starting, and then runs the command. This wait is
 * necessary, because Before= does not stop a start that has already begun. */
static const char wait_script[] = "while [ \"$(systemctl show --property=ActiveState --value -- "
                                  "\"$0\")\" = activating ]; do\n"
                                  "    sleep 0.02\n"
                                  "done\n"
                                  "exec \"$@\"\n";

static void hold_unit(const char *instance, char ret[static NAME_UNIT_MAX])
{
        (void)snprintf(ret, NAME_UNIT_MAX, "bellhop-rename-%s.service", instance);
}

bool hold_run(const char *instance, const char *const command[])
{
        char unit[NAME_UNIT_MAX], ours[NAME_UNIT_MAX];
        _cleanup_free_ char *before =
                text_format("--property=Before=%s", name_unit(NAME_SERVICE_UNIT, instance, unit));
        const char *const head[] = { "systemd-run", "--quiet",   "--wait",
                                     "--pipe",      "--collect", "--service-type=oneshot",
                                     before,        "--unit",    ours,
                                     "--",          "bash",      "-euc",
                                     wait_script,   unit };
        const char *words[ELEMENTSOF(head) + COMMAND_WORDS_MAX + 1] = { NULL };
        size_t n = ELEMENTSOF(head);

        if (!before)
                return change_good(instance, -ENOMEM);
        hold_unit(instance, ours);
        memcpy(words, head, sizeof(head));
        for (; *command; command++) {
                assert(n < ELEMENTSOF(words) - 1);
                words[n++] = *command;
        }
        return program_run(words);
}

bool hold_wait(sd_bus *bus, const char *instance)
{
        static const struct timespec pause = { .tv_nsec = 20000000 };
        char ours[NAME_UNIT_MAX];

        hold_unit(instance, ours);
        for (;;) {
                _cleanup_free_ char *state = NULL;
                const int r = bus_get(bus, ours, "Unit", "ActiveState", PROPERTY_STRING, &state);

                if (!change_good("systemd does not answer", r))
                        return false;
                if (strcmp(state, "activating") != 0)
                        return true;
                (void)nanosleep(&pause, NULL);
        }
}
