/* SPDX-License-Identifier: MIT */
#include "ctl/check/advice.h"
#include "config/lines.h"
#include "ctl/show/text.h"
#include "util/cleanup.h"

#define WORD_MAX (HOSTNAME_MAX + 3)

char *cure_file(const char *file)
{
        _cleanup_free_ char *quoted = shell_quote(file);

        return quoted ? command("mv %s %s.off", quoted, quoted) : NULL;
}

/* sed -i 'NUMBERscript' FILE, where the script has no quote. */
static char *sed(const Problem *problem, const char *script)
{
        _cleanup_free_ char *quoted = shell_quote(problem->file), *whole = NULL, *arg = NULL;

        whole = command("%u%s", problem->line, script);
        arg = whole ? shell_quote(whole) : NULL;
        return quoted && arg ? command("sed -i %s %s", arg, quoted) : NULL;
}

static char *sed_replace(const Problem *problem, const char *from, const char *to)
{
        _cleanup_free_ char *pattern = sed_escape(from), *replacement = sed_escape(to);
        _cleanup_free_ char *script = NULL;

        if (!pattern || !replacement)
                return NULL;
        script = command("s/%s/%s/", pattern, replacement);
        return script ? sed(problem, script) : NULL;
}

static char *comment_out(const Problem *problem)
{
        return sed(problem, "s/^/#/");
}

static char *cure_key(const Problem *problem)
{
        return problem->meant ? sed_replace(problem, problem->word, problem->meant)
                              : comment_out(problem);
}

static bool is_host(const char *word)
{
        Hostname hostname;

        if (word[0] == '*' && word[1] == '.')
                word += 2;
        return hostname_parse(span_from_string(word), &hostname) == HOSTNAME_OK;
}

/* A host in what somebody has written: an URL, with a port, a list with commas. */
static bool find_host(const char *word, char ret[static WORD_MAX])
{
        const char *begin = strstr(word, "://");
        size_t size;

        begin = begin ? begin + 3 : word;
        size = strcspn(begin, ":/,;");
        if (size == 0 || size >= WORD_MAX)
                return false;
        (void)snprintf(ret, WORD_MAX, "%.*s", (int)size, begin);
        return is_host(ret);
}

/* "a.example,b.example": blanks for the commas, if then all are hosts. */
static bool split_list(const char *word, char ret[static WORD_MAX])
{
        char part[WORD_MAX];
        size_t n = 0;

        if (strlen(word) >= WORD_MAX)
                return false;
        (void)snprintf(ret, WORD_MAX, "%s", word);
        for (char *at = ret; *at; n++) {
                const size_t size = strcspn(at, ",;");

                (void)snprintf(part, sizeof(part), "%.*s", (int)size, at);
                if (!is_host(part))
                        return false;
                at += size;
                if (*at)
                        *at++ = ' ';
        }
        return n > 1;
}

static bool has_other_words(const char *line)
{
        const char *value = strchr(line, '=');
        size_t n = 0;

        for (Span list = span_from_string(value ? value + 1 : ""), found;
             words_next(&list, &found) && found.data[0] != '#';)
                n += found.data[0] != '\n';
        return n > 1;
}

static char *remove_word(const Problem *problem, const char *line, bool rest_counts)
{
        _cleanup_free_ char *pattern = NULL, *script = NULL;

        if (!has_other_words(line))
                return rest_counts ? comment_out(problem) : cure_file(problem->file);
        pattern = sed_escape(problem->word);
        if (!pattern)
                return NULL;
        /* As a whole word: "a.example" also stands in "www.a.example". Case does not matter. */
        script = command("s/\\([= \\t]\\)%s\\([ \\t]\\|$\\)/\\1\\2/I", pattern);
        return script ? sed(problem, script) : NULL;
}

static char *cure_address(const Problem *problem, const char *line)
{
        _cleanup_free_ char *quoted = shell_quote(problem->file), *pattern = NULL, *script = NULL;

        if (!has_other_words(line)) {
                script = command("s/.*/Address=%s/", problem->word);
                return script ? sed(problem, script) : NULL;
        }
        pattern = sed_escape(problem->word);
        return quoted && pattern
                       ? command("sed -i -e '%us/ *%s//' -e '%uaAddress=%s' %s", problem->line,
                                 pattern, problem->line, problem->word, quoted)
                       : NULL;
}

static char *cure_host(const Problem *problem, const char *line, bool rest_counts)
{
        char host[WORD_MAX];
        Address address;

        if (is_host(problem->word))
                return remove_word(problem, line, rest_counts);
        if (address_parse(span_from_string(problem->word), &address))
                return cure_address(problem, line);
        if (split_list(problem->word, host) || find_host(problem->word, host))
                return sed_replace(problem, problem->word, host);
        return remove_word(problem, line, rest_counts);
}

static bool begins_with_key(const char *line, const char *key)
{
        line += strspn(line, " \t");
        return strncmp(line, key, strlen(key)) == 0 &&
               line[strlen(key) + strspn(line + strlen(key), " \t")] == '=';
}

char *cure_line(const Problem *problem, const char *line, bool rest_counts)
{
        const char *section = problem->instance ? "Instance" : "Router";
        _cleanup_free_ char *script = NULL;

        if (line[strspn(line, " \t")] == '[') {
                script = command("s/.*/[%s]/", section);
                return script ? sed(problem, script) : NULL;
        }
        if (problem->word && begins_with_key(line, "Host"))
                return cure_host(problem, line, rest_counts);
        if (problem->word && begins_with_key(line, "Address"))
                return remove_word(problem, line, rest_counts);
        if (problem->word)
                return cure_key(problem);
        if (problem->kind == PROBLEM_NO_SECTION) {
                script = command("i[%s]", section);
                return script ? sed(problem, script) : NULL;
        }
        return comment_out(problem);
}
