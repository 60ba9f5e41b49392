# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.content.generations import MirrorStore, collect_garbage, store_names
from orchestrator.content.model import Digest, Metadata, StoredFile, Validators
from orchestrator.content.pool import Pool
from orchestrator.errors import BadContent, Busy, Invalid, Refused
from tests.support.publishing import contents, lasts, publish, put, record, store, version

A = {"dists/index": "one", "pool/a.deb": "a"}
B = {"dists/index": "two", "pool/b.deb": "b"}
C = {"dists/index": "three", "pool/c.deb": "c"}
D = {"dists/index": "four", "pool/d.deb": "d"}


def numbers(mirror: MirrorStore) -> list[int]:
    return [generation.number for generation in mirror.generations()]


def lingering(mirror: MirrorStore) -> dict[int, list[str]]:
    current = mirror.current()
    assert current is not None
    return {number: [file.path for file in files] for number, files in current.inventory().lingering.items()}


def test_a_mirror_that_was_never_published_has_nothing(tmp_path: Path) -> None:
    mirror = store(tmp_path)
    assert mirror.current() is None
    assert mirror.generations() == []
    assert mirror.held() == ()
    assert store_names(tmp_path) == []


def test_a_published_tree_is_hard_links_into_the_pool(tmp_path: Path) -> None:
    mirror = store(tmp_path)
    with mirror.lock():
        generation = publish(mirror, A)
    assert os.readlink(tmp_path / "published" / "toy") == "../repositories/toy/1"
    assert contents(tmp_path / "published" / "toy") == A
    for file in generation.inventory().own:
        assert os.path.samefile(generation.tree / file.path, mirror.pool.path(file.sha256))
    assert mirror.current() == generation
    assert (generation.record.number, generation.record.files, generation.record.bytes) == (1, 2, 4)
    assert store_names(tmp_path) == ["toy"]


def test_a_web_server_can_read_the_tree_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        mirror = store(tmp_path / "root")
        with mirror.lock():
            publish(mirror, A)
            publish(mirror, A | {"new/file": "x"})
    finally:
        os.umask(before)
    for path in [mirror.published, *(tmp_path / "root").rglob("*")]:
        if "pool/" in str(path.relative_to(tmp_path / "root")) and "toy" not in path.parts:
            continue
        status = path.stat()
        if path.is_dir() and path.name not in {"incoming", "pool"}:
            assert status.st_mode & 0o777 == 0o755, path
        elif "toy" in path.parts and path.parent != mirror.path:
            assert status.st_mode & 0o444 == 0o444, path


def test_generations_are_kept_as_many_as_told(tmp_path: Path) -> None:
    mirror = store(tmp_path)
    with mirror.lock():
        for number, tree in enumerate((A, B, C, D, A), 1):
            publish(mirror, tree, keep=3)
            assert numbers(mirror) == list(range(max(1, number - 2), number + 1))
    assert sorted(os.listdir(mirror.path)) == sorted(
        ["lock", *(f"{number}{suffix}" for number in (3, 4, 5) for suffix in ("", ".json", ".inventory"))]
    )


def test_packages_of_the_generations_that_are_kept_linger(tmp_path: Path) -> None:
    mirror = store(tmp_path)
    with mirror.lock():
        for tree in (A, B, C):
            publish(mirror, tree, keep=3)
        assert contents(mirror.published) == C | {"pool/a.deb": "a", "pool/b.deb": "b"}
        assert lingering(mirror) == {2: ["pool/b.deb"], 1: ["pool/a.deb"]}
        publish(mirror, D, keep=3)
        assert contents(mirror.published) == D | {"pool/b.deb": "b", "pool/c.deb": "c"}
        publish(mirror, B, keep=1)
        assert contents(mirror.published) == B


def test_what_lingered_only_does_not_linger_on(tmp_path: Path) -> None:
    mirror = store(tmp_path)
    with mirror.lock():
        for tree in (A, B, B, B):
            publish(mirror, tree, keep=3)
        assert contents(mirror.published) == B


def test_an_old_tree_that_somebody_changed_is_not_carried_over(tmp_path: Path) -> None:
    mirror = store(tmp_path)
    with mirror.lock():
        for _ in range(3):
            publish(mirror, A | {"dists/more": "m", "x/y/z": "deep"}, keep=3)
        tree = mirror.path / "1"
        (tree / "pool" / "a.deb").unlink()
        (tree / "dists" / "index").unlink()
        (tree / "dists" / "index").write_text("one")
        (tree / "dists" / "more").unlink()
        (tree / "dists" / "more").symlink_to("/etc/passwd")
        (tree / "x" / "y" / "foreign").write_text("foreign")
        (tree / "x" / "y" / "directory" / "in").mkdir(parents=True)
        (tree / "x" / "y" / "z").unlink()
        (tree / "x" / "y" / "z").mkdir()
        wanted = {"dists/more": "m", "x/y/z": "deep", **B}
        generation = publish(mirror, wanted, keep=3)
        assert contents(mirror.published) == wanted | {"pool/a.deb": "a"}
        assert mirror.check(full=True).ok
        assert not (generation.tree / "dists" / "more").is_symlink()
        assert not (generation.tree / "x" / "y" / "directory").exists()
        for file in generation.inventory():
            assert os.path.samefile(generation.tree / file.path, mirror.pool.path(file.sha256))


def test_a_path_collision_changes_nothing(tmp_path: Path) -> None:
    mirror = store(tmp_path)
    with mirror.lock():
        publish(mirror, A)
        with pytest.raises(BadContent, match="pool is a file of the repository and the directory of pool/"):
            publish(mirror, B | {"pool": "x"})
        files = [*put(mirror.pool, {"a": "one"}), *put(mirror.pool, {"a": "two"})]
        with pytest.raises(BadContent, match="claim the path a"):
            mirror.publish(files, record(), names_that_last=lasts, keep=3)
    assert contents(mirror.published) == A
    assert numbers(mirror) == [1]


@pytest.mark.parametrize("path", ["x" * 300, f"{'y' * 300}/z"])
def test_a_name_that_is_too_long_changes_nothing(tmp_path: Path, path: str) -> None:
    mirror = store(tmp_path)
    with mirror.lock():
        publish(mirror, A)
        with pytest.raises(BadContent, match="the file system does not take the name"):
            publish(mirror, {path: "x"})
        assert numbers(mirror) == [1]
        assert ".2.new" not in os.listdir(mirror.path)
        assert publish(mirror, B).number == 2


def test_bytes_that_are_not_in_the_pool_cannot_be_published(tmp_path: Path) -> None:
    mirror = store(tmp_path)
    with mirror.lock():
        with pytest.raises(BadContent, match=r"pool/a\.deb .* not in the pool"):
            mirror.publish([StoredFile("pool/a.deb", 1, "0" * 64)], record(), names_that_last=lasts, keep=3)
        assert mirror.current() is None
        assert numbers(mirror) == []


def test_an_inode_without_links_left_is_copied(tmp_path: Path) -> None:
    most = os.pathconf(tmp_path, "PC_LINK_MAX")
    if most > 70_000:
        pytest.skip(f"this file system takes {most} links")
    mirror = store(tmp_path)
    with mirror.lock():
        sha256 = mirror.pool.add_bytes(b"")
        files = [StoredFile(f"{number % 300}/{number}", 0, sha256) for number in range(most + 5)]
        generation = mirror.publish(files, record(), names_that_last=lasts, keep=3)
        report = mirror.check()
    assert report.ok
    assert report.files == most + 5
    assert generation.record.bytes == 0


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "a/b", "a b", "-x", "ä", "x" * 201, "a\n"])
def test_a_name_that_is_no_safe_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid, match="cannot be the name of a mirror"):
        store(tmp_path, name)


def test_a_second_run_is_told_who_is_at_work(tmp_path: Path) -> None:
    mirror = store(tmp_path)
    with mirror.lock():
        code = "import sys; from pathlib import Path; from tests.support.publishing import store\n"
        code += "with store(Path(sys.argv[1])).lock(0.3): pass"
        other = subprocess.run(
            [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False
        )
    assert f"Busy: another run is at work on the mirror toy (pid {os.getpid()}, since 2" in other.stderr
    with pytest.raises(Busy), mirror.lock(), store(tmp_path).lock():
        pass
    with mirror.lock(), store(tmp_path, "other").lock():
        pass


def test_what_is_in_the_place_of_the_link_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "published" / "toy").mkdir(parents=True)
    mirror = store(tmp_path)
    with pytest.raises(Refused, match="is a directory, not a mirror") as refusal, mirror.lock():
        pass
    assert refusal.value.hint == f"move it away: mv {mirror.published} {mirror.published}.old"
    mirror.published.rmdir()
    for target in ("/var/www", "../repositories/other/1", "../repositories/toy", "../repositories/toy/x"):
        mirror.published.symlink_to(target)
        with pytest.raises(Refused, match=f"is a link to {target}"):
            publish(mirror, A)
        assert os.readlink(mirror.published) == target
        mirror.published.unlink()
    assert publish(mirror, A).number == 1


def test_a_record_of_a_newer_program_is_not_touched(tmp_path: Path) -> None:
    mirror = store(tmp_path)
    with mirror.lock():
        publish(mirror, A)
    (mirror.path / "1.json").write_text(json.dumps({"format": 2}))
    with pytest.raises(Refused, match="newer version"):
        publish(mirror, B)
    assert contents(mirror.published) == A


@pytest.mark.parametrize("torn", ["1.json", "1.inventory"])
def test_a_mirror_whose_state_was_damaged_is_made_good_by_the_next_publication(
    tmp_path: Path, torn: str
) -> None:
    mirror = store(tmp_path)
    with mirror.lock():
        publish(mirror, A)
    for damage in ("", None):
        path = mirror.path / torn
        if damage is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(damage)
    with mirror.lock():
        assert contents(mirror.published) == A, "clients still have it"
        assert mirror.current() is None
        publish(mirror, B)
    assert contents(mirror.published) == B
    assert mirror.check(full=True).ok


def test_leftovers_are_cleared_away(tmp_path: Path) -> None:
    mirror = store(tmp_path)
    with mirror.lock():
        publish(mirror, A)
    (mirror.path / ".2.new" / "pool").mkdir(parents=True)
    (mirror.path / ".2.json").write_text("{}")
    (mirror.path / "2.inventory").write_text("")
    (mirror.path / "3").mkdir()
    (mirror.path / "4.json").write_text("{}")
    (tmp_path / "published" / ".toy.new").symlink_to("x")
    with mirror.lock():
        pass
    assert sorted(os.listdir(mirror.path)) == ["1", "1.inventory", "1.json", "lock"]
    assert os.listdir(tmp_path / "published") == ["toy"]


def test_rollback_is_one_rename_and_the_next_generation_gets_a_new_number(tmp_path: Path) -> None:
    mirror = store(tmp_path)
    with mirror.lock():
        for tree in (A, B, C):
            publish(mirror, tree)
        assert mirror.rollback().number == 2
        assert contents(mirror.published)["dists/index"] == "two"
        assert mirror.rollback(None).number == 1
        with pytest.raises(Refused, match=r"does not have an earlier generation \(there: 1, 2, 3\)"):
            mirror.rollback()
        with pytest.raises(Refused, match="does not have a generation 7"):
            mirror.rollback(7)
        assert mirror.rollback(3).number == 3
        assert mirror.rollback(3).number == 3
        assert mirror.rollback(1).number == 1
        generation = publish(mirror, D)
        assert (generation.number, generation.record.previous) == (4, 1)
        assert numbers(mirror) == [1, 3, 4], "what clients were just served stays"
        assert mirror.rollback().number == 1, "3 was not the one before"


def test_after_a_rollback_a_client_of_the_newer_tree_still_finds_its_packages(tmp_path: Path) -> None:
    mirror = store(tmp_path)
    with mirror.lock():
        publish(mirror, version(1))
        publish(mirror, version(2))
        index = json.loads((mirror.published / "dists/index").read_text())
        assert mirror.rollback(names_that_last=lasts).number == 1
        assert (mirror.published / "dists/number").read_text() == "1"
        assert all((mirror.published / path).exists() for path in index)
        assert mirror.check(full=True).ok
        assert mirror.rollback(2, names_that_last=lasts).number == 2
        assert mirror.check(full=True).ok


def test_prune_removes_all_but_the_newest_and_the_current(tmp_path: Path) -> None:
    mirror = store(tmp_path)
    with mirror.lock():
        for tree in (A, B, C, D):
            publish(mirror, tree, keep=9)
        mirror.rollback(2)
        pruned = mirror.prune(2)
        assert pruned.generations == (1, 3)
        assert numbers(mirror) == [2, 4]
        # "one" and "three" are gone; packages linger in 4 still.
        assert pruned.bytes == len("one") + len("three")
        assert mirror.prune(0).generations == (4,)
    assert contents(mirror.published) == B | {"pool/a.deb": "a"}


def test_held_metadata_is_read_again(tmp_path: Path) -> None:
    mirror = store(tmp_path)
    release, packages = put(mirror.pool, {"dists/InRelease": "r", "dists/Packages": "p"})
    one = Metadata(
        "stable main",
        (release._replace(role="InRelease"),),
        (packages,),
        Validators('"abc"', "Mon, 01 Jan 2024 00:00:00 GMT"),
        "http://a/InRelease",
        1700000000.0,
        None,
        ("ABCDEF",),
        "selection",
    )
    two = replace(one, repository="other", indexes=(), valid_until=1.5, date=None)
    with mirror.lock():
        mirror.hold([one, two])
    assert store(tmp_path).held() == (one, two)
    mirror.pool.discard(packages.sha256)
    assert store(tmp_path).held() == (two,), "what is not in the pool is asked for anew"


@pytest.mark.parametrize("text", ["", "[]", '{"format": 9}', '{"format": 1, "repositories": [{}]}', "\xff"])
def test_damaged_metadata_is_as_none(tmp_path: Path, text: str) -> None:
    mirror = store(tmp_path)
    with mirror.lock():
        mirror.hold([])
    (mirror.path / "upstream.json").write_bytes(text.encode("latin-1"))
    assert mirror.held() == ()


def test_garbage_is_what_no_tree_and_no_held_metadata_has(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    mirror, other = MirrorStore(pool, "toy"), MirrorStore(pool, "other")
    with mirror.lock():
        publish(mirror, A, keep=1)
        publish(mirror, B, keep=1)
        (held,) = put(pool, {"index": "held"})
        mirror.hold([Metadata("x", (held,), (), Validators(), "")])
    with other.lock():
        publish(other, {"a": "a"})
    put(pool, {"index": "of a run that failed"})
    pool.settle()
    pool.remember(Digest("md5", "00"), pool.add_bytes(b"one"))
    pool.remember(Digest("md5", "11"), pool.add_bytes(b"two"))
    assert collect_garbage(pool, spare=60.0) == 0
    assert collect_garbage(pool) == len("one") + len("of a run that failed")
    assert sorted(pool.read(name) for name, _ in pool.stored()) == [b"a", b"b", b"held", b"two"]
    assert pool.alias(Digest("md5", "00")) is None
    assert pool.alias(Digest("md5", "11")) is not None
    assert collect_garbage(pool) == 0


def test_an_interrupted_download_is_kept_for_a_week(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    for name, days in (("old.part", 8), ("new.part", 1)):
        (pool.incoming / name).write_bytes(b"half")
        then = (pool.incoming / name).stat().st_mtime - days * 86400
        os.utime(pool.incoming / name, (then, then))
    (pool.incoming / f"{'0' * 64}.1.1.new").write_bytes(b"of a dead run")
    assert collect_garbage(pool) == 4 + len("of a dead run")
    assert os.listdir(pool.incoming) == ["new.part"]


def test_no_garbage_is_collected_while_a_run_is_at_work(tmp_path: Path) -> None:
    mirror = store(tmp_path)
    with mirror.lock():
        mirror.pool.add_bytes(b"just brought in")
        mirror.pool.settle()
        with pytest.raises(Busy, match="nothing was removed"):
            collect_garbage(mirror.pool)
    assert collect_garbage(mirror.pool) == len("just brought in")
