# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirrors of plain files, and repositories made of them: from real servers, to a real client."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import content
from orchestrator.content.outcome import Status
from orchestrator.content.source import Common, Filter, Mirrors, Source
from orchestrator.errors import Invalid, TransferFailed
from tests.support.file_directory import FileDirectory, fetch, run
from tests.support.static_server import StaticServer, static_server

FILES = {"disk.iso": b"a disk", "doc/read me, 100% #1?.txt": b"read", "tools/[x] ü.bin": b"\0\1"}


@pytest.fixture
def upstream(tmp_path: Path) -> FileDirectory:
    made = FileDirectory(tmp_path / "www/files")
    made.write(FILES)
    return made


@pytest.fixture
def server(tmp_path: Path, upstream: FileDirectory) -> Iterator[StaticServer]:
    with static_server(tmp_path / "www") as server:
        yield server


class Mirror:
    def __init__(self, root: Path, server: StaticServer) -> None:
        self.source = Source("files", "file", (f"{server.url}files/",), (".",), unsigned=True)
        self.root = root

    def engine(self, source: Source | None = None) -> content.Engine:
        common = Common(destination=self.root, retries=0)
        return content.Engine(Mirrors(self.root / "mirrors.yaml", common, (source or self.source,)))

    def clone(self, source: Source | None = None) -> content.Outcome:
        with self.engine(source) as engine:
            (outcome,) = content.clone(engine, engine.mirrors.sources, [], content.Wish(allow_shrink=True))
        return outcome

    @property
    def files(self) -> dict[str, bytes]:
        tree = (self.root / "published/files").resolve()
        return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


@pytest.fixture
def mirror(tmp_path: Path, server: StaticServer) -> Mirror:
    return Mirror(tmp_path / "content", server)


def test_a_mirror_is_the_upstream_with_its_list(mirror: Mirror, upstream: FileDirectory) -> None:
    assert mirror.clone().packages == 3
    assert mirror.files == {**FILES, "PULP_MANIFEST": (upstream.root / "PULP_MANIFEST").read_bytes()}


def test_without_news_it_is_one_conditional_request(mirror: Mirror, server: StaticServer) -> None:
    mirror.clone()
    server.requests.clear()
    assert mirror.clone().status is Status.UNCHANGED
    assert server.requests == [("GET", "/files/PULP_MANIFEST", 304)]


def test_who_read_the_list_before_still_finds_what_is_gone_from_it(
    mirror: Mirror, upstream: FileDirectory
) -> None:
    mirror.clone()
    upstream.write({"disk.iso": b"another disk"})
    outcome = mirror.clone()
    assert (outcome.packages, outcome.removed_files) == (1, 2)
    assert mirror.files["tools/[x] ü.bin"] == b"\0\1"
    assert mirror.files["disk.iso"] == b"another disk"
    assert b"tools" not in mirror.files["PULP_MANIFEST"]


def test_parts_are_chosen_by_name_and_listed_anew(mirror: Mirror) -> None:
    some = replace(mirror.source, exclude=(Filter(name="doc/*"),))
    mirror.clone(some)
    assert set(mirror.files) == {"disk.iso", "tools/[x] ü.bin", "PULP_MANIFEST"}
    one = replace(mirror.source, partial=True, requirements=("disk.iso", "disk.img"))
    outcome = mirror.clone(one)
    assert [(each.relation, each.nearest) for each in outcome.unresolved] == [
        ("disk.img", "there is disk.iso")
    ]
    assert mirror.files["PULP_MANIFEST"].count(b"\n") == 1


def test_a_file_that_is_not_what_the_list_says_is_not_published(
    mirror: Mirror, upstream: FileDirectory
) -> None:
    (upstream.root / "disk.iso").write_bytes(b"b disk")
    outcome = mirror.clone()
    assert isinstance(outcome.error, TransferFailed)
    assert "disk.iso" in str(outcome.error.problems)
    assert not (mirror.root / "published/files").exists()


def test_packages_shows_the_files(mirror: Mirror) -> None:
    with mirror.engine() as engine:
        found = content.search(engine, [], content.Query(name="*.iso"))
        assert [str(package) for package in found] == ["disk.iso"]


def test_a_client_fetches_and_checks_them(mirror: Mirror, upstream: FileDirectory, tmp_path: Path) -> None:
    mirror.clone()
    with static_server(mirror.root / "published") as published, mirror.engine() as engine:
        script = content.client_config(engine, "files", f"{published.url}files")
        place = tmp_path / "a client"
        assert fetch(place, script) == FILES
        assert f"#   {published.url}files/PULP_MANIFEST" in script
        published.requests.clear()
        assert fetch(place, script) == FILES
        assert [path for _, path, _ in published.requests] == ["/files/PULP_MANIFEST"]
        (place / "disk.iso").write_bytes(b"damaged")
        assert fetch(place, script) == FILES
        (mirror.root / "published/files/disk.iso").write_bytes(b"c disk")
        (place / "disk.iso").unlink()
        assert run(place, script).returncode != 0, "not what the list says"


def test_a_repository_is_made_of_local_files_of_any_kind(mirror: Mirror, tmp_path: Path) -> None:
    for path, data in {"pictures/a.png": b"a", "pictures/more/b.png": b"b", "notes": b"n"}.items():
        (tmp_path / "local" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "local" / path).write_bytes(data)
    given = [tmp_path / "local/pictures", tmp_path / "local/notes"]
    with mirror.engine() as engine:
        outcome = content.create_from_files(engine, "made", given, type_="file")
        assert outcome.packages == 3
        tree = mirror.root / "published/made"
        assert (tree / "more/b.png").read_bytes() == b"b"
        listed = (tree / "PULP_MANIFEST").read_text().splitlines()
        assert [line.split(",")[0] for line in listed] == ["a.png", "more/b.png", "notes"]
        with pytest.raises(Invalid, match="files without a suffix") as caught:
            content.create_from_files(engine, "made", given[1:])
        assert "--type file" in caught.value.hint
