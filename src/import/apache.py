# SPDX-License-Identifier: MIT
"""Reads the configuration of a running Apache from the dump that its mod_info prints. The dump has every directive,
with its file and line. Apache has already processed Include, IfModule, Define and macros."""

import os
import re
import shutil
import subprocess

from access import PATH, Failed

DEBIAN = "/etc/apache2/apache2.conf"
MODULE_DIRS = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/lib/httpd/modules")
WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|(\S+)')
IN_FILE = re.compile(r"# In file: (?:macro .* used on line \d+ of )?\"?([^\"]*?)\"?$")
LINE = re.compile(r"#\s*(\d+):$")


class Node:
    """A directive, or a section with its contents."""

    def __init__(self, name, text, file="", line=0):
        self.name, self.text, self.file, self.line = name, text, file, line
        self.children = None  # the nodes in a section; None for a directive

    @property
    def key(self):
        return self.name.lower()

    @property
    def words(self):
        """The arguments, split into words as Apache splits them."""
        return [plain or re.sub(r"\\([\\\"'])", r"\1", double or single) for double, single, plain in WORD.findall(self.text)]

    def first(self, default=""):
        return self.words[0] if self.words else default

    def __str__(self):
        text = f"{self.name} {self.text}".rstrip()
        return f"<{text}>" if self.children is not None else text

    def walk(self):
        """Yields this node, and all nodes in it."""
        yield self
        for child in self.children or ():
            yield from child.walk()


class Source:
    def __init__(self, nodes, modules, program):
        self.nodes, self.modules, self.program = nodes, modules, program

    @property
    def vhosts(self):
        return [node for node in self.nodes if node.key == "virtualhost"]

    def server(self, key, default=""):
        """Returns the first argument of the last directive with this key that is not in a section."""
        return next((node.first() for node in reversed(self.nodes) if node.key == key), default)


def parse(text):
    """Parses a dump into its nodes."""
    top = Node("", "")
    top.children = []
    stack, file, line = [top], "", 0
    for row in text.split("\n"):
        row = row.strip()
        if row.startswith("#"):
            file = found.group(1) if (found := IN_FILE.match(row)) else file
            line = int(found.group(1)) if (found := LINE.match(row)) else line
        elif row.startswith("</"):
            if len(stack) == 1:
                raise Failed(f"Apache's dump ends a section that it did not begin: {row}")
            stack.pop()
        elif row.startswith("<"):
            name, _, rest = row[1:].removesuffix(">").partition(" ")
            stack[-1].children.append(Node(name, rest.strip(), file, line))
            stack.append(stack[-1].children[-1])
            stack[-1].children = []
        elif row:
            name, _, rest = row.partition(" ")
            stack[-1].children.append(Node(name, rest.strip(), file, line))
    return top.children


def module_file(name):
    """Returns the path of a module, or None if this machine does not have it. name: the module's name in LoadModule,
    such as info_module."""
    base = {"mpm_itk_module": "mpm_itk"}.get(name, name.removesuffix("_module"))
    return next((path for folder in MODULE_DIRS if os.path.exists(path := f"{folder}/mod_{base}.so")), None)


def run(program, file, *words):
    """Runs Apache with arguments. If the file envvars exists, first sets the variables in it, as apachectl does."""
    envvars = os.path.join(os.path.dirname(file), "envvars")
    script = 'if [ -r "$1" ]; then . "$1"; fi; shift; exec "$@"'
    done = subprocess.run(["sh", "-c", script, "sh", envvars, program, "-f", file, *words], capture_output=True,
                          text=True, errors="surrogateescape", check=False, cwd="/", stdin=subprocess.DEVNULL,
                          env={"PATH": PATH, "LC_ALL": "C"})
    if done.returncode != 0:
        raise Failed(f"Apache does not accept {file}, so nothing was read: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def load(file):
    program = next((path for name in ("apache2", "httpd") if (path := shutil.which(name, path=PATH))), None)
    info = module_file("info_module")
    file = os.path.abspath(file or DEBIAN)
    if not program or not info:
        raise Failed("Apache or its module mod_info is not installed (Debian: the package apache2-bin)")
    if not os.path.exists(file):
        raise Failed(f"{file} does not exist. Name the main file: bellhopctl import --apache=FILE")
    nodes = parse(run(program, file, "-C", f"LoadModule info_module {info}", "-t", "-D", "DUMP_CONFIG"))
    modules = re.findall(r"^ (\w+) \((?:static|shared)\)$", run(program, file, "-t", "-D", "DUMP_MODULES"), re.MULTILINE)
    return Source(nodes, modules, program)
