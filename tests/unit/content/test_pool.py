# SPDX-License-Identifier: GPL-3.0-or-later
import hashlib
import os
import threading
from pathlib import Path

import pytest

from orchestrator.content.model import Digest
from orchestrator.content.pool import Pool, hash_file
from orchestrator.errors import BadContent

SHA_OF_HELLO = hashlib.sha256(b"hello").hexdigest()


def test_bytes_get_their_name_in_the_pool_when_they_are_settled(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    sha256 = pool.add_bytes(b"hello")
    assert sha256 == SHA_OF_HELLO
    assert not pool.object(sha256).exists()
    assert pool.read(sha256) == b"hello"
    assert pool.size(sha256) == 5
    pool.settle()
    assert pool.path(sha256) == pool.object(sha256)
    assert pool.read(sha256) == b"hello"
    assert os.listdir(pool.incoming) == []


def test_a_file_is_kept_once(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    pool.add_bytes(b"hello")
    pool.add_bytes(b"hello")
    pool.settle()
    inode = pool.object(SHA_OF_HELLO).stat().st_ino
    pool.add_bytes(b"hello")
    pool.settle()
    assert pool.object(SHA_OF_HELLO).stat().st_ino == inode
    assert [name for name, _ in pool.stored()] == [SHA_OF_HELLO]


def test_what_a_dead_run_left_complete_is_taken_over(tmp_path: Path) -> None:
    Pool(tmp_path).add_bytes(b"hello")
    pool = Pool(tmp_path)
    assert pool.size(SHA_OF_HELLO) == 5
    pool.settle()
    assert pool.object(SHA_OF_HELLO).read_bytes() == b"hello"


def test_what_a_power_cut_tore_is_not_believed(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    (pool.incoming / SHA_OF_HELLO).write_bytes(b"\0\0\0\0\0")
    assert pool.size(SHA_OF_HELLO) is None
    assert os.listdir(pool.incoming) == []


def test_two_runs_that_bring_the_same_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    first, second = Pool(tmp_path), Pool(tmp_path)
    first.add_bytes(b"hello")
    # The second has begun its download before the first was through.
    download = second.incoming / "download.part"
    download.write_bytes(b"hello")
    inode = os.stat(first.path(SHA_OF_HELLO)).st_ino
    second.adopt(download, SHA_OF_HELLO, 5)
    assert os.stat(first.path(SHA_OF_HELLO)).st_ino == inode, (
        "it may not be on the disk when the first settles"
    )
    assert not download.exists()
    first.settle()
    assert second.read(SHA_OF_HELLO) == b"hello"
    second.settle()
    assert second.read(SHA_OF_HELLO) == first.read(SHA_OF_HELLO) == b"hello"
    assert os.listdir(first.incoming) == []


def test_a_run_that_shares_what_another_brought_finds_it_settled(tmp_path: Path) -> None:
    first, second = Pool(tmp_path), Pool(tmp_path)
    first.add_bytes(b"hello")
    assert second.size(SHA_OF_HELLO) == 5
    first.settle()
    assert second.read(SHA_OF_HELLO) == b"hello"
    second.settle()
    assert second.read(SHA_OF_HELLO) == b"hello"


def test_threads_may_add_at_once(tmp_path: Path) -> None:
    pool = Pool(tmp_path)

    def add() -> None:
        for number in range(50):
            pool.add_bytes(b"%d" % number)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool.settle()
    assert len(list(pool.stored())) == 50
    assert os.listdir(pool.incoming) == []


@pytest.mark.parametrize(
    "name", ["", "..", "../../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n", "é" * 64]
)
def test_the_pool_has_nothing_under_a_name_that_is_no_digest(tmp_path: Path, name: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text("root")
    pool = Pool(tmp_path / "root" / "of")
    assert pool.size(name) is None


def test_other_digests_lead_to_a_file(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    pool.add_bytes(b"hello")
    md5 = Digest("md5", hashlib.md5(b"hello").hexdigest())
    assert pool.alias(md5) is None
    pool.remember(md5, SHA_OF_HELLO)
    assert pool.alias(md5) == SHA_OF_HELLO
    assert pool.alias(Digest("sha256", SHA_OF_HELLO)) == SHA_OF_HELLO
    pool.remember(md5, "1" * 64)
    assert pool.alias(md5) == "1" * 64


@pytest.mark.parametrize("digest", [Digest("md5", "../../x"), Digest("../x", "00"), Digest("sha1", "")])
def test_what_is_no_digest_leads_nowhere(tmp_path: Path, digest: Digest) -> None:
    pool = Pool(tmp_path)
    assert pool.alias(digest) is None
    with pytest.raises(ValueError, match="is not a digest"):
        pool.remember(digest, SHA_OF_HELLO)


def test_aliases_are_not_among_the_stored_files(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    pool.remember(Digest("md5", "00" * 16), SHA_OF_HELLO)
    (pool.objects / "lost+found").mkdir()
    assert list(pool.stored()) == []


def test_a_file_is_copied_in_if_it_still_is_what_it_was(tmp_path: Path) -> None:
    pool, file = Pool(tmp_path / "root"), tmp_path / "a.deb"
    file.write_bytes(b"hello")
    pool.add_file(file, SHA_OF_HELLO)
    pool.settle()
    assert pool.object(SHA_OF_HELLO).read_bytes() == b"hello"
    assert file.stat().st_nlink == 1
    with pytest.raises(BadContent, match="changed while it was read"):
        pool.add_file(file, "1" * 64)
    assert os.listdir(pool.incoming) == []


def test_files_can_be_read_by_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        pool = Pool(tmp_path / "root")
        pool.add_bytes(b"hello")
        pool.settle()
    finally:
        os.umask(before)
    assert pool.object(SHA_OF_HELLO).stat().st_mode & 0o777 == 0o644
    assert pool.root.stat().st_mode & 0o777 == 0o755


def test_a_discarded_file_is_there_no_more_and_can_be_taken_back(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    pool.add_bytes(b"hello")
    pool.settle()
    os.link(pool.object(SHA_OF_HELLO), tmp_path / "of-a-tree")
    pool.discard(SHA_OF_HELLO)
    pool.discard(SHA_OF_HELLO)
    assert pool.size(SHA_OF_HELLO) is None
    pool.take_back(tmp_path / "of-a-tree", SHA_OF_HELLO)
    assert pool.size(SHA_OF_HELLO) == 5


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_all_bytes_of_a_file_are_hashed(tmp_path: Path, size: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * size)
    assert hash_file(file) == (hashlib.sha256(b"x" * size).hexdigest(), size)
