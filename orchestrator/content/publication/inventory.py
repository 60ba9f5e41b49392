# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a published tree: its own files, and those of earlier generations that linger in it. Pure.

The file is text in the file system's encoding (UTF-8; bytes that are none are kept):

    # inventory 1
    <sha256> <size> <path>          own files, sorted by path
    ...
    # lingering of <n>
    <sha256> <size> <path>          files that belong to generation <n>, sorted
    ...
    # end

A file lingers so that a client that read the metadata of an earlier generation still finds what that names;
it is there as long as the generation it belongs to.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from orchestrator.content.model import StoredFile, safe_path
from orchestrator.errors import BadContent

_HEAD, _LINGERING, _END = "# inventory 1", "# lingering of ", "# end"
# Any of them in "\npath\npath\n" is a path that is not in its normal form.
_ABNORMAL = tuple(
    before + part + after for before in ("\n", "/") for part in ("", ".", "..") for after in ("\n", "/")
)
_CONTROLS = bytes([*range(10), *range(11, 32), 127]) + b"\\"
_HEX = b"0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Inventory:
    """`own` and each list of `lingering` (by generation) are sorted by path; no path is there twice."""

    own: Sequence[StoredFile]
    lingering: Mapping[int, Sequence[StoredFile]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[StoredFile]:
        return chain(self.own, *self.lingering.values())

    def bytes(self) -> int:
        """What the own files take up on the disk: each content once."""
        return sum({file.sha256: file.size for file in self.own}.values())


def make_inventory(
    files: Iterable[StoredFile],
    earlier: Sequence[tuple[int, Iterable[StoredFile]]],
    may_linger: Callable[[StoredFile], bool],
) -> Inventory:
    """The inventory of a tree of `files` in which those of the `earlier` generations' own files linger that
    may and whose places are free, of several at one place the first.

    Raises BadContent when two files claim one place, or a path leads out of the tree.
    """
    own = _by_path(files)
    directories = _directories(own)
    for path in directories & own.keys():
        below = next(other for other in own if other.startswith(f"{path}/"))
        raise BadContent(f"{path} is a file of the repository and the directory of {below} at once")
    taken = dict(own)
    lingering: dict[int, list[StoredFile]] = {}
    for number, candidates in earlier:
        free = [file for file in candidates if file.path not in taken and may_linger(file)]
        found = [file for file in free if not _is_blocked(file.path, taken, directories)]
        if found:
            lingering[number] = sorted(found)
            taken |= {file.path: file for file in found}
            directories |= _directories(file.path for file in found)
    return Inventory(sorted(own.values()), lingering)


def _by_path(files: Iterable[StoredFile]) -> dict[str, StoredFile]:
    found: dict[str, StoredFile] = {}
    for file in files:
        other = found.setdefault(file.path, file)
        if other is not file and (other.sha256, other.size) != (file.sha256, file.size):
            raise BadContent(f"two different files of the repository claim the path {file.path}")
    _check_paths(found)
    if any(len(file.sha256) != 64 for file in found.values()) or "".join(
        file.sha256 for file in found.values()
    ).encode().translate(None, _HEX):
        raise BadContent("a file of the repository has something else than a SHA-256")
    return found


def _check_paths(paths: Iterable[str]) -> None:
    """Raises BadContent naming the first that is not as `safe_path` would have it."""
    paths = list(paths)
    text = "\n" + "\n".join(paths) + "\n"
    try:
        encoded = os.fsencode(text)
        clean = encoded.translate(None, _CONTROLS) == encoded and text.count("\n") == len(paths) + 1
        if not paths or (clean and not any(wrong in text for wrong in _ABNORMAL)):
            return
        for path in paths:
            if safe_path(path) != path:
                raise BadContent(f"{path!r} is not a path in its normal form")
    except ValueError as error:  # also text that no file name can hold
        raise BadContent(f"a file of the repository cannot be published: {error}") from None


def _directories(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    above = {path.rpartition("/")[0] for path in paths}
    while above := above - found - {""}:
        found |= above
        above = {path.rpartition("/")[0] for path in above}
    return found


def _is_blocked(path: str, taken: Mapping[str, StoredFile], directories: set[str]) -> bool:
    """Whether there is a directory at `path`, or a file where it needs one."""
    return path in directories or not taken.keys().isdisjoint(_directories([path]))


def to_bytes(inventory: Inventory) -> bytes:
    lines = [_HEAD]
    lines += [f"{sha256} {size} {path}" for path, size, sha256, _ in inventory.own]
    for number, files in inventory.lingering.items():
        lines.append(f"{_LINGERING}{number}")
        lines += [f"{sha256} {size} {path}" for path, size, sha256, _ in files]
    return os.fsencode("\n".join([*lines, _END, ""]))


def from_bytes(data: bytes, name: str) -> Inventory:
    """Raises BadContent, naming `name`, when it is not a whole inventory."""
    try:
        return _read(os.fsdecode(data))
    except ValueError:
        raise BadContent(f"{name} is damaged") from None


def _read(text: str) -> Inventory:
    """Raises ValueError."""
    head, *sections, end = text.split("\n# ")
    if end != _END.removeprefix("# ") + "\n":
        raise ValueError("it ends in the middle")
    lingering = {}
    for section in sections:
        title, _, _ = section.partition("\n")
        lingering[int(title.removeprefix(_LINGERING[2:]))] = _files(section, title)
    return Inventory(_files(head, _HEAD), lingering)


def _files(section: str, title: str) -> list[StoredFile]:
    first, *lines = section.split("\n")
    if first != title:
        raise ValueError("it is no inventory")
    fields = [line.split(" ", 2) for line in lines]
    return [StoredFile(path, int(size), sha256) for sha256, size, path in fields]
