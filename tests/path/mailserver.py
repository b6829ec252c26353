# SPDX-License-Identifier: MIT
"""Helpers of the tests of bellhop-mail: a mail server in miniature that says what it was told, and bellhop-mail itself as
systemd would start it."""

import os
import pwd
import queue
import signal
import socket
import subprocess
import tempfile
import threading

from handoff import AS_ROOT, BUILD, TIMEOUT

# The user that has an instance: without root, the user who runs the tests.
NAME = "mail" if AS_ROOT else pwd.getpwuid(os.getuid()).pw_name
UID = pwd.getpwnam(NAME).pw_uid


class MailServer:
    """Answers each command as told, else as a mail server does; messages are (sender, recipients, bytes)."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:{}".format(self.listener.getsockname()[1])
        self.answers = {}      # command: what is said instead; None: nothing
        self.messages = queue.Queue()
        self.asked = queue.Queue()  # each command
        self.gate = threading.Event()
        self.gate.set()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=[connection], daemon=True).start()

    def close(self):
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()

    def answer(self, connection, command, usual):
        self.asked.put(command)
        self.gate.wait(TIMEOUT)
        said = self.answers.get(command, usual)
        if said is not None:
            connection.sendall(said + b"\r\n")

    def serve(self, connection):
        sender, recipients = None, []
        with connection, connection.makefile("rb") as file:
            try:
                self.answer(connection, "greeting", b"220 mx.example ESMTP")
                for line in file:
                    command = line.split(b":")[0].split()[0].decode()
                    if command == "MAIL":
                        sender = line.strip().partition(b":")[2]
                    if command == "RCPT":
                        recipients.append(line.strip().partition(b":")[2])
                    if command == "QUIT":
                        return
                    self.answer(connection, command, {"EHLO": b"250-mx.example\r\n250 SIZE", "DATA": b"354 go on"}.get(
                        command, b"250 2.0.0 fine"))
                    if command == "DATA":
                        self.take(connection, file, sender, recipients)
                        sender, recipients = None, []
            except (OSError, IndexError):
                return

    def take(self, connection, file, sender, recipients):
        text = b""
        # As the most careless mail servers see it: LF ends a line, too, and CR alone as well.
        for line in file:
            if b"." in line.replace(b"\n", b"\r").split(b"\r"):
                break
            text += line
        else:
            return
        self.messages.put((sender, recipients, text))
        self.answer(connection, ".", b"250 2.0.0 queued as 1")


class Mail:
    """bellhop-mail in a folder of its own, for one customer."""

    def __init__(self, server, settings="", instance=""):
        self.folder = tempfile.TemporaryDirectory(prefix="bellhop-mail-")
        # The instance's user reaches the socket.
        os.chmod(self.folder.name, 0o755)
        self.path = f"{self.folder.name}/socket"
        os.makedirs(f"{self.folder.name}/etc/instances")
        os.makedirs(f"{self.folder.name}/state")
        self.server = server
        self.configure(settings, instance)
        self.process = None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self.listener.listen(512)

    def configure(self, settings="", instance=""):
        relay = self.server.address if self.server else "127.0.0.1:9"
        with open(f"{self.folder.name}/etc/mail.conf", "w", encoding="ascii") as file:
            file.write(f"[Mail]\nMailName=host.example\nRelay={relay}\n{settings}\n")
        with open(f"{self.folder.name}/etc/instances/{NAME}.conf", "w", encoding="ascii") as file:
            file.write(f"[Instance]\nHost=site.example\n{instance}\n")

    def start(self):
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(f"{self.folder.name}/notify")
        notify.settimeout(TIMEOUT)
        fd = self.listener.fileno()
        with open(f"{self.folder.name}/stderr", "ab") as stderr:
            # What systemd passes is the third descriptor, and the process id in the environment is its own.
            self.process = subprocess.Popen(
                ["bash", "-c", f'exec 3<&{fd}; export LISTEN_PID=$$; exec "$@"', "bash", f"{BUILD}/bellhop-mail",
                 f"--config={self.folder.name}/etc", f"--state={self.folder.name}/state"], pass_fds=[fd], stderr=stderr,
                env=dict(os.environ, LISTEN_FDS="1", LISTEN_FDNAMES="mail", NOTIFY_SOCKET=f"{self.folder.name}/notify"))
        while b"READY=1" not in notify.recv(4096):
            pass
        notify.close()
        os.unlink(f"{self.folder.name}/notify")

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        status = self.process.wait(TIMEOUT)
        assert status == (0 if number == signal.SIGTERM else -number), self.log()
        assert "Sanitizer" not in self.log()

    def log(self):
        with open(f"{self.folder.name}/stderr", encoding="utf-8") as file:
            return file.read()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.stop()
        self.listener.close()
        self.folder.cleanup()

    def connect(self, uid=UID):
        """As that user, which the kernel notes when the connection is made."""
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(TIMEOUT)
        if AS_ROOT:
            os.seteuid(uid)
        try:
            client.connect(self.path)
        finally:
            if AS_ROOT:
                os.seteuid(0)
        return Client(client)


class Client:
    def __init__(self, connection):
        self.socket = connection
        self.file = connection.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def read(self):
        """One reply, of one or several lines."""
        reply = b""
        while True:
            line = self.file.readline()
            reply += line
            if not line or line[3:4] != b"-":
                return reply.decode()

    def say(self, line):
        self.socket.sendall(line.encode() + b"\r\n" if isinstance(line, str) else line)
        return self.read()

    def begin(self, sender="a@site.example", recipients=("b@elsewhere.example",)):
        """Up to the message; returns the last reply."""
        reply = self.say(f"MAIL FROM:<{sender}>")
        for recipient in recipients:
            if reply[0] == "2":
                reply = self.say(f"RCPT TO:<{recipient}>")
        return self.say("DATA") if reply[0] == "2" else reply

    def send(self, text=b"Subject: x\r\n\r\ntext\r\n", **kwargs):
        """The reply to a message, or to what was refused of it."""
        reply = self.begin(**kwargs)
        return self.say(text + b".\r\n") if reply[0] == "3" else reply
