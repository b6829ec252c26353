# SPDX-License-Identifier: MIT
"""Finds the user of each virtual host. Then finds the customer of each host, with the rules that Apache uses to choose
a virtual host. For each address and port, Apache takes the first virtual host with a name or wildcard that matches the
host. If there is no match, Apache takes the first virtual host."""

import fnmatch
import ipaddress
import pwd
import re
from collections import Counter

PROXY_SOCKET = re.compile(r"unix:([^|\"'\s]+)\||fcgi://([0-9.]+:\d+)")
HOST = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# Directives that name the user. If a virtual host has several of them, the first one in this order counts.
USER_DIRECTIVES = ("assignuserid", "ruidgid", "suexecusergroup")
HTTP, TLS = "http", "tls"
PORTS = {HTTP: 80, TLS: 443}
# To find the customer of a wildcard, owner() replaces its "*" by this text, which makes a host that nobody uses.
PROBE = "zz--0"


def is_address(text):
    try:
        return bool(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        return False


def is_route(name):
    """Whether the name can be a value of Host=."""
    return bool(HOST.fullmatch(name.removeprefix("*."))) and not is_address(name)


def is_pattern(name):
    return "*" in name or "?" in name


def matches(pattern, host):
    if not is_pattern(pattern):
        return pattern == host
    return fnmatch.fnmatchcase(host, pattern.replace("[", "[[]"))


def user_by(word):
    """Returns the name of a user. word: the name, or "#" and the number of the user. Returns None if there is no such
    user."""
    try:
        return pwd.getpwuid(int(word[1:])).pw_name if word.startswith("#") else pwd.getpwnam(word).pw_name
    except (KeyError, ValueError):
        return None


class Site:
    """One virtual host."""

    def __init__(self, node, pools):
        self.node, self.names, self.places = node, [], []
        self.users, self.why = set(), None  # why: the reason if no user was found
        for child in node.children:
            if child.key == "servername" and child.words:
                self.names.insert(0, (self.plain(child.first()), child))
            elif child.key == "serveralias":
                self.names += [(self.plain(word), child) for word in child.words]
        self.proto = TLS if any(child.key == "sslengine" and child.first().lower() in ("on", "optional")
                                for child in node.children) else HTTP
        for word in node.words:
            found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:]+)(?::(\d+|\*))?", word)
            ip, port = found.groups() if found else (word, None)
            self.places.append(("*" if ip in ("*", "_default_") else ip.strip("[]"), port or "*"))
        self.pools = [pool for child in node.walk() for found in PROXY_SOCKET.finditer(child.text)
                      if (pool := pools.get(found.group(1) or found.group(2)))]

    @staticmethod
    def plain(name):
        return re.sub(r"^\w+://|:\d+$", "", name).rstrip("/").lower().removesuffix(".")

    @property
    def name(self):
        return self.names[0][0] if self.names else ""

    @property
    def where(self):
        return f"{self.node.file}:{self.node.line}"

    def get(self, key):
        """Returns the last directive with this key. Ignores directives in sections of the virtual host."""
        return next((child for child in reversed(self.node.children) if child.key == key), None)

    def has(self, host):
        return any(matches(name, host) for name, _ in self.names)

    def find_user(self, wanted, of_all):
        """Returns the user that is named in wanted, in a directive or in the pools of PHP-FPM. wanted: {host: user},
        from the options --user. of_all: the user of the whole server."""
        for name, _ in self.names:
            if name in wanted:
                return wanted[name]
        for key in USER_DIRECTIVES:
            if node := self.get(key):
                return node.first()
        users = {pool.get("user") for pool in self.pools}
        if len(users) > 1:
            self.why = f"its pools of PHP-FPM have several users, {', '.join(sorted(users))}"
        elif users and users != {of_all}:
            return users.pop()
        elif users:
            self.why = f"its PHP runs as {of_all}, like the whole server"
        return None

    def take_user(self, wanted, of_all):
        word = self.find_user(wanted, of_all)
        name = word and user_by(word)
        if word and not name:
            self.why = f"user {word} does not exist"
        elif name == of_all and not any(site_name in wanted for site_name, _ in self.names):
            self.why = f"it runs as {of_all}, like the whole server"
        elif name in ("root", "bellhop") or (name and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,30}", name)):
            self.why = f"user {name} can't have an instance"
        elif name:
            self.users = {name}
        elif not self.why:
            self.why = "nothing in it names a user"


class Sites:
    """All virtual hosts, in Apache's order."""

    def __init__(self, source, pools, wanted):
        self.all = [Site(node, pools) for node in source.vhosts]
        of_all = source.server("user", "www-data")
        for site in self.all:
            site.take_user({name.lower(): user for name, user in wanted.items()}, of_all)
        self.ports = {proto: self.find_port(proto) for proto in PORTS}
        self.groups = self.find_groups()
        self.inherit()

    def find_port(self, proto):
        """Returns the port for clients' requests: 80 or 443. If no virtual host has this port, another server passes the
        requests on to this server; then returns the most common port of the virtual hosts."""
        ports = Counter(port for site in self.all if site.proto == proto for _, port in site.places)
        usual = str(PORTS[proto])
        return usual if usual in ports or not ports else ports.most_common(1)[0][0]

    def is_public(self, site):
        return any(port in ("*", self.ports[site.proto]) for _, port in site.places)

    def find_groups(self):
        """Returns {(protocol, address): virtual hosts}."""
        groups = {}
        for site in self.all:
            for ip in dict.fromkeys(ip for ip, port in site.places if port in ("*", self.ports[site.proto])):
                groups.setdefault((site.proto, ip), []).append(site)
        return groups

    def inherit(self):
        """Gives each virtual host without a user, for example one that only redirects, to the users of other virtual
        hosts with the same names."""
        with_user = [site for site in self.all if site.users]
        for site in self.all:
            if not site.users:
                own = {name for name, _ in site.names}
                found = {user for other in with_user for user in other.users if own & {name for name, _ in other.names}}
                if found:
                    site.users, site.why = found, None

    def choices(self, host):
        """Returns the virtual hosts that Apache chooses for the host: one for each address and protocol."""
        found = (next((site for site in group if site.has(host)), None) for group in self.groups.values())
        return [site for site in found if site]

    def owner(self, host):
        """Returns (user, None), or (None, why there is no user)."""
        sites = self.choices(host.replace("*", PROBE, 1))
        if not sites:
            return None, "no address has a virtual host with that name"
        users = set.intersection(*(site.users for site in sites))
        if len(users) == 1:
            return users.pop(), None
        without = next((site for site in sites if not site.users), None)
        if without:
            return None, f"{without.why}. Use --user={host}=USER to give it to USER"
        # Some of these virtual hosts may belong to several customers, and some to only one. If all of the latter belong
        # to the same customer, the host belongs to this customer.
        alone = {user for site in sites if len(site.users) == 1 for user in site.users}
        if len(alone) == 1:
            return alone.pop(), None
        return None, f"virtual hosts of several users have it: {', '.join(sorted({site.where for site in sites}))}"

    def routes(self):
        """Returns {user: hosts} for all names that become hosts of an instance, and {name: reason} for all other
        names."""
        hosts, left = {}, {}
        for site in self.all:
            for name, _ in site.names:
                if not is_route(name):
                    left[name] = ("an address is not a host: use Address=" if is_address(name)
                                  else "Host= allows only the wildcard '*.' in front: list the hosts in Host=")
                    continue
                user, why = self.owner(name)
                if user:
                    hosts.setdefault(user, {})[name] = None
                else:
                    left[name] = why
        return {user: list(names) for user, names in hosts.items()}, left

    def default(self):
        """Returns (the user that gets all unknown hosts, None), or (None, why there is no such user)."""
        first = [group[0] for group in self.groups.values()]
        users = set.intersection(*(site.users for site in first)) if first else set()
        if len(users) == 1:
            return users.pop(), None
        return None, ("unknown hosts get the first virtual host of each address and port, but these belong to several users: " +
                      ", ".join(sorted({site.where for site in first})))

    def addresses(self):
        """Returns {user: addresses} for addresses that only one user has. If the server has only one address, the
        result is empty."""
        found = {}
        ips = {ip for _, ip in self.groups}
        for ip in sorted(ips - {"*"}):
            groups = {proto: group for (proto, at), group in self.groups.items() if at == ip}
            users = {frozenset(site.users) for group in groups.values() for site in group}
            owner = next(iter(users)) if len(users) == 1 else ()
            if len(ips) < 2 or len(owner) != 1 or not is_address(ip):
                continue
            text = f"[{ip}]" if ":" in ip else ip
            ports = [f"{text}:{PORTS[proto]}" for proto in sorted(groups)]
            found.setdefault(next(iter(owner)), []).extend([ip] if len(ports) == 2 else ports)
        return found
