# SPDX-License-Identifier: GPL-3.0-or-later
"""An offer of .deb packages in memory, made of stanzas as a Packages file has them, for resolving alone."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from orchestrator.content.formats import Member
from orchestrator.content.model import FileRef, Package
from orchestrator.content.source import Source

_PROVIDED = re.compile(r"([^\s,(:]+)(?::\w+)?\s*(?:\(\s*=\s*([^)\s]+)\s*\))?")


class Stanzas:
    """A `Stock` and a `Lookup`. Version 1 and architecture amd64 where a stanza does not say."""

    def __init__(self, text: str, name: str = "debian", architectures: tuple[str, ...] = ("amd64",)) -> None:
        self.source = Source(
            name=name,
            type="deb",
            baseurls=("http://192.0.2.1/",),
            repositories=("stable main",),
            architectures=architectures,
        )
        self._fields = dict(self._read(text))

    def _read(self, text: str) -> Iterable[tuple[Package, Mapping[str, str]]]:
        for stanza in re.split(r"\n\s*\n", text.strip()):
            lines = (line.strip().partition(":") for line in stanza.strip().splitlines())
            fields = {key.strip(): value.strip() for key, _, value in lines}
            name, version = fields["Package"], fields.setdefault("Version", "1")
            architecture = fields.setdefault("Architecture", "amd64")
            fields.setdefault("Filename", f"pool/{name}_{version.replace(':', '%3a')}_{architecture}.deb")
            file = FileRef(fields["Filename"], 1000, None)
            source = self.source.name
            yield Package(name, version, architecture, file, source, "stable main", "Packages"), fields

    @cached_property
    def _named(self) -> Mapping[str, list[Package]]:
        found: dict[str, list[Package]] = {}
        for package in self._fields:
            found.setdefault(package.name, []).append(package)
        return found

    @cached_property
    def _provided(self) -> Mapping[str, list[tuple[Package, str]]]:
        found: dict[str, list[tuple[Package, str]]] = {}
        for package, fields in self._fields.items():
            for name, version in _PROVIDED.findall(fields.get("Provides", "")):
                found.setdefault(name, []).append((package, version))
        return found

    def packages(self) -> Sequence[Package]:
        return list(self._fields)

    def named(self, name: str) -> Sequence[Package]:
        return self._named.get(name, ())

    def providing(self, name: str) -> Sequence[tuple[Package, str]]:
        return self._provided.get(name, ())

    def fields(self, package: Package) -> Mapping[str, str]:
        return self._fields[package]

    def package(self, text: str) -> Package:
        """The package "name", "name version" or "name version architecture"."""
        (found,) = (each for each in self._fields if f"{each} ".startswith(f"{text} "))
        return found

    def write(self, path: Path, packages: Iterable[Package]) -> None:
        """A Packages file of these."""
        with path.open("w", encoding="utf-8") as stream:
            for package in packages:
                fields = {"Size": "1000", "Description": "x", "SHA256": "0" * 64} | dict(
                    self._fields[package]
                )
                stream.write("".join(f"{key}: {value}\n" for key, value in fields.items()) + "\n")


def member(
    text: str, name: str = "debian", *, everything: bool = False, **options: tuple[str, ...]
) -> Member:
    return Member(Stanzas(text, name, **options), everything)
