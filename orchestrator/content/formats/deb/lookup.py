# SPDX-License-Identifier: GPL-3.0-or-later
"""What a closure asks of an offer: packages by name, by what they provide, and their fields."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from orchestrator.content.model import Package


class Lookup(Protocol):
    """Binary packages only: udebs and source packages are found by nobody who resolves dependencies."""

    def named(self, name: str) -> Sequence[Package]:
        """All versions and architectures, in the order of the indexes."""

    def providing(self, name: str) -> Sequence[tuple[Package, str]]:
        """Packages with `name` in their Provides field, and the version it is provided in ("": none)."""

    def fields(self, package: Package) -> Mapping[str, str]:
        """The package's stanza; what is not UTF-8 is replaced. Raises KeyError for another offer's package."""

    def packages(self) -> Sequence[Package]: ...
