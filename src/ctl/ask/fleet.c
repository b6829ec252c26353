/* SPDX-License-Identifier: MIT */
/* Each section of this file collects the information from one source. */
#include "ctl/ask/fleet.h"
#include "config/folder.h"
#include "ctl/ask/certificate.h"
#include "ctl/ask/stale.h"
#include "instance/state.h"
#include "metrics/metrics.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"

const char *const fleet_state_names[FLEET_STATES] = {
        [FLEET_UNKNOWN] = "unknown", [FLEET_OFF] = "off",
        [FLEET_IDLE] = "idle",       [FLEET_STARTING] = "starting",
        [FLEET_ACTIVE] = "active",   [FLEET_STOPPING] = "stopping",
        [FLEET_FAILED] = "failed",   [FLEET_SUSPENDED] = "suspended",
};

/* --- files --- */

static int fleet_compare(const void *a, const void *b)
{
        return strcmp(((const FleetEntry *)a)->name, ((const FleetEntry *)b)->name);
}

static void fleet_sort(Fleet *fleet)
{
        if (fleet->n > 0)
                qsort(fleet->entries, fleet->n, sizeof(*fleet->entries), fleet_compare);
}

FleetEntry *fleet_find(const Fleet *fleet, const char *name)
{
        const FleetEntry key = { .name = (char *)name };

        return fleet->n == 0 ? NULL
                             : bsearch(&key, fleet->entries, fleet->n, sizeof(key), fleet_compare);
}

static int fleet_append(Fleet *fleet, const char *name, const Instance *instance, bool has_file)
{
        FleetEntry entry = {
                .name = strdup(name),
                .instance = instance,
                .has_file = has_file,
                .n_open = UNKNOWN,
                .n_handoffs = UNKNOWN,
                .n_refused = UNKNOWN,
                .n_redirected = UNKNOWN,
                .n_waiting = UNKNOWN,
                .memory = UNKNOWN,
                .tasks = UNKNOWN,
                .cpu_nsec = UNKNOWN,
                .inactive_usec = UNKNOWN,
                .pid = UNKNOWN,
                .since_usec = UNKNOWN,
                .started_usec = UNKNOWN,
                .is_private = instance && instance->network == NETWORK_NO,
        };
        const int r = entry.name ? array_append(fleet->entries, fleet->n, entry) : -ENOMEM;

        if (r < 0)
                free(entry.name);
        return r;
}

/* Appends instances whose file has a mistake, because the router may still serve them with their
 * earlier settings. */
static int fleet_append_bad_files(Fleet *fleet, const char *config_dir, const char *only)
{
        _cleanup_free_ char *path = text_format("%s/instances", config_dir);
        Folder folder = { .n = 0 };
        int r = path ? folder_list(path, &folder) : -ENOMEM;

        for (int i = 0; r == 0 && i < folder.n; i++) {
                const char *name = folder.entries[i]->d_name;

                if (!instance_name_is_valid(name) || (only && strcmp(name, only) != 0) ||
                    config_find_instance(fleet->config, name) != ROUTE_NONE)
                        continue;
                fleet->n_bad++;
                r = fleet_append(fleet, name, NULL, true);
        }
        folder_done(&folder);
        return r;
}

static int fleet_load_files(Fleet *fleet, const char *config_dir, const char *only)
{
        int r = config_load(config_dir, CONFIG_USERS_CHECK, NULL, &fleet->config);

        for (size_t i = 0; r == 0 && i < fleet->config->n_instances; i++) {
                const Instance *instance = &fleet->config->instances[i];

                if (!only || strcmp(instance->name, only) == 0)
                        r = fleet_append(fleet, instance->name, instance, true);
        }
        if (r == 0)
                r = fleet_append_bad_files(fleet, config_dir, only);
        fleet_sort(fleet);
        return r;
}

#define FIELD(name) offsetof(FleetEntry, name)

/* --- the router --- */

static void fleet_take_sample(Fleet *fleet, const Sample *sample)
{
        static const struct {
                const char *name;
                size_t offset;
        } fields[] = {
                { METRIC_INSTANCE_HANDED_OFF, FIELD(n_handoffs) },
                { METRIC_INSTANCE_REFUSED, FIELD(n_refused) },
                { METRIC_INSTANCE_REDIRECTED, FIELD(n_redirected) },
                { METRIC_INSTANCE_WAITING, FIELD(n_waiting) },
                { METRIC_INSTANCE_LAST_HANDOFF, FIELD(last_used) },
        };
        char name[NAME_UNIT_MAX];
        FleetEntry *entry;

        if (!sample_label(sample, "instance", name, sizeof(name)) ||
            !(entry = fleet_find(fleet, name)))
                return;
        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                uint64_t *field = (uint64_t *)(void *)((char *)entry + fields[i].offset);

                /* Adds the values, because refusals have one counter for each reason. */
                if (strcmp(sample->name, fields[i].name) == 0)
                        *field = (*field == UNKNOWN ? 0 : *field) + (uint64_t)sample->value;
        }
}

/* --- systemd --- */

static const char *fleet_unit_active(const Fleet *fleet, NameUnit what, const char *name)
{
        char text[NAME_UNIT_MAX];
        const UnitState *unit = units_find(&fleet->units, name_unit(what, name, text));

        return unit ? unit->active : "inactive";
}

static FleetState fleet_state_of(const Fleet *fleet, const char *name)
{
        const char *service = fleet_unit_active(fleet, NAME_SERVICE_UNIT, name);
        const char *socket = fleet_unit_active(fleet, NAME_SOCKET_UNIT, name);

        if (strcmp(service, "active") == 0 || strcmp(service, "reloading") == 0)
                return FLEET_ACTIVE;
        if (strcmp(service, "activating") == 0)
                return FLEET_STARTING;
        if (strcmp(service, "deactivating") == 0)
                return FLEET_STOPPING;
        if (strcmp(service, "failed") == 0 || strcmp(socket, "failed") == 0)
                return FLEET_FAILED;
        return strcmp(socket, "active") == 0 ? FLEET_IDLE : FLEET_OFF;
}

#define ACTIVE   (1U << FLEET_ACTIVE)
#define STARTING (1U << FLEET_STARTING)
#define STOPPING (1U << FLEET_STOPPING)
#define ENDED    (1U << FLEET_IDLE | 1U << FLEET_FAILED | 1U << FLEET_OFF)
#define ALWAYS   (~0U)

#define FOR_ALL (FLEET_FOR_LIST | FLEET_FOR_STATUS | FLEET_FOR_APPLY)

/* The questions to systemd about services. Each row says for which states of an instance, and for
 * which depths of fleet_load(), its question is asked. */
static const struct {
        const char *interface, *property;
        PropertyKind kind;
        size_t offset;
        unsigned states;
        unsigned depths;
} asks[] = {
        { "Service", "MemoryCurrent", PROPERTY_NUMBER, FIELD(memory), ACTIVE, FOR_ALL },
        { "Service", "TasksCurrent", PROPERTY_NUMBER, FIELD(tasks), ACTIVE, FLEET_FOR_STATUS },
        { "Service", "CPUUsageNSec", PROPERTY_NUMBER, FIELD(cpu_nsec), ACTIVE, FOR_ALL },
        { "Unit", "InactiveEnterTimestamp", PROPERTY_NUMBER, FIELD(inactive_usec), ENDED, FOR_ALL },
        { "Service", "Result", PROPERTY_STRING, FIELD(result), STOPPING,
          FLEET_FOR_LIST | FLEET_FOR_APPLY },
        { "Service", "Result", PROPERTY_STRING, FIELD(result), ALWAYS, FLEET_FOR_STATUS },
        { "Service", "StatusText", PROPERTY_STRING, FIELD(said), ALWAYS, FLEET_FOR_STATUS },
        { "Service", "MainPID", PROPERTY_NUMBER, FIELD(pid), ACTIVE, FOR_ALL },
        { "Unit", "StateChangeTimestamp", PROPERTY_NUMBER, FIELD(since_usec), ALWAYS,
          FLEET_FOR_STATUS },
        { "Service", "ExecMainStartTimestamp", PROPERTY_NUMBER, FIELD(started_usec),
          ACTIVE | STARTING, FLEET_FOR_APPLY },
        { "Service", "PrivateNetwork", PROPERTY_BOOL, FIELD(is_private), ALWAYS, FLEET_FOR_APPLY },
        { "Unit", "After", PROPERTY_STRINGS, FIELD(after), ALWAYS, FLEET_FOR_APPLY },
};

/* Puts the questions about one instance into ret, and returns their number. Asks nothing if systemd
 * does not have the unit in memory: systemd would load the unit only to give empty answers. */
static size_t fleet_put_questions(const Fleet *fleet, FleetEntry *entry, FleetDepth depth,
                                  BusQuestion ret[])
{
        char unit[NAME_UNIT_MAX];
        size_t n = 0;

        if (!units_find(&fleet->units, name_unit(NAME_SERVICE_UNIT, entry->name, unit)))
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(asks); i++) {
                if (!(asks[i].states & 1U << entry->state) || !(asks[i].depths & depth))
                        continue;
                ret[n] = (BusQuestion){
                        .interface = asks[i].interface,
                        .property = asks[i].property,
                        .kind = asks[i].kind,
                        .ret = (char *)entry + asks[i].offset,
                };
                memcpy(ret[n++].unit, unit, sizeof(unit));
        }
        return n;
}

/* Appends instances whose socket remains although their file was removed. */
static int fleet_append_left_over(Fleet *fleet, const char *only)
{
        const size_t n = fleet->units.n;
        char name[NAME_UNIT_MAX];
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++)
                if (strcmp(fleet->units.units[i].active, "inactive") != 0 &&
                    name_from_unit(NAME_SOCKET_UNIT, fleet->units.units[i].name, name) &&
                    (!only || strcmp(name, only) == 0) && !fleet_find(fleet, name)) {
                        r = fleet_append(fleet, name, NULL, false);
                        fleet_sort(fleet);
                }
        return r;
}

/* Marks the instances about which systemd did not answer all questions. For example, dbus-daemon
 * may be set to allow fewer pending replies than bus_ask() needs. */
static void fleet_note_unanswered(Fleet *fleet, const BusQuestion questions[], size_t n)
{
        char name[NAME_UNIT_MAX];
        FleetEntry *entry;

        for (size_t i = 0; i < n; i++)
                if (questions[i].error < 0 &&
                    name_from_unit(NAME_SERVICE_UNIT, questions[i].unit, name) &&
                    (entry = fleet_find(fleet, name)) && !entry->is_partly_unknown) {
                        entry->is_partly_unknown = true;
                        fleet->n_partly_unknown++;
                }
}

static int fleet_ask_systemd(Fleet *fleet, const char *only, FleetDepth depth)
{
        _cleanup_free_ BusQuestion *questions = NULL;
        size_t n = 0;
        int r = bus_list_units(fleet->bus, "bellhop*@*", &fleet->units);

        if (r == 0)
                r = fleet_append_left_over(fleet, only);
        questions = calloc(fleet->n + 1, ELEMENTSOF(asks) * sizeof(*questions));
        if (r == 0 && !questions)
                r = -ENOMEM;
        for (size_t i = 0; r == 0 && i < fleet->n; i++) {
                FleetEntry *entry = &fleet->entries[i];

                entry->state = fleet_state_of(fleet, entry->name);
                n += fleet_put_questions(fleet, entry, depth, questions + n);
        }
        if (r == 0)
                r = bus_ask(fleet->bus, questions, n);
        if (r == 0)
                fleet_note_unanswered(fleet, questions, n);
        return r;
}

/* --- the instance itself --- */

static void fleet_finish(FleetEntry *entry)
{
        _cleanup_free_ char *dir = state_dir_of(entry->pid, INSTANCE_RUNTIME_DIR);
        State state = { .n_open = entry->state == FLEET_IDLE ? 0 : UNKNOWN };

        /* The customer can write anything into the state file, so state_read() ignores a file that
         * is malformed. */
        if (dir)
                (void)state_read(dir, &state);
        entry->n_open = state.n_open;
        if (entry->last_used == 0)
                entry->last_used = state.last_handoff_usec / 1000000;
        /* Neither the router nor the instance knows hand-offs from before its own start. If neither
         * knows a hand-off, the time when the service ended is the best estimate. */
        if (entry->last_used == 0 && entry->inactive_usec != UNKNOWN)
                entry->last_used = entry->inactive_usec / 1000000;
        /* The result shows that the service is ending because of a failure. */
        if (entry->state == FLEET_STOPPING && entry->result &&
            strcmp(entry->result, "success") != 0)
                entry->state = FLEET_FAILED;
}

int fleet_load(const Ctl *ctl, const char *only, FleetDepth depth, Fleet *ret)
{
        Fleet fleet = { .n = 0 };
        int r = fleet_load_files(&fleet, ctl->config_dir, only);

        if (r == 0) {
                fleet.bus_error = sd_bus_open_system(&fleet.bus);
                if (fleet.bus_error >= 0)
                        fleet.bus_error = fleet_ask_systemd(&fleet, only, depth);
                fleet.router_error = samples_fetch(ctl->runtime_dir, &fleet.samples);
                for (size_t i = 0; i < fleet.samples.n; i++)
                        fleet_take_sample(&fleet, &fleet.samples.samples[i]);
                for (size_t i = 0; i < fleet.n; i++)
                        fleet_finish(&fleet.entries[i]);
                if (fleet.router_error == -ENOMEM || fleet.bus_error == -ENOMEM)
                        r = -ENOMEM;
        }
        if (r < 0) {
                fleet_done(&fleet);
                return r;
        }
        *ret = fleet;
        return 0;
}

void fleet_done(Fleet *fleet)
{
        for (size_t i = 0; i < fleet->n; i++) {
                free(fleet->entries[i].name);
                free(fleet->entries[i].result);
                free(fleet->entries[i].said);
                bus_free_strings(fleet->entries[i].after);
        }
        free(fleet->entries);
        units_done(&fleet->units);
        samples_done(&fleet->samples);
        config_free(fleet->config);
        sd_bus_flush_close_unref(fleet->bus);
        *fleet = (Fleet){ .n = 0 };
}

Network fleet_network(const FleetEntry *entry)
{
        if (entry->is_private)
                return NETWORK_NO;
        if (!entry->after)
                return entry->instance ? entry->instance->network : NETWORK_YES;
        for (char **unit = entry->after; *unit; unit++)
                if (strcmp(*unit, FIREWALL_SERVICE) == 0)
                        return NETWORK_INTERNET;
        return NETWORK_YES;
}

FleetState fleet_shown_state(const FleetEntry *entry)
{
        const bool serves = entry->state != FLEET_UNKNOWN && entry->state != FLEET_OFF &&
                            entry->state != FLEET_FAILED;

        return serves && entry->instance && entry->instance->is_suspended ? FLEET_SUSPENDED
                                                                          : entry->state;
}

int fleet_router_lacks(const Fleet *fleet, uint64_t changed_nsec)
{
        const uint64_t read = samples_router_read(&fleet->samples);

        if (fleet->router_error < 0)
                return fleet->router_error == -ESHUTDOWN ? 0 : fleet->router_error;
        return read == UNKNOWN ? -EPROTO : is_stale(read, changed_nsec);
}

/* --- certificates --- */

static int fleet_read_certificate(const char *path, FleetCertificate *ret)
{
        STACK_OF(X509) *certificates = NULL;
        const int r = certificates_read(path, &certificates);

        if (r != PEM_TAKEN)
                return r < 0 ? r : -EBADMSG;
        *ret = (FleetCertificate){
                certificate_not_after(sk_X509_value(certificates, 0)),
                certificate_is_self_signed(sk_X509_value(certificates, 0)),
        };
        certificates_free(certificates);
        return 0;
}

static int fleet_read_credential(const Fleet *fleet, const char *name, FleetCertificate *ret)
{
        _cleanup_free_ char *path = NULL;
        char unit[NAME_UNIT_MAX];
        bool encrypted = false;

        (void)name_unit(NAME_SERVICE_UNIT, name, unit);
        if (fleet->bus_error < 0 ||
            (units_find(&fleet->units, unit) &&
             bus_get_credential(fleet->bus, unit, "fullchain.pem", &path, &encrypted) < 0))
                return -EAGAIN;
        if (!path)
                return -ENOENT;
        return encrypted ? -EACCES : fleet_read_certificate(path, ret);
}

static int fleet_read_own(const Ctl *ctl, const Fleet *fleet, const char *name,
                          FleetCertificate *ret)
{
        _cleanup_free_ char *path = name_path(NAME_CERTIFICATE, ctl->config_dir, name);
        int r = -ENOENT;

        if (!path)
                return -ENOMEM;
        if (fleet->n > 1)
                r = fleet_read_certificate(path, ret);
        if (r == -ENOENT)
                r = fleet_read_credential(fleet, name, ret);
        if ((r == -ENOENT || r == -EAGAIN) && fleet->n == 1) {
                const int from_file = fleet_read_certificate(path, ret);

                r = from_file == -ENOENT ? r : from_file;
        }
        return r;
}

int fleet_certificate(const Ctl *ctl, const Fleet *fleet, const char *name, const Hosts *hosts,
                      FleetCertificate *ret)
{
        int r = fleet_read_own(ctl, fleet, name, ret);

        for (size_t i = 0; r == 0 && i < hosts->n_hosts; i++) {
                char path[PATH_MAX];
                FleetCertificate own;
                int of_host = -ENAMETOOLONG;

                if (name_host_path_fill(NAME_CERTIFICATE, ctl->config_dir, name, hosts->hosts[i],
                                        path))
                        of_host = fleet_read_certificate(path, &own);
                if (of_host == 0 && own.expires < ret->expires)
                        ret->expires = own.expires;
                ret->is_self_signed = ret->is_self_signed || (of_host == 0 && own.is_self_signed);
                if (of_host < 0 && of_host != -ENOENT)
                        r = of_host;
        }
        return r;
}
