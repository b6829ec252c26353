# SPDX-License-Identifier: MIT
"""Commands and unit settings for root in documents, man pages and messages: none uses a path below a folder that a customer
owns, where any part of the path may be a link by then; and none trusts lines that a neighbour can write into the journal."""

import pathlib
import re
import shlex

import pytest
from handoff import ROOT

SOURCE = pathlib.Path(ROOT)
# Folders of root's with a folder for each customer in them (/var/www: of the old server's).
OF_ROOT = r"/?(?:etc/bellhop/tls|srv/www|home|var/(?:lib|cache)/bellhop|run/bellhop-instance|var/www)"
NAME = r"/[^/\s]+"
BELOW = re.compile(rf"{OF_ROOT}{NAME}/")
ITSELF = re.compile(rf"{OF_ROOT}{NAME}/?")
TREE = re.compile(rf"{OF_ROOT}(?:{NAME})?/?|/|/home|/srv|/var")

PATH_TOOLS = {"chown", "chmod", "chgrp", "install", "cp", "mv", "rm", "ln", "mkdir", "rmdir", "touch", "truncate", "tee",
              "sed", "dd", "find", "tar", "rsync", "scp", "unzip", "cpio", "restorecon", "chcon", "setfacl", "chattr",
              "openssl", "cd", "patch", "git", "setcap"}
INTO_FOLDER = {"cp", "install", "ln", "mv"}
RECURSIVE = re.compile(r"-[a-zA-Z]*[rRa][a-zA-Z]*|--recursive|--archive")
# The beginning of a path that only the shell knows: a variable, the output of a command, or what find(1) has found.
UNSEEN = re.compile(r"/?(?:\$[\w{@*]|\{\})")
SHELL_WORDS = {"if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "{", "}", "!", "in"}
# Commands that read the customer's files, name a customer's folder in a folder of root, or have a variable in place of a
# path, and why they are safe.
ALLOWED = {
    "tar -czf": "it reads, and stores links as links",
    "tar -C /var/www/bob -c .": "it reads, and stores links as links; the folder is a name in root's /var/www",
    "rm -r /var/www/bob.before": "a name in root's /var/www; rm follows no link",
    'mv -T "$path" "/$path"': "parts of a folder that only root enters, to names in folders of root's",
    'rm -rf "$folder"': "names in folders of root's; rm follows no link",
    "rm -rf /run/bellhop /run/bellhop-instance": "names in folders of root's; rm follows no link",
    "setpriv --reuid=1000": "it makes packages, where no customer is",
    "su bellhop-log bellhop-log": "a word of logrotate(8)",
    'mkdir -p -- "$1"': "import runs it as the customer",
    'cat >"$1/.pair.new"': "import runs it as the customer",
    'sed -n "/^# $name/': "import runs it as the customer",
    'p}" "$1/.pair.new" >"$1/.$name.new"': "import runs it as the customer",
    'chmod 0400 "$1/.$name.new"': "import runs it as the customer",
    'mv -f -T -- "$1/.': "import runs it as the customer",
    'rm -f -- "$1/.pair.new"': "import runs it as the customer",
}
# Settings of units with paths that systemd opens or mounts as root. (LoadCredential=ID:PATH, StandardOutput=file:PATH.)
SETTING = re.compile(r"(?<![A-Za-z])((?:Bind(?:ReadOnly)?|ReadWrite|ReadOnly|Inaccessible|(?:No)?Exec)Paths|TemporaryFileSystem|RootDirectory|"
                     r"RootImage|(?:Mount|Extension)Images|ExtensionDirectories|EnvironmentFile|LoadCredential(?:Encrypted)?|"
                     r"Standard(?:Input|Output|Error)|Listen(?:Stream|Datagram|FIFO|Special)|Symlinks|PIDFile)=([^\n;\"]*)")
ALLOWED_IN_UNITS = {
    "BindPaths={path}": "import has checked the path (is_bindable)",
    "BindPaths={file}": "check has checked the path (access_ask_fixed)",
}


# --- where commands are ---


def fences(text):
    return [(block, language) for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


def of_markdown(text):
    rest = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [block for block, language in fences(text) if language != "apache"] + [
        code.replace("\n", " ") for code in re.findall(r"`([^`]+)`", rest)]


def of_man_page(text):
    rest = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    plain = re.sub(r"(?<![A-Za-z])_(\w+?)_(?![A-Za-z])", r"\1", rest.replace("\\", "").replace("*", ""))
    return [block.replace("\\\\\n", "\\\n") for block, _ in fences(text)] + plain.splitlines()


def of_code(text):
    """Strings, those that follow each other as one."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r'"\s*(?:[A-Z_]+\s*)?"', "", text)
    return [string.encode().decode("unicode_escape") for string in re.findall(r'"((?:[^"\\\n]|\\.)*)"', text)]


def texts():
    for path in [SOURCE / "README.md", SOURCE / "SECURITY.md", SOURCE / "NEWS.md", *sorted(SOURCE.glob("doc/**/*.md"))]:
        for text in of_markdown(path.read_text(encoding="utf-8")):
            yield path.name, text
    for path in sorted(SOURCE.glob("man/*.scd")):
        for text in of_man_page(path.read_text(encoding="utf-8")):
            yield path.name, text
    for path in sorted(SOURCE.glob("src/**/*.[ch]")):
        for text in of_code(path.read_text(encoding="utf-8")):
            yield path.name, text
    # Root does not run bellhop-acme-hook: it runs as bellhop-acme, which can't enter a customer's folder.
    for path in [*sorted(SOURCE.glob("debian/*")), *sorted(SOURCE.glob("packaging/*")), *sorted(SOURCE.glob("conf/**/*")), *SOURCE.glob("units/*"),
                 *sorted(SOURCE.glob("packaging/rpm/*.spec")), *sorted(SOURCE.glob("src/import/*")),
                 *sorted(SOURCE.glob("src/log/*"))]:
        if path.is_file():
            yield path.name, path.read_text(encoding="utf-8")


# --- what commands there are in a text ---


def without_heredocs(text):
    """A heredoc is what a command gets, unless it becomes a program itself."""
    if "<<" not in text:
        return text
    return re.sub(r"(.*?)<<-?(['\"]?)(\w+)\2([^\n]*)\n(.*?)^\s*\3$",
                  lambda m: f"{m[1]}{m[4]}\n" + (m[5] if m[5].startswith("#!") else ""), text,
                  flags=re.MULTILINE | re.DOTALL)


def words_of(command):
    try:
        return shlex.split(command, comments=True)
    except ValueError:
        return command.split()


def commands_of(text):
    """Simple commands of all users; quotes in prose are commands, too."""
    text = without_heredocs(text.replace("\\\n", " ")).replace("$(", "$output;")
    pieces = re.split(r"&&|\|\||[;|\n]|<\(|(?<!\w)'(?=[a-z]+ )|(?<!-- )(?<=\s)(?=(?:chown|chmod|chgrp|setfacl|restorecon)\s)",
                      text)
    for piece in pieces:
        yield re.sub(r"(?<=\S)[)'.,:]+$", "", piece.strip())


def strip(words):
    """Without the words before the command itself."""
    while words and (words[0] in SHELL_WORDS or words[0] == "sudo" or re.fullmatch(r"\w+=\S*", words[0])):
        words = words[1:]
    return words


# --- the rules ---


def gives_terminal(words):
    """Whether a program of another user gets root's terminal. systemd-run gives none, or one of its own."""
    if words[:2] == ["setsid", "--wait"]:
        return False
    if words[0] == "runuser":
        return "--pty" not in words
    if words[0] == "su":
        return "--pty" not in words and "-P" not in words
    return words[0] == "setpriv" and any(word.startswith("--reuid") for word in words)


def breaks_rule(command):
    """Why root must not run it, or None."""
    words = strip(words_of(command))
    if not words:
        return None
    if re.search(rf"(?<![2&])>>?\s*[\"']?{BELOW.pattern}", command) and words[0] not in ("runuser", "setsid"):
        return "root writes below a folder of the customer's"
    if any(command.startswith(allowed) for allowed in ALLOWED):
        return None
    if re.search(rf"(?<![2&])>>?\s*[\"']?{UNSEEN.pattern}", command):
        return "where it writes can't be seen"
    if words[0] == "xargs" and (PATH_TOOLS.intersection(words) or words[-1].startswith("-")):
        return "where it leads can't be seen"
    if gives_terminal(words) or re.search(r"\bsudo +(-\w+ +)*(-\w*u|--user)\b", command):
        return "it gives root's terminal to the customer"
    if words[0] == "runuser" or words[:3] == ["setsid", "--wait", "runuser"]:
        return None
    if words[0] not in PATH_TOOLS:
        return None
    operands = [word.partition("=")[2] if word.startswith("--") else word for word in words[1:]] or [""]
    if any(BELOW.match(word) for word in operands):
        return "a path below a folder of the customer's"
    if words[0] == "cd" and any(ITSELF.fullmatch(word) for word in operands):
        return "what follows is in a folder of the customer's"
    makes_folder = words[0] == "install" and any(re.fullmatch(r"-\w*d\w*|--directory", word) for word in words)
    takes_name = any(re.fullmatch(r"-\w*T\w*|--no-target-directory", word) for word in words)
    if words[0] in INTO_FOLDER and not makes_folder and not takes_name and ITSELF.fullmatch(operands[-1]):
        return "it may put something into a folder of the customer's"
    if any(TREE.fullmatch(word) for word in operands) and (
            words[0] in ("find", "tar", "rsync") or any(RECURSIVE.fullmatch(word) for word in words[1:])):
        return "it walks through a folder of the customer's"
    if any(UNSEEN.match(word) for word in operands):
        return "where it leads can't be seen"
    return None


def breaks_journal_rule(text):
    """journalctl asks for units, because any program can forge the rest of a line."""
    for found in re.findall(r"journalctl((?: +[^\s;|&`)]+)*)", text.replace("\\\n", " ")):
        words = [word.strip("'\"`.,:") for word in found.split()]
        asks = any(re.match(r"-[a-z]*[tnefxp]$|-[a-z]+|--(?!update-catalog|sync|help|version)|[A-Z_]+=", word)
                   for word in words)
        by_unit = any(re.fullmatch(r"-[a-z]*u|--unit(=\S+)?|_SYSTEMD_UNIT=\S+", word) for word in words)
        if asks and not by_unit:
            return f"journalctl{found}: not by the unit"
        if by_unit and re.search(r"bellhop(-standin)?@\*", found) and "with-unit" not in words:
            return f"journalctl{found}: of many customers, and does not show whose line it is"
    return None


def breaks_unit_rule(text):
    """systemd, as root, follows links on these paths. Root may only name a path in a folder that only root can change."""
    for key, value in SETTING.findall(text.replace("\\\n", " ")):
        for path in re.split(r"[\s:]+", value.strip("'\"`_*.,")):
            path = re.sub(r"^[-+!@]+", "", path)
            if f"{key}={path}" in ALLOWED_IN_UNITS:
                continue
            if BELOW.match(path):
                return f"{key}={path}: a path below a folder of the customer's"
            if re.match(r"/?[{$]", path):
                return f"{key}={path}: where it leads can't be seen"
    return None


RULES = {"units": breaks_unit_rule,
         "commands": lambda text: next((f"{command}: {why}" for command in commands_of(text)
                                        if (why := breaks_rule(command))), None),
         "journal": breaks_journal_rule}


@pytest.mark.parametrize("rule", RULES)
def test_what_root_is_told_to_do(rule):
    broken = {(where, why) for where, text in texts() if (why := RULES[rule](text))}
    assert not broken, "\n".join(f"{where}: {why}" for where, why in sorted(broken))


@pytest.mark.parametrize("command", [
    "install -o alice -m 0400 fullchain.pem privkey.pem /etc/bellhop/tls/alice/",
    "install -m 0600 -o alice fullchain.pem \\\n        /etc/bellhop/tls/alice", "chown -h alice: /srv/www/alice/pages",
    "chown -R bob:www-data /var/www/bob", "find /var/www/bob -type d -exec chmod g+s {} +", "mv x /srv/www/alice",
    "sudo chmod 0400 /etc/bellhop/tls/alice/privkey.pem", "cat >/etc/bellhop/tls/alice/site.conf <<EOF\nx\nEOF",
    "cat >\"/etc/bellhop/tls/$name/acme.conf\" <<'EOF'\nx\nEOF", "cd /srv/www/alice", "tar -xzpf /root/a.tar.gz -C /",
    "runuser -u alice -- sh", "su alice -c 'crontab -e'", "su - alice", "sudo -u alice php x.php", "sudo -iu alice",
    "setpriv --reuid=alice --clear-groups sh", "rm -rf /var/cache/bellhop/alice/x", "ls && rm /home/alice/x",
    "if true; then touch /var/lib/bellhop/alice/x; fi",
    "for n in *; do chown $n: /srv/www/$n/x; done", "cat >/root/hook <<'EOF'\n#!/bin/sh\nchown a: /srv/www/a/b\nEOF",
    "rsync -a /mnt/www/ /srv/www/", 'chown -hR root "$folder"', 'find "$folder" ! -type l -perm /022 -exec chmod go-w {} +', 'for x; do rm "$x"; done',
    "rm $(cat list)", "find /opt -name x -exec rm {} +", "find /opt | xargs -r chmod go-w", 'echo x >"$file"', 'cd "$folder"',
    "chown root /etc/bellhop/tls/*/privkey.pem", "truncate --reference=$a b", "give it away with 'chown alice: /etc/bellhop/tls/alice/privkey.pem'"])
def test_walker_sees(command):
    assert RULES["commands"](command)


@pytest.mark.parametrize("setting", [
    "BindPaths=/srv/www/alice/shared", "BindPaths=-/data/x:/home/alice/x", "[Service]\nBindReadOnlyPaths=/opt/a \\\n /home/a/b",
    "LoadCredential=key:/home/alice/key.pem", "StandardOutput=append:/srv/www/alice/logs/x", "EnvironmentFile=-/home/alice/.env",
    "set _ReadWritePaths=/var/lib/bellhop/alice/x_", "RootDirectory=$folder"])
def test_walker_sees_in_units(setting):
    assert RULES["units"](setting)


@pytest.mark.parametrize("command", [
    "journalctl -t bellhop-alice", "journalctl MESSAGE_ID=5f21 BELLHOP_INSTANCE=alice", "journalctl -x",
    "journalctl SYSLOG_IDENTIFIER=bellhop-access -o cat", "journalctl -p warning -u 'bellhop@*'"])
def test_walker_sees_in_the_journal(command):
    assert RULES["journal"](command)


def test_walker_reads_all_kinds():
    seen = {where for where, text in texts() if re.search(r"bellhopctl|journalctl|systemctl", text)}
    assert {"README.md", "operations.md", "migrating.md", "bellhop.7.scd", "bellhopctl.1.scd", "bellhop.catalog",
            "findings-table.h", "verb-cert.c", "bellhop.postinst", "carry.py", "bellhop-log-folders", "bellhop.spec"} <= seen
    assert {"bellhop.postrm", "debs"} <= {where for where, _ in texts()}


def test_allowed_are_there():
    every = [command for _, text in texts() for command in commands_of(text)]
    for allowed in ALLOWED:
        assert any(command.startswith(allowed) for command in every), allowed
    for allowed in ALLOWED_IN_UNITS:
        assert any(allowed.split("=")[1] in text and allowed.split("=")[0] in text for _, text in texts()), allowed
