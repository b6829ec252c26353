/* SPDX-License-Identifier: MIT */
/*
 * Owns the routes: an open-addressing table of hosts and wildcard suffixes, and a short list of
 * addresses. Names lie one after the other in one arena, so that a hundred thousand cost no
 * allocation each.
 */
#include "route/hostmap.h"
#include "util/cleanup.h"

#define SLOTS_MIN 64U

typedef struct Host {
        uint64_t hash;
        uint64_t origin;
        uint32_t name; /* where in the arena */
        uint32_t instance;
} Host;

/* A lookup reads one slot and one name, nothing else: in a large table, each costs a cache miss. */
typedef struct Slot {
        uint32_t host;  /* index into hosts plus one; 0: empty */
        uint32_t check; /* the half of the hash that does not choose the slot */
        uint32_t name;  /* as in the host */
        uint32_t instance;
} Slot;

typedef struct AddressRoute {
        Address address;
        uint32_t instance;
        uint64_t origin;
} AddressRoute;

struct HostMap {
        char *arena;
        size_t arena_used, arena_size;
        Host *hosts;
        size_t n_hosts, hosts_size;
        Slot *slots; /* at most half are taken */
        uint32_t n_slots;
        bool has_wildcards;
        AddressRoute *addresses; /* sorted while being added to: they are few */
        size_t n_addresses;
};

/*
 * FNV-1a, from the last byte to the first, so that one pass over a host gives the hash of each of
 * its suffixes too: that of ".example.org" is met on the way to that of "www.example.org".
 */
#define HASH_START UINT64_C(0xcbf29ce484222325)

static uint64_t hash_step(uint64_t hash, char c)
{
        return (hash ^ (uint8_t)c) * UINT64_C(0x100000001b3);
}

/* FNV's low bits know little of the last bytes hashed, which here are the first of the name. */
static uint64_t hash_finish(uint64_t hash)
{
        hash ^= hash >> 32;
        hash *= UINT64_C(0x9e3779b97f4a7c15);
        return hash ^ hash >> 29;
}

static uint64_t hash_name(const char *name, size_t length)
{
        uint64_t hash = HASH_START;

        while (length > 0)
                hash = hash_step(hash, name[--length]);
        return hash_finish(hash);
}

HostMap *hostmap_new(void)
{
        return calloc(1, sizeof(HostMap));
}

HostMap *hostmap_free(HostMap *map)
{
        if (!map)
                return NULL;
        free(map->arena);
        free(map->hosts);
        free(map->slots);
        free(map->addresses);
        free(map);
        return NULL;
}

/* The slot that holds the name, or the empty one where it would go. */
static Slot *hostmap_slot(const HostMap *map, const char *name, size_t length, uint64_t hash)
{
        const uint32_t mask = map->n_slots - 1;

        for (uint32_t i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
                Slot *slot = &map->slots[i];

                if (slot->host == 0 || (slot->check == hash >> 32 &&
                                        strncmp(map->arena + slot->name, name, length) == 0 &&
                                        map->arena[slot->name + length] == 0))
                        return slot;
        }
}

static Slot slot_of(const HostMap *map, size_t host)
{
        return (Slot){
                .host = (uint32_t)host + 1,
                .check = (uint32_t)(map->hosts[host].hash >> 32),
                .name = map->hosts[host].name,
                .instance = map->hosts[host].instance,
        };
}

/* Makes room for n_more hosts. */
static int hostmap_grow_slots(HostMap *map, size_t n_more)
{
        uint32_t n = map->n_slots ? map->n_slots : SLOTS_MIN;
        Slot *slots;

        while (map->n_hosts + n_more > n / 2)
                n *= 2;
        if (n == map->n_slots)
                return 0;
        slots = calloc(n, sizeof(*slots));
        if (!slots)
                return -ENOMEM;
        free(map->slots);
        map->slots = slots;
        map->n_slots = n;
        for (size_t i = 0; i < map->n_hosts; i++) {
                uint32_t slot = (uint32_t)map->hosts[i].hash & (n - 1);

                while (slots[slot].host != 0)
                        slot = (slot + 1) & (n - 1);
                slots[slot] = slot_of(map, i);
        }
        return 0;
}

/* Makes room for n more elements by doubling. */
static int grow(void **array, size_t *size, size_t used, size_t n, size_t element)
{
        size_t wanted = *size ? *size : 64;
        void *bigger;

        if (used + n <= *size)
                return 0;
        while (wanted < used + n)
                wanted *= 2;
        if (wanted > UINT32_MAX)
                return -ENOMEM;
        bigger = reallocarray(*array, wanted, element);
        if (!bigger)
                return -ENOMEM;
        *array = bigger;
        *size = wanted;
        return 0;
}

static int hostmap_add_name(HostMap *map, const char *name, uint32_t instance, uint64_t origin,
                            uint64_t *ret_other)
{
        const size_t length = strlen(name);
        const uint64_t hash = hash_name(name, length);
        Slot *slot;
        int r;

        r = hostmap_grow_slots(map, 1);
        if (r == 0)
                r = grow((void **)&map->arena, &map->arena_size, map->arena_used, length + 1, 1);
        if (r == 0)
                r = grow((void **)&map->hosts, &map->hosts_size, map->n_hosts, 1, sizeof(Host));
        if (r < 0)
                return r;

        slot = hostmap_slot(map, name, length, hash);
        if (slot->host != 0) {
                *ret_other = map->hosts[slot->host - 1].origin;
                return -EEXIST;
        }
        memcpy(map->arena + map->arena_used, name, length + 1);
        map->hosts[map->n_hosts] = (Host){
                .hash = hash,
                .origin = origin,
                .name = (uint32_t)map->arena_used,
                .instance = instance,
        };
        map->arena_used += length + 1;
        map->has_wildcards |= name[0] == '.';
        *slot = slot_of(map, map->n_hosts++);
        return 0;
}

int hostmap_add_host(HostMap *map, const char *host, uint32_t instance, uint64_t origin,
                     uint64_t *ret_other)
{
        /* "*.suffix" is kept as ".suffix", which no exact host can be. */
        return hostmap_add_name(map, host[0] == '*' ? host + 1 : host, instance, origin, ret_other);
}

static const Slot *hostmap_taken_slot(const HostMap *map, const char *name, size_t length,
                                      uint64_t hash)
{
        const Slot *slot = hostmap_slot(map, name, length, hash);

        return slot->host == 0 ? NULL : slot;
}

/* NULL: no route leads anywhere. */
static const Slot *hostmap_find_slot(const HostMap *map, const Hostname *host)
{
        uint64_t suffixes[HOSTNAME_MAX / 2 + 1], hash = HASH_START;
        size_t dots[HOSTNAME_MAX / 2 + 1], n = 0;
        const Slot *found;

        if (map->n_hosts == 0)
                return NULL;

        for (size_t i = host->length; i > 0; i--) {
                hash = hash_step(hash, host->name[i - 1]);
                if (map->has_wildcards && host->name[i - 1] == '.') {
                        suffixes[n] = hash_finish(hash);
                        dots[n++] = i - 1;
                }
        }
        found = hostmap_taken_slot(map, host->name, host->length, hash_finish(hash));

        /* The longest suffix was met last. */
        while (!found && n > 0) {
                n--;
                found = hostmap_taken_slot(map, host->name + dots[n], host->length - dots[n],
                                           suffixes[n]);
        }
        return found;
}

HostMapMatch hostmap_find_host(const HostMap *map, const Hostname *host)
{
        const Slot *slot = hostmap_find_slot(map, host);

        return slot ? (HostMapMatch){ .instance = slot->instance, .route = slot->host - 1 }
                    : (HostMapMatch){ .instance = ROUTE_NONE };
}

/* The place of the address, or the one where it would go. */
static size_t hostmap_address_place(const HostMap *map, const Address *address)
{
        size_t low = 0, high = map->n_addresses;

        while (low < high) {
                const size_t middle = low + (high - low) / 2;

                if (address_compare(&map->addresses[middle].address, address) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static const AddressRoute *hostmap_address(const HostMap *map, const Address *address)
{
        const size_t place = hostmap_address_place(map, address);

        if (place < map->n_addresses &&
            address_compare(&map->addresses[place].address, address) == 0)
                return &map->addresses[place];
        return NULL;
}

int hostmap_add_address(HostMap *map, const Address *address, uint32_t instance, uint64_t origin,
                        uint64_t *ret_other)
{
        const AddressRoute *other = hostmap_address(map, address);
        const size_t place = hostmap_address_place(map, address);
        AddressRoute *addresses;

        if (other) {
                *ret_other = other->origin;
                return -EEXIST;
        }
        addresses = reallocarray(map->addresses, map->n_addresses + 1, sizeof(*addresses));
        if (!addresses)
                return -ENOMEM;
        map->addresses = addresses;
        memmove(addresses + place + 1, addresses + place,
                (map->n_addresses - place) * sizeof(*addresses));
        addresses[place] =
                (AddressRoute){ .address = *address, .instance = instance, .origin = origin };
        map->n_addresses++;
        return 0;
}

HostMapMatch hostmap_find_address(const HostMap *map, const Address *local)
{
        const Address any_port = { .ip = local->ip };
        const AddressRoute *route = hostmap_address(map, local);

        if (!route)
                route = hostmap_address(map, &any_port);
        if (!route)
                return (HostMapMatch){ .instance = ROUTE_NONE };
        return (HostMapMatch){ .instance = route->instance,
                               .route = (uint32_t)(map->n_hosts +
                                                   (size_t)(route - map->addresses)) };
}

bool hostmap_has_addresses(const HostMap *map)
{
        return map->n_addresses > 0;
}

/* -EEXIST when the map has a route for the same already. */
static int hostmap_find_conflict(const HostMap *map, const HostMap *from, size_t route,
                                 HostMapConflict *ret)
{
        HostMapRoute added;

        if (route < from->n_hosts) {
                const char *name = from->arena + from->hosts[route].name;
                const Slot *slot = map->n_hosts > 0 ? hostmap_slot(map, name, strlen(name),
                                                                   from->hosts[route].hash)
                                                    : NULL;

                if (!slot || slot->host == 0)
                        return 0;
                ret->other = map->hosts[slot->host - 1].origin;
        } else {
                const AddressRoute *other =
                        hostmap_address(map, &from->addresses[route - from->n_hosts].address);

                if (!other)
                        return 0;
                ret->other = other->origin;
        }
        hostmap_route(from, route, &added);
        memcpy(ret->what, added.what, sizeof(ret->what));
        ret->origin = added.origin;
        return -EEXIST;
}

static int hostmap_copy(HostMap *map, const HostMap *from, size_t route, const HostMapMove *move)
{
        uint64_t other;

        if (route < from->n_hosts)
                return hostmap_add_name(map, from->arena + from->hosts[route].name, move->instance,
                                        from->hosts[route].origin + move->origin_shift, &other);
        route -= from->n_hosts;
        return hostmap_add_address(map, &from->addresses[route].address, move->instance,
                                   from->addresses[route].origin + move->origin_shift, &other);
}

int hostmap_merge(HostMap *map, const HostMap *from, uint32_t instance, uint64_t origin_base,
                  HostMapConflict *ret_conflict)
{
        const HostMapMove move = { .instance = instance, .origin_shift = origin_base };
        int r = 0;

        for (size_t i = 0; r == 0 && i < hostmap_size(from); i++)
                r = hostmap_find_conflict(map, from, i, ret_conflict);
        if (r == 0 && from->n_hosts > 0)
                r = hostmap_grow_slots(map, from->n_hosts);
        for (size_t i = 0; r == 0 && i < hostmap_size(from); i++)
                r = hostmap_copy(map, from, i, &move);
        return r;
}

int hostmap_keep(HostMap *map, const HostMap *from, const HostMapMove *moves, size_t *cursor,
                 HostMapConflict *ret_conflict, uint32_t *ret_instance)
{
        int r = 0;

        while (r == 0 && *cursor < hostmap_size(from)) {
                const size_t route = (*cursor)++;
                const HostMapMove *move =
                        &moves[route < from->n_hosts
                                       ? from->hosts[route].instance
                                       : from->addresses[route - from->n_hosts].instance];

                *ret_instance = move->instance;
                if (move->instance == ROUTE_NONE)
                        continue;
                r = hostmap_find_conflict(map, from, route, ret_conflict);
                if (r == 0)
                        r = hostmap_copy(map, from, route, move);
        }
        return r;
}

bool hostmap_is_exact(const HostMap *map)
{
        return !map->has_wildcards && map->n_addresses == 0;
}

size_t hostmap_size(const HostMap *map)
{
        return map->n_hosts + map->n_addresses;
}

void hostmap_route(const HostMap *map, size_t route, HostMapRoute *ret)
{
        if (route < map->n_hosts) {
                const Host *host = &map->hosts[route];
                const char *name = map->arena + host->name;

                *ret = (HostMapRoute){ .instance = host->instance, .origin = host->origin };
                snprintf(ret->what, sizeof(ret->what), "%s%s", name[0] == '.' ? "*" : "", name);
        } else {
                const AddressRoute *address = &map->addresses[route - map->n_hosts];

                *ret = (HostMapRoute){ .instance = address->instance,
                                       .origin = address->origin,
                                       .is_address = true };
                address_format(&address->address, ret->what);
        }
}

bool hostmap_next(const HostMap *map, size_t *cursor, HostMapRoute *ret)
{
        if (*cursor >= hostmap_size(map))
                return false;
        hostmap_route(map, (*cursor)++, ret);
        return true;
}
