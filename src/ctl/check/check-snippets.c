/* SPDX-License-Identifier: MIT */
/* Checks the customer's snippets: their owner and settings. */
#include <glob.h>

#include "ctl/check/check.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/text.h"

#define SNIPPET_MAX_BYTES (1024U * 1024)

/* The syntax of a server's snippets, and the directives to look for. */
typedef struct Language {
        const char *files; /* a pattern of glob(7) */
        const char *ends;  /* each of these characters ends a directive */
        const char *stops; /* each of these characters ends a word */
        const char *root, *certificate;
        const char *elsewhere[4]; /* with one of these directives, the usual document root may be
                                     missing */
        const char *handlers[4];  /* each of these may run PHP */
        /* For Apache, the next two fields are empty, because Apache itself reports directives that
         * open a port or name an application (verdict.h). */
        const char *listen;
        const char *targets[7]; /* each of these names an application */
} Language;

static const Language languages[SERVER_TYPES] = {
        [SERVER_APACHE] = { "{*.conf,*.apache,php.fpm}",
                            "\n",
                            " \t\r\n",
                            "DocumentRoot",
                            "SSLCertificateFile",
                            { "DocumentRoot", "ProxyPass", "ScriptAlias" },
                            { "SetHandler", "AddHandler", "LoadModule" },
                            NULL,
                            { NULL } },
        [SERVER_NGINX] = { "{*.conf,*.nginx,*.http,php.fpm}",
                           "\n;{}",
                           " \t\r\n;",
                           "root",
                           "ssl_certificate",
                           { "root", "proxy_pass" },
                           { "fastcgi_pass", "proxy_pass", "uwsgi_pass" },
                           "listen",
                           { "proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass",
                             "server" } },
};

static const Language *snippets_language(const InstanceCheck *inst)
{
        return &languages[inst->instance->server];
}

/* Finds the directive in *text. Returns its arguments, and advances *text to the end of the
 * directive. Returns NULL if *text does not have the directive. */
static const char *snippets_next(const char **text, const char *directive, const char *ends)
{
        const size_t length = strlen(directive);

        for (const char *line = *text; *line; line += *line != 0) {
                line += strspn(line, " \t");
                *text = line + strcspn(line, line[0] == '#' ? "\n" : ends);
                if (strncasecmp(line, directive, length) == 0 &&
                    (line[length] == ' ' || line[length] == '\t'))
                        return line + length + strspn(line + length, " \t");
                line = *text;
        }
        return NULL;
}

static bool snippets_have(const Language *language, const char *text,
                          const char *const directives[])
{
        for (size_t i = 0; directives[i]; i++) {
                const char *rest = text;

                if (snippets_next(&rest, directives[i], language->ends))
                        return true;
        }
        return false;
}

static void snippets_take_word(const Language *language, const char *text,
                               char ret[static PATH_MAX])
{
        const bool is_quoted = text[0] == '"';
        const char *stops = is_quoted ? "\"\r\n" : language->stops;

        text += is_quoted;
        (void)snprintf(ret, PATH_MAX, "%.*s", (int)strcspn(text, stops), text);
}

/* Adds to inst->roots the document roots that a snippet sets. Ignores paths with variables. */
static void snippets_note_roots(InstanceCheck *inst, const char *text)
{
        const Language *language = snippets_language(inst);
        const char *argument;

        while ((argument = snippets_next(&text, language->root, language->ends))) {
                char path[PATH_MAX];

                snippets_take_word(language, argument, path);
                if (path[0] == '/' && !strchr(path, '$') &&
                    texts_append(&inst->roots, &inst->n_roots, path) < 0)
                        inst->check->findings.n_lost++;
        }
}

static unsigned snippets_line(const char *text, const char *at)
{
        unsigned line = 1;

        for (; text < at; text++)
                line += *text == '\n';
        return line;
}

static void snippets_check_listen(InstanceCheck *inst, const char *file, unsigned line,
                                  const char *address)
{
        const char *colon = strrchr(address, ':');
        const char *digits = colon ? colon + 1 : address;
        uint64_t port = 0;

        if (strncasecmp(address, "unix:", strlen("unix:")) != 0 &&
            (!text_number(span_from_string(digits), UINT16_MAX, &port) || port == 80 ||
             port == 443 || port_is_taken((uint16_t)port)))
                return;
        finding_add(&inst->check->findings, FINDING_LISTEN_UNUSED,
                    (Place){ inst->name, file, line }, NULL, "listen %s", address);
}

/* Checks the first argument of each directive that opens a port or names an application. */
static void snippets_check_lines(InstanceCheck *inst, const char *file, const char *text)
{
        const Language *language = snippets_language(inst);
        const char *argument, *rest = text;
        char word[PATH_MAX];

        if (geteuid() != 0 || inst->instance->is_suspended)
                return;
        while (language->listen &&
               (argument = snippets_next(&rest, language->listen, language->ends))) {
                snippets_take_word(language, argument, word);
                snippets_check_listen(inst, file, snippets_line(text, argument), word);
        }
        for (size_t i = 0; language->targets[i]; i++)
                for (rest = text;
                     (argument = snippets_next(&rest, language->targets[i], language->ends));) {
                        snippets_take_word(language, argument, word);
                        instance_check_nginx_target(inst, file, snippets_line(text, argument),
                                                    word);
                }
}

/* Whether bellhop-acme renews the certificate at this path: in the folder of the instance's
 * certificate, or in the folder of a host below it. */
static bool snippets_is_acme(const InstanceCheck *inst, const char *path)
{
        const char *const folders[] = { "${BELLHOP_TLS}", inst->tls };

        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                const size_t length = strlen(folders[i]);
                const char *host = path + length + 1;

                if (strncmp(path, folders[i], length) == 0 && path[length] == '/' &&
                    (strcmp(host, "fullchain.pem") == 0 ||
                     strcmp(host + strcspn(host, "/"), "/fullchain.pem") == 0))
                        return true;
        }
        return false;
}

/* Reports each certificate that bellhop-acme does not renew. */
static void snippets_check_certificates(InstanceCheck *inst, const char *file, const char *text)
{
        const Language *language = snippets_language(inst);
        const char *argument, *rest = text;
        char path[PATH_MAX];

        while ((argument = snippets_next(&rest, language->certificate, language->ends))) {
                inst->sets_certificate = true;
                snippets_take_word(language, argument, path);
                if (inst->instance->tls == TLS_ACME && !snippets_is_acme(inst, path))
                        finding_add(&inst->check->findings, FINDING_ACME_UNUSED,
                                    (Place){ inst->name, file, snippets_line(text, argument) },
                                    NULL, "%s %s", language->certificate, path);
        }
}

void instance_add_closed(InstanceCheck *inst, FindingKind kind, const char *path,
                         const char *advice, const Access *access)
{
        if (access->error == -EACCES)
                instance_finding(inst, kind, path, advice,
                                 "user %s can't read it, because that user has no access to %s "
                                 "(owner uid %u, mode %04o)",
                                 inst->name, access->obstacle, (unsigned)access->stat.st_uid,
                                 access->stat.st_mode & 07777);
        else
                instance_finding(inst, kind, path, advice, "%s: %s", access->obstacle,
                                 strerror(-access->error));
}

/* Reports a snippet, or the folder of the snippets, if users other than root can change it. Only
 * root may change snippets, because they are part of the server's configuration. */
static void snippets_check_owner(InstanceCheck *inst, const char *path)
{
        const bool is_folder = path == inst->snippets;
        struct stat st;

        if (inst->snippets_not_roots || lstat(path, &st) < 0 ||
            (st.st_uid == 0 && (S_ISLNK(st.st_mode) || !(st.st_mode & (S_IWGRP | S_IWOTH)))))
                return;
        inst->snippets_not_roots = true;
        instance_finding(inst, FINDING_SNIPPETS_NOT_ROOTS, path, NULL,
                         st.st_uid == 0 ? "users other than root can write to this %s (mode %04o)"
                                        : "root does not own this %s (mode %04o)",
                         is_folder ? "folder" : "file", st.st_mode & 07777);
}

static void snippets_look_at(InstanceCheck *inst, const char *path)
{
        const Language *language = snippets_language(inst);
        _cleanup_free_ char *text = NULL;
        struct stat st;
        Access access;
        size_t size;

        inst->n_snippets++;
        inst->n_of_server += !text_ends_with(path, "/php.fpm");
        snippets_check_owner(inst, path);
        if (access_ask(&inst->user, inst->replaced, path, R_OK, &access) == 0 &&
            access.error == -EACCES) {
                inst->snippets_unreadable = true;
                instance_add_closed(inst, FINDING_SNIPPET_ERROR, path, NULL, &access);
        }
        if (stat(path, &st) == 0)
                newest_note(&inst->newest, path, changed_inode(&st));
        if (file_read(path, 0, SNIPPET_MAX_BYTES, &text, &size) < 0)
                return;
        snippets_check_lines(inst, path, text);
        inst->sets_document_root |= snippets_have(language, text, language->elsewhere);
        snippets_note_roots(inst, text);
        inst->sets_handler |= snippets_have(language, text, language->handlers);
        snippets_check_certificates(inst, path, text);
}

void snippets_look(InstanceCheck *inst)
{
        _cleanup_free_ char *pattern =
                text_format("%s/%s", inst->snippets, snippets_language(inst)->files);
        glob_t found;

        snippets_check_owner(inst, inst->snippets);
        if (!pattern || glob(pattern, GLOB_BRACE, NULL, &found) != 0)
                return;
        for (size_t i = 0; i < found.gl_pathc; i++)
                snippets_look_at(inst, found.gl_pathv[i]);
        globfree(&found);
}
