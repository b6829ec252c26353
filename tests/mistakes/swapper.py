# SPDX-License-Identifier: MIT
"""swapper.py PATH=TARGET...: a customer who changes places while root works there, until there is a line of input.

What is at a path changes places with a link to the target, again and again. Where nothing is, a link, a folder, a fifo
and a hard link to a file of the customer's come and go. Says how often anything was done.
"""

import ctypes
import os
import select
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, EXCHANGE = -100, 2
OWN = os.path.expanduser("~/own")


def exchange(path, other):
    if LIBC.renameat2(AT_FDCWD, os.fsencode(path), AT_FDCWD, os.fsencode(other), EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), path)


def swap(path, target):
    """There and back, so that it looks innocent half of the time."""
    other = f"{path}.evil"
    if not os.path.islink(other) and not os.path.lexists(other):
        os.symlink(target, other)
    exchange(path, other)
    exchange(path, other)


def clear(path):
    try:
        os.unlink(path)
    except IsADirectoryError:
        os.rmdir(path)


def plant(path, target):
    for make in (lambda: os.symlink(target, path), lambda: os.mkdir(path), lambda: os.mkfifo(path),
                 lambda: os.link(OWN, path)):
        make()
        clear(path)


def attempt(what, *arguments):
    try:
        what(*arguments)
    except OSError:
        return 0
    return 1


def main():
    pairs = [word.split("=", 1) for word in sys.argv[1:]]
    with open(OWN, "w", encoding="utf-8") as file:
        file.write("the customer's own\n")
    print("ready", flush=True)
    n = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        for path, target in pairs:
            n += attempt(swap if os.path.lexists(path) else plant, path, target)
    for path, _ in pairs:
        # What looks like a link has its innocent self in the other place.
        if os.path.islink(path):
            attempt(exchange, path, f"{path}.evil")
        attempt(clear, f"{path}.evil")
    print(n, flush=True)


main()
