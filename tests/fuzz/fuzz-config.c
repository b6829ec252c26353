/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: configuration files, as lines, as an instance, and as a file with every kind of
 * value. What a file says is the same at each reading, is bounded, and needs no escaping; all is
 * freed.
 */
#include <errno.h>
#include <stdlib.h>

#include "config/instance.h"

#define PATH "/x/alice.conf"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
        if (!condition)
                abort();
}

static bool is_within(Span inner, Span outer)
{
        return inner.data >= outer.data && inner.data + inner.size <= outer.data + outer.size;
}

static void check_text(Span s)
{
        for (size_t i = 0; i < s.size; i++)
                require(s.data[i] == '\t' || (s.data[i] >= ' ' && s.data[i] != 0x7f));
        require(s.size == 0 || (s.data[0] != ' ' && s.data[0] != '\t'));
}

static void check_words(Span list)
{
        const Span all = list;
        Span word;

        while (words_next(&list, &word)) {
                require(word.size > 0 && is_within(word, all));
                require(!memchr(word.data, ' ', word.size) && !memchr(word.data, '\t', word.size));
        }
        require(list.size == 0);
}

static void check_lines(Span in)
{
        LineReader reader = { .rest = in };
        unsigned last = 0;

        for (;;) {
                const Line line = lines_next(&reader);

                require(reader.number >= last && reader.number <= in.size);
                require(line.kind == LINE_END || reader.number > last);
                last = reader.number;
                switch (line.kind) {
                case LINE_END:
                        require(reader.rest.size == 0);
                        return;
                case LINE_INVALID:
                        require(line.error != NULL);
                        break;
                case LINE_SECTION:
                        require(is_within(line.key, in));
                        break;
                case LINE_ASSIGNMENT:
                        require(is_within(line.key, in) && is_within(line.value, in));
                        require(!memchr(line.key.data, '=', line.key.size));
                        check_text(line.key);
                        check_text(line.value);
                        check_words(line.value);
                        break;
                }
        }
}

static void check_problems(const Config *config)
{
        require(config->n_problems <= 20);
        for (size_t i = 0; i < config->n_problems; i++) {
                const char *text = config->problems[i].text;

                require(strncmp(text, PATH ":", strlen(PATH ":")) == 0);
                require(strlen(text) < 1024);
                for (; *text; text++)
                        require((unsigned char)*text >= ' ' || *text == '\t');
        }
}

static Config *new_config(void)
{
        Config *config = calloc(1, sizeof(*config));

        require(config != NULL);
        config->map = hostmap_new();
        require(config->map != NULL);
        return config;
}

static Config *parse_instance(Span in, InstanceDraft *draft)
{
        Config *config = new_config();
        SettingsFile file = { .path = PATH, .config = config };

        require(instance_draft_parse(draft, &file, "alice", in) == 0);
        require(file.n_problems >= config->n_problems);
        require((file.n_problems == 0) == (config->n_problems == 0));
        check_problems(config);
        return config;
}

/* What is without problems has routes, and can be put into a map once. */
static void check_merge(Config *config, const InstanceDraft *draft)
{
        const size_t n = hostmap_size(draft->routes);
        HostMapRoute taken;
        uint64_t other;

        require(n > 0 || draft->instance.is_default);
        require(hostmap_merge(config->map, draft->routes, 7, 0, &taken, &other) == 0);
        require(hostmap_size(config->map) == n);
        require(hostmap_is_exact(config->map) == hostmap_is_exact(draft->routes));
        if (n > 0) {
                require(hostmap_merge(config->map, draft->routes, 8, 0, &taken, &other) == -EEXIST);
                require(taken.origin == other && taken.what[0] != 0);
        }
        require(hostmap_size(config->map) == n);
}

static void check_instance(Span in)
{
        InstanceDraft drafts[2] = { { .routes = NULL }, { .routes = NULL } };
        Config *configs[2] = { parse_instance(in, &drafts[0]), parse_instance(in, &drafts[1]) };

        require(configs[0]->n_problems == configs[1]->n_problems);
        for (size_t i = 0; i < configs[0]->n_problems; i++)
                require(strcmp(configs[0]->problems[i].text, configs[1]->problems[i].text) == 0);
        require(drafts[0].instance.idle_usec == drafts[1].instance.idle_usec);
        require(hostmap_size(drafts[0].routes) == hostmap_size(drafts[1].routes));
        if (configs[0]->n_problems == 0)
                check_merge(configs[0], &drafts[0]);
        for (size_t i = 0; i < 2; i++) {
                instance_draft_done(&drafts[i]);
                (void)config_free(configs[i]);
        }
}

typedef struct Values {
        uint64_t timespan, size, count;
        bool boolean;
} Values;

static void check_values(Span in)
{
        static const Setting table[] = {
                { .key = "SniffTimeoutSec",
                  .parse = setting_parse_timespan,
                  .offset = offsetof(Values, timespan) },
                { .key = "SniffMaxBytes",
                  .parse = setting_parse_size,
                  .offset = offsetof(Values, size),
                  .low = 4096,
                  .high = 1048576,
                  .range = "from 4K to 1M" },
                { .key = "PendingMax",
                  .parse = setting_parse_count,
                  .offset = offsetof(Values, count) },
                { .key = "Network",
                  .parse = setting_parse_bool,
                  .offset = offsetof(Values, boolean) },
        };
        static const SettingsTable settings = { "Router", table, sizeof(table) / sizeof(table[0]) };
        Config *config = new_config();
        SettingsFile file = { .path = PATH, .config = config };
        Values values = { .count = 0 };

        require(settings_parse(&file, in, &settings, &values) == 0);
        check_problems(config);
        (void)config_free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const Span in = { .data = data, .size = size };

        check_lines(in);
        check_instance(in);
        check_values(in);
        return 0;
}
