# SPDX-License-Identifier: MIT
"""A visitor with a browser: cookies, redirects, and forms that are sent as the page has them."""

import dataclasses
import html.parser
import json
import pathlib
import tempfile


@dataclasses.dataclass
class Page:
    status: int
    url: str
    type: str
    seconds: float
    bytes: bytes

    @property
    def text(self):
        return self.bytes.decode()

    def json(self):
        return json.loads(self.bytes)

    def form(self, id):
        """What a browser would send of the form: {name: value}."""
        reader = FormReader(id)
        reader.feed(self.text)
        assert reader.fields, f"no form {id} in {self.text}"
        return reader.fields


class FormReader(html.parser.HTMLParser):
    def __init__(self, id):
        super().__init__()
        self.id, self.inside, self.select, self.area, self.fields = id, False, None, None, {}

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        name, kind, value = attrs.get("name"), attrs.get("type"), attrs.get("value", "")
        if tag == "form":
            self.inside = self.id in (attrs.get("id"), attrs.get("name"))
        elif not self.inside:
            return
        elif tag == "input" and name and (kind not in ("checkbox", "radio") or "checked" in attrs):
            self.fields[name] = value
        elif tag == "button" and name:
            self.fields[name] = value
        elif tag == "select":
            self.select = name
        elif tag == "option" and (self.select not in self.fields or "selected" in attrs):
            self.fields[self.select] = value
        elif tag == "textarea":
            self.area = name
            self.fields[name] = ""

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = False
        if tag == "textarea":
            self.area = None

    def handle_data(self, data):
        if self.area:
            self.fields[self.area] += data


def fastest(ask):
    """Returns the fastest of three pages, because a stall of the machine delays one page, but a time-out delays all."""
    return min((ask() for _ in range(3)), key=lambda page: page.seconds)


class Browser:
    def __init__(self, box, host):
        self.box, self.host = box, host
        self.folder = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self.jar = pathlib.Path(self.folder.name, "cookies")

    def get(self, path, *args):
        """Follows redirects, after a form as a browser does: by GET."""
        body = pathlib.Path(self.folder.name, "body")
        url = path if "://" in path else f"https://{self.host}/{path}"
        said = self.box.curl(url, "-L", "--max-time", "60", "-b", self.jar, "-c", self.jar, "-o", body,
                             "-w", "%{http_code} %{time_total} %{url_effective} %{content_type}", *args)
        status, seconds, url, *kind = said.split(" ", 3)
        return Page(int(status), url, kind[0] if kind else "", float(seconds), body.read_bytes())

    def post(self, path, fields, *args):
        return self.get(path, *(word for name, value in fields.items()
                                for word in ("--data-urlencode", f"{name}={value}")), *args)

    def upload(self, path, file, field, kind, fields):
        """A form with a file in it."""
        return self.get(path, "-F", f"{field}=@{file};type={kind}",
                        *(word for name, value in fields.items() for word in ("--form-string", f"{name}={value}")))
