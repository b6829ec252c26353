/* SPDX-License-Identifier: MIT */
/* A client chooses the host and the token in the path of the file that these functions open. The
 * callers make sure that neither contains '/' or "..", and the functions follow no symbolic links.
 * (openat2(2) would be simpler, but RestrictSUIDSGID= of the router's unit forbids it.) The
 * functions also check the content of a file, so that router and instances can send nothing except
 * answers to challenges. */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "challenge/challenge.h"
#include "util/cleanup.h"

/* The length of CHALLENGE_DIGEST_SIZE bytes in base64url, without padding. */
#define DIGEST_LENGTH 43

const char *const challenge_names[CHALLENGE_TYPES] = {
        [CHALLENGE_HTTP - 1] = "http-01",
        [CHALLENGE_TLS - 1] = "tls-alpn-01",
};

/* Returns the value of a digit in base64url (RFC 4648 section 5), or -1. */
static int challenge_digit(uint8_t c)
{
        static const char digits[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        const char *at = c == 0 ? NULL : strchr(digits, c);

        return at ? (int)(at - digits) : -1;
}

static bool challenge_is_base64url(Span text)
{
        for (size_t i = 0; i < text.size; i++)
                if (challenge_digit(text.data[i]) < 0)
                        return false;
        return text.size > 0;
}

static bool challenge_token_is_valid(Span token)
{
        return token.size <= CHALLENGE_TOKEN_MAX && challenge_is_base64url(token);
}

bool challenge_is_path(Span path)
{
        Span taken;

        return span_take(&path, strlen(CHALLENGE_PATH), &taken) &&
               span_equals(taken, CHALLENGE_PATH);
}

bool challenge_find_token(Span path, Span *ret)
{
        Span taken;

        if (!challenge_is_path(path) || !span_take(&path, strlen(CHALLENGE_PATH), &taken) ||
            !challenge_token_is_valid(path))
                return false;
        *ret = path;
        return true;
}

/* Opens a folder or file below dir. names: the parts of its path below dir, and then NULL. */
static int challenge_open(const char *dir, const char *const names[], int flags)
{
        _cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

        for (size_t i = 0; fd >= 0 && names[i]; i++) {
                const int step = names[i + 1] ? O_PATH | O_DIRECTORY : O_RDONLY | flags;
                const int next = openat(fd, names[i], step | O_NOFOLLOW | O_CLOEXEC);

                (void)close_fd(fd);
                fd = next;
        }
        return take_fd(fd);
}

/* Reads the whole file. Returns its size, or 0 if it does not exist, is empty, is larger than size,
 * or is not a regular file. */
static size_t challenge_read(const char *dir, const char *const names[], char *ret, size_t size)
{
        /* Because of O_NONBLOCK, open(2) waits neither for the writer of a fifo nor for a lease. */
        _cleanup_close_ int fd = challenge_open(dir, names, O_NONBLOCK | O_NOCTTY);
        struct stat st;
        ssize_t n;

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
            (uint64_t)st.st_size > size)
                return 0;
        n = read(fd, ret, size);
        return n == st.st_size ? (size_t)n : 0;
}

bool challenge_is_any_pending(const char *dir)
{
        for (size_t i = 0; i < CHALLENGE_TYPES; i++) {
                const char *const names[] = { challenge_names[i], NULL };
                int fd = challenge_open(dir, names, O_DIRECTORY);
                DIR *folder = fd < 0 ? NULL : fdopendir(fd);
                struct dirent *entry = NULL;

                while (folder && (entry = readdir(folder)) && entry->d_name[0] == '.')
                        ;
                if (folder)
                        (void)closedir(folder);
                else
                        close_fd(fd);
                if (entry)
                        return true;
        }
        return false;
}

/* Returns the size of the text if it is an answer for the token, or else 0. */
static size_t challenge_check_answer(Span token, Span text)
{
        Span rest = text, taken;

        return span_take_until(&rest, '.', &taken) && taken.size == token.size &&
                               memcmp(taken.data, token.data, token.size) == 0 &&
                               challenge_is_base64url(rest)
                       ? text.size
                       : 0;
}

size_t challenge_read_answer(const char *dir, const char *host, Span token,
                             char ret[static CHALLENGE_ANSWER_MAX])
{
        char name[CHALLENGE_TOKEN_MAX + 1] = "";
        const char *const names[] = { challenge_names[CHALLENGE_HTTP - 1], host, name, NULL };
        size_t size;

        assert(challenge_token_is_valid(token));
        memcpy(name, token.data, token.size);
        size = challenge_read(dir, names, ret, CHALLENGE_ANSWER_MAX);
        return challenge_check_answer(token, (Span){ (const uint8_t *)ret, size });
}

size_t challenge_read_site_answer(const char *root, Span token,
                                  char ret[static CHALLENGE_ANSWER_MAX])
{
        char name[CHALLENGE_TOKEN_MAX + 1] = "";
        const char *const names[] = { ".well-known", "acme-challenge", name, NULL };
        size_t size;

        assert(challenge_token_is_valid(token));
        memcpy(name, token.data, token.size);
        size = challenge_read(root, names, ret, CHALLENGE_ANSWER_MAX);
        while (size > 0 && (span_is_blank((uint8_t)ret[size - 1]) || ret[size - 1] == '\n' ||
                            ret[size - 1] == '\r'))
                size--;
        return challenge_check_answer(token, (Span){ (const uint8_t *)ret, size });
}

bool challenge_read_digest(const char *dir, const char *host,
                           uint8_t ret[static CHALLENGE_DIGEST_SIZE])
{
        const char *const names[] = { challenge_names[CHALLENGE_TLS - 1], host, NULL };
        char text[DIGEST_LENGTH];
        uint32_t bits = 0;

        if (challenge_read(dir, names, text, sizeof(text)) != sizeof(text))
                return false;
        for (size_t i = 0, n_bits = 0, n_bytes = 0; i < sizeof(text); i++) {
                const int digit = challenge_digit((uint8_t)text[i]);

                if (digit < 0)
                        return false;
                bits = bits << 6 | (uint32_t)digit;
                n_bits += 6;
                if (n_bits < 8)
                        continue;
                n_bits -= 8;
                ret[n_bytes++] = (uint8_t)(bits >> n_bits);
        }
        /* The digits have 258 bits, and the digest has 256. The last two bits must be 0. */
        return (bits & 3) == 0;
}

size_t challenge_reply(Span method, Span answer, char ret[static CHALLENGE_REPLY_MAX])
{
        const int n = snprintf(ret, CHALLENGE_REPLY_MAX,
                               "HTTP/1.1 200 OK\r\n"
                               "Content-Type: " CHALLENGE_MEDIA_TYPE "\r\n"
                               "Content-Length: %zu\r\n"
                               "Cache-Control: no-store\r\n"
                               "Connection: close\r\n"
                               "\r\n"
                               "%.*s",
                               answer.size, span_equals(method, "HEAD") ? 0 : (int)answer.size,
                               (const char *)answer.data);

        return n < 0 || n >= CHALLENGE_REPLY_MAX ? 0 : (size_t)n;
}
