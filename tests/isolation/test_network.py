# SPDX-License-Identifier: MIT
"""What a customer's programs can reach over the network, by sockets of their own and by those that they were passed.

A passed socket belongs to the network of the host. The seal (src/seal/seal.c) and the fence (src/fence/fence.c) are
tried one without the other, too: with the network a customer has no fence, and what sender.py hands over has no seal.
"""

import json
import pathlib

import pytest

HERE = pathlib.Path(__file__).resolve().parent
SENDER = "/usr/local/lib/sender.py"
PORT = 80  # the router's own listens there, for services of the machine
ADDRESSES = ["127.0.0.1", "[::1]"]

# Each way to use a passed socket for another connection, and what the fence says.
WAYS = {
    "connect": "EACCES",
    "fast_open": "EPERM",
    "fast_open_sendmsg": "EPERM",
    "fast_open_sendmmsg": "EPERM",
    "fast_open_connect": "EPERM",
    "without_cookie": "EPERM",
    "other_protocol": "EPERM",
    "io_uring": "EPERM",
    "namespace": "EPERM",
    "bind": "EACCES",
    "bind_public": "EACCES",
}
# Those that lead out where there is neither seal nor fence.
OPEN_WAYS = ["connect", "fast_open", "fast_open_sendmsg", "fast_open_sendmmsg", "fast_open_connect", "without_cookie"]

# Whether the port takes a connection: loopback tells within the call; 1 is established, 8 closed by the other side.
TRY_PORT = """
import socket, sys
client = socket.socket()
client.setblocking(False)
client.connect_ex(("127.0.0.1", int(sys.argv[1])))
print(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in (1, 8))
"""


def send_unsealed(box, who, attack, **arguments):
    """As Hostile.do(), with a connection that has no seal."""
    box.write(SENDER, (HERE / "sender.py").read_text())
    who.forget()
    target = who.url(attack, **arguments).partition(who.host)[2]
    box.run("/usr/bin/python3", SENDER, who.host, target)
    return who.left("result.json")


@pytest.mark.parametrize("network, expected", [("no", "unreachable"), ("yes", "connected")])
def test_network_setting(box, carol, network, expected):
    box.write_instance(carol, f"Host=carol.example\nNetwork={network}\n")
    box.run("systemctl", "daemon-reload")
    box.start_customer(carol)
    box.write_page(carol, "out.cgi", "/usr/bin/python3 -c 'import socket\n"
                   "try: socket.create_connection((\"127.0.0.1\", 80), 3); print(\"connected\")\n"
                   "except OSError: print(\"unreachable\")'")
    assert box.curl("http://carol.example/out.cgi").strip() == expected


def test_own_sockets_lead_nowhere(mallory):
    outcomes = mallory.do("connects", to=["127.0.0.1/80", "127.0.0.1/443", "192.0.2.1/80", "::1/80"])
    assert set(outcomes.values()) <= {"EACCES", "EAFNOSUPPORT"}, outcomes
    assert mallory.do("families") == ["AF_INET", "AF_UNIX"]


def test_takes_no_port(mallory, trudy):
    assert set(mallory.do("listens", port=[0, 80, 443, 8080]).values()) <= {"EACCES", "EAFNOSUPPORT"}
    # With the network there are ports from 1024 on, and never those of the public.
    outcomes = trudy.do("listens", port=[80, 443])
    assert set(outcomes.values()) == {"EACCES"}, outcomes


@pytest.mark.parametrize("way, address", [(way, "127.0.0.1") for way in WAYS] + [
    (way, "[::1]") for way in ("connect", "fast_open_sendmmsg", "bind")])
def test_passed_socket_is_no_way_out(mallory, way, address):
    assert mallory.do("escapes", address=address, way=way, port=PORT) == WAYS[way]


@pytest.mark.parametrize("way, address", [(way, "127.0.0.1") for way in OPEN_WAYS] + [
    (way, "[::1]") for way in ("connect", "fast_open_sendmmsg")])
def test_the_seal_alone_closes_it(trudy, way, address):
    router = f"{address.strip('[]')}/{PORT}"
    assert trudy.do("connects", to=[router]) == {router: "done"}
    assert trudy.do("escapes", address=address, way=way, port=PORT) != "connected"


@pytest.mark.parametrize("way", WAYS)
def test_the_fence_alone_closes_it(box, mallory, way):
    assert send_unsealed(box, mallory, "escapes", way=way, port=PORT) == WAYS[way]


@pytest.mark.parametrize("way", OPEN_WAYS)
def test_what_they_close_is_open_without(box, trudy, way):
    assert send_unsealed(box, trudy, "escapes", way=way, port=PORT) == "connected"


def test_the_seal_holds(mallory, trudy):
    for who in (mallory, trudy):
        for address in ADDRESSES:
            assert who.do("breaks_seal", address=address) == {"locked": True, "unlock": "EPERM", "detach": "EPERM"}


def listen_and_try(box, who, start):
    """Whether a client reaches the port that the passed socket listens on, and whom the attacker has seen."""
    who.forget()
    request = start()
    port = who.left("port.json")
    reached = box.client("/usr/bin/python3", "-c", TRY_PORT, port)
    request.wait()
    return reached.strip(), who.left("result.json")


@pytest.mark.parametrize("name", ["mallory", "trudy"])
def test_passed_socket_takes_no_visitors(box, request, name):
    who = request.getfixturevalue(name)

    def start():
        return box.popen_client("curl", "-s", "--max-time", "20", "--resolve", f"{who.host}:80:127.0.0.1",
                                who.url("opens_shop", seconds=2))

    assert listen_and_try(box, who, start) == ("False", "timed out")


@pytest.mark.parametrize("name", ["mallory", "trudy"])
def test_without_the_seal_it_would(box, request, name):
    """Landlock knows no listen(2), so that for this the seal is alone."""
    who = request.getfixturevalue(name)
    box.write(SENDER, (HERE / "sender.py").read_text())
    target = who.url("opens_shop", seconds=15).partition(who.host)[2]

    def start():
        return box.popen_run("/usr/bin/python3", SENDER, who.host, target)

    assert listen_and_try(box, who, start) == ("True", "127.0.0.1")


OUT_PHP = r"""<?php
$got = [];
foreach (['http://www.internet.example/', 'http://203.0.113.5/', 'http://[2001:db8::5]/', 'http://127.0.0.1/'] as $url) {
    $got[] = @file_get_contents($url);
    $got[] = function_exists('curl_init') && curl_exec(curl_init($url));
}
$got[] = @fsockopen('smtp.internet.example', 25);
$got[] = @fsockopen('udp://203.0.113.5', 53);
$got[] = gethostbyname('www.internet.example') !== 'www.internet.example';
echo json_encode(array_filter($got, fn ($one) => $one !== false && !is_resource($one)));
"""


@pytest.mark.parametrize("resolver", ["10.9.9.9", "127.0.0.53", "203.0.113.53", "2001:db8::53"])
def test_php_fails_at_once(box, mallory, resolver):
    """With time-outs of a minute each, whatever the machine's name server is: else curl would give up first."""
    before = box.path("/etc/resolv.conf").read_text()
    box.write(f"{mallory.folder}/out.php", OUT_PHP)
    box.run("chown", "mallory:", f"{mallory.folder}/out.php")
    box.write("/etc/resolv.conf", f"nameserver {resolver}\n")
    try:
        assert box.curl(f"http://{mallory.host}/out.php") == "[]"
    finally:
        box.write("/etc/resolv.conf", before)


def test_router_has_no_capability(box):
    pid = box.show("bellhop-router.service", "MainPID")
    status = box.run("cat", f"/proc/{pid}/status")
    for name in ("CapPrm", "CapEff", "CapAmb"):
        assert f"{name}:\t{'0' * 16}\n" in status


def test_unsealed_sockets_are_told(box, mallory, router_settings):
    """Without the capability, visitors are served, and the journal says what is missing."""
    router_settings(unit="AmbientCapabilities=\nCapabilityBoundingSet=\n")
    # The sockets are sealed from before; new ones are not, but on kernels that let anybody do it.
    box.run("systemctl", "restart", "bellhop-router.socket")
    assert box.curl("http://alice.example/load.txt").strip() == "alice.example"
    said = box.journal("-u", "bellhop-router", "MESSAGE_ID=e098cd50092047a48137862df6826d3d")
    assert "can't seal the public sockets" in said or mallory.do("breaks_seal")["locked"]


def test_new_sockets_get_a_seal(box, mallory):
    box.run("systemctl", "restart", "bellhop-router.socket")
    assert box.curl("http://alice.example/load.txt").strip() == "alice.example"
    assert mallory.do("breaks_seal")["locked"]


def test_missing_landlock_is_told(box, carol):
    """As on a kernel before 6.7, where the seal is alone."""
    box.write("/etc/systemd/system/bellhop@carol.service.d/test.conf",
              "[Service]\nSystemCallFilter=~landlock_create_ruleset:EOPNOTSUPP\n")
    box.run("systemctl", "daemon-reload")
    box.start_customer(carol)
    assert box.curl("http://carol.example/load.txt").strip() == "carol.example"
    line = json.loads(box.journal("-u", "bellhop@carol", "-o", "json", "MESSAGE_ID=3193e3dc76bc4311bb8dacb380a90073"))
    assert line["BELLHOP_INSTANCE"] == "carol" and "without Landlock for TCP" in line["MESSAGE"]


def test_no_gap_is_told_where_there_is_none(box, mallory, trudy):
    for who in (mallory, trudy):
        assert who.serves()
        assert not box.journal("-u", who.unit, "MESSAGE_ID=3193e3dc76bc4311bb8dacb380a90073")


def test_fence_leaves_unix_sockets_and_files_alone(mallory, trudy):
    for who in (mallory, trudy):
        assert who.do("talks_over_unix") == "x"


def test_abstract_sockets_of_others(box, mallory, trudy):
    """They have no file and no mode, so that any user may connect; a network namespace has its own."""
    server = box.popen_run("/usr/bin/python3", "-c",
                           "import socket\nserver = socket.socket(socket.AF_UNIX)\nserver.bind('\\0meeting')\n"
                           "server.listen()\nprint('up', flush=True)\ninput()\n", stdin=-1, stdout=-1)
    try:
        assert server.stdout.readline() == "up\n"
        plain = "import socket; socket.socket(socket.AF_UNIX).connect('\\0meeting')"
        box.run("setpriv", "--reuid=trudy", "--regid=trudy", "--clear-groups", "/usr/bin/python3", "-c", plain)
        assert "EPERM" in trudy.do("knocks", path=["@meeting"])["@meeting"]
        assert mallory.do("knocks", path=["@meeting"]) == {"@meeting": "ECONNREFUSED"}
    finally:
        server.communicate("\n", timeout=20)
