/* SPDX-License-Identifier: MIT */
/*
 * Checks the files in which administrators changed units of bellhop, for example with 'systemctl
 * edit': whether systemd accepts each line and has read the file, whether bellhop has the unit that
 * the file is for, and whether customers can replace folders that a file shows to an instance. To
 * find the lines that systemd ignores, runs systemd-analyze(1), because systemd itself reports them
 * only in the journal.
 */
#include <glob.h>

#include "ctl/check/check.h"
#include "ctl/check/configtest.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/text.h"

#define ANALYZE "/usr/bin/systemd-analyze"
#define NOBODY  65534

#define OWN_PROPERTIES "/etc/systemd/system.control"

/* The folders in which administrators and systemctl(1) put files of units. */
static const char *const drop_in_folders[] = {
        "/etc/systemd/system",           OWN_PROPERTIES,
        "/run/systemd/system",           "/run/systemd/system.control",
        "/usr/local/lib/systemd/system",
};

typedef struct Dropins {
        Check *check;
        char **units; /* the units that these files change, each once */
        size_t n;
} Dropins;

/* Whether the unit belongs to an instance, or is the template of such units. *ret becomes the name
 * of the instance, or "" for a template. */
static bool dropins_is_of(const char *unit, char ret[static NAME_UNIT_MAX])
{
        static const NameUnit kinds[] = { NAME_SOCKET_UNIT, NAME_SERVICE_UNIT, NAME_STANDIN_UNIT };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                char all[NAME_UNIT_MAX];

                ret[0] = 0;
                if (strcmp(unit, name_unit(kinds[i], "", all)) == 0 ||
                    name_from_unit(kinds[i], unit, ret))
                        return true;
        }
        return false;
}

static bool dropins_has_file(const Check *check, const char *name)
{
        _cleanup_free_ char *path = name_path(NAME_INSTANCE_FILE, check->ctl->config_dir, name);

        return !path || access(path, F_OK) == 0;
}

/* unit: the unit that an administrator's file is for. Returns the name of the unit to ask systemd
 * about: for a template, that of the first instance. The caller frees the name. Returns NULL if
 * bellhop has no such unit, or if the unit is a template and there is no instance. *ret_is_ours:
 * whether bellhop has such a unit. */
static char *dropins_find_unit(const Check *check, const char *unit, bool *ret_is_ours)
{
        const Config *config = check->config;
        char name[NAME_UNIT_MAX];
        const char *at = strchr(unit, '@');

        *ret_is_ours = true;
        for (size_t i = 0; i < n_machine_units; i++)
                if (strcmp(unit, machine_units[i].name) == 0)
                        return strdup(unit);
        /* Files for "bellhop-.service" apply to all services whose names begin with "bellhop-",
         * such as the router's. */
        if (strncmp(unit, "bellhop-.", strlen("bellhop-.")) == 0)
                return text_format("bellhop-router%s", unit + strlen("bellhop-"));
        if (!at || !dropins_is_of(unit, name)) {
                *ret_is_ours = false;
                return NULL;
        }
        if (name[0]) {
                *ret_is_ours = dropins_has_file(check, name);
                return *ret_is_ours ? strdup(unit) : NULL;
        }
        return config->n_instances == 0 ? NULL
                                        : text_format("%.*s@%s%s", (int)(at - unit), unit,
                                                      config->instances[0].name, at + 1);
}

static bool dropins_are_read(char *const *read, const char *path)
{
        for (char *const *at = read; at && *at; at++)
                if (strcmp(basename(*at), basename(path)) == 0)
                        return true;
        return false;
}

/* Reports drop-ins in the folder if systemd has not read them. systemd itself does not notice a new
 * folder, because it only checks folders that it knows. A file is not reported if systemd has read
 * a file with the same name in another folder, because that file takes precedence. */
static void dropins_check_read(Check *check, const char *unit, const char *folder)
{
        _cleanup_free_ char *pattern = text_format("%s/*.conf", folder);
        char **read = NULL, name[NAME_UNIT_MAX];
        glob_t found;

        if (!check->bus || !pattern ||
            bus_get(check->bus, unit, "Unit", "DropInPaths", PROPERTY_STRINGS, &read) < 0)
                return;
        if (strstr(folder, "@.") || !dropins_is_of(unit, name))
                name[0] = 0;
        if (glob(pattern, 0, NULL, &found) == 0) {
                for (size_t i = 0; i < found.gl_pathc; i++)
                        if (!dropins_are_read(read, found.gl_pathv[i]))
                                finding_add(&check->findings, FINDING_UNIT_NOT_RELOADED,
                                            (Place){ name[0] ? name : NULL, found.gl_pathv[i], 0 },
                                            NULL, "systemd has not read it");
                globfree(&found);
        }
        bus_free_strings(read);
}

static bool dropins_is_defined(const char *unit)
{
        bool found = false;

        for (size_t i = 0; i < ELEMENTSOF(drop_in_folders); i++) {
                _cleanup_free_ char *path = text_format("%s/%s", drop_in_folders[i], unit);

                found |= path && access(path, F_OK) == 0;
        }
        return found;
}

static bool dropins_are_noted(const Dropins *dropins, const char *unit)
{
        for (size_t i = 0; i < dropins->n; i++)
                if (strcmp(dropins->units[i], unit) == 0)
                        return true;
        return false;
}

/* Checks one path: a unit's file, or a folder with drop-ins. */
static void dropins_note(Dropins *dropins, const char *path)
{
        const bool is_folder = text_ends_with(path, ".d");
        _cleanup_free_ char *unit = strdup(strrchr(path, '/') + 1), *known = NULL;
        struct stat st;
        bool is_ours;

        /* A link enables or masks a unit, but contains no settings. */
        if (!unit || lstat(path, &st) < 0 || S_ISLNK(st.st_mode))
                return;
        if (is_folder)
                unit[strlen(unit) - strlen(".d")] = 0;
        known = dropins_find_unit(dropins->check, unit, &is_ours);
        /* If there is a file of the unit itself in drop_in_folders, the unit belongs to other
         * software, although its name begins with "bellhop". */
        if (!is_ours && is_folder && !dropins_is_defined(unit))
                finding_add(&dropins->check->findings, FINDING_DROP_IN_UNUSED,
                            (Place){ .file = path }, NULL,
                            "bellhop has no unit or instance with the name of this folder");
        if (is_folder && known)
                dropins_check_read(dropins->check, known, path);
        if (is_folder)
                check_names(dropins->check, path);
        if (known && !dropins_are_noted(dropins, known) &&
            texts_append(&dropins->units, &dropins->n, known) < 0)
                dropins->check->findings.n_lost++;
}

static void dropins_look(Dropins *dropins)
{
        for (size_t i = 0; i < ELEMENTSOF(drop_in_folders); i++) {
                _cleanup_free_ char *pattern = text_format("%s/bellhop*.*", drop_in_folders[i]);
                glob_t found;

                if (!pattern || glob(pattern, 0, NULL, &found) != 0)
                        continue;
                for (size_t j = 0; j < found.gl_pathc; j++)
                        if (!text_ends_with(found.gl_pathv[j], ".wants") &&
                            !text_ends_with(found.gl_pathv[j], ".requires"))
                                dropins_note(dropins, found.gl_pathv[j]);
                globfree(&found);
        }
}

/* Whether the file has settings for a unit of bellhop, and is in one of drop_in_folders. */
static bool dropins_have(const char *file)
{
        for (size_t i = 0; i < ELEMENTSOF(drop_in_folders); i++) {
                const size_t length = strlen(drop_in_folders[i]);

                if (strncmp(file, drop_in_folders[i], length) == 0 &&
                    strncmp(file + length, "/bellhop", strlen("/bellhop")) == 0)
                        return true;
        }
        return false;
}

static bool dropins_is_known(const Findings *findings, const char *file, unsigned line)
{
        for (size_t i = 0; i < findings->n; i++) {
                const Finding *finding = &findings->findings[i];

                if (finding->kind == FINDING_DROP_IN_IGNORED && finding->line == line &&
                    strcmp(finding->file, file) == 0)
                        return true;
        }
        return false;
}

/* Adds a finding for a line "FILE:3: what" in the output of systemd-analyze(1). */
static void dropins_add_line(Check *check, char *said)
{
        char *colon = strstr(said, ": "), *number, name[NAME_UNIT_MAX] = "", *unit, *end;
        uint64_t line;

        if (!colon)
                return;
        *colon = 0;
        number = strrchr(said, ':');
        if (!number || !text_number(span_from_string(number + 1), UINT_MAX, &line))
                return;
        *number = 0;
        if (!dropins_have(said) || dropins_is_known(&check->findings, said, (unsigned)line))
                return;
        unit = strdup(strstr(said, "/bellhop") + 1);
        if (unit && (end = strstr(unit, ".d/")))
                *end = 0;
        if (unit)
                (void)dropins_is_of(unit, name);
        free(unit);
        finding_add(&check->findings, FINDING_DROP_IN_IGNORED,
                    (Place){ name[0] ? name : NULL, said, (unsigned)line }, NULL, "%s", colon + 2);
}

static void dropins_judge(Check *check, char *units[], size_t n)
{
        _cleanup_free_ const char **argv = reallocarray(NULL, n + 4, sizeof(*argv));
        _cleanup_free_ char *said = NULL;
        static const Identity nobody = { .uid = NOBODY, .gid = NOBODY };
        static const char *const environment[] = { "LC_ALL=C", "SYSTEMD_LOG_TARGET=console",
                                                   "SYSTEMD_LOG_COLOR=0", NULL };
        char *rest, *line;
        int r = argv ? 0 : -ENOMEM;

        if (r == 0) {
                argv[0] = ANALYZE;
                argv[1] = "verify";
                argv[2] = "--man=no";
                memcpy(&argv[3], units, n * sizeof(*argv));
                argv[n + 3] = NULL;
                r = configtest_run(&(ConfigTest){ .who = &nobody,
                                                  .argv = argv,
                                                  .environment = (char *const *)environment },
                                   &said);
        }
        if (r < 0 || r > CONFIGTEST_FAILED)
                finding_add(&check->findings, FINDING_NOT_CHECKED, NOWHERE, NULL,
                            "the drop-ins of units were not checked, because " ANALYZE " %s",
                            r < 0 ? "can't be run" : "does not end");
        rest = said;
        while (rest && (line = strsep(&rest, "\n")))
                dropins_add_line(check, line);
}

/* Returns when the unit's files in the folder, or the folder itself, last changed. */
static uint64_t dropins_changed(const char *folder, const char *unit)
{
        const char *at = strchr(unit, '@'), *dot = strrchr(unit, '.');
        const size_t stem = at ? (size_t)(at - unit) + 1 : 0;
        uint64_t last = changed_file(folder);

        for (size_t i = 0; dot && i < 6; i++) {
                /* Rounds 0 and 1 look at the unit, 2 and 3 at its template, 4 and 5 at all units of
                 * its type. Even rounds look at the unit's file, and odd rounds at its folder of
                 * drop-ins. */
                const size_t length = i < 2 ? (size_t)(dot - unit) : i < 4 ? stem : 0;
                _cleanup_free_ char *name =
                        text_format("%.*s%s%s", (int)length, unit, length > 0 ? dot : dot + 1,
                                    i % 2 > 0 ? ".d" : "");
                const uint64_t changed = name ? changed_below(folder, name) : UNKNOWN;

                last = changed > last ? changed : last;
        }
        return last;
}

/* Reports paths that users other than root can redirect by a link. binds: pairs of a path and the
 * place in the sandbox where it appears. */
static void dropins_check_bind(Check *check, const char *instance, char *const *binds)
{
        Access access;

        for (char *const *at = binds; at && *at; at++)
                if (access_ask_fixed(*at, &access) == 0 && access.error == -EPERM)
                        finding_add(&check->findings, FINDING_BIND_PATH_REPLACEABLE,
                                    (Place){ instance, *at, 0 }, NULL,
                                    "users other than root can change %s", access.obstacle);
}

/* Checks the paths that the units show to instances. */
static void dropins_check_binds(Check *check, char *const units[], size_t n)
{
        static const char *const properties[] = { "BindPaths", "BindReadOnlyPaths" };
        _cleanup_free_ BusQuestion *questions = calloc(2 * n + 1, sizeof(*questions));
        _cleanup_free_ char ***binds = calloc(2 * n + 1, sizeof(*binds));
        char instance[NAME_UNIT_MAX];
        size_t n_questions = 0;

        if (!questions || !binds) {
                check->findings.n_lost++;
                return;
        }
        for (size_t i = 0; i < 2 * n; i++) {
                BusQuestion *question = &questions[n_questions];

                if (!name_from_unit(NAME_SERVICE_UNIT, units[i / 2], instance))
                        continue;
                *question = (BusQuestion){ .interface = "Service",
                                           .property = properties[i % 2],
                                           .kind = PROPERTY_STRINGS,
                                           .ret = &binds[n_questions++] };
                (void)snprintf(question->unit, sizeof(question->unit), "%s", units[i / 2]);
        }
        if (bus_ask(check->bus, questions, n_questions) < 0)
                return;
        for (size_t i = 0; i < n_questions; i++) {
                if (name_from_unit(NAME_SERVICE_UNIT, questions[i].unit, instance))
                        dropins_check_bind(check, instance, binds[i]);
                bus_free_strings(binds[i]);
        }
}

/* Whether only files of 'systemctl set-property' changed after systemd loaded the unit. systemd
 * appends such a file to its list of the unit's drop-ins. After this, systemd says that it needs
 * a daemon-reload, because a daemon-reload would sort the list. This daemon-reload is not
 * necessary. */
static bool dropins_are_only_appended(const char *unit, uint64_t loaded_nsec)
{
        _cleanup_free_ char *own = text_format("%s.d", unit);

        if (!own || changed_below(OWN_PROPERTIES, own) == 0 || loaded_nsec == UNKNOWN ||
            is_stale(loaded_nsec, dropins_changed("/usr/lib/systemd/system", unit)))
                return false;
        for (size_t i = 0; i < ELEMENTSOF(drop_in_folders); i++)
                if (strcmp(drop_in_folders[i], OWN_PROPERTIES) != 0 &&
                    is_stale(loaded_nsec, dropins_changed(drop_in_folders[i], unit)))
                        return false;
        return true;
}

/* Reports units whose files changed after systemd read them. Ignores units that systemd has not
 * loaded: it reads their files when it needs them. */
static void dropins_check_loaded(Check *check)
{
        const size_t n = check->units.n;
        _cleanup_free_ BusQuestion *questions = calloc(n + 1, sizeof(*questions));
        _cleanup_free_ bool *needs = calloc(n + 1, sizeof(*needs));
        uint64_t loaded = UNKNOWN;

        if (!questions || !needs) {
                check->findings.n_lost++;
                return;
        }
        for (size_t i = 0; i < n; i++) {
                questions[i] = (BusQuestion){ .interface = "Unit",
                                              .property = "NeedDaemonReload",
                                              .kind = PROPERTY_BOOL,
                                              .ret = &needs[i] };
                (void)snprintf(questions[i].unit, sizeof(questions[i].unit), "%s",
                               check->units.units[i].name);
        }
        if (bus_ask(check->bus, questions, n) < 0)
                return;
        if (bus_get_units_loaded(check->bus, &loaded) >= 0)
                loaded *= 1000;
        for (size_t i = 0; i < n; i++) {
                char name[NAME_UNIT_MAX];

                if (questions[i].error < 0 || !needs[i] ||
                    dropins_are_only_appended(questions[i].unit, loaded))
                        continue;
                if (!dropins_is_of(questions[i].unit, name))
                        name[0] = 0;
                finding_add(&check->findings, FINDING_UNIT_NOT_RELOADED,
                            (Place){ .instance = name[0] ? name : NULL }, NULL,
                            "the files of %s changed after systemd read them", questions[i].unit);
        }
}

void check_dropins(Check *check)
{
        Dropins dropins = { .check = check };

        dropins_look(&dropins);
        /* dropins_judge() runs systemd-analyze as a user without any rights, which only root can
         * do. */
        if (dropins.n > 0 && geteuid() == 0)
                dropins_judge(check, dropins.units, dropins.n);
        if (check->bus) {
                dropins_check_binds(check, dropins.units, dropins.n);
                dropins_check_loaded(check);
        }
        texts_free(dropins.units, dropins.n);
}
