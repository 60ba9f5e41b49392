# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports and imports of real media that die anywhere, with and without the power, and are then asked for again.

    python -m tests.support.sync_kills WHAT TIMES [FORMAT...]     WHAT is export, import or import-at-once

Prints of each format how often it died, and how many points there are. AssertionError where something was seen that was neither the
old nor the new, or the end is another one than without the trouble, or something is left over.
"""

import random
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.content.exports.records import all_records
from orchestrator.content.generations import collect_garbage
from orchestrator.errors import ExitCode
from tests.support.export_site import complete_ones, contents, copy_tree, do, request
from tests.support.power import Power, killed
from tests.support.real_media import CHUNKS, FORMATS, Chain, Receiver, made_chain, receiving, trees_of
from tests.support.snapshot_site import snapshot_site

# The last points may be a few more or less, as threads happen to work.
_SPARE = 25


@dataclass(frozen=True)
class Sweep:
    """`begin` makes the beginning; `work` is what dies; `look` checks what is there after that; `end` does the work
    once more and says what there is then."""

    root: Path
    begin: Callable[[], object]
    work: Callable[[], object]
    look: Callable[[str], object]
    end: Callable[[], object]

    def run(self, times: int, chance: random.Random) -> tuple[int, int]:
        """How often it died, and the number of points."""
        self.begin()
        undisturbed = self.end()
        count = self.root.parent / "count"
        self.begin()
        assert not killed(self.work, Power(0, self.root), count)
        total, deaths = int(count.read_text()), 0
        for turn in range(times):
            first = 1 + turn * total // times
            point = chance.randint(first, max(first, (turn + 1) * total // times))
            cut = turn % 2 == 1
            where = f"killed at point {point} of {total}{', power cut' if cut else ''}"
            self.begin()
            died = killed(self.work, Power(point, self.root, cut=cut))
            assert died or point > total - _SPARE, where
            deaths += died
            self.look(where)
            try:
                assert self.end() == undisturbed, where
            except Exception as error:
                raise AssertionError(where) from error
        return deaths, total


# Exports ----------------------------------------------------------------------------------------------


def export_sweep(chain: Chain, format_: str) -> Sweep:
    root = chain.place / "work"
    asked = request(format_, chunk_size=CHUNKS[format_], kind="increment", base="1")
    expected: dict[str, bytes] = {}

    def begin() -> None:
        copy_tree(chain.place / "sender", root)
        for name in ("base", "other"):
            shutil.rmtree(root / "exports/acme/library/-" / name, ignore_errors=True)

    def work() -> None:
        with snapshot_site(root) as site:
            do(site, asked, to=str(root / "exports-here"))

    def look(where: str) -> None:
        with snapshot_site(root) as site:
            collect_garbage(site.workspace.pool)
        for made in complete_ones(root / "exports-here"):
            found = contents(made)
            found.pop(".state.json", None)
            assert found == expected, where

    def end() -> object:
        work()
        [made] = complete_ones(root / "exports-here")
        assert list((root / "exports-here").iterdir()) == [made], "something is left over"
        assert not list((root / "exports").rglob("*.partial"))
        with snapshot_site(root) as site:
            assert {record.state for record in all_records(site.workspace)} == {"complete"}
            collect_garbage(site.workspace.pool)
            assert list(site.workspace.pool.incoming.iterdir()) == []
        found = contents(made)
        expected.update(found)
        return found

    def begin_all() -> None:
        begin()
        (root / "exports-here").mkdir()

    return Sweep(root, begin_all, work, look, end)


# Imports ----------------------------------------------------------------------------------------------


def import_sweep(chain: Chain, format_: str, **wish: Any) -> Sweep:
    root = chain.place / "work"
    media = chain.media(format_)

    def work() -> None:
        with receiving(root) as receiver:
            assert receiver.take(*media, **wish).exit_code is ExitCode.DONE

    def look(where: str) -> None:
        with receiving(root) as receiver:
            check(chain, receiver, where)
            collect_garbage(receiver.workspace.pool)
            check(chain, receiver, where)

    def end() -> object:
        work()
        with receiving(root) as receiver:
            assert trees_of(receiver.served()) == chain.after
            collect_garbage(receiver.workspace.pool)
            assert (left := receiver.leftovers()) == [], left
            return receiver.served(), receiver.state()[2], numbers(receiver)

    return Sweep(root, partial(copy_tree, chain.place / "receiver", root), work, look, end)


def check(chain: Chain, receiver: Receiver, where: str) -> None:
    trees = trees_of(receiver.served())
    assert trees.keys() >= chain.before.keys(), where
    for path, tree in trees.items():
        assert tree in (chain.before.get(path), chain.after.get(path)), (where, path)


def numbers(receiver: Receiver) -> object:
    """What the catalog says, but for times."""
    from sqlalchemy import text

    asked = {
        "imports": 'SELECT export_id, state FROM "import" ORDER BY 1',
        "snapshots": "SELECT repository_id, number, inventory FROM snapshot ORDER BY 1, 2",
    }
    with receiver.workspace.catalog.reading() as session:
        return {name: [tuple(row) for row in session.execute(text(query))] for name, query in asked.items()}


def main() -> None:
    what, times = sys.argv[1], int(sys.argv[2])
    with made_chain() as chain:
        for format_ in sys.argv[3:] or FORMATS:
            if what == "export":
                sweep = export_sweep(chain, format_)
            else:
                sweep = import_sweep(chain, format_, all_or_nothing=what == "import-at-once")
            try:
                deaths, total = sweep.run(times, random.Random(f"{what} {format_}"))
            except Exception as error:
                raise AssertionError(format_) from error
            print(format_, deaths, total)


if __name__ == "__main__":
    main()
