# SPDX-License-Identifier: GPL-3.0-or-later
"""The control file of a .deb, read without dpkg: an ar archive with a tar archive in it (see deb(5))."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from orchestrator.content.compression import decompress
from orchestrator.content.formats.deb.control import fields
from orchestrator.errors import BadContent

_MAGIC = b"!<arch>\n"
_HEADER = 60
_MOST_PACKED, _MOST = 64 << 20, 256 << 20
_FORMS = {
    "Package": re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*"),
    "Version": re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:~-]*"),
    "Architecture": re.compile(r"[a-z0-9][a-z0-9-]*"),
}


def read_control(path: Path, name: str) -> bytes:
    """The control file of the package in `path`, with exactly one stanza that has Package, Version and
    Architecture. Raises BadContent, calling it `name`, when it is no binary package."""
    try:
        with path.open("rb") as stream:
            text = _control(stream)
        _check(fields(text))
    except ValueError as error:
        raise BadContent(f"{name} is not a Debian package: {error}") from None
    return text


def _check(found: dict[str, str]) -> None:
    for field, form in _FORMS.items():
        if not form.fullmatch(found.get(field, "")):
            raise ValueError(f"its {field} is {found.get(field, '')!r}")


def _control(stream: IO[bytes]) -> bytes:
    members = _members(stream)
    first, size = next(members, ("", 0))
    if first != "debian-binary" or not stream.read(size).startswith(b"2."):
        raise ValueError("it does not begin with a debian-binary of version 2")
    for member, length in members:
        if member.startswith("control.tar"):
            if length > _MOST_PACKED:
                raise ValueError(f"{member} has {length} bytes")
            try:
                return _from_tar(decompress(stream.read(length), member, _MOST))
            except BadContent as error:
                raise ValueError(error.message) from None
    raise ValueError("it has no control.tar")


def _members(stream: IO[bytes]) -> Iterator[tuple[str, int]]:
    """Names and sizes; the stream stands at the beginning of the member's bytes."""
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("it is no ar archive")
    place = len(_MAGIC)
    while len(header := stream.read(_HEADER)) == _HEADER:
        number = header[48:58].strip()
        if header[58:] != b"`\n" or not number.isdigit():
            raise ValueError("its ar archive is damaged")
        yield header[:16].decode("ascii", "replace").strip().rstrip("/"), int(number)
        place += _HEADER + int(number) + int(number) % 2
        stream.seek(place)


def _from_tar(data: bytes) -> bytes:
    import tarfile

    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                if member.name in ("control", "./control") and member.isfile():
                    opened = archive.extractfile(member)
                    text = opened.read() if opened else b""
                    return b"\n".join(line for line in text.split(b"\n") if line.strip()) + b"\n"
    except tarfile.TarError as error:
        raise ValueError(str(error)) from None
    raise ValueError("its control.tar has no control file")
