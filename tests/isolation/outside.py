# SPDX-License-Identifier: MIT
"""What a customer's program outside of the instance does to the processes of the instance, by cron or ssh.

outside.py reach    as the customer: tries to get into all own processes, including new ones, until
                    there is a line of input; says the pid of each new one, and reports the results
outside.py shut PID as root, in place of a customer who has the hand-off socket in spite of this: takes it from that
                    process, and with each line of input shuts it for reading
"""

import ctypes
import errno
import json
import os
import select
import socket
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE, PIDFD_GETFD = 101, 438
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WAIT_ALL = 0x40000000  # __WALL
HANDOFF_FD = 3  # as systemd passes it: sd_listen_fds(3)


def call(number, *args):
    """0 or more, or the name of the error."""
    result = LIBC.syscall(number, *(ctypes.c_long(arg) for arg in args))
    return result if result >= 0 else errno.errorcode[ctypes.get_errno()]


def take(pid):
    """The process's hand-off socket, or the name of the error."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError as error:
        return errno.errorcode[error.errno]
    try:
        return call(PIDFD_GETFD, pidfd, HANDOFF_FD, 0)
    finally:
        os.close(pidfd)


def try_to_take(pid):
    taken = take(pid)
    if not isinstance(taken, int):
        return taken
    try:
        with socket.socket(fileno=taken) as got:
            return "hand-off socket" if got.type == socket.SOCK_DGRAM else "another"
    except OSError:
        os.close(taken)
        return "another"


def open_memory(pid):
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR))
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"


def is_own(pid):
    try:
        return os.stat(f"/proc/{pid}").st_uid == os.getuid() and pid != os.getpid()
    except OSError:
        return False


def trace(pid):
    """And leaves it alone again, with the signal that it was about to get."""
    outcome = call(PTRACE, PTRACE_SEIZE, pid, 0, 0)
    if outcome == 0:
        call(PTRACE, PTRACE_INTERRUPT, pid, 0, 0)
        status = os.waitpid(pid, WAIT_ALL)[1]
        call(PTRACE, PTRACE_DETACH, pid, 0, 0 if status >> 16 else status >> 8)
    return str(outcome)


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def reach():
    seen = {}
    while not select.select([sys.stdin], [], [], 0)[0]:
        for pid in filter(is_own, map(int, filter(str.isdigit, os.listdir("/proc")))):
            before = name_of(pid)
            tried = {"getfd": try_to_take(pid), "mem": open_memory(pid), "trace": trace(pid)}
            # Which program it is by now, as it may have been executed meanwhile, or was until it ended.
            who = f"{pid} {name_of(pid) or before}"
            if who not in seen and tried["getfd"] != "ESRCH":
                print(pid, flush=True)
            outcomes = seen.setdefault(who, {})
            for way, outcome in tried.items():
                outcomes.setdefault(way, set()).add(outcome)
    print(json.dumps({who: {way: sorted(found) for way, found in outcomes.items()} for who, outcomes in seen.items()}))


def shut(pid):
    handoff = socket.socket(fileno=take(int(pid)))
    print("taken", flush=True)
    for _ in sys.stdin:
        handoff.shutdown(socket.SHUT_RD)
        print("shut", flush=True)


if __name__ == "__main__":
    {"reach": reach, "shut": shut}[sys.argv[1]](*sys.argv[2:])
