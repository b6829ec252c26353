# SPDX-License-Identifier: MIT
"""Access rules by the name of a client: a client whose name can't be found is denied, unless the instance can look it
up."""

import os
import socket

import pytest
from handoff import Instance

SETTINGS = "Host=alice.example\nIdleSec=0"
STATUS = ("-o", "/dev/null", "-w", "%{http_code}")
# By an address that no resolver has a name for, as a proxy would give it (mod_remoteip).
UNKNOWN = ("-H", "X-Forwarded-For: 192.0.2.77")
# One that /etc/hosts has.
KNOWN = ("-H", "X-Forwarded-For: 127.0.0.1")
SNIPPET = """LoadModule remoteip_module /usr/lib/apache2/modules/mod_remoteip.so
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1 ::1
"""

# (rules, status for a client whose name is not known, without network and with)
RULES = {
    "deny": ("Order allow,deny\nAllow from all\nDeny from .spammer.example", 403, 200),
    "deny among others": ("Order allow,deny\nAllow from all\nDeny from 192.0.2.1 env=no x.example 198.51.100.0/24", 403, 200),
    "deny of an address": ("Order allow,deny\nAllow from all\nDeny from 192.0.2.1 198.51 2001:db8::1 env=no", 200, 200),
    "deny,allow": ("Order deny,allow\nDeny from .spammer.example", 403, 200),
    "deny of a method": ("<Limit POST>\nDeny from .spammer.example\n</Limit>", 200, 200),
    "deny of this method": ("<Limit GET>\nDeny from .spammer.example\n</Limit>", 403, 200),
    "satisfy any": ("Order deny,allow\nDeny from .spammer.example\nRequire all denied\nSatisfy any", 403, 200),
    "allow": ("Order deny,allow\nDeny from all\nAllow from friend.example", 403, 403),
    "host": ("Require host friend.example", 403, 403),
    "not host": ("<RequireAll>\nRequire all granted\nRequire not host spammer.example\n</RequireAll>", 403, 200),
    "none": ("<RequireAll>\nRequire all granted\n<RequireNone>\nRequire host spammer.example\n</RequireNone>\n</RequireAll>",
             403, 200),
    "not not": ("<RequireAll>\nRequire all granted\n<RequireNone>\n<RequireAll>\nRequire all granted\n"
                "Require not host friend.example\n</RequireAll>\n</RequireNone>\n</RequireAll>", 403, 403),
    "not forward-dns": ("<RequireAll>\nRequire all granted\nRequire not forward-dns spammer.invalid\n</RequireAll>", 403, 200),
    "not forward-dns of a name that is known": (
        "<RequireAll>\nRequire all granted\nRequire not forward-dns localhost\n</RequireAll>", 200, 200),
    "or an address": ("<RequireAny>\nRequire host friend.example\nRequire ip 192.0.2.0/24\n</RequireAny>", 200, 200),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("network", [False, True])
def test_unknown_client(rule, network):
    text, without, with_network = RULES[rule]
    with Instance("event", settings=f"{SETTINGS}\nNetwork={'yes' if network else 'no'}", snippet=SNIPPET, tls=False) as instance:
        instance.path("www/.htaccess", text=text + "\n")
        instance.start()
        assert instance.curl("/index.html", *STATUS, *UNKNOWN)[1] == str(with_network if network else without)
        says = "can't be resolved with Network=no" in instance.errors()
        assert says == (not network and rule not in (
            "deny of an address", "deny of a method", "allow", "not forward-dns of a name that is known"))


@pytest.mark.parametrize("rule", ["deny", "not host", "none", "not forward-dns"])
def test_client_with_a_name(rule):
    name = socket.gethostbyaddr("127.0.0.1")[0]
    with Instance("event", settings=SETTINGS, snippet=SNIPPET, tls=False) as instance:
        instance.path("www/.htaccess", text=RULES[rule][0] + "\n")
        instance.start()
        expected = "403" if rule == "not forward-dns" else "200"
        assert instance.curl("/index.html", *STATUS, *KNOWN)[1] == expected
        instance.path("www/.htaccess", text=RULES[rule][0].replace(".spammer.example", name).replace(
            "spammer.example", name).replace("spammer.invalid", name) + "\n")
        assert instance.curl("/index.html", *STATUS, *KNOWN)[1] == "403"


def test_rules_of_a_folder_replace_those_above():
    with Instance("event", settings=SETTINGS, snippet=SNIPPET, tls=False) as instance:
        instance.path("www/.htaccess", text=RULES["deny"][0] + "\n")
        os.mkdir(instance.path("www/open"))
        instance.path("www/open/.htaccess", text="Order allow,deny\nAllow from all\n")
        instance.path("www/open/x.html", text="x\n")
        instance.start()
        assert instance.curl("/open/x.html", *UNKNOWN) == (0, "x\n")
        assert instance.curl("/index.html", *STATUS, *UNKNOWN)[1] == "403"


def test_suspended_server_starts():
    with Instance("event", settings=SETTINGS + "\nSuspended=yes", tls=False) as instance:
        instance.start()
        assert instance.curl("/", *STATUS)[1] == "503"
