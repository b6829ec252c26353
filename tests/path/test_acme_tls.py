# SPDX-License-Identifier: MIT
"""bellhop-acme-tls behind the real router: it answers pending challenges by TLS (RFC 8737), and serves nothing else."""

import contextlib
import os
import pwd
import re
import signal
import socket
import ssl
import struct
import subprocess
import time

import handoff
import pytest
from handoff import AS_ROOT, BUILD, PROTOCOL_TLS, REASON_SERVER_NAME, TIMEOUT, HandoffSocket, Notify
from router import (A, ALERT_UNRECOGNIZED_NAME, GID, SANITIZER, UID, Router, alert, alpn, hello, openssl_hello, read_to_end)

HOST = "alice.example"
DIGEST = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"  # of "abc"
DIGEST_HEX = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"
ACME = alpn("acme-tls/1")
NO_APPLICATION_PROTOCOL, PROTOCOL_VERSION = 120, 70
MANY = 100


class Responder:
    """bellhop-acme-tls as systemd would start it. It runs as the router's user here, as no other is at hand."""

    def __init__(self, router, *arguments):
        self.router, self.process = router, None
        self.socket = HandoffSocket(f"{router.folder}/run/acme-tls")
        os.chmod(self.socket.path, 0o660)
        os.chown(self.socket.path, router.uid, GID)
        self.notify = Notify(f"{router.folder}/notify-responder")
        self.arguments = arguments

    def start(self):
        user = pwd.getpwuid(self.router.uid).pw_name
        become = ["setpriv", f"--reuid={self.router.uid}", f"--regid={GID}", "--clear-groups"] if AS_ROOT else []
        with open(f"{self.router.folder}/responder", "ab") as log:
            self.process = subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn
                [*become, "sh", "-c", 'export LISTEN_PID=$$; exec "$@"', "sh", f"{self.router.folder}/bellhop-acme-tls",
                 f"--challenges={self.router.folder}/challenges", f"--router={user}", *self.arguments],
                env=self.router.environment(LISTEN_FDS="1", LISTEN_FDNAMES="handoff", NOTIFY_SOCKET=self.notify.path),
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=lambda: os.dup2(self.socket.socket.fileno(), 3), pass_fds=[3])
        self.notify.wait("^READY=1")

    def errors(self):
        with open(f"{self.router.folder}/responder", encoding="utf-8") as file:
            return file.read()

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        assert self.process.wait(TIMEOUT) == 0, self.errors()
        assert not SANITIZER.search(self.errors()), self.errors()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.socket.close()
        self.notify.close()

    def n_fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@contextlib.contextmanager
def running(*arguments, settings=""):
    """(router, responder), with a pending challenge."""
    with Router({A: f"Host={HOST}\nTls=acme\nHttp=refuse"}, settings) as router:
        subprocess.run(["cp", f"{BUILD}/bellhop-acme-tls", router.folder], check=True)
        router.pend(f"tls-alpn-01/{HOST}", DIGEST)
        responder = Responder(router, *arguments)
        try:
            responder.start()
            yield router, responder
            responder.end()
        finally:
            responder.close()


def context(*protocols):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    if protocols:
        made.set_alpn_protocols(protocols)
    return made


def handshake(connection, host=HOST):
    """The certificate, as an authority gets it."""
    with context("acme-tls/1").wrap_socket(connection, server_hostname=host) as client:
        assert client.selected_alpn_protocol() == "acme-tls/1"
        certificate = client.getpeercert(binary_form=True)
        assert client.recv(1) == b""
        return certificate


def certificate_text(der):
    return subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-text"], input=der, capture_output=True, check=True,
                          timeout=TIMEOUT).stdout.decode()


def check_certificate(text):
    """RFC 8737 section 3."""
    assert re.search(rf"X509v3 Subject Alternative Name: *\n +DNS:{re.escape(HOST)}\n", text), text
    assert re.search(r"(?:1\.3\.6\.1\.5\.5\.7\.1\.31|acmeIdentifier|ACME Identifier): critical\n", text), text
    assert text.count("X509v3") - text.count("X509v3 extensions") == 1
    subject, issuer = re.search(r"Subject: (.*)", text)[1], re.search(r"Issuer: (.*)", text)[1]
    assert subject == issuer


def test_s_client():
    """The command that people try it with."""
    with running() as (router, responder):
        address = "{}:{}".format(*router.addresses[0])
        for version in ("-tls1_2", "-tls1_3"):
            done = subprocess.run(["openssl", "s_client", "-connect", address, "-servername", HOST, "-alpn", "acme-tls/1", version],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False)
            assert "ALPN protocol: acme-tls/1" in done.stdout, done
            pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", done.stdout, re.DOTALL)[0]
            der = ssl.PEM_cert_to_DER_cert(pem)
            check_certificate(certificate_text(der))
            # OBJECT IDENTIFIER, BOOLEAN TRUE, OCTET STRING with an OCTET STRING of the digest.
            assert bytes.fromhex("06082B0601050507011F" "0101FF" "0422" "0420" + DIGEST_HEX) in der
        assert router.instances[A].is_empty()
        assert router.counts().challenges == 2
        responder.notify.wait("^STATUS=answered challenges: 2$")


def test_each_handshake_has_the_digest_of_its_time():
    with running() as (router, _):
        other = "A" * 43
        first = handshake(router.connect())
        router.pend(f"tls-alpn-01/{HOST}", other)
        second = handshake(router.connect())
        assert bytes.fromhex(DIGEST_HEX) in first and bytes(32) in second and bytes(32) not in first


def test_behind_a_proxy():
    with running(settings="TrustedProxy=127.0.0.1") as (router, _):
        for header in (b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
                       b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", 12 + 1000) + bytes(1012)):
            check_certificate(certificate_text(handshake(router.connect(send=header))))


def give(responder, *, data=b"", host=HOST, protocol=PROTOCOL_TLS):
    """A client whose connection the responder gets from the router's user, whatever the router would have made of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), TIMEOUT)
        connection = listener.accept()[0]
    client.sendall(data)
    message = handoff.message(REASON_SERVER_NAME, protocol, host)
    if AS_ROOT:
        # The kernel names the real user at the time of sending.
        os.setresuid(UID, 0, 0)
    try:
        with responder.socket.connect() as sender:
            handoff.send(sender, message, [connection])
    finally:
        if AS_ROOT:
            os.setresuid(0, 0, 0)
    connection.close()
    return client


@pytest.mark.parametrize("data, number", [
    (openssl_hello(HOST), NO_APPLICATION_PROTOCOL),
    (hello(HOST, more=alpn("h2")), NO_APPLICATION_PROTOCOL),
    (hello(HOST, more=alpn("acme-tls/1", "h2")), NO_APPLICATION_PROTOCOL),
    (b"\x16\x03\x01\0\x05\x02\0\0\x01\0", 10),
    (b"GET / HTTP/1.1\r\nHost: alice.example\r\n\r\n", None),
    (b"\0" * 1000, None),
    (b"\x16\x03\x01\xff\xff" + b"x" * 70000, None),
], ids=range(7))
def test_garbage(data, number):
    """Also what the router would never pass on."""
    with running() as (router, responder):
        client = give(responder, data=data)
        client.shutdown(socket.SHUT_WR)
        said = read_to_end(client)
        assert len(said) <= 7 and said[:1] in (b"", b"\x15")
        if number is not None:
            assert said[-1] == number
        check_certificate(certificate_text(handshake(router.connect())))
        assert responder.process.poll() is None


def test_no_challenge_any_more():
    with running() as (router, responder):
        os.unlink(f"{router.folder}/challenges/tls-alpn-01/{HOST}")
        for host in (HOST, "", "bob.example"):
            assert read_to_end(give(responder, data=hello(HOST, more=ACME), host=host)) == alert(ALERT_UNRECOGNIZED_NAME)


@pytest.mark.skipif(not AS_ROOT, reason="it takes two users")
def test_takes_hand_offs_of_the_router_alone():
    with running() as (router, responder):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname(), TIMEOUT)
            connection = listener.accept()[0]
        client.sendall(hello(HOST, more=ACME))
        with responder.socket.connect() as sender:
            handoff.send(sender, handoff.message(REASON_SERVER_NAME, PROTOCOL_TLS, HOST), [connection])
        connection.close()
        try:
            assert client.recv(1) == b""
        except ConnectionResetError:
            pass
        check_certificate(certificate_text(handshake(router.connect())))


def test_slow_clients_keep_nobody():
    """A client that stops in the middle is finally cut off, and others are answered meanwhile."""
    with running() as (router, responder):
        before = responder.n_fds()
        data = hello_of_an_authority()
        slow = [router.connect(send=data) for _ in range(20)]
        for client in slow:
            assert client.recv(1) == b"\x16"
        began = time.monotonic()
        check_certificate(certificate_text(handshake(router.connect())))
        assert time.monotonic() - began < 9  # less than a slow client may stay
        for client in slow:
            read_to_end(client)
            client.close()
        router.wait_until(lambda: responder.n_fds() == before, "closed")


def hello_of_an_authority():
    read, write = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context("acme-tls/1").wrap_bio(read, write, server_hostname=HOST).do_handshake()
    return write.read()


def test_many_clients_at_once():
    with running(settings="PendingMaxPerSource=0") as (router, responder):
        before = responder.n_fds()
        clients = [router.connect(send=b"") for _ in range(MANY)]
        for client in clients:
            assert bytes.fromhex(DIGEST_HEX) in handshake(client)
        router.wait_until(lambda: responder.n_fds() == before, "closed")
        assert router.counts().challenges == MANY


def test_more_than_the_most():
    """The oldest make room; the responder goes on."""
    with running(settings="PendingMaxPerSource=0\nInFlightMaxPerInstance=512") as (router, responder):
        data = hello_of_an_authority()
        clients = []
        for _ in range(700):
            clients.append(router.connect(send=data))
        for client in clients[-100:]:
            assert client.recv(1) == b"\x16"
        assert responder.n_fds() < 2 * 512 + 50
        check_certificate(certificate_text(handshake(router.connect())))
        for client in clients:
            client.close()


def test_resets():
    with running() as (router, responder):
        before = responder.n_fds()
        for size in (0, 1, 100, None):
            client = router.connect(send=hello_of_an_authority())
            if size != 0:
                client.recv(size or 100000)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        check_certificate(certificate_text(handshake(router.connect())))
        router.wait_until(lambda: responder.n_fds() == before, "closed")


def test_it_ends_when_idle_and_is_started_again():
    """Each client comes before it starts, as with systemd. Otherwise it may end just before a client comes."""
    with running("--idle=1") as (router, responder):
        assert responder.process.wait(TIMEOUT) == 0
        for n in (1, 2):
            client = router.connect(send=hello_of_an_authority())
            router.wait_for(challenges=n)
            responder.start()
            assert client.recv(1) == b"\x16"
            client.close()
            assert responder.process.wait(TIMEOUT) == 0


def test_link_to_a_digest():
    with running() as (router, responder):
        secret = f"{router.folder}/secret"
        with open(secret, "w", encoding="ascii") as file:
            file.write(DIGEST)
        os.chmod(secret, 0o644)
        os.unlink(f"{router.folder}/challenges/tls-alpn-01/{HOST}")
        os.symlink(secret, f"{router.folder}/challenges/tls-alpn-01/{HOST}")
        assert read_to_end(give(responder, data=hello_of_an_authority())) == alert(ALERT_UNRECOGNIZED_NAME)


@pytest.mark.parametrize("argument", ["--idle=0", "--idle=x", "--router=nobody-of-that-name", "extra", "--unknown"])
def test_wrong_usage(argument):
    done = subprocess.run([f"{BUILD}/bellhop-acme-tls", argument], capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode in (1, 2) and done.stderr


def test_without_a_socket():
    done = subprocess.run([f"{BUILD}/bellhop-acme-tls", "--router=root"], capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 1 and "bellhop-acme-tls.socket" in done.stderr
