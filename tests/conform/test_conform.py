# SPDX-License-Identifier: MIT
"""An instance answers as Debian's own server does from the same folder, or the difference has its reason."""

import fnmatch
import re
import zlib

import nginx_sites
import pytest
import sites
from differences import DIFFERENCES

# What visitors see; others are about the server itself.
HEADERS = {"content-type", "location", "content-encoding", "content-language", "content-range", "content-disposition",
           "www-authenticate", "set-cookie", "cache-control", "vary", "allow", "accept-ranges", "tcn", "etag"}
OF_SERVER = {"apache": sites.SITES, "nginx": [*sites.SITES, *nginx_sites.SITES]}
ALL = [(server, site.name, request.name) for server in OF_SERVER for site in OF_SERVER[server] for request in site.requests]


def comparable(answer):
    """Without what differs from one server, moment or process to the next."""
    headers = [(name.lower(), value) for name, value in answer["headers"]
               if name.lower() in HEADERS or name.lower().startswith("x-")]
    body = answer["body"].encode("latin-1")
    # How often a program's output was flushed is seen in compressed data.
    if ("content-encoding", "gzip") in headers:
        body = zlib.decompress(body, wbits=31)
    text = body.decode("latin-1")
    for boundary in re.findall(r"boundary=(\w+)", str(headers)):
        text = text.replace(boundary, "B")
        headers = [(name, value.replace(boundary, "B")) for name, value in headers]
    # The signature of Debian's own server below error pages and listings.
    text = re.sub(r"(<hr>\n)?<address>.*</address>\n", "", text)
    # Debian's own nginx names itself there, and in redirects its port, which nobody else has.
    text = re.sub(r"<center>nginx(/[0-9.]+)?</center>", "", text)
    headers = [(name, value.replace(":8080/", "/") if name == "location" else value) for name, value in headers]
    # TRACE is off in instances, as a request that mirrors its headers helps attackers alone.
    headers = [(name, sorted(set(value.split(",")) - {"TRACE"}) if name == "allow" else value) for name, value in headers]
    headers = sorted((name, re.sub(r"PHPSESSID=\w+", "", str(value))) for name, value in headers)
    return answer["status"], headers, text


def reason_of(server, site, name):
    for (wanted, pattern), reason in DIFFERENCES[server].items():
        if site == wanted and fnmatch.fnmatchcase(name, pattern):
            return reason
    return None


@pytest.mark.parametrize("server,site,name", ALL, ids=[f"{server}: {site}: {name}"[:90] for server, site, name in ALL])
def test_answers_are_the_same(answers, server, site, name):
    ours, theirs = (comparable(answer) for answer in answers[server, site, name])
    if server == "apache" and "chunked" in name:
        # Whether Debian's own server passes the body on depends on when it arrives.
        assert ours[2].endswith(("[][]4\n", "[][]5\n", "abc"))
        return
    if reason_of(server, site, name):
        assert ours != theirs, "they are the same now: remove the row"
    else:
        assert ours == theirs


def test_each_difference_is_met():
    for server, differences in DIFFERENCES.items():
        for wanted, pattern in differences:
            assert any((server, wanted) == (one, site) and fnmatch.fnmatchcase(name, pattern)
                       for one, site, name in ALL), (server, wanted, pattern)


# Names that are not PHP's: copies of pages, a file like any other, as at Debian's; and what .htaccess files make PHP's.
NOT_PHP = {"apache": r"/a\.(inc|php(\.|\.txt|\.bak|~))$", "nginx": r"\.(inc|html|module|php(\.|\.txt|\.bak|~))$"}


def test_source_is_never_sent(answers):
    for (server, site, name), (ours, _) in answers.items():
        if not re.search(NOT_PHP[server], name):
            assert "hunter2" not in ours["body"] and "<?php" not in ours["body"], (server, site, name)
