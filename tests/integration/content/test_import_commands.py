# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator import ...` as people and programs use it, on a server that has nothing but a configuration."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from orchestrator.cli.app import app
from orchestrator.content.exports.manifest import ProductEntry
from tests.support.receiving import Server, server
from tests.support.sending import KEY, STRANGER, Sent, contents, increment, of
from tests.support.terminal import at_terminal

WEB, TOOLS = Sent("os/web", contents("a", "b", "c")), Sent("own/tools", contents("d", "e"))
FIRST = of(WEB, TOOLS)
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    config = tmp_path / "orchestrator.yaml"
    config.write_text(f"content:\n  root: {tmp_path}/server\n  exports: {tmp_path}/exports\n")
    (tmp_path / "key.pem").write_bytes(KEY.public.pem)
    FIRST.directories(tmp_path / "media")
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(config))

    def run(*words: str | Path) -> Result:
        return CliRunner().invoke(app, ["import", *map(str, words)], catch_exceptions=False)

    return run


@pytest.fixture
def receiver(tmp_path: Path, run: Run) -> Iterator[Server]:
    with server(tmp_path, trusts=False, fresh=True) as found:
        yield found


def media(place: Path) -> list[Path]:
    return sorted((place / "media").iterdir())


def test_a_fresh_server_trusts_a_key_and_imports(run: Run, receiver: Server, tmp_path: Path) -> None:
    refused = run("plan", *media(tmp_path))
    assert refused.exit_code == 4
    assert "is not trusted here" in refused.stderr
    assert "orchestrator import trust" in refused.stderr
    assert KEY.public.id in run("trust", tmp_path / "key.pem").stdout
    assert run("trust").stdout.split() == [KEY.public.id]
    planned = run("plan", *media(tmp_path))
    assert planned.exit_code == 0, planned.stderr
    assert "create  repository    os/web" in planned.stdout
    done = run("run", *media(tmp_path))
    assert done.exit_code == 0, done.stdout + done.stderr
    assert "imported completely" in done.stdout
    assert receiver.repository("os/web") == WEB.contents
    assert run("trust", "--remove", KEY.public.id[:6]).exit_code == 0
    assert "No key is trusted" in run("trust").stdout


def test_media_come_one_by_one_and_the_list_says_what_is_missing(
    run: Run, receiver: Server, tmp_path: Path
) -> None:
    first, *others = media(tmp_path)
    trust, asked = ("--trust", tmp_path / "key.pem"), tmp_path / "request"
    begun = run("run", first, *trust, "--request-file", asked)
    assert begun.exit_code == 3, begun.stderr
    assert "orchestrator import run PATH" in begun.stdout
    missing = sum(map(len, FIRST.pieces[1:]))
    assert len(json.loads(asked.read_text())["objects"]) == missing
    assert f"going on, {missing} objects missing" in run("list").stdout
    [listed] = json.loads(run("list", "--output", "json").stdout)
    assert (listed["export"], listed["state"], listed["missing"]["objects"]) == (
        FIRST.id, "going on", missing,
    )  # fmt: skip
    assert run("run", *others, *trust).exit_code == 0
    assert receiver.repository("own/tools") == TOOLS.contents
    assert "complete" in run("list").stdout
    assert run("cancel", FIRST.id[:6]).exit_code == 4


def test_programs_read_what_happened(run: Run, tmp_path: Path) -> None:
    trust = ("--trust", tmp_path / "key.pem")
    plan = json.loads(run("plan", *media(tmp_path), *trust, "--output", "json").stdout)
    assert [each["action"] for each in plan["exports"][0]["items"]] == ["create"] * 5
    done = run("run", *media(tmp_path), *trust, "--output", "json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events if event["event"] != "progress"] == [
        "taking", "publishing", "published", "publishing", "published", "imported", "result",
    ]  # fmt: skip
    result = events[-1]
    assert (result["exit_code"], result["exports"][0]["state"]) == (0, "complete")
    assert {item["name"]: item.get("snapshot") for item in result["exports"][0]["items"]} == {
        "acme": None, "os": None, "own": None, "os/web": 1, "own/tools": 1,
    }  # fmt: skip
    refused = run("run", tmp_path / "key.pem", "--output", "json")
    assert json.loads(refused.stdout)["exit_code"] == refused.exit_code == 1


def test_a_receipt_is_a_file_and_a_line_to_type(run: Run, tmp_path: Path) -> None:
    assert run("receipt").exit_code == 4
    run("run", *media(tmp_path), "--trust", tmp_path / "key.pem")
    printed = run("receipt")
    document = json.loads(printed.stdout)
    assert document["digest"] in printed.stderr
    assert document["export"] == FIRST.id
    kept = run("receipt", "acme", "--to", tmp_path / "receipt.json")
    assert document["digest"] in kept.stdout
    assert json.loads((tmp_path / "receipt.json").read_text())["digest"] == document["digest"]


def test_what_is_refused_is_said_with_what_helps(run: Run, tmp_path: Path) -> None:
    trust = ("--trust", tmp_path / "key.pem")
    run("run", *media(tmp_path), *trust)
    later = replace(WEB, contents=contents("x"), made="2026-02-01T00:00:00.000Z")
    second = increment(of(later, TOOLS, chunk=100), FIRST).directories(tmp_path / "second")
    assert run("run", *second, *trust).exit_code == 0
    back = replace(WEB, contents=contents("old"), made="2025-12-01T00:00:00.000Z")
    old = of(back, chunk=100).directories(tmp_path / "old")
    refused = run("run", *old, *trust)
    assert refused.exit_code == 4
    assert "--allow-older" in refused.stdout
    assert run("run", *old, *trust, "--allow-older").exit_code == 0
    foreign = replace(FIRST, signer=STRANGER).directories(tmp_path / "foreign")
    mixed = run("run", *foreign, *media(tmp_path), *trust, "--allow-older")
    assert mixed.exit_code == 4
    assert mixed.stdout.count("is not trusted here") == 3
    assert run("run", tmp_path / "nowhere").exit_code == 78


def test_everything_fits_a_terminal_of_80_columns(run: Run, receiver: Server, tmp_path: Path) -> None:
    vendor = (ProductEntry("os", "vendor", "", "redhat", "69"), ProductEntry("own", "custom"))
    some = replace(FIRST, products=vendor).directories(tmp_path / "vendor")[:1]
    trust = ("--trust", str(tmp_path / "key.pem"))
    environment = {**os.environ, "ORCHESTRATOR_CONFIG": str(tmp_path / "orchestrator.yaml")}
    for words in (("plan", *some, *trust), ("run", *some, *trust), ("list",)):
        argv = [sys.executable, "-m", "orchestrator", "import", *map(str, words)]
        with at_terminal(argv, environment, columns=80) as terminal:
            terminal.wait()
        lines = terminal.text.splitlines()
        assert len(lines) > 1
        assert max(map(len, lines)) <= 80 or max(len(line.rstrip()) for line in lines) <= 80, terminal.text
        assert "os/web" in terminal.text or words == ("list",)
