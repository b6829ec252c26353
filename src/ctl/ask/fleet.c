/* SPDX-License-Identifier: MIT */
/*
 * Owns what the state of an instance is called, and from where each number comes.
 */
#include <dirent.h>
#include <inttypes.h>

#include "ctl/ask/certificate.h"
#include "ctl/ask/file.h"
#include "ctl/ask/fleet.h"
#include "util/cleanup.h"

#define SUFFIX ".conf"

/* What systemd is asked of a service, as far as it matters in its state. */
enum { ASK_STATUS, ASK_MEMORY, ASK_CPU, ASK_SINCE, ASK_RESULT, ASKS };

/* Of a service; the answers that don't go into its member. */
typedef struct Told {
        uint64_t inactive_usec; /* when it became so, since 1970 */
        char *result;
} Told;

const char *const site_state_names[SITE_STATES] = {
        [SITE_UNKNOWN] = "unknown",   [SITE_OFF] = "off",       [SITE_IDLE] = "idle",
        [SITE_STARTING] = "starting", [SITE_ACTIVE] = "active", [SITE_STOPPING] = "stopping",
        [SITE_FAILED] = "failed",
};

static int compare_sites(const void *a, const void *b)
{
        return strcmp(((const Member *)a)->name, ((const Member *)b)->name);
}

Member *fleet_find(const Fleet *fleet, const char *name)
{
        const Member key = { .name = (char *)name };

        return fleet->n == 0 ? NULL
                             : bsearch(&key, fleet->sites, fleet->n, sizeof(key), compare_sites);
}

static int append_site(Fleet *fleet, const char *name, const Instance *instance)
{
        Member *sites = reallocarray(fleet->sites, fleet->n + 1, sizeof(*sites));
        char *copy = strdup(name);

        if (sites)
                fleet->sites = sites;
        if (!sites || !copy) {
                free(copy);
                return -ENOMEM;
        }
        sites[fleet->n++] = (Member){ .name = copy, .instance = instance };
        return 0;
}

/* "NAME.conf" that is no name of an instance tells of nobody. */
static int append_file(Fleet *fleet, const char *file, const char *only)
{
        const size_t length = strlen(file);
        char name[UNIT_NAME_MAX];

        if (length <= strlen(SUFFIX) || strcmp(file + length - strlen(SUFFIX), SUFFIX) != 0 ||
            length - strlen(SUFFIX) >= sizeof(name))
                return 0;
        memcpy(name, file, length - strlen(SUFFIX));
        name[length - strlen(SUFFIX)] = 0;
        if (!instance_name_is_valid(name) || (only && strcmp(name, only) != 0) ||
            config_find_instance(fleet->config, name) != ROUTE_NONE)
                return 0;
        fleet->n_bad++;
        return append_site(fleet, name, NULL);
}

/* Those with a mistake, too: they may well be served as before. */
static int append_bad_files(Fleet *fleet, const char *config_dir, const char *only)
{
        _cleanup_free_ char *folder = NULL;
        const struct dirent *entry;
        int r = 0;
        DIR *dir;

        if (asprintf(&folder, "%s/instances", config_dir) < 0) {
                folder = NULL;
                return -ENOMEM;
        }
        dir = opendir(folder);
        while (dir && r == 0 && (entry = readdir(dir)))
                r = append_file(fleet, entry->d_name, only);
        if (dir)
                (void)closedir(dir);
        return r;
}

static int load_sites(Fleet *fleet, const char *config_dir, const char *only)
{
        int r = config_load(config_dir, CONFIG_USERS_CHECK, NULL, &fleet->config);

        for (size_t i = 0; r == 0 && i < fleet->config->n_instances; i++) {
                const Instance *instance = &fleet->config->instances[i];

                if (!only || strcmp(instance->name, only) == 0)
                        r = append_site(fleet, instance->name, instance);
        }
        if (r == 0)
                r = append_bad_files(fleet, config_dir, only);
        if (fleet->n > 0)
                qsort(fleet->sites, fleet->n, sizeof(*fleet->sites), compare_sites);
        return r;
}

/* --- the router --- */

/* Where a sample of one instance goes; NULL: it is of no interest. */
static uint64_t *field_of(Member *site, const char *name)
{
        if (strcmp(name, "handed_off_total") == 0)
                return &site->n_handoffs;
        if (strcmp(name, "refused_total") == 0)
                return &site->n_refused;
        if (strcmp(name, "redirected_total") == 0)
                return &site->n_redirected;
        if (strcmp(name, "waiting_connections") == 0)
                return &site->n_waiting;
        if (strcmp(name, "last_handoff_timestamp_seconds") == 0)
                return &site->last_used;
        return NULL;
}

static void take_sample(Fleet *fleet, const Sample *sample)
{
        static const char prefix[] = "bellhop_instance_";
        char name[UNIT_NAME_MAX];
        uint64_t *field;
        Member *site;

        if (strncmp(sample->name, prefix, strlen(prefix)) != 0 ||
            !sample_label(sample, "instance", name, sizeof(name)))
                return;
        site = fleet_find(fleet, name);
        field = site ? field_of(site, sample->name + strlen(prefix)) : NULL;
        /* Of refusals there is one for each reason. */
        if (field)
                *field = (*field == UNKNOWN ? 0 : *field) + (uint64_t)sample->value;
}

static void ask_router(const Ctl *ctl, Fleet *fleet)
{
        samples_done(&fleet->samples);
        fleet->router_error = samples_fetch(ctl->runtime_dir, &fleet->samples);
        for (size_t i = 0; i < fleet->n; i++) {
                Member *site = &fleet->sites[i];

                site->n_handoffs = site->n_refused = site->n_redirected = site->n_waiting = UNKNOWN;
                site->last_used = 0;
        }
        for (size_t i = 0; i < fleet->samples.n; i++)
                take_sample(fleet, &fleet->samples.samples[i]);
}

/* --- systemd --- */

static const char *active_of(const Fleet *fleet, const char *name, const char *suffix)
{
        const UnitState *unit;
        char full[UNIT_NAME_MAX];

        unit_name(name, suffix, full);
        unit = units_find(&fleet->units, full);
        return unit ? unit->active : "inactive";
}

static SiteState state_of(const Fleet *fleet, const char *name)
{
        const char *service = active_of(fleet, name, "service");
        const char *socket = active_of(fleet, name, "socket");

        if (strcmp(service, "active") == 0 || strcmp(service, "reloading") == 0)
                return SITE_ACTIVE;
        if (strcmp(service, "activating") == 0)
                return SITE_STARTING;
        if (strcmp(service, "deactivating") == 0)
                return SITE_STOPPING;
        if (strcmp(service, "failed") == 0 || strcmp(socket, "failed") == 0)
                return SITE_FAILED;
        return strcmp(socket, "active") == 0 ? SITE_IDLE : SITE_OFF;
}

/* "3 connections, 17 hand-offs, last hand-off: Mon, 05 Oct 2026 07:12:03 GMT" */
static void read_status(Member *site)
{
        const char *last = site->status ? strstr(site->status, "last hand-off: ") : NULL;
        struct tm tm = { 0 };
        uint64_t n_open;
        int end = 0;

        if (site->state != SITE_ACTIVE || !site->status)
                return;
        if (sscanf(site->status, "%" SCNu64 " connection%n", &n_open, &end) == 1 && end > 0)
                site->n_open = n_open;
        if (last && site->last_used == 0 &&
            strptime(strchr(last, ':') + 2, "%a, %d %b %Y %H:%M:%S GMT", &tm))
                site->last_used = (uint64_t)timegm(&tm);
}

static bool matters(SiteState state, int ask)
{
        switch (ask) {
        case ASK_STATUS:
        case ASK_MEMORY:
        case ASK_CPU:
                return state == SITE_ACTIVE;
        case ASK_RESULT:
                return state == SITE_STOPPING;
        case ASK_SINCE:
                return state == SITE_IDLE || state == SITE_FAILED || state == SITE_OFF;
        default:
                return false;
        }
}

/* Appends what there is to ask. */
static void ask_for(BusQuestion questions[], size_t *n, Member *member, Told *told)
{
        static const struct {
                const char *interface, *property;
                PropertyKind kind;
        } asks[ASKS] = {
                [ASK_STATUS] = { "Service", "StatusText", PROPERTY_STRING },
                [ASK_MEMORY] = { "Service", "MemoryCurrent", PROPERTY_NUMBER },
                [ASK_CPU] = { "Service", "CPUUsageNSec", PROPERTY_NUMBER },
                [ASK_SINCE] = { "Unit", "InactiveEnterTimestamp", PROPERTY_NUMBER },
                [ASK_RESULT] = { "Service", "Result", PROPERTY_STRING },
        };
        void *const targets[ASKS] = { &member->status, &member->memory, &member->cpu_nsec,
                                      &told->inactive_usec, &told->result };

        for (int i = 0; i < ASKS; i++) {
                if (!matters(member->state, i))
                        continue;
                questions[*n] = (BusQuestion){
                        .interface = asks[i].interface,
                        .property = asks[i].property,
                        .kind = asks[i].kind,
                        .ret = targets[i],
                };
                unit_name(member->name, "service", questions[(*n)++].unit);
        }
}

static void take_told(Member *member, const Told *told)
{
        read_status(member);
        /* A router that was started later knows of no hand-off before. */
        if (member->state != SITE_ACTIVE && member->last_used == 0)
                member->last_used = told->inactive_usec / 1000000;
        /* It ends because it could not start, not because it shall. */
        if (told->result && strcmp(told->result, "success") != 0)
                member->state = SITE_FAILED;
}

/* A unit that systemd does not have in memory would be read for nothing but an empty answer. */
static int ask_services(Fleet *fleet)
{
        _cleanup_free_ BusQuestion *questions = calloc(fleet->n + 1, ASKS * sizeof(*questions));
        _cleanup_free_ Told *told = calloc(fleet->n + 1, sizeof(*told));
        size_t n = 0;
        int r;

        if (!questions || !told)
                return -ENOMEM;
        for (size_t i = 0; i < fleet->n; i++) {
                char unit[UNIT_NAME_MAX];

                unit_name(fleet->sites[i].name, "service", unit);
                if (units_find(&fleet->units, unit))
                        ask_for(questions, &n, &fleet->sites[i], &told[i]);
        }
        r = bus_ask_many(fleet->bus, questions, n);
        for (size_t i = 0; i < fleet->n; i++) {
                take_told(&fleet->sites[i], &told[i]);
                free(told[i].result);
        }
        return r;
}

static int ask_systemd(Fleet *fleet)
{
        int r;

        units_done(&fleet->units);
        r = bus_list_units(fleet->bus, "bellhop*@*", &fleet->units);
        for (size_t i = 0; i < fleet->n; i++) {
                Member *site = &fleet->sites[i];

                free(site->status);
                site->status = NULL;
                site->state = r < 0 ? SITE_UNKNOWN : state_of(fleet, site->name);
                site->n_open = site->state == SITE_IDLE ? 0 : UNKNOWN;
                site->memory = site->cpu_nsec = UNKNOWN;
        }
        return r < 0 ? r : ask_services(fleet);
}

int fleet_refresh(const Ctl *ctl, Fleet *fleet)
{
        ask_router(ctl, fleet);
        if (fleet->router_error == -ENOMEM)
                return -ENOMEM;
        if (fleet->bus)
                fleet->bus_error = ask_systemd(fleet);
        return fleet->bus_error == -ENOMEM ? -ENOMEM : 0;
}

int fleet_load(const Ctl *ctl, const char *only, Fleet *ret)
{
        Fleet fleet = { .n = 0 };
        int r = load_sites(&fleet, ctl->config_dir, only);

        if (r == 0) {
                fleet.bus_error = bus_open(&fleet.bus);
                for (size_t i = 0; i < fleet.n; i++)
                        fleet.sites[i].n_open = fleet.sites[i].memory = fleet.sites[i].cpu_nsec =
                                UNKNOWN;
                r = fleet_refresh(ctl, &fleet);
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
                free(fleet->sites[i].name);
                free(fleet->sites[i].status);
        }
        free(fleet->sites);
        units_done(&fleet->units);
        samples_done(&fleet->samples);
        config_free(fleet->config);
        fleet->bus = bus_close(fleet->bus);
        *fleet = (Fleet){ .n = 0 };
}

static int read_expiry(const char *path, time_t *ret)
{
        _cleanup_free_ char *text = NULL;
        STACK_OF(X509) *certificates = NULL;
        size_t size;
        const int r = file_read(path, CERTIFICATE_FILE_MAX_BYTES, &text, &size);

        if (r < 0)
                return r;
        if (certificates_parse(text, size, &certificates) != PEM_TAKEN)
                return -EBADMSG;
        *ret = certificate_not_after(sk_X509_value(certificates, 0));
        certificates_free(certificates);
        return 0;
}

static int credential_expiry(const Fleet *fleet, const char *name, time_t *ret)
{
        _cleanup_free_ char *path = NULL;
        char unit[UNIT_NAME_MAX];
        bool sealed = false;

        unit_name(name, "service", unit);
        if (!fleet->bus || !units_find(&fleet->units, unit) ||
            bus_get_credential(fleet->bus, unit, "fullchain.pem", &path, &sealed) < 0 || !path)
                return -ENOENT;
        return sealed ? -EACCES : read_expiry(path, ret);
}

int fleet_expiry(const Ctl *ctl, const Fleet *fleet, const char *name, time_t *ret)
{
        _cleanup_free_ char *path = NULL;
        int r;

        if (asprintf(&path, "%s/tls/%s/fullchain.pem", ctl->config_dir, name) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        /* Of thousands, those that have a folder are not asked for; of one, it is. */
        r = fleet->n > 1 ? read_expiry(path, ret) : -ENOENT;
        if (r == -ENOENT)
                r = credential_expiry(fleet, name, ret);
        if (r == -ENOENT && fleet->n == 1)
                r = read_expiry(path, ret);
        return r;
}
