# SPDX-License-Identifier: MIT
"""bellhopctl as a command: usage, what describes it, and what it says of a router that runs."""

import json
import os
import pty
import re
import socket
import subprocess

import pytest
from handoff import BUILD, TIMEOUT
from prometheus_client.parser import text_string_to_metric_families
from router import A, Router, SANITIZER, http
from test_router_metrics import Scraped

BELLHOPCTL = f"{BUILD}/bellhopctl"
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BASH, ZSH = f"{SOURCE}/conf/completion/bellhopctl", f"{SOURCE}/conf/completion/_bellhopctl"


def run(*arguments, status=0, **environment):
    """Runs it and returns its output; on an expected failure its errors."""
    done = subprocess.run([BELLHOPCTL, *arguments], env=dict(os.environ, **environment), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False)
    assert not SANITIZER.search(done.stderr), done.stderr
    assert done.returncode == status, done
    assert (done.stderr == "") == (status == 0), done
    return done.stderr if status else done.stdout


def table_of_help():
    """What --help tells, which it has from the tables: verbs -> arguments, and options -> (argument, verbs)."""
    text = run("--help")
    verbs = dict(re.findall(r"^  ([a-z]+) ((?:[A-Z.\[\]|:]+ ?)*) +[A-Z][a-z]", text, re.MULTILINE))
    options = {name: (argument, verbs.split()) for name, argument, verbs in
               re.findall(r"^  (?:-[a-z]|  ) --([a-z-]+)(=[A-Z]+)? +(?:([a-z ]+): )?[A-Z]", text, re.MULTILINE)}
    assert len(options) == text.count(" --") and {"check", "cert", "metrics"} <= set(verbs), text
    return {verb: arguments.strip() for verb, arguments in verbs.items()}, options


VERBS, OPTIONS = table_of_help()


def options_of(verb):
    return {f"--{name}" for name, (_, verbs) in OPTIONS.items() if verb in verbs}


COMMON = {f"--{name}" for name, (_, verbs) in OPTIONS.items() if not verbs}


@pytest.mark.parametrize("arguments, says", [
    ([], "Say what to do."), (["frobnicate"], "no verb 'frobnicate'"), (["cert"], "Write 'bellhopctl cert NAME'."),
    (["metrics", "x"], "Write 'bellhopctl metrics'."), (["--frob"], "unrecognized option '--frob'"),
    (["metrics", "--strict"], "--strict is for check, not for metrics."),
    (["--config"], "option '--config' requires an argument")])
def test_wrong_usage(arguments, says):
    said = run(*arguments, status=2)
    assert says in said and said.endswith("Try 'bellhopctl --help'.\n")


def test_help_and_version():
    assert run("-h") == run("--help") == run("check", "--help")
    assert re.fullmatch(r"bellhopctl [0-9.]+\n", run("--version"))


def test_man_page_has_all_and_nothing_else():
    with open(f"{SOURCE}/man/bellhopctl.1.scd", encoding="utf-8") as file:
        sections = dict(re.findall(r"^# ([A-Z ]+)\n(.*?)(?=^# |\Z)", file.read(), re.MULTILINE | re.DOTALL))
    verbs = dict(re.findall(r"^\*([a-z]+)\*(.*)$", sections["VERBS"], re.MULTILINE))
    assert {verb: re.sub(r"[_\\]", "", rest).strip() for verb, rest in verbs.items()} == VERBS
    options = re.findall(r"^(?:\*-[a-z]\*, )?\*--([a-z-]+)(=)?\*(?:_([A-Z]+)_)?\n\t(.*)$", sections["OPTIONS"],
                         re.MULTILINE)
    assert [name for name, *_ in options] == list(OPTIONS)
    for name, equals, argument, text in options:
        assert equals + argument == OPTIONS[name][0], name
        assert set(re.findall(r"\*([a-z]+)\*", text.partition(":")[0])) == set(OPTIONS[name][1]), name


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
        assert names == ({"alice", "albert"} if "NAME" in arguments and verb != "add" else set())
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
        assert set(re.findall(r"'(?:\*)?(--[a-z-]+)", cases[verb])) == options_of(verb), verb
        assert ("$instances" in cases[verb]) == ("NAME" in arguments and verb != "add"), verb


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
    assert "systemctl start bellhop-router-control.socket" in run("metrics", f"--runtime={tmp_path}", status=1)
    with Router({A: "Host=alice.example"}) as router:
        with socket.socket(socket.AF_UNIX) as nobody_listens:
            nobody_listens.bind(f"{router.folder}/run/control")
        assert "systemctl restart bellhop-router-control.socket" in run("metrics", f"--runtime={router.folder}/run",
                                                                        status=1)


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
        for quiet in (dict(SYSTEMD_PAGER=""), dict(SYSTEMD_PAGER="cat"), dict(SYSTEMD_PAGER="/no/such/pager")):
            assert on_a_terminal(*ask, **quiet).startswith("# HELP")
        assert on_a_terminal(*ask, "--no-pager", SYSTEMD_PAGER="sed s/^/paged:/").startswith("# HELP")
        assert run(*ask, SYSTEMD_PAGER="sed s/^/paged:/").startswith("# HELP")
