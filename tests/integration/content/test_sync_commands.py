# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator repository sync` and `set-source` as their users meet them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchestrator.cli.repository_sync import Scope, set_source, sync
from orchestrator.errors import UsageError
from tests.support.catalog_site import ORGANIZATION, catalog_site
from tests.support.file_directory import FileDirectory
from tests.support.static_server import static_server


class Server:
    """A content server whose upstream is `url`."""

    def __init__(self, place: Path, url: str) -> None:
        self.place, self.url = place, url
        (place / "scripts").mkdir(parents=True)
        document = {
            "scripts": ["scripts"],
            "phases": ["phases.yaml"],
            "content": {"root": str(place / "content"), "organization": ORGANIZATION},
        }
        (place / "orchestrator.yaml").write_text(yaml.safe_dump(document))

    def run(self, *words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "orchestrator", *words]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={
                "ORCHESTRATOR_CONFIG": str(self.place / "orchestrator.yaml"),
                "PATH": "/usr/bin:/bin",
                "LC_ALL": "C.UTF-8",
            },
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    FileDirectory(tmp_path / "www/isos").write({"disk.iso": b"a disk"})
    FileDirectory(tmp_path / "media/isos/all").write({"disk.iso": b"another disk", "more.iso": b"more"})
    with static_server(tmp_path / "www") as www:
        made = Server(tmp_path / "server", www.url)
        with catalog_site(made.place / "content") as site:
            site.product("isos")
            site.repository("isos/all", "file", {"baseurl": f"{www.url}isos", "unsigned": True})
        yield made


def test_a_sync_tells_what_it_does_and_what_came_of_it(server: Server) -> None:
    assert (
        "isos/all: published generation 1: 1 package" in server.run("repository", "sync", "isos/all").stdout
    )
    told = server.run("repository", "sync", "--all", "-o", "json").stdout.splitlines()
    result = json.loads(told[-1])
    assert (result["event"], result["exit_code"]) == ("result", 0)
    assert [(each["source"], each["status"]) for each in result["sources"]] == [("isos/all", "unchanged")]


def test_a_source_for_once_and_for_good(server: Server, tmp_path: Path) -> None:
    media = str(tmp_path / "media")
    assert (
        "2 packages"
        in server.run("repository", "sync", "isos/all", "--source-url", media, "--dry-run").stdout
    )
    tree = server.place / "content/published/acme/library/default/isos/all"
    told = server.run("repository", "set-source", "--scope", "product", "isos", media).stdout
    assert f"The product isos is taken from file://{media}/ now." in told
    assert f"isos/all: file://{media}/isos/all/" in told
    server.run("repository", "sync", "isos/all")
    assert (tree / "more.iso").exists()
    undone = server.run("repository", "set-source", "--scope", "product", "isos", "--undo", "-o", "json")
    assert json.loads(undone.stdout)["before"] == f"file://{media}/"


def test_what_is_not_there_is_refused_with_what_was_looked_at(server: Server, tmp_path: Path) -> None:
    failed = server.run("repository", "sync", "isos/all", "--source-url", str(tmp_path), code=4).stdout
    assert f"isos/all: failed: file://{tmp_path}/ does not hold isos/all" in failed
    assert f"file://{tmp_path}/content/isos/all/: PULP_MANIFEST: there is no such file" in failed


@pytest.mark.parametrize(
    ("names", "scope", "undo"),
    [
        (["isos/all"], Scope.REPOSITORY, False),
        (["acme", "/media"], Scope.ORGANIZATION, False),
        ([], Scope.PRODUCT, True),
        (["isos/all", "/media"], Scope.REPOSITORY, True),
    ],
)
def test_a_command_line_that_says_too_little_or_too_much_is_told_so(
    names: list[str], scope: Scope, undo: bool
) -> None:
    with pytest.raises(UsageError, match="takes"):
        set_source(names, scope, undo=undo)


def test_a_sync_is_of_something() -> None:
    for names, everything in ((None, False), (["isos/all"], True)):
        with pytest.raises(UsageError, match="--all"):
            sync(names, everything=everything)
