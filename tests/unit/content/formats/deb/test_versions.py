# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's order of versions, with dpkg as the judge."""

import itertools
import random
import shutil
import subprocess

import pytest

from orchestrator.content.formats.deb.versions import operator, satisfies, version_key
from tests.support.requirements import require

# Each is earlier than the next.
ASCENDING = [
    "~~",
    "~~a",
    "~",
    "0",
    "0a",
    "1~~",
    "1~rc1",
    "1",
    "1-1~bpo1",
    "1-1",
    "1-1+b1",
    "1a",
    "1a1",
    "1+",
    "1.",
    "1.1",
    "1.2-3",
    "1.10",
    "2-1",
    "2-1-1",
    "2.0.0-1",
    "10",
    "18446744073709551616",
    "18446744073709551617",
    "1:0.1",
    "1:0.1-2",
    "10:0",
]
SAME = [
    ("1", "0:1"),
    ("1", "1-0"),
    ("1.0", "1.00"),
    ("1.", "1.0"),
    ("01-02", "1-2"),
    ("0", "0-0"),
    ("1a", "1a0"),
]


def test_versions_are_in_debian_s_order() -> None:
    for earlier, later in itertools.combinations(ASCENDING, 2):
        assert version_key(earlier) < version_key(later), (earlier, later)


@pytest.mark.parametrize(("left", "right"), SAME)
def test_different_texts_may_be_the_same_version(left: str, right: str) -> None:
    assert version_key(left) == version_key(right)
    assert satisfies(left, "=", right)


def test_dpkg_agrees_on_random_versions() -> None:
    require(shutil.which("dpkg") is not None, "dpkg")
    chance = random.Random(3)
    pieces = ["0", "00", "1", "9", "10", "a", "b", "z", "A", "~", "+", ".", "-", "rc", "deb", "~~", "git2023"]

    def version() -> str:
        epoch = chance.choice(["", "", "0:", "1:", "2:"])
        return (
            epoch + chance.choice("0123456789") + "".join(chance.choices(pieces, k=chance.randrange(6))) + "1"
        )

    pairs = [(version(), version()) for _ in range(250)]
    script = "".join(
        f"for o in lt eq gt; do if dpkg --compare-versions '{a}' $o '{b}'; then echo $o; fi; done\n"
        for a, b in pairs
    )
    told = subprocess.run(("sh", "-c", script), capture_output=True, text=True, check=False).stdout.split()
    ours = []
    for a, b in pairs:
        left, right = version_key(a), version_key(b)
        ours.append("lt" if left < right else "gt" if left > right else "eq")
    assert ours == told


@pytest.mark.parametrize(
    ("version", "how", "wanted", "answer"),
    [
        ("1.2", "", "", True),
        ("1.2", ">>", "1.2-0", False),
        ("1.2", ">>", "1.2~rc1", True),
        ("1.2", ">=", "1.2", True),
        ("1.2", "<<", "1.10", True),
        ("1.2", "<=", "1.1", False),
        ("1:1", "=", "1", False),
    ],
)
def test_versions_satisfy_relations(version: str, how: str, wanted: str, answer: bool) -> None:
    assert satisfies(version, operator(how), wanted) is answer


def test_old_operators_mean_or_equal() -> None:
    assert (operator("<"), operator(">"), operator("==")) == ("<=", ">=", "=")
    with pytest.raises(ValueError, match="compares no versions"):
        operator("=>")


@pytest.mark.parametrize("version", ["", "-", ":", "x:1", "ü", "1\n", "a:b:c", "9" * 5000, "1" + "~" * 5000])
def test_what_is_no_version_still_has_a_place(version: str) -> None:
    assert version_key(version) <= version_key(version)
    assert satisfies(version, "=", version)
