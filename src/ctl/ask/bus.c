/* SPDX-License-Identifier: MIT */
/* Calls systemd's D-Bus interface: see org.freedesktop.systemd1(5). No other file of bellhopctl
 * does this. */
#include "ctl/ask/bus.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/text.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define OBJECT  "/org/freedesktop/systemd1"

/* dbus-daemon allows 128 pending replies for each connection, and answers further calls with
 * errors. */
#define AT_ONCE 100

/* --- units --- */

void units_done(Units *units)
{
        free(units->units);
        sd_bus_message_unref(units->reply);
        *units = (Units){ .n = 0 };
}

static int bus_compare_units(const void *a, const void *b)
{
        return strcmp(((const UnitState *)a)->name, ((const UnitState *)b)->name);
}

static int bus_read_units(Units *units)
{
        UnitState unit;
        int r = sd_bus_message_enter_container(units->reply, 'a', "(ssssssouso)");

        while (r >= 0) {
                r = sd_bus_message_read(units->reply, "(ssssssouso)", &unit.name, NULL, NULL,
                                        &unit.active, NULL, NULL, NULL, NULL, NULL, NULL);
                if (r <= 0)
                        break;
                r = array_append(units->units, units->n, unit);
        }
        if (units->n > 0)
                qsort(units->units, units->n, sizeof(unit), bus_compare_units);
        return r;
}

int bus_list_units(sd_bus *bus, const char *pattern, Units *ret)
{
        Units units = { .n = 0 };
        int r = sd_bus_call_method(bus, SYSTEMD, OBJECT, SYSTEMD ".Manager", "ListUnitsByPatterns",
                                   NULL, &units.reply, "asas", 0, 1, pattern);

        if (r >= 0)
                r = bus_read_units(&units);
        if (r < 0) {
                units_done(&units);
                return r;
        }
        *ret = units;
        return 0;
}

const UnitState *units_find(const Units *units, const char *name)
{
        const UnitState key = { .name = name };

        /* bsearch(3) does not accept NULL as an empty array. */
        return units->n == 0
                       ? NULL
                       : bsearch(&key, units->units, units->n, sizeof(key), bus_compare_units);
}

bool unit_is_active(const Units *units, const char *name)
{
        const UnitState *unit = units_find(units, name);

        return unit && strcmp(unit->active, "active") == 0;
}

bool unit_has_begun(const Units *units, const char *name)
{
        const UnitState *unit = units_find(units, name);

        return unit &&
               (strcmp(unit->active, "active") == 0 || strcmp(unit->active, "activating") == 0 ||
                strcmp(unit->active, "reloading") == 0);
}

static int bus_ask_state(sd_bus *bus, const char *unit,
                         bool (*has_state)(const Units *units, const char *name))
{
        Units units;
        int r = bus_list_units(bus, unit, &units);

        if (r < 0)
                return r;
        r = has_state(&units, unit);
        units_done(&units);
        return r;
}

int bus_is_active(sd_bus *bus, const char *unit)
{
        return bus_ask_state(bus, unit, unit_is_active);
}

int bus_has_begun(sd_bus *bus, const char *unit)
{
        return bus_ask_state(bus, unit, unit_has_begun);
}

/* --- questions --- */

static int bus_read_number(sd_bus_message *reply, const char *type, uint64_t *ret)
{
        uint32_t narrow;
        int r;

        if (type[0] != 'u')
                return sd_bus_message_read_basic(reply, 't', ret);
        r = sd_bus_message_read_basic(reply, 'u', &narrow);
        if (r >= 0)
                *ret = narrow;
        return r;
}

/* Reads an array of pairs of strings (D-Bus type a(ss)). The array for BindPaths= has the type
 * a(ssbt): each element has two more values, which are ignored. */
static int bus_read_pairs(sd_bus_message *reply, const char *type, char ***ret)
{
        const bool is_bind = strcmp(type, "a(ssbt)") == 0;
        char **strings = NULL;
        const char *a, *b;
        uint64_t flags;
        size_t n = 0;
        int r = sd_bus_message_enter_container(reply, 'a', type + 1), optional;

        while (r >= 0 &&
               (r = is_bind ? sd_bus_message_read(reply, "(ssbt)", &a, &b, &optional, &flags)
                            : sd_bus_message_read(reply, "(ss)", &a, &b)) > 0) {
                r = texts_append(&strings, &n, a);
                if (r == 0)
                        r = texts_append(&strings, &n, b);
        }
        if (r >= 0)
                r = array_append(strings, n, NULL);
        if (r >= 0)
                *ret = strings;
        else
                texts_free(strings, n);
        return r;
}

static int bus_read_value(sd_bus_message *reply, const BusQuestion *question)
{
        const char *type, *text;
        int r = sd_bus_message_peek_type(reply, NULL, &type), truth;

        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'v', type);
        if (r < 0)
                return r;
        switch (question->kind) {
        case PROPERTY_STRING:
                r = sd_bus_message_read_basic(reply, 's', &text);
                if (r < 0)
                        return r;
                *(char **)question->ret = strdup(text);
                return *(char **)question->ret ? 0 : -ENOMEM;
        case PROPERTY_NUMBER:
                return bus_read_number(reply, type, question->ret);
        case PROPERTY_BOOL:
                r = sd_bus_message_read_basic(reply, 'b', &truth);
                if (r >= 0)
                        *(bool *)question->ret = truth;
                return r;
        case PROPERTY_STRINGS:
                return strcmp(type, "as") == 0 ? sd_bus_message_read_strv(reply, question->ret)
                                               : bus_read_pairs(reply, type, question->ret);
        }
        return -EINVAL;
}

typedef struct Asked {
        sd_bus *bus;
        BusQuestion *question;
        size_t *n_open;
} Asked;

static int bus_on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        Asked *asked = userdata;
        const int r = sd_bus_message_is_method_error(reply, NULL)
                              ? -sd_bus_message_get_errno(reply)
                              : bus_read_value(reply, asked->question);

        asked->question->error = r < 0 ? r : 0;
        /* After a time-out (25 seconds), closes the connection, because each further question
         * would take as long. */
        if (r == -ETIMEDOUT)
                sd_bus_close(asked->bus);
        (*asked->n_open)--;
        return 0;
}

static int bus_put_question(sd_bus *bus, Asked *asked)
{
        const BusQuestion *question = asked->question;
        _cleanup_free_ char *path = NULL, *interface = NULL;
        int r = sd_bus_path_encode(OBJECT "/unit", question->unit, &path);

        interface = text_format(SYSTEMD ".%s", question->interface);
        if (r < 0 || !interface)
                return r < 0 ? r : -ENOMEM;
        return sd_bus_call_method_async(bus, NULL, SYSTEMD, path, "org.freedesktop.DBus.Properties",
                                        "Get", bus_on_answer, asked, "ss", interface,
                                        question->property);
}

int bus_ask(sd_bus *bus, BusQuestion questions[], size_t n)
{
        _cleanup_free_ Asked *asked = calloc(n + 1, sizeof(*asked));
        size_t n_open = 0;
        int r = asked ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && (i < n || n_open > 0);) {
                if (i < n && n_open < AT_ONCE) {
                        asked[i] = (Asked){ bus, &questions[i], &n_open };
                        questions[i].error = bus_put_question(bus, &asked[i]);
                        n_open += questions[i++].error >= 0;
                } else {
                        r = sd_bus_process(bus, NULL);
                        if (r == 0)
                                r = sd_bus_wait(bus, UINT64_MAX);
                        if (r == -EINTR)
                                r = 0;
                }
        }
        return r < 0 ? r : 0;
}

int bus_get(sd_bus *bus, const char *unit, const char *interface, const char *property,
            PropertyKind kind, void *ret)
{
        BusQuestion question = {
                .interface = interface, .property = property, .kind = kind, .ret = ret
        };
        int r;

        (void)snprintf(question.unit, sizeof(question.unit), "%s", unit);
        r = bus_ask(bus, &question, 1);
        return r < 0 ? r : question.error;
}

char **bus_free_strings(char **strings)
{
        for (char **at = strings; at && *at; at++)
                free(*at);
        free(strings);
        return NULL;
}

int bus_get_units_loaded(sd_bus *bus, uint64_t *ret_usec)
{
        return sd_bus_get_property_trivial(bus, SYSTEMD, OBJECT, SYSTEMD ".Manager",
                                           "UnitsLoadTimestamp", NULL, 't', ret_usec);
}

int bus_get_credential(sd_bus *bus, const char *unit, const char *name, char **ret_path,
                       bool *ret_encrypted)
{
        static const char *const properties[] = { "LoadCredential", "LoadCredentialEncrypted" };
        int r = 0;

        *ret_path = NULL;
        for (size_t i = 0; r == 0 && !*ret_path && i < ELEMENTSOF(properties); i++) {
                char **pairs = NULL;

                r = bus_get(bus, unit, "Service", properties[i], PROPERTY_STRINGS, &pairs);
                for (char **at = pairs; at && *at && !*ret_path; at += 2)
                        if (strcmp(at[0], name) == 0 && !(*ret_path = strdup(at[1])))
                                r = -ENOMEM;
                *ret_encrypted = i == 1;
                bus_free_strings(pairs);
        }
        return r;
}
