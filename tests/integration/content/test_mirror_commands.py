# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator mirror ...` as its users meet it: every command once, in plain words and as JSON; mistakes; a terminal."""

import json
import random
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyte
import pytest

from tests.support.deb_repository import Deb, DebRepository
from tests.support.fault_server import always, fault_server, slow
from tests.support.openpgp import key
from tests.support.rpm_repository import Rpm, RpmRepository
from tests.support.site import Site, deb_source, rpm_source
from tests.support.static_server import static_server
from tests.support.terminal import at_terminal
from tests.support.tmux import on_screen

WEB, DB, OTHER = Deb("web", depends="db (>= 2)"), Deb("db", "2.1"), Deb("other")
OLD, BROKEN = Deb("old", "0.9"), Deb("broken", depends="gone (>= 3), db (>= 9)")
LONG = Deb("a-name-of-a-package-that-is-long-enough-to-fill-the-row", "1:2.0~rc1+dfsg-12.1+deb12u3")


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    root = tmp_path_factory.mktemp("www")
    DebRepository(root, key=key()).publish(WEB, DB, OTHER, OLD, BROKEN, LONG)
    RpmRepository(root / "os", key=key()).write([Rpm("web", requires=("db",)), Rpm("db", "2.1-1")])
    with static_server(root) as server:
        yield root, server.url


def sources(url: str) -> list[dict[str, Any]]:
    ours = {"sign_with": str(key("ours").secret_file)}
    return [
        deb_source("debian", url, ["stable main"], key(), osname="debian", requirements=["web"], **ours),
        rpm_source("centos", url, ["os"], key(), osname="centos"),
    ]


@pytest.fixture(scope="module")
def made(upstream: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Both mirrors, made once; not to be changed."""
    site = Site(tmp_path_factory.mktemp("made"), sources(upstream[1]))
    site.clone()
    return site


@pytest.fixture
def site(upstream: tuple[Path, str], tmp_path: Path) -> Site:
    """Nothing is made yet."""
    return Site(tmp_path / "site", sources(upstream[1]))


# --- every command ------------------------------------------------------------------------------------------

ANSWERS: dict[str, tuple[tuple[str, ...], int, list[str]]] = {
    "list": (("list",), 0, ["debian", "rebuilt", "centos", "verbatim", "1 (1 kept)"]),
    "packages": (("packages", "debian"), 0, ["web", "other", LONG.name, LONG.version]),
    "packages by name": (("packages", "--name", "d*", "--arch", "noarch"), 0, ["db", "2.1-1", "centos: os"]),
    "search": (("search", "w*", "--source", "debian"), 0, ["web"]),
    "search provides": (("search", "--provides", "db"), 0, ["db", "2.1"]),
    "search requires": (("search", "--requires", "db"), 0, ["web"]),
    "unresolved": (("unresolved", "debian"), 1, ["gone (>= 3)", "broken", "db (>= 9)"]),
    "unresolved, all well": (("unresolved", "centos"), 0, []),
    "why": (("why", "db", "--source", "debian"), 0, ["db 2.1 amd64", "web 1.0 amd64", "requested: web"]),
    "why, asked for": (("why", "old", "-s", "debian", "-r", "old"), 0, ["requested: old"]),
    "verify": (("verify",), 0, ["all as published"]),
    "verify --fast": (("verify", "--fast", "centos"), 0, ["all as published"]),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_a_question_is_answered_in_words_and_as_json(made: Site, what: str) -> None:
    words, code, told = ANSWERS[what]
    text = made.must(*words, code=code)
    for each in told:
        assert each in text
    document = made.json(*words, code=code)
    assert isinstance(document, list)
    assert bool(document) is (what != "unresolved, all well")


def test_the_commands_that_change_mirrors(site: Site, upstream: tuple[Path, str], tmp_path: Path) -> None:
    (*_, result) = site.events("clone")
    assert result["event"] == "result"
    assert [each["status"] for each in result["sources"]] == ["published", "published"]
    assert "unchanged, generation 1" in site.must("clone", "centos")
    site.must("clone", "debian", "--requirement", "other")
    assert "2 (2 kept)" in site.must("list")

    assert "generation 1 is published again" in site.must("rollback", "debian")
    assert site.json("rollback", "debian", "2")["number"] == 2
    assert "does not have a generation 7" in site.run("rollback", "debian", "7").stderr
    assert site.json("prune", "--keep", "1")["generations"] == 1
    assert "0 generations removed" in site.must("prune")

    package = next(site.published("centos").rglob("web*.rpm"))
    package.chmod(0o644)
    package.write_bytes(b"x" * package.stat().st_size)
    assert "damaged" in site.must("verify", "centos", code=1)
    assert site.json("verify", "centos", code=1)[0]["ok"] is False
    assert "repaired, generation 2" in site.must("verify", "centos", "--repair")
    site.must("verify", "centos")

    site.must("create", "chosen", "--from", "debian", "--package", "web", "--with-dependencies")
    assert len(list(site.published("chosen").rglob("*.deb"))) == 2
    listing = tmp_path / "list"
    listing.write_text("# what is wanted\nweb\n\nold (= 0.9)  # an old one\n")
    site.must("create", "listed", "--from", "debian", "--list", str(listing))
    assert len(list(site.published("listed").rglob("*.deb"))) == 2
    (created,) = site.events("create", "local", str(upstream[0] / "os"))[-1]["sources"]
    assert created["packages"] == 2
    assert "Suites: stable" in site.client_config("chosen", "http://m.test/")
    assert "[local]" in site.client_config("local", "http://m.test/")
    assert site.published("local").as_uri() in site.must("client-config", "local")


def test_a_dry_run_tells_what_the_run_then_does(site: Site, upstream: tuple[Path, str]) -> None:
    def planned(*words: str) -> dict[str, Any]:
        (result,) = site.events("clone", "debian", *words)[-1]["sources"]
        return {name: result[name] for name in ("packages", "bytes", "fetched", "removed")}

    for words in ([], ["-r", "other", "-r", "old"], []):
        before = set(site.root.rglob("*"))
        plan = planned("--dry-run", *words)
        there = {path for path in site.root.rglob("*") if "published" in path.parts and path not in before}
        assert not there, "a dry run publishes nothing"
        done = planned(*words)
        names = ("packages", "fetched", "removed")
        assert {name: plan[name] for name in names} == {name: done[name] for name in names}
    text = site.must("clone", "debian", "-n", "-r", "other")
    assert re.search(r"debian: 3 packages, .*\n  \d files?, .* to download\n  0 files, 0 B to remove\n", text)


def test_filters_choose_sources(site: Site) -> None:
    (*_, result) = site.events("clone", "--type", "rpm")
    assert [each["source"] for each in result["sources"]] == ["centos"]
    (*_, result) = site.events("clone", "--os", "debian", "--dry-run")
    assert [each["source"] for each in result["sources"]] == ["debian"]
    none = site.run("clone", "--type", "rpm", "--os", "debian")
    assert (none.returncode, "no source of that type and system" in none.stderr) == (2, True)


def test_filters_choose_among_the_named_sources(site: Site) -> None:
    (*_, result) = site.events("clone", "debian", "centos", "--type", "rpm", "--dry-run")
    assert [each["source"] for each in result["sources"]] == ["centos"]
    none = site.run("clone", "debian", "--type", "rpm")
    assert (none.returncode, "none of debian is of that type" in none.stderr) == (2, True)
    unknown = site.run("clone", "debiann", "centos", "--type", "rpm")
    assert (unknown.returncode, "did you mean debian?" in unknown.stderr) == (2, True)


# --- mistakes -----------------------------------------------------------------------------------------------

MISTAKES: dict[str, tuple[tuple[str, ...], int, str]] = {
    "an option that is none": (("clone", "--partal"), 2, "--partial"),
    "a source that is none": (("clone", "debain"), 2, "did you mean debian?"),
    "several that are none": (("packages", "debain", "cento"), 2, "did you mean centos?"),
    "a type that is none": (("clone", "--type", "dep"), 2, "deb"),
    "a mirror that is none": (("verify", "nothing"), 4, "no mirror nothing"),
    "clients of none": (("client-config", "nothing"), 4, "no mirror nothing"),
    "nothing to search": (("search",), 2, "what to search for"),
    "a pattern that finds nothing": (("search", "zzz*"), 0, "No package"),
    "nothing brings it in": (("why", "other", "-s", "debian"), 4, "nothing brings other in"),
    "a requirement that is none": (("clone", "debian", "-r", "web (>="), 78, "web (>="),
    "nothing required": (("clone", "centos", "--partial"), 78, "requirement"),
    "nothing to create of": (("create", "x"), 2, "FILES"),
    "files that are not there": (("create", "x", "/nonexistent.deb"), 78, "/nonexistent.deb"),
    "a list that is not there": (("create", "x", "--from", "debian", "--list", "/nonexistent"), 2, "/nonexistent"),
    "a name that is taken": (("create", "debian", "--from", "centos", "-p", "web"), 2, "debian"),
    "a name that leads out": (("create", "../x", "--from", "centos", "-p", "web"), 78, "../x"),
    "what cannot be had": (("create", "x", "--from", "debian", "-p", "nothing"), 4, "nothing"),
    "a wait that is none": (("clone", "--wait-lock", "soon"), 2, "soon"),
    "unresolved and strict": (("clone", "debian", "-r", "broken", "--strict"), 4, "gone (>= 3)"),
}  # fmt: skip


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_told_with_its_status_and_what_helps(made: Site, what: str) -> None:
    words, code, told = MISTAKES[what]
    done = made.run(*words)
    assert done.returncode == code, done.stdout + done.stderr
    text = done.stdout + done.stderr
    assert told in " ".join(text.split()), text
    assert "Traceback" not in text


def test_a_configuration_that_is_not_there_and_one_that_is_wrong(site: Site) -> None:
    site.must("list")
    lost = site.run("list", "--config", str(site.place / "nothing.yaml"))
    assert lost.returncode == 78
    assert "nothing.yaml" in lost.stderr
    site.sources = [{"name": "x", "type": "dep", "baseurl": "ftp://h/", "repositories": []}]
    wrong = site.run("clone")
    assert wrong.returncode == 78
    for where in ("sources[0].type", "sources[0].baseurl", "sources[0].repositories"):
        assert where in wrong.stderr


# --- beside -------------------------------------------------------------------------------------------------


def test_the_notify_command_gets_the_outcome_and_its_failure_is_told(site: Site, tmp_path: Path) -> None:
    script, told = tmp_path / "notify", tmp_path / "told.json"
    script.write_text(f"#!/bin/sh\ncat > {told}\n[ $1 = well ] || {{ echo no server >&2; exit 7; }}\n")
    script.chmod(stat.S_IRWXU)
    site.sources[0]["notify"] = [str(script), "well"]
    (*_, result) = site.events("clone", "debian")
    assert json.loads(told.read_text()) == result["sources"][0]
    told.unlink()
    site.must("clone", "debian")
    assert not told.exists(), "nothing was published"
    site.sources[0]["notify"] = [str(script), "badly"]
    text = site.must("clone", "debian", "-r", "other")
    assert "the notify command of debian failed: no server" in text


def test_the_file_of_the_original_tool_loads_with_notes(upstream: tuple[Path, str], tmp_path: Path) -> None:
    config = tmp_path / "fuel.yaml"
    config.write_text(f"""
common:
  thread_num: 2,
  connection_count: 3,
  ignore_error_count: 2,
  fuel_url: http://10.20.0.2:8000
  repo_folder: {tmp_path}/content
  http_proxy: null,
versions:
  ubuntu_version: stable
sources:
  - name: mos
    osname: ubuntu
    type: deb
    baseurl: "{upstream[1]}"
    repositories: ["{{ubuntu_version}} main"]
    requirements: [web]
""")
    site = Site(tmp_path, [])
    command = [*site.command("clone")[:5], "--config", str(config)]
    with at_terminal(command, site.environ()) as terminal:
        assert terminal.wait() == 0, terminal.text
        assert "common.fuel_url: has no meaning here" in terminal.text
        assert "its signature is not verified" in terminal.text
    assert len(list((tmp_path / "content/published/mos").rglob("*.deb"))) == 2


def test_the_environment_names_the_configuration(made: Site) -> None:
    plain = made.command("list")
    assert plain[5] == "--config"
    made.environment = {"ORCHESTRATOR_MIRRORS": str(made.config)}
    with at_terminal([*plain[:5]], made.environ()) as terminal:
        assert terminal.wait() == 0
        assert "debian" in terminal.text
    made.environment = {}


# --- a terminal ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("list",), ("packages",), ("unresolved",), ("why", "db"), ("--help",)])
def test_what_is_shown_fits_eighty_columns(made: Site, words: tuple[str, ...]) -> None:
    command = made.command(*words) if words != ("--help",) else [*made.command("list")[:4], "--help"]
    with on_screen(command, made.environ(), columns=80, lines=40) as screen:
        screen.ended()
        assert screen.lines() == screen.lines(unfolded=True), screen.text()


def test_the_progress_is_seen_while_it_goes_and_is_gone_at_the_end(tmp_path: Path) -> None:
    archive = DebRepository(tmp_path / "www", key=key())
    # Not to be compressed, so that it takes its time.
    large = [Deb(f"p{number}", filler=random.Random(number).randbytes(60_000)) for number in range(6)]
    archive.publish(*large)
    with fault_server(archive.root) as server:
        for deb in large:
            server.faults[f"/{deb.path}"] = always(slow(30_000))
        site = Site(tmp_path / "site", [deb_source("up", server.url, ["stable main"], key())])
        site.configure()
        environment = {name: value for name, value in site.environ().items() if name != "NO_COLOR"}
        with on_screen(site.command("clone"), environment, columns=80, lines=20) as screen:
            screen.expect(" of 6 files, ")
            screen.expect("/s")
            assert screen.lines() == screen.lines(unfolded=True), screen.text()
            assert screen.ended() == 0
            text = screen.text()
            assert "up: published generation 1: 6 packages" in text
            assert " of 6 files" not in text
            assert " of 1 files" not in text
            assert screen.cursor_is_visible


@pytest.mark.parametrize("columns", [80, 40])
def test_at_the_end_a_terminal_shows_just_the_lines(
    upstream: tuple[Path, str], tmp_path: Path, columns: int
) -> None:
    site = Site(tmp_path / "site", sources(upstream[1])[:1])
    site.configure()
    with at_terminal(site.command("clone"), site.environ(COLUMNS=str(columns)), columns=columns) as terminal:
        assert terminal.wait() == 0
    screen = pyte.Screen(columns, 24)
    pyte.ByteStream(screen).feed(terminal.data)
    shown = [line.rstrip() for line in screen.display if line.strip()]
    words = " ".join(" ".join(shown).split())
    assert "debian: reading stable main debian: 2 packages needed debian: 2 files to download" in words
    assert "published generation 1: 2 packages" in words
    assert not screen.cursor.hidden
