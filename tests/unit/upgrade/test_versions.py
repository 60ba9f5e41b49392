# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of two versions is newer: as dpkg says."""

import random
import shutil
import subprocess

import pytest

from orchestrator.upgrade.versions import compare_versions, newest
from tests.support.requirements import require

IN_ORDER = [
    "0",
    "0.9~rc1",
    "0.9",
    "1.0~~",
    "1.0~beta1",
    "1.0~beta2",
    "1.0~beta10",
    "1.0",
    "1.0-1",
    "1.0-1.1",
    "1.0-2",
    "1.0a",
    "1.0+b1-1",
    "1.0+git20260101-1",
    "1.0.0",
    "1.0.1",
    "1.2",
    "1.10",
    "2.0",
    "2026.11",
    "1:0.1",
    "2:0",
]


def test_versions_are_ordered() -> None:
    for index, older in enumerate(IN_ORDER):
        assert compare_versions(older, older) == 0
        for newer in IN_ORDER[index + 1 :]:
            assert compare_versions(older, newer) < 0, f"{older} < {newer}"
            assert compare_versions(newer, older) > 0, f"{newer} > {older}"


@pytest.mark.parametrize(
    ("left", "right"), [("1.0", "1.00"), ("1.0", "0:1.0"), (" 1.0", "1.0\n"), ("1.0", "1.0-0"), ("", "0")]
)
def test_different_words_for_the_same_version_are_equal(left: str, right: str) -> None:
    assert compare_versions(left, right) == 0


def test_the_newest_is_found_and_of_none_there_is_none() -> None:
    shuffled = random.Random(1).sample(IN_ORDER, len(IN_ORDER))
    assert newest(shuffled) == IN_ORDER[-1]
    assert newest([]) is None


def test_any_text_can_be_compared() -> None:
    chance = random.Random(2)
    texts = ["".join(chance.choices("019.~+-:ab \u00b2\u0663\u00e9", k=8)) for _ in range(60)]
    for left in texts:
        for right in texts:
            assert (compare_versions(left, right) > 0) == (compare_versions(right, left) < 0)


def test_dpkg_agrees() -> None:
    require(shutil.which("dpkg") is not None, "dpkg is not installed")
    chance = random.Random(3)
    tests = []
    for _ in range(300):
        left, right = (
            chance.choice("012") + "".join(chance.choices("0019.~+-ab", k=chance.randint(0, 6))).rstrip("-")
            for _ in range(2)
        )
        difference = compare_versions(left, right)
        relation = "lt" if difference < 0 else "gt" if difference else "eq"
        tests.append(
            f"dpkg --compare-versions '{left}' {relation} '{right}' || echo '{left} {relation} {right}'"
        )
    done = subprocess.run(["sh"], input="\n".join(tests), capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("", "")
