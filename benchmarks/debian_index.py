# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages to make repositories of: those of a real Debian index, or invented ones where there is none.

A subset is closed under its dependencies (the first alternative that can be had; virtual packages by a
provider), so that everything in it can be installed as far as it can be from the whole.
"""

import functools
import gzip
import lzma
import random
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LISTS = Path("/var/lib/apt/lists")
_FIELD = re.compile(r"^([A-Za-z0-9-]+):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_RELATION = re.compile(r"^([^\s(:\[]+)[^(]*(?:\(\s*(<<|<=|=|>=|>>)\s*([^)\s]+)\s*\))?")


@dataclass(frozen=True, slots=True)
class Relation:
    """`name (operator version)`; the last two are empty where any version will do."""

    name: str
    operator: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """One stanza of an index, its fields in order. `base`: what a system cannot be without."""

    fields: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.fields["Package"]

    @property
    def size(self) -> int:
        return int(self.fields["Size"])

    @property
    def base(self) -> bool:
        return self.fields.get("Essential") == "yes" or self.fields.get("Priority") in (
            "required",
            "important",
        )

    def needs(self) -> Iterator[list[Relation]]:
        """The alternatives of every dependency."""
        for key in ("Pre-Depends", "Depends"):
            for group in self.fields.get(key, "").split(","):
                if group.strip():
                    yield [relation(text) for text in group.split("|")]


def relation(text: str) -> Relation:
    match = _RELATION.match(text.strip())
    return Relation(match[1], match[2] or "", match[3] or "") if match else Relation(text.strip())


def parse(text: str) -> list[Listed]:
    return [Listed(dict(_FIELD.findall(stanza))) for stanza in text.split("\n\n") if stanza.strip()]


def find_index() -> Path | None:
    """The largest list of a `main` that `apt-get update` has left on this machine."""
    found = [
        path
        for path in LISTS.glob("*_main_binary-amd64_Packages*")
        if "-security" not in path.name and "-updates" not in path.name
    ]
    return max(found, key=lambda path: path.stat().st_size, default=None)


def read_index(path: Path) -> list[Listed]:
    """Plain, or compressed with gzip, xz or lz4 (which needs the program)."""
    if path.suffix == ".lz4":
        data = subprocess.run(["lz4", "-dc", str(path)], check=True, stdout=subprocess.PIPE).stdout
    elif path.suffix == ".gz":
        data = gzip.decompress(path.read_bytes())
    else:
        data = path.read_bytes()
        data = lzma.decompress(data) if path.suffix == ".xz" else data
    return parse(data.decode())


def invent(count: int, seed: str = "1") -> list[Listed]:
    """Packages that nobody has: each depends on a few that come before it."""
    chance = random.Random(seed)
    names = [f"{chance.choice(('lib', ''))}invented-{number:05}" for number in range(count)]
    found = []
    for number, name in enumerate(names):
        fields = {
            "Package": name,
            "Version": f"{chance.randrange(1, 4)}.{chance.randrange(20)}-{chance.randrange(1, 9)}",
            "Installed-Size": "100",
            "Maintainer": "Nobody <nobody@example.invalid>",
            "Architecture": chance.choice(("amd64", "amd64", "all")),
        }
        needed = chance.sample(names[:number], min(number, chance.randrange(4)))
        if needed:
            fields["Depends"] = ", ".join(needed)
        fields |= {
            "Description": f"invented package {number}",
            "Section": chance.choice(("admin", "libs", "web")),
            "Priority": "required" if number < 5 else "optional",
            "Filename": f"pool/main/{name[0]}/{name}/{name}_{fields['Version']}_{fields['Architecture']}.deb",
            "Size": str(int(chance.lognormvariate(11, 1.5))),
        }
        found.append(Listed(fields))
    return found


# A closed subset ------------------------------------------------------------------------------------------


def select(packages: Sequence[Listed], count: int, seed: str, require: Sequence[str] = ()) -> list[Listed]:
    """`count` of the packages (0: all): the base system, `require`, then random ones, each with what it needs.

    Raises ValueError when these alone are more than `count`, or one of `require` is not there.
    """
    if not count or count >= len(packages):
        return list(packages)
    chooser = _Chooser(packages, count)
    for name in [package.name for package in packages if package.base] + list(require):
        if name not in chooser.by_name:
            raise ValueError(f"no package {name} in the index")
        chooser.add(name)
    if len(chooser.chosen) > count:
        raise ValueError(f"the base system and what is required are {len(chooser.chosen)} packages already")
    names = [package.name for package in packages]
    random.Random(seed).shuffle(names)
    for name in names:
        if len(chooser.chosen) >= count:
            break
        chooser.add_if_it_fits(name)
    return [package for package in packages if package.name in chooser.chosen]


class _Chooser:
    def __init__(self, packages: Sequence[Listed], count: int) -> None:
        self.by_name = {package.name: package for package in packages}
        self.chosen: set[str] = set()
        self._count = count
        self._providers: dict[str, list[tuple[str, str]]] = {}
        for package in packages:
            for text in filter(str.strip, package.fields.get("Provides", "").split(",")):
                provided = relation(text)
                self._providers.setdefault(provided.name, []).append((package.name, provided.version))

    def add(self, name: str) -> None:
        self.chosen |= self._closure(name)

    def add_if_it_fits(self, name: str) -> None:
        if name not in self.chosen:
            closure = self._closure(name)
            if len(self.chosen) + len(closure) <= self._count:
                self.chosen |= closure

    def _closure(self, name: str) -> set[str]:
        """What `name` brings in, itself included; not to its end once it is too much."""
        new, stack = {name} - self.chosen, [name]
        while stack and len(self.chosen) + len(new) <= self._count + 1:
            for alternatives in self.by_name[stack.pop()].needs():
                found = [candidate for one in alternatives for candidate in self._candidates(one)]
                if found and not any(candidate in new or candidate in self.chosen for candidate in found):
                    new.add(found[0])
                    stack.append(found[0])
        return new

    def _candidates(self, wanted: Relation) -> Iterator[str]:
        package = self.by_name.get(wanted.name)
        if package and _satisfies(package.fields["Version"], wanted):
            yield wanted.name
        for name, version in self._providers.get(wanted.name, ()):
            if not wanted.operator or (version and _satisfies(version, wanted)):
                yield name


def _satisfies(version: str, wanted: Relation) -> bool:
    if not wanted.operator:
        return True
    mine, other = _version_key(version), _version_key(wanted.version)
    return {
        "<<": mine < other,
        "<=": mine <= other,
        "=": mine == other,
        ">=": mine >= other,
        ">>": mine > other,
    }[wanted.operator]


@functools.cache
def _version_key(version: str) -> tuple[int, tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    """Sorts as dpkg does: epoch, upstream version, revision."""
    epoch, _, rest = version.partition(":") if ":" in version else ("0", "", version)
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "0")
    return int(epoch), _part(upstream), _part(revision)


def _part(text: str) -> tuple[tuple[int, ...], ...]:
    found: list[tuple[int, ...]] = []
    for letters, digits in re.findall(r"(\D*)(\d*)", text):
        found.append((*(_order(letter) for letter in letters), 0))  # 0 ends the letters
        found.append((int(digits or 0),))
    return tuple(found)


def _order(letter: str) -> int:
    return -1 if letter == "~" else ord(letter) if letter.isalpha() else ord(letter) + 256
