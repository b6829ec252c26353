# SPDX-License-Identifier: MIT
"""What is around the machine, in a network namespace of its own: the internet, and private networks behind the same cable.

All of it answers, so that only the machine itself keeps an instance from it. As a program, in that namespace, it is the
servers, until its standard input ends.
"""

import pathlib
import select
import socket
import sys

# The machine has the first ones; all others are elsewhere.
OWN = ["198.51.100.2", "2001:db8::2"]
PUBLIC = ["203.0.113.5", "2001:db8:1::5"]
NAT64 = "64:ff9b::cb00:7105"  # of the first public one
CLOSED = ["10.9.9.9", "100.64.1.1", "169.254.169.254", "172.16.5.5", "192.0.0.9", "192.168.7.7", "198.18.3.3", "240.1.1.1",
          "fd00:ec2::254", "64:ff9b::a09:909", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b:1::5", "2002:a09:909::1",
          "2001::5", "4000::5", "100::5", "fec0::5"]
PORTS = [25, 80, 465, 8080]
UDP_PORTS = [25, 9999]
RESOLVER = "10.9.9.9"
NAME = "www.internet.example"
HOSTS = {NAME: PUBLIC}

SET_UP = """
ip netns add world
ip link add outside type veth peer name inside netns world
ip address add 198.51.100.2/24 dev outside
ip address add 2001:db8::2/64 dev outside nodad
ip link set outside up
ip route add default via 198.51.100.1
ip -n world link set lo up
ip -n world address add 198.51.100.1/24 dev inside
ip -n world address add 2001:db8::1/64 dev inside nodad
ip -n world link set inside up
ip -6 route add default via 2001:db8::1
"""


def set_up(box):
    box.shell(SET_UP + "".join(f"ip -n world address add {address} dev lo {'nodad' if ':' in address else ''}\n"
                               for address in [*PUBLIC, NAT64, *CLOSED]))
    box.write("/usr/local/lib/world.py", pathlib.Path(__file__).read_text(encoding="utf-8"))
    server = box.popen_run("ip", "netns", "exec", "world", "/usr/bin/python3", "/usr/local/lib/world.py", stdin=-1, stdout=-1)
    assert server.stdout.readline() == "up\n"
    return server


def serve_names(box, address, *before, hosts=HOSTS):
    """A name server, which knows these hosts and their addresses."""
    server = box.popen_run(*before, "dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--bind-interfaces",
                           f"--listen-address={address}", *(f"--address=/{host}/{one}" for host in hosts for one in hosts[host]),
                           "--user=root", "--conf-file=/dev/null", "--log-facility=-",
                           f"--pid-file=/run/names-{address}.pid", stderr=-1)
    assert "started" in server.stderr.readline()
    return server


def end_names(box, address, server):
    """By its process in the box: that outlives who waits for it, and keeps the box from its end for ten seconds."""
    box.shell(f"kill $(cat /run/names-{address}.pid)")
    server.communicate(timeout=20)


def surround(box, hosts=HOSTS):
    """A network around the machine, whose name server is the machine's; for a fixture."""
    server = set_up(box)
    names = serve_names(box, RESOLVER, "ip", "netns", "exec", "world", hosts=hosts)
    before = box.path("/etc/resolv.conf").read_text()
    box.write("/etc/resolv.conf", f"nameserver {RESOLVER}\n")
    yield
    box.write("/etc/resolv.conf", before)
    end_names(box, RESOLVER, names)
    server.communicate(timeout=20)
    box.run("ip", "netns", "delete", "world")


def serve():
    """Each TCP connection gets a word and its end, each datagram is sent back."""
    listeners, datagrams = [], []
    for address in [*PUBLIC, NAT64, *CLOSED]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for port in PORTS:
            listeners.append(socket.create_server((address, port), family=family, backlog=100))
        for port in UDP_PORTS:
            datagrams.append(socket.socket(family, socket.SOCK_DGRAM))
            datagrams[-1].bind((address, port))
    print("up", flush=True)
    while True:
        ready = select.select([sys.stdin, *listeners, *datagrams], [], [])[0]
        if sys.stdin in ready:
            return
        for one in ready:
            if one in datagrams:
                one.sendto(*one.recvfrom(100))
                continue
            with one.accept()[0] as connection:
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nthe internet\n")


if __name__ == "__main__":
    serve()
