# SPDX-License-Identifier: MIT
"""An instance answers as Debian's own Apache does from the same folder, or the difference has its reason."""

import fnmatch
import re
import zlib

import pytest
from differences import DIFFERENCES
from sites import SITES

# What visitors see; others are about the server itself.
HEADERS = {"content-type", "location", "content-encoding", "content-language", "content-range", "content-disposition",
           "www-authenticate", "set-cookie", "cache-control", "vary", "allow", "accept-ranges", "tcn", "etag"}
ALL = [(site.name, request.name) for site in SITES for request in site.requests]


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
    # TRACE is off in instances, as a request that mirrors its headers helps attackers alone.
    headers = [(name, sorted(set(value.split(",")) - {"TRACE"}) if name == "allow" else value) for name, value in headers]
    headers = sorted((name, re.sub(r"PHPSESSID=\w+", "", str(value))) for name, value in headers)
    return answer["status"], headers, text


def reason_of(site, name):
    for (wanted, pattern), reason in DIFFERENCES.items():
        if site == wanted and fnmatch.fnmatchcase(name, pattern):
            return reason
    return None


@pytest.mark.parametrize("site,name", ALL, ids=[f"{site}: {name}"[:90] for site, name in ALL])
def test_answers_are_the_same(answers, site, name):
    ours, theirs = (comparable(answer) for answer in answers[site, name])
    if "chunked" in name:
        # Whether Debian's own server passes the body on depends on when it arrives.
        assert ours[2].endswith(("[][]4\n", "[][]5\n", "abc"))
        return
    if reason_of(site, name):
        assert ours != theirs, "they are the same now: remove the row"
    else:
        assert ours == theirs


def test_each_difference_is_met():
    for wanted, pattern in DIFFERENCES:
        assert any(site == wanted and fnmatch.fnmatchcase(name, pattern) for site, name in ALL), (wanted, pattern)


def test_source_is_never_sent(answers):
    """Copies of it under names that are not PHP's (a.php.bak, a.inc) are a file like any other, as at Debian's."""
    for (site, name), (ours, _) in answers.items():
        if not re.search(r"/a\.(inc|php(\.|\.txt|\.bak|~))$", name):
            assert "hunter2" not in ours["body"] and "<?php" not in ours["body"], (site, name)
