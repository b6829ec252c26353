# SPDX-License-Identifier: MIT
"""Shows the promises of bellhop with real clients, on a booted machine with customers alice and bob.

./try and the system tests call the functions in SHOWS. Each gets the box, and returns a text about what it has seen.
"""

import re
import ssl

ALICE, BOB = "alice.example", "bob.example"
OWNERS = {ALICE: "alice", BOB: "bob"}
CLIENT_V4, CLIENT_V6 = "127.0.0.42", "fd00::42"


def set_up(box):
    """Adds two customers, one with an ECDSA and one with an RSA certificate. Their instances do not run yet."""
    box.install()
    box.create_customer("alice", [ALICE, "www." + ALICE], key="ec")
    box.create_customer("bob", [BOB], key="rsa")
    box.start_customer("alice")
    box.start_customer("bob")
    box.client("ip", "-6", "address", "add", f"{CLIENT_V6}/128", "dev", "lo")


def assert_served_by_owner(box, host, text):
    owner = OWNERS[host]
    assert text == f"{host} is served by uid {box.uid(owner)} ({owner})\n", text


def nothing_runs_yet(box):
    states = [box.try_run("systemctl", "is-active", f"bellhop@{name}.{kind}").stdout.strip()
              for name in ("alice", "bob") for kind in ("service", "socket")]
    assert states == ["inactive", "active"] * 2, states
    return "both hand-off sockets listen, and no web server runs"


def first_connection_starts_it(box):
    seconds = box.curl(f"https://{ALICE}/", "-o", "/dev/null", "-w", "%{time_total}")
    assert box.show("bellhop@alice.service", "ActiveState") == "active"
    assert box.show("bellhop@bob.service", "ActiveState") == "inactive"
    return f"the instance of alice answered after {float(seconds) * 1000:.0f} ms; that of bob still does not run"


def http_reaches_the_owner(box):
    for host in OWNERS:
        for address in ("127.0.0.1", "[::1]"):
            assert_served_by_owner(box, host, box.curl(f"http://{host}/", address=address))
    return "alice and bob, IPv4 and IPv6"


def https_reaches_the_owner(box):
    n = 0
    for host in OWNERS:
        for address in ("127.0.0.1", "[::1]"):
            for tls in ("1.2", "1.3"):
                for option, version in (("--http1.1", "1.1"), ("--http2", "2")):
                    answer = box.curl(f"https://{host}/", option, f"--tlsv{tls}", "--tls-max", tls, "-w",
                                      "%{http_version}", address=address)
                    assert answer.endswith(version), answer
                    assert_served_by_owner(box, host, answer[:-len(version)])
                    n += 1
    return f"TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2, IPv4 and IPv6: {n} combinations"


def certificate_is_the_owners(box):
    kinds = []
    for host, kind in ((ALICE, "id-ecPublicKey"), (BOB, "rsaEncryption")):
        seen = box.client("bash", "-c", f"openssl s_client -connect 127.0.0.1:443 -servername {host} </dev/null "
                                        "2>/dev/null | openssl x509")
        stored = box.path(f"/etc/bellhop/tls/{OWNERS[host]}/fullchain.pem").read_text()
        assert ssl.PEM_cert_to_DER_cert(seen) == ssl.PEM_cert_to_DER_cert(stored)
        text = box.client("bash", "-c", f"openssl x509 -noout -text <<< '{seen}'")
        assert kind in text
        kinds.append(kind)
    return "alice's is ECDSA, bob's is RSA: each TLS handshake ends in its own instance"


def client_address_is_the_clients(box):
    for address, source in (("127.0.0.1", CLIENT_V4), ("[::1]", CLIENT_V6)):
        box.curl(f"https://{ALICE}/seen-from-{source}", "--interface", source, "-o", "/dev/null", address=address)
        line = box.wait_for("the request in the log", lambda s=source: [
            text for text in box.log("alice").splitlines() if f"/seen-from-{s} " in text])
        assert f" {source} " in line[0], line
    return f"the log has {CLIENT_V4} and {CLIENT_V6}, the addresses of the clients"


def unknown_host_is_refused(box):
    status = box.curl("http://nobody.example/", "-o", "/dev/null", "-w", "%{http_code}")
    assert status == "421", status
    tls = box.try_client("bash", "-c", "openssl s_client -connect 127.0.0.1:443 -servername nobody.example </dev/null 2>&1")
    assert "unrecognized name" in tls.stdout, tls.stdout
    return "HTTP 421, TLS alert unrecognized_name"


def foreign_host_on_a_connection_is_refused(box):
    status = box.curl(f"https://{ALICE}/", "-H", f"Host: {BOB}", "--http1.1", "-o", "/dev/null", "-w", "%{http_code}")
    assert status == "421", status
    return f"a request for {BOB} on a connection to {ALICE} gets 421"


def keys_are_out_of_reach(box):
    key = "/etc/bellhop/tls/bob/privkey.pem"
    box.write_page("alice", "steal.cgi", f"cat {key} 2>&1; ls -A /etc/bellhop/tls/ /srv/www /home /run/bellhop 2>&1")
    seen = box.curl(f"https://{ALICE}/steal.cgi")
    assert "PRIVATE KEY" not in seen and "No such file" in seen and "bob" not in seen.replace(key, ""), seen
    # This command runs in the router's mount namespace, and as its user.
    pid = box.show("bellhop-router.service", "MainPID")
    router = box.try_run("nsenter", "-t", pid, "-m", "setpriv", "--reuid=bellhop", "--regid=bellhop", "--clear-groups",
                         "cat", key)
    assert router.returncode != 0 and "PRIVATE KEY" not in router.stdout, router
    # Without any sandbox, the modes of files protect the key.
    for user in ("alice", "bellhop"):
        plain = box.try_run("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "cat", key)
        assert plain.returncode != 0 and "Permission denied" in plain.stderr, plain
    return "a program of alice sees no key, home, pages or sockets of bob, and the router can't read bob's key"


def nobody_is_root(box):
    listing = box.run("ps", "-eo", "user:12,pid,args", "--sort=pid")
    path = [re.sub(r" -C Define .* -f ", " ... -f ", line) for line in listing.splitlines()
            if re.search(r"bellhop-(router|instance)|/instance\.conf", line)]
    users = {line.split()[0] for line in path}
    assert users == {"bellhop", "alice", "bob"}, listing
    return "\n" + "\n".join(["USER             PID COMMAND", *path])


SHOWS = [
    ("No instance runs before the first visitor", nothing_runs_yet),
    ("The first connection starts the site", first_connection_starts_it),
    ("HTTP reaches the right instance, which runs as its owner", http_reaches_the_owner),
    ("HTTPS also reaches the right instance", https_reaches_the_owner),
    ("The certificate is the owner's", certificate_is_the_owners),
    ("The log has the client's own address", client_address_is_the_clients),
    ("A host that no customer has is refused, over HTTP and over TLS", unknown_host_is_refused),
    ("Another customer's host is refused on an open connection", foreign_host_on_a_connection_is_refused),
    ("Nobody else can read bob's key", keys_are_out_of_reach),
    ("No process that handles a connection runs as root", nobody_is_root),
]
