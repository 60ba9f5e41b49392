# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults at random, over several runs and versions; then a calm run gives what an undisturbed mirror has."""

import random
from pathlib import Path

import pytest

from orchestrator.content.outcome import Status
from tests.support.fault_server import (
    Asked,
    Fault,
    cut,
    html,
    late,
    longer,
    no_ranges,
    redirect,
    reset,
    same_size_other_bytes,
    status,
    together,
    truncated,
    without,
    without_length,
)
from tests.support.mirrored import KINDS, Kind, Mirror, mirrored

RUNS, LAST = 5, 8
FAULTS: list[Fault] = [
    cut(0),
    cut(100),
    cut(3000),
    together(cut(1500), no_ranges()),
    together(cut(1500), without("ETag")),
    reset(),
    html(),
    same_size_other_bytes(),
    truncated(50),
    longer(7),
    without_length(),
    late(0.03),
    redirect("/nowhere"),
    redirect("?again"),
    status(403),
    status(404),
    status(500),
    status(503),
    status(429, {"Retry-After": "0"}),
]


def unruly(mirror: Mirror, chance: random.Random, share: float) -> None:
    """From now on so large a share of all requests goes wrong, now and then the upstream goes on."""

    def look(asked: Asked) -> Fault | None:
        if chance.random() < 0.02:
            mirror.offer(min(mirror.version + 1, RUNS + 1))
        return chance.choice(FAULTS) if chance.random() < share else None

    mirror.server.faults["*"] = look


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("partial", [False, True], ids=["full", "partial"])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_happens_the_mirror_is_whole_and_in_the_end_right(
    kind: Kind, partial: bool, seed: int, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    with mirrored(kind, tmp_path / "a", partial=partial) as mirror:
        mirror.configure(keep=20)
        mirror.offer(1)
        assert mirror.clone().status is Status.PUBLISHED
        with mirror.watched():
            for version in range(2, RUNS + 2):
                mirror.offer(max(version, mirror.version))
                unruly(mirror, chance, chance.choice([0.1, 0.3, 0.6]))
                outcome = mirror.clone()
                assert outcome.exit_code in (0, 1, 3), outcome.error
                assert outcome.error is None or mirror.server.url in str(outcome.error) + str(
                    outcome.error.problems
                )
                assert mirror.generation == outcome.generation
                assert mirror.wrong() == []
        mirror.server.faults.clear()
        mirror.configure(keep=1)
        mirror.offer(LAST)
        outcome = mirror.clone(full_check=True)
        assert outcome.exit_code == 0, outcome.error
        assert mirror.wrong() == []
        assert mirror.snapshot() == undisturbed(mirror, tmp_path / "b")


def undisturbed(mirror: Mirror, place: Path) -> dict[str, str]:
    """What a new mirror has of the same upstream."""
    with mirrored(mirror.kind, place, partial=mirror.rebuilt) as other:
        other.offer(mirror.version)
        assert other.clone().status is Status.PUBLISHED
        return other.snapshot()
