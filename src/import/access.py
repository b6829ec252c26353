# SPDX-License-Identifier: MIT
"""Reads and writes files: with root's rights if only root can change them, otherwise with the customer's own rights."""

import contextlib
import fcntl
import glob
import os
import re
import selectors
import shutil
import signal
import stat
import struct
import subprocess
import tempfile
import time

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\n.*?-----END \1-----\n?", re.DOTALL)
LARGEST = 1024 * 1024
AS_CUSTOMER_SEC = 60
END_SEC = 1
CAP_NET_BROADCAST = 11
RUN = "/run"
SCRATCH = "bellhop-import."
spent = {}  # {uid: seconds}: how long the programs of as_customer() have run in total


class Failed(Exception):
    """An action failed. The text is a sentence without its full stop."""


def walk(path, links=40):
    """Follows the path to its first part (a folder, a link, or the file at its end) that does not exist or that users
    other than root can change. Returns (first, rest): this part, and the list of the parts that follow it. Returns
    (None, []) if there is no such part."""
    at, rest = "/", [part for part in os.path.abspath(path).split("/") if part]
    while rest:
        at = os.path.join(at, rest.pop(0))
        try:
            st = os.lstat(at)
        except OSError:
            return at, rest
        if st.st_uid != 0 or (not stat.S_ISLNK(st.st_mode) and st.st_mode & 0o022):
            return at, rest
        if stat.S_ISLNK(st.st_mode):
            target = os.path.join(os.path.dirname(at), os.readlink(at), *rest)
            return walk(target, links - 1) if links > 0 else (at, rest)
    return None, []


def first_not_roots(path):
    """Returns the first part of the path that does not exist or that users other than root can change, or None."""
    return walk(path)[0]


def only_root_changes(path):
    return first_not_roots(path) is None


def is_bindable(folder, user):
    """Whether the path will lead to the same folder at each start of the instance. systemd follows the links on the
    path as root, so the customer must not be able to replace these links."""
    first, rest = walk(folder)
    if first is None or not os.path.lexists(first):
        return True
    return not rest and not os.path.islink(first) and is_owned(first, user)


def real(path):
    """Returns the path without links, like os.path.realpath(). The kernel follows the links, because realpath() takes
    long if a customer has made many. If a link leads nowhere, only this link is followed."""
    path, rest = os.path.abspath(path), []
    while True:
        try:
            fd = os.open(path, os.O_PATH)
        except OSError:
            if os.path.islink(path):
                return os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path), *rest))
            path, name = os.path.split(path)
            rest.insert(0, name)
            continue
        try:
            return os.path.join(os.readlink(f"/proc/self/fd/{fd}"), *rest)
        finally:
            os.close(fd)


def is_owned(path, user):
    return user is not None and os.path.lexists(path) and os.lstat(path).st_uid == user.pw_uid


@contextlib.contextmanager
def scratch():
    """Makes a temporary folder. First removes the temporary folders of killed imports, because they may contain
    keys."""
    for path in glob.glob(f"{RUN}/{SCRATCH}*") if os.geteuid() == 0 else ():
        with contextlib.suppress(OSError), locked(path, fcntl.LOCK_NB):
            remove_scratch(path)
    made = tempfile.mkdtemp(prefix=f".{SCRATCH}", dir=RUN if os.geteuid() == 0 else None)
    folder = made.replace(f"/.{SCRATCH}", f"/{SCRATCH}")
    with locked(made):
        try:
            os.rename(made, folder)  # other imports look only for this name, so they find only a locked folder
            yield folder
        finally:
            remove_scratch(folder)


def remove_scratch(folder):
    """Removes a temporary folder. First empties its certificates and keys, because a customer may hold them open, and
    the kernel frees the memory of an open file only when it is closed."""
    for path in glob.glob(f"{folder}/tls/**/*.pem", recursive=True):
        with contextlib.suppress(OSError):
            os.truncate(path, 0)
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def locked(folder, flags=0):
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | flags)
        yield
    finally:
        os.close(fd)


def talk(process, data, deadline):
    """Sends data to the process, and returns (standard output, standard error). Fails if one of them has more than
    LARGEST bytes, or if the process does not end before the deadline."""
    said = {process.stdout: b"", process.stderr: b""}
    with selectors.DefaultSelector() as waiting:
        for file in (process.stdin, *said):
            os.set_blocking(file.fileno(), False)
            waiting.register(file, selectors.EVENT_READ if file in said else selectors.EVENT_WRITE)
        while waiting.get_map():
            ready = waiting.select(max(0, deadline - time.monotonic()))
            if not ready:
                raise subprocess.TimeoutExpired(process.args, AS_CUSTOMER_SEC)
            for file in [key.fileobj for key, _ in ready]:
                if file in said:
                    part = os.read(file.fileno(), 65536)
                    said[file] += part
                    if len(said[file]) > LARGEST:
                        raise subprocess.SubprocessError(f"it prints more than {LARGEST} bytes")
                else:
                    with contextlib.suppress(BrokenPipeError):
                        data = part = data[os.write(file.fileno(), data[:65536]):]
                if not part:
                    waiting.unregister(file)
                    file.close()
    return tuple(said.values())


def capabilities():
    """Returns the capabilities of this process as a bit mask."""
    with open("/proc/self/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("CapPrm:")).split()[1], 16)


def become(user):
    """Returns the words to put in front of a command, so that it runs as the user, with CAP_NET_BROADCAST if possible.
    The kernel uses this capability for nothing, but a process without it can't trace a process that has it. So the
    customer's other programs can't trace the command, which inherits root's session keyring."""
    words = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--no-new-privs"]
    if capabilities() >> CAP_NET_BROADCAST & 1:
        words += ["--inh-caps=-all,+net_broadcast", "--ambient-caps=-all,+net_broadcast"]
    return [*words, "--"]


def end(process):
    """Kills the process with its children. Waits only for a short time, because a process that waits for a dead file
    server does not end."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SEC)


def as_customer(user, command, data=b""):
    """Runs a program with the rights of the user, without a terminal, and returns its output. All programs of one user
    together can run for AS_CUSTOMER_SEC, because the customer can stop each of them."""
    process, begin = None, time.monotonic()
    deadline = begin + AS_CUSTOMER_SEC - spent.get(user.pw_uid, 0)
    try:
        if begin >= deadline:
            raise subprocess.TimeoutExpired(command, AS_CUSTOMER_SEC)
        process = subprocess.Popen((become(user) if os.geteuid() == 0 else []) + command, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, cwd="/", umask=0o077,
                                   start_new_session=True, env={"PATH": PATH, "LC_ALL": "C"})
        printed, said = talk(process, data, deadline)
        status = process.wait(max(0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise Failed(f"the programs that read and write files as {user.pw_name} do not end within {AS_CUSTOMER_SEC} "
                     "seconds") from None
    except (OSError, subprocess.SubprocessError) as error:
        raise Failed(f"{command[0]} can't be run as {user.pw_name}: {error}") from None
    finally:
        if process:
            end(process)
        spent[user.pw_uid] = spent.get(user.pw_uid, 0) + time.monotonic() - begin
    if status != 0:
        raise Failed(f"as {user.pw_name}: {' '.join(said.decode(errors='replace').split()) or status}")
    return printed


def read_as(user, path):
    """Reads a file as the customer. Does not wait for a writer if the customer has put a fifo there."""
    return as_customer(user, ["dd", "iflag=nonblock,fullblock", "status=none", "bs=64K", f"count={LARGEST >> 16}", f"if={path}"])


def read(path, user):
    """Reads a file. If only root can change it, reads it as root. If not, reads it as the customer, because it may be a
    link that the customer has made to another customer's file."""
    try:
        if only_root_changes(path):
            with open(path, "rb") as file:
                data = file.read(LARGEST)
        elif user is None:
            os.stat(path)
            raise Failed(f"{path} can be changed by users other than root, but no user exists yet to read it")
        else:
            data = read_as(user, path)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from None
    return data.decode("utf-8", errors="replace").replace("\r\n", "\n")


def blocks(text, kind):
    return [found.group().rstrip("\n") + "\n" for found in BLOCK.finditer(text) if found.group(1).endswith(kind)]


def read_pair(certificate, key, chain, user):
    """Returns the texts of (fullchain.pem, privkey.pem). certificate, key and chain are paths. key and chain can be
    None, because the file of the certificate may also contain the key and the chain."""
    text = read(certificate, user)
    own = blocks(text, "CERTIFICATE")
    own += [block for block in (blocks(read(chain, user), "CERTIFICATE") if chain else []) if block not in own]
    keys = blocks(read(key, user) if key else text, "PRIVATE KEY")
    if not own:
        raise Failed(f"{certificate} has no certificate in PEM form")
    if not keys:
        raise Failed(f"{key or certificate} has no private key in PEM form")
    return "".join(own), keys[0]


def acl_of_reader(uid):
    """Returns an ACL in the form of the kernel: the owner of the file and the user with this uid can read the file, and
    all others can't."""
    nobody, read = 0xffffffff, 4
    owner, user, group, mask, others = 1, 2, 4, 16, 32
    entries = ((owner, read, nobody), (user, read, uid), (group, 0, nobody), (mask, read, nobody), (others, 0, nobody))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def write(path, text, mode=0o644, gid=-1, reader=None):
    """Writes a file into a folder of root, completely or not at all. If reader is the uid of a user, the file is
    readable to root and this user only."""
    unfinished = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished)
        with open(os.open(unfinished, flags, 0o600), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            if gid >= 0:
                os.fchown(file.fileno(), 0, gid)
            os.fchmod(file.fileno(), mode)
            if reader is not None:
                os.setxattr(file.fileno(), "system.posix_acl_access", acl_of_reader(reader))
            os.fsync(file.fileno())
        os.rename(unfinished, path)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from None


# The customer can put links anywhere in the folder of the certificate and key, so this script runs as the customer.
WRITE_PAIR = """
set -e
mkdir -p -- "$1"
cat >"$1/.pair.new"
for name in fullchain privkey; do
    sed -n "/^# $name/,/^# end/{/^#/d;p}" "$1/.pair.new" >"$1/.$name.new"
    chmod 0400 "$1/.$name.new"
done
mv -f -T -- "$1/.fullchain.new" "$1/fullchain.pem"
mv -f -T -- "$1/.privkey.new" "$1/privkey.pem"
rm -f -- "$1/.pair.new"
"""


def write_pair(user, folder, pair):
    text = "".join(f"# {name}\n{part}# end\n" for name, part in zip(("fullchain", "privkey"), pair))
    as_customer(user, ["sh", "-c", WRITE_PAIR, "sh", folder], text.encode())


def installed_pair(user, folder):
    """Returns the texts of (fullchain.pem, privkey.pem). Returns None if one of these files does not exist, or if the
    customer can't read it."""
    try:
        return tuple(read_as(user, f"{folder}/{name}.pem").decode(errors="replace")
                     for name in ("fullchain", "privkey"))
    except Failed:
        return None
