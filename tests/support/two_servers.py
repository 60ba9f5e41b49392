# SPDX-License-Identifier: GPL-3.0-or-later
"""Two content servers with no network between them, worked by the command line; and the upstreams of the first.

    with upstreams(place / "www") as vendors:
        sender, receiver = ContentServer(place / "sender"), ContentServer(place / "receiver")
        sender.apply(vendors.declaration())
        sender.run("repository", "sync", "--all")

Commands run in this process (`run`: an exception that gets through the boundary of the command line is the test's
failure), or as a user starts them (`start`).
"""

import contextlib
import gzip
import io
import json
import os
import random
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch
from xml.etree import ElementTree as ET

import yaml

from orchestrator.cli.app import app
from tests.support.apt_client import AptClient
from tests.support.deb_repository import Deb, DebRepository
from tests.support.dnf_client import DnfClient
from tests.support.file_directory import FileDirectory
from tests.support.openpgp import Key, key
from tests.support.product import ROOT, Outcome
from tests.support.rpm_repository import Rpm, RpmRepository
from tests.support.signed_rpms import sign_rpms
from tests.support.static_server import static_server

ORGANIZATION = "acme"
DAY = 86400
FIRST = 1_700_000_000
COMPS = b"""<?xml version="1.0" encoding="UTF-8"?>
<comps><group><id>apps</id><name>Applications</name><default>true</default><uservisible>true</uservisible>
<packagelist><packagereq type="mandatory">app</packagereq></packagelist></group></comps>
"""
MODULES = b"""---
document: modulemd
version: 2
data:
  name: lang
  stream: "5"
  version: 1
  context: cafe0000
  arch: x86_64
  summary: A language
  description: A language
  license:
    module: [MIT]
  profiles:
    default:
      rpms: [lang]
  artifacts:
    rpms: ["lang-0:5-1.noarch"]
...
---
document: modulemd-defaults
version: 1
data:
  module: lang
  stream: "5"
  profiles:
    "5": [default]
...
"""


def advisory(version: str) -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<updates><update from="a@example.org" status="final" type="security" version="1"><id>SEC-{version}</id>
<title>About app</title><issued date="2025-01-01 00:00:00"/><updated date="2025-01-01 00:00:00"/>
<severity>Important</severity><description>A hole</description><references/><pkglist><collection short="u">
<name>u</name><package name="app" version="{version}" release="1" epoch="0" arch="noarch"
 src="app-{version}-1.src.rpm"><filename>app-{version}-1.noarch.rpm</filename></package>
</collection></pkglist></update></updates>
""".encode()


def noise(of: str, size: int) -> bytes:
    """Bytes that cannot be compressed, the same each time."""
    return random.Random(of).randbytes(size)


@dataclass(frozen=True)
class ContentServer:
    """Its directory holds orchestrator.yaml, content/ and exports/. `environment` is added to that of commands."""

    place: Path
    organization: str = ORGANIZATION
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        section = {"root": str(self.root), "exports": str(self.exports), **self.options}
        if self.organization:
            section["organization"] = self.organization
        self.config.write_text(yaml.safe_dump({"content": section}))

    @property
    def config(self) -> Path:
        return self.place / "orchestrator.yaml"

    @property
    def root(self) -> Path:
        return self.place / "content"

    @property
    def exports(self) -> Path:
        return self.place / "exports"

    @property
    def published(self) -> Path:
        return self.root / "published" / ORGANIZATION

    def tree(self, path: str) -> Path:
        """Of a repository, as the library's clients see it."""
        return self.published / "library/default" / path

    # What is done

    def run(self, *words: str | Path, code: int = 0) -> Outcome:
        """A command in this process; it must end with `code`, and say why in one message when that is an error."""
        out, err = io.StringIO(), io.StringIO()
        ended = 0
        with (
            patch.dict(os.environ, {"ORCHESTRATOR_CONFIG": str(self.config), "NO_COLOR": "1"}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                app([str(word) for word in words])
            except SystemExit as error:
                ended = int(error.code or 0)
        return Outcome(ended, out.getvalue(), err.getvalue()).expect(code)

    def shell(self, command: str, code: int = 0) -> Outcome:
        """A command as it is printed: `orchestrator ...`."""
        program, *words = shlex.split(command)
        assert program == "orchestrator", command
        return self.run(*words, code=code)

    def refusal(self, *words: str | Path, code: int) -> str:
        """What a command says that is refused: one message, and what goes on."""
        told = self.run(*words, code=code).err
        assert len(re.findall(r"^orchestrator: .", told, re.MULTILINE)) == 1, told
        return told

    def json(self, *words: str | Path, code: int = 0) -> Any:
        """The last document that a command prints."""
        out = self.run(*words, "--output", "json", code=code).out
        return json.loads(out if out.startswith(("[", "{\n")) else out.splitlines()[-1])

    def argv(self, *words: str | Path) -> list[str]:
        return [sys.executable, "-m", "orchestrator", *map(str, words)]

    def environment(self, **more: str) -> dict[str, str]:
        known = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        given = {"ORCHESTRATOR_CONFIG": str(self.config), "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
        return {**known, **given, **more}

    def start(self, *words: str | Path, wrapper: Sequence[str] = (), code: int = 0, **more: str) -> Outcome:
        """A command in a process of its own, behind `wrapper`."""
        done = subprocess.run(
            [*wrapper, *self.argv(*words)],
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr).expect(code)

    def apply(self, document: Mapping[str, Any]) -> str:
        file = self.place / "content.yaml"
        file.write_text(yaml.safe_dump(document))
        return self.run("apply", "-f", file, "--yes").out

    def export(self, *words: str | Path, **more: int) -> Path:
        """Where an export lies that was made."""
        made = self.json("export", *words, **more)
        assert made["state"] == "complete", made
        return Path(made["place"])

    def take(self, *paths: str | Path, code: int = 0) -> str:
        """Import media."""
        return self.run("import", "run", *paths, code=code).out

    def trusts(self, other: "ContentServer") -> None:
        """By the key that the other prints."""
        file = self.place / "sender.pem"
        file.write_text(other.run("export", "key").out)
        self.run("import", "trust", file)

    # What is to be seen

    def files(self, path: str) -> dict[str, bytes]:
        """What clients get of one repository, but for the certificates, which each server puts there itself."""
        tree = self.tree(path).resolve()
        return {
            str(file.relative_to(tree)): file.read_bytes()
            for file in sorted(tree.rglob("*"))
            if file.is_file()
        }


@dataclass
class Vendors:
    """The upstreams at `url`, at one stage after the other:

    0  the beginning
    1  of every kind something is added, changed and removed
    2  only rpms change; and there is one repository more
    3  only debs and files change
    """

    root: Path
    url: str
    stage: int = -1

    def offer(self, stage: int) -> None:
        self.stage = stage
        if stage != 2:
            self._debs(stage)
            self._files(stage)
        if stage != 3:
            self._rpms(stage)
        if stage == 2:
            more = Deb("more", "2.0", filler=noise("more", 300_000))
            DebRepository(self.root / "extra", key=key("other"), date=FIRST).publish(more)

    def _debs(self, version: int) -> None:
        """Two suites of one archive; in the second, what is newer."""
        stable = [Deb("app", "1.0", depends="lib"), Deb("lib", "1:1.0", "all"), Deb("old", "0.9")]
        updates = [Deb("app", f"1.{version}", depends="lib"), Deb("fix", "2.0~rc1")]
        stable += [Deb("new", f"{version}.0")] if version else []
        kept = [deb for deb in stable if version == 0 or deb.name != "old"]
        date = FIRST + version * DAY
        DebRepository(self.root / "debs", "stable main", key=key(), date=date).publish(*kept)
        both = updates[: 1 if version == 3 else 2]
        DebRepository(self.root / "debs", "stable-updates main", key=key(), date=date).publish(*both)

    def _rpms(self, version: int) -> None:
        found = [Rpm("app", f"1.{version}-1", requires=("lib",)), Rpm("lib", "1:1.0-1", "x86_64")]
        found += [Rpm("lang", "5-1"), Rpm("new", f"{version}-1") if version else Rpm("old", "1-1")]
        lists = {"modules": MODULES, "updateinfo": advisory(f"1.{version}")}
        made = RpmRepository(self.root / "rpms/os", key=key(), lists=lists, comps=COMPS)
        made.write(found, time=FIRST + version * DAY)
        sign_rpms(made.root, key())
        made.index(time=FIRST + version * DAY)

    def _files(self, version: int) -> None:
        files = {"images/disk.img": noise(f"disk {version}", 700_000), "notes": b"always the same"}
        files |= {f"only-{version}": b"%d" % version}
        FileDirectory(self.root / "files").write(files)

    def declaration(self) -> dict[str, Any]:
        """Of a server that brings all of it in."""
        debs = {"type": "deb", "architectures": ["amd64"], "translations": []}
        suites = ["stable main", "stable-updates main"]
        products: dict[str, Any] = {
            "debian": {
                "repositories": {
                    "main": {**debs, "baseurl": f"{self.url}debs", "repositories": suites, "keys": ["vendor"]}
                }
            },
            "enterprise": {
                "kind": "vendor",
                "vendor": "example.org",
                "content_id": "enterprise-8",
                "baseurl": f"{self.url}rpms/",
                "repositories": {
                    "os": {"type": "rpm", "baseurl": "os", "repositories": ["."], "keys": ["vendor"]}
                },
            },
            "images": {
                "repositories": {"all": {"type": "file", "baseurl": f"{self.url}files", "unsigned": True}}
            },
        }
        keys = {"vendor": str(key().public_file)}
        if self.stage >= 2:
            keys["other"] = str(key("other").public_file)
            extra = {
                **debs,
                "baseurl": f"{self.url}extra",
                "repositories": ["stable main"],
                "keys": ["other"],
            }
            products["debian"]["repositories"]["extra"] = extra
        content = {
            "keys": keys,
            "products": products,
            "views": {"base": {"repositories": ["debian/main", "enterprise/os"]}},
            "environments": ["testing", "production"],
        }
        return {"organizations": {ORGANIZATION: content}}


@contextlib.contextmanager
def upstreams(root: Path) -> Iterator[Vendors]:
    with static_server(root) as server:
        yield Vendors(root, server.url)


# Clients ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """What a client makes of a repository: its packages by name, version and architecture with the digests that
    the verified index gives them, and the files that it downloads."""

    packages: frozenset[tuple[str, ...]]
    downloads: Mapping[str, bytes]


def deb_source(base: str, path: str, suites: Sequence[str], who: Key | None = None) -> str:
    """A .sources file of a repository below `base`, signatures required."""
    lines = [f"Types: deb\nURIs: {base}{path}\nSuites: {' '.join(suites)}\nComponents: main\n"]
    return "".join([*lines, "By-Hash: force\n", f"Signed-By: {(who or key()).public_file}\n"])


def rpm_source(base: str, path: str) -> str:
    """A .repo file of the same kind."""
    head = f"[os]\nname=os\nbaseurl={base}{path}\nmetadata_expire=1\n"
    return f"{head}gpgcheck=1\nrepo_gpgcheck=1\ngpgkey={key().public_file.as_uri()}\n"


_STANZA = re.compile(r"^(Package|Version|Architecture|SHA256): (.*)$", re.MULTILINE)


def apt_sees(place: Path, sources: str) -> Seen:
    """A new client each time: what it saw before plays no part."""
    client = AptClient(place, sources)
    client.update()
    packages = set()
    for path in (place / "var/lib/apt/lists").glob("*_Packages*"):
        text = subprocess.run(
            ["/usr/lib/apt/apt-helper", "cat-file", str(path)], capture_output=True, text=True, check=True
        ).stdout
        packages |= {
            tuple(value for _, value in _STANZA.findall(part)) for part in text.split("\n\n") if part
        }
    client.must("download", *sorted({f"{name}={version}" for name, version, *_ in map(in_order, packages)}))
    return Seen(frozenset(packages), {path.name: path.read_bytes() for path in place.glob("*.deb")})


def in_order(fields: tuple[str, ...]) -> tuple[str, ...]:
    """Of a stanza: name, version, architecture, digest, as they stand there."""
    assert len(fields) == 4, fields
    return fields


def dnf_sees(place: Path, repositories: str, *names: str) -> Seen:
    """`names` are downloaded, with their signatures checked."""
    client = DnfClient(place, repositories)
    client("install", "--downloadonly", *names)
    [cache] = place.joinpath("cache").glob("os-*/")
    [primary] = cache.glob("repodata/*-primary.xml.gz")
    packages = {tuple(_told(each)) for each in ET.fromstring(gzip.decompress(primary.read_bytes()))}
    return Seen(frozenset(packages), {path.name: path.read_bytes() for path in cache.glob("packages/*.rpm")})


def _told(package: ET.Element) -> Iterator[str]:
    """Of an entry in the list that dnf has verified: name, version, architecture, digest."""
    within = "{http://linux.duke.edu/metadata/common}"
    yield package.findtext(f"{within}name", "")
    version = package.find(f"{within}version")
    assert version is not None
    yield f"{version.get('epoch')}:{version.get('ver')}-{version.get('rel')}"
    yield package.findtext(f"{within}arch", "")
    yield package.findtext(f"{within}checksum", "")
