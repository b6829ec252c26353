/* SPDX-License-Identifier: MIT */
/*
 * Makes hellos out of hellos, the same ones in every run: bytes are changed, and whole extensions
 * are moved, doubled, exchanged and made anew with all lengths set right, as what is wrong in the
 * first length is never read any further.
 */
#pragma once

#include <stdlib.h>

#include "unit.h"

#define MUTANT_MAX         65536
#define EXTENSIONS_MAX     64
#define MADE_MAX           8192
#define RECORD_HEADER_SIZE 5

typedef struct Random {
        uint64_t state; /* not 0 */
} Random;

typedef struct Mutant {
        uint8_t data[MUTANT_MAX];
        size_t size;
} Mutant;

typedef struct Hello {
        uint8_t message[MUTANT_MAX]; /* without records */
        size_t size;
        Span before; /* legacy_version to legacy_compression_methods */
        size_t n_extensions;
        Span extensions[EXTENSIONS_MAX]; /* with type and length */
} Hello;

static inline size_t below(Random *random, size_t n)
{
        random->state ^= random->state << 13;
        random->state ^= random->state >> 7;
        random->state ^= random->state << 17;
        return (size_t)(random->state >> 16) % n;
}

static inline void mutant_put(Mutant *m, const void *data, size_t size)
{
        if (size == 0 || size > sizeof(m->data) - m->size)
                return;
        memcpy(m->data + m->size, data, size);
        m->size += size;
}

static inline void mutant_put_uint(Mutant *m, size_t size, size_t value)
{
        for (size_t i = size; i-- > 0;)
                mutant_put(m, &(uint8_t){ (uint8_t)(value >> 8 * i) }, 1);
}

/* Takes a vector after its length in n bytes (TLS presentation language, RFC 8446 section 3.4). */
static inline bool take_vector(Span *s, size_t n, Span *ret)
{
        Span rest = *s;
        uint32_t size;

        if (!span_take_uint(&rest, n, &size) || !span_take(&rest, size, ret))
                return false;
        *s = rest;
        return true;
}

/* False when it is none of which the extensions can be told apart. */
static inline bool hello_read(Span in, Hello *hello)
{
        Span header, body, rest, part;
        uint32_t size, type_and_size;

        hello->size = hello->n_extensions = 0;
        while (span_take(&in, RECORD_HEADER_SIZE, &header) && header.data[0] == 22 &&
               span_take(&in, (size_t)header.data[3] << 8 | header.data[4], &body)) {
                if (body.size > sizeof(hello->message) - hello->size)
                        return false;
                memcpy(hello->message + hello->size, body.data, body.size);
                hello->size += body.size;
        }
        rest = (Span){ .data = hello->message, .size = hello->size };
        /* Other messages may follow. */
        if (!span_take_uint(&rest, 1, &size) || size != 1 || !take_vector(&rest, 3, &body))
                return false;
        rest = body;
        hello->before.data = rest.data;
        if (!span_take(&rest, 34, &part) || !take_vector(&rest, 1, &part) ||
            !take_vector(&rest, 2, &part) || !take_vector(&rest, 1, &part))
                return false;
        hello->before.size = (size_t)(rest.data - hello->before.data);
        if (!span_take_uint(&rest, 2, &size) || size != rest.size)
                return false;
        while (rest.size > 0 && hello->n_extensions < EXTENSIONS_MAX) {
                body = rest;
                if (!span_take_uint(&body, 4, &type_and_size) ||
                    !span_take(&rest, 4 + (type_and_size & 0xffff), &part))
                        return false;
                hello->extensions[hello->n_extensions++] = part;
        }
        return rest.size == 0;
}

/* A server_name extension in which now and then something is odd. */
static inline void put_server_name(Random *random, Mutant *m)
{
        static const char *const names[] = {
                "alice.example",
                "ALICE.example.",
                "a",
                "",
                "192.0.2.1",
                "*.example",
                "a\nb",
                "\xff\xfe.",
                "a..b",
                "xn--bcher-kva.example",
                "[2001:db8::1]",
                "a b",
                "alice:443",
                "-a_b-.",
        };
        const char *name = names[below(random, ELEMENTSOF(names))];
        size_t lengths[3], n = strlen(name), fill = 0;

        if (below(random, 8) == 0)
                fill = below(random, 300);
        lengths[2] = n + fill;
        lengths[1] = lengths[2] + 3;
        lengths[0] = lengths[1] + 2;
        if (below(random, 4) == 0)
                lengths[below(random, 3)] += below(random, 5) - 2;
        mutant_put_uint(m, 2, 0);
        mutant_put_uint(m, 2, lengths[0]);
        mutant_put_uint(m, 2, lengths[1]);
        mutant_put_uint(m, 1, below(random, 16) == 0 ? below(random, 256) : 0);
        mutant_put_uint(m, 2, lengths[2]);
        mutant_put(m, name, n);
        for (size_t i = 0; i < fill; i++)
                mutant_put_uint(m, 1, below(random, 64) == 0 ? 0 : 'x');
}

/* Changes the list of extensions; what is new in it lies in made. */
static inline void change_extensions(Random *random, Hello *hello, const Hello *other, Mutant *made)
{
        const size_t n = hello->n_extensions, at = below(random, n + 1);
        const size_t from = n > 0 ? below(random, n) : 0, start = made->size;
        Span *list = hello->extensions, new;

        if (n > 0 && below(random, 4) == 0) {
                memmove(list + from, list + from + 1, (n - from - 1) * sizeof(Span));
                hello->n_extensions--;
                return;
        }
        if (n == EXTENSIONS_MAX)
                return;
        switch (below(random, 4)) {
        case 0: /* one of its own, once more or elsewhere */
                if (n == 0)
                        return;
                new = list[from];
                if (below(random, 4) > 0) {
                        list[from] = list[n - 1];
                        list[n - 1] = new;
                        return;
                }
                break;
        case 1: /* one of another hello's */
                if (other->n_extensions == 0)
                        return;
                new = other->extensions[below(random, other->n_extensions)];
                break;
        case 2: /* of any type and content */
                mutant_put_uint(made, 2, below(random, below(random, 2) ? 64 : 65536));
                new.size = below(random, 40);
                mutant_put_uint(made, 2, new.size);
                while (new.size-- > 0)
                        mutant_put_uint(made, 1, below(random, 256));
                new = (Span){ .data = made->data + start, .size = made->size - start };
                break;
        default:
                put_server_name(random, made);
                new = (Span){ .data = made->data + start, .size = made->size - start };
                break;
        }
        memmove(list + at + 1, list + at, (n - at) * sizeof(Span));
        list[at] = new;
        hello->n_extensions++;
}

/* Cuts the message into records, and rarely puts something between them. */
static inline void put_records(Random *random, Span message, Mutant *to)
{
        const size_t sizes[] = { 16384, 16384, 200, 1 + below(random, 40), 1 };
        const size_t most = sizes[below(random, ELEMENTSOF(sizes))];
        const bool odd = below(random, 16) == 0;
        Span part;

        while (message.size > 0) {
                if (odd && below(random, 4) == 0) {
                        static const char *const between[] = {
                                "\x16\x03\x01\0\0",           "\x15\x03\x01\0\x02\x01\0",
                                "\x15\x03\x01\0\x02\x02\x28", "\x14\x03\x01\0\x01\x01",
                                "\x17\x03\x03\0\x01x",
                        };
                        static const size_t n[] = { 5, 7, 7, 6, 6 };
                        const size_t i = below(random, ELEMENTSOF(n));

                        mutant_put(to, between[i], n[i]);
                }
                (void)span_take(&message, message.size < most ? message.size : most, &part);
                mutant_put(to, "\x16\x03\x01", 3);
                mutant_put_uint(to, 2, part.size);
                mutant_put(to, part.data, part.size);
        }
}

static inline void mutate_extensions(Random *random, Span in, Span other, Mutant *to)
{
        static Hello hello, donor;
        static Mutant made, block, message;

        made.size = block.size = message.size = to->size = 0;
        if (!hello_read(in, &hello))
                return;
        (void)hello_read(other, &donor);
        for (size_t n = 1 + below(random, 3); n > 0; n--)
                change_extensions(random, &hello, &donor, &made);
        for (size_t i = 0; i < hello.n_extensions; i++)
                mutant_put(&block, hello.extensions[i].data, hello.extensions[i].size);
        mutant_put_uint(&message, 1, 1);
        mutant_put_uint(&message, 3, hello.before.size + 2 + block.size);
        mutant_put(&message, hello.before.data, hello.before.size);
        mutant_put_uint(&message, 2, block.size);
        mutant_put(&message, block.data, block.size);
        put_records(random, (Span){ .data = message.data, .size = message.size }, to);
}

/* Bytes, without knowing what they mean. */
static inline void mutate_bytes(Random *random, Mutant *m)
{
        static const uint8_t telling[] = { 0, 1, 2, 3, 0x10, 0x16, 0x20, 0x7f, 0x80, 0xff };
        /* The front is where the lengths are. */
        size_t most = m->size, at, n;

        if (most == 0)
                return;
        if (most > 120 && below(random, 2))
                most = 120;
        at = below(random, most);
        n = 1 + below(random, 8);
        if (n > m->size - at)
                n = m->size - at;
        switch (below(random, 6)) {
        case 0:
                m->data[at] ^= (uint8_t)(1 << below(random, 8));
                break;
        case 1:
                m->data[at] = telling[below(random, ELEMENTSOF(telling))];
                break;
        case 2:
                m->data[at] += (uint8_t)(below(random, 5) - 2);
                break;
        case 3:
                memmove(m->data + at, m->data + at + n, m->size - at - n);
                m->size -= n;
                break;
        case 4:
                if (m->size + n > sizeof(m->data))
                        break;
                memmove(m->data + at + n, m->data + at, m->size - at);
                m->size += n;
                break;
        default:
                m->size = at;
                break;
        }
}

static inline void mutate(Random *random, Span in, Span other, Mutant *to)
{
        const size_t how = below(random, 4);

        to->size = 0;
        if (how > 0)
                mutate_extensions(random, in, other, to);
        if (to->size == 0)
                mutant_put(to, in.data, in.size);
        if (how <= 1)
                for (size_t n = 1 + below(random, 3); n > 0; n--)
                        mutate_bytes(random, to);
}
