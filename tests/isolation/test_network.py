# SPDX-License-Identifier: MIT
"""What a customer's programs can reach over the network."""

import pytest


@pytest.mark.parametrize("network, expected", [("no", "unreachable"), ("yes", "connected")])
def test_network_setting(box, carol, network, expected):
    box.write_instance(carol, f"Host=carol.example\nNetwork={network}\n")
    box.run("systemctl", "daemon-reload")
    box.start_customer(carol)
    box.write_page(carol, "out.cgi", "/usr/bin/python3 -c 'import socket\n"
                   "try: socket.create_connection((\"127.0.0.1\", 80), 3); print(\"connected\")\n"
                   "except OSError: print(\"unreachable\")'")
    assert box.curl("http://carol.example/out.cgi").strip() == expected
