/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target on files, without a fuzzer: corpora and old crashers become a test. Arguments
 * are files and directories; output is TAP, one test an argument. Nothing to run is a failure.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads into a block of exactly the file's size, so that a sanitizer sees a step beyond. */
static int run_file(const char *path, size_t size)
{
        FILE *f = fopen(path, "re");
        uint8_t *data;
        size_t n;

        if (f == NULL)
                return -errno;
        data = malloc(size);
        if (size > 0 && data == NULL) {
                (void)fclose(f);
                return -ENOMEM;
        }
        n = size > 0 ? fread(data, 1, size, f) : 0;
        (void)fclose(f);
        if (n == size)
                (void)LLVMFuzzerTestOneInput(data, size);
        free(data);
        return n == size ? 0 : -EIO;
}

static int run_path(const char *path, size_t *n_inputs);

static int is_visible(const struct dirent *entry)
{
        return entry->d_name[0] != '.';
}

static int run_directory(const char *path, size_t *n_inputs)
{
        struct dirent **entries;
        int n = scandir(path, &entries, is_visible, alphasort);
        int r = n < 0 ? -errno : 0;

        for (int i = 0; i < n; i++) {
                char *child = NULL;

                if (r == 0 && asprintf(&child, "%s/%s", path, entries[i]->d_name) < 0)
                        r = -ENOMEM;
                if (r == 0)
                        r = run_path(child, n_inputs);
                free(child);
                free(entries[i]);
        }
        if (n >= 0)
                free(entries);
        return r;
}

static int run_path(const char *path, size_t *n_inputs)
{
        struct stat st;
        int r;

        if (stat(path, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return run_directory(path, n_inputs);
        r = run_file(path, (size_t)st.st_size);
        if (r == 0)
                (*n_inputs)++;
        return r;
}

int main(int argc, char **argv)
{
        size_t n_total = 0;
        bool failed = false;

        printf("1..%d\n", argc - 1);
        for (int i = 1; i < argc; i++) {
                size_t n_inputs = 0;
                int r = run_path(argv[i], &n_inputs);
                bool ok = r == 0 && n_inputs > 0;

                printf("%s %d - %s: %s: %zu inputs\n", ok ? "ok" : "not ok", i,
                       program_invocation_short_name, argv[i], n_inputs);
                if (r < 0)
                        printf("# %s: %s\n", argv[i], strerror(-r));
                n_total += n_inputs;
                failed = failed || !ok;
        }
        printf("# %zu inputs\n", n_total);
        return failed || n_total == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
