# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports that are there: verified to the last byte, pinned, removed by hand and by rules."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.content.catalog import exports
from orchestrator.content.exports import pruning, records
from orchestrator.content.exports.checking import verify
from orchestrator.content.exports.lines import line_lock
from orchestrator.content.exports.manifest import Subject
from orchestrator.content.exports.running import export_again
from orchestrator.content.exports.wish import Wish
from orchestrator.content.settings import ExportRules
from orchestrator.errors import BadContent, Busy, Refused
from tests.support.export_site import contents, copied_site, do, fill, request, states
from tests.support.snapshot_site import TESTER, SnapshotSite, deb, snapshot_site


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made") / "content"
    with snapshot_site(root) as site:
        fill(site)
    return root


@pytest.fixture
def site(template: Path, tmp_path: Path) -> Iterator[SnapshotSite]:
    with copied_site(template, tmp_path / "content") as site:
        yield site


def small(site: SnapshotSite) -> None:
    """Less to export."""
    for path in ("tools/base", "tools/more"):
        site.publish(path, deb(path[-4:]))


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


# --- verify


@pytest.mark.parametrize("format_", ["tar", "tgz", "iso", "dir"])
def test_what_was_exported_is_verified_by_number_id_and_path(site: SnapshotSite, format_: str) -> None:
    outcome = do(site, request(format_))
    for name in ("1", outcome.export[:6], outcome.place):
        found = verify(site.workspace, name)
        assert found.ok, found.damaged
        assert (found.objects, found.bytes) == (outcome.objects, outcome.bytes)
        assert found.number == (0 if name == outcome.place else 1)
    for chunk in outcome.chunks:
        alone = verify(site.workspace, f"{outcome.place}/{chunk.file}")
        assert alone.ok, alone.damaged
        assert (alone.objects, alone.bytes) == (chunk.objects, chunk.bytes)


@pytest.mark.parametrize("format_", ["tar", "tgz", "iso"])
def test_one_bit_anywhere_is_found_and_the_chunk_made_again(site: SnapshotSite, format_: str) -> None:
    outcome = do(site, request(format_))
    place, whole = Path(outcome.place), contents(outcome.place)
    for path in sorted(place.iterdir()):
        if path.name == "README.txt":
            continue  # nobody's digest covers it; it is for people
        flip(path, path.stat().st_size // 2)
        found = verify(site.workspace, "1")
        assert not found.ok, path
        chunk = next((each.number for each in outcome.chunks if each.file == path.name), 0)
        if chunk:
            assert found.chunks == (chunk,)
            export_again(site.workspace, "1", Wish(only_chunk=chunk))
        else:
            path.write_bytes(whole[path.name])
        assert verify(site.workspace, "1").ok, path
    assert contents(place) == whole


def test_a_chunk_that_is_missing_cut_off_or_another_one_is_found(site: SnapshotSite) -> None:
    outcome = do(site, request())
    first, second, third = (Path(outcome.place) / chunk.file for chunk in outcome.chunks)
    first.unlink()
    second.write_bytes(second.read_bytes()[:-60_000])
    third.write_bytes(second.read_bytes())
    found = verify(site.workspace, "1")
    assert found.chunks == (1, 2, 3)
    with pytest.raises(BadContent):
        verify(site.workspace, str(_empty(Path(outcome.place) / "other.tar")))


def _empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def test_segments_of_a_cut_object_are_verified_together(site: SnapshotSite) -> None:
    site.publish("tools/big", {"pool/main/big.deb": bytes(range(256)) * 1000})
    asked = request("tar", subject_kind="repository", names=("tools/big",), chunk_size=100_000)
    outcome = do(site, asked)
    assert verify(site.workspace, "1").ok
    middle = Path(outcome.place) / outcome.chunks[1].file
    flip(middle, 60_000)
    (Path(outcome.place) / "SHA256SUMS").unlink()
    damaged = {(each.chunk, each.what) for each in verify(site.workspace, "1").damaged}
    assert (len(outcome.chunks), "is damaged") in damaged


def test_a_tree_that_was_changed_is_found(site: SnapshotSite) -> None:
    outcome = do(site, request("dir"))
    tree = Path(outcome.place) / "content/tools/base"
    (tree / "foreign").write_text("x")
    (tree / "pool/main/base1.deb").unlink()
    (tree / "pool/main/base2.deb").unlink()
    (tree / "pool/main/base2.deb").write_bytes(bytes(50_000))
    [inventory, _] = (Path(outcome.place) / "inventories").iterdir()
    assert {(Path(each.file).name, each.what) for each in verify(site.workspace, "1").damaged} == {
        ("foreign", "was not published with the tree"),
        ("base1.deb", "is missing"),
        ("base2.deb", "does not have the digest it was published with"),
    }
    (Path(outcome.place) / "content/tools/base/foreign").unlink()
    export_again(site.workspace, "1", Wish())  # its chunks, which it has not, are not lost
    inventory.write_text("x")
    assert not verify(site.workspace, "1").ok


def test_an_increment_as_a_directory_is_verified(site: SnapshotSite) -> None:
    do(site, request("dir"))
    site.publish("tools/base", {"dists/stable/Release": "new", "pool/main/new.deb": "new"})
    outcome = do(site, request("dir", kind="increment"))
    assert verify(site.workspace, "2").ok
    (Path(outcome.place) / "content/tools/base/pool/main/new.deb").unlink()
    assert [each.what for each in verify(site.workspace, "2").damaged] == ["is missing"]


def test_an_export_of_a_stranger_is_verified_with_his_key(
    site: SnapshotSite, template: Path, tmp_path: Path
) -> None:
    outcome = do(site, request())
    with copied_site(template, tmp_path / "other") as other:
        (other.workspace.settings.key_file).unlink()
        with pytest.raises(Refused, match="not trusted"):
            verify(other.workspace, outcome.place)
        pem = tmp_path / "site.pem"
        argv = ["openssl", "pkey", "-in", str(site.workspace.settings.key_file), "-pubout", "-out", str(pem)]
        subprocess.run(argv, check=True)
        assert verify(other.workspace, outcome.place, [pem]).ok
        flip(Path(outcome.place) / "manifest.sig", 3)
        with pytest.raises(BadContent):
            verify(other.workspace, outcome.place, [pem])
        with pytest.raises(BadContent, match="no export"):
            verify(other.workspace, str(tmp_path))
    assert [each.file for each in verify(site.workspace, "1").damaged] == ["manifest.sig"]


def test_what_cannot_be_verified_says_why(site: SnapshotSite) -> None:
    outcome = do(site, request(), only_chunk=1)
    with pytest.raises(Refused, match="not finished"):
        verify(site.workspace, str(outcome.number))
    with pytest.raises(Refused, match="no export"):
        verify(site.workspace, "77")


# --- what goes


def test_an_export_is_removed_with_its_files_record_and_empty_directories(site: SnapshotSite) -> None:
    outcome = do(site, request(destination="dc2"))
    size = sum(len(data) for data in contents(outcome.place).values())
    other = do(site, request("dir"))
    removed = pruning.delete(site.workspace, [outcome.export[:10]])
    assert (removed.bytes, [each.number for each in removed.exports]) == (size, [1])
    root = site.workspace.settings.exports
    assert sorted(path.name for path in (root / "acme/library/-").iterdir()) == [Path(other.place).name]
    assert states(site) == ["complete"]
    with pytest.raises(Refused, match="no export"):
        pruning.delete(site.workspace, ["2", "1"])
    assert states(site) == ["complete"]


def test_a_pinned_export_stays_until_it_is_not(site: SnapshotSite) -> None:
    small(site)
    do(site, request())
    assert [each.pinned for each in pruning.set_pinned(site.workspace, ["1"], pinned=True)] == [True]
    with pytest.raises(Refused, match="pinned") as refused:
        pruning.delete(site.workspace, ["1"])
    assert refused.value.hint == "orchestrator export unpin 1"
    do(site, request("tgz"))
    assert pruning.prune(site.workspace, ExportRules(keep=1)).exports == ()
    pruning.set_pinned(site.workspace, ["1"], pinned=False)
    assert [each.number for each in pruning.prune(site.workspace, ExportRules(keep=1)).exports] == [1]


def test_whoever_removes_what_others_are_built_on_is_told(site: SnapshotSite) -> None:
    small(site)
    do(site, request())
    do(site, request(kind="increment"))
    assert pruning.prune(site.workspace, ExportRules(keep=1)).exports == ()
    removed = pruning.delete(site.workspace, ["1"])
    assert removed.warnings == ("export 1 is what 2 is built on: who lacks it cannot import that",)


def test_the_configured_rules_hold_after_each_export(template: Path, tmp_path: Path) -> None:
    with copied_site(template, tmp_path / "content", rules=ExportRules(keep=1)) as site:
        small(site)
        do(site, request())
        outcome = do(site, request("tgz"))
        assert [event.fields["why"] for event in site.events if event.name.value == "removed"] == [
            "older than the newest 1"
        ]
        assert [each.place for each in records.all_records(site.workspace)] == [outcome.place]


def test_what_is_worked_on_is_not_removed(site: SnapshotSite) -> None:
    small(site)
    do(site, request())
    do(site, request("tgz"))
    with line_lock(site.workspace.settings.exports, Subject("library", "acme"), "", 0):
        with pytest.raises(Busy):
            pruning.delete(site.workspace, ["1"])
        assert "at work" in pruning.prune(site.workspace, ExportRules(keep=1)).warnings[0]
    assert states(site) == ["complete", "complete"]


def test_directories_that_belong_to_no_export_are_listed_and_removed_on_request(site: SnapshotSite) -> None:
    small(site)
    do(site, request())
    root = site.workspace.settings.exports
    line = root / "acme/library/-"
    orphans = [
        line / "2020-01-01T000000Z",
        line / f".{'a' * 32}.partial",
        line / "dc2" / "2020-01-01T000000Z",
    ]
    kept = [line / "notes", root / "acme" / "README"]
    for path in (*orphans, *kept):
        path.mkdir(parents=True)
        (path / "file").write_text("x")
    (line / "2021-01-01T000000Z").symlink_to(kept[0])
    listed = pruning.prune(site.workspace, ExportRules())
    assert set(listed.orphans) == set(map(str, orphans))
    assert all(path.exists() for path in orphans)
    pruning.prune(site.workspace, ExportRules(), orphans=True)
    assert not any(path.exists() for path in orphans)
    assert all((path / "file").exists() for path in kept)
    assert states(site) == ["complete"]


def test_a_path_that_leads_out_of_the_root_is_not_removed(site: SnapshotSite, tmp_path: Path) -> None:
    small(site)
    outcome = do(site, request())
    outside = tmp_path / "outside"
    Path(outcome.place).parent.rename(outside)
    Path(outcome.place).parent.symlink_to(outside)
    with pytest.raises(Refused, match="leads out of"):
        pruning.delete(site.workspace, ["1"])
    assert (outside / Path(outcome.place).name / "manifest.json").exists()


def test_of_a_directory_elsewhere_just_the_export_goes(site: SnapshotSite, tmp_path: Path) -> None:
    small(site)
    usb = tmp_path / "usb"
    usb.mkdir()
    (usb / "other").write_text("x")
    outcome = do(site, request(), to=str(usb))
    record = records.find(site.workspace, "1")
    with site.workspace.catalog.changing(TESTER) as session:
        exports.add(session, replace(record, place=str(usb), number=0))
    pruning.delete(site.workspace, ["2"])
    assert (usb / "other").exists()
    pruning.delete(site.workspace, ["1"])
    assert [path.name for path in usb.iterdir()] == ["other"]
    assert not Path(outcome.place).exists()
    assert records.all_records(site.workspace) == []
