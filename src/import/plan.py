# SPDX-License-Identifier: MIT
"""Reads a plan in JSON or CSV. A plan lists instances. Each instance has the keys of `bellhopctl status --json`, and
some more keys that only import accepts. This file checks only the form. bellhopctl itself checks hosts, users and
addresses: see carry.py."""

import csv
import difflib
import hashlib
import io
import json
import re

INSTANCE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,30}")
SNIPPETS = (".conf", ".apache", ".nginx", ".http")
SNIPPET = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.-]{{0,99}}(?:{'|'.join(map(re.escape, SNIPPETS))})|php\.fpm")
FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
POLICIES = ("serve", "redirect", "refuse")
NETWORKS = ("no", "internet", "yes")
SERVERS = ("apache", "nginx")
TLS_SOURCES = ("files", "acme")
LARGEST = 2 ** 63 - 1
LARGEST_FILE = 64 * 1024 * 1024
BLANKS = re.compile(r"[ \t\r\n]*")
# Python can't write these surrogates to a file. All other surrogates stand for bytes that are not UTF-8
# (surrogateescape).
NO_BYTES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
DIGEST = re.compile(r"[#;] Made by bellhopctl import\. Delete it to have it made anew\. SHA-256 of the rest: ([0-9a-f]{64})\n")

# Each of these keys is null if the instance has no such limit of its own.
LIMITS = {  # minimum and maximum, as in add and set
    "memory_max_bytes": (16 << 20, LARGEST), "cpu_max_percent": (1, 1000000), "tasks_max": (16, 2 ** 31 - 1),
    "disk_max_bytes": (16 << 20, LARGEST),
}
# Each of these keys is null if the limit in mail.conf applies.
MAIL = ("mail_per_hour", "mail_per_day", "mail_recipients_per_day")
DEFAULTS = {
    "hosts": [], "addresses": [], "default": False, "http": "serve", "network": "no", "server": "apache",
    "idle_seconds": 600, "suspended": False, "canonical": None, "tls": "files", "acme": "default", **dict.fromkeys((*MAIL, *LIMITS)), "create_user": False,
    "certificate": None, "key": None, "chain": None,
    "certificates": {}, "snippets": {}, "folders": [], "php_fpm": None,
}
# The values of these keys are objects, which a cell in CSV can't contain.
NOT_IN_CSV = ("certificates", "snippets")


class Mistakes(Exception):
    """The texts of all mistakes, each with its position."""


class Entry:
    """One instance: the values of its settings, and the lines of the file that set them."""

    def __init__(self, file, line):
        self.file, self.line = file, line
        self.is_from_apache = False  # if true, the values of an existing instance take precedence
        self.lines, self.given, self.values = {}, set(), dict(DEFAULTS)

    @property
    def name(self):
        return self.values.get("instance", "")

    def place(self, key=None):
        where = f"{self.file}:{self.lines.get(key, self.line)}"
        return f"{where}: {key}" if key else where

    def __getitem__(self, key):
        return self.values[key]


# --- JSON, with the line of each key ---


class Text:
    """A JSON text and a position in it. Each value is read by the json module."""

    def __init__(self, text):
        self.text, self.at, self.counted = text, 0, (0, 1)
        self.decoder = json.JSONDecoder(object_pairs_hook=self.unique)

    @staticmethod
    def unique(pairs):
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            raise ValueError(f"{next(name for name in names if names.count(name) > 1)} is given twice")
        return dict(pairs)

    def line(self):
        at, line = self.counted
        self.counted = self.at, line + self.text.count("\n", at, self.at)
        return self.counted[1]

    def peek(self):
        self.at = BLANKS.match(self.text, self.at).end()
        return self.text[self.at:self.at + 1]

    def expect(self, what):
        if self.peek() != what:
            raise json.JSONDecodeError(f"expected {what}", self.text, self.at)
        self.at += 1

    def value(self):
        self.peek()
        found, self.at = self.decoder.raw_decode(self.text, self.at)
        return found

    def items(self, first, last):
        """Yields before each item of an object or a list. The caller then reads the item."""
        self.expect(first)
        if self.peek() != last:
            yield
            while self.peek() == ",":
                self.at += 1
                self.peek()
                yield
        self.expect(last)

    def keys(self):
        """Yields each key of an object with its line. The caller then reads the value."""
        seen = set()
        for _ in self.items("{", "}"):
            line, key = self.line(), self.value()
            if not isinstance(key, str):
                raise ValueError("a key is a string")
            if key in seen:
                raise ValueError(f"{key} is given twice")
            seen.add(key)
            self.expect(":")
            yield key, line


def read_json(text, file):
    """Returns the entries of a plan in JSON. Does not check the values."""
    source, entries = Text(text), None
    try:
        for key, _ in source.keys():
            if key != "instances":
                source.value()  # --dry-run --json also prints other keys, which are ignored
                continue
            entries = []
            for _ in source.items("[", "]"):
                entries.append(Entry(file, source.line()))
                for name, line in source.keys():
                    entries[-1].lines[name] = line
                    entries[-1].values[name] = source.value()
                    entries[-1].given.add(name)
        if source.peek():
            raise json.JSONDecodeError("there is text after the end", text, source.at)
    except json.JSONDecodeError as error:
        raise Mistakes([f"{file}:{error.lineno}: this is not valid JSON: {error.msg}."]) from None
    except ValueError as error:
        raise Mistakes([f"{file}:{source.line()}: {error}."]) from None
    except RecursionError:
        raise Mistakes([f"{file}:{source.line()}: this is nested too deeply."]) from None
    if entries is None:
        raise Mistakes([f'{file}: the file has no list "instances".'])
    return entries


# --- CSV ---

WORDS = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}


def cell_value(key, cell):
    """Converts a cell to the type of its key. An invalid cell remains text, and the check of types reports this."""
    default = DEFAULTS.get(key, "")
    if isinstance(default, list):
        return cell.split()
    if isinstance(default, bool):
        return WORDS.get(cell.lower(), cell)
    if key in LIMITS or key in MAIL or key == "idle_seconds":
        return int(cell) if re.fullmatch(r"[0-9]{1,19}", cell) else cell
    return cell


def header_mistakes(header):
    if "instance" not in header:
        yield "the first line must contain the keys, separated by commas; one of them must be instance."
        return
    for name in dict.fromkeys(header):
        if header.count(name) > 1:
            yield f"{name!r} appears twice."
        elif name in NOT_IN_CSV:
            yield f"{name} is only allowed in JSON."
        elif name and name not in FORMS:
            yield f"{name}: unknown key. {advice_for(name)}"


def read_csv(text, file):
    """Returns the entries of a plan in CSV, and [(entry, mistake)] of invalid rows."""
    # A row can have several lines, because a line break in quotes does not end it. csv.reader knows only the last line
    # of a row, so this function keeps the number of the first line.
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    entries, mistakes, line = [], [], 1
    try:
        header = [name.strip() for name in next(rows, [])]
        if wrong := list(header_mistakes(header)):
            raise Mistakes([f"{file}:1: {why}" for why in wrong])
        line = rows.line_num + 1
        for row in rows:
            if any(cell.strip() for cell in row):
                entry = Entry(file, line)
                if len(row) != len(header):
                    mistakes.append((entry, f"{entry.place()}: the row has {len(row)} cells, but the first line has {len(header)} keys."))
                    row = []
                else:
                    entries.append(entry)
                for key, cell in zip(header, row):
                    if cell.strip():
                        entry.given.add(key)
                        entry.values[key] = cell_value(key, cell.strip())
            line = rows.line_num + 1
    except csv.Error as error:
        raise Mistakes([f"{file}:{line}: {error}."]) from None
    return entries, mistakes


# --- types ---


def is_text(value):
    return isinstance(value, str) and value != "" and not re.search(r"[\x00-\x1f\x7f]", value) and not NO_BYTES.search(value)


def is_number(value):
    return isinstance(value, int) and not isinstance(value, bool)


def is_words(value):
    return isinstance(value, list) and all(is_text(word) and not re.search(r"[\s#]", word) for word in value)


def is_path(value):
    return is_text(value) and value.startswith("/")


def is_folder(value):
    return is_path(value) and not re.search(r"[\s:\"'\\%]|/\.\./", value + "/") and value.strip("/") != ""


def is_pair(value):
    return (isinstance(value, dict) and {"certificate", "key"} <= set(value) <= {"certificate", "key", "chain"} and
            all(is_path(path) for path in value.values() if path is not None))


def is_object_of(names, fits):
    return lambda value: isinstance(value, dict) and all(names.fullmatch(name) and fits(value[name]) for name in value)


def is_limit(least, most):
    return lambda value: value is None or (is_number(value) and least <= value <= most)


FORMS = {
    "instance": (lambda value: isinstance(value, str) and INSTANCE.fullmatch(value),
                 "a name: letters, digits, '-' and '_', at most 31, with no digit or '-' first"),
    "hosts": (is_words, "a list of hosts"),
    "addresses": (is_words, "a list of addresses"),
    "http": (lambda value: value in POLICIES, "serve, redirect or refuse"),
    "network": (lambda value: value in NETWORKS, "no, internet or yes, as a string"),
    "server": (lambda value: value in SERVERS, "apache or nginx"),
    "tls": (lambda value: value in TLS_SOURCES, "files or acme"),
    "acme": (lambda value: isinstance(value, str) and INSTANCE.fullmatch(value), "the name of a file in the folder acme"),
    "canonical": (lambda value: value is None or is_words([value]), "a host, or null"),
    "idle_seconds": (lambda value: (is_number(value) or isinstance(value, float)) and 0 <= value <= 10 ** 9,
                     "a number of seconds"),
    **{key: (is_limit(0, LARGEST), "a whole number, or null") for key in MAIL},
    **{key: (is_limit(*ends), f"a whole number, {ends[0]} or more, or null") for key, ends in LIMITS.items()},
    **{key: (lambda value: isinstance(value, bool), "true or false")
       for key, default in DEFAULTS.items() if isinstance(default, bool)},
    **{key: (lambda value: value is None or is_path(value), "an absolute path")
       for key in ("certificate", "key", "chain", "php_fpm")},
    "certificates": (is_object_of(FOLDER, is_pair), "an object: a name of a folder to {certificate, key}"),
    "snippets": (is_object_of(SNIPPET, lambda text: isinstance(text, str) and "\0" not in text and not NO_BYTES.search(text)),
                 "an object: NAME.conf, .apache, .nginx or .http, or php.fpm, to a text"),
    "folders": (lambda value: isinstance(value, list) and all(is_folder(path) for path in value),
        "a list of absolute paths, without blanks, quotes, colons or percent signs"),
}


def advice_for(key):
    near = difflib.get_close_matches(key, ["instance", *DEFAULTS], 1)
    return f"Did you mean {near[0]}?" if near else "See bellhop-import(5)."


def check_entry(entry):
    for key in sorted(entry.given, key=lambda key: (entry.lines.get(key, entry.line), key)):
        if key not in FORMS:
            yield f"{entry.place(key)}: unknown key. {advice_for(key)}"
        elif not FORMS[key][0](entry[key]):
            yield f"{entry.place(key)}: this must be {FORMS[key][1]}."
    if "instance" not in entry.given:
        yield f"{entry.place('instance')} is missing."
    if (entry["certificate"] is None) != (entry["key"] is None):
        yield f"{entry.place('certificate')}: set both certificate and key, or neither."
    if entry["certificates"] and not entry["certificate"]:
        yield f"{entry.place('certificates')}: the instance itself needs a certificate, too. Set certificate and key."
    if not (entry["hosts"] or entry["addresses"] or entry["default"]):
        yield f"{entry.place()}: no route leads to this instance. Set hosts, addresses or default."


def check(entries):
    """Returns [(entry, mistake)] for mistakes of form."""
    first = {}
    for entry in entries:
        yield from ((entry, mistake) for mistake in check_entry(entry))
        if isinstance(entry.name, str) and first.setdefault(entry.name, entry) is not entry:
            yield entry, f"{entry.place('instance')}: {entry.name} is already on line {first[entry.name].line}."


def load(file):
    """Returns the entries whose form is right, and [(entry, mistake)] of all other entries."""
    try:
        with open(file, encoding="utf-8-sig", newline="") as opened:
            text = opened.read(LARGEST_FILE + 1)
    except OSError as error:
        raise Mistakes([f"{file}: {error.strerror}."]) from None
    except UnicodeDecodeError as error:
        raise Mistakes([f"{file}: this is not UTF-8 (byte {error.start})."]) from None
    if len(text) > LARGEST_FILE:
        raise Mistakes([f"{file} is larger than {LARGEST_FILE} bytes."])
    entries, mistakes = read_csv(text, file) if file.lower().endswith(".csv") else (read_json(text, file), [])
    mistakes += check(entries)
    wrong = {id(entry) for entry, _ in mistakes}
    return [entry for entry in entries if id(entry) not in wrong], mistakes


def digest_of(text):
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def with_digest(text, mark="#"):
    """Returns a snippet with a digest in its first line. The digest later shows whether the snippet was changed by
    hand."""
    digest = digest_of(text)
    return f"{mark} Made by bellhopctl import. Delete it to have it made anew. SHA-256 of the rest: {digest}\n{text}"


def is_made(text):
    return bool(DIGEST.match(text))


def is_changed(text):
    """Whether a file that import has made was changed by hand."""
    found = DIGEST.match(text)
    return not found or digest_of(text[found.end():]) != found.group(1)


def entry_of(values, file, line):
    """Returns an entry from Apache's configuration. values: a dict of the settings that this configuration gives. The entry
    has the defaults of all others."""
    entry = Entry(file, line)
    entry.is_from_apache = True
    entry.values.update(values)
    entry.given = set(values)
    return entry


def let_acme(entry, authority):
    """Lets bellhop-acme get the certificate of an entry. Does nothing for an entry without hosts, because authorities
    do not sign certificates for its addresses."""
    if entry["hosts"]:
        entry.values.update({"tls": "acme", "acme": authority or DEFAULTS["acme"]})
        entry.given |= {"tls", "acme"}


def as_json(entry):
    """Returns the entry as a JSON object. The keys of "bellhopctl status --json" are always present. All other keys are
    present only if their values differ from the defaults."""
    always = ("hosts", "addresses", "default", "http", "network", "server", "idle_seconds", "suspended", "canonical", "tls", "acme", *MAIL,
              *LIMITS)
    return {"instance": entry.name, **{key: entry[key] for key in DEFAULTS
                                       if key in always or entry[key] != DEFAULTS[key]}}
