# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo end to end: real PostgreSQL, a search service that is slow to become ready, a web application."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest

from tests.support.bookshelf import Bookshelf, has_postgresql, temporary_bookshelf
from tests.support.requirements import require

pytestmark = pytest.mark.slow

ONE_SHOTS = [
    "1020_convert_search_index.py",
    "1030_postgresql_memory.sh",
    "3010_author_table.sh",
    "3020_shelf_marks.sh",
    "3030_schema_2.sh",
    "6010_index_authors.py",
    "6020_match_any_word.yaml",
]


@pytest.fixture
def bookshelf() -> Iterator[Bookshelf]:
    require(has_postgresql(), "needs PostgreSQL's programs, or the pgserver wheel")
    with temporary_bookshelf() as stack:
        yield stack


def assert_upgraded(stack: Bookshelf) -> None:
    """Schema 2, index format 2, everybody ready, readers let in, each one-shot step done once."""
    assert stack.sql("select version from schema_version") == "2"
    assert stack.sql("select count(*) from book where author_id is null or shelf_mark is null") == "0"
    assert (stack.directory / "search" / "books.index").read_text().startswith("bookshelf-index 2\n")
    assert stack.get("/ping") == (200, {"version": "2.0", "schema": 2})
    status, answer = stack.get("/search?q=lem")
    assert (status, answer["version"]) == (200, "2.0")
    assert answer["hits"] > 0
    assert sorted(name for name in stack.history() if name in ONE_SHOTS) == ONE_SHOTS


@pytest.fixture(scope="module")
def story() -> Iterator[tuple[Bookshelf, str]]:
    """The whole demo, told once, and what it printed."""
    require(has_postgresql(), "needs PostgreSQL's programs, or the pgserver wheel")
    with temporary_bookshelf() as stack:
        done = stack.demo()
        assert done.returncode == 0, done.stdout
        yield stack, done.stdout


def test_the_story_ends_with_version_2(story: tuple[Bookshelf, str]) -> None:
    stack, _ = story

    assert_upgraded(stack)


def test_the_second_upgrade_of_the_story_repeats_no_one_shot(story: tuple[Bookshelf, str]) -> None:
    second = story[1].rpartition("$ orchestrator upgrade -y\n")[2]

    assert "1010_rotate_logs" in second
    assert not [name for name in ONE_SHOTS if f"{name}: " in second]


def test_the_administrators_layer_overrides_masks_and_adds(story: tuple[Bookshelf, str]) -> None:
    stack, _ = story
    logs = (stack.directory / "orchestrator" / "state" / "runs").rglob("*3050_vacuum_database*.log")

    assert {log.read_text() for log in logs} == {"ANALYZE\n"}
    assert not (stack.directory / "outbox").exists()
    assert (stack.directory / "motd").read_text() == "Bookshelf 2.0\n"


def test_the_upgrade_mirrors_in_part_and_real_clients_choose_from_the_mirrors(
    story: tuple[Bookshelf, str],
) -> None:
    stack, told = story
    published = stack.directory / "mirrors" / "published"
    mirrors = [published / name for name in ("terminals-debian", "terminals-rocky")]
    files = [path for mirror in mirrors for path in mirror.resolve().rglob("*")]
    names = {path.name for path in files if path.suffix in (".deb", ".rpm")}

    assert names == {
        "bookshelf-reader_2.0_amd64.deb",
        "libshelf_2.3_amd64.deb",  # of the generation before: clients may still ask for it
        "libshelf_2.4_amd64.deb",
        "reader-fonts_1.0_amd64.deb",
        "bookshelf-reader-2.0-1.noarch.rpm",
        "libshelf-2.3-1.noarch.rpm",
        "libshelf-2.4-1.noarch.rpm",
        "reader-fonts-1.0-1.noarch.rpm",
    }
    for client, shown in (("apt-get", "  libshelf 2.4\n"), ("dnf", "  libshelf-2.4-1\n")):
        assert (shown in told) == (
            shutil.which(client) is not None and (client == "apt-get" or os.geteuid() == 0)
        )
    assert "6025_mirror_reader.yaml: terminals-rocky: unchanged, generation 2" in told


def test_the_upgrade_releases_a_version_to_the_branch_office_which_takes_it_in(
    story: tuple[Bookshelf, str],
) -> None:
    stack, told = story
    library = stack.directory / "branch" / "content" / "published" / "bookshelf" / "library"

    assert "export 2 is complete" in told
    assert told.count("imported completely") == 2
    assert "nothing has changed since the last export" in told.rpartition("$ orchestrator upgrade -y\n")[2]
    shown = library / "terminals" / "mirrors" / "terminals-debian" / "pool"
    assert list(shown.rglob("libshelf_2.4_amd64.deb"))


def test_the_backup_holds_version_1(story: tuple[Bookshelf, str]) -> None:
    stack, _ = story
    oldest = min((stack.directory / "dumps").glob("*.dump"))

    listing = stack.run(f"{stack.settings()['PG_BIN']}/pg_restore", "--list", str(oldest))

    assert "TABLE public book" in listing.stdout
    assert "TABLE public author" not in listing.stdout


def test_without_consent_to_the_risk_nothing_is_touched(bookshelf: Bookshelf) -> None:
    assert bookshelf.demo("up").returncode == 0
    assert bookshelf.demo("switch").returncode == 0

    done = bookshelf.orchestrator("upgrade", "-y")

    assert done.returncode == 6, done.stdout
    assert "3030" in done.stdout
    assert bookshelf.get("/ping") == (200, {"version": "1.0", "schema": 1})
    assert bookshelf.sql("select version from schema_version") == "1"
    assert not list((bookshelf.directory / "dumps").iterdir())


def test_a_step_that_fails_on_bad_data_is_continued_after_the_data_is_put_right(bookshelf: Bookshelf) -> None:
    assert bookshelf.demo("up").returncode == 0
    assert bookshelf.demo("switch").returncode == 0
    bookshelf.sql("update book set author = null where id = 42")

    failed = bookshelf.orchestrator("upgrade", "-y", "--accept", "3030")

    assert failed.returncode == 1, failed.stdout
    assert 'column "author_id"' in failed.stdout
    assert "3020_shelf_marks.sh" not in bookshelf.history()
    # As the phase has it: the database is up for whoever looks into it, the application is down.
    with pytest.raises(URLError):
        bookshelf.get("/ping")
    bookshelf.sql("update book set author = 'Anonymous' where id = 42")

    continued = bookshelf.orchestrator("upgrade", "-y", "--accept", "3030")

    assert continued.returncode == 0, continued.stdout
    assert_upgraded(bookshelf)
    assert (
        bookshelf.sql("select name from author where id = (select author_id from book where id = 42)")
        == "Anonymous"
    )


def test_a_second_demo_in_the_same_directory_begins_again_with_version_1(bookshelf: Bookshelf) -> None:
    assert bookshelf.demo("up").returncode == 0
    assert bookshelf.demo("switch").returncode == 0
    ports = bookshelf.settings()["WEB_PORT"]

    again = bookshelf.demo("up")

    assert again.returncode == 0, again.stdout
    assert bookshelf.get("/ping") == (200, {"version": "1.0", "schema": 1})
    assert bookshelf.settings()["WEB_PORT"] == ports


def test_an_ordinary_user_can_run_it() -> None:
    require(has_postgresql(), "needs PostgreSQL's programs, or the pgserver wheel")
    if os.geteuid() != 0:
        pytest.skip("every test here runs as an ordinary user already")
    if not _nobody_can_run(sys.executable):
        pytest.skip(f"the user nobody cannot run {sys.executable}")
    with temporary_bookshelf(user="nobody") as stack:
        done = stack.demo()

        assert done.returncode == 0, done.stdout
        assert_upgraded(stack)


def _nobody_can_run(interpreter: str) -> bool:
    nobody = pwd.getpwnam("nobody")
    try:
        done = subprocess.run(
            [interpreter, "-c", "import orchestrator"],
            user=nobody.pw_uid,
            group=nobody.pw_gid,
            extra_groups=[],
            capture_output=True,
            cwd="/",
            check=False,
        )
    except PermissionError:
        return False
    return done.returncode == 0


def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("dear")

    up = Bookshelf(tmp_path).demo("up")
    clean = Bookshelf(tmp_path).demo("clean")

    assert (up.returncode, clean.returncode) == (1, 1)
    assert "was not made by the demo" in up.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["letter"]
