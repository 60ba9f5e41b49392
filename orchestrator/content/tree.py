# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a new tree: packages, what lies beside them, metadata, and the key that clients verify with."""

import re
from collections.abc import Mapping, Sequence

from orchestrator.content.engine import Engine
from orchestrator.content.formats import Composition, Offer
from orchestrator.content.generations import Generation
from orchestrator.content.model import KEY_FILE, Metadata, Package, Role, StoredFile
from orchestrator.content.signatures import Signer

_SUFFIXES = (".deb", ".udeb", ".rpm")
# Every other file of a mirror of files is one of them.
_LIST_OF_FILES = re.compile(r"(?:.*/)?PULP_MANIFEST")


def compose(
    engine: Engine,
    offer: Offer,
    readings: Sequence[Metadata],
    kept: Sequence[Package],
    stored: Mapping[str, StoredFile],
    when: float,
) -> list[StoredFile]:
    """Every file of the tree; metadata is written to the pool. `stored` has what was brought in, by path."""
    source, format_ = offer.source, engine.format(offer.source)
    packages = {package: stored[package.file.path] for package in kept}
    companions = {path: file for path, file in stored.items() if file.role != Role.PACKAGE}
    files = [*{file.path: file for file in packages.values()}.values(), *companions.values()]
    if not source.rebuilt:
        return files + list(format_.verbatim(readings)) + _key_of_upstream(engine, offer)
    signer = Signer.load(source.sign_with) if source.sign_with else None
    composition = Composition(offer, readings, packages, companions, when, signer)
    files += format_.rebuild(composition, engine.pool)
    if signer is not None:
        files.append(key_file(engine, signer.certificate()))
    return files


def _key_of_upstream(engine: Engine, offer: Offer) -> list[StoredFile]:
    """The upstream's certificates, so that a client's configuration can name them."""
    if not offer.source.keys:
        return []
    from orchestrator.content.signatures import Keyring

    return [key_file(engine, Keyring.load(offer.source.keys).armoured())]


def key_file(engine: Engine, certificates: bytes) -> StoredFile:
    """The armoured certificates, as a file of a tree."""
    return StoredFile(KEY_FILE, len(certificates), engine.pool.add_bytes(certificates), Role.KEY)


def package_files(generation: Generation) -> dict[str, int]:
    """The package files of a published tree with their sizes, without those that only linger."""
    own = generation.inventory().own
    if generation.record.type == "file":
        return {file.path: file.size for file in own if not _LIST_OF_FILES.fullmatch(file.path)}
    return {file.path: file.size for file in own if file.path.endswith(_SUFFIXES)}
