#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Sends the requests of standard input to two servers, and prints both answers to each; all as JSON.

Input: {"ports": [80, 8080], "host": HOST, "requests": [[METHOD, TARGET, HEADERS, BODY], ...]}, BODY as Latin-1 text.
Output: a list of pairs of {"status", "headers": [[NAME, VALUE], ...], "body"}, BODY as Latin-1 text.
"""

import http.client
import json
import sys


def ask(port, host, method, target, headers, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": host, **headers}.items():
            connection.putheader(name, value)
        if body and "Transfer-Encoding" not in headers:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body.encode("latin-1") if body else None)
        response = connection.getresponse()
        return {"status": response.status, "headers": response.getheaders(), "body": response.read().decode("latin-1")}
    finally:
        connection.close()


def main():
    job = json.load(sys.stdin)
    json.dump([[ask(port, job["host"], *request) for port in job["ports"]] for request in job["requests"]], sys.stdout)


main()
