# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts that refuse an upgrade before anything is stopped."""

from pathlib import PurePosixPath

import pytest

from orchestrator.upgrade.header import DiskNeed
from orchestrator.upgrade.plan import Plan
from orchestrator.upgrade.preflight import disk_needs, newer_data
from tests.support.plans import history, plan, step

MUCH = (DiskNeed(PurePosixPath("/"), 1 << 60), DiskNeed(PurePosixPath("/no/such/directory"), 1 << 61))
LITTLE = (DiskNeed(PurePosixPath("/"), 1),)


def told(made: Plan) -> list[str]:
    return [str(problem).partition(", there are")[0] for problem in disk_needs(made)]


def test_every_need_of_every_due_step_and_check_is_told() -> None:
    made = plan(
        step("check/0005_c", min_disk=MUCH[:1]),
        step("upgrade/0010_a", min_disk=MUCH),
        step("upgrade/0020_b", min_disk=LITTLE),
        step("upgrade/0030_done", min_disk=MUCH),
        step("upgrade/0040_other", min_disk=MUCH, apply=("other",)),
        history=history("0030_done"),
    )
    assert told(made) == [
        "check/0005_c: needs 1048576.0 TiB free at /",
        "upgrade/0010_a: needs 1048576.0 TiB free at /",
        "upgrade/0010_a: needs 2097152.0 TiB free at /no/such/directory",
    ]


def test_with_nothing_due_nothing_is_needed() -> None:
    assert told(plan(step("check/0005_c", min_disk=MUCH))) == []


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        ("1.0", "2.0", False),
        ("2.0", "2.0", False),
        ("2.0", "2.0-0", False),
        ("2.1", "2.0", True),
        ("2.10", "2.9", True),
        ("2.0", "2.0~rc1", True),
        (None, "2.0", False),
        ("2.0", None, False),
        (None, None, False),
    ],
)
def test_data_of_a_newer_version_is_not_touched(before: str | None, after: str | None, refused: bool) -> None:
    problems = list(newer_data(plan(from_version=before, to_version=after)))
    assert bool(problems) == refused
    if refused:
        assert problems[0].what == f"the data was last upgraded by {before}, this is {after}"
