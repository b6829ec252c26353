# SPDX-License-Identifier: MIT
"""Finds the certificates that Apache's mod_md manages. This needs a search in folders, because no directive names the
files."""

import os
import re

# MDStoreDir is relative to one of these folders, or to ServerRoot.
STATES = ("/var/lib/apache2", "/var/lib/httpd/state", "/var/lib/httpd")
FLAGS = ("auto", "manual")


class Domains:
    """All domains that mod_md manages. Each domain is a list of names. The first name is also the name of the domain's
    folder."""

    def __init__(self, source):
        root = source.server("serverroot", "/etc/apache2")
        store = source.server("mdstoredir", "md")
        self.stores = [os.path.join(state, store) for state in (*STATES, root)]
        found = [node for top in source.nodes for node in top.walk() if node.key in ("mdomain", "mdomainset")]
        self.all = [names for node in found if (names := [word.lower() for word in node.words if word.lower() not in FLAGS])]

    def pair_of(self, site):
        """Returns the paths (certificate, key, None). Returns None if no domain has a name of the site, or if there is
        no certificate yet."""
        own = {name for name, _ in site.names}
        for names in self.all:
            if own & set(names) and re.fullmatch(r"[a-z0-9*_-][a-z0-9*._-]*", names[0]):
                for store in self.stores:
                    if pair := pair_in(os.path.join(store, "domains", names[0])):
                        return pair
        return None


def pair_in(folder):
    """Returns (certificate, key, chain) as paths, or None if the folder has no pair. The chain is None, because the
    certificate's file contains it. A domain can have several certificates, one for each kind of key. The certificate in
    pubcert.pem takes precedence."""
    try:
        files = os.listdir(folder)
    except OSError:
        return None
    for file in sorted(files, key=lambda name: (name != "pubcert.pem", name)):
        key = file.replace("pubcert", "privkey", 1)
        if re.fullmatch(r"pubcert(\.[a-z0-9]+)?\.pem", file) and key in files:
            return os.path.join(folder, file), os.path.join(folder, key), None
    return None
