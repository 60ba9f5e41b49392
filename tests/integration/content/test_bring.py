# SPDX-License-Identifier: GPL-3.0-or-later
"""A source's files from a server into the pool."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.content.bring import SourceFetcher
from orchestrator.content.fetching import Ending, Wanted
from orchestrator.content.model import Digest, FileRef
from orchestrator.content.pool import Pool
from orchestrator.content.source import Common, Source
from orchestrator.content.transfer.engine import Transfer
from orchestrator.content.transfer.policy import Backoff
from tests.support.fault_server import FaultServer, always, fault_server, status


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FaultServer]:
    with fault_server(tmp_path / "www") as server:
        yield server


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return Pool(tmp_path / "store")


def fetcher(pool: Pool, *bases: str, **prefixes: tuple[str, ...]) -> SourceFetcher:
    source = Source("s", "deb", bases, ("main",))
    transfer = Transfer(Common(connections=4, retries=1), backoff=Backoff(0.01, 0.01))
    return SourceFetcher(pool, transfer, source, prefixes or {"": bases})


def wanted(path: str, data: bytes, algorithm: str = "sha256", *paths: str) -> Wanted:
    digest = Digest(algorithm, hashlib.new(algorithm, data).hexdigest())
    return Wanted(FileRef(path, len(data), digest), paths, "package")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_is_brought_is_in_the_pool_and_not_asked_for_again(server: FaultServer, pool: Pool) -> None:
    files = {f"pool/{n}.deb": server.write(f"pool/{n}.deb", os.urandom(1000)) for n in range(30)}
    asked = [wanted(path, data) for path, data in files.items()]
    brought = fetcher(pool, server.url).bring(asked)
    for each, (path, data) in zip(brought, files.items(), strict=True):
        assert each.ending is Ending.DONE
        assert each.stored == (path, len(data), sha256(data), "package")
        assert pool.read(sha256(data)) == data
    pool.settle()
    assert not list(pool.incoming.iterdir())
    again = fetcher(Pool(pool.root), server.url).bring(asked)
    assert [each.stored for each in again] == [each.stored for each in brought]
    assert len(server.asked) == 30


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha512"])
def test_files_of_other_digests_are_known_again(server: FaultServer, pool: Pool, algorithm: str) -> None:
    data = server.write("a", b"content")
    (first,) = fetcher(pool, server.url).bring([wanted("a", data, algorithm)])
    assert first.stored == ("a", 7, sha256(data), "package")
    (again,) = fetcher(pool, server.url).bring([wanted("b", data, algorithm)])
    assert again.stored == ("b", 7, sha256(data), "package")
    assert len(server.asked) == 1


def test_the_same_digest_is_fetched_once(server: FaultServer, pool: Pool) -> None:
    data = server.write("b", b"content")
    brought = fetcher(pool, server.url).bring([wanted("a", data), wanted("b", data), wanted("b", data)])
    assert [each.stored and each.stored.path for each in brought] == ["a", "b", "b"]
    assert [asked.path for asked in server.asked] == ["/a", "/b"]  # the file is at either


def test_places_are_asked_in_order_at_every_address(server: FaultServer, pool: Pool) -> None:
    data = server.write("two/Packages", b"content")
    bases = (server.url + "one/", server.url + "two/")
    asked = wanted("Packages", data, "sha256", "by-hash/x", "Packages")
    (brought,) = fetcher(pool, *bases).bring([asked])
    assert brought.ending is Ending.DONE
    assert brought.url == server.url + "two/Packages"
    assert [one.path for one in server.asked] == [
        "/one/by-hash/x",
        "/two/by-hash/x",
        "/one/Packages",
        "/two/Packages",
    ]


def test_the_longest_prefix_names_the_address(server: FaultServer, pool: Pool) -> None:
    data = server.write("here/a/b", b"content")
    source = Source("s", "rpm", (), ("os",), mirrorlist=server.url + "list")
    addresses = {"": (server.url + "wrong/",), "os/": (server.url + "here/",)}
    one = SourceFetcher(pool, Transfer(Common()), source, addresses)
    assert one.bring([wanted("os/a/b", data)])[0].ending is Ending.DONE
    only = SourceFetcher(pool, Transfer(Common()), source, {"os/": (server.url,)})
    (nowhere,) = only.bring([wanted("updates/x", b"else")])
    assert (nowhere.ending, nowhere.why) == (Ending.NOT_FOUND, "no address to ask")


@pytest.mark.parametrize(
    "name", ["g++_1.0+b1~rc1.deb", "x_1%3a2_all.deb", "x_1:2.deb", "a b&c=d.deb", "é.deb"]
)
def test_names_with_special_characters_are_found(server: FaultServer, pool: Pool, name: str) -> None:
    data = server.write(f"pool/{name}", name.encode())
    (brought,) = fetcher(pool, server.url).bring([wanted(f"pool/{name}", data)])
    assert brought.ending is Ending.DONE, brought.why


def test_failures_are_told_one_by_one(server: FaultServer, pool: Pool) -> None:
    good = server.write("good", b"good")
    server.write("bad", b"other")
    server.faults["/sick"] = always(status(500))
    asked = [wanted("gone", b"x"), wanted("good", good), wanted("bad", b"wrong"), wanted("sick", b"y")]
    brought = fetcher(pool, server.url).bring(asked)
    outcomes = [Ending.NOT_FOUND, Ending.DONE, Ending.WRONG_CONTENT, Ending.UNREACHABLE]
    assert [each.ending for each in brought] == outcomes
    for each in brought:
        assert each.url == server.url + each.wanted.file.path
        assert (each.why == "") == (each.ending is Ending.DONE)
        assert (each.stored is None) == (each.ending is not Ending.DONE)


@pytest.mark.parametrize("digest", [Digest("crc32", "00"), Digest("sha256", "../../x"), Digest("sha1", "")])
def test_a_digest_that_is_none_is_wrong_content(server: FaultServer, pool: Pool, digest: Digest) -> None:
    server.write("a", b"content")
    (brought,) = fetcher(pool, server.url).bring([Wanted(FileRef("a", 7, digest))])
    assert brought.ending is Ending.WRONG_CONTENT
    assert brought.why
    assert not list(pool.incoming.iterdir())


def test_files_without_digest_or_size_are_brought_too(server: FaultServer, pool: Pool) -> None:
    data = server.write("a", b"content")
    (brought,) = fetcher(pool, server.url).bring([Wanted(FileRef("a", None, None))])
    assert brought.stored == ("a", len(data), sha256(data), "")


def test_half_a_file_of_an_earlier_run_is_gone_on_with(server: FaultServer, pool: Pool) -> None:
    data = server.write("a", os.urandom(100_000))
    (pool.incoming / f"{sha256(data)}.part").write_bytes(data[:60_000])
    (brought,) = fetcher(pool, server.url).bring([wanted("a", data)])
    assert brought.ending is Ending.DONE
    assert server.asked[0].headers["range"] == "bytes=60000-"
    assert pool.read(sha256(data)) == data


def test_an_entry_comes_with_its_validators_and_is_asked_for_conditionally(
    server: FaultServer, pool: Pool
) -> None:
    data = server.write("dists/x/InRelease", b"Suite: x\n")
    one = fetcher(pool, server.url)
    reply = one.entry("dists/x/InRelease", None, 1000)
    assert (reply.ending, reply.data) == (Ending.DONE, data)
    assert reply.url == server.url + "dists/x/InRelease"
    again = one.entry("dists/x/InRelease", reply.validators, 1000)
    assert (again.ending, again.data, again.why) == (Ending.NOT_MODIFIED, b"", "")
    gone = one.entry("dists/y/InRelease", None, 1000)
    assert gone.ending is Ending.NOT_FOUND
    assert "404" in gone.why
    assert server.connections == 1
    assert one.entry("dists/x/InRelease", None, 3).ending is Ending.WRONG_CONTENT


def test_local_sources_need_no_server(tmp_path: Path, pool: Pool) -> None:
    tree = tmp_path / "my tree"
    (tree / "pool").mkdir(parents=True)
    (tree / "pool" / "x_1%3a2.deb").write_bytes(b"content")
    one = fetcher(pool, f"file://{tmp_path}/my%20tree/")
    brought = one.bring([wanted("pool/x_1%3a2.deb", b"content"), wanted("pool/none", b"none")])
    assert [each.ending for each in brought] == [Ending.DONE, Ending.NOT_FOUND]
    assert one.entry("pool/x_1%3a2.deb", None, 100).data == b"content"


def test_two_runs_bring_the_same_at_once(server: FaultServer, pool: Pool) -> None:
    import threading

    files = [server.write(f"f{n}", os.urandom(50_000)) for n in range(40)]
    asked = [wanted(f"f{n}", data) for n, data in enumerate(files)]
    pools = [pool, Pool(pool.root)]
    results: list[list[Ending]] = []

    def run(mine: Pool) -> None:
        brought = fetcher(mine, server.url).bring(asked)
        mine.settle()
        results.append([each.ending for each in brought])

    threads = [threading.Thread(target=run, args=(mine,)) for mine in pools]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[Ending.DONE] * 40] * 2
    fresh = Pool(pool.root)
    for data in files:
        assert fresh.object(sha256(data)).read_bytes() == data
    assert not list(pool.incoming.iterdir())
