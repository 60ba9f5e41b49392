# SPDX-License-Identifier: GPL-3.0-or-later
"""libsolv over the packages of several offers, with packages for ids: nothing of libsolv leaves this module but
numbers and text, for its objects crash the process once their pool is gone.

Members stand in the order of their priority. Every file that a package names in its requirements is looked up in
filelists, where those are loaded.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from orchestrator.content.formats import Member
from orchestrator.content.formats.rpm import markup
from orchestrator.content.formats.rpm.lists import COMMON, RPM
from orchestrator.content.formats.rpm.offer import RpmOffer
from orchestrator.content.formats.rpm.primary import SOURCE_ARCHITECTURES
from orchestrator.content.formats.rpm.reading import Reading
from orchestrator.content.formats.rpm.versions import Relation
from orchestrator.content.model import Package
from orchestrator.errors import BadContent

_HEAD = f'<metadata xmlns="{COMMON}" xmlns:rpm="{RPM}" packages="%d">\n'
_SIGNS = {"EQ": "REL_EQ", "LT": "REL_LT", "GT": "REL_GT"}
_BOTH = {"LE": ("REL_LT", "REL_EQ"), "GE": ("REL_GT", "REL_EQ")}


class Solver:
    """All packages of the members (of `only`, where it is given) that a machine of `architecture` can have."""

    def __init__(
        self,
        members: Sequence[Member],
        architecture: str,
        *,
        filelists: bool = False,
        only: Collection[Package] | None = None,
    ) -> None:
        import solv

        self._solv = solv
        self._pool = solv.Pool()
        self._pool.setarch(architecture)
        self.packages: list[Package | None] = [None, None]  # by id; libsolv begins with 2
        self.starts: list[int] = []  # the first id of each member
        for place, member in enumerate(members):
            self.starts.append(len(self.packages))
            offer = member.offer
            assert isinstance(offer, RpmOffer)
            for reading in offer.readings:
                self._add(offer, reading, -place, member.refused, only, filelists=filelists)
        self._requests = self._pool.add_repo("requests")
        self._asked: dict[int, str] = {}
        self._ready = False

    # Loading

    def _add(
        self,
        offer: RpmOffer,
        reading: Reading,
        priority: int,
        refused: Collection[Package],
        only: Collection[Package] | None,
        *,
        filelists: bool,
    ) -> None:
        packages = [
            package
            for package in offer.of(reading)
            if package not in refused and (only is None or package in only)
        ]
        if not packages:
            return
        repository = self._pool.add_repo(f"{offer.source.name}/{reading.repository}")
        repository.priority = priority
        whole = len(packages) == len(offer.of(reading)) and offer.is_all_of(reading)
        record = reading.record("primary")
        assert record is not None
        text = reading.pieces(record) if whole else _primary_of(offer, reading, packages)
        self._load(repository, text, reading.name(record), None, 0)
        if repository.nsolvables != len(packages):
            raise BadContent(f"{reading.name(record)}: libsolv reads {repository.nsolvables} packages in it")
        self.packages += packages
        more = reading.record("filelists") if filelists else None
        if more is not None:
            flags = repository.REPO_EXTEND_SOLVABLES
            self._load(repository, reading.pieces(more), reading.name(more), "FL", flags)

    def _load(
        self, repository: Any, pieces: Iterable[bytes], name: str, language: str | None, flags: int
    ) -> None:
        descriptor = os.memfd_create("rpm-md")
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as stream:
                stream.writelines(pieces)
            os.lseek(descriptor, 0, os.SEEK_SET)
            file = self._solv.xfopen_fd(None, descriptor)
            if not repository.add_rpmmd(file, language, flags):
                raise BadContent(f"{name} cannot be read: {self._pool.errstr}")
            file.close()
        finally:
            os.close(descriptor)
