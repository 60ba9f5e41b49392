# SPDX-License-Identifier: GPL-3.0-or-later
"""Closures of Debian 12, from this machine's own index, before outside judges: dose-debcheck and apt."""

import mmap
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.content.formats import Member
from orchestrator.content.formats.deb.closure import closure
from orchestrator.content.formats.deb.index import Origin, PackagesIndex
from orchestrator.content.model import Closure, ClosureOptions, Package
from orchestrator.content.source import Source
from tests.support.requirements import require

LISTS = Path("/var/lib/apt/lists")
SETS = {
    "nginx": ["nginx"],
    "postgresql": ["postgresql"],
    "gnome-terminal": ["gnome-terminal"],
    "build-essential": ["build-essential"],
    "libreoffice-writer": ["libreoffice-writer"],
    "xfce": ["task-xfce-desktop"],
    "java": ["default-jdk"],
    "django": ["python3-django (>= 3.2)"],
    "ssh": ["openssh-server"],
    "docker": ["docker.io"],
    "kde": ["kde-standard"],
    "mail": ["postfix", "dovecot-imapd", "spamassassin"],
}
SLOW = {("kde", True), ("libreoffice-writer", True)}  # apt itself takes five seconds and more


class Bookworm:
    """The index of Debian 12's main as an offer."""

    def __init__(self, packages: Path) -> None:
        with packages.open("rb") as stream:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self.index = PackagesIndex(data, Origin("debian", "bookworm main", "Packages", "file:Packages"))
        self.source = Source(
            name="debian",
            type="deb",
            baseurls=("http://192.0.2.1/",),
            repositories=("bookworm main",),
            architectures=("amd64",),
        )

    def packages(self) -> Sequence[Package]:
        return self.index.packages()

    def named(self, name: str) -> Sequence[Package]:
        return self.index.named(name)

    def providing(self, name: str) -> Sequence[tuple[Package, str]]:
        return self.index.providing(name)

    def fields(self, package: Package) -> Mapping[str, str]:
        return self.index.fields(package)


@dataclass(frozen=True)
class Apt:
    """apt with a root, a state and one flat repository of its own."""

    root: Path

    def prepare(self) -> None:
        for place in ("etc/apt/preferences.d", "state/lists/partial", "cache/archives/partial", "repository"):
            (self.root / place).mkdir(parents=True)
        (self.root / "status").touch()

    @property
    def packages(self) -> Path:
        return self.root / "repository" / "Packages"

    def run(self, *arguments: str) -> str:
        source = self.root / "etc/apt/sources.list"
        source.write_text(f"deb [trusted=yes] file:{self.root}/repository ./\n")
        options = (
            f"Dir={self.root}",
            f"Dir::State={self.root}/state",
            f"Dir::State::status={self.root}/status",
            f"Dir::Cache={self.root}/cache",
            "Dir::Cache::pkgcache=pkgcache.bin",  # images of containers turn it off
            f"Dir::Etc={self.root}/etc/apt",
            f"Dir::Etc::SourceList={source}",
            "Dir::Etc::Parts=/nonexistent",
            "APT::Architecture=amd64",
            "APT::Architectures::=amd64",
            "APT::Sandbox::User=root",
            "Acquire::Languages=none",
            "Debug::NoLocking=1",
        )
        command = ["apt-get", "-q", *(part for option in options for part in ("-o", option)), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"})  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    def picks(self, requirements: Sequence[str], *, weak: bool) -> set[str]:
        """The files apt would install on an empty system."""
        names = [requirement.partition(" ")[0] for requirement in requirements]
        recommends = f"APT::Install-Recommends={int(weak)}"
        # Not --simulate, which takes half a minute for a desktop.
        found = self.run("-o", recommends, "--yes", "--print-uris", "install", *names)
        return set(re.findall(r"(?m)^'\S+' (\S+)", found))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apt]:
    """apt on all of Debian 12's main."""
    index = next(LISTS.glob("*_debian_dists_bookworm_main_binary-amd64_Packages*"), None)
    require(index is not None, "the package index of Debian 12's main")
    require(shutil.which("apt-get") is not None, "apt-get")
    apt = Apt(tmp_path_factory.mktemp("whole"))
    apt.prepare()
    with apt.packages.open("wb") as stream:
        subprocess.run(("/usr/lib/apt/apt-helper", "cat-file", str(index)), stdout=stream, check=True)
    apt.run("update")
    yield apt
    shutil.rmtree(apt.root)


@pytest.fixture(scope="module")
def bookworm(whole: Apt) -> Bookworm:
    return Bookworm(whole.packages)


def write(bookworm: Bookworm, result: Closure, path: Path) -> None:
    path.write_bytes(b"\n\n".join(map(bookworm.index.stanza, result.chosen)) + b"\n")


def broken(packages: Path) -> str:
    command = (
        "dose-debcheck",
        "--deb-native-arch=amd64",
        "--failures",
        "--explain",
        "--summary",
        str(packages),
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if "broken-packages: 0\n" in done.stdout else done.stdout


@pytest.mark.parametrize(
    ("name", "weak"),
    [(name, weak) for name in SETS for weak in (False, True) if (name, weak) not in SLOW],
)
def test_apt_picks_the_same_from_the_closure_as_from_all(
    whole: Apt, bookworm: Bookworm, tmp_path: Path, name: str, weak: bool
) -> None:
    requirements = SETS[name]
    result = closure([Member(bookworm)], requirements, ClosureOptions(weak=weak))
    assert result.unresolved == ()
    part = Apt(tmp_path)
    part.prepare()
    write(bookworm, result, part.packages)
    part.run("update")
    wanted = whole.picks(requirements, weak=weak)
    assert part.picks(requirements, weak=weak) == wanted
    assert len(result.chosen) <= 3 * len(wanted)


@pytest.mark.parametrize("weak", [False, True], ids=["needed", "recommended"])
def test_dose_finds_nothing_broken_in_closures(bookworm: Bookworm, tmp_path: Path, weak: bool) -> None:
    require(shutil.which("dose-debcheck") is not None, "dose-debcheck")
    for name, requirements in SETS.items():
        result = closure([Member(bookworm)], requirements, ClosureOptions(weak=weak))
        write(bookworm, result, tmp_path / name)
        assert broken(tmp_path / name) == "", name


def test_with_every_alternative_nothing_is_broken_either(bookworm: Bookworm, tmp_path: Path) -> None:
    require(shutil.which("dose-debcheck") is not None, "dose-debcheck")
    first = closure([Member(bookworm)], ["nginx", "postgresql"], ClosureOptions())
    every = closure([Member(bookworm)], ["nginx", "postgresql"], ClosureOptions(all_alternatives=True))
    assert first.chosen.keys() < every.chosen.keys()
    write(bookworm, every, tmp_path / "Packages")
    assert broken(tmp_path / "Packages") == ""
