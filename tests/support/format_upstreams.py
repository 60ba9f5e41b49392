# SPDX-License-Identifier: GPL-3.0-or-later
"""An upstream of any format behind one interface: what the conformance suite of formats changes and looks at.

Each has two repositories, in the order of `repositories`; packages are `Unit`s in the words that formats share.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.content.formats import Format
from orchestrator.content.formats.deb.driver import DebFormat
from orchestrator.content.formats.file.driver import FileFormat
from orchestrator.content.formats.rpm.driver import RpmFormat
from orchestrator.content.source import Source
from tests.support.apt_client import AptClient
from tests.support.deb_repository import Deb, DebRepository
from tests.support.dnf_client import DnfClient
from tests.support.file_directory import FileDirectory, fetch
from tests.support.openpgp import Key
from tests.support.rpm_repository import Rpm, RpmRepository, build
from tests.support.tampering import read_record, record_path, write_record

DAY = 86400
FIRST = 1_700_000_000


@dataclass(frozen=True)
class Unit:
    """`needs` and `provides` as (name, operator, version), the last two empty for any."""

    name: str
    version: str = "1.0-1"
    needs: tuple[tuple[str, str, str], ...] = ()
    provides: tuple[str, ...] = ()
    anywhere: bool = False  # for all architectures


class Upstream(ABC):
    """Below `root`; signed with `key` where there is one."""

    format: Format
    repositories: tuple[str, str]
    suffix: str
    lowest_first: tuple[str, ...]
    signed = True  # whether there is anything to be signed
    unreadable: tuple[str, ...] = ("lib (>=", "lib >>> 1")  # what no requirement can be

    def __init__(self, root: Path, key: Key | None) -> None:
        self.root, self.key = root, key if self.signed else None

    def title(self, unit: Unit) -> str:
        """What is offered for a unit, by name and version."""
        return f"{unit.name} {unit.version}"

    def source(self, name: str = "up", **options: object) -> Source:
        told: dict[str, object] = {
            "name": name,
            "type": self.format.name,
            "baseurls": ("http://upstream.test/",),
            "repositories": self.repositories,
            "keys": (self.key.public_file,) if self.key else (),
            "unsigned": self.key is None,
        }
        return Source(**(told | options))  # type: ignore[arg-type] # as the class has them

    @abstractmethod
    def write(self, first: Sequence[Unit], second: Sequence[Unit] = (), *, day: int = 0) -> None:
        """Both repositories anew, dated `day` days after the first."""

    @abstractmethod
    def entry(self, number: int = 0) -> str:
        """The path of the entry file that is asked for."""

    @abstractmethod
    def index(self) -> Path:
        """The file with the first repository's packages that is read."""

    @abstractmethod
    def move(self, unit: Unit, path: str) -> None:
        """Say in well-signed metadata of the first repository that a package is at another path."""

    @abstractmethod
    def relation(self, name: str, operator: str = "", version: str = "") -> str: ...

    @abstractmethod
    def file(self, unit: Unit) -> tuple[str, bytes]:
        """The package file itself, and its name."""

    @abstractmethod
    def install(self, place: Path, told: str, name: str) -> set[str]:
        """What a real client that is configured with `told` would install for `name`."""


class DebUpstream(Upstream):
    format = DebFormat()
    repositories = ("stable main", "updates main")
    suffix = ".deb"
    lowest_first = ("1.0~rc1-1", "1.0-1", "1.0-1+b1", "1.0-2", "1.2-1", "1.10-1", "1:0.1-1")

    def write(self, first: Sequence[Unit], second: Sequence[Unit] = (), *, day: int = 0) -> None:
        for repository, units in zip(self.repositories, (first, second), strict=True):
            self._archive(repository, day).publish(*map(self._deb, units))

    def _archive(self, repository: str, day: int = 0) -> DebRepository:
        date = FIRST + day * DAY
        return DebRepository(self.root, repository, key=self.key, date=date, compressions=("gz",))

    def _deb(self, unit: Unit, path: str = "") -> Deb:
        return Deb(
            unit.name,
            unit.version,
            "all" if unit.anywhere else "amd64",
            depends=", ".join(self.relation(*need) for need in unit.needs),
            provides=", ".join(unit.provides),
            filler=f"{unit.name} {unit.version}".encode() * 50,
            stanza={"Filename": path} if path else {},
        )

    def source(self, name: str = "up", **options: object) -> Source:
        return super().source(name, **({"architectures": ("amd64",), "translations": ()} | options))

    def entry(self, number: int = 0) -> str:
        return f"dists/{self.repositories[number].split()[0]}/{'InRelease' if self.key else 'Release'}"

    def index(self) -> Path:
        places = (self.root / "dists/stable/main/binary-amd64/by-hash/SHA256").iterdir()
        return next(place for place in places if place.read_bytes()[:2] == b"\x1f\x8b")

    def move(self, unit: Unit, path: str) -> None:
        self._archive(self.repositories[0], 1).publish(self._deb(unit, path))

    def relation(self, name: str, operator: str = "", version: str = "") -> str:
        return f"{name} ({operator} {version})" if operator else name

    def file(self, unit: Unit) -> tuple[str, bytes]:
        deb = self._deb(unit)
        return deb.file_name, deb.bytes()

    def install(self, place: Path, told: str, name: str) -> set[str]:
        apt = AptClient(place, told)
        done = apt.get("update", "--error-on=any")
        assert done.returncode == 0, done.stdout + done.stderr
        return {found for found, _ in apt.would_install(name)}


class RpmUpstream(Upstream):
    format = RpmFormat()
    repositories = ("os", "updates")
    suffix = ".rpm"
    lowest_first = ("1.0~rc1-1", "1.0-1", "1.0^post1-1", "1.2-1", "1.10-1", "1:0.1-1")

    def write(self, first: Sequence[Unit], second: Sequence[Unit] = (), *, day: int = 0) -> None:
        for repository, units in zip(self.repositories, (first, second), strict=True):
            made = RpmRepository(self.root / repository, key=self.key)
            made.write([self._rpm(unit) for unit in units], time=FIRST + day * DAY)

    def _rpm(self, unit: Unit) -> Rpm:
        needs = tuple(self.relation(*need) for need in unit.needs)
        arch = "noarch" if unit.anywhere else "x86_64"
        return Rpm(unit.name, unit.version, arch, requires=needs, provides=unit.provides)  # type: ignore[arg-type] # one of both

    def entry(self, number: int = 0) -> str:
        return f"{self.repositories[number]}/repodata/repomd.xml"

    def index(self) -> Path:
        return record_path(RpmRepository(self.root / "os"), "primary")

    def move(self, unit: Unit, path: str) -> None:
        self.write([unit], day=1)
        made = RpmRepository(self.root / "os", key=self.key)
        text = read_record(made, "primary")
        write_record(made, "primary", re.sub(rb'<location href="[^"]*"', b'<location href="%s"' % path.encode(), text))  # fmt: skip

    def relation(self, name: str, operator: str = "", version: str = "") -> str:
        return f"{name} {operator} {version}" if operator else name

    def file(self, unit: Unit) -> tuple[str, bytes]:
        rpm = self._rpm(unit)
        return rpm.file_name, build([rpm])[rpm].read_bytes()

    def install(self, place: Path, told: str, name: str) -> set[str]:
        dnf = DnfClient(place, told.replace("\ngpgcheck=1", "\ngpgcheck=0"))
        planned = dnf.run("install", "--assumeno", name).stdout
        rows = re.findall(r"(?m)^ (\S+) +(?:x86_64|noarch) ", planned)
        assert rows, planned
        return set(rows)


class FileUpstream(Upstream):
    """A unit is a file of its name; what it says is its version. Nothing needs anything."""

    format = FileFormat()
    repositories = ("images", "tools/extra")
    suffix = ""
    lowest_first = ("",)
    signed = False
    unreadable = ("../lib", "/lib", "a\nb")

    def title(self, unit: Unit) -> str:
        return unit.name

    def write(self, first: Sequence[Unit], second: Sequence[Unit] = (), *, day: int = 0) -> None:
        for repository, units in zip(self.repositories, (first, second), strict=True):
            FileDirectory(self.root / repository).write(dict(map(self.file, units)))

    def entry(self, number: int = 0) -> str:
        return f"{self.repositories[number]}/PULP_MANIFEST"

    def index(self) -> Path:
        return self.root / self.entry()

    def move(self, unit: Unit, path: str) -> None:
        text = self.index().read_text()
        self.index().write_text(text.replace(f"{unit.name},", f"{path},"))

    def relation(self, name: str, operator: str = "", version: str = "") -> str:
        return name

    def file(self, unit: Unit) -> tuple[str, bytes]:
        return unit.name, f"{unit.name} {unit.version}\n".encode()

    def install(self, place: Path, told: str, name: str) -> set[str]:
        """Everything is fetched: there is nothing to choose by."""
        return set(fetch(place, told))


UPSTREAMS: Mapping[str, type[Upstream]] = {"deb": DebUpstream, "rpm": RpmUpstream, "file": FileUpstream}
