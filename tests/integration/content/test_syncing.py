# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories of the catalog are brought in from real upstreams on loopback, and from elsewhere."""

import contextlib
import os
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchestrator.content.adopting import adopt_mirrors
from orchestrator.content.catalog import snapshots
from orchestrator.content.catalog.model import SourceScope
from orchestrator.content.mirror import Wish, clone
from orchestrator.content.mirrors_file import load_mirrors
from orchestrator.content.model import StoredFile
from orchestrator.content.outcome import Status
from orchestrator.content.overriding import set_source
from orchestrator.content.sourcing import upstream_of
from orchestrator.content.syncing import fetch_missing, sync_each, syncable
from orchestrator.errors import BadContent, Invalid, Refused, Stale, TransferFailed
from tests.support.catalog_site import ORGANIZATION, CatalogSite, catalog_site, custom, write_export
from tests.support.deb_repository import Deb, DebRepository
from tests.support.file_directory import FileDirectory
from tests.support.loopback import LoopbackServer, loopback_server
from tests.support.openpgp import key
from tests.support.rpm_repository import Rpm, RpmRepository
from tests.support.static_server import StaticServer, static_server

WEB, DB = Deb("web", depends="db"), Deb("db", "2.1")
DEB = {"repositories": ["stable main"], "architectures": ["amd64"], "translations": []}
RPM = {"repositories": ["os"], "unsigned": True}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[CatalogSite]:
    with catalog_site(tmp_path / "content") as site:
        yield site


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StaticServer]:
    (tmp_path / "www").mkdir()
    with static_server(tmp_path / "www") as server:
        yield server


@pytest.fixture
def archive(tmp_path: Path, server: StaticServer) -> DebRepository:
    made = DebRepository(tmp_path / "www/debian", key=key(), compressions=("gz",))
    made.publish(WEB, DB)
    return made


def publish(archive: DebRepository, *debs: Deb) -> None:
    """A change that a server tells in whole seconds."""
    archive.publish(*debs)
    os.utime(archive.path("InRelease"), (0, 2_000_000_000))


@pytest.fixture
def deb(site: CatalogSite, server: StaticServer, archive: DebRepository) -> str:
    """A repository of the archive, whose address is relative."""
    site.product("web", baseurl=server.url)
    site.repository("web/main", "deb", {**DEB, "baseurl": "debian"}, [key().public])
    return "web/main"


def test_a_sync_publishes_and_takes_a_snapshot(site: CatalogSite, deb: str, archive: DebRepository) -> None:
    done = site.sync(deb)
    assert (done.outcome.status, done.outcome.source, done.outcome.packages) == (Status.PUBLISHED, deb, 2)
    assert (done.address.endswith("/debian/"), done.scope) == (True, "")
    assert done.snapshot
    assert (done.snapshot.number, done.snapshot.packages, done.snapshot.origin) == (1, 2, "sync")
    shown = site.shown(deb)
    assert shown[WEB.path] == WEB.bytes()
    assert "dists/stable/InRelease" in shown
    assert done.to_json()["snapshot"] == 1


def test_a_sync_without_news_is_one_conditional_request_and_no_snapshot(
    site: CatalogSite, deb: str, server: StaticServer
) -> None:
    first = site.sync(deb)
    server.requests.clear()
    again = site.sync(deb)
    assert again.outcome.status is Status.UNCHANGED
    assert again.snapshot == first.snapshot
    assert server.requests == [("GET", "/debian/dists/stable/InRelease", 304)]
    assert site.sync(deb, force=True).snapshot != first.snapshot


def test_a_new_upstream_is_a_new_snapshot(site: CatalogSite, deb: str, archive: DebRepository) -> None:
    first = site.sync(deb)
    publish(archive, WEB, Deb("db", "2.2"))
    second = site.sync(deb)
    assert first.snapshot
    assert second.snapshot
    assert (second.snapshot.number, second.snapshot.inventory != first.snapshot.inventory) == (2, True)


def test_a_dry_run_changes_nothing(site: CatalogSite, deb: str) -> None:
    done = site.sync(deb, dry_run=True)
    assert (done.outcome.status, done.outcome.packages, done.snapshot) == (Status.PLANNED, 2, None)
    with site.workspace.catalog.reading() as session:
        assert snapshots.all(session, site.get(deb)) == []


def test_rpms_and_files_are_brought_in_too(site: CatalogSite, server: StaticServer, tmp_path: Path) -> None:
    rpm = Rpm("tool")
    RpmRepository(tmp_path / "www/el9/os").write([rpm])
    FileDirectory(tmp_path / "www/iso").write({"disk.iso": b"a disk", "doc/read me, please.txt": b"read"})
    site.product("mixed")
    site.repository("mixed/rpms", "rpm", {**RPM, "baseurl": f"{server.url}el9"})
    site.repository("mixed/isos", "file", {"baseurl": f"{server.url}iso", "unsigned": True})
    assert site.sync("mixed/rpms").outcome.packages == 1
    assert site.sync("mixed/isos").outcome.packages == 2
    assert site.shown("mixed/isos")["doc/read me, please.txt"] == b"read"


def test_what_was_published_without_becoming_a_snapshot_becomes_one(site: CatalogSite, deb: str) -> None:
    """As after a crash between the two."""
    repository = site.get(deb)
    with site.workspace.catalog.reading() as session:
        upstream = upstream_of(site.workspace, session, repository)
    with site.workspace.engine(upstream.sources, [repository]) as engine:
        assert clone(engine, upstream.sources, [], Wish())[0].error is None
    done = site.sync(deb)
    assert (done.outcome.status, done.snapshot and done.snapshot.number) == (Status.UNCHANGED, 1)
    assert {event.source for event in site.events} == {deb}, "told in the words of the catalog"


# What the catalog says ----------------------------------------------------------------------------------


def test_a_repository_without_an_upstream_is_refused_with_what_gives_it_one(site: CatalogSite) -> None:
    site.product("own")
    site.repository("own/imported", "rpm", {})
    with pytest.raises(Refused, match="filled by imports") as caught:
        site.sync("own/imported")
    assert "orchestrator repository update own/imported --url URL" in caught.value.hint


@pytest.mark.parametrize(
    ("upstream", "told"),
    [
        ({"baseurl": "debian", "repositories": ["stable main"]}, "is relative"),
        ({"baseurl": "http://up.example/../x", "repositories": ["stable"], "unsigned": True}, "repositories"),
        ({"baseurl": "http://up.example/", "repositories": ["stable main"]}, "keys"),
        (
            {"baseurl": "http://up.example/", "repositories": ["a main"], "unsigned": True, "name": "x"},
            "name",
        ),
        (
            {"baseurl": "http://up.example/", "repositories": ["a main"], "unsigned": True, "maste": "x"},
            "maste",
        ),
        ({"baseurl": "http://u:p@up.example/", "repositories": ["a main"], "unsigned": True}, "password"),
    ],
)
def test_an_upstream_that_cannot_be_is_invalid_when_it_is_written(
    site: CatalogSite, upstream: dict[str, object], told: str
) -> None:
    site.product("web")
    with pytest.raises(Invalid) as caught:
        site.repository("web/main", "deb", upstream)
    assert told in " ".join([caught.value.message, *map(str, caught.value.problems)])


def test_what_is_signed_by_a_stranger_is_an_outcome_and_no_snapshot(
    site: CatalogSite, server: StaticServer, archive: DebRepository
) -> None:
    site.product("web", baseurl=server.url)
    site.repository("web/main", "deb", {**DEB, "baseurl": "debian"}, [key("stranger").public])
    with pytest.raises(BadContent, match="sign"):
        site.sync("web/main")
    with site.workspace.catalog.reading() as session:
        assert snapshots.all(session, site.get("web/main")) == []


def test_one_that_fails_does_not_keep_others_from_going_on(site: CatalogSite, deb: str) -> None:
    outcomes = sync_each(site.workspace, ORGANIZATION, ["web/nothing", deb])
    assert [(each.source, each.status) for each in outcomes] == [
        ("web/nothing", Status.FAILED),
        (deb, Status.PUBLISHED),
    ]
    assert isinstance(outcomes[0].error, Refused)


# From elsewhere, once -----------------------------------------------------------------------------------


@pytest.fixture
def copy(archive: DebRepository, tmp_path: Path) -> Path:
    """A newer state of the archive at another place."""
    place = tmp_path / "media"
    newer = DebRepository(place / "debian", key=key(), compressions=("gz",), date=archive.date + 86400)
    newer.publish(WEB, Deb("db", "2.2"))
    return place


def dump(site: CatalogSite) -> list[str]:
    path = site.workspace.settings.url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [line for line in connection.iterdump() if 'INTO "snapshot"' not in line]


def test_one_sync_from_elsewhere_stores_nothing_and_the_next_is_the_upstreams(
    site: CatalogSite, deb: str, copy: Path, server: StaticServer
) -> None:
    site.sync(deb)
    before = dump(site)
    once = site.sync(deb, source_url=str(copy))
    assert (once.scope, once.address) == ("once", f"{copy.as_uri()}/debian/")
    assert Deb("db", "2.2").path in site.shown(deb)
    assert dump(site) == before
    server.requests.clear()
    back = site.sync(deb, allow_stale=True)
    assert (back.scope, back.address) == ("", f"{server.url}debian/")
    assert ("GET", "/debian/dists/stable/InRelease", 200) in server.requests, "asked without conditions"
    assert DB.path in site.shown(deb)
    server.requests.clear()
    assert site.sync(deb).outcome.status is Status.UNCHANGED
    assert server.requests == [("GET", "/debian/dists/stable/InRelease", 304)]


def test_the_same_content_from_elsewhere_is_no_new_snapshot(
    site: CatalogSite, deb: str, server: StaticServer, tmp_path: Path
) -> None:
    first = site.sync(deb)
    shutil.copytree(tmp_path / "www/debian", tmp_path / "same")
    once = site.sync(deb, source_url=str(tmp_path / "same"))
    assert (once.outcome.status, once.snapshot) == (Status.UNCHANGED, first.snapshot)
    server.requests.clear()
    assert site.sync(deb).snapshot == first.snapshot
    site.sync(deb)
    statuses = [status for _, path, status in server.requests if path.endswith("InRelease")]
    assert statuses == [200, 304], "what the other place said of its age means nothing here"


def test_an_older_state_from_elsewhere_is_refused_as_one_of_the_upstream_is(
    site: CatalogSite, deb: str, archive: DebRepository, tmp_path: Path
) -> None:
    shutil.copytree(archive.root, tmp_path / "old")
    DebRepository(archive.root, key=key(), compressions=("gz",), date=archive.date + 9).publish(WEB)
    site.sync(deb)
    with pytest.raises(Stale):
        site.sync(deb, source_url=str(tmp_path / "old"))


def test_the_upstreams_keys_verify_what_comes_from_elsewhere(
    site: CatalogSite, deb: str, tmp_path: Path
) -> None:
    DebRepository(tmp_path / "forged", key=key("stranger"), compressions=("gz",)).publish(Deb("web", "9"))
    with pytest.raises(BadContent, match="sign"):
        site.sync(deb, source_url=str(tmp_path / "forged"))


def test_what_lets_one_in_at_the_upstream_is_not_sent_elsewhere(
    site: CatalogSite, server: StaticServer, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("secret")
    site.product("isos")
    upstream = {
        "baseurl": f"{server.url}iso",
        "unsigned": True,
        "headers": {"X-Token": "secret"},
        "auth": {"user": "me", "password_file": str(password)},
    }
    site.repository("isos/all", "file", upstream)
    FileDirectory(tmp_path / "www/iso").write({"disk.iso": b"disk"})
    received: list[bytes] = []

    def listen(connection: socket.socket, _: LoopbackServer) -> None:
        received.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with loopback_server(listen) as other, pytest.raises(Refused):
        site.sync("isos/all", source_url=f"http://{other.address}/")
    assert len(received) >= 3
    assert not [data for data in received if b"Token" in data or b"Authorization" in data]
    site.sync("isos/all")


def test_lists_of_mirrors_are_not_asked_for_when_it_comes_from_elsewhere(
    site: CatalogSite, tmp_path: Path
) -> None:
    made = RpmRepository(tmp_path / "media/el9/tools/os", key=key()).write([Rpm("tool")])
    site.product("el9")
    upstream = {"metalink": "http://127.0.0.1:9/metalink?repo={repository}", "repositories": ["os"]}
    site.repository("el9/tools", "rpm", upstream, [key().public])
    done = site.sync("el9/tools", source_url=str(tmp_path / "media"))
    assert done.address == f"{(tmp_path / 'media').as_uri()}/el9/tools/"
    assert site.shown("el9/tools")["os/repodata/repomd.xml"] == made.repomd.read_bytes()


# Where in a place a repository lies ---------------------------------------------------------------------


@pytest.fixture
def isos(site: CatalogSite, server: StaticServer) -> str:
    site.product("isos", baseurl=f"{server.url}pub")
    site.repository("isos/all", "file", {"baseurl": "9/images", "unsigned": True, "repositories": ["x", "y"]})
    return "isos/all"


@pytest.mark.parametrize(
    "below", [".", "9/images", "isos/all", "content/isos/all", "content/view/isos/all", "deep/1/isos-all"]
)
def test_a_repository_is_found_where_it_may_be(
    site: CatalogSite, isos: str, server: StaticServer, tmp_path: Path, below: str
) -> None:
    for part in ("x", "y"):
        FileDirectory(tmp_path / "www/other" / below / part).write({"disk.iso": below.encode()})
    tree = f"content/{below}"
    if below.startswith(("content/view", "deep")):
        tree = below if below.startswith("content") else f"content/{below}"
        if not below.startswith("content"):
            (tmp_path / "www/other/content").mkdir()
            (tmp_path / "www/other" / below).rename(tmp_path / "www/other/content/moved")
            tree = "content/moved"
        write_export(tmp_path / "www/other", [custom("isos")], {"isos/all": (tree,)})
    for place in (f"{server.url}other", str(tmp_path / "www/other")):
        done = site.sync(isos, source_url=place)
        assert done.outcome.packages == 2
        assert site.shown(isos)["y/disk.iso"] == below.encode()


def test_what_is_not_there_is_told_with_what_was_looked_at(
    site: CatalogSite, isos: str, server: StaticServer, tmp_path: Path
) -> None:
    FileDirectory(tmp_path / "www/other/isos/all/x").write({"disk.iso": b"half of it"})
    (tmp_path / "www/other/9/images/x").mkdir(parents=True)
    (tmp_path / "www/other/9/images/x/PULP_MANIFEST").write_text("<html>Not found</html>")
    with pytest.raises(Refused, match=f"{server.url}other/ does not hold isos/all") as caught:
        site.sync(isos, source_url=f"{server.url}other")
    told = [str(problem) for problem in caught.value.problems]
    assert [each.where.removeprefix(server.url) for each in caught.value.problems] == [
        "other/",
        "other/9/images/",
        "other/isos/all/",
        "other/content/isos/all/",
    ]
    assert "x/PULP_MANIFEST: something else is there" in told[1]
    assert "has x/PULP_MANIFEST, but y/PULP_MANIFEST: 404" in told[2]


def test_a_place_that_does_not_answer_is_a_failure_of_the_transfer(site: CatalogSite, isos: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(TransferFailed, match="it cannot be told whether"):
        site.sync(isos, source_url=f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("url", ["ftp://x.example/", "relative/path", "http://u:p@x.example/", "http://x/?a"])
def test_what_is_no_address_is_invalid(site: CatalogSite, isos: str, url: str) -> None:
    with pytest.raises(Invalid):
        site.sync(isos, source_url=url)
    with pytest.raises(Invalid):
        set_source(site.workspace, SourceScope.REPOSITORY, ORGANIZATION, isos, url)


# From elsewhere, until it is undone ---------------------------------------------------------------------


def test_the_nearest_of_what_is_set_counts(
    site: CatalogSite, deb: str, tmp_path: Path, archive: DebRepository
) -> None:
    places = {scope: tmp_path / scope for scope in SourceScope}
    names = {SourceScope.REPOSITORY: deb, SourceScope.PRODUCT: "web", SourceScope.ORGANIZATION: ""}
    for place in places.values():
        shutil.copytree(archive.root, place / "debian")
    told = []
    for scope in (SourceScope.ORGANIZATION, SourceScope.PRODUCT, SourceScope.REPOSITORY):
        done = set_source(site.workspace, scope, ORGANIZATION, names[scope], str(places[scope]))
        assert done.addresses == ((deb, f"{places[scope].as_uri()}/debian/"),)
        told.append(site.sync(deb))
    told.append(site.sync(deb, source_url=str(archive.root)))
    assert [each.scope for each in told] == ["organization", "product", "repository", "once"]
    assert told[-1].address == f"{archive.root.as_uri()}/"
    for scope in SourceScope:
        undone = set_source(site.workspace, scope, ORGANIZATION, names[scope], None)
        assert (undone.url, undone.before) == ("", f"{places[scope].as_uri()}/")
    assert site.sync(deb).scope == ""


def test_a_place_that_lacks_one_repository_of_its_scope_is_not_set(
    site: CatalogSite, deb: str, isos: str, archive: DebRepository, tmp_path: Path
) -> None:
    before = dump(site)
    with pytest.raises(Refused, match="1 of 2 repositories") as caught:
        set_source(site.workspace, SourceScope.ORGANIZATION, ORGANIZATION, "", str(tmp_path / "www"))
    assert caught.value.problems[0].where == isos
    assert dump(site) == before
    for part in ("x", "y"):
        FileDirectory(tmp_path / "www/isos/all" / part).write({"disk.iso": b"disk"})
    done = set_source(site.workspace, SourceScope.ORGANIZATION, ORGANIZATION, "", str(tmp_path / "www"))
    assert [path for path, _ in done.addresses] == [isos, deb]


def test_a_scope_of_imports_alone_has_nothing_to_be_found(site: CatalogSite, tmp_path: Path) -> None:
    site.product("own")
    site.repository("own/imported", "rpm", {})
    assert set_source(site.workspace, SourceScope.PRODUCT, ORGANIZATION, "own", str(tmp_path)).addresses == ()
    with pytest.raises(Refused, match="filled by imports"):
        set_source(site.workspace, SourceScope.REPOSITORY, ORGANIZATION, "own/imported", str(tmp_path))


# Mirrors of mirrors.yaml, and what is missing -----------------------------------------------------------


def test_a_mirror_is_brought_in_as_its_file_says(
    tmp_path: Path, archive: DebRepository, server: StaticServer
) -> None:
    told = {**DEB, "name": "debian", "type": "deb", "baseurl": f"{server.url}debian", "unsigned": True}
    path = tmp_path / "mirrors.yaml"
    path.write_text(yaml.safe_dump({"sources": [told]}))
    with catalog_site(tmp_path / "content", mirrors=path) as site:
        with site.workspace.engine(load_mirrors(path).sources) as engine:
            clone(engine, engine.mirrors.sources, [], Wish())
        (adopted,) = adopt_mirrors(site.workspace)
        first = site.sync(adopted.path)
        assert (first.outcome.status, first.outcome.source) == (Status.UNCHANGED, "mirrors/debian")
        publish(archive, WEB)
        assert site.sync(adopted.path).outcome.packages == 1
        shutil.copytree(archive.root, tmp_path / "other/debian")
        assert site.sync(adopted.path, source_url=str(tmp_path / "other")).scope == "once"
        assert syncable(site.workspace, ORGANIZATION) == ["mirrors/debian"]


def test_missing_bytes_are_brought_in_again_by_their_digests(site: CatalogSite, deb: str) -> None:
    done = site.sync(deb)
    assert done.snapshot
    files = site.workspace.inventories.read(done.snapshot.inventory)
    pool = site.workspace.pool
    (db,) = (file for file in files if file.path == DB.path)
    (web,) = (file for file in files if file.path == WEB.path)
    tree = site.workspace.place(site.get(deb)).resolve()
    for file in (db, web):
        pool.discard(file.sha256)
    (tree / db.path).unlink()
    gone = StoredFile("pool/main/gone.deb", 3, "0" * 64)
    fetched = fetch_missing(site.workspace, site.get(deb), [*files, gone])
    assert {file.path for file in fetched.brought} == {db.path, web.path}
    assert [(lost.what, "404" in lost.why) for lost in fetched.lost] == [(gone.path, True)]
    assert all(pool.size(file.sha256) == file.size for file in files)
    assert fetch_missing(site.workspace, site.get(deb), files).brought == ()


def test_what_is_missing_of_a_repository_without_an_upstream_is_told(site: CatalogSite) -> None:
    site.product("own")
    made = site.repository("own/imported", "rpm", {})
    fetched = fetch_missing(site.workspace, made, [StoredFile("a.rpm", 3, "0" * 64)])
    assert [(lost.what, "no upstream" in lost.why) for lost in fetched.lost] == [("a.rpm", True)]
