/* SPDX-License-Identifier: MIT */
/*
 * Owns the words of systemd's D-Bus interface, org.freedesktop.systemd1(5).
 */
#include "ctl/ask/bus.h"
#include "util/cleanup.h"

#define SYSTEMD   "org.freedesktop.systemd1"
#define UNIT_PATH "/org/freedesktop/systemd1/unit"

int bus_open(sd_bus **ret)
{
        sd_bus *bus = NULL;
        const int r = sd_bus_open_system(&bus);

        if (r < 0)
                return r;
        *ret = bus;
        return 0;
}

sd_bus *bus_close(sd_bus *bus)
{
        return sd_bus_flush_close_unref(bus);
}

static void unit_state_done(UnitState *state)
{
        free(state->name);
        free(state->load);
        free(state->active);
        free(state->sub);
}

void units_done(Units *units)
{
        for (size_t i = 0; i < units->n; i++)
                unit_state_done(&units->units[i]);
        free(units->units);
        *units = (Units){ .n = 0 };
}

static int append_unit(Units *units, size_t *room, const char *name, const char *load,
                       const char *active, const char *sub)
{
        UnitState state;

        if (units->n == *room) {
                const size_t more = *room ? *room * 2 : 64;
                UnitState *grown = reallocarray(units->units, more, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                units->units = grown;
                *room = more;
        }
        state = (UnitState){ strdup(name), strdup(load), strdup(active), strdup(sub) };
        if (!state.name || !state.load || !state.active || !state.sub) {
                unit_state_done(&state);
                return -ENOMEM;
        }
        units->units[units->n++] = state;
        return 0;
}

static int compare_units(const void *a, const void *b)
{
        return strcmp(((const UnitState *)a)->name, ((const UnitState *)b)->name);
}

static int read_units(sd_bus_message *reply, Units *units)
{
        const char *name, *load, *active, *sub;
        size_t room = 0;
        int r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");

        while (r >= 0) {
                /* Description, what it follows, path and job are of no interest. */
                r = sd_bus_message_read(reply, "(ssssssouso)", &name, NULL, &load, &active, &sub,
                                        NULL, NULL, NULL, NULL, NULL);
                if (r <= 0)
                        break;
                r = append_unit(units, &room, name, load, active, sub);
        }
        if (units->n > 0)
                qsort(units->units, units->n, sizeof(*units->units), compare_units);
        return r;
}

int bus_list_units(sd_bus *bus, const char *pattern, Units *ret)
{
        Units units = { .n = 0 };
        sd_bus_message *reply = NULL;
        int r = sd_bus_call_method(bus, SYSTEMD, "/org/freedesktop/systemd1", SYSTEMD ".Manager",
                                   "ListUnitsByPatterns", NULL, &reply, "asas", 0, 1, pattern);

        if (r >= 0)
                r = read_units(reply, &units);
        sd_bus_message_unref(reply);
        if (r < 0) {
                units_done(&units);
                return r;
        }
        *ret = units;
        return 0;
}

const UnitState *units_find(const Units *units, const char *name)
{
        const UnitState key = { .name = (char *)name };

        return units->n == 0 ? NULL
                             : bsearch(&key, units->units, units->n, sizeof(key), compare_units);
}

bool unit_is_active(const Units *units, const char *name)
{
        const UnitState *unit = units_find(units, name);

        return unit && strcmp(unit->active, "active") == 0;
}

void unit_name_of(const char *template, const char *instance, const char *suffix,
                  char ret[static UNIT_NAME_MAX])
{
        (void)snprintf(ret, UNIT_NAME_MAX, "%s@%s.%s", template, instance, suffix);
}

void unit_name(const char *instance, const char *suffix, char ret[static UNIT_NAME_MAX])
{
        unit_name_of("bellhop", instance, suffix, ret);
}

/* type: a basic one, or of a string, which is then the caller's. */
static int get_property(sd_bus *bus, const char *unit, const char *interface, const char *property,
                        char type, void *ret)
{
        _cleanup_free_ char *path = NULL, *whole = NULL;
        int r = sd_bus_path_encode(UNIT_PATH, unit, &path);

        if (r < 0)
                return r;
        if (asprintf(&whole, SYSTEMD ".%s", interface) < 0)
                return -ENOMEM;
        if (type == 's')
                return sd_bus_get_property_string(bus, SYSTEMD, path, whole, property, NULL, ret);
        return sd_bus_get_property_trivial(bus, SYSTEMD, path, whole, property, NULL, type, ret);
}

int bus_get_string(sd_bus *bus, const char *unit, const char *interface, const char *property,
                   char **ret)
{
        const int r = get_property(bus, unit, interface, property, 's', ret);

        return r < 0 ? r : 0;
}

int bus_get_number(sd_bus *bus, const char *unit, const char *interface, const char *property,
                   uint64_t *ret)
{
        uint32_t narrow;
        int r = get_property(bus, unit, interface, property, 't', ret);

        if (r != -ENXIO)
                return r < 0 ? r : 0;
        r = get_property(bus, unit, interface, property, 'u', &narrow);
        if (r < 0)
                return r;
        *ret = narrow;
        return 0;
}

int bus_get_bool(sd_bus *bus, const char *unit, const char *interface, const char *property,
                 bool *ret)
{
        int value;
        const int r = get_property(bus, unit, interface, property, 'b', &value);

        if (r < 0)
                return r;
        *ret = value;
        return 0;
}

int bus_get_strings(sd_bus *bus, const char *unit, const char *interface, const char *property,
                    char ***ret)
{
        _cleanup_free_ char *path = NULL, *whole = NULL;
        int r = sd_bus_path_encode(UNIT_PATH, unit, &path);

        if (r < 0)
                return r;
        if (asprintf(&whole, SYSTEMD ".%s", interface) < 0)
                return -ENOMEM;
        r = sd_bus_get_property_strv(bus, SYSTEMD, path, whole, property, NULL, ret);
        return r < 0 ? r : 0;
}

void bus_free_strings(char **strings)
{
        for (char **at = strings; at && *at; at++)
                free(*at);
        free(strings);
}

/* 0: none, as it is no TCP socket or the address is a path. */
static uint16_t port_of(const char *type, const char *address)
{
        const char *colon = strrchr(address, ':');

        return strcmp(type, "Stream") == 0 && colon ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0;
}

static bool has_port(const uint16_t ports[], size_t n, uint16_t port)
{
        for (size_t i = 0; i < n; i++)
                if (ports[i] == port)
                        return true;
        return false;
}

int bus_get_listen_ports(sd_bus *bus, const char *unit, uint16_t ports[], size_t size,
                         size_t *ret_n)
{
        _cleanup_free_ char *path = NULL;
        sd_bus_message *reply = NULL;
        const char *type, *address;
        size_t n = 0;
        int r = sd_bus_path_encode(UNIT_PATH, unit, &path);

        if (r >= 0)
                r = sd_bus_get_property(bus, SYSTEMD, path, SYSTEMD ".Socket", "Listen", NULL,
                                        &reply, "a(ss)");
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(ss)");
        while (r >= 0 && n < size) {
                uint16_t port;

                r = sd_bus_message_read(reply, "(ss)", &type, &address);
                if (r <= 0)
                        break;
                port = port_of(type, address);
                if (port != 0 && !has_port(ports, n, port))
                        ports[n++] = port;
        }
        sd_bus_message_unref(reply);
        if (r < 0)
                return r;
        *ret_n = n;
        return 0;
}

/* One of the lists of a service: name and path. */
static int find_credential(sd_bus *bus, const char *unit, const char *property, const char *name,
                           char **ret_path)
{
        _cleanup_free_ char *path = NULL;
        sd_bus_message *reply = NULL;
        const char *id, *source;
        int r = sd_bus_path_encode(UNIT_PATH, unit, &path);

        if (r >= 0)
                r = sd_bus_get_property(bus, SYSTEMD, path, SYSTEMD ".Service", property, NULL,
                                        &reply, "a(ss)");
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(ss)");
        while (r >= 0 && !*ret_path) {
                r = sd_bus_message_read(reply, "(ss)", &id, &source);
                if (r <= 0)
                        break;
                if (strcmp(id, name) == 0)
                        *ret_path = strdup(source);
        }
        sd_bus_message_unref(reply);
        return r < 0 ? r : 0;
}

int bus_get_credential(sd_bus *bus, const char *unit, const char *name, char **ret_path,
                       bool *ret_encrypted)
{
        int r;

        *ret_path = NULL;
        *ret_encrypted = false;
        r = find_credential(bus, unit, "LoadCredential", name, ret_path);
        if (r < 0 || *ret_path)
                return r;
        r = find_credential(bus, unit, "LoadCredentialEncrypted", name, ret_path);
        *ret_encrypted = *ret_path;
        return r;
}
