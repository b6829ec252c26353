/* SPDX-License-Identifier: MIT */
/* The routes are in an open-addressing hash table of hosts, wildcard suffixes and addresses. One
 * arena holds all keys, so that a hundred thousand keys need few allocations. */
#include <assert.h>

#include "route/hostmap.h"
#include "util/array.h"
#include "util/cleanup.h"

#define SLOTS_MIN       64U
#define ARENA_MIN_BYTES 1024U

/* The key of an address begins with this byte, which no host contains. The IP address and the port
 * follow. */
#define ADDRESS_MARK      ':'
#define ADDRESS_KEY_BYTES (1 + sizeof(struct in6_addr) + sizeof(uint16_t))

typedef struct Entry {
        uint64_t hash;
        uint64_t origin;
        uint32_t key; /* position in the arena: a byte with the length, then the bytes */
        uint32_t instance;
} Entry;

/* A slot repeats parts of its entry, so that a lookup usually reads only one slot and one key. In a
 * large table, each further read costs a cache miss. */
typedef struct Slot {
        uint32_t entry; /* index into entries plus one; 0: empty */
        uint32_t check; /* the half of the hash that does not choose the slot */
        uint32_t key;   /* the same as in the entry */
        uint32_t instance;
} Slot;

struct HostMap {
        char *arena;
        size_t arena_used, arena_size;
        Entry *entries; /* in the order in which they were added */
        size_t n_entries;
        Slot *slots; /* at most half of them are taken */
        uint32_t n_slots;
        bool has_wildcards, has_addresses;
};

/* The hash is FNV-1a, computed from the last byte to the first. So one pass over a host also gives
 * the hash of each of its suffixes: in "www.example.org", the hash of ".example.org" is known
 * before the pass reaches "www". */
#define HASH_START UINT64_C(0xcbf29ce484222325)

static uint64_t hostmap_hash_step(uint64_t hash, char c)
{
        return (hash ^ (uint8_t)c) * UINT64_C(0x100000001b3);
}

/* The low bits of FNV-1a depend only on the low bits of the hashed bytes. This function mixes all
 * bits, because the low ones choose the slot. */
static uint64_t hostmap_hash_finish(uint64_t hash)
{
        hash ^= hash >> 32;
        hash *= UINT64_C(0x9e3779b97f4a7c15);
        return hash ^ hash >> 29;
}

static uint64_t hostmap_hash(const char *key, size_t length)
{
        uint64_t hash = HASH_START;

        while (length > 0)
                hash = hostmap_hash_step(hash, key[--length]);
        return hostmap_hash_finish(hash);
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
        free(map->entries);
        free(map->slots);
        free(map);
        return NULL;
}

/* Returns the slot that has the key, or the empty slot where this key can be added. */
static Slot *hostmap_slot(const HostMap *map, const char *key, size_t length, uint64_t hash)
{
        const uint32_t mask = map->n_slots - 1;

        for (uint32_t i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
                Slot *slot = &map->slots[i];

                if (slot->entry == 0 ||
                    (slot->check == hash >> 32 && (uint8_t)map->arena[slot->key] == length &&
                     memcmp(map->arena + slot->key + 1, key, length) == 0))
                        return slot;
        }
}

/* Returns the slot that has the key, or NULL. */
static const Slot *hostmap_find(const HostMap *map, const char *key, size_t length, uint64_t hash)
{
        const Slot *slot = map->n_slots > 0 ? hostmap_slot(map, key, length, hash) : NULL;

        return slot && slot->entry != 0 ? slot : NULL;
}

static Slot hostmap_slot_of(const HostMap *map, size_t entry)
{
        return (Slot){
                .entry = (uint32_t)entry + 1,
                .check = (uint32_t)(map->entries[entry].hash >> 32),
                .key = map->entries[entry].key,
                .instance = map->entries[entry].instance,
        };
}

/* Makes room for one more entry. */
static int hostmap_grow_slots(HostMap *map)
{
        const uint32_t n = map->n_slots ? map->n_slots * 2 : SLOTS_MIN;
        Slot *slots;

        if (map->n_entries < map->n_slots / 2)
                return 0;
        slots = calloc(n, sizeof(*slots));
        if (!slots)
                return -ENOMEM;
        free(map->slots);
        map->slots = slots;
        map->n_slots = n;
        for (size_t i = 0; i < map->n_entries; i++) {
                uint32_t slot = (uint32_t)map->entries[i].hash & (n - 1);

                while (slots[slot].entry != 0)
                        slot = (slot + 1) & (n - 1);
                slots[slot] = hostmap_slot_of(map, i);
        }
        return 0;
}

/* Makes room for n more bytes of keys. */
static int hostmap_grow_arena(HostMap *map, size_t n)
{
        size_t size = map->arena_size ? map->arena_size : ARENA_MIN_BYTES;
        char *arena;

        while (size < map->arena_used + n)
                size *= 2;
        if (size == map->arena_size)
                return 0;
        arena = size <= UINT32_MAX ? realloc(map->arena, size) : NULL;
        if (!arena)
                return -ENOMEM;
        map->arena = arena;
        map->arena_size = size;
        return 0;
}

static int hostmap_add(HostMap *map, const char *key, size_t length, uint32_t instance,
                       uint64_t origin, uint64_t *ret_other)
{
        const Entry entry = { hostmap_hash(key, length), origin, (uint32_t)map->arena_used,
                              instance };
        const Slot *taken = hostmap_find(map, key, length, entry.hash);
        int r;

        assert(length <= UINT8_MAX);
        if (taken) {
                *ret_other = map->entries[taken->entry - 1].origin;
                return -EEXIST;
        }
        r = hostmap_grow_slots(map);
        if (r == 0)
                r = hostmap_grow_arena(map, 1 + length);
        if (r == 0)
                r = array_append(map->entries, map->n_entries, entry);
        if (r < 0)
                return r;
        map->arena[map->arena_used] = (char)length;
        memcpy(map->arena + map->arena_used + 1, key, length);
        map->arena_used += 1 + length;
        map->has_wildcards |= key[0] == '.';
        map->has_addresses |= key[0] == ADDRESS_MARK;
        *hostmap_slot(map, key, length, entry.hash) = hostmap_slot_of(map, map->n_entries - 1);
        return 0;
}

int hostmap_add_host(HostMap *map, const char *host, uint32_t instance, uint64_t origin,
                     uint64_t *ret_other)
{
        /* "*.suffix" is stored as ".suffix", which can't be an exact host. */
        const char *key = host[0] == '*' ? host + 1 : host;

        return hostmap_add(map, key, strlen(key), instance, origin, ret_other);
}

static void hostmap_address_key(const Address *address, char ret[static ADDRESS_KEY_BYTES])
{
        ret[0] = ADDRESS_MARK;
        memcpy(ret + 1, &address->ip, sizeof(address->ip));
        memcpy(ret + 1 + sizeof(address->ip), &address->port, sizeof(address->port));
}

int hostmap_add_address(HostMap *map, const Address *address, uint32_t instance, uint64_t origin,
                        uint64_t *ret_other)
{
        char key[ADDRESS_KEY_BYTES];

        hostmap_address_key(address, key);
        return hostmap_add(map, key, sizeof(key), instance, origin, ret_other);
}

static HostMapMatch hostmap_match(const Slot *slot)
{
        return slot ? (HostMapMatch){ .instance = slot->instance, .route = slot->entry - 1 }
                    : (HostMapMatch){ .instance = ROUTE_NONE, .route = ROUTE_NONE };
}

HostMapMatch hostmap_find_host(const HostMap *map, const Hostname *host)
{
        uint64_t suffixes[HOSTNAME_MAX / 2 + 1], hash = HASH_START;
        size_t dots[HOSTNAME_MAX / 2 + 1], n = 0;
        const Slot *found;

        for (size_t i = host->length; i > 0; i--) {
                hash = hostmap_hash_step(hash, host->name[i - 1]);
                if (map->has_wildcards && host->name[i - 1] == '.') {
                        suffixes[n] = hostmap_hash_finish(hash);
                        dots[n++] = i - 1;
                }
        }
        found = hostmap_find(map, host->name, host->length, hostmap_hash_finish(hash));

        /* The longest suffix was hashed last. */
        while (!found && n > 0) {
                n--;
                found = hostmap_find(map, host->name + dots[n], host->length - dots[n],
                                     suffixes[n]);
        }
        return hostmap_match(found);
}

HostMapMatch hostmap_find_next(const HostMap *map, size_t route, uint32_t without)
{
        const uint32_t own = map->entries[route].instance;
        const char *key = map->arena + map->entries[route].key + 1;
        const size_t length = (uint8_t)key[-1];
        const Slot *found;

        /* The search starts at the second byte: if this route is a wildcard, the first byte is a
         * dot, and the whole key would only find the route itself. */
        for (size_t i = 1; key[0] != ADDRESS_MARK && i < length; i++) {
                if (key[i] != '.')
                        continue;
                found = hostmap_find(map, key + i, length - i, hostmap_hash(key + i, length - i));
                if (found && found->instance != own &&
                    (without == ROUTE_NONE || found->instance != without))
                        return hostmap_match(found);
        }
        return hostmap_match(NULL);
}

HostMapMatch hostmap_find_address(const HostMap *map, const Address *local)
{
        const Address addresses[] = { *local, { .ip = local->ip } };
        const Slot *found = NULL;
        char key[ADDRESS_KEY_BYTES];

        for (size_t i = 0; !found && i < ELEMENTSOF(addresses); i++) {
                hostmap_address_key(&addresses[i], key);
                found = hostmap_find(map, key, sizeof(key), hostmap_hash(key, sizeof(key)));
        }
        return hostmap_match(found);
}

bool hostmap_has_addresses(const HostMap *map)
{
        return map->has_addresses;
}

int hostmap_copy(HostMap *map, const HostMap *from, size_t route, uint32_t instance,
                 uint64_t origin, uint64_t *ret_other)
{
        const char *key = from->arena + from->entries[route].key;

        return hostmap_add(map, key + 1, (uint8_t)key[0], instance, origin, ret_other);
}

int hostmap_merge(HostMap *map, const HostMap *from, uint32_t instance, uint64_t origin_base,
                  HostMapRoute *ret_taken, uint64_t *ret_other)
{
        int r = 0;

        for (size_t i = 0; i < from->n_entries; i++) {
                const char *key = from->arena + from->entries[i].key;
                const Slot *taken =
                        hostmap_find(map, key + 1, (uint8_t)key[0], from->entries[i].hash);

                if (!taken)
                        continue;
                *ret_taken = hostmap_route(from, i);
                *ret_other = map->entries[taken->entry - 1].origin;
                return -EEXIST;
        }
        for (size_t i = 0; r == 0 && i < from->n_entries; i++)
                r = hostmap_copy(map, from, i, instance, origin_base + from->entries[i].origin,
                                 ret_other);
        return r;
}

bool hostmap_is_exact(const HostMap *map)
{
        return !map->has_wildcards && !map->has_addresses;
}

size_t hostmap_size(const HostMap *map)
{
        return map->n_entries;
}

HostMapRoute hostmap_route(const HostMap *map, size_t route)
{
        const Entry *entry = &map->entries[route];
        HostMapRoute ret = { .instance = entry->instance,
                             .origin = entry->origin,
                             .hash = entry->hash };
        const char *key = map->arena + entry->key + 1;
        const int length = (uint8_t)key[-1];
        Address address;

        ret.is_address = key[0] == ADDRESS_MARK;
        if (ret.is_address) {
                memcpy(&address.ip, key + 1, sizeof(address.ip));
                memcpy(&address.port, key + 1 + sizeof(address.ip), sizeof(address.port));
                address_format(&address, ret.what);
        } else {
                snprintf(ret.what, sizeof(ret.what), "%s%.*s", key[0] == '.' ? "*" : "", length,
                         key);
        }
        return ret;
}
