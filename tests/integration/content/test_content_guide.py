# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/content.md says what happens: on three servers its commands print what stands below them, and apt takes the
client's configuration.

A server is a directory: /srv and /etc of it lie there, /media is one for all. The page's remarks (`<!-- now: ... -->`)
are what the world does meanwhile.
"""

import glob
import os
import random
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.apt_client import AptClient
from tests.support.deb_repository import Deb, DebRepository
from tests.support.documentation import ADDRESS, Workplace, text_of, workplace
from tests.support.file_directory import FileDirectory
from tests.support.openpgp import key
from tests.support.static_server import static_server
from tests.support.warm import WarmProgram, warm_program

PAGE = "content.md"
SERVERS = ("main", "north", "branch")
MAIN = "http://main.example.org"
_PART = re.compile(r"^```(yaml|console)\n(.*?)^```$|^<!-- (now): (.*?) -->$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^(\w+)\$ (.*)\n((?:(?!\w+\$ ).*\n)*)", re.MULTILINE)
# What is not the same at every run: sizes of signed files, times, digests of what holds them. The longest first: one
# may be in another.
_VARIABLE = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"\b[0-9A-Z]{5}(-[0-9A-Z]{5}){3}\b|\b[0-9A-Z]{5}-[0-9A-Z]{5}\b", "RECEIPT"),
        (r"\d{4}-\d\d-\d\dT[\d:]{4,8}(\.\d+)?Z?|\d{4}-\d\d-\d\d \d\d:\d\d", "TIME"),
        (r"\b[0-9a-f]{12,64}\b", "DIGEST"),
        (r"\(\d+(\.\d+)? ([KMGT]i)?B\)|\b\d+ bytes\b|\b\d+(\.\d+)? ([KMGT]i)?B\b", "SIZE"),
        (r"0001-\w+", "RUN"),
        (r"\(\d+\.\d s\)|\d+\.\d s", "SECONDS"),
    )
)


class World:
    """The servers, their upstreams, and what they print."""

    def __init__(self, work: Workplace, program: WarmProgram, shared: str) -> None:
        self._work, self._program, self._shared = work, program, shared

    def server(self, name: str) -> Path:
        return self._work.place / name

    def configure(self, text: str) -> None:
        """The three servers are configured alike; a declaration and a step lie on all of them."""
        name = "orchestrator.yaml" if "content:\n" in text else "content.yaml"
        if text.startswith("name:"):
            name = "scripts.d/default/6500_release.yaml"
        for server in SERVERS:
            more = "scripts: [scripts.d]\nstate_dir: state\nlog_dir: log\n" if "product:" in text else ""
            path = self.server(server) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._here(text, server) + more * (name == "orchestrator.yaml"))

    def _here(self, text: str, server: str) -> str:
        """With the places of this machine for those of the page."""
        text = text.replace("/srv/", f"{self.server(server)}/srv/").replace(
            "/media/", f"{self._work.place}/media/"
        )
        return text.replace(f"{MAIN}/share/", self._shared).replace(ADDRESS, self._work.address)

    def _there(self, text: str, server: str) -> str:
        text = text.replace(f"{self.server(server)}/", "/").replace(f"{self._work.place}/media/", "/media/")
        return text.replace(self._shared, f"{MAIN}/share/").replace(self._work.address, ADDRESS)

    def run(self, server: str, command: str) -> str:
        """What a command prints, in the words of the page."""
        words: list[str] = []
        stdout = None
        for word in shlex.split(self._here(command, server)):
            if word.startswith(">"):
                stdout = self.server(server) / word[1:]
            else:
                words += sorted(glob.glob(word)) if "*" in word else [word]
        assert words[0] == "orchestrator"
        environment = {
            **os.environ,
            "ORCHESTRATOR_CONFIG": str(self.server(server) / "orchestrator.yaml"),
            "COLUMNS": "10000",
            "HOME": str(self._work.place),
        }
        _, said = self._program.run(words[1:], environment, self.server(server), stdout)
        return self._there(said, server)

    def becomes(self, what: str) -> None:
        """What the world does between two commands."""
        if what == "mos 10.1 is released":
            upstream = DebRepository(self._work.www / "mos", "mos main", key=key(), date=1_760_000_000.0)
            upstream.publish(Deb("mos-controller", "10.1-1"), Deb("python3-mos", "10.0-1", "all"))
        elif what == "chunk 3 is damaged":
            path = self._work.place / "media" / "usb" / "prod-3of3.tgz"
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
        self.carry()

    def carry(self) -> None:
        """People carry media, and put files where the other server finds them."""
        media = self._work.place / "media"
        for name in ("usb", "second", "third"):
            (media / name).mkdir(parents=True, exist_ok=True)
        for chunk in self.server("main").glob("srv/exports/acme/environment-prod/-/north/*/*.tgz"):
            if not (media / "usb" / chunk.name).exists():
                shutil.copy(chunk, media / "usb")
        for server, name in (("main", "main.pem"), ("north", "north.request"), ("north", "north.receipt")):
            for other in {"main", "north"} - {server}:
                if (self.server(server) / name).exists():
                    shutil.copy(self.server(server) / name, self.server(other))
        share = self.server("main") / "srv" / "share"
        share.mkdir(parents=True, exist_ok=True)
        for export in share.glob("view-base-*"):
            if not (share / "base").exists():
                (share / "base").symlink_to(export.name)
        link = self.server("branch") / "srv" / "share"
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(share)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with workplace(tmp_path) as work, warm_program() as program:
        (work.place / "main" / "srv" / "share").mkdir(parents=True)
        noise = random.Random(7)
        images = {f"{name}.img": noise.randbytes(200_000) for name in ("installer", "rescue", "tools")}
        FileDirectory(work.www / "images").write(images)
        with static_server(work.place / "main" / "srv" / "share") as share:
            world = World(work, program, share.url)
            for server in SERVERS:
                shutil.copytree(work.place / "keys", world.server(server) / "keys")
            yield world


def constant(text: str) -> str:
    """Without what is different each time; blanks are one."""
    for pattern, word in _VARIABLE:
        text = pattern.sub(word, text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


def test_the_commands_print_what_stands_below_them(world: World, tmp_path: Path) -> None:
    for language, block, now, remark in _PART.findall(text_of(PAGE)):
        if now:
            world.becomes(remark)
        elif language == "yaml":
            world.configure(block)
        else:
            for server, command, told in _COMMAND.findall(block):
                world.carry()
                found = world.run(server, command)
                assert constant(found) == constant(told), f"{server}$ {command}"
    check_client(world, tmp_path)


def check_client(world: World, place: Path) -> None:
    """The client's configuration of the page is one, and its packages are those of the version in prod."""
    (text,) = re.findall(r"^```\n# (/etc/apt/\S+)\n(.*?)^```$", text_of(PAGE), re.MULTILINE | re.DOTALL)
    published = world.server("main") / "srv" / "content" / "published"
    keyring = published / "acme/prod/base/tools/mos/KEY.asc"
    sources = text[1].replace("http://main.example.org/", f"{published.as_uri()}/")
    apt = AptClient(place / "client", sources.replace("/etc/apt/keyrings/mos.asc", str(keyring)))
    apt.update()
    assert "mos-controller (10.1-1" in apt.get("-s", "install", "mos-controller").stdout


def test_the_readme_has_its_commands_from_the_guide() -> None:
    guide, readme = (
        [part for language, block, _, _ in _PART.findall(text_of(page)) for part in _COMMAND.findall(block)]
        for page in (PAGE, "../README.md")
    )
    ours = [part for part in readme if part[0] in SERVERS]
    assert ours
    assert [part for part in guide if part in ours] == ours
