# SPDX-License-Identifier: GPL-3.0-or-later
"""Damage to a published tree, and to the pool below it, is found and made good."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.content.generations import CheckReport, MirrorStore
from orchestrator.errors import BadContent, Refused
from tests.support.publishing import contents, publish, store

OLD = {"dists/index": "one", "pool/old.deb": "old"}
TREE = {"dists/index": "two", "pool/a.deb": "aaaa", "pool/same.deb": "aaaa", "pool/b.deb": "bb"}


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[MirrorStore]:
    mirror = store(tmp_path)
    with mirror.lock():
        publish(mirror, OLD)
        publish(mirror, TREE)
        yield mirror


def problems(report: CheckReport) -> list[str]:
    return sorted(map(str, report.damaged))


def to_fetch(report: CheckReport) -> list[str]:
    """Files whose bytes are nowhere in good order; each content once."""
    in_tree = {file.sha256 for file in report.tree_only}
    nowhere = {each.expected.sha256: each.expected.path for each in report.damaged if each.expected}
    return [
        path for sha256, path in nowhere.items() if sha256 in report.bad_in_pool and sha256 not in in_tree
    ]


def repaired(mirror: MirrorStore, report: CheckReport) -> bool:
    """As a repair does it: what is damaged is forgotten, brought in again and published anew."""
    mirror.discard(report)
    publish(mirror, TREE)
    assert {path: text for path, text in contents(mirror.published).items() if path != "pool/old.deb"} == TREE
    return mirror.check(full=True).ok


def test_a_sound_tree_has_nothing_to_report(mirror: MirrorStore) -> None:
    assert mirror.check() == CheckReport(5, 0, ())
    told: list[int] = []
    report = mirror.check(full=True, threads=3, tell=told.append)
    assert report == CheckReport(5, len("two") + len("aaaa") + len("bb") + len("old"), ())
    assert sum(told) == report.bytes


def test_content_that_was_altered_in_place_is_found(mirror: MirrorStore) -> None:
    (mirror.published / "pool" / "a.deb").write_text("aXaa")
    assert mirror.check().ok, "a look at sizes cannot tell"
    report = mirror.check(full=True)
    assert [line.partition(" (")[0] for line in problems(report)] == [
        "pool/a.deb does not have the digest it was published with",
        "pool/same.deb does not have the digest it was published with",
    ]
    assert len(to_fetch(report)) == 1, "it is the same content"
    assert repaired(mirror, report)


def test_a_truncated_file_is_found_by_its_size(mirror: MirrorStore) -> None:
    (mirror.published / "pool" / "b.deb").write_text("b")
    for full in (False, True):
        report = mirror.check(full=full)
        assert problems(report) == ["pool/b.deb has the wrong size (1 bytes instead of 2)"]
        assert to_fetch(report) == ["pool/b.deb"]
    assert repaired(mirror, report)


def test_a_file_that_was_removed_is_linked_again(mirror: MirrorStore) -> None:
    (mirror.published / "pool" / "b.deb").unlink()
    for full in (False, True):
        report = mirror.check(full=full)
        assert problems(report) == ["pool/b.deb is missing"]
        assert to_fetch(report) == [], "the pool has it"
    assert repaired(mirror, report)


def test_a_lingering_file_that_is_lost_does_not_keep_the_rest_from_being_made_good(
    mirror: MirrorStore,
) -> None:
    (mirror.published / "pool" / "old.deb").write_text("OLD")
    report = mirror.check(full=True)
    assert to_fetch(report) == ["pool/old.deb"]
    assert repaired(mirror, report)
    assert not (mirror.published / "pool" / "old.deb").exists()


def test_what_is_no_regular_file_is_found(mirror: MirrorStore) -> None:
    (mirror.published / "pool" / "b.deb").unlink()
    (mirror.published / "pool" / "b.deb").symlink_to(mirror.published / "pool" / "a.deb")
    (mirror.published / "dists" / "index").unlink()
    (mirror.published / "dists" / "index").mkdir()
    for full in (False, True):
        report = mirror.check(full=full)
        assert problems(report) == [
            "dists/index is not a regular file",
            "pool/b.deb is not a regular file",
        ]
    assert repaired(mirror, report)


def test_foreign_files_are_told(mirror: MirrorStore) -> None:
    (mirror.published / "pool" / "new").mkdir()
    (mirror.published / "pool" / "new" / "evil.deb").write_text("x")
    report = mirror.check(full=True)
    assert problems(report) == ["pool/new/evil.deb was not published with the tree"]
    assert to_fetch(report) == []
    assert repaired(mirror, report)


def test_what_only_the_pool_has_lost_is_put_back(mirror: MirrorStore) -> None:
    current = mirror.current()
    assert current is not None
    file = next(file for file in current.inventory().own if file.path == "pool/b.deb")
    for full in (False, True):
        mirror.pool.discard(file.sha256)
        report = mirror.check(full=full)
        assert report.ok
        mirror.discard(report)
        assert mirror.pool.read(file.sha256) == b"bb"
    assert mirror.check(full=True) == CheckReport(5, 12, ())


def test_a_pool_that_is_damaged_where_the_tree_is_good_is_made_good_from_the_tree(
    mirror: MirrorStore,
) -> None:
    current = mirror.current()
    assert current is not None
    file = next(file for file in current.inventory().own if file.path == "pool/b.deb")
    mirror.pool.discard(file.sha256)
    mirror.pool.object(file.sha256).write_text("XX")
    report = mirror.check(full=True)
    assert problems(report) == ["pool/b.deb is damaged in the pool"]
    assert to_fetch(report) == []
    mirror.discard(report)
    assert mirror.pool.read(file.sha256) == b"bb"
    assert mirror.check(full=True).ok


def test_a_check_can_be_ended_early(mirror: MirrorStore) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mirror.check(full=True, threads=2, tell=stop)


def test_a_mirror_without_a_tree_or_with_a_damaged_inventory_cannot_be_checked(mirror: MirrorStore) -> None:
    (mirror.path / "2.inventory").write_text("# inventory 1\n")
    with pytest.raises(BadContent, match=r"2\.inventory is damaged"):
        mirror.check()
    with pytest.raises(Refused, match="no generation of the mirror other is published"):
        store(mirror.pool.root, "other").check()


def test_a_repair_that_was_cut_off_leaves_no_damaged_bytes_in_the_pool(mirror: MirrorStore) -> None:
    (mirror.published / "pool" / "b.deb").write_text("XX")  # of the right size
    mirror.discard(mirror.check(full=True))
    report = mirror.check()
    assert report.ok, "a look at sizes cannot tell"
    assert not mirror.discard(report), "but what is put back is read"
    bad = next(file for file in report.tree_only if file.path == "pool/b.deb")
    assert mirror.pool.size(bad.sha256) is None
    assert repaired(mirror, mirror.check(full=True))
