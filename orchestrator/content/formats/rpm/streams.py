# SPDX-License-Identifier: GPL-3.0-or-later
"""Module streams as dnf lets packages through: of a module only the packages of its enabled stream are seen, and none
of the same names from elsewhere. Enabled are the streams that are asked for (`@nginx:1.22`), every other module's
default one, and what those require.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property

from orchestrator.content.formats import Member
from orchestrator.content.formats.rpm import modules
from orchestrator.content.formats.rpm.advisories import nevra
from orchestrator.content.formats.rpm.modules import Document
from orchestrator.content.formats.rpm.offer import RpmOffer
from orchestrator.content.model import Package

_USUAL_PROFILES = ("default", "common")


class Streams:
    """The modules of all members."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._enabled: dict[str, str] = {}

    @cached_property
    def _documents(self) -> list[Document]:
        return [
            document
            for member in self._members
            if isinstance(member.offer, RpmOffer)
            for reading in member.offer.readings
            if (record := reading.record("modules")) is not None
            for document in modules.read(reading.text(record), reading.name(record))
        ]

    @cached_property
    def _streams(self) -> dict[str, dict[str, list[Document]]]:
        """By module and stream: one for each version and architecture."""
        found: dict[str, dict[str, list[Document]]] = defaultdict(lambda: defaultdict(list))
        for document in self._documents:
            if document.kind == "modulemd":
                found[document.module][document.stream].append(document)
        return found

    @cached_property
    def _defaults(self) -> dict[str, Document]:
        found: dict[str, Document] = {}
        for document in self._documents:
            if document.kind == "modulemd-defaults" and document.stream in self._streams[document.module]:
                found.setdefault(document.module, document)
        return found

    def members(self, wanted: str) -> list[str]:
        """The packages that installing `module[:stream][/profile]` brings in, whose stream is enabled from now on;
        nothing when there is none."""
        wanted, _, profile = wanted.partition("/")
        module, _, stream = wanted.partition(":")
        if module not in self._streams:
            return []
        defaults = self._defaults.get(module)
        stream = stream or (defaults.stream if defaults else "")
        documents = self._streams[module].get(stream, [])
        if not documents:
            return []
        self._enabled[module] = stream
        profiles = {name: packages for document in documents for name, packages in document.profiles.items()}
        usual = defaults.profiles.get(stream, ()) if defaults else ()
        for name in (profile,) if profile else (*usual, *_USUAL_PROFILES):
            if profiles.get(name):
                return list(profiles[name])
        return sorted({name for document in documents for name in _names(document.artifacts)})

    def of(self, package: Package) -> list[str]:
        """The streams (module:stream) that a package belongs to."""
        artifact = modules.written(nevra(package))
        return [
            f"{document.module}:{document.stream}"
            for document in self._documents
            if artifact in document.artifacts
        ]

    def hidden(self) -> frozenset[Package]:
        """The packages that a client with these streams would not see. Those of members that are taken with
        everything are never hidden: they are asked for."""
        if not self._streams:
            return frozenset()
        enabled = [document for each in self._closed() for document in self._streams[each[0]][each[1]]]
        seen = {artifact for document in enabled for artifact in document.artifacts}
        modular = {artifact for document in self._documents for artifact in document.artifacts}
        names = set(_names(seen))
        return frozenset(
            package
            for member in self._members
            if not member.everything
            for package in member.offer.packages()
            if _is_hidden(modules.written(nevra(package)), package.name, seen, modular, names)
        )

    def _closed(self) -> set[tuple[str, str]]:
        """All enabled streams, as far as there are packages for them."""
        enabled = {module: document.stream for module, document in self._defaults.items()} | self._enabled
        waiting, found = list(enabled.items()), set[tuple[str, str]]()
        while waiting:
            module, stream = waiting.pop()
            if (module, stream) in found or stream not in self._streams.get(module, {}):
                continue
            found.add((module, stream))
            for document in self._streams[module][stream]:
                for other, streams in document.requires.items():
                    if other not in enabled and streams:
                        enabled[other] = streams[0]
                        waiting.append((other, streams[0]))
        return found


def _is_hidden(artifact: str, name: str, seen: set[str], modular: set[str], names: set[str]) -> bool:
    return artifact not in seen and (artifact in modular or name in names)


def _names(artifacts: Iterable[str]) -> list[str]:
    return [artifact.rpartition("-")[0].rpartition("-")[0] for artifact in artifacts]
