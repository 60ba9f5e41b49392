# SPDX-License-Identifier: GPL-3.0-or-later
"""Scratch directories of steps: own, empty, kept while they hold something."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.upgrade.scratch import Scratch


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Scratch]:
    made = Scratch(tmp_path / "scratch")
    yield made
    made.close()


def names(scratch: Scratch) -> set[str]:
    """The steps that have a directory."""
    return {f"{path.parent.name}/{path.name}" for path in scratch.path("").glob("*/*")}


def test_a_step_finds_an_empty_directory(scratch: Scratch) -> None:
    path = scratch.make("upgrade/0010_a.sh")
    assert path == scratch.path("upgrade/0010_a.sh")
    assert not list(path.iterdir())


def test_an_untouched_directory_becomes_the_next_steps(scratch: Scratch) -> None:
    first = scratch.make("upgrade/0010_a.sh").stat().st_ino
    scratch.release("upgrade/0010_a.sh")
    assert scratch.make("upgrade/0020_b.sh").stat().st_ino == first
    assert names(scratch) == {"upgrade/0020_b.sh"}


def test_the_next_step_may_be_of_another_kind(scratch: Scratch) -> None:
    scratch.make("check/0010_a.sh")
    scratch.release("check/0010_a.sh")
    assert scratch.make("default/0020_b.sh").is_dir()
    assert names(scratch) == {"default/0020_b.sh"}


def test_what_a_successful_step_wrote_is_removed(scratch: Scratch) -> None:
    (scratch.make("upgrade/0010_a.sh") / "half").touch()
    scratch.release("upgrade/0010_a.sh")
    assert names(scratch) == set()
    assert not list(scratch.make("upgrade/0020_b.sh").iterdir())


def test_a_directory_whose_mode_was_changed_is_not_handed_on(scratch: Scratch) -> None:
    scratch.make("upgrade/0010_a.sh").chmod(0o1777)
    scratch.release("upgrade/0010_a.sh")
    assert scratch.make("upgrade/0020_b.sh").stat().st_mode & 0o7777 != 0o1777


def test_the_mode_that_an_earlier_attempt_left_counts_for_nobody_else(scratch: Scratch) -> None:
    scratch.path("upgrade/0010_a.sh").mkdir(parents=True)
    scratch.path("upgrade/0010_a.sh").chmod(0o1777)
    scratch.make("upgrade/0010_a.sh")
    scratch.release("upgrade/0010_a.sh")
    assert scratch.make("upgrade/0020_b.sh").stat().st_mode & 0o7777 != 0o1777


def test_a_directory_in_use_is_not_handed_on(scratch: Scratch) -> None:
    scratch.make("upgrade/0010_a.sh")
    scratch.release("upgrade/0010_a.sh", in_use=True)
    assert names(scratch) == set()


def test_what_a_step_left_at_its_failure_is_there_at_its_next_attempt(scratch: Scratch) -> None:
    (scratch.make("upgrade/0020_b.sh") / "half").touch()
    scratch.make("upgrade/0010_a.sh")
    scratch.release("upgrade/0010_a.sh")
    assert [path.name for path in scratch.make("upgrade/0020_b.sh").iterdir()] == ["half"]
    assert names(scratch) == {"upgrade/0020_b.sh"}


def test_a_step_that_put_a_file_in_its_place_is_no_harm(scratch: Scratch) -> None:
    path = scratch.make("upgrade/0010_a.sh")
    path.rmdir()
    path.touch()
    scratch.release("upgrade/0010_a.sh")
    assert scratch.make("upgrade/0020_b.sh").is_dir()


def test_nothing_is_left_at_the_end(scratch: Scratch) -> None:
    scratch.make("upgrade/0010_a.sh")
    scratch.release("upgrade/0010_a.sh")
    scratch.close()
    assert names(scratch) == set()
