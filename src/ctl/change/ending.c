/* SPDX-License-Identifier: MIT */
#include "ctl/change/ending.h"
#include "config/names.h"
#include "config/units.h"
#include "ctl/ask/usage.h"
#include "ctl/change/files.h"
#include "util/cleanup.h"
#include "util/text.h"

bool ending_stop(Change *change, const char *name)
{
        char pattern[NAME_UNIT_MAX];
        Units units;
        bool any = false;

        (void)snprintf(pattern, sizeof(pattern), "bellhop*@%s.*", name);
        if (!change_good("systemd does not answer", bus_list_units(change->bus, pattern, &units)))
                return false;
        for (size_t i = 0; i < units.n; i++)
                any = any || strcmp(units.units[i].active, "inactive") != 0;
        units_done(&units);
        if (any &&
            change_step(change, "units",
                        "stop the units of %s after requests in progress are finished (up to 45 s)",
                        name) &&
            !change_unit("stop", pattern))
                return false;
        /* Without reset-failed, systemd would keep a failed unit loaded. */
        return change->ctl->dry_run || change_unit("reset-failed", pattern);
}

/* Removes the drop-in with the network. If a loaded unit still has the network, makes systemd read
 * all unit files again. */
bool ending_forget_network(Change *change, const char *name)
{
        bool is_private = true;
        char unit[NAME_UNIT_MAX];
        int r = 0;

        if (units_differ(UNITS_GENERATED_DIR, name, NETWORK_NO) &&
            change_step(change, "drop-in", "remove the network settings of %s from systemd",
                        name)) {
                r = units_write(UNITS_GENERATED_DIR, name, NETWORK_NO);
                if (!change_good(UNITS_GENERATED_DIR, r == 0 ? units_announce() : r))
                        return false;
        }
        if (!change_keeps_units(name))
                return true;
        r = bus_get(change->bus, name_unit(NAME_SERVICE_UNIT, name, unit), "Service",
                    "PrivateNetwork", PROPERTY_BOOL, &is_private);
        return change_good("systemd does not answer", r) &&
               (is_private || change_read_unit_files(change));
}

/* systemctl edit and systemctl set-property write into these folders. */
static const char *const folders[] = { "/etc/systemd/system", "/etc/systemd/system.control",
                                       "/run/systemd/system", "/run/systemd/system.control" };
static const NameUnit units[] = { NAME_SERVICE_UNIT, NAME_SOCKET_UNIT, NAME_STANDIN_UNIT };

#define PLACES (2 * ELEMENTSOF(folders) * ELEMENTSOF(units))

/* Returns the path of a unit's file or, if number is odd, of its folder of drop-ins. To be freed.
 * number: less than PLACES. */
static char *ending_place(size_t number, const char *name)
{
        char unit[NAME_UNIT_MAX];

        return text_format("%s/%s%s", folders[number / 2 % ELEMENTSOF(folders)],
                           name_unit(units[number / 2 / ELEMENTSOF(folders)], name, unit),
                           number % 2 == 0 ? "" : ".d");
}

int settings_find(const char *name, int (*use)(const char *place, void *userdata), void *userdata)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < PLACES; i++) {
                _cleanup_free_ char *place = ending_place(i, name);

                if (!place || place_exists(place))
                        r = place ? use(place, userdata) : -ENOMEM;
        }
        return r;
}

bool settings_copy(const char *from, const char *to)
{
        bool good = true;

        for (size_t i = 0; good && i < PLACES; i++) {
                _cleanup_free_ char *source = ending_place(i, from), *target = ending_place(i, to);

                if (!source || !target)
                        good = change_good(from, -ENOMEM);
                else if (place_exists(source))
                        good = program_run((const char *const[]){ "cp", "--archive",
                                                                  "--no-target-directory", "--",
                                                                  source, target, NULL });
        }
        return good;
}

bool ending_forget_settings(Change *change, const char *name)
{
        char names[ELEMENTSOF(units)][NAME_UNIT_MAX];
        bool any = false;

        for (size_t i = 0; i < PLACES; i++) {
                _cleanup_free_ char *place = ending_place(i, name);

                if (!place)
                        return change_good(name, -ENOMEM);
                if (!place_exists(place))
                        continue;
                any = true;
                if (i % 2 == 0 && change_step(change, "settings", "remove %s", place) &&
                    !change_good(place, file_remove(place)))
                        return false;
        }
        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                (void)name_unit(units[i], name, names[i]);
        return !any ||
               !change_step(change, "settings",
                            "remove the settings of the units of %s from systemd", name) ||
               program_run((const char *const[]){ "systemctl", "revert", "--", names[0], names[1],
                                                  names[2], NULL });
}

bool ending_close_account(Change *change, const char *name)
{
        const Ctl *ctl = change->ctl;
        _cleanup_free_ char *path = NULL;
        bool has_account = false;
        UsedList list;
        const int r = used_list_load(ctl, NULL, name, &list, &path);

        for (size_t i = 0; r == 0 && i < list.n; i++)
                has_account |= strcmp(list.used[i].account.name, name) == 0;
        used_list_done(&list);
        if (r < 0 && r != -ENOENT && !ctl->dry_run)
                return change_good(path ? path : ctl->usage_dir, r);
        return !has_account ||
               !change_step(change, "usage",
                            "close the usage account of %s, which 'bellhopctl usage' then shows as "
                            "removed",
                            name) ||
               change_good(
                       "bellhop-usage can't be reached ('systemctl start bellhop-usage.service')",
                       used_end_account(ctl, name));
}
