/* SPDX-License-Identifier: MIT */
/*
 * If no virtual host names the requested host, Apache uses the first virtual host for the port. It
 * uses a virtual host for all ports only if no virtual host is for this port. So if a section
 * <VirtualHost> is for all ports, this file gives the section an address for each port.
 *
 * A virtual host in a snippet (a file in /etc/bellhop/sites) must get requests only for its own
 * names. So this file puts sections without a name, including those of instance.conf, before
 * sections with a name, and Apache uses them for all other hosts. The port decides whether a
 * section has TLS.
 *
 * vhosts_arrange() runs after Apache has read the tree of directives, but before Apache executes
 * any of them. It inserts directives at the beginning of a section, so the section's own directives
 * take precedence.
 */
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "config/config.h"
#include "config/names.h"
#include "httpd/vhosts.h"

#define SECTION       "<VirtualHost"
#define HTTP_PORT     "80"
#define HTTPS_PORT    "443"
#define ANY_HOST_PORT "*:*"

typedef struct Vhosts {
        apr_pool_t *pool;
        const ap_directive_t
                *origin; /* the directive BellhopHosts; new sections get its position in the file */
        const char *instance, *config_dir;
        const char *pages, *certificates; /* the folders that contain the folders of hosts */
        const char *pair;                 /* folder of the instance's certificate; NULL: none */
        bool has_ssl, has_md;
        apr_array_header_t *sections; /* an array of Section */
        apr_array_header_t *plain;    /* the ports without TLS, as const char * */
        apr_array_header_t *tls;
} Vhosts;

typedef struct Section {
        ap_directive_t *node;
        const char *folder; /* the name of the folders for the section's host; NULL: none */
        const char *engine; /* the argument of its SSLEngine; NULL: none */
        bool is_for_any_port;
        bool has_certificate, has_pages;
} Section;

static const char copy_mark;
static ap_directive_t *unused_listen;
static const char *host_pages; /* the same as Vhosts.pages */

bool vhosts_is_copy(const ap_directive_t *directive)
{
        return directive->data == &copy_mark;
}

bool vhosts_is_folder_of(const char *document_root, const char *host)
{
        const size_t length = host_pages ? strlen(host_pages) : 0;

        return length > 0 && strncmp(document_root, host_pages, length) == 0 &&
               document_root[length] == '/' && strcmp(document_root + length + 1, host) == 0;
}

const ap_directive_t *vhosts_unused_listen(void)
{
        return unused_listen;
}

/* --- addresses --- */

/* Returns the port of an address, or NULL if the address is for all ports. */
static const char *port_of(const char *address)
{
        const char *colon = strrchr(address, ':'), *bracket = strrchr(address, ']');

        if (!colon || (bracket && bracket > colon) || strcmp(colon, ":*") == 0)
                return NULL;
        return colon + 1;
}

static bool is_for_any_host(const char *address)
{
        return address[0] == '*' || strncasecmp(address, "_default_", strlen("_default_")) == 0;
}

static bool has_port(const apr_array_header_t *ports, const char *port)
{
        for (int i = 0; i < ports->nelts; i++)
                if (strcmp(APR_ARRAY_IDX(ports, i, const char *), port) == 0)
                        return true;
        return false;
}

static void add_port(apr_array_header_t *ports, const char *port)
{
        if (!has_port(ports, port))
                APR_ARRAY_PUSH(ports, const char *) = port;
}

/* Returns the next address in the arguments of a section, or NULL after the last. */
static const char *next_address(apr_pool_t *pool, const char **arguments)
{
        char *word = ap_getword_conf(pool, arguments);
        const size_t length = strcspn(word, ">");

        if (length == 0)
                return NULL;
        word[length] = 0;
        return word;
}

/* Expands an address for all ports into a list: the address with each of the given ports. */
static const char *write_out(const Vhosts *vhosts, const char *address,
                             const apr_array_header_t *ports)
{
        const char *host = is_for_any_host(address) ? "*" : address, *text = "";
        const size_t length = strlen(host);

        if (length > 2 && strcmp(host + length - 2, ":*") == 0)
                host = apr_pstrndup(vhosts->pool, host, length - 2);
        for (int i = 0; i < ports->nelts; i++)
                text = apr_pstrcat(vhosts->pool, text, " ", host, ":",
                                   APR_ARRAY_IDX(ports, i, const char *), NULL);
        return text;
}

/* --- sections --- */

static ap_directive_t *make_directive(const Vhosts *vhosts, const ap_directive_t *origin,
                                      const char *name, const char *arguments)
{
        ap_directive_t *made = apr_pcalloc(vhosts->pool, sizeof(*made));

        made->directive = name;
        made->args = arguments;
        made->filename = origin->filename;
        made->line_num = origin->line_num;
        return made;
}

static void put_first(const Vhosts *vhosts, ap_directive_t *section, const char *name,
                      const char *arguments)
{
        ap_directive_t *made = make_directive(vhosts, section, name, arguments);

        made->parent = section;
        made->next = section->first_child;
        section->first_child = made;
}

static const char *read_name(apr_pool_t *pool, const char *arguments)
{
        char *name = ap_getword_conf(pool, &arguments);
        const char *scheme = strstr(name, "://");

        name = apr_pstrdup(pool, scheme ? scheme + 3 : name);
        name[strcspn(name, ":/")] = 0;
        ap_str_tolower(name);
        if (strncmp(name, "*.", 2) == 0)
                name[0] = '_';
        return name;
}

static Section read_section(const Vhosts *vhosts, ap_directive_t *node)
{
        const char *arguments = node->args, *address, *alias = NULL;
        Section section = { .node = node };

        while ((address = next_address(vhosts->pool, &arguments)))
                section.is_for_any_port |= !port_of(address);
        for (const ap_directive_t *at = node->first_child; at; at = at->next) {
                if (strcasecmp(at->directive, "ServerName") == 0)
                        section.folder = read_name(vhosts->pool, at->args);
                else if (strcasecmp(at->directive, "ServerAlias") == 0 && !alias)
                        alias = read_name(vhosts->pool, at->args);
                else if (strcasecmp(at->directive, "SSLEngine") == 0)
                        section.engine = at->args;
                section.has_certificate |= strcasecmp(at->directive, "SSLCertificateFile") == 0;
                section.has_pages |= strcasecmp(at->directive, "DocumentRoot") == 0;
        }
        if (!section.folder)
                section.folder = alias;
        return section;
}

static bool is_off(const Section *section)
{
        return section->engine && strcasecmp(section->engine, "off") == 0;
}

static const char *find_folder(const Vhosts *vhosts, const char *parent, const char *name)
{
        const char *path = name && !strchr(name, '/') && name[0] != '.'
                                   ? apr_pstrcat(vhosts->pool, parent, "/", name, NULL)
                                   : NULL;
        struct stat st;

        return path && stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? path : NULL;
}

/* Returns the folder of a certificate and its key. Returns NULL if one of these files is missing or
 * can't be read. With an incomplete pair, the server would not start, and would serve no host. */
static const char *find_pair(const Vhosts *vhosts, const char *name)
{
        static const char *const files[] = { "fullchain.pem", "privkey.pem" };
        const char *folder = find_folder(vhosts, vhosts->certificates, name);

        for (int i = 0; folder && i < 2; i++)
                if (access(apr_pstrcat(vhosts->pool, folder, "/", files[i], NULL), R_OK) < 0)
                        folder = NULL;
        return folder;
}

/* Returns the folder of the section's certificate, or NULL if the section can't use TLS, or "" if
 * directives of the section, or mod_md, provide the certificate. */
static const char *choose_pair(const Vhosts *vhosts, const Section *section)
{
        const char *own;

        if (!vhosts->has_ssl)
                return NULL;
        if (section->has_certificate)
                return "";
        own = find_pair(vhosts, section->folder);
        if (own)
                return own;
        /* If the instance has no certificate, mod_md may get one for a section with a name. */
        return vhosts->pair || !vhosts->has_md || !section->folder ? vhosts->pair : "";
}

static void add_tls(const Vhosts *vhosts, ap_directive_t *node, const char *pair, bool is_switched)
{
        if (pair[0]) {
                put_first(vhosts, node, "SSLCertificateKeyFile",
                          apr_pstrcat(vhosts->pool, "\"", pair, "/privkey.pem\"", NULL));
                put_first(vhosts, node, "SSLCertificateFile",
                          apr_pstrcat(vhosts->pool, "\"", pair, "/fullchain.pem\"", NULL));
        }
        if (!is_switched)
                put_first(vhosts, node, "SSLEngine", "On");
}

/* The addresses of a section, with and without TLS. */
typedef struct Addresses {
        const char *tls, *plain;
} Addresses;

static Addresses sort_addresses(const Vhosts *vhosts, const Section *section, bool can_tls)
{
        const char *arguments = section->node->args, *address, *port;
        Addresses sorted = { "", "" };

        while ((address = next_address(vhosts->pool, &arguments))) {
                port = port_of(address);
                if (!port && can_tls && !is_off(section))
                        sorted.tls = apr_pstrcat(vhosts->pool, sorted.tls,
                                                 write_out(vhosts, address, vhosts->tls), NULL);
                if (!port && (!section->engine || is_off(section)))
                        sorted.plain = apr_pstrcat(vhosts->pool, sorted.plain,
                                                   write_out(vhosts, address, vhosts->plain), " ",
                                                   address, NULL);
                if (port &&
                    (section->engine ? !is_off(section) : can_tls && has_port(vhosts->tls, port)))
                        sorted.tls = apr_pstrcat(vhosts->pool, sorted.tls, " ", address, NULL);
                else if (port)
                        sorted.plain = apr_pstrcat(vhosts->pool, sorted.plain, " ", address, NULL);
        }
        return sorted;
}

static void append_section(ap_directive_t **tail, ap_directive_t *node)
{
        node->next = NULL;
        node->parent = NULL;
        (*tail)->next = node;
        *tail = node;
}

/* Appends a section to the tree. If the section has addresses with and without TLS, splits it into
 * two sections. */
static void write_section(const Vhosts *vhosts, const Section *section, ap_directive_t **tail)
{
        const char *pair = choose_pair(vhosts, section);
        const Addresses addresses = sort_addresses(vhosts, section, pair);
        ap_directive_t *node = section->node, *copy;
        const char *pages =
                section->has_pages ? NULL : find_folder(vhosts, vhosts->pages, section->folder);

        if (pages)
                put_first(vhosts, node, "DocumentRoot",
                          apr_pstrcat(vhosts->pool, "\"", pages, "\"", NULL));
        if (addresses.tls[0]) {
                copy = make_directive(vhosts, node, SECTION,
                                      apr_pstrcat(vhosts->pool, addresses.tls + 1, ">", NULL));
                copy->first_child = node->first_child;
                copy->data = addresses.plain[0] ? (void *)&copy_mark : NULL;
                if (pair)
                        add_tls(vhosts, copy, pair, section->engine);
                append_section(tail, copy);
        }
        if (addresses.plain[0]) {
                node->args = apr_pstrcat(vhosts->pool, addresses.plain + 1, ">", NULL);
                append_section(tail, node);
        }
}

/* --- hosts with folders --- */

/* Whether a host needs its own section. A host with a folder needs one. A host without a folder
 * also needs one if a wildcard that covers the host has a folder: otherwise, Apache would use the
 * wildcard's section, with its folder, for this host. */
static bool is_special(const Vhosts *vhosts, const HostMap *hosts, const char *host)
{
        char folder[NAME_HOST_MAX];

        (void)name_host_folder(host, folder);
        if (find_folder(vhosts, vhosts->pages, folder) || find_pair(vhosts, folder))
                return true;
        for (size_t i = 0; host[0] != '*' && i < hostmap_size(hosts); i++) {
                const HostMapRoute route = hostmap_route(hosts, i);
                const size_t length = strlen(route.what + 1);

                if (route.what[0] == '*' && strlen(host) > length &&
                    strcmp(host + strlen(host) - length, route.what + 1) == 0 &&
                    is_special(vhosts, hosts, route.what))
                        return true;
        }
        return false;
}

static int compare_hosts(const void *left, const void *right)
{
        const char *a = *(const char *const *)left, *b = *(const char *const *)right;

        if ((a[0] == '*') != (b[0] == '*'))
                return a[0] == '*' ? 1 : -1;
        return (int)strlen(b) - (int)strlen(a);
}

/* Adds a section for each host that needs its own: exact hosts first, then wildcards from the
 * longest to the shortest, in the same order as the router. */
static void add_hosts(const Vhosts *vhosts)
{
        apr_array_header_t *names = apr_array_make(vhosts->pool, 8, sizeof(const char *));
        Config *config = NULL;

        if (!vhosts->instance || config_load_own(vhosts->config_dir, vhosts->instance, &config) < 0)
                return;
        for (size_t i = 0; i < hostmap_size(config->map); i++) {
                const HostMapRoute route = hostmap_route(config->map, i);

                if (!route.is_address && is_special(vhosts, config->map, route.what))
                        APR_ARRAY_PUSH(names, const char *) = apr_pstrdup(vhosts->pool, route.what);
        }
        config_free(config);
        qsort(names->elts, (size_t)names->nelts, sizeof(const char *), compare_hosts);
        for (int i = 0; i < names->nelts; i++) {
                const char *name = APR_ARRAY_IDX(names, i, const char *);
                ap_directive_t *node =
                        make_directive(vhosts, vhosts->origin, SECTION, ANY_HOST_PORT ">");

                put_first(vhosts, node, name[0] == '*' ? "ServerAlias" : "ServerName", name);
                APR_ARRAY_PUSH(vhosts->sections, Section) = read_section(vhosts, node);
        }
}

/* --- the whole tree --- */

/* Takes the sections out of the tree, and reads the directives of this module. Returns the tree's
 * last directive. */
static ap_directive_t *take_sections(Vhosts *vhosts)
{
        ap_directive_t **at = &ap_conftree, *last = NULL;

        while (*at) {
                ap_directive_t *node = *at;
                const char *arguments = node->args;

                if (strcasecmp(node->directive, SECTION) == 0) {
                        *at = node->next;
                        APR_ARRAY_PUSH(vhosts->sections, Section) = read_section(vhosts, node);
                        continue;
                }
                if (strcasecmp(node->directive, "Listen") == 0) {
                        *at = node->next;
                        node->next = unused_listen;
                        unused_listen = node;
                        continue;
                }
                if (strcasecmp(node->directive, "BellhopHosts") == 0) {
                        vhosts->origin = node;
                        vhosts->pages = ap_getword_conf(vhosts->pool, &arguments);
                        vhosts->certificates = ap_getword_conf(vhosts->pool, &arguments);
                } else if (strcasecmp(node->directive, "BellhopCertificate") == 0) {
                        vhosts->pair = ap_getword_conf(vhosts->pool, &arguments);
                } else if (strcasecmp(node->directive, "BellhopInstance") == 0) {
                        vhosts->instance = ap_getword_conf(vhosts->pool, &arguments);
                } else if (strcasecmp(node->directive, "BellhopConfigDir") == 0) {
                        vhosts->config_dir = ap_getword_conf(vhosts->pool, &arguments);
                }
                last = node;
                at = &node->next;
        }
        return last;
}

static bool is_enabled(void)
{
        for (const ap_directive_t *at = ap_conftree; at; at = at->next)
                if (strcasecmp(at->directive, "BellhopHosts") == 0)
                        return true;
        return false;
}

/* Finds the ports with and without TLS. Without mod_ssl, no port has TLS. */
static void find_ports(const Vhosts *vhosts)
{
        const char *address, *port;

        add_port(vhosts->has_ssl ? vhosts->tls : vhosts->plain, HTTPS_PORT);
        for (int n = 0; n < 2; n++)
                for (int i = 0; i < vhosts->sections->nelts; i++) {
                        const Section *section = &APR_ARRAY_IDX(vhosts->sections, i, Section);
                        const char *arguments = section->node->args;
                        const bool is_tls = section->engine && !is_off(section);

                        while ((address = next_address(vhosts->pool, &arguments))) {
                                port = port_of(address);
                                if (!port || !is_for_any_host(address) || is_tls != (n == 0))
                                        continue;
                                if (is_tls || !has_port(vhosts->tls, port))
                                        add_port(is_tls ? vhosts->tls : vhosts->plain, port);
                        }
                }
        if (!has_port(vhosts->tls, HTTP_PORT))
                add_port(vhosts->plain, HTTP_PORT);
}

void vhosts_arrange(apr_pool_t *pool)
{
        Vhosts vhosts = {
                .pool = pool,
                .config_dir = BELLHOP_CONFIG_DIR,
                .has_ssl = ap_find_linked_module("mod_ssl.c"),
                .has_md = ap_find_linked_module("mod_md.c"),
                .sections = apr_array_make(pool, 8, sizeof(Section)),
                .plain = apr_array_make(pool, 4, sizeof(const char *)),
                .tls = apr_array_make(pool, 4, sizeof(const char *)),
        };
        ap_directive_t *last;

        unused_listen = NULL;
        host_pages = NULL;
        if (!is_enabled())
                return;
        last = take_sections(&vhosts);
        host_pages = vhosts.pages;
        add_hosts(&vhosts);
        find_ports(&vhosts);
        /* Sections without a name come before sections with a name. In each of these two groups,
         * sections for certain ports come before sections for all ports. */
        for (int turn = 0; turn < 4; turn++)
                for (int i = 0; i < vhosts.sections->nelts; i++) {
                        const Section *section = &APR_ARRAY_IDX(vhosts.sections, i, Section);

                        if ((turn >= 2) == (section->folder != NULL) &&
                            (turn % 2 == 1) == section->is_for_any_port)
                                write_section(&vhosts, section, &last);
                }
}
