# SPDX-License-Identifier: GPL-3.0-or-later
"""The worked examples of scripts.d/README.md, taken from its text and run against real servers, twice."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orchestrator.cli.actions import known_actions
from orchestrator.config.shipped import share_directory
from orchestrator.host import processes
from orchestrator.upgrade.header import FIELDS, RunRule, parse_header
from orchestrator.upgrade.scripts import Step, find_steps
from tests.support.deb_repository import Deb, DebRepository
from tests.support.requirements import require
from tests.support.servers import PostgresqlServer, free_port, postgresql_server, server_directory
from tests.support.static_server import static_server

CHECKOUT = Path(__file__).resolve().parents[2]
README = (share_directory() / "scripts.d" / "README.md").read_text()
# A line with the file's name, then its text.
_EXAMPLE = re.compile(
    r"^`((?:check|default|upgrade)/[^`\n]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
_BLOCK = re.compile(r"^```sh\n(#!.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Step]:
    """The examples as a layer on disk, found by the runner: number -> step."""
    layer = tmp_path_factory.mktemp("tutorial") / "scripts.d"
    for name, text in _EXAMPLE.findall(README):
        path = layer / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    found = find_steps([layer], known_actions())
    assert found.problems == ()
    return {f"{step.number:04}": step for step in found.steps}


def run(step: Step, tmp_path: Path, environment: Mapping[str, str | Path]) -> processes.Completed:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    env = {
        "ORCHESTRATOR_STEP": step.id,
        "ORCHESTRATOR_ATTEMPT": "1",
        "ORCHESTRATOR_STATE_DIR": str(tmp_path / "state"),
        "ORCHESTRATOR_SCRATCH_DIR": str(scratch),
        **{name: str(value) for name, value in environment.items()},
    }
    return processes.run(step.argv, env=env)


# The text -----------------------------------------------------------------------------------------


def test_there_is_an_example_for_every_phase_and_two_of_actions(steps: Mapping[str, Step]) -> None:
    assert list(steps) == ["0100", "3100", "6100", "6200", "6300"]
    assert [action.summary.partition(":")[0] for action in steps["6200"].actions] == [
        "command",
        "restart",
        "wait",
    ]
    assert steps["6200"].header.run is RunRule.ON_CHANGE


def test_every_header_in_the_text_is_valid() -> None:
    blocks = _BLOCK.findall(README)
    assert len(blocks) >= 2
    for block in blocks:
        assert parse_header(block, "README.md")[1] == []


def test_every_header_field_is_explained_with_an_example_that_the_parser_takes() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| `(#[^`]+)` \|", README, re.MULTILINE))
    assert list(rows) == list(FIELDS)
    for key, example in rows.items():
        written, _, value = example.removeprefix("#").partition(": ")
        assert written == key
        FIELDS[key][1](value)


# backends-down ------------------------------------------------------------------------------------

OLD_SETTINGS = {"format": 1, "smtp_host": "mail.example", "smtp_port": 25, "title": "Example"}
NEW_SETTINGS = {"format": 2, "mail": {"host": "mail.example", "port": 25}, "title": "Example"}


def test_the_settings_are_rewritten_once_and_the_old_ones_kept(
    steps: Mapping[str, Step], tmp_path: Path
) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(OLD_SETTINGS))
    settings.chmod(0o640)
    for _ in range(2):
        ended = run(steps["0100"], tmp_path, {"EXAMPLE_SETTINGS": settings})
        assert ended.ok, ended
        assert json.loads(settings.read_text()) == NEW_SETTINGS
        assert settings.stat().st_mode & 0o777 == 0o640
        assert json.loads((tmp_path / "settings.json.format-1").read_text()) == OLD_SETTINGS
    assert "already" in ended.stdout
    assert {path.name for path in tmp_path.iterdir()} == {
        "settings.json",
        "settings.json.format-1",
        "scratch",
    }


def test_the_settings_step_goes_on_from_what_a_power_cut_left(
    steps: Mapping[str, Step], tmp_path: Path
) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(OLD_SETTINGS))
    os.link(settings, tmp_path / "settings.json.format-1")
    (tmp_path / ".settings.json.new").write_text('{"format": 2, "ma')
    assert run(steps["0100"], tmp_path, {"EXAMPLE_SETTINGS": settings}).ok
    assert json.loads(settings.read_text()) == NEW_SETTINGS
    assert json.loads((tmp_path / "settings.json.format-1").read_text()) == OLD_SETTINGS


def test_the_settings_step_does_not_apply_where_there_are_none(
    steps: Mapping[str, Step], tmp_path: Path
) -> None:
    assert run(steps["0100"], tmp_path, {"EXAMPLE_SETTINGS": tmp_path / "absent.json"}).exit_code == 77


# backends-up --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgresqlServer]:
    with server_directory() as directory, postgresql_server(directory) as server:
        yield server


@pytest.fixture
def customers(postgresql: PostgresqlServer, request: pytest.FixtureRequest) -> dict[str, str]:
    """A database of the old version with two customers; the environment that leads the step to it."""
    require(processes.find_program("psql") is not None, "psql is not installed")
    database = request.function.__name__[-40:]
    postgresql.query(f"CREATE DATABASE {database}")
    postgresql.query("CREATE TABLE customer (id int PRIMARY KEY, first_name text, last_name text)", database)
    postgresql.query("INSERT INTO customer VALUES (1, 'Ada', 'Byron'), (2, 'Alan', 'Turing')", database)
    return {
        "PGHOST": str(postgresql.socket_directory),
        "PGPORT": str(postgresql.port),
        "PGUSER": "postgres",
        "PGDATABASE": database,
    }


def test_the_customers_are_migrated_once(
    steps: Mapping[str, Step], tmp_path: Path, postgresql: PostgresqlServer, customers: dict[str, str]
) -> None:
    for said in ("customers have full names now", "customers have full names already"):
        ended = run(steps["3100"], tmp_path, customers)
        assert ended.ok, ended
        assert ended.stdout.strip() == said
        rows = postgresql.query("SELECT * FROM customer ORDER BY id", customers["PGDATABASE"])
        assert rows == "1|Ada Byron\n2|Alan Turing"


def test_a_migration_that_fails_changes_nothing(
    steps: Mapping[str, Step], tmp_path: Path, postgresql: PostgresqlServer, customers: dict[str, str]
) -> None:
    database = customers["PGDATABASE"]
    postgresql.query("INSERT INTO customer VALUES (3, 'Plato', NULL)", database)
    ended = run(steps["3100"], tmp_path, customers)
    assert ended.exit_code == 3
    assert "null values" in ended.stderr
    assert postgresql.query("SELECT * FROM customer WHERE id = 1", database) == "1|Ada|Byron"
    postgresql.query("UPDATE customer SET last_name = '' WHERE id = 3", database)
    assert run(steps["3100"], tmp_path, customers).ok


def test_the_migration_asks_to_be_tried_again_when_there_is_no_connection(
    steps: Mapping[str, Step], tmp_path: Path, customers: dict[str, str]
) -> None:
    assert (
        run(
            steps["3100"], tmp_path, {**customers, "PGHOST": "127.0.0.1", "PGPORT": str(free_port())}
        ).exit_code
        == 75
    )


# all-up -------------------------------------------------------------------------------------------


@dataclass
class Application:
    """A search index that is built document by document while somebody looks on."""

    version: int = 1
    done: int = 3
    builds: int = 0
    unavailable: bool = False
    guard: threading.Lock = field(default_factory=threading.Lock)

    def index(self) -> dict[str, object]:
        state = "complete" if self.done == 3 else "building"
        return {"version": self.version, "state": state, "done": self.done, "documents": 3}

    def get(self) -> dict[str, object]:
        with self.guard:
            answer = self.index()
            self.done = min(3, self.done + 1)
            return answer

    def put(self, wanted: int) -> dict[str, object]:
        with self.guard:
            if wanted != self.version:
                self.version, self.done, self.builds = wanted, 0, self.builds + 1
            return self.index()


@contextmanager
def serving(application: Application) -> Iterator[dict[str, str | Path]]:
    """The environment that leads the step to the application."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self, content: dict[str, object]) -> None:
            body = json.dumps(content).encode()
            self.send_response(503 if application.unavailable else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.answer(application.get())

        def do_PUT(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(application.put(body["version"]))

        def log_message(self, *_: object) -> None:
            """The tests' output is for the tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            # A proxy that answers nobody: the step must not ask it for an address of this host.
            yield {
                "EXAMPLE_API": f"http://127.0.0.1:{server.server_port}",
                "EXAMPLE_POLL_SECONDS": "0",
                "http_proxy": "http://127.0.0.1:9",
            }
        finally:
            server.shutdown()
            thread.join()


def test_the_index_is_built_once_and_waited_for(steps: Mapping[str, Step], tmp_path: Path) -> None:
    application = Application()
    with serving(application) as environment:
        for _ in range(2):
            ended = run(steps["6100"], tmp_path, environment)
            assert ended.ok, ended
            assert "the search index of version 2 is complete" in ended.stdout
            assert application.builds == 1


def test_the_index_step_waits_for_a_build_that_an_earlier_attempt_started(
    steps: Mapping[str, Step], tmp_path: Path
) -> None:
    application = Application(version=2, done=1, builds=1)
    with serving(application) as environment:
        ended = run(steps["6100"], tmp_path, environment)
    assert ended.ok, ended
    assert "of 3 documents" in ended.stdout
    assert application.builds == 1


def test_the_index_step_asks_to_be_tried_again_while_the_application_is_busy(
    steps: Mapping[str, Step], tmp_path: Path
) -> None:
    with serving(Application(unavailable=True)) as environment:
        assert run(steps["6100"], tmp_path, environment).exit_code == 75


def test_the_index_step_asks_to_be_tried_again_when_nobody_answers(
    steps: Mapping[str, Step], tmp_path: Path
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = {"EXAMPLE_API": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        assert run(steps["6100"], tmp_path, address).exit_code == 75


# Actions ------------------------------------------------------------------------------------------


@pytest.fixture
def web_server(steps: Mapping[str, Step], tmp_path: Path) -> Iterator[Path]:
    """A server with the step of actions as its only one and a service `web`; its configuration."""
    port = free_port()
    render = tmp_path / "example-render"
    render.write_text(f"#!/bin/sh\necho rendered >>{tmp_path}/rendered\n")
    render.chmod(0o755)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "a.conf").write_text("one")
    (tmp_path / "ping").touch()
    text = steps["6200"].path.read_text().replace("/usr/bin/example-render", str(render))
    text = text.replace("/etc/example", str(tmp_path)).replace(":8080/", f":{port}/")
    step = tmp_path / "scripts.d" / "default" / steps["6200"].name
    step.parent.mkdir(parents=True)
    step.write_text(text)
    config = tmp_path / "orchestrator.yaml"
    web = {
        "tier": "application",
        "manager": "process",
        "command": [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)],
        "cwd": str(tmp_path),
        "ports": [port],
        "ready": [{"http": f"http://127.0.0.1:{port}/ping"}],
    }
    content = {"state_dir": "state", "log_dir": "log", "scripts": ["scripts.d"], "services": {"web": web}}
    config.write_text(json.dumps(content))
    yield config
    orchestrator("services", "stop", "--config", str(config))


def orchestrator(*arguments: str) -> str:
    """What the command says; it must end with 0."""
    argv = [sys.executable, "-m", "orchestrator", *arguments]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=CHECKOUT, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_step_of_actions_runs_at_first_and_then_when_a_template_changed(
    web_server: Path, tmp_path: Path
) -> None:
    rendered = tmp_path / "rendered"
    upgrade = ("upgrade", "--assumeyes", "--config", str(web_server))
    for _ in range(2):
        orchestrator(*upgrade)
        assert rendered.read_text() == "rendered\n"
    (tmp_path / "templates" / "a.conf").write_text("two")
    orchestrator(*upgrade)
    assert rendered.read_text() == "rendered\nrendered\n"


# Writing ------------------------------------------------------------------------------------------


def test_the_command_that_begins_a_step_makes_one_that_lints(tmp_path: Path) -> None:
    written = next(line.split()[1:] for line in README.splitlines() if "orchestrator scripts new " in line)
    made = orchestrator(*written, "--directory", str(tmp_path / "layer")).strip()
    assert Path(made).name == "3010_rename_mail_settings.sh"
    orchestrator("scripts", "lint", str(tmp_path / "layer"))


def test_the_shipped_steps_lint() -> None:
    orchestrator("scripts", "lint", str(share_directory() / "scripts.d"))


def test_the_mirror_of_the_terminals_is_brought_up_to_date_and_verified(
    steps: Mapping[str, Step], tmp_path: Path
) -> None:
    upstream = DebRepository(tmp_path / "www")
    upstream.publish(Deb("reader", depends="fonts"), Deb("fonts"))
    config, mirrors = tmp_path / "orchestrator.yaml", tmp_path / "mirrors.yaml"
    config.write_text(json.dumps({"state_dir": "state", "log_dir": "log", "scripts": ["scripts.d"]}))
    with static_server(tmp_path / "www") as server:
        source = {"name": "terminals", "type": "deb", "baseurl": server.url, "repositories": ["stable main"]}
        plain = {"architectures": ["amd64"], "unsigned": True}
        mirrors.write_text(json.dumps({"common": {"destination": "content"}, "sources": [source | plain]}))
        environment = {"ORCHESTRATOR_CONFIG": config, "ORCHESTRATOR_MIRRORS": mirrors}
        for said in ("published generation 1: 2 packages", "terminals: unchanged, generation 1"):
            ended = run(steps["6300"], tmp_path, environment)
            assert ended.ok, ended
            assert said in ended.stdout
            assert "all as published" in ended.stdout
    published = tmp_path / "content" / "published" / "terminals"
    assert {path.name for path in published.rglob("*.deb")} == {"reader_1.0_amd64.deb", "fonts_1.0_amd64.deb"}
