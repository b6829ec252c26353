# SPDX-License-Identifier: MIT
"""Contents of customers' sites, and clients for them."""

# Says who runs it, and what came with the request.
SHOW_PHP = """<?php
header('Content-Type: text/plain');
session_start();
$_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
echo json_encode([
    'uid' => posix_getuid(), 'user' => posix_getpwuid(posix_geteuid())['name'], 'sapi' => PHP_SAPI, 'pid' => getmypid(),
    'master' => posix_getppid(), 'host' => $_SERVER['SERVER_NAME'], 'path' => $_SERVER['PATH_INFO'] ?? '',
    'query' => $_GET, 'form' => $_POST, 'https' => $_SERVER['HTTPS'] ?? 'off',
    'protocol' => $_SERVER['SERVER_PROTOCOL'],
    'visits' => $_SESSION['visits'], 'authorization' => $_SERVER['HTTP_AUTHORIZATION'] ?? '',
    'digits' => preg_replace('/[a-z]+([0-9]+)/', '$1', 'abc123'), 'jit' => ini_get('pcre.jit'),
    'upload' => isset($_FILES['file']) && is_uploaded_file($_FILES['file']['tmp_name'])
        ? hash_file('sha256', $_FILES['file']['tmp_name']) : null,
]);
"""

# Tries to reach what is not the customer's; says only what it got.
REACH_PHP = r"""<?php
header('Content-Type: text/plain');
error_reporting(0);
$got = [];
foreach (json_decode(file_get_contents('php://input'), true) as $path) {
    $got[$path] = is_dir($path) ? array_values(array_diff(scandir($path) ?: [], ['.', '..']))
                                : (is_file($path) ? (string)file_get_contents($path) : null);
}
$got['connect'] = (bool)stream_socket_client('tcp://127.0.0.1:80', $number, $text, 3);
$got['listen'] = (bool)stream_socket_server('tcp://127.0.0.1:5000');
$got['abstract'] = (bool)stream_socket_client("unix://\0meeting");
$got['sudo'] = trim((string)shell_exec('sudo -n id -u 2>&1; setpriv --reuid=0 id -u 2>&1'));
$got['processes'] = array_values(array_unique(array_map('fileowner', glob('/proc/[0-9]*'))));
echo json_encode($got);
"""

# Programs in three languages with the same answer: their user, and the hash of the sent bytes.
CGI = {
    "post.cgi": """#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
echo "$(id -un) $REQUEST_METHOD $QUERY_STRING $(head -c "$CONTENT_LENGTH" | sha256sum | cut -d ' ' -f 1)"
""",
    "post-perl.cgi": """#!/usr/bin/perl
use Digest::SHA 'sha256_hex';
binmode STDIN;
read STDIN, my $body, $ENV{CONTENT_LENGTH};
print "Content-Type: text/plain\\r\\n\\r\\n";
print join(' ', scalar getpwuid($<), $ENV{REQUEST_METHOD}, $ENV{QUERY_STRING}, sha256_hex($body)), "\\n";
""",
    "post-python.cgi": """#!/usr/bin/python3
import hashlib, os, pwd, sys
body = sys.stdin.buffer.read(int(os.environ["CONTENT_LENGTH"]))
print("Content-Type: text/plain", end="\\r\\n\\r\\n")
print(pwd.getpwuid(os.getuid()).pw_name, os.environ["REQUEST_METHOD"], os.environ["QUERY_STRING"],
      hashlib.sha256(body).hexdigest())
""",
}

# An application of the customer's on a unix socket: says who it is, sends back what it gets, and speaks first.
WEBSOCKET_APP = """
import asyncio, os, pwd, sys
import websockets

async def talk(socket):
    await socket.send(pwd.getpwuid(os.getuid()).pw_name)
    async for message in socket:
        await socket.send(message)
        if message == "later":
            await asyncio.sleep(1)
            await socket.send("unasked")

async def main():
    async with websockets.unix_serve(talk, sys.argv[1], max_size=2**22):
        await asyncio.Future()

os.umask(0o077)
asyncio.run(main())
"""

# Takes one word for each step; stays connected meanwhile.
WEBSOCKET_CLIENT = """
import asyncio, ssl, sys
import websockets

async def main(url):
    tls = {}
    if url.startswith("wss:"):
        tls = {"ssl": ssl._create_unverified_context(), "server_hostname": url.split("/")[2]}
    async with websockets.connect(url, host="127.0.0.1", max_size=2**22, **tls) as socket:
        print(await socket.recv(), flush=True)
        for line in sys.stdin:
            message = line.strip()
            big = message == "big"
            await socket.send(bytes(range(256)) * 8192 if big else message)
            answer = await socket.recv()
            print("big" if big and answer == bytes(range(256)) * 8192 else answer, flush=True)
            if message == "later":
                print(await socket.recv(), flush=True)

asyncio.run(main(sys.argv[1]))
"""
