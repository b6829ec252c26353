/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl: options, then the verb.
 */
#include <getopt.h>
#include <unistd.h>

#include "ctl/show/output.h"
#include "ctl/verbs.h"
#include "util/cleanup.h"

#define HELP_HINT "Try 'bellhopctl --help'."

/* Behind every letter, for options without one. */
#define LONG_ONLY 256

static void help(void)
{
        printf("bellhopctl [OPTIONS...] VERB ...\n"
               "\n"
               "Looks after customers' websites.\n"
               "\n"
               "Verbs:\n");
        for (size_t i = 0; i < n_verbs; i++) {
                const char *arguments = verbs[i].arguments ? verbs[i].arguments : "";
                const int room = 22 - (int)strlen(verbs[i].name);

                printf("  %s %-*s %s\n", verbs[i].name, room, arguments, verbs[i].help);
        }
        printf("\n"
               "Options:\n");
        for (size_t i = 0; i < n_options; i++) {
                const Option *o = &options[i];
                char letter[] = { '-', o->letter, 0 };
                const int room = 15 - (int)strlen(o->name);

                printf("  %2s --%s%s%-*s %s%s%s\n", o->letter ? letter : "", o->name,
                       o->argument ? "=" : " ", room > 0 ? room : 0, o->argument ? o->argument : "",
                       o->verbs ? o->verbs : "", o->verbs ? ": " : "", o->help);
        }
        printf("\n"
               "Examples:\n"
               "  bellhopctl add alice --create-user --self-signed --host=alice.example\n"
               "  bellhopctl check && bellhopctl apply\n"
               "\n"
               "Exit status: 0 all is well, 1 something is wrong or has failed, 2 wrong usage.\n"
               "See bellhopctl(1).\n");
}

/* Another one of the same name is for this verb. */
static bool is_hidden(const Option *option, const Verb *verb)
{
        if (option_is_for(option, verb))
                return false;
        for (size_t i = 0; i < n_options; i++)
                if (&options[i] != option && strcmp(options[i].name, option->name) == 0 &&
                    option_is_for(&options[i], verb))
                        return true;
        return false;
}

#define SHORT_MAX (1 + 2 * OPTIONS_MAX + 1)

typedef struct Getopt {
        struct option options[OPTIONS_MAX];
        char letters[SHORT_MAX];
} Getopt;

/* start: what stands before the letters. */
static void fill_getopt(const Verb *verb, const char *start, Getopt *ret)
{
        char *letter = stpcpy(ret->letters, start);
        size_t n = 0;

        for (size_t i = 0; i < n_options; i++) {
                const Option *o = &options[i];

                if (is_hidden(o, verb))
                        continue;
                ret->options[n++] = (struct option){
                        o->name,
                        o->argument ? required_argument : no_argument,
                        NULL,
                        LONG_ONLY + (int)i,
                };
                if (o->letter)
                        *letter++ = o->letter;
                if (o->letter && o->argument)
                        *letter++ = ':';
        }
        ret->options[n] = (struct option){ NULL, 0, NULL, 0 };
        *letter = 0;
}

/* The first word, as long as all that stands before it means the same for each verb. */
static const Verb *look_for_verb(int argc, char *argv[])
{
        const Verb *verb;
        Getopt all;

        fill_getopt(NULL, "+", &all);
        opterr = 0;
        while (getopt_long(argc, argv, all.letters, all.options, NULL) >= 0)
                ;
        verb = optind < argc ? verb_find(argv[optind]) : NULL;
        opterr = 1;
        optind = 0; /* begin anew */
        return verb;
}

/* NULL: getopt has said that there is no such option. */
static const Option *option_of(int c)
{
        if (c >= LONG_ONLY)
                return &options[c - LONG_ONLY];
        for (size_t i = 0; i < n_options; i++)
                if (options[i].letter == c)
                        return &options[i];
        return NULL;
}

static CtlStatus check_options(const Verb *verb, const bool given[static OPTIONS_MAX])
{
        for (size_t i = 0; i < n_options; i++)
                if (given[i] && !option_is_for(&options[i], verb)) {
                        output_error("--%s is for %s, not for %s. " HELP_HINT, options[i].name,
                                     options[i].verbs, verb->name);
                        return CTL_USAGE;
                }
        return CTL_FINE;
}

static CtlStatus run_verb(const Ctl *ctl, char *words[], int n,
                          const bool given[static OPTIONS_MAX])
{
        const Verb *verb = n > 0 ? verb_find(words[0]) : NULL;

        if (n == 0) {
                output_error("Say what to do. " HELP_HINT);
                return CTL_USAGE;
        }
        if (!verb) {
                output_error("There is no verb '%s'. " HELP_HINT, words[0]);
                return CTL_USAGE;
        }
        if (n - 1 < verb->min_arguments || n - 1 > verb->max_arguments) {
                output_error("Write 'bellhopctl %s%s%s'. " HELP_HINT, verb->name,
                             verb->arguments ? " " : "", verb->arguments ? verb->arguments : "");
                return CTL_USAGE;
        }
        if (check_options(verb, given) != CTL_FINE)
                return CTL_USAGE;
        return verb->run(ctl, words + 1);
}

/* False: they are too many. */
static bool append_item(OptionList *list, const char *value)
{
        if (list->n == OPTION_LIST_MAX)
                return false;
        list->items[list->n++] = value;
        return true;
}

/* True: that was all that was asked for. */
static bool take_option(Ctl *ctl, const Option *option, const char *value, CtlStatus *status)
{
        char *target = (char *)ctl + option->offset;

        switch (option->kind) {
        case OPTION_FLAG:
                *(bool *)target = true;
                return false;
        case OPTION_STRING:
                memcpy(target, (const void *)&value, sizeof(value));
                return false;
        case OPTION_LIST:
                if (append_item((OptionList *)(void *)target, value))
                        return false;
                output_error("--%s can be given %d times at most; write several in one, with "
                             "blanks.",
                             option->name, OPTION_LIST_MAX);
                *status = CTL_USAGE;
                return true;
        case OPTION_HELP:
                help();
                return true;
        case OPTION_VERSION:
                printf("bellhopctl %s\n", BELLHOP_VERSION);
                return true;
        }
        return true;
}

int main(int argc, char *argv[])
{
        Ctl ctl = { .config_dir = BELLHOP_CONFIG_DIR, .runtime_dir = BELLHOP_RUNTIME_DIR };
        bool given[OPTIONS_MAX] = { false };
        const Verb *verb = look_for_verb(argc, argv);
        CtlStatus status = CTL_FINE;
        Getopt known;
        int c;

        fill_getopt(verb, "", &known);
        while ((c = getopt_long(argc, argv, known.letters, known.options, NULL)) >= 0) {
                const Option *option = option_of(c);

                if (!option) {
                        fputs(HELP_HINT "\n", stderr);
                        return CTL_USAGE;
                }
                given[option - options] = true;
                if (take_option(&ctl, option, optarg, &status))
                        return (int)status;
        }
        /* Else nobody would be a customer, and all that runs left over. */
        if (access(ctl.config_dir, F_OK) < 0 && strcmp(ctl.config_dir, BELLHOP_CONFIG_DIR) != 0) {
                output_error("--config=%s: %s.", ctl.config_dir, strerror(errno));
                return CTL_FAILED;
        }
        return (int)run_verb(&ctl, argv + optind, argc - optind, given);
}
