# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees of a `dir` export, of links and, where there are none, of copies."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from orchestrator.content.exports import directory
from orchestrator.content.model import StoredFile
from orchestrator.content.pool import Pool
from orchestrator.errors import BadContent

CONTENTS = {"a/one": b"one", "a/b/two": b"two" * 1000, "three": b""}


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return Pool(tmp_path / "root")


def stored(pool: Pool) -> list[StoredFile]:
    files = [StoredFile(path, len(data), pool.add_bytes(data)) for path, data in CONTENTS.items()]
    pool.settle()
    return files


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), *paths)

    monkeypatch.setattr(os, "link", refuse)


def found(tree: Path) -> dict[str, bytes]:
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def test_a_tree_is_links_into_the_pool_that_others_can_read(pool: Pool, tmp_path: Path) -> None:
    told: list[int] = []
    files = stored(pool)
    assert directory.build(tmp_path / "tree", pool, files, told.append)
    assert found(tmp_path / "tree") == CONTENTS
    assert sum(told) == sum(map(len, CONTENTS.values()))
    for file in files:
        assert (tmp_path / "tree" / file.path).samefile(pool.object(file.sha256))
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "tree" / "a" / "b", tmp_path / "tree")] == [
        0o755
    ] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root", "tree"]


def test_where_there_are_no_links_copies_are_made_and_verified(
    pool: Pool, tmp_path: Path, no_links: None
) -> None:
    files = _stored_without_links(pool)
    umask = os.umask(0o077)
    try:
        assert not directory.build(tmp_path / "tree", pool, files, lambda _: None)
    finally:
        os.umask(umask)
    assert found(tmp_path / "tree") == CONTENTS
    assert {p.stat().st_mode & 0o777 for p in (tmp_path / "tree").rglob("*")} == {0o755, 0o644}
    pool.object(files[0].sha256).write_bytes(b"0ne")
    (tmp_path / "tree" / files[0].path).unlink()
    with pytest.raises(BadContent, match="damaged in the pool"):
        directory.build(tmp_path / "tree", pool, files, lambda _: None)
    assert not (tmp_path / "tree" / files[0].path).exists()


def _stored_without_links(pool: Pool) -> list[StoredFile]:
    files = []
    for path, data in CONTENTS.items():
        sha256 = hashlib.sha256(data).hexdigest()
        pool.object(sha256).parent.mkdir(exist_ok=True)
        pool.object(sha256).write_bytes(data)
        files.append(StoredFile(path, len(data), sha256))
    return files


def test_copies_that_are_there_stay_if_they_are_good_and_nothing_else_does(
    pool: Pool, tmp_path: Path, no_links: None
) -> None:
    files, tree = _stored_without_links(pool), tmp_path / "tree"
    directory.build(tree, pool, files, lambda _: None)
    good = (tree / "a/one").stat().st_ino
    (tree / "a/b/two").write_bytes(b"TWO" * 1000)
    (tree / "three").unlink()
    (tree / "three").mkdir()
    (tree / "foreign").mkdir()
    (tree / "foreign" / "file").write_text("x")
    (tree / "link").symlink_to(tmp_path)
    directory.build(tree, pool, files, lambda _: None)
    assert found(tree) == CONTENTS
    assert (tree / "a/one").stat().st_ino == good
    assert not (tree / "foreign").exists()
    assert not (tree / "link").is_symlink()
    assert tmp_path.is_dir()


def test_what_the_pool_lacks_is_named(pool: Pool, tmp_path: Path) -> None:
    file = StoredFile("a/gone.deb", 3, "0" * 64)
    with pytest.raises(BadContent, match="not in the pool"):
        directory.build(tmp_path / "tree", pool, [file], lambda _: None)
