# SPDX-License-Identifier: GPL-3.0-or-later
"""A new repository from local package files: a pool of Debian's form and one suite, or a flat directory.

The first of the source's `repositories` names it ("stable main" when there is none). Packages for all
architectures stand in the index of every architecture, as clients of all ages expect it; where there are
no others, in one for `all`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.content.formats.deb.control import fields
from orchestrator.content.formats.deb.debfile import read_control
from orchestrator.content.formats.deb.layout import Layout, package_place, parse_layout
from orchestrator.content.formats.deb.selection import IndexRole
from orchestrator.content.formats.deb.versions import version_key
from orchestrator.content.formats.deb.writing import IndexWriter
from orchestrator.content.model import Role, StoredFile
from orchestrator.content.pool import Pool
from orchestrator.content.signatures import Signer
from orchestrator.content.source import Source
from orchestrator.errors import BadContent

_OURS = ("filename", "size", "md5sum", "sha1", "sha256", "sha512")


@dataclass(frozen=True, slots=True)
class _Local:
    """A package file, its place in the tree and its stanza there."""

    control: Mapping[str, str]
    stored: StoredFile
    stanza: bytes

    @property
    def architecture(self) -> str:
        return self.control["Architecture"]


def create(
    files: Sequence[StoredFile], source: Source, pool: Pool, when: float, signer: Signer | None
) -> list[StoredFile]:
    """See `Format.create`."""
    layout = parse_layout(source.repositories[0] if source.repositories else "stable main")
    once = {file.sha256: file for file in files}.values()
    locals_ = sorted((_local(file, layout, pool) for file in once), key=_order)
    _refuse_twins(locals_)
    writer = IndexWriter(layout, pool)
    found = {local.architecture for local in locals_} - {"all"}
    architectures = sorted(found | set(source.architectures) - {"all"}) or ["all"]
    if layout.flat:
        writer.add("Packages", b"".join(local.stanza for local in locals_), IndexRole.PACKAGES)
    else:
        for architecture in architectures:
            own = [local.stanza for local in locals_ if local.architecture in (architecture, "all")]
            name = f"{layout.components[0]}/binary-{architecture}/Packages"
            writer.add(name, b"".join(own), IndexRole.PACKAGES)
    written = writer.finish(_fields(source, layout, architectures), when, signer)
    return [*(local.stored for local in locals_), *written]


def _local(file: StoredFile, layout: Layout, pool: Pool) -> _Local:
    text = read_control(pool.path(file.sha256), file.path)
    control = fields(text)
    name, version = control["Package"], control["Version"].rpartition(":")[2]
    place = f"{name}_{version}_{control['Architecture']}.deb"
    if layout.flat:
        place = layout.path(place)
    else:
        place = package_place(layout.components[0], _origin(control), place)
    told = b"\n".join(
        line
        for line in text.rstrip(b"\n").split(b"\n")
        if line.partition(b":")[0].decode("latin-1").lower() not in _OURS
    )
    stanza = told + f"\nFilename: {place}\nSize: {file.size}\nSHA256: {file.sha256}\n\n".encode()
    return _Local(control, StoredFile(place, file.size, file.sha256, Role.PACKAGE), stanza)


def _origin(control: Mapping[str, str]) -> str:
    """The source package's name, where it is a name."""
    name = control.get("Source", "").partition(" ")[0]
    plain = name.isascii() and name[:1].isalnum() and all(char.isalnum() or char in "+.-" for char in name)
    return name if plain else control["Package"]


def _order(local: _Local) -> tuple[object, ...]:
    control = local.control
    return control["Package"], version_key(control["Version"]), control["Architecture"], local.stored.sha256


def _refuse_twins(locals_: Sequence[_Local]) -> None:
    seen: dict[str, str] = {}
    for local in locals_:
        path, sha256 = local.stored.path, local.stored.sha256
        if seen.setdefault(path, sha256) != sha256:
            raise BadContent(f"two different packages are both {path.rpartition('/')[2]}")


def _fields(source: Source, layout: Layout, architectures: Sequence[str]) -> dict[str, str]:
    told = {"Origin": source.name, "Label": source.name}
    # apt compares the one with what its sources call the repository, directories and all.
    suite = layout.suite or f"{layout.directory or '.'}/"
    told |= {"Suite": suite, "Codename": suite}
    told["Architectures"] = " ".join(architectures)
    if layout.components:
        told["Components"] = layout.components[0]
    return told
