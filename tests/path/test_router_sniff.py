# SPDX-License-Identifier: MIT
"""The router sniffs: first bytes that come in pieces, in odd records, or from real TLS clients."""

import random
import ssl
import subprocess
import threading

import handoff
import pytest
from handoff import TIMEOUT
from router import A, B, Router, hello, hello_message, http, openssl_hello, read_to_end, records

HOSTS = {A: "Host=alice.example", B: "Host=bob.example"}


@pytest.fixture(name="router")
def _router():
    with Router(HOSTS) as router:
        yield router


def send_in_pieces(client, data, sizes):
    """One segment each."""
    start = 0
    for size in sizes:
        client.sendall(data[start:start + size])
        start += size
    client.sendall(data[start:])


# --- segments ---


@pytest.mark.parametrize("listener", [0, 1], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("data", [http("bob.example"), hello("bob.example"), openssl_hello("bob.example")],
                         ids=["HTTP", "TLS", "TLS of OpenSSL"])
def test_segments_of_one_byte(router, data, listener):
    client = router.connect(listener)
    send_in_pieces(client, data, [1] * len(data))
    router.deliver(B, data, client)


@pytest.mark.parametrize("data", [http("bob.example"), hello("bob.example"), hello("bob.example", record=30)],
                         ids=["HTTP", "TLS", "TLS in records"])
def test_every_split(router, data):
    """The router has seen the first part before the second comes."""
    for size in range(1, len(data), 3):
        client = router.connect(send=data[:size])
        router.wait_for(pending=1)
        client.sendall(data[size:])
        router.deliver(B, data, client)
    assert router.counts().refused == 0


def test_server_name_alone_in_segments_of_one_byte(router):
    """What comes before arrives at once, then the name byte by byte, each of them seen."""
    data = hello("bob.example")
    start = data.index(b"bob.example")
    client = router.connect(send=data[:start])
    for i in range(start, len(data)):
        router.wait_for(pending=1)
        client.sendall(data[i:i + 1])
    router.deliver(B, data, client)


def test_random_pieces(router):
    pick = random.Random(7)
    data = hello("bob.example", 3000, record=700)
    for _ in range(40):
        sizes = []
        while sum(sizes) < len(data):
            sizes.append(pick.choice((1, 2, 5, 40, 300, 1460)))
        client = router.connect()
        send_in_pieces(client, data, sizes[:-1])
        router.deliver(B, data, client)


def test_pieces_of_many_clients_interleaved(router):
    hosts = {"alice.example": A, "bob.example": B}
    heads = [(name, make(host)) for host, name in hosts.items() for make in (http, hello)] * 2
    clients = [(name, data, router.connect()) for name, data in heads]
    for i in range(max(len(data) for _, data in heads)):
        for _, data, client in clients:
            client.sendall(data[i:i + 1])
    left = {client.getsockname(): (name, data, client) for name, data, client in clients}
    for name, instance in router.instances.items():
        for _ in range(4):
            got = instance.receive()
            wanted, data, client = left.pop(got.socket.getpeername())
            assert wanted == name and got.read(len(data)) == data
            got.close()
            assert read_to_end(client) == b""
            client.close()
    assert not left


# --- sizes and records ---


@pytest.mark.parametrize("size", [1700, 16 * 1024, 40000, 60000])
@pytest.mark.parametrize("piece", [0, 1400, 100])
def test_large_hello(router, size, piece):
    data = hello("bob.example", size)
    client = router.connect()
    send_in_pieces(client, data, [piece] * (len(data) // piece) if piece else [])
    router.deliver(B, data, client)


def test_hello_of_16_kb_in_segments_of_one_byte(router):
    data = hello("bob.example", 16 * 1024)
    client = router.connect()
    send_in_pieces(client, data, [1] * len(data))
    router.deliver(B, data, client)


@pytest.mark.parametrize("wait", [False, True], ids=["at once", "in pieces"])
@pytest.mark.parametrize("message", [hello_message("bob.example"), hello_message("bob.example", 1700),
                                     openssl_hello("bob.example")[5:]], ids=["small", "1700 bytes", "OpenSSL"])
def test_records_of_one_byte(router, message, wait):
    data = records(message, 1)
    assert len(data) == 6 * len(message)
    client = router.connect()
    send_in_pieces(client, data, [4] * 200 if wait else [])
    router.deliver(B, data, client)


def test_16_kb_in_records_of_one_byte():
    """Six times as much on the wire, which SniffMaxBytes= counts."""
    data = hello("bob.example", 16 * 1024, record=1)
    with Router(HOSTS, "SniffMaxBytes=128K") as router:
        client = router.connect(send=data)
        router.deliver(B, data, client)


def test_records_of_one_byte_in_segments_of_one_byte(router):
    data = hello("bob.example", record=1)
    client = router.connect()
    send_in_pieces(client, data, [1] * len(data))
    router.deliver(B, data, client)


@pytest.mark.parametrize("record", [2, 3, 5, 16, 255])
def test_other_record_sizes(router, record):
    router.expect(B, hello("bob.example", 1000, record))


def test_slow_large_hello_costs_little(router):
    """It is not parsed anew for each of its pieces: the router sleeps until it can be complete."""
    data = hello("bob.example", 20000)
    client = router.connect(send=data[:50])
    router.wait_for(pending=1)
    before = router.n_wakes()
    for i in range(50, len(data), 150):
        client.sendall(data[i:i + 150])
        router.wait_until(router.sleeps, "sleep")  # it has had its chance
    got = router.instances[B].receive()
    assert router.n_wakes() - before < 10
    assert got.read(len(data)) == data
    got.close()
    client.close()


@pytest.mark.parametrize("begin", [b"GET / HT", http("bob.example")[:-1], hello("bob.example")[:100],
                                   hello("bob.example")[:-1], hello("bob.example", record=1)[:301], b""],
                         ids=["HTTP", "HTTP but one byte", "TLS", "TLS but one byte", "TLS in records", "nothing"])
def test_half_a_head_does_not_spin(router, begin):
    clients = [router.connect(send=begin) for _ in range(10)]
    router.wait_for(pending=10)
    assert router.busy(0.3) < 0.05
    for client in clients:
        client.close()


# --- real clients ---


@pytest.fixture(scope="module", name="certificate")
def _certificate(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("tls"))
    handoff.self_signed(folder, "alice.example", "bob.example")
    return f"{folder}/fullchain.pem", f"{folder}/privkey.pem"


class TlsServer(threading.Thread):
    """Takes the next hand-off, ends TLS, answers one request with what it knows of the connection."""

    def __init__(self, instance, certificate):
        super().__init__(daemon=True)
        self.instance, self.certificate, self.error = instance, certificate, None

    def serve(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate)
        names = []
        context.sni_callback = lambda _socket, name, _context: names.append(name)
        got = self.instance.receive()
        with context.wrap_socket(got.socket, server_side=True) as connection:
            request = connection.recv(65536)
            assert request.startswith(b"GET / HTTP/1.1\r\n"), request
            text = f"{connection.version()} {names[0]} {got.host} {connection.getpeername()[0]}"
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" %
                               (len(text), text.encode()))
            connection.unwrap()

    def run(self):
        try:
            self.serve()
        except (AssertionError, OSError) as error:
            self.error = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.join(TIMEOUT)
        if kind is None:
            assert not self.is_alive() and not self.error, self.error


def curl(router, number, version, certificate):
    address, port = router.addresses[number]
    where = f"[{address}]" if ":" in address else address
    return ["curl", "-sS", "--max-time", str(int(TIMEOUT)), f"--tlsv{version}", "--tls-max", version, "--cacert",
            certificate[0], "--connect-to", f"::{where}:{port}", "https://bob.example/"], b""


def s_client(router, number, version, certificate):
    address, port = router.addresses[number]
    where = f"[{address}]" if ":" in address else address
    return ["openssl", "s_client", "-connect", f"{where}:{port}", "-servername", "bob.example", "-CAfile",
            certificate[0], "-verify_return_error", "-verify_hostname", "bob.example", "-quiet",
            f"-tls{version.replace('.', '_')}".replace("_0", "")], http("bob.example")


@pytest.mark.parametrize("listener", [0, 1], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("make", [curl, s_client])
def test_handshake_of_a_real_client(router, certificate, make, version, listener):
    command, text = make(router, listener, version, certificate)
    with TlsServer(router.instances[B], certificate):
        done = subprocess.run(command, input=text, capture_output=True, timeout=TIMEOUT, check=False)
        assert done.returncode == 0, done
    wanted = f"TLSv{version} bob.example bob.example {router.addresses[listener][0]}"
    assert done.stdout.decode().endswith(wanted), done


def test_curl_is_told_what_is_wrong(router, certificate):
    command, _ = curl(router, 0, "1.3", certificate)
    done = subprocess.run([*command[:-1], "https://unknown.test/"], capture_output=True, text=True, timeout=TIMEOUT,
                          check=False)
    assert done.returncode == 35 and "unrecognized name" in done.stderr
    command = [word.replace("https:", "http:") for word in command[:-1]]
    done = subprocess.run([*command, "-w", "%{http_code}", "http://unknown.test/"], capture_output=True, text=True,
                          timeout=TIMEOUT, check=False)
    assert done.returncode == 0 and done.stdout.endswith("421")
