# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories of the catalog are brought in from real upstreams on loopback, and from elsewhere."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.content.catalog import snapshots
from orchestrator.content.catalog.model import SourceScope
from orchestrator.content.outcome import Status
from orchestrator.content.overriding import set_source
from orchestrator.content.syncing import fetch_missing, sync_each
from orchestrator.errors import BadContent, Invalid, Refused, TransferFailed
from tests.support.catalog_site import ORGANIZATION, CatalogSite, catalog_site
from tests.support.deb_repository import Deb, DebRepository
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
    archive.publish(WEB, Deb("db", "2.2"))
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
    write_files(tmp_path / "www/iso", {"disk.iso": b"a disk", "doc/read me, please.txt": b"read"})
    site.product("mixed")
    site.repository("mixed/rpms", "rpm", {**RPM, "baseurl": f"{server.url}el9"})
    site.repository("mixed/isos", "file", {"baseurl": f"{server.url}iso", "unsigned": True})
    assert site.sync("mixed/rpms").outcome.packages == 1
    assert site.sync("mixed/isos").outcome.packages == 2
    assert site.shown("mixed/isos")["doc/read me, please.txt"] == b"read"


def write_files(root: Path, files: dict[str, bytes]) -> None:
    from orchestrator.content.formats.file.manifest import Listed, write
    import hashlib

    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    listed = [Listed(path, hashlib.sha256(data).hexdigest(), len(data)) for path, data in files.items()]
    (root / "PULP_MANIFEST").write_bytes(write(listed))
