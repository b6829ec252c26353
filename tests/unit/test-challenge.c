/* SPDX-License-Identifier: MIT */
/* Tests of pending challenges: what is read from their files, and what is not. */
#include "config-dir.h"

#include "challenge/challenge.h"

#define HOST   "alice.example"
#define TOKEN  "DGyRejmCefe7v4NfDGDKfA_-"
#define ANSWER TOKEN ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
/* Of "abc", FIPS 180-4. */
#define DIGEST "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"

static int set_up(void **state)
{
        if (dir_setup(state) != 0)
                return -1;
        make_folder("http-01");
        make_folder("http-01/" HOST);
        make_folder("tls-alpn-01");
        return 0;
}

static size_t read_token(const char *token, char ret[static CHALLENGE_ANSWER_MAX])
{
        return challenge_read_answer(dir, HOST, span_from_string(token), ret);
}

static void test_answer(void **state)
{
        char answer[CHALLENGE_ANSWER_MAX];

        assert_int_equal(read_token(TOKEN, answer), 0);
        put("http-01/" HOST "/" TOKEN, ANSWER);
        assert_int_equal(read_token(TOKEN, answer), strlen(ANSWER));
        assert_memory_equal(answer, ANSWER, strlen(ANSWER));
        assert_int_equal(read_token("x", answer), 0);
        assert_int_equal(challenge_read_answer(dir, "bob.example", span_from_string(TOKEN), answer),
                         0);
        assert_int_equal(challenge_read_answer("/nowhere", HOST, span_from_string(TOKEN), answer),
                         0);
}

static void test_size_of_an_answer(void **state)
{
        char answer[CHALLENGE_ANSWER_MAX], text[CHALLENGE_ANSWER_MAX + 2];

        memset(text, 'x', sizeof(text));
        memcpy(text, "t.", 2);
        text[CHALLENGE_ANSWER_MAX] = 0;
        put("http-01/" HOST "/t", text);
        assert_int_equal(read_token("t", answer), CHALLENGE_ANSWER_MAX);
        text[CHALLENGE_ANSWER_MAX] = 'x';
        text[CHALLENGE_ANSWER_MAX + 1] = 0;
        put("http-01/" HOST "/t", text);
        assert_int_equal(read_token("t", answer), 0);
}

static bool is_found(const char *path)
{
        Span token;

        return challenge_find_token(span_from_string(path), &token);
}

static void test_token(void **state)
{
        static const char *const bad[] = { "", ".", "..", "a/b", "a.b", "a%", "a=", "a+", "a b" };
        char path[sizeof(CHALLENGE_PATH) + CHALLENGE_TOKEN_MAX + 1] = CHALLENGE_PATH;
        char *const token = path + strlen(CHALLENGE_PATH);
        Span found;

        assert_true(challenge_find_token(span_from_string(CHALLENGE_PATH TOKEN), &found));
        assert_true(span_equals(found, TOKEN));
        assert_false(is_found(TOKEN));
        assert_false(is_found("/x" CHALLENGE_PATH TOKEN));
        assert_false(is_found("/.well-known/acme-challenge"));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                strcpy(token, bad[i]);
                assert_false(is_found(path));
        }
        for (unsigned c = 0; c < 256; c++) {
                token[0] = (char)c;
                token[1] = 0;
                assert_int_equal(is_found(path), (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                                         (c >= '0' && c <= '9') || c == '-' ||
                                                         c == '_');
        }
        memset(token, 'x', CHALLENGE_TOKEN_MAX);
        token[CHALLENGE_TOKEN_MAX] = 0;
        assert_true(is_found(path));
        token[CHALLENGE_TOKEN_MAX] = 'x';
        token[CHALLENGE_TOKEN_MAX + 1] = 0;
        assert_false(is_found(path));
}

/* Only an answer is read, and only from the folder itself. */
static void test_site_answer(void **state)
{
        static const char *const bad[] = { "",     ".",     "t",     "t.",   "t. ",
                                           "x.y",  "t.y z", "t.<",   "t.y.", "t.y\f",
                                           " t.y", "\nt.y", "t.\ny", "tt.y" };
        char answer[CHALLENGE_ANSWER_MAX], path[DIR_MAX * 2], target[DIR_MAX * 2];
        const Span token = span_from_string("t");

        assert_int_equal(challenge_read_site_answer(dir, token, answer), 0);
        make_folder(".well-known");
        make_folder(".well-known/acme-challenge");
        in_dir(path, ".well-known/acme-challenge/t");
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                put(".well-known/acme-challenge/t", bad[i]);
                if (challenge_read_site_answer(dir, token, answer) != 0)
                        fail_msg("'%s'", bad[i]);
        }
        put(".well-known/acme-challenge/t", "t.y \r\n\n");
        assert_int_equal(challenge_read_site_answer(dir, token, answer), 3);
        assert_memory_equal(answer, "t.y", 3);
        /* No link, fifo or folder, at any place below the root. */
        put("target", "t.y");
        in_dir(target, "target");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink(target, path), 0);
        assert_int_equal(challenge_read_site_answer(dir, token, answer), 0);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_int_equal(challenge_read_site_answer(dir, token, answer), 0);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(challenge_read_site_answer(dir, token, answer), 0);
        assert_int_equal(rmdir(path), 0);
        put(".well-known/acme-challenge/t", "t.y");
        in_dir(path, ".well-known");
        in_dir(target, "moved");
        assert_int_equal(rename(path, target), 0);
        assert_int_equal(symlink(target, path), 0);
        assert_int_equal(challenge_read_site_answer(dir, token, answer), 0);
        /* The root itself may be a link. */
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rename(target, path), 0);
        in_dir(path, "root");
        assert_int_equal(symlink(dir, path), 0);
        assert_int_equal(challenge_read_site_answer(path, token, answer), 3);
}

static void test_digest(void **state)
{
        static const uint8_t expected[CHALLENGE_DIGEST_SIZE] = {
                0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
        };
        uint8_t digest[CHALLENGE_DIGEST_SIZE];

        assert_false(challenge_read_digest(dir, HOST, digest));
        put("tls-alpn-01/" HOST, DIGEST);
        assert_true(challenge_read_digest(dir, HOST, digest));
        assert_memory_equal(digest, expected, sizeof(digest));
        assert_false(challenge_read_digest(dir, "bob.example", digest));
        /* The last two bits are not part of the digest. */
        put("tls-alpn-01/" HOST, "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa1");
        assert_false(challenge_read_digest(dir, HOST, digest));
}

static void test_any(void **state)
{
        char path[DIR_MAX * 2];

        in_dir(path, "http-01/" HOST);
        assert_int_equal(rmdir(path), 0);
        assert_false(challenge_is_any_pending(dir));
        assert_false(challenge_is_any_pending("/nowhere"));
        put("http-01/.new", "x");
        put("tls-alpn-01/.new", "x");
        assert_false(challenge_is_any_pending(dir));
        put("tls-alpn-01/" HOST, DIGEST);
        assert_true(challenge_is_any_pending(dir));
        in_dir(path, "tls-alpn-01/" HOST);
        assert_int_equal(unlink(path), 0);
        assert_false(challenge_is_any_pending(dir));
        make_folder("http-01/" HOST);
        assert_true(challenge_is_any_pending(dir));
}

static void test_reply(void **state)
{
        static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                                   "Content-Length: 3\r\nCache-Control: no-store\r\n"
                                   "Connection: close\r\n\r\n";
        char reply[CHALLENGE_REPLY_MAX], longest[CHALLENGE_ANSWER_MAX];

        assert_int_equal(challenge_reply(span_from_string("HEAD"), span_from_string("a.b"), reply),
                         strlen(head));
        assert_string_equal(reply, head);
        assert_int_equal(challenge_reply(span_from_string("GET"), span_from_string("a.b"), reply),
                         strlen(head) + 3);
        assert_string_equal(reply + strlen(head), "a.b");
        memset(longest, 'x', sizeof(longest));
        assert_in_range(challenge_reply(span_from_string("GET"),
                                        (Span){ (const uint8_t *)longest, sizeof(longest) }, reply),
                        sizeof(longest) + strlen(head), sizeof(reply) - 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_answer, set_up, dir_teardown),
                cmocka_unit_test_setup_teardown(test_size_of_an_answer, set_up, dir_teardown),
                cmocka_unit_test(test_token),
                cmocka_unit_test_setup_teardown(test_site_answer, set_up, dir_teardown),
                cmocka_unit_test_setup_teardown(test_digest, set_up, dir_teardown),
                cmocka_unit_test_setup_teardown(test_any, set_up, dir_teardown),
                cmocka_unit_test(test_reply),
        };

        return cmocka_run_group_tests_name("challenge", tests, NULL, NULL);
}
