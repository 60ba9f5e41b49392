# SPDX-License-Identifier: GPL-3.0-or-later
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.content.exports import places
from orchestrator.content.exports.manifest import Subject, SubjectKind
from orchestrator.errors import Invalid, Refused

EXPORTS = Path("/srv/exports")


@pytest.mark.parametrize(
    ("subject", "destination", "expected"),
    [
        (Subject("library", "acme"), "", "acme/library/-"),
        (Subject("view", "acme", "web", 3), "dc2.example.org", "acme/view-web/3/dc2.example.org"),
        (Subject("repository", "acme", "tools/base"), "", "acme/repository-tools+base/-"),
        (Subject("product", "acme", "tools-base"), "", "acme/product-tools-base/-"),
        (Subject("library", "acme"), "dc 2:/8443", "acme/library/-/dc_2__8443"),
        (Subject("library", "acme"), "../../etc", "acme/library/-/_.._.._etc"),
        (Subject("library", "acme"), ".hidden", "acme/library/-/_.hidden"),
        (Subject("library", "acme"), "2026-11-20T164200Z", "acme/library/-/_2026-11-20T164200Z"),
    ],
)
def test_an_export_has_its_place_by_what_it_is_of_and_for_whom(
    subject: Subject, destination: str, expected: str
) -> None:
    assert places.parent(EXPORTS, subject, destination) == EXPORTS / expected


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "ä b", "-x", "x" * 300, "\n", "a\0b"])
def test_a_safe_name_is_one_visible_part_of_a_path(text: str) -> None:
    name = places.safe_name(text)
    assert name.isascii()
    assert 0 < len(name) <= 101
    assert "/" not in name
    assert name[0] not in ".-"


@pytest.mark.parametrize("kind", ["repository", "view"])
def test_products_and_repositories_of_like_names_have_other_places(kind: SubjectKind) -> None:
    assert places.subject_name(Subject(kind, "acme", "a/b")) != places.subject_name(
        Subject(kind, "acme", "a-b")
    )


def test_exports_are_named_by_time_and_elsewhere_also_by_what_they_are(tmp_path: Path) -> None:
    time = places.time_name(datetime(2026, 11, 20, 16, 42, tzinfo=UTC))
    assert time == "2026-11-20T164200Z"
    assert places.name_elsewhere(Subject("view", "acme", "web", 3), time) == "view-web-3-2026-11-20T164200Z"
    assert places.free_name(tmp_path, time) == tmp_path / time
    (tmp_path / time).mkdir()
    (tmp_path / f"{time}-2").symlink_to("nowhere")
    assert places.free_name(tmp_path, time) == tmp_path / f"{time}-3"
    assert all(map(places.is_export_name, (time, f"{time}-3", f"view-web-3-{time}")))
    assert not any(map(places.is_export_name, ("dc2", ".hidden", "3", "-")))
    assert all(map(places.is_remains_name, (f".{'a' * 32}.partial", f".{time}.gone")))


def test_roots_are_compared_by_their_parts_after_every_link(tmp_path: Path) -> None:
    root, evil = tmp_path / "exports", tmp_path / "exports-evil"
    for directory in (root, evil):
        directory.mkdir()
    (root / "out").symlink_to(evil)
    (tmp_path / "in").symlink_to(root)
    assert places.is_below(root / "a", root)
    assert places.is_below(tmp_path / "in" / "a", root)
    assert not places.is_below(evil / "a", root)
    assert not places.is_below(root / "out" / "a", root)
    assert not places.is_below(root / ".." / "a", root)
    assert not places.is_below(root, root)


def test_nothing_is_exported_into_what_the_server_keeps_or_to_no_directory(tmp_path: Path) -> None:
    root = tmp_path / "content"
    (root / "pool" / "aa").mkdir(parents=True)
    (tmp_path / "usb").symlink_to(root / "pool")
    for bad in (root / "pool", root / "pool" / "aa", tmp_path / "usb"):
        with pytest.raises(Refused, match="own"):
            places.check_target(bad, root)
    with pytest.raises(Invalid, match="no directory"):
        places.check_target(tmp_path / "none", root)
    (tmp_path / "content-pool").mkdir()
    assert places.check_target(tmp_path / "content-pool", root) == tmp_path / "content-pool"


def test_notes_of_what_is_handed_over_have_a_place_for_each_export_and_target() -> None:
    where = {
        places.handed_directory(EXPORTS, export, to) for export in ("a", "b") for to in ("-", "https://h/")
    }
    assert len(where) == 4
    expected = hashlib.sha256(b"-").hexdigest()[:16]
    assert places.handed_directory(EXPORTS, "a", "-") == EXPORTS / ".handed" / f"a.{expected}"
