# SPDX-License-Identifier: MIT
"""What bellhopctl shows of certificates that bellhop-acme gets, from files that a test has written in its place."""

import json
import re
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families
from router import A, B
from test_bellhopctl import SOURCE, control_router, run, start

NOW = int(time.time())
DAY = 86400
GOOD = f"NotBefore={NOW}\nNotAfter={NOW + 90 * DAY}\nNext={NOW + 60 * DAY + 60}\nTried={NOW}\nCertificate=aa\n"
BAD = (f"Next={NOW + 3 * 3600 + 60}\nTried={NOW}\nFailures=2\nError=the authority says no\n"
       "Failed=b.example DNS leads to 192.0.2.9, not here\nFailed=www.b.example It has no address.\n")


class Machine:
    """Files of instances, and states of their certificates."""

    def __init__(self, folder):
        self.config, self.states = folder / "config", folder / "acme"
        (self.config / "instances").mkdir(parents=True)
        (self.states / "instances").mkdir(parents=True)

    def instance(self, name, text, state=None):
        (self.config / f"instances/{name}.conf").write_text(f"[Instance]\n{text}")
        if state is not None:
            (self.states / f"instances/{name}").write_text(f"[Certificate]\n{state}")

    def options(self):
        return f"--config={self.config}", f"--acme-dir={self.states}"

    def json(self, verb, *arguments):
        return json.loads(start(verb, *arguments, "--json", *self.options()).stdout)

    def text(self, verb, *arguments):
        return start(verb, *arguments, *self.options()).stdout


@pytest.fixture(name="machine")
def _machine(tmp_path):
    return Machine(tmp_path)


def shown(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


# --- list and status ---


def test_list(machine):
    machine.instance(A, "Host=a.example\nTls=acme\n", GOOD)
    machine.instance(B, "Host=b.example\nTls=acme\nAcme=staging\n", BAD)
    machine.instance("games", "Host=c.example\n", BAD)
    found = {one["instance"]: (one["tls"], one["certificate_next_try"], one["certificate_error"])
             for one in machine.json("list")["instances"]}
    assert found == {A: ("acme", shown(NOW + 60 * DAY + 60), None),
                     B: ("acme", shown(NOW + 3 * 3600 + 60), "the authority says no"), "games": ("files", None, None)}
    names = [one["instance"] for one in machine.json("list", "--sort=certificate_next_try")["instances"]]
    assert names == [B, A, "games"]
    assert "NEXT TRY" not in machine.text("list") and "staging" not in machine.text("list")


def test_status(machine):
    machine.instance(A, "Host=a.example\nTls=acme\n", GOOD)
    machine.instance(B, "Host=b.example www.b.example\nTls=acme\nAcme=staging\n", BAD)
    one, = machine.json("status", A)["instances"]
    assert (one["tls"], one["acme"], one["certificate_next_try"], one["certificate_tried"], one["certificate_failures"],
            one["certificate_error"], one["certificate_lacks"]) == (
                "acme", "default", shown(NOW + 60 * DAY + 60), shown(NOW), 0, None, [])
    assert re.search("Certificate: automatic, by default; .*; next try in 60 days\n", machine.text("status", A))
    one, = machine.json("status", B)["instances"]
    assert (one["certificate_failures"], one["certificate_error"]) == (2, "the authority says no")
    assert one["certificate_lacks"] == ["b.example: DNS leads to 192.0.2.9, not here", "www.b.example: It has no address."]
    text = machine.text("status", B)
    for line in ("automatic, by staging; ", "next try in 3 hours\n", "Last error: the authority says no\n",
                 "Hosts that it lacks:\n  b.example: DNS leads to 192.0.2.9, not here\n  www.b.example: It has no address.\n",
                 f"'bellhopctl check --instance={B}' says what to do"):
        assert line in text


@pytest.mark.parametrize("state", [None, "", "Next=soon\n", "\0\x1b[2J"])
def test_what_is_not_known(machine, state):
    """No state, an empty one, or a damaged one."""
    machine.instance(A, "Host=a.example\nTls=acme\n", state)
    one, = machine.json("status", A)["instances"]
    assert one["certificate_next_try"] is one["certificate_tried"] is one["certificate_error"] is None
    assert one["certificate_failures"] == (0 if state == "" else None) and one["certificate_lacks"] == []
    text = machine.text("status", A)
    assert "automatic, by default; " in text and "next try" not in text and "\x1b" not in text
    one, = machine.json("list")["instances"]
    assert one["certificate_next_try"] is one["certificate_error"] is None


def test_nothing_of_other_instances(machine):
    machine.instance(A, "Host=a.example\nAcme=staging\n", BAD)
    one, = machine.json("status", A)["instances"]
    assert (one["tls"], one["certificate_next_try"], one["certificate_failures"], one["certificate_lacks"]) == (
        "files", None, None, [])
    assert "automatic" not in machine.text("status", A)


# --- metrics ---


def test_metrics(machine):
    machine.instance(A, "Host=a.example\nTls=acme\n", GOOD)
    machine.instance(B, "Host=b.example\nTls=acme\n", BAD)
    machine.instance("games", "Host=c.example\n", GOOD)
    machine.instance("man", "Host=d.example\nTls=acme\n")
    with control_router() as router:
        text = run("metrics", f"--runtime={router.folder}/run", *machine.options())
        listed = json.loads(run("metrics", "--json", f"--runtime={router.folder}/run", *machine.options()))["metrics"]
    found = {(sample.name.removeprefix("bellhop_certificate_"), sample.labels["instance"]): sample.value
             for family in text_string_to_metric_families(text) for sample in family.samples
             if sample.name.startswith("bellhop_certificate_")}
    assert found == {
        ("not_after_seconds", A): NOW + 90 * DAY, ("next_try_seconds", A): NOW + 60 * DAY + 60, ("tried_seconds", A): NOW,
        ("failures", A): 0, ("hosts_left_out", A): 0, ("next_try_seconds", B): NOW + 3 * 3600 + 60, ("tried_seconds", B): NOW,
        ("failures", B): 2, ("hosts_left_out", B): 2}
    assert {"name": "bellhop_certificate_failures", "labels": f'instance="{B}"', "value": 2} in listed
    with open(f"{SOURCE}/man/bellhop-metrics.7.scd", encoding="utf-8") as file:
        page = re.findall(r"^\*(bellhop_certificate_\w+)\* \((\w+)\)$", file.read(), re.MULTILINE)
    assert page == re.findall(r"^# TYPE (bellhop_certificate_\w+) (\w+)$", text, re.MULTILINE)
