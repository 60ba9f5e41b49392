# SPDX-License-Identifier: GPL-3.0-or-later
"""What makers of repositories are given, and what they make."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Job:
    """One package to make: its stanza, about how many bytes, and the seed of those that are random."""

    fields: dict[str, str]
    size: int
    seed: str


@dataclass(frozen=True, slots=True)
class File:
    """One package that was made; `path` below its tree."""

    name: str
    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Made:
    """A tree with all its packages. `serial` is 1 for the base, 2 for the changed tree."""

    tree: Path
    jobs: Sequence[Job]
    files: Sequence[File]
    serial: int


class Maker(Protocol):
    """Makes packages and metadata of one kind."""

    def package(self, job: Job) -> tuple[str, bytes]:
        """The path below the tree, and the bytes."""

    def publish(self, made: Made) -> None:
        """Write the metadata of the tree, signed."""
