# SPDX-License-Identifier: GPL-3.0-or-later
"""Upstreams of both formats that are wrong in the same ways."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fault_server import always, html
from tests.support.mirrored import ENTRY, KINDS, Kind
from tests.support.refusals import outcome_of, start, told
from tests.support.tampering import change_record, deb_with, element_of, rpm_copy


@pytest.mark.parametrize("kind", ["deb", "rpm"])
def test_a_login_page_for_everything_is_refused(kind: Kind, tmp_path: Path) -> None:
    for mirror in start(kind, tmp_path, partial=False):
        mirror.server.faults["*"] = always(html())
        outcome = mirror.clone()
        assert outcome.exit_code == 1
        assert mirror.server.url + ENTRY[kind] in told(outcome)
        assert mirror.wrong() == []


def of_db(pattern: bytes, new: bytes) -> Callable[[Path], object]:
    """Primary, where it says this of `db`."""

    def make(root: Path) -> None:
        made = rpm_copy(root)
        element = element_of(made, "db")
        changed, count = re.subn(pattern, lambda _: new, element)
        assert count == 1
        change_record(made, "primary", element, changed)

    return make


WRONG: dict[Kind, list[Callable[[Path], object]]] = {
    "deb": [lambda root: deb_with(root, {"Size": "5"}), lambda root: deb_with(root, {"SHA256": "0" * 64})],
    "rpm": [
        of_db(rb'<size package="\d+"', b'<size package="5"'),
        of_db(rb'(?<=YES">)[0-9a-f]{8}', b"00000000"),
    ],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", [0, 1], ids=["size", "digest"])
@pytest.mark.parametrize("partial", [False, True], ids=["full", "partial"])
def test_a_package_that_is_not_as_the_list_says_is_lost(
    kind: Kind, what: int, partial: bool, tmp_path: Path
) -> None:
    for mirror in start(kind, tmp_path, partial=partial):
        outcome = outcome_of(mirror, WRONG[kind][what])
        assert outcome.exit_code == (3 if partial else 1), outcome.error
        assert mirror.wrong() == []
        if partial:
            assert mirror.packages() == {"other"}
        else:
            assert mirror.generation == 1
