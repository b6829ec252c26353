/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl remove: the file goes first, so that whatever ends this in the middle, the instance is
 * gone at the next boot, and the same command goes on with what is left.
 */
#include <pwd.h>

#include "config/config.h"
#include "config/units.h"
#include "ctl/ask/metrics-client.h"
#include "ctl/change/change.h"
#include "ctl/change/files.h"
#include "util/cleanup.h"
#include "util/text.h"

typedef struct Remove {
        Change change;
        const char *name;
        Places places;
} Remove;

/* All steps return false if they have not been done as a whole. */
static bool remove_file(Remove *remove, const char *kind, const char *path)
{
        if (!place_exists(path) || !change_step(&remove->change, kind, "remove %s", path))
                return true;
        return change_good(path, file_remove(path));
}

/* The router must send nobody there any more before the units are stopped. */
static bool remove_routes(Remove *remove, bool had_file)
{
        if (!had_file && router_knows(remove->change.ctl->runtime_dir, remove->name) <= 0)
                return true;
        return !change_step(&remove->change, "router",
                            "let the router read the files: it does not serve %s any more",
                            remove->name) ||
               change_reload_router(&remove->change);
}

/* Hand-off socket, service, and stand-in. */
static bool remove_units(Remove *remove)
{
        char pattern[NAME_UNIT_MAX];
        Units units;
        bool any = false;

        (void)snprintf(pattern, sizeof(pattern), "bellhop*@%s.*", remove->name);
        if (!change_good("systemd does not answer",
                         bus_list_units(remove->change.bus, pattern, &units)))
                return false;
        for (size_t i = 0; i < units.n; i++)
                any = any || strcmp(units.units[i].active, "inactive") != 0;
        units_done(&units);
        if (any &&
            change_step(&remove->change, "units",
                        "stop the units of %s, when requests in progress are finished (up to 45 s)",
                        remove->name) &&
            !change_unit("stop", pattern))
                return false;
        /* systemd would remember a unit that has failed. */
        return remove->change.ctl->dry_run || change_unit("reset-failed", pattern);
}

/* An instance that gets the name later must not inherit it. */
static bool remove_drop_in(Remove *remove)
{
        int r;

        if (!units_differ(UNITS_GENERATED_DIR, remove->name, false) ||
            !change_step(&remove->change, "drop-in", "let systemd forget about the network of %s",
                         remove->name))
                return true;
        r = units_write(UNITS_GENERATED_DIR, remove->name, false);
        return change_good(UNITS_GENERATED_DIR, r == 0 ? units_announce() : r);
}

/* rm(1) can go through folders that their owner changes meanwhile. */
static bool remove_folder(Remove *remove, const char *kind, const char *path)
{
        return !place_exists(path) ||
               !change_step(&remove->change, kind, "remove %s and all that is in it", path) ||
               program_run((const char *const[]){ "rm", "--recursive", "--force",
                                                  "--one-file-system", "--", path, NULL });
}

/* Made by bellhopctl add --create-user. */
static bool remove_is_marked(const struct passwd *user)
{
        const size_t length = strlen(USER_MARK);

        /* After a comma there are rooms and numbers. */
        return strncmp(user->pw_gecos, USER_MARK, length) == 0 &&
               (user->pw_gecos[length] == 0 || user->pw_gecos[length] == ',');
}

static bool remove_user(Remove *remove)
{
        const struct passwd *user = getpwnam(remove->name);

        return !user || !remove_is_marked(user) ||
               !change_step(&remove->change, "user", "remove user %s and %s", remove->name,
                            user->pw_dir) ||
               program_run(
                       (const char *const[]){ "userdel", "--remove", "--", remove->name, NULL });
}

static bool remove_all(Remove *remove)
{
        const Places *places = &remove->places;
        const bool had_file = place_exists(places->file);
        bool good = remove_file(remove, "file", places->file) &&
                    remove_file(remove, "enabled", places->wanted) &&
                    remove_routes(remove, had_file) && remove_units(remove) &&
                    remove_drop_in(remove);

        if (!good || !remove->change.ctl->purge)
                return good;
        good = remove_folder(remove, "certificate", places->tls);
        good = remove_folder(remove, "snippets", places->snippets) && good;
        good = remove_folder(remove, "document-root", places->www) && good;
        return remove_user(remove) && good;
}

static void remove_print_rest(const Remove *remove)
{
        const Ctl *ctl = remove->change.ctl;
        const char *const places[] = { remove->places.www, remove->places.tls,
                                       remove->places.snippets };
        const char *separator = "Left as they are: ";
        _cleanup_free_ char *nothing =
                text_format("Nothing of %s is left to be removed.", remove->name);

        change_say_end(&remove->change, nothing ? nothing : remove->name);
        if (ctl->no_legend || ctl->json || ctl->dry_run)
                return;
        for (size_t i = 0; i < ELEMENTSOF(places); i++)
                if (place_exists(places[i])) {
                        printf("%s%s", separator, places[i]);
                        separator = ", ";
                }
        if (getpwnam(remove->name) && (*separator == ',' || ctl->purge)) {
                printf("%suser %s", separator, remove->name);
                separator = ", ";
        }
        if (*separator == ',')
                printf(".%s\n", ctl->purge ? " bellhopctl has not made the user."
                                           : " With --purge, they are removed too.");
}

/* What is purged does not come back. */
static CtlStatus remove_ask(const Ctl *ctl, const char *name)
{
        char answer[64] = "";

        if (!ctl->purge || ctl->yes || ctl->dry_run)
                return CTL_FINE;
        if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
                output_error("--purge removes the pages, certificate and settings of %s for good. "
                             "Add --yes if that is meant; --dry-run shows what there is.",
                             name);
                return CTL_USAGE;
        }
        fprintf(stderr,
                "The pages, certificate and settings of %s are removed for good, and so is the "
                "user with its home if bellhopctl has made it.\n"
                "Type the name to go on: ",
                name);
        if (!fgets(answer, sizeof(answer), stdin))
                answer[0] = 0;
        answer[strcspn(answer, "\n")] = 0;
        if (strcmp(answer, name) == 0)
                return CTL_FINE;
        output_error("Nothing was changed.");
        return CTL_FAILED;
}

CtlStatus verb_remove(const Ctl *ctl, char *arguments[])
{
        Remove remove = { .name = arguments[0] };
        CtlStatus status;

        if (!instance_name_is_valid(remove.name)) {
                output_error("'%s' is no name of an instance. 'bellhopctl list' shows all.",
                             remove.name);
                return CTL_USAGE;
        }
        if (!places_init(ctl, remove.name, &remove.places))
                return CTL_FAILED;
        status = remove_ask(ctl, remove.name);
        if (status != CTL_FINE)
                return status;
        status = change_begin(ctl, &remove.change);
        if (status == CTL_FINE && remove_all(&remove)) {
                remove_print_rest(&remove);
        } else if (status == CTL_FINE) {
                output_error("Not all is done. Run the same command again when the cause is gone.");
                status = CTL_FAILED;
        }
        return change_done(&remove.change, status);
}
