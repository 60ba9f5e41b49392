# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator export ...` as its users meet it: every command, in plain words and as JSON; mistakes."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from orchestrator.cli.app import app
from orchestrator.content.exports.requests import MissingObjects, to_file
from tests.support.export_site import contents, copied_site, fill
from tests.support.snapshot_site import deb, snapshot_site
from tests.support.terminal import at_terminal


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made") / "content"
    with snapshot_site(root) as site:
        fill(site)
        site.view("web", "tools/base", "tools/more")
    return root


@pytest.fixture
def here(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a server that the commands work with."""
    root = tmp_path / "content"
    with copied_site(template, root):
        pass
    config = tmp_path / "orchestrator.yaml"
    config.write_text(
        f"scripts: [{tmp_path}]\ncontent: {{root: {root}, exports: {root}/exports, organization: acme}}\n"
    )
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(config))
    return root


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, words)], catch_exceptions=False)


def ok(*words: str | Path) -> str:
    done = run(*words)
    assert done.exit_code == 0, done.output
    return done.stdout


def document(*words: str | Path) -> Any:
    """The last of the JSON documents that it prints."""
    text = ok(*words, "--output", "json")
    return json.loads(text) if text.startswith(("[\n", "{\n")) else json.loads(text.splitlines()[-1])


def refused(*words: str | Path, code: int) -> str:
    done = run(*words)
    assert done.exit_code == code, done.output
    return done.output


def test_a_history_from_the_first_export_to_the_last(here: Path, tmp_path: Path) -> None:
    planned = ok("complete", "view", "web", "--chunk-size", "185k", "--dry-run", "--destination", "dc2")
    assert "view web 1: a complete export (tar) of" in planned
    assert "web-1-1of3.tar" in planned
    assert planned.endswith("Nothing was changed.\n")
    made = ok("complete", "view", "web", "--chunk-size", "185k", "--destination", "dc2")
    assert "view web 1: chunk 3 of 3 is done: web-1-3of3.tar" in made
    assert "view web 1: export 1 is complete" in made
    with snapshot_site(here) as site:
        site.publish("tools/base", deb("a"))
        site.view("web")
    result = document("incremental", "view", "web", "--destination", "dc2", "--format", "dir")
    assert (result["event"], result["state"], result["number"], result["kind"]) == (
        "result", "complete", 2, "increment",
    )  # fmt: skip
    assert len(list(Path(result["place"]).rglob("tools/base/pool/main/a.deb"))) == 1
    listed = ok("list").splitlines()
    assert listed[0].split() == ["no", "made", "kind", "media", "size", "of"]
    assert [line.split()[0] for line in listed[1:]] == ["2", "1"]
    assert "view web 2 for dc2 (on 1)" in listed[1]
    assert [each["number"] for each in document("list")] == [2, 1]
    assert document("list", "-O", "other") == []
    shown = ok("show", "1")
    assert "repository" in shown
    assert "web-1-2of3.tar" in shown
    assert document("show", "1")["receipt_to_type"] in shown
    assert "all as it was exported" in ok("verify", "1")
    assert document("verify", result["place"])["ok"] is True


def test_damage_is_told_with_the_command_that_mends_it(here: Path) -> None:
    made = document("complete", "library", "--chunk-size", "185k")
    path = Path(made["place"]) / made["chunks"][1]["file"]
    before = path.read_bytes()
    path.write_bytes(before[:90_000] + b"x" + before[90_001:])
    told = refused("verify", "1", code=1)
    command = "orchestrator export again 1 --only-chunk 2"
    assert f"  -> {command}" in told
    ok(*command.split()[2:])
    assert path.read_bytes() == before


def test_exports_are_pinned_pruned_and_deleted(here: Path) -> None:
    for format_ in ("tar", "tgz", "dir"):
        ok("complete", "library", "--format", format_)
    assert ok("pin", "1") == "Export 1 is pinned.\n"
    assert "(pinned)" in ok("list")
    assert "orchestrator export unpin 1" in refused("delete", "1", code=4)
    assert "export 2 is removed: older than the newest 1" in ok("prune", "--keep", "1")
    assert ok("unpin", "1") == "Export 1 is not pinned any more.\n"
    assert document("prune", "--max-size", "1")["exports"] == [1]
    assert "1 export removed" in ok("delete", "3")
    assert ok("list") == "No export yet.\n"
    assert document("list") == []
    assert "no export '3'" in refused("delete", "3", code=4)
    assert list((here / "exports").rglob("*.tar")) == []


def test_a_receivers_request_is_satisfied_in_both_spellings(here: Path, tmp_path: Path) -> None:
    made = document("complete", "library")
    with tarfile.open(Path(made["place"]) / made["chunks"][0]["file"]) as archive:
        lost = [member for member in archive if member.name.startswith("objects/")][:2]
    sizes = {member.name.rpartition("/")[2]: member.size for member in lost}
    asked = tmp_path / "request.json"
    asked.write_bytes(to_file(MissingObjects(made["export"], "acme", sizes)))
    one = document("--request", asked, "--to", tmp_path, "--format", "tgz")
    other = document("request", asked, "--dry-run", "--format", "tgz")
    assert one["export"] == other["export"]
    assert (one["objects"], one["bytes"]) == (2, sum(sizes.values()))
    assert refused("--request", tmp_path / "none", code=78)


def test_standard_output_has_the_medium_and_nothing_else(here: Path) -> None:
    argv = [sys.executable, "-m", "orchestrator", "export", "complete", "library", "--to", "-"]
    done = subprocess.run(argv, capture_output=True, check=True, env=dict(os.environ))
    assert b"export 1 is complete" in done.stderr
    assert hash(done.stdout) == hash(contents(document("complete", "library")["place"])["library-1of1.tar"])


def test_what_is_told_of_exports_fits_into_a_terminal_of_80_columns(here: Path) -> None:
    far = "complete view web --chunk-size 185k --destination a-server-with-a-long-name.example.org"
    ok(*far.split())
    for line in (f"{far} --dry-run", "list", "show 1", "complete --help"):
        argv = [sys.executable, "-m", "orchestrator", "export", *line.split()]
        with at_terminal(argv, dict(os.environ), columns=80) as terminal:
            assert terminal.wait() == 0, terminal.text
        wide = [each for each in terminal.text.splitlines() if len(each) > 80 and "/" not in each]
        assert wide == []


def test_the_public_key_is_printed_for_those_who_import(here: Path) -> None:
    assert ok("key").startswith("-----BEGIN PUBLIC KEY-----\n")
    assert document("key")["key"] == ok("key")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("complete view nothing", 4, "nothing"),
        ("complete view", 78, "which view"),
        ("complete library x", 78, "no names"),
        ("complete library --chunk-size 1", 78, "too small"),
        ("complete library --to -  --format dir", 2, "cannot go to"),
        ("complete library --only-chunk 9", 2, "no chunk 9"),
        ("complete library --until 2999-01-01", 78, "future"),
        ("incremental library", 4, "orchestrator export complete"),
        ("incremental library --since tomorrow", 78, "no moment"),
        ("complete planets", 2, "planets"),
        ("verify 5", 4, "no export '5'"),
        ("verify /nowhere/", 1, "no export"),
        ("again 5", 4, "no export '5'"),
        ("prune --max-size x", 2, "not a size"),
    ],
)
def test_mistakes_are_told_with_what_helps(here: Path, words: str, code: int, said: str) -> None:
    assert said in refused(*words.split(), code=code)
