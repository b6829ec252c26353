/* SPDX-License-Identifier: MIT */
#include <systemd/sd-bus.h>

#include "firewall/allow.h"
#include "util/address.h"
#include "util/cleanup.h"

#define SYSTEMD      "org.freedesktop.systemd1"
#define MANAGER      "/org/freedesktop/systemd1"
#define SLICE        "bellhop.slice"
#define SLICE_OBJECT MANAGER "/unit/bellhop_2eslice"
#define PROPERTY     "IPAddressAllow"
#define ADDRESSES    "a(iayu)"
#define WAIT_USEC    (5 * UINT64_C(1000000))

static bool allow_has(const Resolvers *resolvers, const struct in6_addr *ip)
{
        for (size_t i = 0; i < resolvers->n; i++)
                if (IN6_ARE_ADDR_EQUAL(&resolvers->ips[i], ip))
                        return true;
        return false;
}

/* Whether an address in IPAddressAllow= is one of the name servers. */
static bool allow_knows(const Resolvers *resolvers, int32_t family, const void *bytes, size_t size)
{
        struct in6_addr ip;

        if (family == AF_INET && size == sizeof(struct in_addr))
                ip = address_map_ipv4(*(const struct in_addr *)bytes);
        else if (family == AF_INET6 && size == sizeof(ip))
                memcpy(&ip, bytes, sizeof(ip));
        else
                return false;
        return allow_has(resolvers, &ip);
}

/* Whether IPAddressAllow= already has exactly these name servers. Returns 1 if so, 0 if not, or a
 * negative errno. */
static int allow_is_so(sd_bus *bus, const Resolvers *resolvers)
{
        sd_bus_message *reply = NULL;
        bool same = true;
        size_t n = 0;
        int r = sd_bus_get_property(bus, SYSTEMD, SLICE_OBJECT, SYSTEMD ".Slice", PROPERTY, NULL,
                                    &reply, ADDRESSES);

        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(iayu)");
        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'r', "iayu")) > 0) {
                const void *bytes;
                uint32_t prefix;
                int32_t family;
                size_t size;

                r = sd_bus_message_read_basic(reply, 'i', &family);
                if (r >= 0)
                        r = sd_bus_message_read_array(reply, 'y', &bytes, &size);
                if (r >= 0)
                        r = sd_bus_message_read_basic(reply, 'u', &prefix);
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
                same = same && r >= 0 && prefix == size * 8 &&
                       allow_knows(resolvers, family, bytes, size);
                n++;
        }
        sd_bus_message_unref(reply);
        return r < 0 ? r : same && n == resolvers->n;
}

static int allow_append(sd_bus_message *call, const struct in6_addr *ip)
{
        const bool v4 = IN6_IS_ADDR_V4MAPPED(ip);
        const size_t size = v4 ? sizeof(struct in_addr) : sizeof(*ip);
        int r = sd_bus_message_open_container(call, 'r', "iayu");

        if (r >= 0)
                r = sd_bus_message_append(call, "i", v4 ? AF_INET : AF_INET6);
        if (r >= 0)
                r = sd_bus_message_append_array(call, 'y',
                                                v4 ? (const void *)&ip->s6_addr32[3] : ip, size);
        if (r >= 0)
                r = sd_bus_message_append(call, "u", (uint32_t)(size * 8));
        return r < 0 ? r : sd_bus_message_close_container(call);
}

/* Appends "IPAddressAllow=" with the first n name servers to the call. If n is 0, systemd drops the
 * present addresses. */
static int allow_append_property(sd_bus_message *call, const Resolvers *resolvers, size_t n)
{
        int r = sd_bus_message_open_container(call, 'r', "sv");

        if (r >= 0)
                r = sd_bus_message_append(call, "s", PROPERTY);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'v', ADDRESSES);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "(iayu)");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = allow_append(call, &resolvers->ips[i]);
        for (int i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(call);
        return r;
}

static int allow_set(sd_bus *bus, const Resolvers *resolvers)
{
        sd_bus_message *call = NULL;
        int r = sd_bus_message_new_method_call(bus, &call, SYSTEMD, MANAGER, SYSTEMD ".Manager",
                                               "SetUnitProperties");

        if (r >= 0)
                r = sd_bus_message_append(call, "sb", SLICE, true);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "(sv)");
        if (r >= 0)
                r = allow_append_property(call, resolvers, 0);
        if (r >= 0)
                r = allow_append_property(call, resolvers, resolvers->n);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        if (r >= 0)
                r = sd_bus_call(bus, call, WAIT_USEC, NULL, NULL);
        sd_bus_message_unref(call);
        return r < 0 ? r : 0;
}

int allow_resolvers(const Resolvers *resolvers)
{
        sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus);

        if (r >= 0)
                r = sd_bus_set_method_call_timeout(bus, WAIT_USEC);
        if (r >= 0)
                r = allow_is_so(bus, resolvers);
        if (r == 0)
                r = allow_set(bus, resolvers);
        sd_bus_flush_close_unref(bus);
        return r < 0 ? r : 0;
}
