# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening a catalog: where it is, who may, what is no catalog, and how little an up-to-date one costs."""

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from orchestrator.content.catalog import audit, connecting, organizations, products
from orchestrator.content.catalog.database import open_catalog
from orchestrator.content.catalog.migrations import HEAD, configuration, knows
from orchestrator.content.settings import ContentSettings
from orchestrator.errors import Busy, Invalid, NotPermitted, OrchestratorError, Refused, StateUnwritable
from orchestrator.host.files import FileLock
from tests.support.catalogs import ALICE, ORGANIZATION, a_product
from tests.support.disks import small_disk
from tests.support.nobody import as_nobody, public_directory


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Of a catalog that is up to date."""
    path = tmp_path / "catalog.sqlite"
    open_catalog(f"sqlite:///{path}", ORGANIZATION).close()
    return path


@pytest.fixture
def connection(file: Path) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(file, isolation_level=None)
    yield opened
    opened.close()


def test_the_newest_migration_is_the_one_that_is_looked_for() -> None:
    assert ScriptDirectory.from_config(configuration()).get_heads() == [HEAD]
    assert knows(HEAD)
    assert not knows("9999")


def test_a_catalog_is_made_below_the_root_for_its_owner_alone(tmp_path: Path) -> None:
    root = tmp_path / "var" / "100% content"
    old = os.umask(0)
    try:
        with (
            open_catalog(ContentSettings(root).url, ORGANIZATION) as catalog,
            catalog.changing(ALICE) as session,
        ):
            products.create(session, a_product())
            files = [each for each in root.glob("catalog.sqlite*") if each.suffix != ".lock"]
            assert len(files) == 3  # with what SQLite has beside it
            assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    finally:
        os.umask(old)


def test_opening_an_up_to_date_catalog_needs_no_alembic_and_changes_nothing(file: Path) -> None:
    before = file.stat()
    script = f"""
import sys
from orchestrator.content.catalog.database import open_catalog
open_catalog("sqlite:///{file}", "acme").close()
print(sorted({{name.partition(".")[0] for name in sys.modules}} & {{"alembic", "mako", "psycopg"}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
    assert (file.stat().st_mtime_ns, file.stat().st_size) == (before.st_mtime_ns, before.st_size)


@pytest.mark.parametrize(
    "url",
    [
        "catalog.sqlite",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:catalog.sqlite?uri=true",
        "sqlite:////srv/catalog.sqlite?mode=ro",
        "mysql://root:secret@db.example/catalog",
        "nothing+known://root:secret@db.example/catalog",
        "postgresql://root:secret@db.example:port/catalog",
        "://root:secret@",
    ],
)
def test_an_address_that_is_none_is_invalid_and_not_shown(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        open_catalog(url, ORGANIZATION)
    assert "secret" not in caught.value.message + caught.value.hint


def test_an_organization_that_cannot_be_leaves_no_half_catalog(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/catalog.sqlite"
    with pytest.raises(Invalid):
        open_catalog(url, "no label")
    with open_catalog(url, "acme") as catalog, catalog.reading() as session:
        assert [each.label for each in organizations.all(session)] == ["acme"]


def test_an_empty_file_becomes_a_catalog(tmp_path: Path) -> None:
    file = tmp_path / "catalog.sqlite"
    file.touch()
    open_catalog(f"sqlite:///{file}", ORGANIZATION).close()
    open_catalog(f"sqlite:///{file}", ORGANIZATION).close()


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "catalog.sqlite"
    file.write_bytes(b"my diary\n" * 1000)
    with pytest.raises(Refused, match=r"catalog\.sqlite is no catalog"):
        open_catalog(f"sqlite:///{file}", ORGANIZATION)
    assert file.read_bytes() == b"my diary\n" * 1000


def test_a_damaged_catalog_is_refused(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[100:4096] = os.urandom(3996)
    file.write_bytes(data)
    with pytest.raises(Refused, match=r"is damaged|is no catalog"):
        open_catalog(f"sqlite:///{file}", ORGANIZATION)


def test_a_directory_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="the catalog"):
        open_catalog(f"sqlite:///{tmp_path}", ORGANIZATION)


def test_a_file_in_the_place_of_its_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "content").touch()
    with pytest.raises(Refused, match=r"content/catalog\.sqlite cannot be used"):
        open_catalog(ContentSettings(tmp_path / "content").url, ORGANIZATION)


def test_somebody_elses_catalog_is_not_permitted() -> None:
    with public_directory() as directory:
        file = directory / "catalog.sqlite"
        open_catalog(f"sqlite:///{file}", ORGANIZATION).close()
        root = os.geteuid() == 0
        file.chmod(0o600 if root else 0)
        with (
            as_nobody() if root else contextlib.nullcontext(),
            pytest.raises(NotPermitted, match="Permission denied"),
        ):
            open_catalog(f"sqlite:///{file}", ORGANIZATION)


def test_who_waits_too_long_for_another_that_changes_is_told_so(
    file: Path, connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "PATIENCE", 0.1)
    connection.execute("BEGIN IMMEDIATE")
    with open_catalog(f"sqlite:///{file}", ORGANIZATION) as catalog:
        with pytest.raises(Busy, match="another process is changing the catalog"), catalog.changing(ALICE):
            pass
        with catalog.reading() as session:  # readers do not wait
            assert products.all(session, ORGANIZATION) == []
        connection.execute("ROLLBACK")
        with catalog.changing(ALICE) as session:
            products.create(session, a_product())


def test_who_waits_too_long_for_another_that_makes_the_catalog_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestrator.content.catalog import upgrading

    monkeypatch.setattr(upgrading, "_PATIENCE", 0.1)
    with FileLock(tmp_path / "catalog.sqlite.lock") as lock:
        assert lock.try_acquire()
        with pytest.raises(Busy, match="bringing the catalog"):
            open_catalog(f"sqlite:///{tmp_path}/catalog.sqlite", ORGANIZATION)


def test_what_the_schema_does_not_take_is_refused(file: Path) -> None:
    from sqlalchemy import text

    with open_catalog(f"sqlite:///{file}", ORGANIZATION) as catalog:
        with pytest.raises(Refused, match="does not take that"), catalog.changing(ALICE) as session:
            session.execute(text("DELETE FROM organization"))
        with catalog.reading() as session:
            assert len(organizations.all(session)) == 1


def test_a_failed_opening_is_told_without_a_traceback_of_the_database(tmp_path: Path) -> None:
    file = tmp_path / "catalog.sqlite"
    file.write_bytes(b"no database" * 100)
    with pytest.raises(OrchestratorError) as caught:
        open_catalog(f"sqlite:///{file}", ORGANIZATION)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert caught.value.hint


def test_a_full_disk_is_told_and_what_was_there_stays(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "450k") as disk:
        catalog = open_catalog(f"sqlite:///{disk}/catalog.sqlite", ORGANIZATION)

        noted = 0

        def note_for_ever() -> None:
            nonlocal noted
            while True:
                with catalog.changing(ALICE) as session:
                    audit.note(session, ALICE, "test", "acme", {"filler": "x" * 10_000})
                noted += 1

        with pytest.raises(StateUnwritable, match="full"):
            note_for_ever()
        with catalog.reading() as session:
            assert len(audit.all(session)) == noted
        catalog.close()
    with small_disk(tmp_path / "smaller", "96k") as disk, pytest.raises(StateUnwritable, match="full"):
        open_catalog(f"sqlite:///{disk}/catalog.sqlite", ORGANIZATION)
