# SPDX-License-Identifier: GPL-3.0-or-later
"""The generations of one mirror where they lie: found, put together, switched to, cleared away."""

import contextlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from orchestrator.content.pool import Pool, make_public_directory
from orchestrator.content.publication import trees
from orchestrator.content.publication.generation import Generation, inventory_path
from orchestrator.content.publication.inventory import Inventory, to_bytes
from orchestrator.content.publication.record import NewerFormat, Record, record_from_json, record_to_json
from orchestrator.errors import Refused
from orchestrator.host.files import fsync_directory, read_json, replace_file, sync_file_system

_OF_A_NUMBER = re.compile(r"\.*(\d+)(?:\..*)?")
# What a run wrote that died before it could give it its name.
_HALF = re.compile(r"\..+\.json\.new")


class Shelf:
    """`path` is repositories/NAME, `published` the link."""

    def __init__(self, path: Path, published: Path) -> None:
        self.path, self.published = path, published

    def tree(self, number: int) -> Path:
        return self.path / str(number)

    def _new(self, number: int) -> Path:
        return self.path / f".{number}.new"

    def _record(self, number: int) -> Path:
        return self.path / f"{number}.json"

    def _pending(self, number: int) -> Path:
        return self.path / f".{number}.json"

    # --- looking

    def current(self) -> Generation | None:
        """The published one. Raises Refused when something else is at the place of the published link, or a
        newer version of the program made it."""
        while (number := self.linked()) is not None:
            # The record gets its name after the tree can be seen: it may do so between two looks.
            for path in (self._record(number), self._pending(number), self._record(number)):
                found = self._generation(number, path)
                if found is not None:
                    return found
            if self.linked() == number:
                break
        return None

    def generations(self) -> list[Generation]:
        """All that can be published again, the oldest first; the current one is among them."""
        found = {number: self._generation(number, self._record(number)) for number in self.numbers()}
        current = self.current()
        if current is not None:
            found[current.number] = current
        return [generation for _, generation in sorted(found.items()) if generation is not None]

    def _generation(self, number: int, path: Path) -> Generation | None:
        """With the record at `path`. None when it is not whole, or the record cannot be read: the next
        publication takes it away."""
        tree = self.tree(number)
        if not tree.is_dir() or not inventory_path(tree).exists():
            return None
        try:
            return Generation(number, record_from_json(read_json(path)), tree)
        except NewerFormat:
            raise Refused(
                f"{path} was written by a newer version of the program", hint="use that version, or upgrade"
            ) from None
        except ValueError:
            return None

    def numbers(self) -> list[int]:
        """Of all generations, whole or not, of which there is anything; ascending."""
        try:
            names = os.listdir(self.path)
        except FileNotFoundError:
            return []
        return sorted({int(found[1]) for name in names if (found := _OF_A_NUMBER.fullmatch(name))})

    def linked(self) -> int | None:
        """The number that the published link leads to. Raises Refused when it is no such link."""
        try:
            target = os.readlink(self.published)
        except FileNotFoundError:
            return None
        except OSError:
            kind = "a directory" if self.published.is_dir() else "a file"
            raise self._in_the_way(kind) from None
        directory, name = os.path.split(os.path.normpath(self.published.parent / target))
        if directory != os.path.normpath(self.path) or not name.isdecimal():
            raise self._in_the_way(f"a link to {target}")
        return int(name)

    def _in_the_way(self, what: str) -> Refused:
        return Refused(
            f"{self.published} is {what}, not a mirror that was published here",
            hint=f"move it away: mv {self.published} {self.published}.old",
        )

    # --- changing

    def build(self, record: Record, inventory: Inventory, pool: Pool, spare: Iterable[int]) -> None:
        """Everything of generation `record.number`, on the disk, but for the record's name. One of the `spare`
        generations may be used up for it: the last is the most like it."""
        new, tree = self._new(record.number), self.tree(record.number)
        for number in list(spare)[-1:]:
            self._retire(number)
            os.rename(self.tree(number), new)
        trees.shape(new, pool, inventory)
        replace_file(inventory_path(tree), to_bytes(inventory), durable=False)
        document = json.dumps(record_to_json(record)).encode() + b"\n"
        replace_file(self._pending(record.number), document, durable=False)
        sync_file_system(self.path)
        os.rename(new, tree)
        fsync_directory(self.path)

    def complete(self, number: int, inventory: Inventory, pool: Pool) -> None:
        """Give the tree of a generation that is not published what it lacks of `inventory`, on the disk."""
        tree = self.tree(number)
        replace_file(inventory_path(tree), to_bytes(inventory))
        trees.shape(tree, pool, inventory)
        sync_file_system(self.path)

    def switch(self, number: int) -> None:
        """Publish a generation that is whole and on the disk: one rename, durable."""
        link = self._new_link()
        with contextlib.suppress(FileNotFoundError):
            link.unlink()
        make_public_directory(self.published.parent)
        link.symlink_to(os.path.relpath(self.tree(number), self.published.parent))
        link.replace(self.published)
        fsync_directory(self.published.parent)

    def _new_link(self) -> Path:
        return self.published.with_name(f".{self.published.name}.new")

    def finish(self, number: int) -> None:
        """Make a generation that was built, and is published, one that is there."""
        os.rename(self._pending(number), self._record(number))

    def recover(self) -> None:
        """Bring a publication that was cut off to its end, if it had come to be seen, and clear away every
        other one. Raises Refused as `current` does."""
        published = self.linked()
        if published is not None and self._pending(published).exists():
            self.finish(published)
        with contextlib.suppress(FileNotFoundError):
            self._new_link().unlink()
        if not self.path.is_dir():
            return
        for name in os.listdir(self.path):
            found = _OF_A_NUMBER.fullmatch(name)
            if found is None and _HALF.fullmatch(name):
                (self.path / name).unlink(missing_ok=True)
            if found is None or name == str(published):
                continue
            if name.startswith(".") or not self._is_whole(int(found[1])):
                _remove(self.path / name)

    def _is_whole(self, number: int) -> bool:
        tree = self.tree(number)
        return tree.is_dir() and inventory_path(tree).exists() and self._record(number).exists()

    def remove(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._retire(number)
            trees.remove(self.tree(number))

    def _retire(self, number: int) -> None:
        """Without its record it is no generation; the rest may be removed at any time."""
        self._record(number).unlink(missing_ok=True)
        inventory_path(self.tree(number)).unlink(missing_ok=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        trees.remove(path)
    else:
        path.unlink(missing_ok=True)
