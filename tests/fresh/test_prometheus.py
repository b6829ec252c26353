# SPDX-License-Identifier: MIT
"""Debian's Prometheus scrapes as bellhop-metrics(7) describes it, and the dashboard asks it only for existing
metrics."""

import json
import re
import urllib.parse

import pytest
from conftest import FOLDER, example
from box import SOURCE
from prometheus_client.parser import text_string_to_metric_families

DASHBOARD = SOURCE / "doc/grafana-dashboard.json"
PAGE = "bellhop-metrics.7.scd"
# What Grafana puts in place of its variables.
VARIABLES = {"$__rate_interval": "30s", "$job": "bellhop", "$customer": ".*"}


def curl(box, *args):
    return box.client("curl", "-sS", "--fail-with-body", *args)


def ask(box, path, **parameters):
    query = urllib.parse.urlencode(parameters)
    answer = json.loads(curl(box, f"http://127.0.0.1:9090/api/v1/{path}?{query}"))
    assert answer["status"] == "success", answer
    return answer["data"]


def value(box, expression):
    found = ask(box, "query", query=expression)["result"]
    return float(found[0]["value"][1]) if found else None


def result(box, expression):
    """After a scrape that took longer than a second, there is no result for a moment."""
    return box.wait_for(expression, lambda: ask(box, "query", query=expression)["result"])


@pytest.fixture(name="prometheus", scope="module")
def prometheus_fixture(box, sites):
    """The box with Prometheus, which has scraped for a while in which the sites were visited."""
    extra = box.path("/root/extra")
    extra.mkdir()
    for package in (FOLDER / "extra").iterdir():
        (extra / package.name).write_bytes(package.read_bytes())
    box.shell("DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends /root/extra/*.deb")
    box.shell(example(PAGE, "# PROMETHEUS"))
    job = example(PAGE, "in /etc/prometheus/prometheus.yml")
    box.write("/etc/prometheus/prometheus.yml", f"global:\n  scrape_interval: 1s\nscrape_configs:\n{job}")
    box.run("promtool", "check", "config", "/etc/prometheus/prometheus.yml")
    box.run("systemctl", "restart", "prometheus.service")

    def was_scraped_while_visited():
        for host in sites.values():
            box.curl(f"https://{host}/", "-o", "/dev/null")
            box.curl("http://nobody.example/", "-o", "/dev/null")
        answers = box.try_client("curl", "-sf", "http://127.0.0.1:9090/-/ready").returncode == 0
        return answers and (value(box, 'count_over_time(up{job="bellhop"}[10s])') or 0) >= 4

    box.wait_for("some scrapes", was_scraped_while_visited, seconds=60)
    return box


@pytest.fixture(name="families", scope="module")
def families_fixture(prometheus):
    """name -> type, as the router tells them."""
    text = prometheus.run("bellhopctl", "metrics")
    # bellhopctl adds those of certificates, which the router does not have.
    text = re.sub(r"^# TYPE bellhop_certificate_.*\n", "", text, flags=re.MULTILINE)
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))


def samples_of(family, kind):
    suffixes = {"histogram": ["_bucket", "_sum", "_count"], "summary": ["_sum", "_count"]}.get(kind, [""])
    return {family + suffix for suffix in suffixes}


def all_samples(families):
    return set().union(*(samples_of(*family) for family in families.items()))


def test_it_is_up(prometheus):
    """A scrape may be late on a busy machine; most are not."""
    assert value(prometheus, 'avg_over_time(up{job="bellhop", machine="web1"}[30s])') > 0.5


def test_promtool_finds_nothing(prometheus):
    text = prometheus.run("bellhopctl", "metrics")
    checked = prometheus.try_run("promtool", "check", "metrics", input=text, stdin=None)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_all_families_are_there_with_their_types(prometheus, families):
    assert len(families) > 30
    known = ask(prometheus, "metadata")
    assert {name: known[name][0]["type"] for name in known if name.startswith("bellhop_")} == families
    stored = {name for name in ask(prometheus, "label/__name__/values") if name.startswith("bellhop_")}
    assert stored == all_samples(families)


def test_customers_have_their_label(prometheus, sites):
    names = ask(prometheus, "label/instance/values", **{"match[]": "bellhop_instance_handed_off_total"})
    assert names == sorted(sites)
    for name in sites:
        found, = result(prometheus, f'bellhop_instance_handed_off_total{{instance="{name}"}}')
        assert float(found["value"][1]) > 0


def test_scraped_text_is_the_routers(prometheus):
    """What comes over TCP is what the control socket says, headers included."""
    families = {family.name for family in text_string_to_metric_families(
        curl(prometheus, "http://127.0.0.1:9942/metrics"))}
    assert {"bellhop_accepted", "bellhop_instance_handoff_latency_seconds"} <= families
    assert "text/plain; version=0.0.4" in curl(prometheus, "-I", "http://127.0.0.1:9942/metrics")
    service = prometheus.show("bellhop-metrics.service", "MainPID")
    assert prometheus.run("ps", "-o", "uid=", "-p", service).strip() not in ("0", "")


def examples():
    """The expressions of the man page; what goes on in the next line is indented."""
    text = (SOURCE / "man" / PAGE).read_text().partition("# EXAMPLES")[2]
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in re.sub(r"\n +", " ", block).splitlines()]


@pytest.mark.parametrize("expression", examples())
def test_examples_are_expressions(prometheus, families, expression):
    ask(prometheus, "query", query=expression)
    assert set(re.findall(r"\bbellhop_\w+", expression)) <= all_samples(families)


def panels():
    with open(DASHBOARD, encoding="utf-8") as file:
        return [panel for panel in json.load(file)["panels"] if panel["type"] != "row"]


def expressions():
    return [pytest.param(target["expr"], id=f"{panel['title']}-{target['refId']}")
            for panel in panels() for target in panel["targets"]]


def filled(expression):
    for variable, text in VARIABLES.items():
        expression = expression.replace(variable, text)
    assert "$" not in expression
    return expression


@pytest.mark.parametrize("expression", expressions())
def test_dashboard_asks_for_what_is_there(prometheus, families, expression):
    assert result(prometheus, filled(expression))
    assert set(re.findall(r"\bbellhop_\w+", expression)) <= all_samples(families)


def test_dashboard_shows_all_there_is(families):
    text = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    missing = [name for name, kind in families.items() if not any(sample in text for sample in samples_of(name, kind))]
    assert missing == []


def test_dashboard_is_laid_out():
    """No panel lies on another one, each has an id of its own and is on the grid of 24 columns."""
    places = set()
    with open(DASHBOARD, encoding="utf-8") as file:
        board = json.load(file)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & places, panel["title"]
        places |= cells
