# SPDX-License-Identifier: GPL-3.0-or-later
"""Which media a person means by paths: files are told apart by their first bytes, not by their names."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from orchestrator.content.exports.manifest import MANIFEST
from orchestrator.content.exports.media import MediumReader, Member
from orchestrator.errors import BadContent, Invalid

PIPE = "-"
SUFFIXES = (".tar", ".tgz", ".tar.gz", ".iso")
_TREES = ("objects", "content", "inventories")
_GZIP, _ISO, _TAR = b"\x1f\x8b", b"CD001", b"ustar"
_ISO_AT = 32769
_BEGINNING = _ISO_AT + len(_ISO)
_LOOKED_FOR = f"{MANIFEST} beside {', '.join(_TREES)}, or files {', '.join('*' + each for each in SUFFIXES)}"


def open_media(paths: Sequence[str | Path]) -> list[MediumReader]:
    """The media at `paths`, each once: files of chunks, directories that hold such files or are media themselves
    (mounted, unpacked, an export of the form `dir`), and "-" for the standard input. No objects are read.

    Raises Invalid where there is nothing, saying what was looked for, and OSError. A file that is no medium is opened
    all the same: its reader says what it is not.
    """
    found: list[MediumReader] = []
    seen: set[tuple[int, int]] = set()
    for path in paths:
        if str(path) == PIPE:
            found.append(_open_pipe(0))
            continue
        for place in _places(Path(path)):
            status = place.stat()
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                found.append(_open(place))
    if not found:
        raise Invalid("no medium is named", hint="name files of chunks, directories that have them, or -")
    return found


def _places(path: Path) -> Iterator[Path]:
    """The media that `path` stands for: itself, or what is in it."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise Invalid(f"{path} is not there") from None
    if not stat.S_ISDIR(mode):
        yield path
        return
    chunks = sorted(
        entry
        for entry in path.iterdir()
        if entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith(".") and entry.is_file()
    )
    if (path / MANIFEST).is_file() and any((path / name).is_dir() for name in _TREES):
        yield path
    elif not chunks:
        below = sorted(entry for entry in path.iterdir() if (entry / MANIFEST).is_file())
        hint = f"there is {', '.join(map(str, below))}" if below else f"looked for {_LOOKED_FOR}"
        raise Invalid(f"no medium is in {path}", hint=hint)
    yield from chunks


def _open(path: Path) -> MediumReader:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        from orchestrator.content.imports.tree_reader import TreeReader

        return TreeReader(path)
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode):
        raise Invalid(f"{path} is no file", hint="a pipe is read as `-`")
    with path.open("rb", buffering=0) as stream:
        beginning = _read_fully(stream.fileno(), _BEGINNING)
    if _is_iso(beginning):
        return _open_iso(path)
    if _is_no_archive(path, beginning):
        hint = "name files of chunks, or the directory that an export is in"
        return _Damaged(str(path), BadContent(f"{path} is no medium: neither tar, tgz nor ISO", hint=hint))
    from orchestrator.content.imports.tar_reader import TarReader, TgzReader

    # What is neither says so when it is read: there may be other media.
    return TgzReader(path) if beginning.startswith(_GZIP) else TarReader(path)


def _is_no_archive(path: Path, beginning: bytes) -> bool:
    """Whether neither its name nor its bytes say that it ever was one. A medium that is damaged is still one."""
    named = path.name.lower().endswith(SUFFIXES)
    return not named and not beginning.startswith(_GZIP) and beginning[257:262] != _TAR


def _open_iso(path: Path) -> MediumReader:
    from orchestrator.content.imports.iso_reader import IsoReader

    try:
        return IsoReader(path)
    except BadContent as error:
        return _Damaged(str(path), error)


class _Damaged:
    """An image that cannot even be opened, among others that can."""

    def __init__(self, name: str, error: BadContent) -> None:
        self.name, self._error = name, error

    def members(self, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[Member]:  # noqa: ARG002
        raise self._error

    def close(self) -> None:
        pass


def _open_pipe(descriptor: int) -> MediumReader:
    if os.isatty(descriptor):
        raise Invalid(
            "the standard input is a terminal, and no medium", hint="send one: < FILE, or PROGRAM |"
        )
    from orchestrator.content.imports.tar_reader import PipeReader

    beginning = _read_fully(descriptor, _BEGINNING)
    if _is_iso(beginning):
        raise Invalid("an ISO image cannot be read from a pipe", hint="put it into a file, and import that")
    return PipeReader(descriptor, beginning, gzip=beginning.startswith(_GZIP))


def _read_fully(descriptor: int, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := os.read(descriptor, count - len(data))):
        data += more
    return data


def _is_iso(beginning: bytes) -> bool:
    return beginning[_ISO_AT:] == _ISO
