# SPDX-License-Identifier: MIT
"""Finds the pools of PHP-FPM by the sockets through which Apache reaches them."""

import glob
import os
import re

# Files are read in this order, and a later file takes precedence.
POOLS = ("/etc/php/*/fpm/pool.d/*.conf", "/etc/php-fpm.d/*.conf")
INI = re.compile(r"(php_(?:admin_)?(?:value|flag)|env)\[([^\]]+)\]")
# bellhop-instance or fpm.conf makes these settings, so they are not imported.
OWN = re.compile(r"user|group|listen(\..*)?|prefix|pm|chdir|catch_workers_output|decorate_workers_output|clear_env|"
                 r"process_control_timeout|rlimit_.*")
# These settings of a pool are copied into php.fpm.
KEPT = re.compile(r"pm\..*|request_terminate_timeout|request_slowlog_.*|security\.limit_extensions|process\.priority")


class Pool:
    def __init__(self, name, file, line, version):
        self.name, self.file, self.line, self.version = name, file, line, version
        self.lines = []  # (line, key, value)

    def get(self, key):
        return next((value for _, name, value in reversed(self.lines) if name == key), "").replace("$pool", self.name)

    def settings(self):
        """Returns [(line, kind, name, value)] of the settings for PHP. kind: env, or php_value or similar."""
        return [(line, *found.groups(), value.replace("$pool", self.name)) for line, key, value in self.lines
                if (found := INI.fullmatch(key))]


def plain(value):
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return re.split(r"\s+;", value)[0]


def read(file):
    version = found.group(1) if (found := re.search(r"/php/([0-9.]+)/", file)) else ""
    pools = []
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            rows = opened.read().splitlines()
    except OSError:
        return []
    for number, row in enumerate(rows, 1):
        row = row.strip()
        if found := re.fullmatch(r"\[(.+)\]\s*(?:;.*)?", row):
            pools.append(Pool(found.group(1), file, number, version))
        elif pools and "=" in row and not row.startswith((";", "#")):
            key, _, value = row.partition("=")
            pools[-1].lines.append((number, key.strip(), plain(value)))
    return [pool for pool in pools if pool.name != "global"]


def load(patterns=POOLS):
    """Returns a dictionary of pools. Each key is the path of the pool's socket, or the pool's address with port."""
    found = {}
    for pattern in patterns:
        for file in sorted(glob.glob(pattern)):
            for pool in read(file):
                listen = pool.get("listen")
                found[f"127.0.0.1:{listen}" if listen.isdigit() else listen] = pool
    return found


def program_of(version):
    """Returns the path of PHP-FPM of this version. Returns None if the version is the newest one, which every instance
    uses anyway, or if it is not installed."""
    installed = sorted((tuple(map(int, path.rpartition("fpm")[2].split("."))) for path in
                        glob.glob("/usr/sbin/php-fpm[0-9]*.[0-9]*")))
    path = f"/usr/sbin/php-fpm{version}"
    newest = ".".join(map(str, installed[-1])) if installed else ""
    return path if version and version != newest and os.path.exists(path) else None
