# SPDX-License-Identifier: GPL-3.0-or-later
"""A second clone of an upstream that has become bad: it is refused, told well, and changes nothing."""

import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from orchestrator.content.outcome import Outcome, Status
from tests.support.mirrored import Kind, Mirror, mirrored

_MOST_MEMORY = 200 << 20


class Bad(NamedTuple):
    """`make` makes the upstream in a directory; `told` are parts of what must be told of it, `code` the exit code."""

    make: Callable[[Path], object]
    told: tuple[str, ...]
    code: int = 1


def outcome_of(mirror: Mirror, bad: Callable[[Path], object], **wish: bool) -> Outcome:
    """The second clone, of an upstream that has become bad."""
    bad(mirror.place / "bad")
    mirror.server.root = mirror.place / "bad"
    return mirror.clone(**wish)


def told(outcome: Outcome) -> str:
    assert outcome.error is not None, outcome.status
    return " ".join([outcome.error.message, *map(str, outcome.error.problems)])


def refused(mirror: Mirror, bad: Bad) -> None:
    before, began = mirror.snapshot(), time.monotonic()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with mirror.watched():
        outcome = outcome_of(mirror, bad.make)
    text = told(outcome)
    assert outcome.exit_code == bad.code, text
    for part in bad.told:
        assert part in text, text
    assert mirror.server.url in text, "the address"
    assert text.isprintable(), "nothing that a terminal would act on"
    assert mirror.snapshot() == before
    assert mirror.wrong() == []
    assert time.monotonic() - began < 20
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) << 10 < _MOST_MEMORY
    # All is well again as soon as the upstream is.
    mirror.offer(2)
    assert mirror.clone().status is Status.PUBLISHED
    assert mirror.wrong() == []


def start(kind: Kind, place: Path, *, partial: bool) -> Iterator[Mirror]:
    with mirrored(kind, place, partial=partial) as mirror:
        mirror.offer(1)
        assert mirror.clone().status is Status.PUBLISHED
        yield mirror


def each(table: dict[str, Bad]) -> "pytest.MarkDecorator":
    return pytest.mark.parametrize("bad", table.values(), ids=list(table))
