# SPDX-License-Identifier: MIT
"""limited.py PORT CERTIFICATE KEY: an authority that answers each order with rateLimited. It prints the path of each
request."""

import base64
import http.server
import json
import ssl
import sys

URL = f"https://acme.example:{sys.argv[1]}"
LIMITED = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many new orders recently", "status": 429}
NO_ACCOUNT = {"type": "urn:ietf:params:acme:error:accountDoesNotExist", "detail": "there is none", "status": 400}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, document=None, **fields):
        body = json.dumps(document).encode() if document is not None else b""
        self.send_response(status)
        for name, value in {"Replay-Nonce": "bm9uY2U", **fields}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/problem+json" if status >= 400 else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):  # pylint: disable=invalid-name
        if self.path == "/newNonce":
            self.answer(204)
        else:
            self.answer(200, {name: f"{URL}/{name}" for name in ("newNonce", "newAccount", "newOrder")})

    do_HEAD = do_GET

    def do_POST(self):  # pylint: disable=invalid-name
        payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["payload"]
        print(self.path, flush=True)
        if self.path == "/newAccount":
            asks = b"onlyReturnExisting" in base64.urlsafe_b64decode(payload + "==")
            if asks and not self.server.has_account:
                self.answer(400, NO_ACCOUNT)
            else:
                self.answer(200 if asks else 201, {"status": "valid"}, Location=f"{URL}/account/1")
                self.server.has_account = True
        else:
            self.answer(429, LIMITED)

    def log_message(self, *_args):  # pylint: disable=arguments-differ
        """do_POST() prints the requests."""


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
server.has_account = False
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
