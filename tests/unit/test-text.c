/* SPDX-License-Identifier: MIT */
/* Tests of strings made by a format, of arrays of them, and of numbers read from text. */
#include "unit.h"

#include <locale.h>
#include <wchar.h>
#include <wctype.h>

#include "util/text.h"

static void test_format(void **state)
{
        _cleanup_free_ char *text = text_format("%s-%03u", "a", 7U), *empty = text_format("%s", "");
        char big[5000];
        _cleanup_free_ char *same = NULL;

        (void)state;
        assert_string_equal(text, "a-007");
        assert_string_equal(empty, "");
        memset(big, 'x', sizeof(big) - 1);
        big[sizeof(big) - 1] = 0;
        same = text_format("%s", big);
        assert_string_equal(same, big);
}

static void test_texts(void **state)
{
        char **texts = NULL, text[] = "a0";
        size_t n = 0;

        (void)state;
        texts_free(texts, n);
        for (; n < 20; text[1] = (char)('a' + n))
                assert_int_equal(texts_append(&texts, &n, text), 0);
        assert_string_equal(texts[0], "a0");
        assert_string_equal(texts[19], "at");
        texts_free(texts, n);
}

static void test_number(void **state)
{
        static const struct {
                const char *text;
                size_t size;
                uint64_t max;
                int64_t number; /* -1: false */
        } cases[] = {
                { S("0"), 0, 0 },
                { S("1"), 0, -1 },
                { S("9"), 8, -1 },
                { S("8"), 8, 8 },
                { S("10"), 9, -1 },
                { S("65535"), 65535, 65535 },
                { S("65536"), 65535, -1 },
                { S("655350"), 65535, -1 },
                { S("00065535"), 65535, 65535 },
                { S(""), 9, -1 },
                { S("-1"), 9, -1 },
                { S("+1"), 9, -1 },
                { S(" 1"), 9, -1 },
                { S("1 "), 9, -1 },
                { S("1\0"), 99, -1 },
                { S("0x1"), 9, -1 },
                { S("1a"), 9, -1 },
                { S("/"), 99, -1 },
                { S(":"), 99, -1 },
                { S("\xb1"), 99, -1 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t number = 4711;
                const bool ok = text_number(guarded_span(cases[i].text, cases[i].size),
                                            cases[i].max, &number);

                if (ok != (cases[i].number >= 0) ||
                    number != (ok ? (uint64_t)cases[i].number : 4711))
                        fail_msg("case %zu: '%s'", i, cases[i].text);
        }
}

static void test_number_limits(void **state)
{
        uint64_t number = 0;

        (void)state;
        assert_true(text_number(span_from_string("18446744073709551615"), UINT64_MAX, &number));
        assert_true(number == UINT64_MAX);
        assert_false(text_number(span_from_string("18446744073709551616"), UINT64_MAX, &number));
        assert_false(text_number(span_from_string("184467440737095516150"), UINT64_MAX, &number));
        assert_true(number == UINT64_MAX);
}

static void test_distance(void **state)
{
        static const struct {
                const char *a, *b;
                size_t distance;
        } cases[] = {
                { "", "", 0 },
                { "", "Host", 4 },
                { "Host", "Host", 0 },
                { "hOST", "Host", 0 },
                { "Hots", "Host", 1 },
                { "Hosts", "Host", 1 },
                { "Hst", "Host", 1 },
                { "Hsot", "Host", 1 },
                { "Hort", "Host", 1 },
                { "Foo", "Host", 3 },
                { "Idle", "IdleSec", 3 },
                { "abcdefghijklmnopqrstuvwxyzabcdef", "x", 31 },
                { "abcdefghijklmnopqrstuvwxyzabcdefg", "x", SIZE_MAX },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Span a = span_from_string(cases[i].a), b = span_from_string(cases[i].b);

                if (text_distance(a, b) != cases[i].distance ||
                    text_distance(b, a) != cases[i].distance)
                        fail_msg("%s and %s: %zu", cases[i].a, cases[i].b, text_distance(a, b));
        }
}

static void test_harmless(void **state)
{
        static const char *const cases[][2] = {
                { "plain \303\274", "plain \303\274" },
                { "\033[31mred\n", "?[31mred?" },
                { "\302\2331m", "??1m" },
                { "\2331m", "?1m" },
                { "\302", "?" },
                { "\302\240\177", "\302\240?" },
                { "a\342\200\256b", "a???b" },
                { "a\342\200\250b", "a???b" },
                { "a\342\201\246b", "a???b" },
                { "a\342\200\213b", "a???b" },
                { "\342\202\254", "\342\202\254" },
                { "\342\202x", "??x" },
                { "\360\237\220\221", "\360\237\220\221" },
                { "\360\237\220", "???" },
                { "\364\217\277\277", "????" },
                { "\364\220\200\200", "????" },
                { "\360\217\277\277", "????" },
                { "\363\240\201\201", "????" },
                { "\370\210\200\200\200", "?????" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[32];

                snprintf(text, sizeof(text), "%s", cases[i][0]);
                text_make_harmless(text, 0);
                assert_string_equal(text, cases[i][1]);
        }
        text_make_harmless(NULL, 0);
}

static void test_harmless_but_one(void **state)
{
        char text[] = "a\nb\tc\n\342\200\250";

        (void)state;
        text_make_harmless(text, '\n');
        assert_string_equal(text, "a\nb?c\n???");
}

/* A letter or sign without a mark on it, as the C library has it. */
static bool is_plain(wchar_t c)
{
        static const wchar_t fillers[] = { 0x115f, 0x1160, 0x3164, 0xffa0 };

        return iswgraph((wint_t)c) && wcwidth(c) > 0 && c != 0xad && (c < 0xe000 || c > 0xf8ff) &&
               (c < 0xfff0 || c > 0xfffb) && !wmemchr(fillers, c, ELEMENTSOF(fillers));
}

/* Compared with the C library: texts of up to three bytes, the longest of which begin as a
 * character of more than one does. */
static void test_harmless_as_the_library(void **state)
{
        (void)state;
        assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
        for (unsigned i = 1; i < 1U << 24; i = i == 0xffff ? 0xc00000 : i + 1) {
                const char all[] = { (char)(i >> 16), (char)(i >> 8), (char)i, 0 };
                const char *before = all + (i < 1U << 16) + (i < 1U << 8);
                const size_t size = strlen(before);
                wchar_t c[4], shown[4];
                char text[4];

                if (before + size != all + 3)
                        continue;
                memcpy(text, before, size + 1);
                text_make_harmless(text, 0);
                if (strlen(text) != size || mbstowcs(shown, text, 4) == (size_t)-1)
                        fail_msg("%06x becomes '%s'", i, text);
                for (size_t j = 0; shown[j]; j++)
                        if (iswcntrl((wint_t)shown[j]))
                                fail_msg("%06x: a control character stays", i);
                if (mbstowcs(c, before, 4) == 1 && is_plain(c[0]) && strcmp(text, before) != 0)
                        fail_msg("%06x does not stay", i);
                for (size_t j = 0; j < size; j++)
                        if (text[j] != before[j] && text[j] != '?')
                                fail_msg("%06x: byte %zu is new", i, j);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_format),
                cmocka_unit_test(test_texts),
                cmocka_unit_test(test_number),
                cmocka_unit_test(test_number_limits),
                cmocka_unit_test(test_harmless),
                cmocka_unit_test(test_distance),
                cmocka_unit_test(test_harmless_but_one),
                cmocka_unit_test(test_harmless_as_the_library),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
