# SPDX-License-Identifier: MIT
"""Collects the PHP settings of one customer, from pools of PHP-FPM and directives of mod_php, into one file php.fpm."""

import fpm
import plan

DIRECTIVES = ("php_value", "php_flag", "php_admin_value", "php_admin_flag")
CONFIG = "include = /etc/bellhop/php/fpm.conf"


class Setting:
    def __init__(self, file, line, text):
        self.file, self.line, self.text = file, line, text

    def __str__(self):
        return self.text


class Settings:
    def __init__(self):
        self.found = {}   # {(kind, name): [(site's name, value, where)]}
        self.inner = []   # directives for a part of a site
        self.done = set()

    def take_directive(self, node, site, is_inner):
        if is_inner or len(node.words) < 2:
            self.inner.append(node)
        else:
            kind, (name, value) = node.key, node.words[:2]
            self.add(kind, name, "" if value.lower() == "none" else value, site, node)

    def add(self, kind, name, value, site, where):
        self.found.setdefault((kind, name), []).append((site.name, value, where))

    def take_pools(self, sites, verdict):
        for site in sites:
            for pool in site.pools:
                for line, kind, name, value in pool.settings():
                    self.add(kind, name, value, site, Setting(pool.file, line, f"{kind}[{name}] = {value}"))
                if pool in self.done:
                    continue
                self.done.add(pool)
                for line, key, value in pool.lines:
                    where = Setting(pool.file, line, f"{key} = {value}")
                    if fpm.KEPT.fullmatch(key):
                        self.add("pool", key, value, site, where)
                    elif fpm.OWN.fullmatch(key):
                        verdict(where, "moved", "bellhop-instance and /etc/bellhop/php/fpm.conf set this")
                    elif not fpm.INI.fullmatch(key):
                        verdict(where, "needs a hand", "write it into php.fpm of the snippets if it is useful there")

    def text(self, sites, verdict):
        """Returns the text of php.fpm, or None if no setting is needed."""
        self.take_pools(sites, verdict)
        with_php = {site.name for site in sites if site.pools} or {site.name for site in sites}
        lines = []
        for (kind, name), found in sorted(self.found.items()):
            line, why = self.line(kind, name, found, with_php)
            lines += [line] if line else []
            for where in dict.fromkeys(where for _, _, where in found):
                verdict(where, "moved" if line else "needs a hand", why)
        for node in self.inner:
            verdict(node, "needs a hand", "it applies to a part of the site; write it into a .user.ini file there")
        return plan.with_digest("\n".join([CONFIG, "[site]", *lines, ""]), ";") if lines else None

    @staticmethod
    def line(kind, name, found, with_php):
        """Returns (the line of php.fpm, where the setting is now), or (None, why php.fpm does not get the setting)."""
        values = list(dict.fromkeys(value for _, value, _ in found))
        key = name if kind == "pool" else f"{kind}[{name}]"
        if any('"' in value or "\n" in value for value in values):
            return None, "its value has a quote, which php.fpm does not allow"
        if kind == "pool":
            value = max(values, key=lambda value: int(value) if value.isdigit() else 0)
            if len(values) > 1 and not all(value.isdigit() for value in values):
                return None, "the pools of this customer differ, but an instance has only one"
            return f"{key} = {value}", "in php.fpm of the snippets"
        if name == "open_basedir" and len(values) > 1:
            paths = dict.fromkeys(path for value in values for path in value.split(":") if path)
            return f'{key} = "{":".join(paths)}"', "in php.fpm of the snippets, with the folders of all sites of the customer"
        if len(values) > 1 or {site for site, _, _ in found} < with_php:
            return None, "the sites of this customer differ, but an instance has only one PHP: write it into .user.ini files"
        return f'{key} = "{values[0]}"', "in php.fpm of the snippets"
