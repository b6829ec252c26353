# SPDX-License-Identifier: MIT
"""The fenced blocks of a document.

Those in "sh" are commands as an administrator types them, and are run by tests, as well as those in "console", which
need something from elsewhere. Those in "apache" begin with the name of the file that they are; those in "python" are programs.
"""

import pathlib
import re

DOC = pathlib.Path(__file__).resolve().parent.parent.parent / "doc"
BLOCK = re.compile(r"^(#+) ([^\n]*)$|^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Document:
    def __init__(self, name):
        self.text = (DOC / name).read_text(encoding="utf-8")
        self.sections, self.files, self.run = {}, {}, set()
        self.console, self.scripts = [], []
        heading = ""
        for found in BLOCK.finditer(self.text):
            _, title, language, block = found.groups()
            if title:
                heading = title
            elif language == "sh":
                self.sections.setdefault(heading, []).append(block)
            elif language == "console":
                self.console.append(block)
            elif language == "python":
                self.scripts.append(block)
            elif language in ("apache", "conf"):
                self.files[re.match(r"# (/\S+)\n", block).group(1)] = block

    def commands(self, beginning):
        """All commands below the one heading that begins so."""
        heading, = (title for title in self.sections if title.startswith(beginning))
        self.run.add(heading)
        return "\n".join(self.sections[heading])

    def not_run(self):
        return set(self.sections) - self.run
