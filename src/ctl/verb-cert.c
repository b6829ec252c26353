/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl cert: the certificate of an instance, to be seen or to be made.
 */
#include "config/names.h"
#include "ctl/ask/certificate.h"
#include "ctl/ask/file.h"
#include "ctl/change/self-signed.h"
#include "ctl/show/output.h"
#include "util/cleanup.h"

#define DAY_SECONDS 86400

typedef struct Shown {
        char *path;
        char *key_path;
        STACK_OF(X509) * certificates;
        EVP_PKEY *key; /* NULL: see key_state */
        PemResult key_state;
        int key_error; /* why it could not be read */
} Shown;

static void shown_done(Shown *shown)
{
        free(shown->path);
        free(shown->key_path);
        certificates_free(shown->certificates);
        EVP_PKEY_free(shown->key);
}

static void format_time(time_t time, char ret[static 32])
{
        struct tm tm;

        (void)gmtime_r(&time, &tm);
        (void)strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void read_key(Shown *shown)
{
        _cleanup_free_ char *text = NULL;
        size_t size;

        shown->key_error = file_read(shown->key_path, CERTIFICATE_FILE_MAX_BYTES, &text, &size);
        if (shown->key_error < 0)
                return;
        shown->key_state = key_parse(text, size, &shown->key);
        explicit_bzero(text, size);
}

static bool has_file(const Ctl *ctl, const char *name)
{
        _cleanup_free_ char *file = name_path(NAME_INSTANCE_FILE, ctl->config_dir, name);

        return file && access(file, F_OK) == 0;
}

static CtlStatus read_files(const Ctl *ctl, const char *name, Shown *shown)
{
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        if (asprintf(&shown->path, "%s/tls/%s/fullchain.pem", ctl->config_dir, name) < 0)
                shown->path = NULL;
        if (asprintf(&shown->key_path, "%s/tls/%s/privkey.pem", ctl->config_dir, name) < 0)
                shown->key_path = NULL;
        if (!shown->path || !shown->key_path)
                return output_no_memory();
        r = file_read(shown->path, CERTIFICATE_FILE_MAX_BYTES, &text, &size);
        if (r == -ENOENT && !has_file(ctl, name)) {
                output_error("There is no instance '%s'. 'bellhopctl list' tells which there are.",
                             name);
                return CTL_FAILED;
        }
        if (r == -ENOENT) {
                output_error(
                        "%s has no certificate (%s). 'bellhopctl cert %s --self-signed' makes one.",
                        name, shown->path, name);
                return CTL_FAILED;
        }
        if (r == -EACCES) {
                output_error("%s can be read by root and %s only. Use sudo.", shown->path, name);
                return CTL_FAILED;
        }
        if (r < 0 || certificates_parse(text, size, &shown->certificates) != PEM_TAKEN) {
                output_error("%s can't be read as certificates%s%s. 'bellhopctl check' says more.",
                             shown->path, r < 0 ? ": " : "", r < 0 ? strerror(-r) : "");
                return CTL_FAILED;
        }
        read_key(shown);
        return CTL_FINE;
}

/* NULL: it could not be read. */
static const char *key_match(const Shown *shown, X509 *leaf)
{
        if (shown->key_error < 0)
                return NULL;
        switch (shown->key_state) {
        case PEM_TAKEN:
                return X509_check_private_key(leaf, shown->key) == 1 ? "matches" : "does not match";
        case PEM_ENCRYPTED:
                return "encrypted";
        case PEM_NOTHING:
        case PEM_BROKEN:
                return "damaged";
        }
        return NULL;
}

static void fill_line(Table *table, X509 *certificate, const char *match)
{
        char *texts[] = {
                certificate_subject(certificate),
                certificate_names(certificate),
                certificate_issuer(certificate),
                NULL,
                NULL,
                certificate_key_type(certificate),
                certificate_signature(certificate),
                certificate_serial(certificate),
                certificate_fingerprint(certificate),
        };
        char begin[32], end[32];

        format_time(certificate_not_before(certificate), begin);
        format_time(certificate_not_after(certificate), end);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                table_set(table, i, texts[i]);
                free(texts[i]);
        }
        table_set(table, 3, begin);
        table_set(table, 4, end);
        table_set_bool(table, 9, certificate_is_self_signed(certificate));
        table_set(table, 10, match);
}

static int print_json(const Output *output, const Shown *shown)
{
        static const Column columns[] = {
                { "", "subject", 0, SCOLS_JSON_STRING },
                { "", "names", 0, SCOLS_JSON_ARRAY_STRING },
                { "", "issuer", 0, SCOLS_JSON_STRING },
                { "", "not_before", 0, SCOLS_JSON_STRING },
                { "", "not_after", 0, SCOLS_JSON_STRING },
                { "", "key", 0, SCOLS_JSON_STRING },
                { "", "signature", 0, SCOLS_JSON_STRING },
                { "", "serial", 0, SCOLS_JSON_STRING },
                { "", "sha256", 0, SCOLS_JSON_STRING },
                { "", "self_signed", 0, SCOLS_JSON_BOOLEAN },
                { "", "private_key", 0, SCOLS_JSON_STRING },
        };
        Table table = table_new(output, "certificates", columns, ELEMENTSOF(columns));

        for (int i = 0; i < sk_X509_num(shown->certificates); i++) {
                X509 *certificate = sk_X509_value(shown->certificates, i);

                table_add(&table);
                fill_line(&table, certificate, i == 0 ? key_match(shown, certificate) : NULL);
        }
        return table_print(&table);
}

/* Takes the text. */
static void print_field(const char *name, char *text)
{
        printf("%12s: ", name);
        for (const char *at = text ? text : "none"; *at; at++)
                (void)putchar(*at == '\n' ? ' ' : *at);
        (void)putchar('\n');
        free(text);
}

static void print_validity(const Output *output, const X509 *certificate)
{
        static const OutputColor colors[] = {
                [VALIDITY_GOOD] = COLOR_GOOD,
                [VALIDITY_NOT_YET] = COLOR_ERROR,
                [VALIDITY_ENDS_SOON] = COLOR_WARNING,
                [VALIDITY_OVER] = COLOR_ERROR,
        };
        const time_t now = time(NULL), end = certificate_not_after(certificate);
        char from[32], until[32];

        format_time(certificate_not_before(certificate), from);
        format_time(end, until);
        printf("%12s: %s to %s %s(%ld days %s)%s\n", "Valid", from, until,
               output_color(output, colors[certificate_validity(certificate, now)]),
               labs((long)((end - now) / DAY_SECONDS)), end < now ? "over" : "left",
               output_color_end(output));
}

static void print_text(const Output *output, const Shown *shown, const char *name)
{
        X509 *leaf = sk_X509_value(shown->certificates, 0);
        const char *match = key_match(shown, leaf);

        printf("%s%s%s: %s\n", output_color(output, COLOR_STRONG), name, output_color_end(output),
               shown->path);
        print_field("Subject", certificate_subject(leaf));
        print_field("Names", certificate_names(leaf));
        print_field("Issuer",
                    certificate_is_self_signed(leaf) ? strdup("itself") : certificate_issuer(leaf));
        print_validity(output, leaf);
        print_field("Key", certificate_key_type(leaf));
        printf("%12s: %s (%s)\n", "Private key", shown->key_path,
               match ? match : strerror(-shown->key_error));
        print_field("Signature", certificate_signature(leaf));
        print_field("Serial", certificate_serial(leaf));
        print_field("SHA-256", certificate_fingerprint(leaf));
        for (int i = 1; i < sk_X509_num(shown->certificates); i++) {
                X509 *certificate = sk_X509_value(shown->certificates, i);

                printf("\n");
                print_field("Chain", certificate_subject(certificate));
                print_field("Issuer", certificate_issuer(certificate));
                print_validity(output, certificate);
        }
}

static CtlStatus show(const Ctl *ctl, const char *name)
{
        Shown shown = { .key_error = 0 };
        CtlStatus status = read_files(ctl, name, &shown);
        Output output;

        if (status == CTL_FINE) {
                output_start(ctl, &output);
                if (!ctl->json)
                        print_text(&output, &shown, name);
                else if (print_json(&output, &shown) < 0)
                        status = output_no_memory();
                status = output_done(&output, status);
        }
        shown_done(&shown);
        return status;
}

static CtlStatus tell_made(const Ctl *ctl, const char *name, int made)
{
        switch (made) {
        case SELF_SIGNED_MADE:
                if (!ctl->no_legend)
                        printf("Made %s/tls/%s/{fullchain,privkey}.pem. To use it: systemctl "
                               "try-restart bellhop@%s.service\n",
                               ctl->config_dir, name, name);
                return CTL_FINE;
        case SELF_SIGNED_EXISTS:
                output_error("%s has a certificate or key in %s/tls/%s. --force replaces it.", name,
                             ctl->config_dir, name);
                return CTL_FAILED;
        case SELF_SIGNED_NO_NAME:
                output_error("%s has no Host= and no Address= that a certificate could name.",
                             name);
                return CTL_FAILED;
        case SELF_SIGNED_NO_USER:
                output_error("There is no user %s. 'useradd --create-home %s' makes one.", name,
                             name);
                return CTL_FAILED;
        default:
                output_error("%s/tls/%s can't be written: %s.%s", ctl->config_dir, name,
                             strerror(-made), geteuid() == 0 ? "" : " Use sudo.");
                return CTL_FAILED;
        }
}

static CtlStatus make(const Ctl *ctl, const Config *config, uint32_t instance)
{
        Hosts *hosts = hosts_new(config->map, config->n_instances);
        const char *name = config->instances[instance].name;
        int made;

        if (!hosts)
                return output_no_memory();
        made = self_signed_make(ctl->config_dir, name, &hosts[instance], ctl->force);
        hosts_free(hosts, config->n_instances);
        return tell_made(ctl, name, made);
}

CtlStatus verb_cert(const Ctl *ctl, char *arguments[])
{
        const char *name = arguments[0];
        Config *config = NULL;
        uint32_t instance;
        CtlStatus status;
        int r;

        if (ctl->force && !ctl->self_signed) {
                output_error("--force is for --self-signed.");
                return CTL_USAGE;
        }
        if (!instance_name_is_valid(name)) {
                output_error("'%s' is no name of an instance.", name);
                return CTL_FAILED;
        }
        if (!ctl->self_signed)
                return show(ctl, name);
        r = config_load(ctl->config_dir, CONFIG_USERS_CHECK, NULL, &config);
        if (r < 0) {
                output_error("The configuration in %s can't be read: %s.", ctl->config_dir,
                             strerror(-r));
                return CTL_FAILED;
        }
        instance = config_find_instance(config, name);
        if (instance == ROUTE_NONE) {
                output_error(
                        "There is no instance %s, or its file has a mistake. 'bellhopctl check' "
                        "says which.",
                        name);
                status = CTL_FAILED;
        } else {
                status = make(ctl, config, instance);
        }
        config_free(config);
        return status;
}
