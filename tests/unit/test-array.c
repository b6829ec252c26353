/* SPDX-License-Identifier: MIT */
/* Tests of growing arrays, which keep no field for their room. */
#include "unit.h"

#include <malloc.h>

#include "util/array.h"

/* Two words, so that a size in elements is not one in bytes. */
typedef struct Pair {
        uint64_t a, b;
} Pair;

static void test_append(void **state)
{
        Pair *pairs = NULL;
        size_t n = 0;

        (void)state;
        for (uint64_t i = 0; i < 1000; i++) {
                assert_int_equal(array_append(pairs, n, (Pair){ .a = i, .b = ~i }), 0);
                assert_int_equal(n, i + 1);
                assert_true(malloc_usable_size(pairs) >= n * sizeof(*pairs));
        }
        for (uint64_t i = 0; i < 1000; i++)
                assert_true(pairs[i].a == i && pairs[i].b == ~i);
        free(pairs);
}

/* Else appending n elements would copy about n * n of them. */
static void test_doubles(void **state)
{
        uint32_t *numbers = NULL;
        size_t n = 0, n_moves = 0;

        (void)state;
        for (uint32_t i = 0; i < 100000; i++) {
                const size_t room = malloc_usable_size(numbers);

                assert_int_equal(array_append(numbers, n, i), 0);
                n_moves += malloc_usable_size(numbers) != room;
        }
        assert_in_range(n_moves, 1, 17);
        free(numbers);
}

/* What was taken off the end may be appended again, also where the room has ended. */
static void test_shrinks(void **state)
{
        uint8_t *bytes = NULL;
        size_t n = 0;

        (void)state;
        for (size_t keep = 0; keep <= 70; keep++) {
                while (n < 70)
                        assert_int_equal(array_append(bytes, n, (uint8_t)n), 0);
                n = keep;
        }
        for (size_t i = 0; i < n; i++)
                assert_int_equal(bytes[i], i);
        free(bytes);
}

/* AddressSanitizer ends a program that asks for too much, unless it says that it can bear it. */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
        return "allocator_may_return_null=1";
}

static void test_no_memory(void **state)
{
        struct {
                uint8_t bytes[SIZE_MAX / 16];
        } *huge = NULL;
        size_t n = 0;

        (void)state;
        assert_int_equal(array_append(huge, n, *huge), -ENOMEM);
        assert_null(huge);
        assert_int_equal(n, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_append),
                cmocka_unit_test(test_doubles),
                cmocka_unit_test(test_shrinks),
                cmocka_unit_test(test_no_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
