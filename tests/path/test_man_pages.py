# SPDX-License-Identifier: MIT
"""The man pages against the code: all of it is documented, and nothing else.

Verbs, options and findings of bellhopctl are in test_bellhopctl.py, counters and reasons in test_router_metrics.py.
"""

import json
import os
import pwd
import pathlib
import re
import runpy
import subprocess

import pytest
from handoff import BUILD, ROOT, TIMEOUT

PAGES = {path.stem: path.read_text(encoding="utf-8") for path in pathlib.Path(ROOT, "man").glob("*.scd")}
# Without what scdoc wants in addition.
PLAIN = {name: text.replace("\\", "") for name, text in PAGES.items()}
CODE = {path: path.read_text(encoding="utf-8") for path in pathlib.Path(ROOT, "src").rglob("*.[ch]")}
HEADER = pathlib.Path(ROOT, "src/handoff/bellhop.h").read_text(encoding="utf-8")


def section(page, title):
    """From one heading to the next of the same rank; what starts with "#" in an example is none."""
    found = re.search(rf"^# {re.escape(title)}\n(.*?)(?=^# [A-Z[]|\Z)", PLAIN[page], re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no section {title}"
    return found.group(1)


def say(*command):
    """All that a program says, whatever it thinks of its arguments."""
    done = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT,
                          check=False)
    return done.stdout + done.stderr


# --- pages ---


def test_all_pages_are_installed_and_lead_to_pages_that_exist():
    with open(f"{ROOT}/man/meson.build", encoding="utf-8") as file:
        assert set(re.findall(r"'([\w.-]+\.\d)'", file.read())) == set(PAGES)
    own = {tuple(name.rsplit(".", 1)) for name in PAGES}
    for page, text in PLAIN.items():
        assert text.startswith("{}({}) ".format(*page.rsplit(".", 1)))
        for name, number in re.findall(r"\*((?:bellhop|mod_bellhop|libbellhop)[\w.-]*)\*\((\d)\)", text):
            assert (name, number) in own, f"{page} leads to {name}({number})"
    with open(f"{ROOT}/conf/bellhop.catalog", encoding="utf-8") as file:
        for name, number in re.findall(r"man:([\w.-]+)\((\d)\)", file.read()):
            assert (name, number) in own


# --- programs ---


def programs():
    with open(f"{ROOT}/meson.build", encoding="utf-8") as file:
        return re.findall(r"^executable\('(bellhop[\w-]*)'", file.read(), re.MULTILINE)


def options_of(program):
    """What its usage tells: {--name: its argument}."""
    usage = say(f"{BUILD}/{program}", "--help")
    return dict(re.findall(r"^(?:Usage: | +)(?:-\w, |\S+ )?(--[a-z-]+)(?:=([A-Z]+))?\b", usage, re.MULTILINE))


def options_on(text):
    """What a page tells, in bold: *--name=*_ARGUMENT_."""
    return dict(re.findall(r"\*(--[a-z-]+)=?\*(?:_([A-Z]+)_)?", text))


@pytest.mark.parametrize("program", ["bellhop-router", "bellhop-instance", "bellhop-usage", "bellhop-firewall", "bellhop-mail", "bellhop-acme",
                                     "bellhop-acme-tls"])
def test_options(program):
    options = section(f"{program}.8", "OPTIONS")
    assert options_on("\n".join(re.findall(r"^\*.*", options, re.MULTILINE))) == options_of(program)


def test_other_programs():
    entries = dict(re.findall(r"^\*(bellhop-[a-z]+)\* (.*\n(?:\t.*\n|\n(?=\t))+)", section("bellhop.7", "PROGRAMS"),
                              re.MULTILINE))
    helpers = set(programs()) - {"bellhop-router", "bellhop-instance", "bellhop-usage", "bellhop-firewall", "bellhop-mail", "bellhop-acme",
                                "bellhop-acme-tls", "bellhopctl"}
    assert len(helpers) > 2 and set(entries) == helpers
    for program in helpers:
        assert options_on(entries[program]) == options_of(program), program


def test_units():
    files = {name.removesuffix(".in") for name in os.listdir(f"{ROOT}/units") if "bellhop" in name}
    listed = re.findall(r"^\*.*\*$", section("bellhop.7", "UNITS"), re.MULTILINE)
    units = {re.sub(r"[*_]", "", unit).replace("@NAME", "@") for line in listed for unit in line.split(", ")}
    mentioned = {unit.replace("NAME", "") for page in PLAIN.values()
                 for unit in re.findall(r"bellhop[\w-]*@?\w*\.(?:service|socket|target|slice)\b",
                                        re.sub(r"[*_]", "", page))}
    assert units <= files, units - files
    assert {re.sub(r"@.*\.", "@.", unit) for unit in mentioned} == files


# --- keys ---


def known_keys(folder):
    """{section: keys}, as the program itself tells them."""
    (folder / "instances").mkdir()
    (folder / "acme").mkdir()
    (folder / "acme/default.conf").write_text("[Acme]\nFoo=1\n")
    (folder / "router.conf").write_text("[Router]\nFoo=1\n")
    (folder / "mail.conf").write_text("[Mail]\nFoo=1\n")
    (folder / "instances/alice.conf").write_text("[Instance]\nFoo=1\n")
    user = "daemon" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    (folder / f"instances/{user}.conf").write_text("[Instance]\nHost=daemon.example\nTls=acme\n")
    found = json.loads(subprocess.run([f"{BUILD}/bellhopctl", "check", "--json", f"--config={folder}"], check=False,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=TIMEOUT).stdout)
    texts = "\n".join(entry["what"] for entry in found["findings"])
    return {name: re.findall(r"(\w+)=", keys)
            for name, keys in re.findall(r"unknown key Foo= in \[(\w+)\]; known keys are (.*)", texts)}


@pytest.fixture(name="keys")
def _keys(tmp_path):
    return known_keys(tmp_path)


PAGE_OF = {"Router": "bellhop.router.conf.5", "Instance": "bellhop.instance.5", "Mail": "bellhop-mail.8",
           "Acme": "bellhop.acme.conf.5"}


def keys_on(page, title):
    lines = re.findall(r"^_\w+=_(?:, _\w+=_)*$", section(page, title), re.MULTILINE)
    return [key for line in lines for key in re.findall(r"_(\w+)=_", line)]


@pytest.mark.parametrize("name", PAGE_OF)
def test_keys(keys, name):
    page = keys_on(PAGE_OF[name], f"[{name.upper()}] SECTION")
    assert len(keys[name]) > 3 and sorted(page) == sorted(keys[name])


@pytest.mark.parametrize("name, example", [("Router", "conf/router.conf"), ("Instance", "conf/instances/example.conf"),
                                           ("Mail", "conf/mail.conf")])
def test_examples_have_all_keys_and_the_defaults_of_the_page(keys, name, example):
    with open(f"{ROOT}/{example}", encoding="utf-8") as file:
        lines = re.findall(r"^#?([A-Z]\w+)=(.+)$", file.read(), re.MULTILINE)
    assert {key for key, _ in lines} == set(keys[name])
    entries = re.split(r"^(_\w+=_(?:, _\w+=_)*)$", section(PAGE_OF[name], f"[{name.upper()}] SECTION"),
                       flags=re.MULTILINE)[1:]
    defaults = {}
    for heading, text in zip(entries[::2], entries[1::2]):
        values = re.findall(r"\*([^*]+)\*", re.search(r"Default: (.*)\.$", text, re.MULTILINE).group(1))
        defaults |= dict(zip(re.findall(r"_(\w+)=_", heading), values))
    assert len(defaults) > 3
    shown = dict(lines)
    assert {key: shown[key] for key in defaults} == defaults


def test_pages_name_no_key_that_nobody_has(keys):
    """Beside ours there are systemd's, which it lists itself."""
    items = say("/lib/systemd/systemd", "--dump-configuration-items")
    known = {"Key", *re.findall(r"^(\w+)=", items, re.MULTILINE), *(key for names in keys.values() for key in names)}
    assert "MemoryMax" in known
    for page, text in PLAIN.items():
        for key in re.findall(r"_([A-Z][a-z]\w*)=(?:[\w-]+)?_", text):
            assert key in known, f"{page}: {key}="


# --- Apache's side ---


def test_directives():
    # Those of mod_access_compat are only looked at.
    code = re.findall(r'AP_INIT_\w+\(\s*"(Bellhop\w+)"', CODE[pathlib.Path(ROOT, "src/httpd/mod_bellhop.c")])
    page = re.findall(r"^\*(\w+)\* ", section("mod_bellhop.8", "DIRECTIVES"), re.MULTILINE)
    assert len(code) > 2 and sorted(page) == sorted(code)
    named = {name for text in PLAIN.values() for name in re.findall(r"\bBellhop[A-Z]\w+", text)}
    assert named == set(code)


def test_directives_of_nginx():
    code = re.findall(r'ngx_string\("(bellhop_\w+)"\)', CODE[pathlib.Path(ROOT, "src/nginx/inbox.c")])
    page = re.findall(r"^\*(bellhop_\w+)\* ", section("bellhop-nginx.8", "DIRECTIVES"), re.MULTILINE)
    assert len(code) > 2 and sorted(page) == sorted(code)
    assert re.findall(r"^(bellhop_\w+) .*;$", section("bellhop-nginx.8", "SYNOPSIS"), re.MULTILINE) == page


@pytest.mark.parametrize("server, page, title", [("apache", "mod_bellhop.8", "## Like Debian's Apache"),
                                                 ("nginx", "bellhop-nginx.8", "## Like Debian's nginx")])
def test_differences_from_debians_own_server(server, page, title):
    said = re.sub(r"[_*\\]", "", PLAIN[page].partition(title)[2].partition("\n#")[0]).lower()
    reasons = set(runpy.run_path(f"{ROOT}/tests/conform/differences.py")["DIFFERENCES"][server].values())
    assert len(reasons) > 5
    for reason in reasons:
        assert reason.lower() in said, reason


def test_definitions_and_environment():
    with open(f"{ROOT}/conf/apache2/instance.conf.in", encoding="utf-8") as file:
        text = file.read()
    before = re.findall(r"^<IfDefine !(\w+)>", text, re.MULTILINE)
    definitions = section("mod_bellhop.8", "INSTANCE.CONF").partition("## Definitions")[2]
    assert sorted(re.findall(r"^\*(\w+)\*$", definitions, re.MULTILINE)) == sorted(set(before))
    environment = set(re.findall(r"\$\{(\w+)\}", text)) - set(re.findall(r"^ *Define (\w+)", text, re.MULTILINE))
    page = section("mod_bellhop.8", "ENVIRONMENT").partition("Read by instance.conf:")[2]
    told = set(re.findall(r"_\$(\w+?)_(?=,|$)", "\n".join(re.findall(r"^_\$.*", page, re.MULTILINE)), re.MULTILINE))
    # What snippets may use, and instance.conf does not.
    assert told - {"STATE_DIRECTORY"} == environment


# --- the journal ---


def test_message_ids():
    code = re.findall(r'^#define LOG_ID_\w+ +"([0-9a-f]{32})"', CODE[pathlib.Path(ROOT, "src/util/log-ids.h")],
                      re.MULTILINE)
    page = re.findall(r"^\*([0-9a-f]{32})\*\n\t(.*)\.$", section("bellhop.7", "MESSAGES"), re.MULTILINE)
    assert len(code) > 10 and [message for message, _ in page] == code
    with open(f"{ROOT}/conf/bellhop.catalog", encoding="utf-8") as file:
        subjects = dict(re.findall(r"^-- ([0-9a-f]{32})\nSubject: (.*)$", file.read(), re.MULTILINE))
    assert {message: text.replace("_NAME_", "@BELLHOP_INSTANCE@") for message, text in page} == subjects
    for name, text in PLAIN.items():
        assert set(re.findall(r"\b[0-9a-f]{32}\b", text)) <= set(code), name


def test_fields_of_the_journal():
    code = re.findall(r'\{ "(BELLHOP_[A-Z]+)", line->fields', CODE[pathlib.Path(ROOT, "src/util/journal.c")])
    page = re.findall(r"^_(BELLHOP_[A-Z]+)=_$", section("bellhop-router.8", "LOG"), re.MULTILINE)
    assert len(code) > 3 and sorted(page) == sorted(code)


# --- libbellhop ---


def squeezed(text):
    return re.sub(r"\s+", " ", text)


def test_functions_of_the_library():
    exported = subprocess.run(["nm", "-D", "--defined-only", f"{BUILD}/libbellhop.so"], text=True, check=True,
                              stdout=subprocess.PIPE, timeout=TIMEOUT).stdout
    symbols = {name for name in re.findall(r" T (\w+)", exported)}
    synopsis = section("libbellhop.3", "SYNOPSIS")
    prototypes = re.findall(r"^int (\w+)\([^;]*\);", synopsis, re.MULTILINE)
    assert len(symbols) > 2 and set(prototypes) == symbols
    for prototype in re.findall(r"^int \w+\([^;]*\);", HEADER, re.MULTILINE):
        assert squeezed(prototype) in squeezed(synopsis), prototype
    for function in symbols:
        assert f"## {function}()" in section("libbellhop.3", "DESCRIPTION")
    named = {name for text in PLAIN.values() for name in re.findall(r"\*(bellhop_\w+)\*\(\)", text)}
    assert named == symbols


def test_constants_of_the_library():
    constants = dict(re.findall(r"^\s+(BELLHOP_\w+)\s*=\s*(\d+),", HEADER, re.MULTILINE))
    assert len(constants) > 12
    pages = PLAIN["libbellhop.3"] + PLAIN["bellhop-handoff.7"]
    # In the definition that is quoted, or in bold with the number behind it.
    told = dict(re.findall(r"^\s+(BELLHOP_\w+) = (\d+),$", pages, re.MULTILINE))
    told |= dict(re.findall(r"^\*(BELLHOP_\w+)\* \((\d+)\)$", pages, re.MULTILINE))
    assert told == constants
    macros = dict(re.findall(r'^#define (BELLHOP_\w+) +"?(\w+)"?', HEADER, re.MULTILINE))
    for name, value in macros.items():
        assert re.search(rf"\b{name}\b[^.\n]*\b{value}\b", pages), f"{name} is {value}"
    assert set(re.findall(r"\bBELLHOP_[A-Z_]+\b", pages)) == set(constants) | set(macros)


def test_struct_of_the_datagram():
    header = HEADER.partition("struct bellhop_header {")[2].partition("};")[0]
    fields = re.findall(r"^\s+uint\d+_t (\w+)(?:\[\d+\])?;", header, re.MULTILINE)
    table = section("bellhop-handoff.7", "DATAGRAM").partition("The datagram ends there")[0]
    assert re.findall(r"^\|  \d+\n:  \w+\n:  (\w+)$", table, re.MULTILINE) == [*fields, "host"]
    struct = re.search(r"struct bellhop_handoff \{.*?\};", HEADER, re.DOTALL).group()
    quoted = re.search(r"struct bellhop_handoff \{.*?\};", PLAIN["libbellhop.3"], re.DOTALL).group()
    assert squeezed(quoted) == squeezed(re.sub(r" */\*.*?\*/", "", struct))


def test_examples_of_the_library_are_programs(tmp_path):
    text = PAGES["libbellhop.3"].partition("# EXAMPLES")[2]
    examples = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(examples) == 2
    for number, example in enumerate(examples):
        file = tmp_path / f"{number}.c"
        # scdoc takes one of two.
        file.write_text(example.replace("\\\\", "\\"))
        subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-I", f"{ROOT}/src/handoff", "-fsyntax-only", file],
                       check=True, timeout=TIMEOUT)
