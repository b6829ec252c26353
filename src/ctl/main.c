/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl: parses the options, then runs the verb.
 */
#include <getopt.h>
#include <unistd.h>

#include "acme/state.h"
#include "config/config.h"
#include "config/lines.h"
#include "ctl/show/output.h"
#include "ctl/verbs.h"
#include "util/cleanup.h"
#include "util/text.h"

#define HELP_HINT "Try 'bellhopctl --help'."

/* For a long option, getopt_long() returns this number plus the index in options[]. For a short
 * option, it returns the code of the letter, which is always smaller. */
#define LONG_ONLY 256

/* Prints the heading above the options of certain verbs. The parameter "of" lists these verbs, in
 * the form of Option.verbs. */
static void main_help_heading(const char *of)
{
        Span list = span_from_string(of ? of : ""), word;
        const char *before = "\nOptions of ";

        while (words_next(&list, &word)) {
                printf("%s%.*s", before, (int)word.size, (const char *)word.data);
                before = ", ";
        }
        printf("%s:\n", of ? "" : "\nOptions of all verbs");
}

static void main_help(void)
{
        printf("bellhopctl [OPTIONS...] VERB ...\n\nManage customers' websites.\n\nVerbs:\n");
        for (size_t i = 0; i < n_verbs; i++) {
                const char *argument = verbs[i].argument ? verbs[i].argument : "";
                const int room = 22 - (int)strlen(verbs[i].name);

                printf("  %s %-*s %s\n", verbs[i].name, room, argument, verbs[i].help);
        }
        for (size_t i = 0; i < n_options; i++) {
                const Option *o = &options[i];
                const bool has_sign = !o->argument || o->argument[0] != '[';
                char letter[] = { '-', o->letter, 0 };
                const int room = 20 - (int)strlen(o->name) - has_sign;

                if (i == 0 || !o->verbs != !options[i - 1].verbs ||
                    (o->verbs && strcmp(o->verbs, options[i - 1].verbs) != 0))
                        main_help_heading(o->verbs);
                printf("  %2s --%s%s%-*s %s\n", o->letter ? letter : "", o->name,
                       !has_sign     ? ""
                       : o->argument ? "="
                                     : " ",
                       room > 0 ? room : 0, o->argument ? o->argument : "", o->help);
        }
        printf("\n"
               "Examples:\n"
               "  bellhopctl add alice --create-user --self-signed --host=alice.example\n"
               "  bellhopctl check && bellhopctl apply\n"
               "\n"
               "Exit status: 0 success, 1 error found or request failed, 2 wrong usage.\n"
               "See bellhopctl(1).\n");
}

typedef struct Getopt {
        struct option options[OPTIONS_MAX];
        char letters[2 * OPTIONS_MAX + 1];
} Getopt;

/* If two options have the same name, getopt takes the first. So the options of the verb precede the
 * other options. */
static void main_fill_getopt(const Verb *verb, Getopt *ret)
{
        char *letter = ret->letters;
        size_t n = 0;

        for (size_t i = 0; i < 2 * n_options; i++) {
                const Option *o = &options[i % n_options];

                if (option_is_for(o, verb) != (i < n_options))
                        continue;
                ret->options[n++] = (struct option){
                        o->name,
                        !o->argument            ? no_argument
                        : o->argument[0] == '[' ? optional_argument
                                                : required_argument,
                        NULL,
                        LONG_ONLY + (int)(o - options),
                };
                if (o->letter)
                        letter += sprintf(letter, "%c%s", o->letter, o->argument ? ":" : "");
        }
        ret->options[n] = (struct option){ NULL, 0, NULL, 0 };
}

/* Returns the first word that is the name of a verb. The verb must be known before the options are
 * parsed, because different verbs can have options with the same name. */
static const Verb *main_guess_verb(int argc, char *argv[])
{
        const Verb *verb = NULL;

        for (int i = 1; i < argc && !verb; i++)
                verb = verb_find(argv[i]);
        return verb;
}

/* Finds the option. c: the result of getopt_long(). Returns NULL if getopt_long() has reported an
 * unknown option. */
static const Option *main_option(int c)
{
        if (c >= LONG_ONLY)
                return &options[c - LONG_ONLY];
        for (size_t i = 0; i < n_options; i++)
                if (options[i].letter == c)
                        return &options[i];
        return NULL;
}

/* Returns how many words can follow a verb, such as 2 for "NAME NEW". argument: the Verb.argument
 * of this verb. */
static int main_count_words(const char *argument)
{
        Span list = span_from_string(argument ? argument : ""), word;
        int all = 0;

        while (words_next(&list, &word))
                all++;
        return all;
}

/* Whether n words can follow a verb. argument: the Verb.argument of this verb. */
static bool main_words_fit(const char *argument, int n)
{
        const int all = main_count_words(argument);

        if (!argument)
                return n == 0;
        return n >= all - (argument[0] == '[') && (n <= all || strstr(argument, "..."));
}

static void main_refuse_option(const Option *option, const Verb *verb)
{
        Span list = span_from_string(option->verbs), word;
        _cleanup_free_ char *names = NULL;

        while (words_next(&list, &word)) {
                char *more = text_format("%s%s%.*s", names ? names : "", names ? ", " : "",
                                         (int)word.size, word.data);

                free(names);
                names = more;
        }
        output_error("--%s can be used with %s, but not with %s. " HELP_HINT, option->name,
                     names ? names : option->verbs, verb->name);
}

/* extra: the first word that can't follow the verb; NULL: a word is missing. */
static void main_refuse_words(const Verb *verb, const char *extra, bool installs)
{
        const char *argument = verb->argument;
        _cleanup_free_ char *too_many =
                extra ? text_format("'%s' is one word too many: quote values that have spaces. ",
                                    extra)
                      : NULL;

        output_error("%sWrite 'bellhopctl %s%s%s%s'. " HELP_HINT, too_many ? too_many : "",
                     verb->name, argument ? " " : "", argument ? argument : "",
                     installs ? " --install CERT [KEY]" : "");
}

static CtlStatus main_run_verb(const Ctl *ctl, char *words[], int n,
                               const bool given[static OPTIONS_MAX])
{
        const Verb *verb = n > 0 ? verb_find(words[0]) : NULL;
        const bool installs = ctl->install && verb && verb->run == verb_cert;
        const int words_of_install = installs ? (n > 3 ? 2 : 1) : 0;
        const bool fits = verb && main_words_fit(verb->argument, n - 1 - words_of_install);
        const int most = verb ? 1 + main_count_words(verb->argument) + words_of_install : 0;

        if (n == 0)
                output_error("A verb is missing. " HELP_HINT);
        else if (!verb)
                output_error("There is no verb '%s'. " HELP_HINT, words[0]);
        else if (verb->run == verb_check && n == 2)
                output_error("Write 'bellhopctl check --instance=%s'. " HELP_HINT, words[1]);
        else if (!fits)
                main_refuse_words(verb, n > most ? words[most] : NULL, installs);
        if (!fits)
                return CTL_USAGE;
        for (size_t i = 0; i < n_options; i++)
                if (given[i] && !option_is_for(&options[i], verb)) {
                        main_refuse_option(&options[i], verb);
                        return CTL_USAGE;
                }
        return verb->run(ctl, words + 1);
}

/* Adds a setting. Replaces an earlier Tls=, because both --tls and --acme set it. */
static bool main_put(Ctl *ctl, const char *key, const char *value, CtlStatus *status)
{
        size_t i = 0;

        while (i < ctl->n_settings &&
               !(strcmp(key, "Tls") == 0 && strcmp(ctl->settings[i].key, key) == 0))
                i++;
        if (i == SETTINGS_MAX) {
                output_error(
                        "The command has more than %d options with settings. Use several commands.",
                        SETTINGS_MAX);
                *status = CTL_USAGE;
                return false;
        }
        ctl->settings[i].key = key;
        ctl->settings[i].value = value;
        if (i == ctl->n_settings)
                ctl->n_settings++;
        return true;
}

/* Returns true if bellhopctl must end now: after --help, --version or an error. */
static bool main_take_option(Ctl *ctl, const Option *option, const char *value, CtlStatus *status)
{
        char *target = (char *)ctl + option->offset;

        switch (option->kind) {
        case OPTION_FLAG:
                *(bool *)target = true;
                return false;
        case OPTION_STRING:
                *(const char **)(void *)target = value ? value : "";
                return false;
        case OPTION_SETTING:
                return !main_put(ctl, option->setting, value ? value : "yes", status);
        case OPTION_ACME:
                return !main_put(ctl, "Tls", tls_source_names[TLS_ACME], status) ||
                       (value && !main_put(ctl, "Acme", value, status));
        case OPTION_HELP:
                main_help();
                return true;
        case OPTION_VERSION:
                printf("bellhopctl %s\n", BELLHOP_VERSION);
                return true;
        }
        return true;
}

int main(int argc, char *argv[])
{
        Ctl ctl = { .config_dir = BELLHOP_CONFIG_DIR,
                    .runtime_dir = BELLHOP_RUNTIME_DIR,
                    .usage_dir = BELLHOP_USAGE_DIR,
                    .mail_dir = BELLHOP_MAIL_DIR,
                    .acme_dir = ACME_STATE_DIR };
        bool given[OPTIONS_MAX] = { false };
        CtlStatus status = CTL_FINE;
        Getopt known;
        int c;

        main_fill_getopt(main_guess_verb(argc, argv), &known);
        while ((c = getopt_long(argc, argv, known.letters, known.options, NULL)) >= 0) {
                const Option *option = main_option(c);

                if (!option) {
                        fputs(HELP_HINT "\n", stderr);
                        return CTL_USAGE;
                }
                given[option - options] = true;
                if (main_take_option(&ctl, option, optarg, &status))
                        return (int)status;
        }
        /* Without this check, bellhopctl would find no instances in a missing folder, and all
         * running units would seem to belong to removed instances. */
        if (access(ctl.config_dir, F_OK) < 0 && strcmp(ctl.config_dir, BELLHOP_CONFIG_DIR) != 0) {
                output_error("--config=%s: %s.", ctl.config_dir, strerror(errno));
                return CTL_FAILED;
        }
        return (int)main_run_verb(&ctl, argv + optind, argc - optind, given);
}
