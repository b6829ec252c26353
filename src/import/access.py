# SPDX-License-Identifier: MIT
"""Files that root reads and writes, and what customers may change: there, only the customer's own rights are used."""

import os
import re
import stat
import subprocess

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\n.*?-----END \1-----\n?", re.DOTALL)
LARGEST = 1024 * 1024


class Failed(Exception):
    """What could not be done, in a sentence without its end."""


def only_root_changes(path, links=40):
    """Whether only root can change the file, or a folder or link on the way to it."""
    at, rest = "/", [part for part in os.path.abspath(path).split("/") if part]
    while rest:
        at = os.path.join(at, rest.pop(0))
        try:
            st = os.lstat(at)
        except OSError:
            return False
        if st.st_uid != 0 or (not stat.S_ISLNK(st.st_mode) and st.st_mode & 0o022):
            return False
        if stat.S_ISLNK(st.st_mode):
            target = os.path.join(os.path.dirname(at), os.readlink(at), *rest)
            return links > 0 and only_root_changes(target, links - 1)
    return True


def as_customer(user, command, data=b""):
    """Runs a program with the rights of that user, without a terminal, and returns what it prints."""
    try:
        done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, cwd="/",
                              start_new_session=True, env={"PATH": PATH, "LC_ALL": "C"}, timeout=60,
                              **({"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "umask": 0o077}
                                 if os.geteuid() == 0 else {}))
    except (OSError, subprocess.SubprocessError) as error:
        raise Failed(f"{command[0]} can't be run as {user.pw_name}: {error}") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise Failed(f"as {user.pw_name}: {said or done.returncode}")
    return done.stdout


def read(path, user):
    """As root where only root can change what is read, else as the customer, who must not have a neighbour's files
    read."""
    try:
        if only_root_changes(path):
            with open(path, "rb") as file:
                data = file.read(LARGEST)
        elif user is None:
            os.stat(path)
            raise Failed(f"{path} can be changed by others than root, and there is no user yet to read it")
        else:
            data = as_customer(user, ["head", "-c", str(LARGEST), "--", path])
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from None
    return data.decode("utf-8", errors="replace").replace("\r\n", "\n")


def blocks(text, kind):
    return [found.group().rstrip("\n") + "\n" for found in BLOCK.finditer(text) if found.group(1).endswith(kind)]


def read_pair(certificate, key, chain, user):
    """(fullchain.pem, privkey.pem); one file may have both, and the chain may be in a file of its own."""
    text = read(certificate, user)
    own = blocks(text, "CERTIFICATE")
    own += [block for block in (blocks(read(chain, user), "CERTIFICATE") if chain else []) if block not in own]
    keys = blocks(read(key, user) if key else text, "PRIVATE KEY")
    if not own:
        raise Failed(f"{certificate} has no certificate in PEM form")
    if not keys:
        raise Failed(f"{key or certificate} has no private key in PEM form")
    return "".join(own), keys[0]


def write(path, text, mode=0o644, gid=-1):
    """In a folder of root's, as a whole or not at all."""
    unfinished = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    try:
        with open(os.open(unfinished, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if gid >= 0:
                os.fchown(file.fileno(), 0, gid)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.rename(unfinished, path)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from None


# The customer may put a link anywhere in that folder, so the customer is who writes there.
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
    """None: there is none, or the customer can't read it."""
    try:
        return tuple(as_customer(user, ["cat", "--", f"{folder}/{name}.pem"]).decode(errors="replace")
                     for name in ("fullchain", "privkey"))
    except Failed:
        return None
