# SPDX-License-Identifier: MIT
"""Executes a plan, which is a list of instances (see plan.py): compares it with the present state, checks it in a
separate folder with bellhopctl check, and then makes the changes, with bellhopctl's own verbs where possible.

The file of an instance is written last. So if an import is interrupted, the same command continues it. At the end,
"bellhopctl apply" brings the new files of all instances into force."""

import concurrent.futures
import contextlib
import ipaddress
import json
import os
import pwd
import re
import shutil
import subprocess

import access
import plan
from access import Failed

UNITS = "/etc/systemd/system"
WWW = "/srv/www"
# "bellhopctl add --create-user" writes this mark into the comment of the user, and "remove --purge" looks for it.
USER_MARK = "bellhop customer"
# remove --purge writes this file.
LAST_UID_FILE = "/var/lib/bellhop/.last-uid"
# If bellhopctl check has one of these findings about an entry of a plan, the entry is not imported. All other findings
# existed before, or are not mistakes of the plan.
MISTAKES = {"config-error", "redirect-without-tls", "certificate-missing", "certificate-invalid", "key-encrypted",
            "key-mismatch", "snippet-error", "acme-authority"}
# The time limit of bellhopctl check for each instance, and once for the rest of the check.
CHECK_SEC = 60
# The options of bellhopctl add and bellhopctl set for limits. The value null in a plan becomes "none".
LIMITS = {"memory_max_bytes": "--memory-max={}", "cpu_max_percent": "--cpu-max={}%", "tasks_max": "--tasks-max={}",
          "disk_max_bytes": "--disk-max={}"}
# The instance.conf for bellhopctl check. If the document root does not exist yet, an empty folder replaces it in the
# check, because the import makes it later.
INSTANCE_CONF = """
<IfFile !"/srv/www/${{BELLHOP_INSTANCE}}">
    <IfFile !"/home/${{BELLHOP_INSTANCE}}/public_html">
        Define BELLHOP_WWW ${{BELLHOP_CONFIG_DIR}}/www/${{BELLHOP_INSTANCE}}
    </IfFile>
</IfFile>
Include {}
"""
# The keys of a plan, with the settings that they become in the file of the instance.
SETTINGS = {"hosts": "Host", "addresses": "Address", "default": "Default", "http": "Http", "idle_seconds": "IdleSec",
            "network": "Network", "server": "Server", "canonical": "Canonical", "tls": "Tls", "acme": "Acme", "mail_per_hour": "MailPerHour",
            "mail_per_day": "MailPerDay", "mail_recipients_per_day": "MailRecipientsPerDay"}


def user_of(name):
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def last_uid():
    """Returns the highest uid or gid of a removed customer, or 0."""
    try:
        with open(LAST_UID_FILE, encoding="ascii") as file:
            return int(file.read(64))
    except (OSError, ValueError):
        return 0


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")


def without_name(said):
    """Removes bellhopctl's name and the full stop from an error of bellhopctl, so that the error can be a part of our
    own error."""
    return re.sub("^bellhopctl: ", "", said, flags=re.MULTILINE).removesuffix(".")


def limit_option(key, value):
    return LIMITS[key].format(value) if value is not None else LIMITS[key].partition("=")[0] + "=none"


def mail_option(key, value):
    return f"--{key.replace('_', '-')}={'' if value is None else value}"


def host_key(host):
    """Returns a host in the form in which the router compares hosts."""
    return host.lower().removesuffix(".")


def address_key(address):
    """Returns a value that is the same for all spellings of an address. The address may have a port."""
    found = re.fullmatch(r"(\[.*\]|[^:]*):(\d+)", address)
    host, port = found.groups() if found else (address, "")
    try:
        return ipaddress.ip_address(host.strip("[]")), port
    except ValueError:
        return address


class Step:
    def __init__(self, kind, what, run):
        self.kind, self.what, self.run = kind, what, run


class Ctl:
    """Runs bellhopctl with the same --config= and --runtime= as this import."""

    def __init__(self, program, config, runtime):
        self.program, self.config, self.runtime = program, config, runtime

    def run(self, *words, config=None, seconds=None):
        """Returns (exit status, object of the JSON output, standard error). Fails if bellhopctl runs for longer than these
        seconds."""
        try:
            done = subprocess.run([self.program, f"--config={config or self.config}", f"--runtime={self.runtime}", "--json",
                                   "--no-pager", *words], capture_output=True, text=True, check=False, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"bellhopctl {words[0]} does not end within {seconds} seconds") from None
        try:
            return done.returncode, json.loads(done.stdout or "{}"), done.stderr.strip()
        except json.JSONDecodeError:
            raise Failed(f"bellhopctl {words[0]} failed: {done.stderr.strip() or done.stdout.strip()}") from None

    def change(self, *words):
        """Runs a verb, and returns the changes that it made."""
        status, printed, said = self.run(*words)
        if status != 0:
            raise Failed(without_name(said) or f"bellhopctl {words[0]} failed")
        return printed.get("changes", [])


class Carry:
    def __init__(self, ctl, entries, dry_run, tell):
        self.ctl, self.entries, self.dry_run, self.tell = ctl, entries, dry_run, tell
        self.pairs = {}     # {(name, folder): (fullchain, privkey)}
        self.refused = {}   # {name: why}
        self.exported = None
        self.units = False  # whether drop-ins have changed
        self.n = 0

    # --- the present state ---

    def path(self, kind, *rest):
        return os.path.join(self.ctl.config, kind, *rest)

    def file_of(self, name):
        return self.path("instances", f"{name}.conf")

    def settings_of(self, name):
        """Returns an existing instance in the form of an entry of a plan. Returns None if there is no such instance, or
        if its file has a mistake."""
        if self.exported is None:
            self.exported = {entry["instance"]: entry for entry in self.ctl.run("export")[1].get("instances", [])}
        return self.exported.get(name)

    # --- mistakes that are found before anything is changed ---

    def conflicts(self):
        """Finds hosts and addresses that two instances have, and a second default instance. Each of the two instances
        may be in the plan, or may already exist."""
        taken, mistakes = {}, []
        names = {entry.name for entry in self.entries}
        self.settings_of("")
        for name, found in self.exported.items():
            if name not in names:
                taken.update({("hosts", host_key(host)): self.file_of(name) for host in found["hosts"]})
                taken.update({("addresses", address_key(address)): self.file_of(name) for address in found["addresses"]})
                if found["default"]:
                    taken["default", True] = self.file_of(name)
        for entry in self.entries:
            own = [("hosts", host_key(host), host) for host in entry["hosts"]]
            own += [("addresses", address_key(address), address) for address in entry["addresses"]]
            own += [("default", True, "true")] if entry["default"] else []
            for key, value, text in own:
                where = f"{entry.place()} ({entry.name})"
                if taken.setdefault((key, value), where) != where:
                    mistakes.append((entry, f"{entry.place(key)}: {text} is already in {taken[key, value]}."))
        return mistakes

    def forms(self):
        """Checks the form of entries from Apache's configuration, because they may contain names of folders that
        customers have chosen. Entries from a JSON or CSV file have already been checked."""
        for entry in self.entries:
            yield from ((entry, text) for text in plan.check_entry(entry)) if entry.is_from_apache else ()

    def users(self):
        for entry in self.entries:
            user = user_of(entry.name)
            if user is None and not entry["create_user"]:
                yield entry, (f"{entry.place('instance')}: user {entry.name} does not exist. Set create_user, or run: "
                              f"useradd --create-home {entry.name}")
            elif user is not None and user.pw_uid == 0:
                yield entry, f"{entry.place('instance')}: {entry.name} is root, but an instance can't run as root."
            if user is None and entry["http"] != "serve" and not entry["certificate"]:
                yield entry, f"{entry.place('http')}: without plain HTTP, clients need HTTPS. Set certificate and key."
            if os.path.lexists(self.file_of(entry.name)) and not self.settings_of(entry.name):
                yield entry, (f"{entry.place('instance')}: {self.file_of(entry.name)} exists, but has a mistake; see "
                              f"'bellhopctl check'")

    def folders(self):
        for entry in self.entries:
            for folder in entry["folders"]:
                if not access.is_bindable(folder, user_of(entry.name)):
                    yield entry, (f"{entry.place('folders')}: {folder}: users other than root can change "
                                  f"{access.first_not_roots(folder)}, and could replace {folder} with any folder.")

    def changed_by_hand(self):
        """Finds what was changed by hand after an earlier import. Such changes take precedence over Apache's old
        configuration, and over a plan that was made from it."""
        for entry in self.entries:
            for file, text in entry["snippets"].items():
                path = self.path("sites", entry.name, file)
                there = text_at(path)
                if there is not None and there != text and plan.is_made(text) and plan.is_changed(there):
                    yield entry, f"{entry.place()}: {path} was changed by hand. Delete it, and import makes it again."
            there = self.settings_of(entry.name) if entry.is_from_apache else None
            if there and (keys := list(self.differs(entry, there))):
                yield entry, (f"{entry.place()}: {entry.name} already exists with other {', '.join(keys)}: see "
                              f"{self.file_of(entry.name)}")

    def read_pairs(self):
        """Reads the certificates and keys. Without root's rights, reads none."""
        for entry in self.entries:
            # The certificate of the instance comes first, because its installation makes the folder for the other
            # certificates.
            wanted = {"": (entry["certificate"], entry["key"], entry["chain"])} if entry["certificate"] else {}
            wanted.update({folder: (pair["certificate"], pair["key"], pair.get("chain"))
                           for folder, pair in entry["certificates"].items()})
            for folder, paths in wanted.items():
                if os.geteuid() != 0:
                    continue
                try:
                    self.pairs[entry.name, folder] = access.read_pair(*paths, user_of(entry.name))
                except Failed as error:
                    yield entry, f"{entry.place('certificates' if folder else 'certificate')}: {error}."

    def stage(self, folder, entries):
        """Writes the plan as a folder of configuration, for bellhopctl check."""
        # Customers must be able to use the files in the folder. But they must not open the folder itself, because they
        # could then hold its lock.
        os.chmod(folder, 0o711)
        for name in ("apache2", "instances", "sites", "tls", "www"):
            os.mkdir(os.path.join(folder, name), 0o755)
        access.write(os.path.join(folder, "apache2/instance.conf"), INSTANCE_CONF.format(self.path("apache2", "instance.conf")))
        included = [f"apache2/{name}" for name in names_in(self.path("apache2")) if name != "instance.conf"]
        for name in ("acme", "nginx", "php", "router.conf", "router.conf.d", *included):
            if os.path.exists(os.path.join(self.ctl.config, name)):
                os.symlink(os.path.join(self.ctl.config, name), os.path.join(folder, name))
        for entry in entries:
            user = user_of(entry.name)
            uid, gid = (user.pw_uid, user.pw_gid) if user and os.geteuid() == 0 else (None, -1)
            access.write(os.path.join(folder, "instances", f"{entry.name}.conf"), self.text_of(entry))
            os.mkdir(os.path.join(folder, "www", entry.name), 0o755)
            self.stage_files(os.path.join(folder, "sites", entry.name), entry, gid)
            self.stage_pairs(os.path.join(folder, "tls", entry.name), entry, uid)

    def stage_files(self, folder, entry, gid):
        os.mkdir(folder, 0o750)
        os.chown(folder, -1, gid)
        for name in names_in(self.path("sites", entry.name)):
            if name.endswith(plan.SNIPPETS) or name == "php.fpm":
                with contextlib.suppress(OSError):
                    shutil.copyfile(self.path("sites", entry.name, name), os.path.join(folder, name))
        for name, text in entry["snippets"].items():
            access.write(os.path.join(folder, name), text, 0o640, gid)

    def stage_pairs(self, folder, entry, uid):
        pairs = {at: pair for (name, at), pair in self.pairs.items() if name == entry.name}
        user = user_of(entry.name)
        if "" not in pairs and user and (pair := access.installed_pair(user, self.path("tls", entry.name))):
            pairs[""] = pair
        for at in sorted(pairs):
            os.makedirs(os.path.join(folder, at), 0o755, exist_ok=True)
            for name, text in zip(("fullchain.pem", "privkey.pem"), pairs[at]):
                # Root stays the owner. An owner could write to the file, and fill /run.
                access.write(os.path.join(folder, at, name), text, 0o400, reader=uid)

    def judge(self, entries):
        """Finds the mistakes that bellhopctl check would find after the import. Most of the time goes into the servers'
        tests of their configuration, so the tests run on all processors."""
        for entry in entries:
            if "server" not in entry.given and (there := self.settings_of(entry.name)):
                entry.values["server"] = there["server"]
        n = min(os.cpu_count() or 1, len(entries))
        with concurrent.futures.ThreadPoolExecutor(n) as pool:
            for found in pool.map(lambda start: list(self.judge_some(entries[start::n])), range(n)):
                yield from found

    def judge_some(self, entries):
        with access.scratch() as folder:
            self.stage(folder, entries)
            # No mistake of a plan can be in the pages, so the check does not look at them.
            _, printed, said = self.ctl.run("check", "--files=0", config=folder, seconds=CHECK_SEC * (1 + len(entries)))
            if "findings" not in printed:
                raise Failed(f"the plan can't be checked: {said}")
            yield from self.found(printed["findings"], {entry.name: entry for entry in entries}, folder)

    def found(self, findings, entries, folder):
        for finding in findings:
            entry = entries.get(finding["instance"])
            if not entry or finding["kind"] not in MISTAKES:
                continue
            if finding["kind"] == "config-error" and finding["line"] is None and user_of(entry.name) is None:
                continue  # the import creates the user later
            if finding["kind"].startswith(("certificate", "redirect")) and not self.knows_pair(entry):
                continue
            key = "instance"
            if finding["kind"] == "config-error" and finding["line"]:
                key = self.keys_of(entry)[finding["line"] - 1] or "instance"
            elif finding["kind"] == "snippet-error":
                key = "snippets"
            elif finding["kind"] == "acme-authority":
                key = "acme"
            elif finding["kind"] != "config-error":
                key = "certificate"
            what = finding["what"].replace(folder, self.ctl.config)
            yield entry, f"{entry.place(key)}: {what}."

    def knows_pair(self, entry):
        """Whether the certificates of the entry could be read. Only root can read them, and only after the user
        exists."""
        return os.geteuid() == 0 and user_of(entry.name) is not None

    def mistakes(self):
        """Returns [(entry, text)]. Changes nothing."""
        found = [*self.forms(), *self.users(), *self.conflicts(), *self.folders(), *self.changed_by_hand(), *self.read_pairs()]
        wrong = {entry.name for entry, _ in found}
        changed = [entry for entry in self.entries if entry.name not in wrong and any(True for _ in self.steps(entry))]
        return found + (list(self.judge(changed)) if changed else [])

    # --- the file of an instance, as in add ---

    @staticmethod
    def options(entry):
        """Returns [(key of the plan, option of add)]."""
        found = [("hosts", f"--host={host}") for host in entry["hosts"]]
        found += [("addresses", f"--address={address}") for address in entry["addresses"]]
        found += [("default", "--default")] if entry["default"] else []
        found += [("http", f"--http={entry['http']}")] if entry["http"] != "serve" else []
        found += [("idle_seconds", f"--idle={time_of(entry['idle_seconds'])}")] if entry["idle_seconds"] != 600 else []
        found += [("network", f"--network={entry['network']}")] if entry["network"] != "no" else []
        found += [("server", f"--server={entry['server']}")] if entry["server"] != "apache" else []
        found += [("canonical", f"--canonical={entry['canonical']}")] if entry["canonical"] else []
        found += [("tls", f"--tls={entry['tls']}")] if entry["tls"] != "files" else []
        found += [("acme", f"--acme={entry['acme']}")] if entry["tls"] == "acme" and entry["acme"] != "default" else []
        return found + [(key, mail_option(key, entry[key])) for key in plan.MAIL if entry[key] is not None]

    def text_of(self, entry):
        lines = ["[Instance]"]
        for key, option in self.options(entry):
            lines.append(f"{SETTINGS[key]}={option.partition('=')[2] or 'yes'}")
        return "\n".join(lines) + "\n"

    def keys_of(self, entry):
        """Returns the key of each line of text_of(), or None for a line without a key."""
        return [None, *[key for key, _ in self.options(entry)], None]

    def differs(self, entry, there):
        """Yields the keys whose values in an existing instance differ from those in the plan."""
        for key in [*SETTINGS, *LIMITS]:
            if key not in entry.given:
                continue
            if key in ("hosts", "addresses"):
                same = {host_key(word) for word in there[key]} == {host_key(word) for word in entry[key]}
            elif key == "canonical":
                same = (there[key] or "") == host_key(entry[key] or "")
            elif key == "acme":
                same = there[key] == entry[key] or self.tls_of(entry, there) != "acme"
            else:
                same = there[key] == entry[key]
            if not same:
                yield key

    @staticmethod
    def tls_of(entry, there):
        return entry["tls"] if "tls" in entry.given else there["tls"]

    # --- steps ---

    def steps(self, entry):
        name, user = entry.name, user_of(entry.name)
        if user is None:
            yield Step("user", f"create user {name}", lambda: self.create_user(name))
        for file, text in entry["snippets"].items():
            if text_at(self.path("sites", name, file)) != text:
                yield Step("snippet", f"write {self.path('sites', name, file)}",
                           lambda file=file, text=text: self.write_snippet(name, file, text))
        yield from self.steps_of_pairs(entry, user)
        if (text := drop_in_of(entry)) is not None:
            path = f"{UNITS}/bellhop@{name}.service.d/import.conf"
            if text_at(path) != text:
                yield Step("drop-in", f"write {path}", lambda: self.write_drop_in(path, text))
        there = self.settings_of(name)
        if there is None:
            yield Step("instance", f"add {name}", lambda: self.ctl.change(
                "add", name, "--later", *[option for _, option in self.options(entry)],
                *[limit_option(key, entry[key]) for key in LIMITS if entry[key] is not None]))
        elif wanted := list(self.differs(entry, there)):
            yield Step("instance", f"set {', '.join(wanted)} of {name}", lambda: self.set(entry, wanted))
        suspended = bool(there and there["suspended"])
        if "suspended" in entry.given and entry["suspended"] != suspended:
            verb = "suspend" if entry["suspended"] else "resume"
            yield Step("suspended", f"{verb} {name}", lambda: self.ctl.change(verb, name))

    def set(self, entry, keys):
        words = {**{key: [limit_option(key, entry[key])] for key in LIMITS},
                 **{key: [mail_option(key, entry[key])] for key in plan.MAIL},
                 "default": [f"--default={'yes' if entry['default'] else 'no'}"],
                 "network": [f"--network={entry['network']}"],
                 "server": [f"--server={entry['server']}"],
                 "http": [f"--http={entry['http']}"],
                 "canonical": [f"--canonical={entry['canonical'] or ''}"],
                 "tls": [f"--tls={entry['tls']}"],
                 "acme": [f"--acme={entry['acme']}"],
                 "idle_seconds": [f"--idle={time_of(entry['idle_seconds'])}"],
                 "hosts": [f"--host={host}" for host in entry["hosts"] or [""]],
                 "addresses": [f"--address={address}" for address in entry["addresses"] or [""]]}
        self.ctl.change("set", entry.name, *[word for key in keys for word in words[key]])

    def steps_of_pairs(self, entry, user):
        there = self.settings_of(entry.name)
        for (name, folder), pair in self.pairs.items():
            if name != entry.name:
                continue
            path = self.path("tls", name, folder) if folder else self.path("tls", name)
            installed = user and access.installed_pair(user, path)
            # bellhop-acme may have replaced the installed certificate by a newer one, so the one in the plan is not
            # installed again.
            if installed and there and self.tls_of(entry, there) == there["tls"] == "acme":
                continue
            if installed != pair:
                yield Step("certificate", f"install the certificate of {name} in {path}",
                           lambda folder=folder, pair=pair, path=path: self.install(name, folder, path, pair))

    def create_user(self, name):
        # As in bellhopctl add, a new user never gets the uid or gid of a removed customer, and no subordinate ids.
        last = last_uid()
        least = ["--key", f"UID_MIN={last + 1}", "--key", f"GID_MIN={last + 1}"] if last else []
        run(["useradd", "--create-home", "--comment", USER_MARK, "--key", "SUB_UID_COUNT=0", "--key", "SUB_GID_COUNT=0", *least,
             "--", name])

    def write_snippet(self, name, file, text):
        user = user_of(name)
        folder = self.path("sites", name)
        if not os.path.isdir(folder):
            os.makedirs(os.path.dirname(folder), 0o755, exist_ok=True)
            os.mkdir(folder, 0o700)
            os.chown(folder, 0, user.pw_gid)
            os.chmod(folder, 0o750)
        access.write(os.path.join(folder, file), text, 0o640, user.pw_gid)

    def write_drop_in(self, path, text):
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        access.write(path, text)
        self.units = True

    def install(self, name, folder, path, pair):
        user = user_of(name)
        if folder:
            access.write_pair(user, path, pair)
            return
        with access.scratch() as at:
            for file, text in zip(("fullchain.pem", "privkey.pem"), pair):
                access.write(os.path.join(at, file), text, 0o600)
            self.ctl.change("cert", name, "--install", f"{at}/fullchain.pem", f"{at}/privkey.pem")

    # --- execution ---

    def one(self, entry):
        for step in self.steps(entry):
            self.n += 1
            self.tell(step.kind, step.what)
            if not self.dry_run:
                step.run()
            # The snippets could not be checked before the user existed.
            if step.kind == "user" and not self.dry_run and entry["snippets"]:
                for _, mistake in self.judge([entry]):
                    raise Failed(mistake.rstrip("."))

    def all(self):
        """Executes the plan. Returns {name: reason} of instances that failed; all other instances are done."""
        for entry in self.entries:
            try:
                self.one(entry)
            except (Failed, OSError) as error:
                self.refused[entry.name] = str(error)
        if self.n and not self.dry_run:
            self.bring_into_force()
        return self.refused

    def bring_into_force(self):
        if self.units:
            self.tell("units", "have systemd read all unit files, because there are new drop-ins")
            run(["systemctl", "daemon-reload"])
        if subprocess.run(["systemctl", "--quiet", "is-active", "bellhop-router.socket"], check=False).returncode != 0:
            self.tell("note", "nothing is served yet; run: systemctl enable --now bellhop.target")
            return
        status, printed, said = self.ctl.run("apply")
        for change in printed.get("changes", []):
            self.tell(change["change"], change["what"])
        if status != 0:
            self.refused["apply"] = without_name(said) or "bellhopctl apply failed"


def time_of(seconds):
    return f"{seconds}s" if isinstance(seconds, int) else f"{round(seconds * 1000)}ms"


def names_in(folder):
    """Returns the names in a folder, or an empty list if the folder does not exist or can't be read."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def text_at(path):
    """Returns the text of a file, or None if the file does not exist or can't be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except OSError:
        return None


def drop_in_of(entry):
    """Returns the text of an instance's drop-in, or None if the instance needs no drop-in."""
    lines = [f"BindPaths=-{path}" for path in entry["folders"]]
    lines += [f"Environment=BELLHOP_PHP_FPM={entry['php_fpm']}"] if entry["php_fpm"] else []
    return "".join(f"{line}\n" for line in ["# Made by bellhopctl import.", "[Service]", *lines]) if lines else None
