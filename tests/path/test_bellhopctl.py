# SPDX-License-Identifier: MIT
"""bellhopctl as a command: usage, what describes it, and what it says of a router that runs."""

import contextlib
import ctypes
import json
import os
import pathlib
import pty
import pwd
import re
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import unicodedata

import pytest
from handoff import AS_ROOT, BUILD, TIMEOUT
from prometheus_client.parser import text_string_to_metric_families
from router import A, Router, SANITIZER, http
from test_router_metrics import Scraped

BELLHOPCTL = f"{BUILD}/bellhopctl"
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BASH, ZSH = f"{SOURCE}/conf/completion/bellhopctl", f"{SOURCE}/conf/completion/_bellhopctl"


def start(*arguments, **environment):
    done = subprocess.run([BELLHOPCTL, *arguments], env=dict(os.environ, **environment), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False)
    assert not SANITIZER.search(done.stderr), done.stderr
    return done


def run(*arguments, status=0, **environment):
    """Runs it and returns its output; on an expected failure its errors."""
    done = start(*arguments, **environment)
    assert done.returncode == status, done
    assert (done.stderr == "") == (status == 0), done
    return done.stderr if status else done.stdout


def table_of_help():
    """What --help tells, which it has from the tables: verbs -> arguments, and options -> (argument, verbs)."""
    text = run("--help")
    verbs = dict(re.findall(r"^  ([a-z]+) ((?:[A-Z.\[\]|:]+ ?)*) +[A-Z][a-z]", text, re.MULTILINE))
    options = [(name, argument, re.findall(r"\w+", group) if group != "all verbs" else [])
               for group, lines in re.findall(r"^Options of (.*):\n((?:  .*\n)+)", text, re.MULTILINE)
               for name, argument in re.findall(r"^  (?:-[a-z]|  ) --([a-z-]+)(=[A-Z]+|\[=[A-Z]+\])? +[A-Z]", lines, re.MULTILINE)]
    assert len(options) == text.partition("Examples:")[0].count(" --") and {"check", "cert", "metrics"} <= set(verbs), text
    return {verb: arguments.strip() for verb, arguments in verbs.items()}, options


VERBS, OPTIONS = table_of_help()


def options_of(verb):
    return {f"--{name}" for name, _, verbs in OPTIONS if verb in verbs}


COMMON = {f"--{name}" for name, _, verbs in OPTIONS if not verbs}


@pytest.mark.parametrize("arguments, says", [
    ([], "A verb is missing."), (["frobnicate"], "no verb 'frobnicate'"), (["cert"], "Write 'bellhopctl cert NAME'."),
    (["metrics", "x"], "Write 'bellhopctl metrics'."), (["check", "alice"], "Write 'bellhopctl check --instance=alice'."),
    (["--frob"], "unrecognized option '--frob'"),
    (["metrics", "--strict"], "--strict can be used with check, but not with metrics."),
    (["export", "a", "b"], "Write 'bellhopctl export [NAME]'."), (["set", "alice"], "bellhopctl set alice --host=HOST"),
    (["set", "alice", "--memory-max=1"], "--memory-max=1 is not a size of 16M or more"),
    (["set", "alice", "--cpu-max=a"], "is not a percentage"), (["set", "alice", "--tasks-max=1.5"], "is not a number"),
    (["set", "alice", "--idle=10", "min"], "'min' is one word too many: quote values that have spaces. Write 'bellhopctl set NAME'."),
    (["rename", "a", "b", "c", "d"], "'c' is one word too many"), (["rename", "a"], "bellhopctl: Write 'bellhopctl rename NAME NEW'."),
    (["cert", "a", "--install", "b", "c", "d"], "'d' is one word too many"), (["check", "a", "b"], "'a' is one word too many"),
    (["set", "../alice", "--idle=1h"], "not a valid name of an instance"), (["set", "alice", "--host=a # b"], "line break or '#'"),
    (["set", "alice", "--http=serve", "--wait"], "--wait can only be used with --acme."),
    (["add", "alice", "--host=a.example", "--wait"], "--wait can only be used with --acme"),
    (["add", "alice", "--host=a.example", "--tls=files", "--wait"], "--wait can only be used with --acme"),
    (["add", "alice", "--host=a.example", "--acme", "--wait", "--later"], "without --later"),
    (["apply", "--acme=x"], "--acme can be used with add, set, but not with apply."),
    (["--config"], "option '--config' requires an argument")])
def test_wrong_usage(arguments, says):
    said = run(*arguments, status=2)
    assert says in said and (said.endswith("Try 'bellhopctl --help'.\n") or arguments[0] in ("add", "set"))


def test_help_and_version():
    assert run("-h") == run("--help") == run("check", "--help")
    assert re.fullmatch(r"bellhopctl [0-9.]+\n", run("--version"))


def sections_of(page):
    with open(f"{SOURCE}/man/{page}.scd", encoding="utf-8") as file:
        return dict(re.findall(r"^# ([A-Z ]+)\n(.*?)(?=^# |\Z)", file.read(), re.MULTILINE | re.DOTALL))


def options_on(section):
    """[(name, argument, verbs)]. The verbs are in the heading, or begin the text: "For *add* and *set*: ..."."""
    for heading, group in re.findall(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", section, re.MULTILINE | re.DOTALL):
        for terms, text in re.findall(r"^(\*-.*)\n\t(.*)$", group, re.MULTILINE):
            own = re.match(r"For (\*[^:]*):", text)
            verbs = re.findall(r"\*([a-z]+)\b", own.group(1)) if own else set(re.findall(r"[a-z]+", heading)) & set(VERBS)
            for name, *argument in re.findall(r"\*--([a-z-]+)(=?)\*(\[?=?)(?:_([A-Z]+)_)?(\]?)", terms):
                yield name, "".join(argument), sorted(verbs)


def test_man_page_has_all_and_nothing_else():
    sections, import_sections = sections_of("bellhopctl.1"), sections_of("bellhop-import.5")
    verbs = dict(re.findall(r"^\*([a-z]+)\*(.*)$", sections["VERBS"], re.MULTILINE))
    assert {verb: re.sub(r"[_\\]", "", rest).strip() for verb, rest in verbs.items()} == VERBS
    described = [*options_on(sections["OPTIONS"]), *options_on("## import\n" + import_sections["OPTIONS"])]
    assert sorted(described) == sorted((name, argument, sorted(verbs)) for name, argument, verbs in OPTIONS)


def test_man_page_has_all_findings_and_no_others():
    with open(f"{SOURCE}/man/bellhop-findings.7.scd", encoding="utf-8") as file:
        page = re.findall(r"^\*([a-z-]+)\* \((error|warning|note)\)$", file.read(), re.MULTILINE)
    with open(f"{SOURCE}/src/ctl/check/findings-table.h", encoding="utf-8") as file:
        table = re.findall(r'ROW\(\w+, "([a-z-]+)", (ERROR|WARNING|NOTE),', file.read())
    assert page == [(name, severity.lower()) for name, severity in table]
    assert len(table) > 30


def complete(*words):
    """What bash offers for the last of the words."""
    script = ('source "$1"; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _bellhopctl; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    offered = subprocess.run(["bash", "-c", script, "bash", BASH, "bellhopctl", *words], text=True, timeout=TIMEOUT,
                             capture_output=True, check=True)
    assert offered.stderr == ""
    return {word.rstrip("=") for word in offered.stdout.split()}


def test_bash_completion(tmp_path):
    assert complete("") == set(VERBS)
    assert complete("--") == COMMON
    for verb, arguments in VERBS.items():
        assert complete(verb, "--") == COMMON | options_of(verb)
        (tmp_path / "instances").mkdir(exist_ok=True)
        for name in ("alice", "albert", "bob"):
            (tmp_path / f"instances/{name}.conf").touch()
        names = complete("--config", "=", str(tmp_path), verb, "al")
        assert names == ({"alice", "albert"} if re.search("NAME|PATTERN", arguments) and verb != "add" else set()), verb
    assert complete("--config", "=", str(tmp_path / "inst")) == {str(tmp_path / "instances")}


def test_zsh_completion():
    subprocess.run(["zsh", "-n", ZSH], timeout=TIMEOUT, check=True)
    with open(ZSH, encoding="utf-8") as file:
        text = file.read()
    verbs = re.search(r"^verbs=\((.*?)^\)", text, re.MULTILINE | re.DOTALL).group(1)
    assert set(re.findall(r"^ +'([a-z]+):", verbs, re.MULTILINE)) == set(VERBS)
    common = re.search(r"^common=\((.*?)^\)", text, re.MULTILINE | re.DOTALL).group(1)
    assert set(re.findall(r"--[a-z-]+", common)) == COMMON
    cases = dict(re.findall(r"^ +\(([a-z]+)\)\n(.*?);;", text.partition("case $line[1]")[2], re.MULTILINE | re.DOTALL))
    assert set(cases) == set(VERBS)
    for verb, arguments in VERBS.items():
        assert set(re.findall(r"(?:'\*?|,'?)(--[a-z-]+)", cases[verb])) == options_of(verb), verb
        assert ("1:instance:($instances)" in cases[verb]) == ("NAME" in arguments and verb != "add"), verb


def control_router():
    """A router whose control socket is where bellhopctl looks for it."""
    router = Scraped({A: "Host=alice.example"})
    os.rename(router.control_path, f"{router.folder}/run/control")
    return router


def test_metrics():
    with control_router() as router:
        router.expect(A, http("alice.example"))
        text = run("metrics", f"--runtime={router.folder}/run")
        samples = {(sample.name, *sample.labels.values()): sample.value
                   for family in text_string_to_metric_families(text) for sample in family.samples}
        assert samples[("bellhop_instance_handed_off_total", A)] == 1
        listed = json.loads(run("metrics", "--json", f"--runtime={router.folder}/run"))["metrics"]
        assert {(entry["name"], *re.findall('"(.*?)"', entry["labels"] or "")) for entry in listed} == samples.keys()
        assert {"name": "bellhop_instance_handed_off_total", "labels": f'instance="{A}"', "value": 1} in listed


def test_metrics_of_no_router(tmp_path):
    assert "no process listens on the router's control socket; run systemctl restart bellhop-router.service" in run("metrics", f"--runtime={tmp_path}", status=1)
    with Router({A: "Host=alice.example"}) as router:
        with socket.socket(socket.AF_UNIX) as nobody_listens:
            nobody_listens.bind(f"{router.folder}/run/control")
        assert "no process listens on the router's control socket" in run("metrics", f"--runtime={router.folder}/run", status=1)


INCOMPLETE, FOREIGN = "the router's answer is incomplete", "another program answers on the router's control socket"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERS = [
    (b"", INCOMPLETE),
    (b"HTTP/1.1 200 OK\r\nContent-", INCOMPLETE),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nx 1", INCOMPLETE),
    (CHUNKED + b"00000004\r\nx 1\n\r\n", INCOMPLETE),
    (CHUNKED + b"00000004\r\nx 1", INCOMPLETE),
    (CHUNKED + b"fffffffffffffffe\r\nx 1\n\r\n0\r\n\r\n", INCOMPLETE),
    (b"SSH-2.0-OpenSSH\r\n", FOREIGN),
    (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", FOREIGN),
    (CHUNKED + b"0\r\n\r\n", ""),
    (CHUNKED + b"00000002\r\nx \r\n00000002\r\n1\n\r\n0\r\n\r\n", ""),
]


def answer_always(listener, answer):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # it was shut down
            return
        with connection:
            connection.recv(4096)
            connection.sendall(answer)


def test_answers_that_are_cut_or_foreign(tmp_path):
    """An incomplete one is asked for again for ten seconds, so all of them are tried at once."""
    asked = []
    for i, (answer, _) in enumerate(ANSWERS):
        (tmp_path / str(i)).mkdir()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / str(i) / "control"))
        listener.listen()
        threading.Thread(target=answer_always, args=(listener, answer), daemon=True).start()
        asked.append((listener, subprocess.Popen([BELLHOPCTL, "metrics", f"--runtime={tmp_path}/{i}"], text=True,
                                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)))
    for (answer, said), (listener, process) in zip(ANSWERS, asked):
        _, errors = process.communicate(timeout=TIMEOUT)
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        assert (said in errors) if said else errors == "", (answer, errors)


def answer_without_end(listener, piece, pause):
    connection, _ = listener.accept()
    with connection, contextlib.suppress(ConnectionError):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(piece)
            time.sleep(pause)


def test_answers_without_end(tmp_path):
    """Each piece comes in time, or so fast that they would fill the memory."""
    asked = []
    for name, piece, pause in (("slow", b"x", 1), ("fast", 65536 * b"x", 0)):
        (tmp_path / name).mkdir()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / name / "control"))
            listener.listen()
            threading.Thread(target=answer_without_end, args=(listener.dup(), piece, pause), daemon=True).start()
        asked.append(subprocess.Popen([BELLHOPCTL, "metrics", f"--runtime={tmp_path}/{name}"], text=True, stderr=subprocess.PIPE))
    try:
        assert "another program answers on the router's control socket" in asked[1].communicate(timeout=60)[1]
        assert "the router does not answer" in asked[0].communicate(timeout=60)[1]
    finally:
        for process in asked:
            process.kill()


def on_a_terminal(*arguments, **environment):
    """What it writes there."""
    ours, its = pty.openpty()
    process = subprocess.Popen([BELLHOPCTL, *arguments], stdin=its, stdout=its, stderr=its, close_fds=True,
                               env=dict(os.environ, **environment))
    os.close(its)
    output = b""
    try:
        while piece := os.read(ours, 65536):
            output += piece
    except OSError:  # the last one has closed it
        pass
    os.close(ours)
    assert process.wait(TIMEOUT) == 0, output
    return output.decode()


def test_pager_on_a_terminal_only():
    with control_router() as router:
        ask = ("metrics", f"--runtime={router.folder}/run")
        assert on_a_terminal(*ask, SYSTEMD_PAGER="sed s/^/paged:/").startswith("paged:# HELP")
        assert on_a_terminal(*ask, SYSTEMD_PAGER="env; cat >&-").count("LESS=FRSXMK") == 1
        for _ in range(9):
            assert on_a_terminal(*ask, SYSTEMD_PAGER="true") == ""  # it has ended before it reads anything
        for quiet in (dict(SYSTEMD_PAGER=""), dict(SYSTEMD_PAGER="cat"), dict(SYSTEMD_PAGER="/no/such/pager")):
            assert on_a_terminal(*ask, **quiet).startswith("# HELP")
        assert on_a_terminal(*ask, "--no-pager", SYSTEMD_PAGER="sed s/^/paged:/").startswith("# HELP")
        assert run(*ask, SYSTEMD_PAGER="sed s/^/paged:/").startswith("# HELP")


# An instance whose user we can be, or are.
NAME = "daemon" if AS_ROOT else pwd.getpwuid(os.getuid()).pw_name
OTHER = "bin"


@pytest.fixture(name="config")
def _config():
    """A configuration with one instance; nothing of it runs. All may enter, which pytest's own folders don't let them.
    """
    with tempfile.TemporaryDirectory(prefix="bellhop-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        for name in ("instances", "router.conf.d", f"sites/{NAME}", "apache2"):
            (folder / name).mkdir(parents=True)
        asked = subprocess.run(["apxs", "-q", "LIBEXECDIR"], text=True, capture_output=True, check=True)
        modules = asked.stdout.strip()
        (folder / "apache2/instance.conf").write_text(
            f"LoadModule mpm_event_module {modules}/mod_mpm_event.so\nIncludeOptional {folder}/sites/{NAME}/*.conf\n")
        (folder / f"instances/{NAME}.conf").write_text("[Instance]\nHost=a.example *.b.example\nAddress=192.0.2.7\n")
        yield folder


def check(config, *options):
    """{kind: finding}, of the one instance and the files."""
    done = start("check", "--json", f"--config={config}", *options)
    findings = json.loads(done.stdout)["findings"]
    assert done.returncode == any(finding["severity"] == "error" for finding in findings)
    return {finding["kind"]: finding for finding in findings}


def export(config, *arguments):
    """Where no systemd knows limits, that is said."""
    done = start("export", f"--config={config}", *arguments)
    assert done.returncode == (done.stderr != "") and re.fullmatch("(bellhopctl: Not all limits are known.*\n)?", done.stderr)
    return json.loads(done.stdout)["instances"]


NO_LIMITS = dict.fromkeys(("memory_max_bytes", "cpu_max_percent", "tasks_max", "disk_max_bytes"))


def test_export(config):
    """In the order of the names, with the settings as add and set take them."""
    asked = {"hosts": ["a.example", "*.b.example"], "addresses": ["192.0.2.7"], "default": False, "http": "serve",
             "network": "no", "server": "apache", "idle_seconds": 600, "suspended": False, "canonical": None,
             "tls": "files", "acme": "default", **dict.fromkeys(("mail_per_hour", "mail_per_day", "mail_recipients_per_day"))}
    entry = {"instance": NAME, **asked, **NO_LIMITS}
    assert export(config) == export(config, NAME) == export(config, "--json") == [entry]
    (config / f"instances/{OTHER}.conf").write_text(
        "[Instance]\nHost=c.example\nCanonical=C.example.\nDefault=yes\nHttp=redirect\nIdleSec=90500ms\nNetwork=on\nServer=nginx\nSuspended=yes\n# Host=d.example\n"
        "MailPerHour=0\nMailPerDay=5\nMailRecipientsPerDay=7\nTls=acme\nAcme=staging\n")
    other = {"instance": OTHER, "hosts": ["c.example"], "addresses": [], "default": True, "http": "redirect", "network": "yes",
             "server": "nginx", "idle_seconds": 90.5, "suspended": True, "canonical": "c.example", "tls": "acme", "acme": "staging", "mail_per_hour": 0, "mail_per_day": 5,
             "mail_recipients_per_day": 7, **NO_LIMITS}
    assert export(config) == sorted([entry, other], key=lambda one: one["instance"])
    assert export(config, OTHER) == [other]


def test_export_says_what_is_missing(config):
    """It may be all that is kept of a machine."""
    missing = run("export", "nobody-there", f"--config={config}", status=1)
    assert "There is no instance 'nobody-there'" in missing
    (config / f"instances/{OTHER}.conf").write_text("[Instance]\nHots=c.example\n")
    done = start("export", f"--config={config}")
    assert done.returncode == 1 and [entry["instance"] for entry in json.loads(done.stdout)["instances"]] == [NAME]
    assert f"{OTHER} is left out of the export: {config}/instances/{OTHER}.conf:2: unknown key Hots=" in done.stderr
    assert export(config, NAME)[0]["instance"] == NAME


def test_check_of_files_alone(config):
    assert "config-error" not in check(config)
    with open(config / f"instances/{NAME}.conf", "a", encoding="utf-8") as file:
        file.write("Hots=c.example\n")
    (config / "router.conf").write_text("[Router]\nPendingMax=many\n")
    found = check(config)
    assert found["config-error"]["instance"] == NAME
    assert found["config-error"]["line"] == 4
    assert found["config-error"]["file"] == f"{config}/instances/{NAME}.conf"
    assert found["config-error"]["advice"].startswith("Did you mean 'Host'? ")
    assert f"bellhopctl apply --config={config}" in found["config-error"]["advice"]
    assert found["settings-error"]["file"] == f"{config}/router.conf"
    assert (found["settings-error"]["instance"], found["settings-error"]["line"]) == (None, 2)


def test_check_of_no_files(tmp_path):
    assert "config-error" not in check(tmp_path)
    text = start("check", f"--config={tmp_path}").stdout
    assert "0 instances checked" in text
    assert "instances checked" not in start("check", "--no-legend", f"--config={tmp_path}").stdout


def test_check_of_snippets(config):
    """What tests them is not installed here; tests/mistakes has the rest."""
    if AS_ROOT:
        (config / f"sites/{NAME}/a.conf").touch(0o600)
        assert f"user {NAME} can't read it" in check(config)["snippet-error"]["what"]


def test_self_signed(config):
    option = f"--config={config}"
    missing = run("cert", NAME, option, status=1)
    assert f"'bellhopctl cert {NAME} --self-signed' makes one" in missing
    assert "no-tls" in check(config)
    run("cert", NAME, "--self-signed", option)
    text = run("cert", NAME, option)
    assert re.search(r"^ +Names: a.example \*.b.example 192.0.2.7$", text, re.MULTILINE), text
    assert "(matches)" in text and re.search(r"\(82[45] days left\)", text)
    shown = json.loads(run("cert", NAME, "--json", option))["certificates"]
    assert len(shown) == 1
    assert shown[0]["names"] == ["a.example", "*.b.example", "192.0.2.7"]
    assert shown[0]["private_key"] == "matches" and shown[0]["self_signed"] is True
    assert set(check(config)) & {"self-signed", "certificate-lacks-host", "key-exposed"} == {"self-signed"}

    assert "Add --force to replace it" in run("cert", NAME, "--self-signed", option, status=1)
    assert json.loads(run("cert", NAME, "--json", option))["certificates"] == shown
    assert run("cert", NAME, "--self-signed", "--force", "--no-legend", option) == ""
    assert json.loads(run("cert", NAME, "--json", option))["certificates"][0]["serial"] != shown[0]["serial"]
    assert sorted(path.name for path in (config / f"tls/{NAME}").iterdir()) == ["fullchain.pem", "privkey.pem"]


def test_certificate_of_one_host(config):
    """What ends first counts, as its visitors are turned away first."""
    option = f"--config={config}"
    run("cert", NAME, "--self-signed", option)
    assert "a.example has no certificate of its own" in run("cert", NAME, "--host=a.example", option, status=1)
    for host, days in (("a.example", 40), ("*.b.example", 20)):
        folder = config / f"tls/{NAME}/{host.replace('*', '_')}"
        folder.mkdir()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days",
                        str(days), "-subj", "/CN=x", "-addext", f"subjectAltName=DNS:{host}", "-keyout",
                        folder / "privkey.pem", "-out", folder / "fullchain.pem"], check=True, capture_output=True)
        shown, = json.loads(run("cert", NAME, f"--host={host.upper()}", "--json", option))["certificates"]
        assert (shown["names"], shown["private_key"]) == ([host], "matches")
        status, = json.loads(start("status", NAME, "--json", option).stdout)["instances"]
        listed, = json.loads(start("list", "--json", option).stdout)["instances"]
        assert status["certificate_expires"] == listed["certificate_expires"] == shown["not_after"]
    assert f"c.example is not a host of {NAME}" in run("cert", NAME, "--host=c.example", option, status=1)
    (config / f"tls/{NAME}/a.example/fullchain.pem").write_text("nothing")
    assert json.loads(start("list", "--json", option).stdout)["instances"][0]["certificate_expires"] is None


def request(config, *options):
    """The names in a request, and its public key; openssl has verified the signature."""
    text = run("cert", NAME, "--request", f"--config={config}", *options)
    shown, = json.loads(run("cert", NAME, "--request", "--json", f"--config={config}", *options))["requests"]
    assert [shown["pem"][at] for at in (0, -1)] == [text.splitlines()[at] for at in (0, -1)]
    said = subprocess.run(["openssl", "req", "-verify", "-noout", "-text", "-pubkey"], input=text, text=True, check=True,
                          capture_output=True)
    assert "verify OK" in said.stdout + said.stderr
    names = re.search(r"Subject Alternative Name: *\n +(.*)", said.stdout)[1]
    assert names == ", ".join(f"DNS:{name}" for name in shown["names"])
    return shown["names"], said.stdout[said.stdout.index("-----BEGIN PUBLIC"):].partition("Certificate")[0].strip()


def public_key(path):
    return subprocess.run(["openssl", "pkey", "-pubout", "-in", path], text=True, check=True, capture_output=True).stdout.strip()


def test_request(config):
    """For all hosts and the key of the instance, or for one host and its key."""
    option, key = f"--config={config}", config / f"tls/{NAME}/privkey.pem"
    assert f"'bellhopctl cert {NAME} --self-signed' makes one" in run("cert", NAME, "--request", option, status=1)
    run("cert", NAME, "--self-signed", option)
    assert key.stat().st_mode & 0o777 == 0o400
    assert request(config) == (["a.example", "*.b.example"], public_key(key))
    for host in ("a.example", "*.b.example"):
        missing = run("cert", NAME, "--request", f"--host={host}", option, status=1)
        assert f"'bellhopctl cert {NAME} --host={host} --self-signed' makes one" in missing
        own = config / f"tls/{NAME}/{host.replace('*', '_')}/privkey.pem"
        assert str(own) in run("cert", NAME, "--self-signed", f"--host={host}", option).replace("{fullchain,privkey}", "privkey")
        shown, = json.loads(run("cert", NAME, f"--host={host}", "--json", option))["certificates"]
        assert (shown["names"], shown["private_key"]) == ([host], "matches")
        assert request(config, f"--host={host.upper()}") == ([host], public_key(own))
        assert "Add --force to replace it" in run("cert", NAME, "--self-signed", f"--host={host}", option, status=1)
    assert public_key(own) != public_key(key)
    for host in ("c.example", "192.0.2.7", "192.0.2.7:443"):
        assert f"{host} is not a host" in run("cert", NAME, "--request", f"--host={host}", option, status=1)
    (config / f"instances/{NAME}.conf").write_text("[Instance]\nAddress=192.0.2.7\n")
    assert "no Host= for a certificate" in run("cert", NAME, "--request", option, status=1)


@pytest.mark.parametrize("kind", [["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
                                  ["ED25519"], ["RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"]])
def test_request_by_each_kind_of_key(config, kind):
    key = config / f"tls/{NAME}/privkey.pem"
    run("cert", NAME, "--self-signed", f"--config={config}")
    subprocess.run(["openssl", "genpkey", "-algorithm", *kind, "-out", key], check=True, capture_output=True)
    os.chown(key, pwd.getpwnam(NAME).pw_uid, -1)
    assert request(config)[1] == public_key(key)


@pytest.mark.skipif(not AS_ROOT, reason="only root sees files as others do")
@pytest.mark.parametrize("host", [None, "a.example"])
@pytest.mark.parametrize("make, says", [
    ("ln -s {secret} {key}", "is a symbolic link, or a folder in this path is one"), ("ln {secret} {key}", f"user {NAME} can't read it"),
    ("install -m 0600 {secret} {key}", f"user {NAME} can't read it"),
    ("mv {folder} {folder}.own; install -d -o {user} {folder}.own; install -o {user} {secret} {folder}.own/privkey.pem; "
     "ln -s {folder}.own {folder}", "is a symbolic link, or a folder in this path is one"),
    ("mkfifo -m 0644 {key}", "is not a regular file"), ("ln -s /proc/self/fd/0 {key}", "symbolic link"),
    ("mkdir {key}", "is not a regular file"), ("install -o {user} /dev/null {key}", "it contains no private key"),
    ("openssl pkey -aes256 -passout pass:x -in {secret} -out {key}; chown {user} {key}", "the key is encrypted"),
    ("{{ cat {secret}; head -c 20000 /dev/zero | tr '\\0' x; }} >{key}; chown {user} {key}", "File too large"),
    ("rm -r {folder}", "has no private key")])
def test_no_request_by_another_key(config, host, make, says):
    """The customer chooses what is in the folder, and root's program reads it."""
    options = [f"--config={config}", *([f"--host={host}"] if host else [])]
    run("cert", NAME, "--self-signed", f"--config={config}")
    if host:
        run("cert", NAME, "--self-signed", *options)
    folder = config / f"tls/{NAME}" / (host or "")
    secret, key = config / "secret", folder / "privkey.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ED25519", "-out", secret], check=True)
    secret.chmod(0o600)
    key.unlink()
    subprocess.run(["sh", "-ec", make.format(folder=folder, secret=secret, key=key, user=NAME)], check=True)
    watch = inotify_opens([key]) if says == "is not a regular file" else list
    done = start("cert", NAME, "--request", *options)
    assert (done.returncode, done.stdout) == (1, "") and says in done.stderr, done
    assert watch() == []


def test_cert_of_nobody(config):
    option = f"--config={config}"
    assert "There is no instance no-such" in run("cert", "no-such", "--self-signed", option, status=1)
    assert "not a valid name of an instance" in run("cert", "../x", option, status=1)
    assert "There is no instance no-such" in run("cert", "no-such", "--request", option, status=1)
    assert "--force can only be used with --self-signed" in run("cert", NAME, "--force", option, status=2)
    for two in (["--request", "--self-signed"], ["--install", "x", "--request"], ["--install", "--self-signed", "x", "y"]):
        assert "Use only one of --install, --renew, --request and --self-signed" in run("cert", NAME, *two, option, status=2)
    assert "Write 'bellhopctl cert NAME'" in run("cert", NAME, "x", "--request", option, status=2)
    assert "--install CERT [KEY]'" in run("cert", NAME, "--install", option, status=2)
    assert "--install CERT [KEY]'" in run("cert", NAME, "--install", "x", "y", "z", option, status=2)


@pytest.mark.skipif(not AS_ROOT, reason="only root sees files as others do")
def test_links_of_a_customer_lead_nowhere(config):
    """The folder with the certificate is the customer's, so what root writes there must stay there."""
    option = f"--config={config}"
    run("cert", NAME, "--self-signed", option)
    target = config / "target"
    target.write_text("precious")
    for name in ("fullchain.pem", "privkey.pem", ".privkey.pem.new"):
        (config / f"tls/{NAME}/{name}").unlink(missing_ok=True)
        (config / f"tls/{NAME}/{name}").symlink_to(target)
    run("cert", NAME, "--self-signed", "--force", option)
    assert target.read_text() == "precious"
    assert not (config / f"tls/{NAME}/privkey.pem").is_symlink()
    (config / f"tls/{NAME}").rename(config / "elsewhere")
    (config / f"tls/{NAME}").symlink_to(config / "elsewhere")
    assert "can't be written" in run("cert", NAME, "--self-signed", "--force", option, status=1)


@pytest.mark.parametrize("link", [False, True], ids=["itself", "link"])
@pytest.mark.parametrize("verb", ["check", "cert", "list", "status"])
def test_fifo_of_a_customer_is_not_opened(config, verb, link):
    """Nor any other device: to open some of them has effects. A writer of a fifo learns whether somebody has opened it."""
    places = [config / f"tls/{NAME}/fullchain.pem", config / f"tls/{NAME}/privkey.pem"]
    (config / "fifos").mkdir()
    for number, place in enumerate(places):
        place.parent.mkdir(parents=True, exist_ok=True)
        fifo = config / f"fifos/{number}" if link else place
        os.mkfifo(fifo, 0o644)
        if link:
            place.symlink_to(fifo)
    watch = inotify_opens([path.resolve() for path in places])
    done = start(verb, *([NAME] if verb in ("cert", "status") else []), "--json", f"--config={config}")
    assert watch() == [], done


def inotify_opens(paths):
    """Returns a function for the files that were opened since, from the kernel; O_PATH opens nothing."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_NONBLOCK)
    watched = {libc.inotify_add_watch(fd, bytes(path), 0x20): path for path in paths}  # IN_OPEN
    assert -1 not in watched and fd >= 0

    def opened():
        try:
            events = os.read(fd, 4096)
        except BlockingIOError:
            return []
        finally:
            os.close(fd)
        return [watched[struct.unpack_from("i", events, at)[0]] for at in range(0, len(events), 16)]

    return opened


def test_watch_sees_who_opens(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    watch = inotify_opens([tmp_path / "fifo"])
    os.close(os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK))
    assert watch() == [tmp_path / "fifo"]


def test_fifo_as_certificate(config):
    """What never ends does not hold it up."""
    (config / f"tls/{NAME}").mkdir(parents=True)
    for name in ("fullchain.pem", "privkey.pem"):
        os.mkfifo(config / f"tls/{NAME}/{name}", 0o644)
    assert "certificate-invalid" in check(config)
    assert "No certificates can be read from " in run("cert", NAME, f"--config={config}", status=1)


@pytest.mark.parametrize("target", ["/proc/sys/kernel/ctrl-alt-del", "/sys/kernel/vmcoreinfo"])
def test_certificate_leads_to_the_kernel(config, target):
    """Its files look regular."""
    (config / f"tls/{NAME}").mkdir(parents=True)
    (config / f"tls/{NAME}/fullchain.pem").symlink_to(target)
    watch = inotify_opens([pathlib.Path(target)])
    assert "No certificates can be read from " in run("cert", NAME, f"--config={config}", status=1)
    assert watch() == []


# --- text that customers have chosen ---

# Each has as many bytes as the first, in whose place it comes.
PLACE = b"placeplaceplace"
HOSTILE = [text.ljust(len(PLACE), b"x") for text in (
    PLACE, b"\x1b[31mred", b"\x9b31mred", "\x9b31mred".encode(), "\u202eexe.\u202c".encode(), "\u2066\u2069".encode(),
    "\u2028line\u2029".encode(), "\u200bzero\ufeff".encode(), b"\xff\xfe\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
    b"host\0.evil", b"\",\\\"}]\\", b"a\nb\r\tc", "m\u00fcller \u20ac".encode(), "\U000e0041tag".encode(), b"%s%n\xe2\x82")]


@pytest.fixture(name="hostile_certificate", scope="module")
def hostile_certificate_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "tls/alice").mkdir(parents=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj",
                    f"/CN={PLACE.decode()}", "-addext", f"subjectAltName=DNS:{PLACE.decode()}", "-outform", "DER", "-out",
                    folder / "der", "-keyout", folder / "tls/alice/privkey.pem"], check=True, capture_output=True)

    def put(text):
        der = (folder / "der").read_bytes()
        assert der.count(PLACE) == 3  # issuer, subject and name
        # OpenSSL takes no certificate whose issuer or subject is of broken UTF-8.
        is_valid = text.decode(errors="ignore").encode() == text
        names, _, rest = der.rpartition(PLACE)
        der = (names.replace(PLACE, text) if is_valid else names) + text + rest
        (folder / "tls/alice/fullchain.pem").write_text(ssl.DER_cert_to_PEM_cert(der))
        return folder

    return put


def assert_only_shows(output):
    """Text is valid, and nothing in it is hidden or changes what is shown around it."""
    for character in output.decode():
        assert character == "\n" or unicodedata.category(character)[0] not in "C" and (
            unicodedata.category(character) not in ("Zl", "Zp")), (character, output)


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_certificate(hostile_certificate, text, locale):
    folder = hostile_certificate(text)
    for options in (["--json"], []):
        done = subprocess.run([BELLHOPCTL, f"--config={folder}", "cert", "alice", *options], capture_output=True,
                              env=dict(os.environ, LC_ALL=locale), timeout=TIMEOUT, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert_only_shows(done.stdout)
        if options:
            shown = json.loads(done.stdout)["certificates"][0]
            assert len(shown["names"]) == 1 and len(shown["names"][0].encode()) == len(PLACE)
            if text == PLACE or "m\u00fcller".encode() in text:
                assert shown["names"] == [text.decode()]
                assert shown["subject"] == "CN=" + text.decode()


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_an_error(text):
    """Names that a script takes from elsewhere, for example from folders."""
    name = text.replace(b"\0", b"?")
    done = subprocess.run([BELLHOPCTL, "cert", name], capture_output=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1
    assert_only_shows(done.stderr)


def test_all_text_is_shown_by_one_file():
    for path in pathlib.Path(SOURCE, "src/ctl").rglob("*.c"):
        if path.name not in ("output.c", "main.c"):
            past = re.findall(r"(?<!\w)v?printf\(.*|(?<!\w)puts\(.*|fprintf\(stdout.*|fputs\((?!SCREEN_).*stdout.*|putchar\(.*",
                              path.read_text())
            assert past == [], path


def test_check_knows_all_units():
    """A drop-in for one that it does not know would be called unused."""
    code = pathlib.Path(SOURCE, "src/ctl/check/check-units.c").read_text(encoding="utf-8")
    known = re.findall(r'^ +\{ "(bellhop[^"@]*)", (?:true|false) \},', code, re.MULTILINE)
    files = {path.name.removesuffix(".in") for path in pathlib.Path(SOURCE, "units").glob("bellhop*")
             if "@" not in path.name}
    assert len(files) > 5 and set(known) == files
