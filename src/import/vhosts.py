# SPDX-License-Identifier: MIT
"""Turns Apache's virtual hosts into a plan, with a verdict on each directive. Most directives are "kept": they are
written into the configuration of the customer's own Apache. A directive is "moved" if a setting of the machine or of
bellhop replaces it. It "needs a hand" if the administrator must replace it."""

import fnmatch
import os
import pwd
import re

import access
import apache
import fpm
import managed
import phpini
import plan
import tables
from access import Failed
from sites import HTTP, PORTS, PROXY_SOCKET, TLS, Sites

MOVED, KEPT, HAND = WORDS = "moved", "kept", "needs a hand"
SNIPPET = "import.conf"
PHP_SOCKET = "unix:${RUNTIME_DIRECTORY}/php.sock|"
TO_HTTPS = re.compile(r"https://(%\{HTTP_HOST\}|%\{SERVER_NAME\}|[a-zA-Z0-9.-]+)/?(\$1|%\{REQUEST_URI\}|%\{THE_REQUEST\})?")
REDIRECTS = ("redirect", "redirectpermanent", "redirecttemp", "redirectmatch", "rewriterule")
UPSTREAM = re.compile(r"\b(?:https?|wss?|fcgi|ajp|scgi|uwsgi|h2c?)://(?!localhost/?\"?$)")


class Verdict:
    def __init__(self, instance, node, word, why):
        self.instance, self.node, self.file, self.line, self.directive = instance, node, node.file, node.line, str(node)
        self.word, self.why = word, why

    def as_json(self):
        return {"instance": self.instance, "file": self.file, "line": self.line, "directive": self.directive,
                "verdict": self.word, "why": self.why}


def redirects_all(site):
    """Whether a virtual host only redirects to the same host over HTTPS."""
    nodes = [node for node in site.node.walk() if node.key in REDIRECTS]
    if site.proto != HTTP or len(nodes) != 1 or any(node.key.startswith("proxypass") for node in site.node.walk()):
        return False
    words = nodes[0].words
    if nodes[0].key == "rewriterule":
        fits = len(words) == 3 and re.fullmatch(r"\^?(/\??)?\(?(\.\*)?\)?\$?", words[0]) and re.search(r"\bR\b", words[2])
        conditions = [node for node in site.node.walk() if node.key == "rewritecond"]
        fits = fits and all(re.search(r"%\{HTTPS\}|%\{SERVER_PORT\}|acme-challenge", node.text) for node in conditions)
    else:
        fits = len(words) >= 2 and words[-2] == "/" and nodes[0].key != "redirectmatch"
    target = TO_HTTPS.fullmatch(words[-1 if nodes[0].key != "rewriterule" else 1]) if fits else None
    return bool(target) and (target.group(1).startswith("%") or {name for name, _ in site.names} == {target.group(1).lower()})


class Customer:
    """The plan of one user: its entry, and the text of its snippet."""

    def __init__(self, name, planner):
        self.name, self.planner = name, planner
        self.sites = [site for site in planner.sites.all if name in site.users and planner.sites.is_public(site)]
        self.paths, self.modules, self.network = {}, set(), False  # paths: {folder: directives that name it}
        self.certificates = {}  # {(certificate, key, chain): folder}
        self.php = phpini.Settings()
        self.values = {"instance": name, "hosts": planner.hosts.get(name, []), "addresses": planner.addresses.get(name, [])}

    def verdict(self, node, word, why):
        self.planner.verdicts.append(Verdict(self.name, node, word, why))

    # --- directives ---

    def lines(self, nodes, depth, site):
        """Returns the lines of the snippet for these directives."""
        text = []
        for node in nodes:
            text += self.line(node, depth, site)
        return text

    def line(self, node, depth, site):
        key, pad = node.key, "    " * depth
        if key.startswith("md") and self.planner.acme is not None:
            self.verdict(node, MOVED, tables.ACME_MOVED)
        elif key in tables.MOVED:
            self.verdict(node, MOVED, tables.MOVED[key])
        elif key in tables.HAND and node.first().lower() == "off":
            self.verdict(node, MOVED, "instances have this off by default")
        elif key in tables.HAND or any(key.startswith(prefix) for prefix in tables.HAND_PREFIXES):
            self.verdict(node, HAND, tables.HAND.get(key) or next(
                why for prefix, why in tables.HAND_PREFIXES.items() if key.startswith(prefix)))
        elif key == "sethandler" and node.first().lower() in tables.PAGES_OF_SERVER:
            self.verdict(node, HAND, "use 'bellhopctl status' and 'bellhopctl top' instead")
        elif key in ("servername", "serveralias"):
            self.verdict_on_names(node, site)
            return [f"{pad}{node}"]
        elif key.startswith("ssl") and (lines := self.line_of_tls(node, pad, site)) is not None:
            return lines
        elif key in phpini.DIRECTIVES:
            self.php.take_directive(node, site, self.is_inner(node, site))
        elif lines := self.line_of_php(node, pad, site):
            return lines
        elif node.children is not None:
            return self.section(node, depth, site)
        elif not self.planner.has_module(node, self.modules):
            self.verdict(node, HAND, "no module of this machine has this directive")
        else:
            return [pad + self.kept(node, site)]
        return []

    @staticmethod
    def is_inner(node, site):
        """Whether the directive applies only to a part of the site."""
        return node not in site.node.children and not any(
            node in child.children and child.key == "directory" and site.get("documentroot") and
            access.real(child.first()) == access.real(site.get("documentroot").first())
            for child in site.node.children if child.children)

    def kept(self, node, site):
        text, why = str(node), "in the snippet"
        if (node.key.startswith("proxy") or node.key == "sethandler" or
                (node.key == "rewriterule" and re.search(r"[\[,]P[\],]", node.text))) and UPSTREAM.search(node.text):
            self.network = True
            why = "in the snippet, and Network=yes lets the instance connect"
        if node.key in ("documentroot", "virtualdocumentroot"):
            why = "in the snippet; the pages stay where they are"
            if node.key == "documentroot":
                self.paths.setdefault(os.path.normpath(node.first()), []).append(node)
        elif node.key in ("alias", "scriptalias") and len(node.words) > 1:
            self.paths.setdefault(os.path.normpath(node.words[1]), []).append(node)
        self.verdict(node, KEPT, why)
        return text

    def section(self, node, depth, site):
        pad = "    " * depth
        before = len(self.planner.verdicts)
        inner = self.lines(node.children, depth + 1, site)
        if not inner and node.children:
            self.planner.verdicts.insert(before, Verdict(self.name, node, MOVED, "everything in this section is elsewhere now"))
            return []
        text = self.with_php_socket(node, site)
        self.planner.verdicts.insert(before, Verdict(self.name, node, KEPT, "in the snippet"))
        return [f"{pad}<{node.name} {text}>", *inner, f"{pad}</{node.name}>"]

    def with_php_socket(self, node, site):
        """Returns the arguments of a directive, after replacing the sockets of pools by the socket of the instance's
        own PHP."""
        def own(found):
            pool = self.planner.pools.get(found.group(1) or found.group(2))
            return found.group() if not pool else PHP_SOCKET + ("fcgi://bellhop-php" if found.group(2) else "")
        return PROXY_SOCKET.sub(own, node.text)

    def line_of_php(self, node, pad, site):
        """Returns the lines that replace a directive about PHP. They use the instance's own handler of PHP. Returns
        None if the directive is not about PHP."""
        text = self.with_php_socket(node, site)
        if text != node.text and node.children is None:
            if len({pool.version for pool in site.pools}) > 1:
                self.verdict(node, HAND, "an instance has only one version of PHP, but this site has several")
            else:
                self.verdict(node, MOVED, "PHP runs in this customer's own PHP-FPM")
            return [f"{pad}{node.name} {text}"]
        if "x-httpd-php" in node.text.lower() and node.key in ("addtype", "addhandler", "sethandler"):
            suffixes = {word.lstrip(".").lower() for word in node.words[1:]}
            if "source" in node.text.lower() or not suffixes <= {"php", "phar"}:
                self.verdict(node, HAND, "instances run files that end in .php or .phar with PHP; for others, a snippet needs "
                                         "FilesMatch with SetHandler as instance.conf does")
                return None if suffixes else []
            self.verdict(node, MOVED, "instance.conf has PHP for files that end in .php or .phar")
            return [f'{pad}SetHandler "proxy:{PHP_SOCKET}fcgi://bellhop-php"'] if not suffixes else [""]
        return None

    def verdict_on_names(self, node, site):
        why = [f"{name}: {self.planner.left[name]}" for name, child in site.names
               if child is node and name in self.planner.left]
        others = [f"Apache gives {name} to {owner}, whose virtual host comes first" for name, child in site.names
                  if child is node and name not in self.planner.left and (owner := self.planner.owner(name)) != self.name]
        if why or others:
            self.verdict(node, HAND, "; ".join(why + others))
        else:
            self.verdict(node, MOVED, "Host= of the instance, and in the snippet")

    # --- TLS ---

    def line_of_tls(self, node, pad, site):
        """Returns the lines that replace a directive of TLS. Returns None if the directive is kept."""
        pair = self.planner.pair_of(site)
        if node.key == "sslcertificatefile" and pair:
            if node is not next(child for child in site.node.children if child.key == node.key):
                self.verdict(node, HAND, "a virtual host can have only one pair of certificate and key, and already has one")
                return []
            folder = self.certificates[pair]
            self.verdict(node, MOVED, f"certificate, chain and key are in /etc/bellhop/tls/{self.name}/{folder}".rstrip("/"))
            return self.lines_of_pair(pair, pad)
        if node.key in ("sslcertificatekeyfile", "sslcertificatechainfile"):
            self.verdict(node, MOVED, "it is installed with the certificate")
            return []
        if node.key == "sslcacertificatefile" and not any(child.key == "sslverifyclient" for child in site.node.walk()):
            self.verdict(node, MOVED, "it completes the chain, so it is stored with the certificate")
            return []
        return None

    def lines_of_pair(self, pair, pad):
        folder = self.certificates[pair]
        at = "${BELLHOP_TLS}" + (f"/{folder}" if folder else "")
        return [f"{pad}SSLCertificateFile {at}/fullchain.pem", f"{pad}SSLCertificateKeyFile {at}/privkey.pem"]

    def find_certificates(self):
        """Finds the pairs of certificate and key. The first pair is the main pair of the instance. Each further pair
        gets a folder with the name of its host."""
        for site in self.sites:
            pair = self.planner.pair_of(site)
            if pair and pair not in self.certificates:
                folder = re.sub(r"[^A-Za-z0-9.-]", "_", site.name).lstrip(".") or f"line-{site.node.line}"
                self.certificates[pair] = folder if self.certificates else ""
        for (certificate, key, chain), folder in self.certificates.items():
            found = {"certificate": certificate, "key": key, **({"chain": chain} if chain else {})}
            if folder:
                self.values.setdefault("certificates", {})[folder] = found
            else:
                self.values.update(found)

    # --- the snippet ---

    def policy(self):
        web = [site for site in self.sites if site.proto == HTTP]
        tls = {name for site in self.sites if site.proto == TLS for name, _ in site.names}
        if not web:
            return "refuse"
        names = {name for site in web for name, _ in site.names}
        if all(redirects_all(site) for site in web) and names <= tls and not self.values["addresses"]:
            return "redirect"
        return "serve"

    def takes_unknown_hosts(self, site):
        """Whether this virtual host must answer requests for hosts that no virtual host names."""
        return ((self.values["addresses"] or self.planner.default == self.name) and
                site is next(first for first in self.sites if first.proto == site.proto))

    def site_text(self, site):
        if site.proto == HTTP and self.values["http"] == "redirect":
            for node in list(site.node.walk())[1:]:
                if node.key in ("servername", "serveralias"):
                    self.verdict_on_names(node, site)
                else:
                    self.verdict(node, MOVED, "Http=redirect: the router redirects to HTTPS without Apache")
            return []
        text = self.lines(site.node.children, 1, site)
        if not site.get("sslcertificatefile") and (pair := self.planner.pair_of(site)):
            text = [*self.lines_of_pair(pair, "    "), *text]
        if self.takes_unknown_hosts(site):
            text = [line for line in text if not re.match(r"\s*Server(Name|Alias)\s", line, re.IGNORECASE)]
        text = [f"<VirtualHost *:{PORTS[site.proto]}>", *text, "</VirtualHost>"]
        return ["<IfModule ssl_module>", *text, "</IfModule>"] if site.proto == TLS else text

    def server_sections(self):
        """Returns the lines of sections outside virtual hosts, if the sections apply to folders of this customer, or to
        folders above them."""
        text = []
        for node in self.planner.server_sections:
            if any(is_about(node, path) for path in self.paths):
                self.planner.used.add(node)
                text += self.lines([node], 0, self.sites[0])
        return text

    def finish(self):
        values = self.values
        values["http"] = self.policy()
        self.find_certificates()
        if self.planner.default == self.name:
            values["default"] = True
        bodies = [line for site in self.sites for line in self.site_text(site)]
        head = self.server_sections()
        head = [*self.lines(self.planner.server_kept, 0, self.sites[0]), *head]
        loads = [f"<IfModule !{module}>\n    LoadModule {module} {file}\n</IfModule>" for module, file in sorted(self.modules)]
        values["snippets"] = {SNIPPET: plan.with_digest("\n".join(line for line in [*loads, *head, *bodies] if line) + "\n")}
        if ini := self.php.text(self.sites, self.verdict):
            values["snippets"]["php.fpm"] = ini
        values["folders"] = self.folders()
        versions = {pool.version for site in self.sites for pool in site.pools if pool.version}
        if len(versions) == 1 and (program := fpm.program_of(*versions)):
            values["php_fpm"] = program
        if self.network or self.planner.network != "no":
            values["network"] = "yes" if self.network else self.planner.network
        entry = plan.entry_of(values, self.sites[0].node.file, self.sites[0].node.line)
        if self.planner.acme is not None:
            plan.let_acme(entry, self.planner.acme)
        return entry

    def folder_of(self, real, path, user):
        """Returns the folder that must be bound into the sandbox to make the path visible. Returns None if a customer
        could replace this folder."""
        home, first = access.real(user.pw_dir), access.first_not_roots(real)
        found = [home] if is_below(real, home) and home.count("/") > 1 else []
        for folder in (*found, first if first and os.path.lexists(first) else real):
            # The customer may have made a link to a folder that only root can change or make. The customer must not get
            # access to such a folder, so it is not bound.
            is_meant = access.is_owned(folder, user) or access.first_not_roots(path) in (None, first)
            if folder not in tables.SHARED and plan.is_folder(folder) and access.is_bindable(folder, user) and is_meant:
                return folder
        return None

    def folders(self):
        """Returns the folders that must be bound into the sandbox, because it hides them or shows them read-only."""
        user = pwd.getpwnam(self.name)
        found = set()
        for path in sorted(self.paths):
            real = access.real(path)
            if is_below(real, f"/home/{self.name}") or is_below(real, f"/srv/www/{self.name}"):
                continue
            is_alias = not any(site.get("documentroot") and os.path.normpath(site.get("documentroot").first()) == path
                               for site in self.sites)
            if is_alias and not is_below(real, "/home") and not is_below(real, "/srv/www"):
                continue
            folder = self.folder_of(real, path, user)
            at_link = path.startswith(("/home/", "/srv/www/")) and path != real and not is_below(path, f"/home/{self.name}")
            if folder is None or (at_link and not (plan.is_folder(path) and access.is_bindable(path, user))):
                for verdict in self.planner.verdicts:
                    if verdict.node in self.paths[path]:
                        verdict.word = HAND
                        verdict.why = (f"in the snippet, but the sandbox does not show {real}, which users other than root could "
                                       f"replace by another folder: move it to /srv/www/{self.name}, or make root the owner "
                                       f"of the folder that it is in")
                continue
            found |= {folder, path} if at_link else {folder}
        return sorted(path for path in found if not any(other != path and is_below(path, other) for other in found))


def is_below(path, folder):
    return path == folder or path.startswith(folder + "/")


def is_about(node, path):
    """Whether a section for folders applies to the path, or to a folder below it."""
    words = [word for word in node.words if word != "~"]
    if not words:
        return False
    if node.key == "directorymatch" or "~" in node.words:
        try:
            return bool(re.search(words[0], path + "/"))
        except re.error:
            return True
    folder = words[0].rstrip("/") or "/"
    above = [path]
    while above[-1] != "/":
        above.append(os.path.dirname(above[-1]))
    return any(fnmatch.fnmatchcase(part, folder) for part in above) or is_below(folder, path)


class Planner:
    def __init__(self, source, wanted, network, acme=None):
        self.source, self.network, self.acme, self.verdicts = source, network, acme, []
        self.managed = managed.Domains(source)
        self.pools = fpm.load()
        self.sites = Sites(source, self.pools, wanted)
        self.hosts, self.left = self.sites.routes()
        self.default, self.no_default = self.sites.default()
        self.addresses = self.sites.addresses()
        self.used, self.libraries, self.known, self.pairs = set(), {}, {}, {}
        self.server_sections, self.server_kept, self.server_rest = [], [], []
        for node in source.nodes:
            self.sort_server_node(node)

    def sort_server_node(self, node):
        if node.key == "virtualhost":
            return
        is_root = node.first() == "/" and not any("granted" in child.text.lower() for child in node.walk())
        if node.key in ("directory", "directorymatch") and not is_root:
            self.server_sections.append(node)
        elif node.key in tables.SERVER_KEPT and "/mods-" not in node.file:
            self.server_kept.append(node)
        else:
            self.server_rest.append(node)

    def owner(self, name):
        return self.sites.owner(name)[0]

    def pair_of(self, site):
        """Returns (certificate, key, chain). Returns None if the virtual host has no certificate."""
        if site.proto != TLS:
            return None
        if not site.get("sslcertificatefile"):
            return self.managed.pair_of(site)
        if site not in self.pairs:
            first = {key: next((child.first() for child in site.node.children if child.key == key), None)
                     for key in ("sslcertificatefile", "sslcertificatekeyfile", "sslcertificatechainfile",
                                 "sslcacertificatefile")}
            checks = any(child.key == "sslverifyclient" for child in site.node.walk())
            chain = first["sslcertificatechainfile"] or (None if checks else first["sslcacertificatefile"])
            certificate = first["sslcertificatefile"]
            root = self.source.server("serverroot", os.path.dirname(site.node.file))
            self.pairs[site] = tuple(path and os.path.join(root, path) for path in
                                     (certificate, first["sslcertificatekeyfile"] or certificate, chain))
        return self.pairs[site]

    def has_module(self, node, needed):
        """Whether the instance's Apache can execute the directive. If the snippet must load a module for the directive,
        adds the module to the set "needed"."""
        if node.key in self.known:
            module = self.known[node.key]
        else:
            module = self.known[node.key] = self.find_module(node.key)
        needed |= {module} if module and module[0] else set()
        return module is not None

    def find_module(self, key):
        """Returns (module, file) of the module that has the directive; (None, file) if every instance has this module;
        None if there is no such module."""
        own = [f"{name}_module" for name in tables.INSTANCE_MODULES]
        files = [(None, self.source.program), *((None, apache.module_file(module)) for module in own)]
        others = [(module, apache.module_file(module)) for module in self.source.modules if module not in own]
        # If the name of a directive is the end of a longer name, a compiled file may contain only the longer name. So
        # the second round compares the ends.
        for fits in (lambda words: key in words, lambda words: any(word.endswith(key) for word in words)):
            for module, file in [*files, *others]:
                if file and fits(self.words_of(file)):
                    return module, file
        return None

    def words_of(self, file):
        """Returns all words in the file of a program or module. The names of its directives are among them."""
        if file not in self.libraries:
            with open(file, "rb") as opened:
                text = opened.read().lower().decode("latin-1")
            self.libraries[file] = frozenset(re.findall(r"[a-z0-9_]{3,60}(?=\0)", text))
        return self.libraries[file]

    def verdicts_without_user(self):
        for site in self.sites.all:
            if site.users and self.sites.is_public(site):
                continue
            why = (f"it stays with the old server: {site.why}" if not site.users else
                   "it stays with the old server: clients use only ports 80 and 443, or the port that replaces one of them")
            for node in site.node.walk():
                self.verdicts.append(Verdict(None, node, HAND, why))

    def verdicts_of_server(self):
        for node in self.server_rest + [node for node in self.server_sections if node not in self.used]:
            for child in node.walk():
                word, why = tables.of_server(child, node, node in self.server_sections)
                if self.acme is not None and child.key.startswith("md"):
                    word, why = MOVED, tables.ACME_MOVED
                self.verdicts.append(Verdict(None, child, word, why))
        if self.no_default and self.sites.all:
            self.verdicts.append(Verdict(None, self.sites.all[0].node, HAND, self.no_default))

    def plan(self):
        entries = []
        for name in dict.fromkeys(user for site in self.sites.all for user in sorted(site.users)):
            customer = Customer(name, self)
            if not customer.sites:
                continue
            entry = customer.finish()
            for site in customer.sites:
                self.verdicts.append(Verdict(name, site.node, KEPT, "in the snippet, for all addresses")
                                     if entry["http"] != "redirect" or site.proto == TLS else
                                     Verdict(name, site.node, MOVED, "Http=redirect"))
            entries.append(entry)
        self.verdicts_without_user()
        self.verdicts_of_server()
        return entries, self.verdicts


def plan_of(source, wanted, network, acme=None):
    """Returns (entries, verdicts). acme: the authority that all entries get, "" for the default one, or None for no
    authority."""
    if not source.vhosts:
        raise Failed("there is no virtual host in Apache's configuration")
    return Planner(source, wanted, network, acme).plan()


def taken_back(verdicts, mistakes):
    """If an instance has a mistake, changes the verdicts on its directives to HAND. The instance is not made, so
    nothing is moved for it."""
    why = {}
    for entry, text in mistakes:
        why.setdefault(entry.name, text)
    for verdict in verdicts:
        if verdict.instance in why:
            verdict.word, verdict.why = HAND, f"not imported: {why[verdict.instance]}"
    return verdicts

