# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of our own: of the files that are kept, and of a new repository of local files."""

from collections.abc import Iterable, Sequence

from orchestrator.content.formats import Composition
from orchestrator.content.formats.file import manifest
from orchestrator.content.formats.file.manifest import Listed
from orchestrator.content.formats.file.offer import base_of
from orchestrator.content.model import StoredFile
from orchestrator.content.pool import Pool
from orchestrator.content.signatures import Signer
from orchestrator.content.source import Source
from orchestrator.errors import Invalid


def rebuild(composition: Composition, pool: Pool) -> list[StoredFile]:
    """As `Format.rebuild`: a list for each directory, of what is kept of it."""
    _refuse_signing(composition.signer)
    return [
        _write(
            each.repository,
            [
                Listed(package.name, stored.sha256, stored.size)
                for package, stored in composition.kept.items()
                if package.repository == each.repository
            ],
            pool,
        )
        for each in composition.metadata
    ]


def create(
    files: Sequence[StoredFile], source: Source, pool: Pool, signer: Signer | None
) -> list[StoredFile]:
    """As `Format.create`: any file, at its path below the first of the source's `repositories`."""
    _refuse_signing(signer)
    repository = source.repositories[0] if source.repositories else "."
    entry = _write(repository, [Listed(file.path, file.sha256, file.size) for file in files], pool)
    return [*(file._replace(path=base_of(repository) + file.path) for file in files), entry]


def _write(repository: str, files: Iterable[Listed], pool: Pool) -> StoredFile:
    data = manifest.write(list(files))
    return StoredFile(base_of(repository) + manifest.ENTRY, len(data), pool.add_bytes(data), "manifest")


def _refuse_signing(signer: Signer | None) -> None:
    if signer is not None:
        raise Invalid(f"nothing signs a {manifest.ENTRY}", hint="leave the key away")
