# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirrors whose files were damaged: what makes them good again, and what must not touch them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.content.outcome import Status
from tests.support.fault_server import always, status
from tests.support.mirrored import KINDS, Kind, Mirror, mirrored


@pytest.fixture(params=KINDS)
def mirror(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mirror]:
    kind: Kind = request.param
    with mirrored(kind, tmp_path) as mirror:
        mirror.offer(1)
        mirror.clone()
        yield mirror


def damage(mirror: Mirror) -> Path:
    """Other bytes, as many, in a package of the published tree, and so in the pool."""
    file = mirror.published / mirror.address("db")[1:]
    file.write_bytes(bytes(file.stat().st_size))
    return file


def test_a_repair_without_its_upstream_is_made_good_by_the_next_clone(mirror: Mirror) -> None:
    damage(mirror)
    mirror.server.faults["*"] = always(status(503))
    assert mirror.run("verify", "--repair").returncode == 1
    mirror.server.faults.clear()
    assert mirror.clone().status is Status.PUBLISHED
    assert mirror.wrong() == []
    assert mirror.run("verify").returncode == 0


def test_a_dry_run_tells_of_damage_and_leaves_everything_as_it_is(mirror: Mirror) -> None:
    damage(mirror)
    pool = sorted(mirror.root.glob("pool/??/*"))
    outcome = mirror.clone(dry_run=True, full_check=True)
    assert outcome.status is Status.PLANNED
    assert sorted(mirror.root.glob("pool/??/*")) == pool
