# SPDX-License-Identifier: MIT
"""How an instance resumes TLS sessions: the same with both servers."""

import ssl

import pytest
from handoff import Instance

NEW_SESSION_TICKET = 4  # RFC 8446, section 4


@pytest.fixture(scope="module", params=["event", "nginx"])
def instance(request):
    with Instance(request.param) as made:
        yield made.start()


def visit(instance, context, session=None):
    """Makes one request; returns the session, and whether it was resumed."""
    with instance.connect(tls_port=True) as plain:
        with context.wrap_socket(plain, server_hostname="alice.example", session=session) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: alice.example\r\nConnection: close\r\n\r\n")
            with connection.makefile("rb") as file:
                assert file.read().startswith(b"HTTP/1.1 200 ")
            return connection.session, connection.session_reused


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_gets_one_ticket_and_resumes_by_it(instance, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    tickets = []

    def note(_connection, direction, _version, content_type, message, _data):
        if (direction, content_type, message) == ("read", ssl._TLSContentType.HANDSHAKE, NEW_SESSION_TICKET):
            tickets.append(message)

    context._msg_callback = note
    session, resumed = visit(instance, context)
    assert (session.has_ticket, resumed, len(tickets)) == (True, False, 1)
    assert visit(instance, context, session)[1]


def test_a_snippet_may_set_caches():
    caches = "SSLUseStapling on\nSSLStaplingCache shmcb:{0}/ocsp(32768)\nSSLSessionCache shmcb:{0}/sessions(65536)"
    with Instance() as made:
        made.path("config/sites", made.user, "test.conf", text=caches.format(made.path("run")))
        assert made.run("--test").returncode == 0
