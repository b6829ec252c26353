# SPDX-License-Identifier: MIT
"""Network=internet: what answers is the internet, and nothing of the machine, of private networks or of other customers.

The rules (conf/firewall.nft) and IPAddressDeny= (units/network/internet.conf) are tried one without the other, too.
"""

import re

import pytest
import world
from box import SOURCE

# Errors for a connection that the rules refuse: at once, not after a timeout. Everything listens, so a reset is theirs, too.
REFUSED = {"EHOSTUNREACH", "EACCES", "ECONNREFUSED"}
SERVICE = 8888  # a service on all addresses of the machine
FIREWALL = "bellhop-firewall.service"
RULES = "/etc/bellhop/firewall.nft"

OUT = [f"{host}/{port}" for host in [*world.PUBLIC, world.NAT64] for port in (80, 465, 8080)]
OWN = [f"{host}/{port}" for host in [*world.OWN, "127.0.0.1", "::1", "127.0.0.53", "127.1.2.3", "0.0.0.0", "::",
                                     "::ffff:127.0.0.1", "::ffff:198.51.100.2"] for port in (SERVICE, 80)]
CLOSED = [*OWN, *(f"{host}/80" for host in [*world.CLOSED, "::ffff:10.9.9.9", "::ffff:169.254.169.254"]),
          *(f"{host}/25" for host in [*world.PUBLIC, world.NAT64, "::ffff:203.0.113.5"]), f"{world.RESOLVER}/8080"]

SERVE = f"""
import socket
server = socket.create_server(("::", {SERVICE}), family=socket.AF_INET6, dualstack_ipv6=True, backlog=100)
datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
datagrams.bind(("::", 9999))
print("up", flush=True)
while True:
    server.accept()[0].close()
"""

CONNECT = """
import json, socket, sys
found = {}
for each in sys.argv[1:]:
    host, port = each.split("/")
    try:
        socket.create_connection((host, int(port)), 5).close()
        found[each] = "done"
    except OSError as error:
        found[each] = str(error)
print(json.dumps(found))
"""

# As it would be with the rules alone gone: they refuse what bellhop-firewall tries, and nothing else.
OPEN_RULES = """
table inet bellhop {
	flags owner
	set resolvers4 { type ipv4_addr; }
	set resolvers6 { type ipv6_addr; }
	chain output {
		type filter hook output priority 0
		udp dport 9 reject
	}
}
"""


@pytest.fixture(name="service", scope="module", autouse=True)
def _service(box, oscar):  # pylint: disable=unused-argument
    server = box.popen_run("/usr/bin/python3", "-c", SERVE, stdout=-1)
    assert server.stdout.readline() == "up\n"
    yield
    server.kill()
    server.wait()


@pytest.fixture(name="rules")
def _rules(box, oscar):
    """Other rules, for as long as a test lasts."""
    def apply(text):
        box.write(RULES, text)
        return box.try_run("systemctl", "reload-or-restart", FIREWALL)

    yield apply
    box.write(RULES, (SOURCE / "conf/firewall.nft").read_text())
    box.run("systemctl", "restart", FIREWALL)
    box.wait_for("the end of the stand-in", oscar.serves)


def test_all_of_it_answers_a_program_of_the_same_user_elsewhere(box):
    """Else the others would prove nothing."""
    said = box.run("setpriv", "--reuid=oscar", "--regid=oscar", "--clear-groups", "/usr/bin/python3", "-c", CONNECT,
                   *OUT, *CLOSED)
    assert set(eval(said).values()) == {"done"}, said  # pylint: disable=eval-used


def test_internet_answers(oscar):
    outcomes = oscar.do("connects", to=OUT)
    assert set(outcomes.values()) == {"done"}, outcomes


def test_nothing_else_answers(oscar):
    outcomes = oscar.do("connects", to=CLOSED)
    assert set(outcomes.values()) <= REFUSED, outcomes
    # TCP need not send a second packet to learn of it.
    reset = [f"{host}/{SERVICE}" for host in world.OWN] + [f"{host}/25" for host in world.PUBLIC]
    assert {outcomes[each] for each in reset} == {"ECONNREFUSED"}, outcomes


@pytest.mark.parametrize("way", ["sendto", "sendmsg", "connect"])
def test_datagrams(oscar, way):
    to = [f"{host}/9999" for host in [*world.PUBLIC, world.NAT64]]
    assert oscar.do("sends", to=to, way=way) == dict.fromkeys(to, "hello")
    to = [*(f"{host}/9999" for host in [*world.OWN, "127.0.0.1", "::1", *world.CLOSED, "::ffff:10.9.9.9"]),
          *(f"{host}/25" for host in world.PUBLIC), f"{world.RESOLVER}/9999", "255.255.255.255/9999", "224.0.0.251/5353",
          "ff0e::1/9999"]
    outcomes = oscar.do("sends", to=to, way=way)
    assert set(outcomes.values()) <= {"EPERM", "EACCES"}, outcomes


@pytest.mark.parametrize("way", ["mptcp", "device lo", "device outside", "source", "freebind", "fast_open"])
def test_other_ways_to_connect(oscar, way):
    outcomes = oscar.do("connects_by", to=CLOSED, way=way)
    # The kernel's word that it is refused comes from another device.
    allowed = {"timed out"} if way.startswith("device") else set()
    assert not {"done", "timed out"} & set(outcomes.values()) - allowed, outcomes


RECEIVE = """
import socket
server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
server.bind(("fd00:ec2::254", 9990))
print("up", flush=True)
while True:
    print(server.recv(100).decode(), flush=True)
"""


def test_segment_routing(box, oscar):
    """The packet goes to a public address, and who is there sends it on to a private one."""
    in_world = ("ip", "netns", "exec", "world")
    box.run(*in_world, "sysctl", "-qw", "net.ipv6.conf.all.seg6_enabled=1", "net.ipv6.conf.inside.seg6_enabled=1",
            "net.ipv6.conf.lo.seg6_enabled=1")
    with box.popen_run(*in_world, "/usr/bin/python3", "-c", RECEIVE, stdout=-1) as server:
        assert server.stdout.readline() == "up\n"
        # So that the way there is known.
        assert oscar.do("connects", to=[f"{world.PUBLIC[1]}/80"]) == {f"{world.PUBLIC[1]}/80": "done"}
        outcome = oscar.do("sends_by_way_of", hop=world.PUBLIC[1], to="fd00:ec2::254")
        box.run(*in_world, "/usr/bin/python3", "-c", "import socket\n"
                "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'end', ('fd00:ec2::254', 9990))")
        arrived = server.stdout.readline()
        server.kill()
    assert arrived == "end\n" and outcome in ("EPERM", "EACCES")


def test_other_kinds_of_sockets(oscar):
    assert oscar.do("families") == ["AF_INET", "AF_INET6", "AF_UNIX"]
    outcomes = oscar.do("pings", to=["127.0.0.1", "10.9.9.9", world.PUBLIC[0], world.OWN[0]])
    assert "done" not in outcomes.values(), outcomes
    assert oscar.do("calls")["io_uring_setup"] == "EPERM"


def test_abstract_sockets(box, oscar):
    server = box.popen_run("/usr/bin/python3", "-c", "import socket\nserver = socket.socket(socket.AF_UNIX)\n"
                           "server.bind('\\0assembly')\nserver.listen()\nprint('up', flush=True)\ninput()\n",
                           stdin=-1, stdout=-1)
    try:
        assert server.stdout.readline() == "up\n"
        assert "EPERM" in oscar.do("knocks", path=["@assembly"])["@assembly"]
    finally:
        server.communicate("\n", timeout=20)


@pytest.mark.parametrize("way", ["connect", "fast_open", "fast_open_sendmsg", "without_cookie", "io_uring"])
@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
def test_passed_sockets(oscar, way, address):
    assert oscar.do("escapes", address=address, way=way, port=SERVICE) != "connected"


def test_sockets_of_the_router_open_no_connection(box):
    """A connection that the router accepted keeps the router's user in any process: not even an empty packet is
    sent."""
    said = box.run("setpriv", "--reuid=bellhop", "--regid=bellhop", "--clear-groups", "/usr/bin/python3", "-c", CONNECT,
                   f"127.0.0.1/{SERVICE}", "203.0.113.5/80")
    assert said.count("No route to host") == 2, said


def takes_datagrams(box, oscar, port, seconds):
    """Whether oscar can bind the UDP port, and what arrives there in this time if somebody outside sends "visitor"."""
    oscar.forget()
    request = box.popen_client("curl", "-s", "--max-time", "30", "--resolve", f"{oscar.host}:80:127.0.0.1",
                               oscar.url("takes_datagrams", port=port, seconds=seconds))
    bound = oscar.left("port.json")
    box.run("ip", "netns", "exec", "world", "/usr/bin/python3", "-c", "import socket\n"
            f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'visitor', ('198.51.100.2', {port}))")
    request.wait()
    return bound, oscar.left("result.json")


def test_takes_no_port(box, oscar):
    assert set(oscar.do("listens", port=[80, 443, 8080]).values()) <= {"EACCES", "EPERM"}
    # Debian 12's systemd does not keep it from the port.
    assert takes_datagrams(box, oscar, 5353, 2) in [("done", "timed out"), ("EPERM", "EPERM")]


def test_gets_replies_on_all_ports_that_the_kernel_gives(box, oscar):
    first = int(box.path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert takes_datagrams(box, oscar, first - 1, 2) in [("done", "timed out"), ("EPERM", "EPERM")]
    assert takes_datagrams(box, oscar, first, 15) in [("done", "visitor"), ("EPERM", "EPERM")]


SHARED = """
import socket
service = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
service.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
service.bind(("0.0.0.0", 5300))
service.settimeout(10)
print("up", flush=True)
while True:
    print(service.recv(100).decode(), flush=True)
"""


def test_takes_no_datagrams_of_a_service(box, oscar):
    """Which shares its port, as systemd's sockets, dnsmasq and others do: the later one would get all."""
    with box.popen_run("/usr/bin/python3", "-c", SHARED, stdout=-1) as service:
        assert service.stdout.readline() == "up\n"
        oscar.forget()
        with box.popen_client("curl", "-s", "--max-time", "10", "--resolve", f"{oscar.host}:80:127.0.0.1",
                              oscar.url("takes_datagrams", port=5300, shares=True)):
            bound = oscar.left("port.json")
            for word, to, before in (("visitor", "198.51.100.2", ("ip", "netns", "exec", "world")), ("own", "127.0.0.1", ())):
                box.run(*before, "/usr/bin/python3", "-c", "import socket\n"
                        f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'{word}', ('{to}', 5300))")
        box.run("/usr/bin/python3", "-c", "import socket\n"
                "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'end', ('127.0.0.1', 5300))")
        assert [service.stdout.readline().strip() for _ in range(3)] == ["visitor", "own", "end"]
        service.kill()
    assert bound in ("EADDRINUSE", "EPERM")


CLIENT = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
    own.connect(("203.0.113.5", 53))
socket.create_connection(("203.0.113.5", 80)).close()
socket.create_server(("", 0)).close()
"""


@pytest.mark.parametrize("way", ["connect", "listen"])
def test_leaves_ports_to_others(box, oscar, way):
    """The kernel has 28232 for programs that ask for any, and gives them without bind(2), too."""
    oscar.forget()
    with box.popen_client("curl", "-s", "--resolve", f"{oscar.host}:80:127.0.0.1", oscar.url("takes_all_ports", way=way)) as request:
        box.wait_for("all are taken", box.path(f"{oscar.folder}/result.json").exists, seconds=60)
        others = box.try_run("/usr/bin/python3", "-c", CLIENT)
        neighbour = box.try_run("setpriv", "--reuid=bob", "--regid=bob", "--clear-groups", "/usr/bin/python3", "-c", CLIENT)
        request.kill()
    box.run("systemctl", "kill", "--signal=KILL", oscar.unit)
    n, why = oscar.left("result.json")
    assert (others.stderr, neighbour.stderr) == ("", "") and n < 2000 and why == "EPERM"
    # What has gone does not count.
    assert oscar.do("resolves", name=world.NAME) == sorted(world.PUBLIC)


def test_number_of_sockets_is_a_setting(box, oscar):
    drop_in = "/etc/systemd/system/bellhop-firewall.service.d/sockets.conf"
    box.write(drop_in, "[Service]\nEnvironment=BELLHOP_SOCKETS_MAX=50\n")
    box.shell("systemctl daemon-reload; systemctl restart bellhop-firewall.service")
    try:
        oscar.forget()
        with box.popen_client("curl", "-s", "--resolve", f"{oscar.host}:80:127.0.0.1",
                              oscar.url("takes_all_ports", way="connect")) as request:
            box.wait_for("all are taken", box.path(f"{oscar.folder}/result.json").exists, seconds=60)
            request.kill()
        n, why = oscar.left("result.json")
        assert n <= 50 and why == "EPERM"
    finally:
        box.shell(f"systemctl kill --signal=KILL {oscar.unit}; rm {drop_in}; systemctl daemon-reload; "
                  "systemctl restart bellhop-firewall.service")
    assert oscar.do("resolves", name=world.NAME) == sorted(world.PUBLIC)


def test_names(box, oscar):
    assert oscar.do("resolves", name=world.NAME) == sorted(world.PUBLIC)
    # The machine turns to another server, on one of its own addresses.
    names = world.serve_names(box, "127.0.0.53")
    try:
        box.write("/etc/resolv.conf", "nameserver 127.0.0.53\n")
        allowed = "127.0.0.53/32"
        box.wait_for("the new name server is known", lambda: box.show("bellhop.slice", "IPAddressAllow") == allowed)
        assert oscar.do("resolves", name=world.NAME) == sorted(world.PUBLIC)
        outcomes = oscar.do("connects", to=[f"127.0.0.53/{SERVICE}", f"{world.RESOLVER}/80"])
        assert set(outcomes.values()) <= REFUSED, outcomes
    finally:
        box.write("/etc/resolv.conf", f"nameserver {world.RESOLVER}\n")
        world.end_names(box, "127.0.0.53", names)
    box.wait_for("the old one is known again",
                 lambda: box.show("bellhop.slice", "IPAddressAllow") == f"{world.RESOLVER}/32")
    assert oscar.do("resolves", name=world.NAME) == sorted(world.PUBLIC)


def test_flood_of_questions(oscar):
    """The name server is everybody's."""
    sent, outcome = oscar.do("floods", to=f"{world.RESOLVER}/53", datagrams=100000)
    assert outcome == "EPERM" and sent < 100000
    sent, outcome = oscar.do("floods", to=f"{world.PUBLIC[0]}/9999", datagrams=20000)
    assert (sent, outcome) == (20000, "done")


def test_clients_from_closed_addresses_are_served(box, oscar):
    """Passed sockets belong to bellhop-router.socket, which IPAddressDeny= of the instance does not concern."""
    for address in ("10.9.9.9", "169.254.169.254", "192.168.7.7", "203.0.113.5"):
        said = box.run("ip", "netns", "exec", "world", "curl", "-sS", "--max-time", "10", "--interface", address,
                       "-o", "/dev/null", "-w", "%{http_code}", "-H", f"Host: {oscar.host}", "http://198.51.100.2/")
        assert said == "200"
    assert oscar.serves()


def test_php(box, oscar):
    box.write(f"{oscar.folder}/out.php", "<?php\n"
              "foreach (['http://203.0.113.5/', 'http://www.internet.example/', 'http://127.0.0.1:8888/',"
              " 'http://169.254.169.254/', 'http://198.51.100.2/'] as $url)\n"
              "    echo json_encode(@file_get_contents($url)), \"\\n\";\n")
    box.run("chown", "oscar:", f"{oscar.folder}/out.php")
    said = box.curl(f"http://{oscar.host}/out.php").split("\n")
    assert said[:5] == ['"the internet\\n"', '"the internet\\n"', "false", "false", "false"]


def test_nobody_else_changes_the_rules(box, oscar):
    """Debian's nftables.service begins with a flush."""
    box.run("nft", "flush", "ruleset")
    assert box.try_run("nft", "delete", "table", "inet", "bellhop").returncode != 0
    outcomes = oscar.do("connects", to=[f"198.51.100.2/{SERVICE}", "203.0.113.5/25", "10.9.9.9/80"])
    assert set(outcomes.values()) <= REFUSED, outcomes


@pytest.mark.parametrize("how", [["kill", "--signal=KILL", FIREWALL], ["stop", FIREWALL], ["restart", FIREWALL],
                                 ["restart", "bellhop.target"], ["stop", "bellhop-network.slice"], ["daemon-reload"],
                                 ["daemon-reexec"], ["stop", "bellhop.slice"]])
def test_rules_outlive_every_instance(box, oscar, how):
    assert oscar.serves()
    pid = box.show(oscar.unit, "MainPID")
    box.run("systemctl", *how)
    box.run("systemctl", "start", "bellhop.target")
    if FIREWALL in how:
        box.wait_for("the instance has ended", lambda: box.show(oscar.unit, "MainPID") != pid, seconds=60)
    assert oscar.do("connects", to=["203.0.113.5/80"]) == {"203.0.113.5/80": "done"}
    outcomes = oscar.do("connects", to=[f"198.51.100.2/{SERVICE}", "203.0.113.5/25", "10.9.9.9/80"])
    assert set(outcomes.values()) <= REFUSED, outcomes
    assert box.show(FIREWALL, "ActiveState") == "active"


def test_without_the_rules_ranges_stay_closed(oscar, rules):
    assert rules(OPEN_RULES).returncode == 0
    outcomes = oscar.do("sends", to=[f"{host}/9999" for host in ["127.0.0.1", "::1", *world.CLOSED]
                                     if host != world.RESOLVER], way="sendto")
    assert set(outcomes.values()) == {"EPERM"}, outcomes
    # These two the rules alone close.
    outcomes = oscar.do("connects", to=[f"198.51.100.2/{SERVICE}", "203.0.113.5/25"])
    assert set(outcomes.values()) == {"done"}, outcomes


def test_mistake_in_the_rules(box, oscar, rules):
    assert oscar.serves()
    rules("table inet bellhop { oops }\n")
    # Those in force stay so.
    assert set(oscar.do("connects", to=["203.0.113.5/25"]).values()) <= REFUSED
    box.try_run("systemctl", "restart", FIREWALL)
    cursor = box.journal("-n", "0", "--show-cursor").rpartition("cursor: ")[2].strip()
    assert box.curl(f"http://{oscar.host}/", "-o", "/dev/null", "-w", "%{http_code}") == "503"
    # The client is refused instead of waiting while systemd tries again and again.
    assert box.journal("-u", FIREWALL, f"--after-cursor={cursor}").count("can't load the firewall rules") in (1, 2)
    assert "can't start (its start job failed)" in box.journal("-u", f"bellhop-standin@{oscar.name}")
    assert box.show(oscar.unit, "ActiveState") != "active"


def test_both_guards_have_the_same_ranges():
    deny = re.findall(r"^IPAddressDeny=(.+)$", (SOURCE / "units/network/internet.conf").read_text(), re.MULTILINE)
    text = (SOURCE / "conf/firewall.nft").read_text()
    sets = re.findall(r"elements = \{(.*?)\}", text, re.DOTALL)
    assert sorted(" ".join(deny).split()) == sorted(re.split(r"[,\s]+", " ".join(sets).strip()))
