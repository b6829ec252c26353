/* SPDX-License-Identifier: MIT */
#include "usage/message.h"

#define MAGIC "BHU1"

_Static_assert(offsetof(UsageMessage, records) == 16 && sizeof(UsageRecord) == 48,
               "sender and receiver may be of two versions");

void usage_message_init(UsageMessage *message, UsageKind kind)
{
        memset(message, 0, sizeof(*message));
        memcpy(message->magic, MAGIC, sizeof(message->magic));
        message->kind = (uint8_t)kind;
}

size_t usage_message_size(const UsageMessage *message)
{
        return offsetof(UsageMessage, records) + message->n * sizeof(UsageRecord);
}

bool usage_message_parse(Span datagram, UsageMessage *ret)
{
        UsageMessage message = { .kind = 0 };

        if (datagram.size < offsetof(UsageMessage, records) || datagram.size > sizeof(message))
                return false;
        memcpy(&message, datagram.data, datagram.size);
        if (memcmp(message.magic, MAGIC, sizeof(message.magic)) != 0 || message.kind == 0 ||
            message.kind >= USAGE_KINDS || message.n > USAGE_RECORDS_MAX ||
            datagram.size != usage_message_size(&message))
                return false;
        for (size_t i = 0; i < message.n; i++)
                if (!memchr(message.records[i].instance, 0, USAGE_NAME_MAX))
                        return false;
        *ret = message;
        return true;
}
