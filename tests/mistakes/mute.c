/* SPDX-License-Identifier: MIT */
/* Preloaded into a program: systemd does not answer when it is asked for the property MUTE. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

int sd_bus_call_method_async(sd_bus *bus, sd_bus_slot **slot, const char *destination,
                             const char *path, const char *interface, const char *member,
                             sd_bus_message_handler_t callback, void *userdata, const char *types,
                             ...)
{
        va_list arguments, again;
        const char *property = NULL;
        int r;

        va_start(arguments, types);
        va_copy(again, arguments);
        if (types && strcmp(types, "ss") == 0) {
                (void)va_arg(again, const char *);
                property = va_arg(again, const char *);
        }
        va_end(again);
        r = property && strcmp(property, getenv("MUTE")) == 0
                    ? -ETIMEDOUT
                    : sd_bus_call_method_asyncv(bus, slot, destination, path, interface, member,
                                                callback, userdata, types, arguments);
        va_end(arguments);
        return r;
}
