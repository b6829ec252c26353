# SPDX-License-Identifier: MIT
"""What WordPress asks of wordpress.org: a newer release of itself, and a plugin.

As a program, with the folder of its key, it is that server, until its standard input ends.
"""

import http.server
import io
import json
import socket
import ssl
import sys
import threading
import zipfile

RELEASE = "99.9"
PLUGIN = "greeter"
CODE = """<?php
/* Plugin Name: Greeter */
add_action('wp_footer', function () { echo '<p>Greetings by the plugin</p>'; });
"""


def archive():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr(f"{PLUGIN}/{PLUGIN}.php", CODE)
    return file.getvalue()


ANSWERS = {
    "/core/version-check/": {"offers": [{"response": "upgrade", "version": RELEASE, "current": RELEASE, "locale": "en_US",
                                         "download": f"https://wordpress.org/wordpress-{RELEASE}.zip",
                                         "packages": {"full": f"https://wordpress.org/wordpress-{RELEASE}.zip"},
                                         "php_version": "7.0", "mysql_version": "5.0"}], "translations": []},
    "/plugins/update-check/": {"plugins": {}, "no_update": {}, "translations": []},
    "/themes/update-check/": {"themes": {}, "no_update": {}, "translations": []},
    "/plugins/info/": {"name": "Greeter", "slug": PLUGIN, "version": "1.0",
                       "download_link": f"https://downloads.wordpress.org/{PLUGIN}.zip"},
}


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        known = [value for path, value in ANSWERS.items() if self.path.startswith(path)]
        body = archive() if self.path == f"/{PLUGIN}.zip" else json.dumps(known[0] if known else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *args):
        """Nobody reads it."""


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True

    def finish_request(self, request, client_address):
        """The handshake in the thread of the connection: it can't keep others waiting."""
        super().finish_request(self.context.wrap_socket(request, server_side=True), client_address)


def serve(folder):
    with Server(("::", 443), Handler) as server:
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print("up", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    serve(sys.argv[1])
