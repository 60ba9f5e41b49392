# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog is the same in SQLite and in a real PostgreSQL: every test here is run on both."""

import contextlib
import multiprocessing
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, create_engine, event, inspect, make_url, text
from sqlalchemy.orm import Session

from orchestrator.content.catalog import (
    audit,
    connecting,
    environments,
    exports,
    imports,
    keys,
    migrations,
    organizations,
    products,
    receipts,
    repositories,
    snapshots,
    upgrading,
    views,
)
from orchestrator.content.catalog.database import Catalog, open_catalog
from orchestrator.content.catalog.exports import ExportRecord
from orchestrator.content.catalog.imports import ImportRecord
from orchestrator.content.catalog.model import (
    LIBRARY,
    Actor,
    Environment,
    Key,
    Organization,
    Product,
    ProductKind,
    Repository,
    Snapshot,
    View,
)
from orchestrator.content.catalog.receipts import Receipt
from orchestrator.content.catalog.tables import Base
from orchestrator.content.exports.manifest import Subject
from orchestrator.errors import Busy, Invalid, NotPermitted, OrchestratorError, Refused
from tests.support.catalogs import (
    ALICE,
    ORGANIZATION,
    Databases,
    PostgresqlDatabases,
    SqliteDatabases,
    a_product,
    a_repository,
    a_snapshot,
    a_version,
    create_one_by_one,
    create_products,
    open_it,
)
from tests.support.servers import free_port, postgresql_server, server_directory


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgresqlDatabases]:
    with server_directory() as place, postgresql_server(place) as server:
        yield PostgresqlDatabases(server)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Databases:
    if request.param == "sqlite":
        return SqliteDatabases(tmp_path_factory.mktemp("catalogs"))
    found: PostgresqlDatabases = request.getfixturevalue("postgresql")
    return found


@pytest.fixture
def catalog(databases: Databases) -> Iterator[Catalog]:
    """A new one."""
    with open_catalog(databases.catalog(), ORGANIZATION) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(databases: Databases) -> Iterator[Catalog]:
    """One with the product web, its repositories main and extra, and a snapshot of each."""
    with open_catalog(databases.catalog(), ORGANIZATION) as opened:
        with opened.changing(ALICE) as session:
            products.create(session, a_product())
            for path in ("web/main", "web/extra"):
                repositories.create(session, a_repository(path))
                snapshots.add(session, a_snapshot(path))
        yield opened


class Undone(Exception):
    pass


@pytest.fixture
def session(shared: Catalog) -> Iterator[Session]:
    """A transaction in the shared catalog that leaves nothing behind."""
    with contextlib.suppress(Undone), shared.changing(ALICE) as one:
        yield one
        raise Undone


def refused(
    do: Callable[[], object], *words: str, kind: type[OrchestratorError] = Refused
) -> OrchestratorError:
    """The error of that kind, which says all of the words."""
    with pytest.raises(kind) as caught:
        do()
    said = caught.value
    whole = " ".join([said.message, said.hint, *map(str, said.problems)])
    assert [word for word in words if word not in whole] == [], whole
    return said


# --- the database


def test_the_migrations_make_exactly_the_tables(databases: Databases) -> None:
    url = databases.empty()
    open_catalog(url, ORGANIZATION).close()
    engine = create_engine(make_url(url).set(drivername=_driver(url)))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        assert _checks(connection.dialect.name, url) == _checks_of_metadata()
    engine.dispose()


def _driver(url: str) -> str:
    return "sqlite" if url.startswith("sqlite") else "postgresql+psycopg"


def _checks(dialect: str, url: str) -> set[str]:
    """The names of the constraints that alembic does not compare."""
    engine = create_engine(make_url(url).set(drivername=_driver(url)))
    found = inspect(engine)
    names = {
        f"{table} {each['name']}"
        for table in found.get_table_names()
        for each in found.get_check_constraints(table)
    }
    engine.dispose()
    return names


def _checks_of_metadata() -> set[str]:
    return {
        f"{table.name} {each.name}"
        for table in Base.metadata.tables.values()
        for each in table.constraints
        if isinstance(each, CheckConstraint)
    }


def test_a_new_catalog_has_an_organization_with_its_library(databases: Databases) -> None:
    with open_catalog(databases.empty(), "first") as catalog, catalog.reading() as session:
        assert organizations.all(session) == [Organization("first")]
        assert environments.all(session, "first") == [Environment("first", LIBRARY, after="")]


def test_opening_again_changes_nothing(databases: Databases) -> None:
    url = databases.empty()
    open_catalog(url, "first").close()
    with open_catalog(url, "second") as catalog, catalog.reading() as session:
        assert [each.label for each in organizations.all(session)] == ["first"]


def test_an_older_catalog_is_brought_up_with_all_that_is_in_it(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = databases.catalog()
    with open_catalog(url, ORGANIZATION) as catalog, catalog.changing(ALICE) as session:
        products.create(session, a_product())
        repositories.create(session, a_repository())
    later_program(tmp_path, monkeypatch)
    with open_catalog(url, ORGANIZATION) as catalog, catalog.reading() as session:
        assert session.scalars(text("SELECT motto FROM product")).all() == ["none yet"]
        assert repositories.all(session, ORGANIZATION) == [a_repository()]
    monkeypatch.undo()
    refused(lambda: open_catalog(url, ORGANIZATION), "newer version of the program", "0002")


def later_program(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if one with another migration was installed: it makes the table anew that repositories refer to."""
    scripts = Path(shutil.copytree(Path(migrations.__file__).parent, directory / "migrations"))
    (scripts / "versions" / "0002_mottos.py").write_text(_LATER)
    config = Config()
    config.set_main_option("script_location", str(scripts))
    monkeypatch.setattr(migrations, "configuration", lambda: config)
    for module in (migrations, upgrading):
        monkeypatch.setattr(module, "HEAD", "0002")


_LATER = """\
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade():
    with op.batch_alter_table("product", recreate="auto") as table:
        table.add_column(sa.Column("motto", sa.Text(), server_default="none yet", nullable=False))
        table.create_check_constraint("motto", "motto <> ''")
"""


def test_who_is_killed_while_making_a_catalog_leaves_nothing_of_it(databases: Databases) -> None:
    url = databases.empty()
    script = f"""
import os, signal
from orchestrator.content.catalog import organizations
from orchestrator.content.catalog.database import open_catalog
organizations.create = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
open_catalog({url!r}, "acme")
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert open_it(url) == [ORGANIZATION]


def test_a_catalog_of_a_newer_version_is_refused(databases: Databases) -> None:
    url = databases.catalog()
    _execute(url, "UPDATE alembic_version SET version_num = '9999'")
    refused(lambda: open_catalog(url, ORGANIZATION), "newer version of the program", "9999")


def test_a_database_of_something_else_is_refused_and_left_alone(databases: Databases) -> None:
    url = databases.empty()
    _execute(url, "CREATE TABLE customers (id INTEGER)")
    refused(lambda: open_catalog(url, ORGANIZATION), "is no catalog", "customers")
    _execute(url, "DROP TABLE customers")
    open_catalog(url, ORGANIZATION).close()


def test_a_database_that_another_program_migrates_is_refused(databases: Databases) -> None:
    url = databases.empty()
    _execute(url, "CREATE TABLE alembic_version (version_num TEXT)")
    _execute(url, "INSERT INTO alembic_version VALUES ('af12')")
    refused(lambda: open_catalog(url, ORGANIZATION), "is no catalog", "alembic_version")
    _execute(url, "ALTER TABLE alembic_version RENAME COLUMN version_num TO other")
    refused(lambda: open_catalog(url, ORGANIZATION), "is no catalog", "alembic_version")


def _execute(url: str, statement: str) -> None:
    engine = create_engine(make_url(url).set(drivername=_driver(url)))
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def test_processes_that_open_a_new_catalog_at_once_all_come_up(
    databases: Databases, processes: Executor
) -> None:
    assert list(processes.map(open_it, [databases.empty()] * 3)) == [[ORGANIZATION]] * 3


def test_of_two_processes_that_make_the_same_one_wins_and_the_other_is_told(
    databases: Databases, processes: Executor
) -> None:
    done = sorted(processes.map(create_products, [databases.catalog()] * 2))
    assert done == [
        "",
        "the product p0 is there already",
    ]  # who came first made all of them in one transaction


def test_processes_that_change_at_once_wait_for_each_other(databases: Databases, processes: Executor) -> None:
    url = databases.catalog()
    assert list(processes.map(create_one_by_one, [url] * 3, "abc")) == [None] * 3
    with open_catalog(url, ORGANIZATION) as catalog, catalog.reading() as session:
        assert len(products.all(session, ORGANIZATION)) == 15
        assert [each.number for each in audit.all(session, 1000)] == list(range(15, 0, -1))


def test_a_reader_sees_one_moment_whatever_is_changed_meanwhile(catalog: Catalog) -> None:
    with catalog.reading() as reader:
        assert products.all(reader, ORGANIZATION) == []
        with catalog.changing(ALICE) as session:
            products.create(session, a_product())
        assert products.all(reader, ORGANIZATION) == []
    with catalog.reading() as reader:
        assert products.all(reader, ORGANIZATION) == [a_product()]


def test_nothing_is_changed_by_reading(catalog: Catalog) -> None:
    with pytest.raises(OrchestratorError), catalog.reading() as reader:
        products.create(reader, a_product())
    with catalog.reading() as reader:
        assert products.all(reader, ORGANIZATION) == []


def test_after_an_exception_nothing_of_a_change_is_there(catalog: Catalog) -> None:
    with contextlib.suppress(Undone), catalog.changing(ALICE) as session:
        products.create(session, a_product())
        raise Undone
    with catalog.reading() as reader:
        assert products.all(reader, ORGANIZATION) == []


def test_a_refusal_within_a_change_does_not_end_it(catalog: Catalog) -> None:
    with catalog.changing(ALICE) as session:
        products.create(session, a_product())
        refused(lambda: products.create(session, a_product()))
        products.create(session, a_product("more"))
    with catalog.reading() as reader:
        assert len(products.all(reader, ORGANIZATION)) == 2


@pytest.mark.parametrize("name", ["a\ud800b", "a\x00b"])
def test_what_a_database_cannot_hold_is_invalid_or_kept(catalog: Catalog, name: str) -> None:
    with contextlib.suppress(Invalid), catalog.changing(ALICE) as session:
        products.create(session, replace(a_product(), name=name))
    with catalog.reading() as session:
        assert [each.name for each in products.all(session, ORGANIZATION)] in ([], [name])


def test_numbers_beyond_64_bits_are_invalid(session: Session) -> None:
    refused(lambda: snapshots.add(session, a_snapshot(number=1 << 70)), kind=Invalid)


# --- PostgreSQL alone


def test_a_server_that_cannot_be_reached_is_named_and_no_password() -> None:
    url = f"postgresql://alice:s3cret@127.0.0.1:{free_port()}/catalog?connect_timeout=2"
    said = refused(
        lambda: open_catalog(url, ORGANIZATION), "127.0.0.1", "database catalog", "cannot be reached"
    )
    assert "s3cret" not in said.message + said.hint


def test_a_parameter_that_postgresql_does_not_know_is_invalid(postgresql: PostgresqlDatabases) -> None:
    url = postgresql.empty().replace("options=", "optoins=")
    refused(lambda: open_catalog(url, ORGANIZATION), "optoins", kind=Invalid)


def test_a_password_comes_from_the_address_a_file_or_the_environment(
    postgresql: PostgresqlDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = postgresql.server
    server.query("SET password_encryption = 'scram-sha-256'; CREATE ROLE keeper LOGIN PASSWORD 's3cret'")
    server.query("CREATE SCHEMA keeper AUTHORIZATION keeper")
    server.write(
        "pg_hba.conf", "host all keeper all scram-sha-256\nhost all all all trust\nlocal all all trust\n"
    )
    server.query("SELECT pg_reload_conf()")
    place = f"127.0.0.1:{server.port}/postgres"
    for password in ("", ":wrong"):
        said = refused(
            partial(open_catalog, f"postgresql://keeper{password}@{place}", ORGANIZATION), "password"
        )
        assert "wrong" not in said.message
    passfile = tmp_path / "passwords"
    passfile.write_text(f"127.0.0.1:{server.port}:*:keeper:s3cret\n")
    passfile.chmod(0o600)
    open_catalog(f"postgresql://keeper:s3cret@{place}", ORGANIZATION).close()
    open_catalog(f"postgres://keeper@{place}?passfile={passfile}", ORGANIZATION).close()
    monkeypatch.setenv("PGPASSWORD", "s3cret")
    open_catalog(f"postgresql+psycopg://keeper@{place}", ORGANIZATION).close()


def test_who_may_not_change_the_database_is_told_so(postgresql: PostgresqlDatabases) -> None:
    url = postgresql.empty()
    postgresql.server.query("CREATE ROLE guest LOGIN")
    schema = url.rpartition("%3D")[2]
    postgresql.server.query(f"GRANT USAGE ON SCHEMA {schema} TO guest")
    guest = url.replace("//postgres@", "//guest@")
    refused(lambda: open_catalog(guest, ORGANIZATION), "permission denied", kind=NotPermitted)


def test_connections_that_were_cut_meanwhile_are_made_anew(postgresql: PostgresqlDatabases) -> None:
    with open_catalog(postgresql.catalog(), ORGANIZATION) as catalog:
        for _ in range(2):
            with catalog.changing(ALICE) as session:
                audit.note(session, ALICE, "test", "acme")
            with catalog.reading() as session:
                assert audit.all(session)
            postgresql.server.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orchestrator'"
            )


def test_a_connection_that_is_cut_in_a_change_is_told(postgresql: PostgresqlDatabases) -> None:
    with open_catalog(postgresql.catalog(), ORGANIZATION) as catalog:

        def cut() -> None:
            with catalog.changing(ALICE) as session:
                pid = session.scalar(text("SELECT pg_backend_pid()"))
                postgresql.server.query(f"SELECT pg_terminate_backend({pid}, 5000)")
                products.create(session, a_product())

        refused(cut, "cannot be reached")
        with catalog.reading() as session:
            assert products.all(session, ORGANIZATION) == []


def test_who_waits_too_long_for_another_that_changes_is_told_so(
    postgresql: PostgresqlDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "PATIENCE", 0.2)
    url = postgresql.catalog()

    def wait() -> None:
        with other.changing(ALICE):
            pass

    with open_catalog(url, ORGANIZATION) as catalog, open_catalog(url, ORGANIZATION) as other:
        with catalog.changing(ALICE):
            refused(wait, "another process is changing the catalog in PostgreSQL", kind=Busy)
        wait()


# --- organizations


def test_an_organization_is_created_found_and_updated(session: Session) -> None:
    other = Organization("other", "The Others", "https://mirror.example/")
    organizations.create(session, other)
    assert organizations.get(session, "other") == other
    organizations.update(session, replace(other, name="", source_url=""))
    assert organizations.all(session) == [Organization(ORGANIZATION), Organization("other")]


def test_a_second_organization_of_a_label_is_refused(session: Session) -> None:
    refused(lambda: organizations.create(session, Organization(ORGANIZATION)), "acme is there already")


def test_what_is_not_there_is_refused_with_the_nearest_name(session: Session) -> None:
    refused(lambda: organizations.get(session, "acne"), "'acne'", "did you mean acme?")
    refused(lambda: products.get(session, ORGANIZATION, "wep"), "acme has no product 'wep'", "mean web?")
    refused(lambda: repositories.get(session, ORGANIZATION, "web/mian"), "mean web/main?")
    refused(lambda: views.get(session, ORGANIZATION, "front"), "orchestrator view create front")
    refused(lambda: environments.get(session, ORGANIZATION, "prod"), "there is library")


def test_only_an_empty_organization_goes_and_its_library_and_keys_with_it(session: Session) -> None:
    refused(lambda: organizations.delete(session, ORGANIZATION), "web: product")
    organizations.create(session, Organization("other"))
    environments.create(session, Environment("other", "dev"))
    keys.add(session, Key("other", "signer", "armoured"))
    refused(lambda: organizations.delete(session, "other"), "dev: environment")
    environments.delete(session, "other", "dev")
    organizations.delete(session, "other")
    assert [each.label for each in organizations.all(session)] == [ORGANIZATION]


def test_an_organization_and_a_mirror_cannot_be_published_at_one_place(session: Session) -> None:
    repositories.create(session, replace(a_repository("web/cloned"), mirror="debian"))
    refused(lambda: organizations.create(session, Organization("debian")), "a mirror of that name")
    same = replace(a_repository("web/twin"), mirror=ORGANIZATION)
    refused(lambda: repositories.create(session, same), "an organization has its name")


# --- products


def test_products_are_kept_as_they_are(session: Session) -> None:
    vendor = Product(
        ORGANIZATION, "base", ProductKind.VENDOR, "Base", "example", "42", "https://v/", "file:///"
    )
    products.create(session, vendor)
    assert products.all(session, ORGANIZATION) == [vendor, a_product()]
    products.update(session, replace(vendor, name="New", baseurl="", source_url=""))
    assert products.get(session, ORGANIZATION, "base").name == "New"


def test_a_vendors_product_is_found_by_its_ids_and_is_there_once(session: Session) -> None:
    vendor = Product(ORGANIZATION, "base", ProductKind.VENDOR, vendor="example", content_id="42")
    products.create(session, vendor)
    assert products.by_vendor(session, ORGANIZATION, "example", "42") == vendor
    assert products.by_vendor(session, ORGANIZATION, "example", "43") is None
    assert products.by_vendor(session, ORGANIZATION, "", "") is None
    refused(lambda: products.create(session, replace(vendor, label="twin")), "base has the content 42")
    organizations.create(session, Organization("other"))
    products.create(session, replace(vendor, organization="other"))


@pytest.mark.parametrize(
    "product",
    [
        Product(ORGANIZATION, "base", ProductKind.VENDOR, vendor="example"),
        Product(ORGANIZATION, "base", ProductKind.VENDOR, content_id="42"),
        Product(ORGANIZATION, "base", content_id="42"),
        Product(ORGANIZATION, "no label"),
        Product(ORGANIZATION, "../etc"),
    ],
)
def test_a_product_that_cannot_be_is_invalid(session: Session, product: Product) -> None:
    refused(lambda: products.create(session, product), kind=Invalid)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": ProductKind.CUSTOM, "vendor": "", "content_id": ""},
        {"vendor": "another"},
        {"content_id": "43"},
    ],
)
def test_whose_a_product_is_never_changes(session: Session, change: dict[str, str]) -> None:
    vendor = Product(ORGANIZATION, "base", ProductKind.VENDOR, vendor="example", content_id="42")
    products.create(session, vendor)
    refused(lambda: products.update(session, replace(vendor, **change)), "it cannot become")  # type: ignore[arg-type]
    assert products.get(session, ORGANIZATION, "base") == vendor


def test_a_custom_product_never_becomes_a_vendors(session: Session) -> None:
    wish = Product(ORGANIZATION, "web", ProductKind.VENDOR, vendor="example", content_id="42")
    refused(lambda: products.update(session, wish), "stays custom")


def test_only_a_product_without_repositories_goes(session: Session) -> None:
    refused(lambda: products.delete(session, ORGANIZATION, "web"), "web/extra: repository", "web/main")
    repositories.delete(session, ORGANIZATION, "web/main")
    repositories.delete(session, ORGANIZATION, "web/extra")
    products.delete(session, ORGANIZATION, "web")
    assert products.all(session, ORGANIZATION) == []


# --- repositories


def test_repositories_are_kept_as_they_are(session: Session) -> None:
    upstream = {"baseurl": "https://deb.example/", "architectures": ["amd64"], "mode": {"deep": [1, None]}}
    made = Repository(ORGANIZATION, "web", "third", "rpm", "Third", upstream, "third-mirror", "file:///media")
    repositories.create(session, made)
    assert repositories.get(session, ORGANIZATION, "web/third") == made
    assert repositories.by_mirror(session, "third-mirror") == made
    assert repositories.by_mirror(session, "") is None
    repositories.update(session, replace(made, name="", upstream={}, source_url=""))
    assert repositories.get(session, ORGANIZATION, "web/third").upstream == {}


def test_repositories_are_listed_by_path_and_by_product(session: Session) -> None:
    products.create(session, a_product("app"))
    repositories.create(session, a_repository("app/z"))
    repositories.create(session, a_repository("web/Big"))
    paths = [each.path for each in repositories.all(session, ORGANIZATION)]
    assert paths == ["app/z", "web/Big", "web/extra", "web/main"]
    assert [each.path for each in repositories.all(session, ORGANIZATION, "app")] == ["app/z"]
    refused(lambda: repositories.all(session, ORGANIZATION, "ap"), "did you mean app?")


def test_a_repository_that_is_there_already_is_refused(session: Session) -> None:
    refused(lambda: repositories.create(session, a_repository()), "web/main is there already")
    repositories.create(session, replace(a_repository("web/cloned"), mirror="debian"))
    twin = replace(a_repository("web/twin"), mirror="debian")
    refused(lambda: repositories.create(session, twin), "is web/cloned of acme already")


@pytest.mark.parametrize(
    "change",
    [{"type": "iso"}, {"label": "a/b"}, {"upstream": {"when": object()}}, {"upstream": {"x": float("nan")}}],
)
def test_a_repository_that_cannot_be_is_invalid(session: Session, change: dict[str, str]) -> None:
    wish = replace(a_repository("web/new"), **change)  # type: ignore[arg-type]
    refused(lambda: repositories.create(session, wish), kind=Invalid)


def test_the_type_and_the_mirror_of_a_repository_never_change(session: Session) -> None:
    refused(lambda: repositories.update(session, replace(a_repository(), type="rpm")), "stays deb")
    refused(lambda: repositories.update(session, replace(a_repository(), mirror="debian")), "cannot change")


def test_only_a_repository_that_no_view_uses_goes_and_its_snapshots_with_it(session: Session) -> None:
    views.create(session, View(ORGANIZATION, "front", repositories=("web/main",)))
    views.add_version(session, a_version("front", 1, a_snapshot()))
    said = refused(lambda: repositories.delete(session, ORGANIZATION, "web/main"), "the repository web/main")
    assert [str(problem) for problem in said.problems] == [
        "the view front: is composed of it",
        "the view front: version 1 has its snapshot 1",
    ]
    views.update(session, View(ORGANIZATION, "front"))
    refused(lambda: repositories.delete(session, ORGANIZATION, "web/main"), "version 1 has its snapshot 1")
    views.remove_version(session, ORGANIZATION, "front", 1)
    repositories.delete(session, ORGANIZATION, "web/main")
    assert [each.path for each in repositories.all(session, ORGANIZATION)] == ["web/extra"]


# --- snapshots


def test_snapshots_are_found_by_number_moment_and_content(session: Session) -> None:
    main = a_repository()
    later = [a_snapshot(number=n, inventory=str(n) * 64, day=n * 5) for n in (2, 3)]
    for each in later:
        snapshots.add(session, each)
    second, third = later
    assert snapshots.all(session, main) == [third, second, a_snapshot()]
    assert snapshots.newest(session, main) == third
    assert snapshots.at(session, main, "2026-11-10T11:59:59Z") == a_snapshot()
    assert snapshots.at(session, main, "2026-11-10T12:00:00Z") == second
    assert snapshots.at(session, main, "2026-11-10T13:00:00+01:00") == second
    assert snapshots.at(session, main, "2026-11-12") == second
    assert snapshots.at(session, main, "2026-10-31") is None
    assert snapshots.with_inventory(session, main, "2" * 64) == second
    assert snapshots.with_inventory(session, main, "4" * 64) is None


def test_a_snapshot_is_there_once_and_has_a_time(session: Session) -> None:
    refused(lambda: snapshots.add(session, a_snapshot()), "snapshot 1 of web/main is there already")
    refused(lambda: snapshots.add(session, replace(a_snapshot(number=2), made="today")), kind=Invalid)
    refused(lambda: snapshots.at(session, a_repository(), "yesterday"), "like 2026-01-31", kind=Invalid)


def test_a_snapshot_that_a_version_shows_does_not_go(session: Session) -> None:
    snapshots.add(session, a_snapshot(number=2))
    views.create(session, View(ORGANIZATION, "front", repositories=("web/main",)))
    views.add_version(session, a_version("front", 1, a_snapshot()))
    assert snapshots.used(session, a_repository()) == {1}
    refused(lambda: snapshots.remove(session, a_repository(), 1), "the view front: version 1 shows it")
    snapshots.remove(session, a_repository(), 2)
    refused(lambda: snapshots.remove(session, a_repository(), 2), "has no snapshot '2'")
    assert snapshots.newest(session, a_repository()) == a_snapshot()


# --- views


def test_views_keep_what_they_are_of_in_its_order(session: Session) -> None:
    front = View(ORGANIZATION, "front", "Front", repositories=("web/main", "web/extra"))
    back = View(ORGANIZATION, "back", repositories=("web/extra",))
    both = View(ORGANIZATION, "both", views=("front", "back"))
    for view in (front, back, both):
        views.create(session, view)
    assert views.all(session, ORGANIZATION) == [back, both, front]
    changed = replace(both, views=("back", "front"), name="Both")
    views.update(session, changed)
    assert views.get(session, ORGANIZATION, "both") == changed


@pytest.mark.parametrize(
    "view",
    [
        View(ORGANIZATION, "front", repositories=("web/main",), views=("other",)),
        View(ORGANIZATION, "front", repositories=("web/main", "web/main")),
        View(ORGANIZATION, "front", repositories=("main",)),
        View(ORGANIZATION, "default"),
        View(ORGANIZATION, "front end"),
    ],
)
def test_a_view_that_cannot_be_is_invalid(session: Session, view: View) -> None:
    refused(lambda: views.create(session, view), kind=Invalid)


def test_a_view_of_what_is_not_there_is_refused(session: Session) -> None:
    wish = View(ORGANIZATION, "front", repositories=("web/mian",))
    refused(lambda: views.create(session, wish), "did you mean web/main?")
    refused(lambda: views.create(session, View(ORGANIZATION, "back", views=("frnot",))), "no view 'frnot'")
    views.create(session, View(ORGANIZATION, "there"))
    refused(lambda: views.create(session, View(ORGANIZATION, "there")), "there is there already")


def test_a_view_is_never_composed_of_itself(session: Session) -> None:
    views.create(session, View(ORGANIZATION, "a"))
    views.create(session, View(ORGANIZATION, "b", views=("a",)))
    views.create(session, View(ORGANIZATION, "c", views=("b",)))
    refused(lambda: views.update(session, View(ORGANIZATION, "a", views=("c",))), "a -> c -> b -> a")
    refused(lambda: views.update(session, View(ORGANIZATION, "a", views=("a",))), "a -> a")
    refused(lambda: views.create(session, View(ORGANIZATION, "d", views=("d",))), "d -> d")


def test_versions_pin_snapshots(session: Session) -> None:
    views.create(session, View(ORGANIZATION, "front", repositories=("web/main", "web/extra")))
    snapshots.add(session, a_snapshot(number=2, day=2))
    first = a_version("front", 1, a_snapshot("web/extra"), a_snapshot())
    second = replace(
        a_version("front", 2, a_snapshot("web/extra"), a_snapshot(number=2, day=2)), description="blessed"
    )
    refused(lambda: views.version(session, ORGANIZATION, "front"), "view publish front")
    views.add_version(session, first)
    views.add_version(session, second)
    assert views.version(session, ORGANIZATION, "front") == second
    assert views.version(session, ORGANIZATION, "front", 1) == first
    assert views.versions(session, ORGANIZATION, "front") == [second, first]
    refused(lambda: views.version(session, ORGANIZATION, "front", 3), "no version '3'", "there is 1 and 2")


def test_a_version_that_cannot_be_is_refused(session: Session) -> None:
    views.create(session, View(ORGANIZATION, "front"))
    views.add_version(session, a_version("front", 1, a_snapshot()))
    refused(lambda: views.add_version(session, a_version("front", 1)), "version 1 of the view front")
    refused(lambda: views.add_version(session, a_version("front", 2, a_snapshot(number=9))), "snapshot '9'")
    foreign = replace(a_snapshot(), organization="other")
    refused(lambda: views.add_version(session, a_version("front", 2, foreign)), kind=Invalid)
    twice = a_version("front", 2, a_snapshot(), a_snapshot())
    refused(lambda: views.add_version(session, twice), "two things at web/main", kind=Invalid)
    refused(lambda: views.add_version(session, replace(a_version("front", 1), number=0)), kind=Invalid)


def test_the_number_of_a_removed_version_is_not_given_again(session: Session) -> None:
    views.create(session, View(ORGANIZATION, "front"))
    assert views.next_number(session, ORGANIZATION, "front") == 1
    views.add_version(session, a_version("front", 7, a_snapshot()))
    views.remove_version(session, ORGANIZATION, "front", 7)
    assert views.next_number(session, ORGANIZATION, "front") == 8
    assert views.versions(session, ORGANIZATION, "front") == []


def test_a_view_goes_when_nothing_shows_it_and_its_versions_with_it(session: Session) -> None:
    views.create(session, View(ORGANIZATION, "front"))
    views.create(session, View(ORGANIZATION, "all", views=("front",)))
    views.add_version(session, a_version("front", 1, a_snapshot()))
    environments.show(session, ORGANIZATION, LIBRARY, "front", 1)
    refused(
        lambda: views.delete(session, ORGANIZATION, "front"),
        "the environment library: shows version 1",
        "the view all: is composed of it",
    )
    views.delete(session, ORGANIZATION, "all")
    environments.hide(session, ORGANIZATION, LIBRARY, "front")
    views.delete(session, ORGANIZATION, "front")
    assert views.all(session, ORGANIZATION) == []
    assert snapshots.used(session, a_repository()) == set()


def test_a_version_that_is_shown_does_not_go(session: Session) -> None:
    views.create(session, View(ORGANIZATION, "front"))
    for number in (1, 2):
        views.add_version(session, a_version("front", number, a_snapshot()))
    environments.show(session, ORGANIZATION, LIBRARY, "front", 1)
    refused(lambda: views.remove_version(session, ORGANIZATION, "front", 1), "the environment library")
    environments.show(session, ORGANIZATION, LIBRARY, "front", 2)
    views.remove_version(session, ORGANIZATION, "front", 1)
    assert environments.get(session, ORGANIZATION, LIBRARY).shows == {"front": 2}


# --- environments


def test_environments_are_listed_along_the_path(session: Session) -> None:
    for label, after in (("dev", LIBRARY), ("test", "dev"), ("alpha", LIBRARY), ("prod", "test")):
        environments.create(session, Environment(ORGANIZATION, label, after=after))
    labels = [each.label for each in environments.all(session, ORGANIZATION)]
    assert labels == [LIBRARY, "alpha", "dev", "test", "prod"]
    assert environments.get(session, ORGANIZATION, "prod") == Environment(ORGANIZATION, "prod", after="test")


def test_an_environment_is_after_one_that_is_there(session: Session) -> None:
    refused(
        lambda: environments.create(session, Environment(ORGANIZATION, "dev", after="libary")),
        "mean library?",
    )
    refused(lambda: environments.create(session, Environment(ORGANIZATION, "dev", after="")), kind=Invalid)
    refused(lambda: environments.create(session, Environment(ORGANIZATION, LIBRARY)), "there already")


def test_a_path_is_a_tree_below_the_library(session: Session) -> None:
    environments.create(session, Environment(ORGANIZATION, "dev"))
    environments.create(session, Environment(ORGANIZATION, "prod", after="dev"))
    loop = Environment(ORGANIZATION, "dev", after="prod")
    refused(lambda: environments.update(session, loop), "dev after prod after dev")
    library = Environment(ORGANIZATION, LIBRARY, after="dev")
    refused(lambda: environments.update(session, library), kind=Invalid)
    environments.update(session, Environment(ORGANIZATION, "prod", "Production"))
    assert environments.get(session, ORGANIZATION, "prod").after == LIBRARY
    environments.update(session, Environment(ORGANIZATION, LIBRARY, "All", after=""))
    assert environments.get(session, ORGANIZATION, LIBRARY).name == "All"


def test_environments_show_versions_that_are_there(session: Session) -> None:
    views.create(session, View(ORGANIZATION, "front"))
    views.add_version(session, a_version("front", 1, a_snapshot()))
    dev = Environment(ORGANIZATION, "dev", shows={"front": 1})
    environments.create(session, dev)
    assert environments.get(session, ORGANIZATION, "dev") == dev
    refused(lambda: environments.show(session, ORGANIZATION, "dev", "front", 2), "no version '2'")
    environments.hide(session, ORGANIZATION, "dev", "front")
    environments.hide(session, ORGANIZATION, "dev", "front")
    assert environments.get(session, ORGANIZATION, "dev").shows == {}


def test_an_environment_goes_when_it_is_the_last_and_shows_nothing(session: Session) -> None:
    views.create(session, View(ORGANIZATION, "front"))
    views.add_version(session, a_version("front", 1, a_snapshot()))
    environments.create(session, Environment(ORGANIZATION, "dev", shows={"front": 1}))
    environments.create(session, Environment(ORGANIZATION, "prod", after="dev"))
    refused(
        lambda: environments.delete(session, ORGANIZATION, "dev"),
        "the environment prod: is after it",
        "the view front: version 1",
    )
    environments.delete(session, ORGANIZATION, "prod")
    environments.hide(session, ORGANIZATION, "dev", "front")
    environments.delete(session, ORGANIZATION, "dev")
    refused(lambda: environments.delete(session, ORGANIZATION, LIBRARY), "the library stays")


# --- keys


def test_keys_verify_repositories(session: Session) -> None:
    one, two = Key(ORGANIZATION, "one", "certificate 1"), Key(ORGANIZATION, "two", "certificate 2")
    for key in (two, one, one):
        keys.add(session, key)
    assert keys.all(session, ORGANIZATION) == [one, two]
    assert keys.get(session, ORGANIZATION, "two") == two
    keys.set_of_repository(session, a_repository(), ["two", "one", "one"])
    assert keys.of_repository(session, a_repository()) == [one, two]
    keys.set_of_repository(session, a_repository(), ["two"])
    assert keys.of_repository(session, a_repository()) == [two]
    keys.remove(session, ORGANIZATION, "one")
    refused(lambda: keys.remove(session, ORGANIZATION, "two"), "web/main: is verified by it")
    refused(lambda: keys.set_of_repository(session, a_repository(), ["too"]), "did you mean two?")
    repositories.delete(session, ORGANIZATION, "web/main")
    keys.remove(session, ORGANIZATION, "two")


def test_a_key_is_replaced_on_purpose_alone(session: Session) -> None:
    keys.add(session, Key(ORGANIZATION, "one", "certificate"))
    other = Key(ORGANIZATION, "one", "another certificate")
    refused(lambda: keys.add(session, other), "another key one")
    keys.replace(session, other)
    assert keys.get(session, ORGANIZATION, "one") == other
    refused(lambda: keys.replace(session, replace(other, name="two")), "no key 'two'")


# --- exports, imports, receipts, audit

FRONT = Subject("view", ORGANIZATION, "front", 1)


def an_export(export_id: str, *, subject: Subject = FRONT, destination: str = "") -> ExportRecord:
    return ExportRecord(
        organization=ORGANIZATION,
        subject=subject,
        kind="complete",
        format="tar",
        destination=destination,
        export_id=export_id,
        place="/exports/x",
        made="2026-11-01T12:00:00Z",
        chunks=2,
        objects=3,
        bytes=9_000_000_000,
        manifest='{"id": "x"}',
    )


def test_exports_are_found_by_number_and_by_id(session: Session) -> None:
    first, second = exports.add(session, an_export("aabb01")), exports.add(session, an_export("aabb02"))
    again = exports.add(session, an_export("aabb01"))
    assert 0 < first.number < second.number < again.number
    number = second.number
    assert (
        exports.get(session, number)
        == exports.get(session, str(number))
        == exports.get(session, "AABB02")
        == second
    )
    assert exports.get(session, "aabb01") == again
    refused(lambda: exports.get(session, "aabb"), "several exports begin with aabb", f"{number}: aabb02")
    for name in ("aab", "ffff", "987", "9" * 40, "%%%%", ""):
        refused(partial(exports.get, session, name), "there is no export")


def test_exports_are_listed_newest_first_and_by_what_they_are(session: Session) -> None:
    later = replace(FRONT, version=2)
    one = exports.add(session, an_export("aa01"))
    two = exports.add(session, an_export("aa02", subject=later, destination="branch"))
    three = exports.add(session, replace(an_export("aa03", subject=later), state="partial"))
    other = exports.add(session, an_export("aa04", subject=Subject("library", ORGANIZATION)))
    assert exports.all(session) == exports.all(session, ORGANIZATION) == [other, three, two, one]
    assert exports.all(session, "other") == []
    assert exports.all(session, subject=FRONT) == [three, two, one]
    assert exports.all(session, destination="") == [other, three, one]
    assert exports.all(session, state="partial") == [three]
    assert exports.latest(session, ORGANIZATION, FRONT) == one
    assert exports.latest(session, ORGANIZATION, FRONT, "branch") == two
    assert exports.latest(session, ORGANIZATION, FRONT, "elsewhere") is None
    exports.update(session, replace(three, state="complete", receipt="r"))
    assert exports.latest(session, ORGANIZATION, FRONT) == replace(three, state="complete", receipt="r")


def test_a_pinned_export_stays_and_no_number_is_given_twice(session: Session) -> None:
    one = exports.add(session, an_export("aa01"))
    exports.set_pinned(session, one.number, True)
    exports.update(session, one)  # by somebody who does not know
    assert exports.get(session, one.number) == replace(one, pinned=True)
    refused(lambda: exports.remove(session, one.number), f"export pin --undo {one.number}")
    exports.set_pinned(session, one.number, False)
    exports.remove(session, one.number)
    assert exports.add(session, one).number == one.number + 1
    refused(lambda: exports.remove(session, one.number), f"there is no export '{one.number}'")


def test_imports_are_recorded_once_for_each_export(session: Session) -> None:
    sent = Subject("view", "head-office", "front", 3)
    begun = ImportRecord(
        "aa01", ORGANIZATION, sent, "going on", "2026-11-01T12:00:00Z", "2026-11-01T12:00:00Z"
    )
    done = replace(begun, state="complete", updated="2026-11-03T12:00:00Z", report={"created": ["web/main"]})
    other = replace(begun, export_id="aa02", organization="other", updated="2026-11-02T12:00:00Z")
    for record in (begun, other, done):
        imports.put(session, record)
    assert imports.get(session, "aa01") == done
    assert imports.get(session, "aa") is None
    assert imports.all(session) == [done, other]
    assert imports.all(session, "other") == [other]
    imports.remove(session, "aa02")
    imports.remove(session, "aa02")
    assert imports.all(session) == [done]


def test_receipts_are_found_by_digest_and_by_destination(session: Session) -> None:
    one, two = Receipt("branch", "aabbcc01", "{1}", "2026-11-01"), Receipt("branch", "aabbcc02", "{2}")
    receipts.put(session, one)
    receipts.put(session, two)
    assert receipts.get(session, "AABBCC01") == one
    assert receipts.latest(session, "branch") == two
    assert receipts.latest(session, "elsewhere") is None
    refused(lambda: receipts.get(session, "aabbcc"), "several receipts", "aabbcc01")
    refused(lambda: receipts.get(session, "aabb"), "no receipt 'aabb'")
    receipts.put(session, one)
    assert receipts.latest(session, "branch") == one
    assert receipts.all(session) == [one, two]


def test_the_audit_trail_says_who_did_what(session: Session) -> None:
    audit.note(session, ALICE, "product.create", "acme/web", {"kind": "custom", "where": Path("/srv")})
    audit.note(session, Actor("bob", "api"), "product.delete", "acme/web")
    last, first = audit.all(session)
    assert (last.actor, last.action, last.details) == (Actor("bob", "api"), "product.delete", {})
    assert first.details == {"kind": "custom", "where": "/srv"}
    assert audit.all(session, 1) == [last]
    assert first.to_json()["via"] == "test"


def test_large_views_take_few_statements(session: Session) -> None:
    made: list[Snapshot] = []
    for number in range(60):
        repositories.create(session, a_repository(f"web/r{number}"))
        made.append(a_snapshot(f"web/r{number}"))
        snapshots.add(session, made[-1])
    with statements(session) as seen:
        view = View(ORGANIZATION, "front", repositories=tuple(f"web/{each.repository}" for each in made))
        views.create(session, view)
        for number in range(1, 4):
            views.add_version(session, a_version("front", number, *made))
        assert [len(each.contents) for each in views.versions(session, ORGANIZATION, "front")] == [60] * 3
        assert len(repositories.all(session, ORGANIZATION)) == 62
    assert len(seen) < 40


@contextlib.contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    """Those that are executed meanwhile."""
    seen: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        seen.append(statement)

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", note)
    yield seen
    event.remove(connection, "before_cursor_execute", note)
