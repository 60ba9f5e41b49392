# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables for any width: nothing wider than the terminal, nothing lost."""

import random
import string
from collections.abc import Sequence

import pytest

from orchestrator.cli.layout import cells, fold, in_table

HEADS = ("step", "phase", "runs", "name")


def shown(rows: Sequence[tuple[str, ...]], width: int | None) -> list[str]:
    return [line.text for entry in in_table(rows, width) for line in fold(entry, width)]


def test_what_fits_stands_in_columns() -> None:
    rows = [HEADS, ("0010_a.sh", "all-up", "once", "A step"), ("0020_long.sh", "x", "always", "Another")]
    assert shown(rows, 80) == shown(rows, None) == [
        "step          phase   runs    name",
        "0010_a.sh     all-up  once    A step",
        "0020_long.sh  x       always  Another",
    ]  # fmt: skip


def test_what_does_not_has_its_first_cells_above_the_others() -> None:
    rows = [
        HEADS,
        ("0010_a_rather_long_name.sh", "all-up", "once", "A step"),
        ("0020.sh", "x", "always", "B"),
    ]
    assert shown(rows, 40) == [
        "step",
        "    phase   runs    name",
        "0010_a_rather_long_name.sh",
        "    all-up  once    A step",
        "0020.sh",
        "    x       always  B",
    ]


def test_an_empty_last_column_takes_no_room_of_a_terminal() -> None:
    rows = [("service", "remarks"), ("web", ""), ("db", "")]
    assert shown(rows, 80) == ["service", "web", "db"]
    assert shown(rows, None)[0] == "service  remarks"


@pytest.mark.parametrize("width", [20, 40, 80, 160])
def test_no_line_is_wider_and_no_word_is_lost(width: int) -> None:
    chosen = random.Random(3)
    for _ in range(100):
        rows = [HEADS] + [
            tuple("".join(chosen.choices(string.ascii_lowercase, k=chosen.randint(0, 70))) for _ in HEADS)
            for _ in range(4)
        ]
        lines = shown(rows, width)
        assert max(map(cells, lines)) <= width
        text = "".join("".join(lines).split())
        assert all(cell in text for row in rows for cell in row)
