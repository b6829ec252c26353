/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl import: runs a separate program. To make its changes, this program runs bellhopctl
 * with other verbs.
 */
#include <limits.h>
#include <unistd.h>

#include "ctl/show/output.h"
#include "ctl/verbs.h"
#include "util/cleanup.h"
#include "util/text.h"

/* import_run() passes on fewer words than this. */
#define WORDS_MAX (2 * SETTINGS_MAX + 16)

typedef struct Words {
        const char *words[WORDS_MAX];
        size_t n;
} Words;

static void import_add(Words *words, bool given, const char *word)
{
        if (given)
                words->words[words->n++] = word;
}

static void import_run(const Ctl *ctl, const char *file, const char *program)
{
        _cleanup_free_ char *by = text_format("--bellhopctl=%s", program);
        _cleanup_free_ char *config = text_format("--config=%s", ctl->config_dir);
        _cleanup_free_ char *runtime = text_format("--runtime=%s", ctl->runtime_dir);
        _cleanup_free_ char *apache = ctl->apache ? text_format("--apache=%s", ctl->apache) : NULL;
        _cleanup_free_ char *acme = ctl->acme ? text_format("--acme=%s", ctl->acme) : NULL;
        _cleanup_free_ char *network =
                ctl->network ? text_format("--network=%s", ctl->network) : NULL;
        Words words = { { BELLHOP_IMPORT_PROGRAM, by, config, runtime }, 4 };

        if (!by || !config || !runtime || (ctl->apache && !apache) || (ctl->network && !network) ||
            (ctl->acme && !acme)) {
                (void)output_no_memory();
                return;
        }
        import_add(&words, ctl->dry_run, "--dry-run");
        import_add(&words, ctl->json, "--json");
        import_add(&words, ctl->no_legend, "--no-legend");
        import_add(&words, apache, apache);
        import_add(&words, network, network);
        import_add(&words, acme, acme);
        for (size_t i = 0; i < ctl->n_settings; i++) {
                words.words[words.n++] = "--user";
                words.words[words.n++] = ctl->settings[i].value;
        }
        import_add(&words, file, "--");
        import_add(&words, file, file);
        (void)execv(BELLHOP_IMPORT_PROGRAM, (char *const *)words.words);
        output_error(BELLHOP_IMPORT_PROGRAM " can't be run: %s.%s", strerror(errno),
                     errno == ENOENT ? " Install the package python3." : "");
}

CtlStatus verb_import(const Ctl *ctl, char *arguments[])
{
        char program[PATH_MAX];
        const ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

        if (!arguments[0] == !ctl->apache) {
                output_error("Nothing to import. Write: bellhopctl import FILE.json, bellhopctl "
                             "import FILE.csv, or bellhopctl import --apache");
                return CTL_USAGE;
        }
        program[n > 0 ? n : 0] = 0;
        import_run(ctl, arguments[0], program);
        return CTL_FAILED;
}
