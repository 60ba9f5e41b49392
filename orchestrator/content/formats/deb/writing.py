# SPDX-License-Identifier: GPL-3.0-or-later
"""Metadata of our own: indexes in the pool, listed in a Release file, signed when there is a key.

Every index is published as .gz alone: everything reads it, and .xz would be a fifth smaller for twenty times
the work. The plain form is listed, as archives do it, because clients check what they unpacked against it.
All have by-hash names. The same input gives the same bytes. There is no Valid-Until: when a mirror is
refreshed is its operator's business, and a client must not stop working because nobody ran it for a week.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.content.compression import compress
from orchestrator.content.formats.deb.layout import Layout, by_hash
from orchestrator.content.formats.deb.release import show_time
from orchestrator.content.formats.deb.selection import IndexRole
from orchestrator.content.model import Digest, StoredFile
from orchestrator.content.pool import Pool
from orchestrator.content.signatures import Signer


@dataclass
class IndexWriter:
    """Collects the indexes of one repository. `files` are what the tree gets; `rows` what Release lists."""

    layout: Layout
    pool: Pool
    files: list[StoredFile] = field(default_factory=list)
    rows: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, name: str, data: bytes, role: IndexRole) -> None:
        """An index, plain; `name` as Release lists it."""
        self.rows[name] = (len(data), hashlib.sha256(data).hexdigest())
        self.add_as_it_is(f"{name}.gz", compress(data, "gz"), role)

    def add_as_it_is(self, name: str, data: bytes, role: IndexRole) -> None:
        """A file that is published with just these bytes."""
        sha256 = self.pool.add_bytes(data)
        path = self.layout.path(name)
        self.rows[name] = (len(data), sha256)
        self.files.append(StoredFile(path, len(data), sha256, role))
        self.files.append(
            StoredFile(by_hash(path, Digest("sha256", sha256)), len(data), sha256, IndexRole.BY_HASH)
        )

    def finish(self, fields: Mapping[str, str], when: float, signer: Signer | None) -> list[StoredFile]:
        """All files, with the Release file they hang on. `fields` without Date and digests."""
        release = self._release(fields, when)
        entry = {"Release": release}
        if signer:
            entry = {
                "InRelease": signer.sign_clear(release),
                "Release": release,
                "Release.gpg": signer.sign_detached(release),
            }
        written = [
            StoredFile(self.layout.path(name), len(data), self.pool.add_bytes(data), name)
            for name, data in entry.items()
        ]
        return [*written, *self.files]

    def _release(self, fields: Mapping[str, str], when: float) -> bytes:
        lines = [f"{name}: {value}" for name, value in fields.items()]
        lines += [f"Date: {show_time(when)}", "Acquire-By-Hash: yes", "SHA256:"]
        lines += [f" {sha256} {size:>16} {name}" for name, (size, sha256) in sorted(self.rows.items())]
        return "\n".join([*lines, ""]).encode("utf-8", "replace")
