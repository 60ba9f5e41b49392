# SPDX-License-Identifier: GPL-3.0-or-later
"""The README of an export: its very commands, run by dash and by busybox with nothing but busybox's tools, verify
the media and rebuild the trees of the repositories."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import pytest

from orchestrator.content.exports.formats import writer_of
from orchestrator.content.exports.planning import ExportPlan, plan_export
from orchestrator.content.exports.request import ExportRequest
from tests.support.requirements import require
from tests.support.snapshot_site import SnapshotSite, catalog_template, deb, in_memory, snapshot_site

TOOLS = ("[", "cat", "cp", "echo", "grep", "gzip", "ls", "mkdir", "rm", "sha256sum", "sort", "tar")
LARGE = bytes(range(256)) * 1500
ODD = "pool/main/a b'\"$(x)\\`*é~+:-.deb".replace("\\", "")


@dataclass
class PlainSink:
    stream: BinaryIO

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.stream.write(data)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return catalog_template(tmp_path_factory.mktemp("catalog"))


@pytest.fixture
def site(template: Path) -> Iterator[SnapshotSite]:
    with in_memory() as directory, snapshot_site(directory, template) as made:
        made.publish("web/base", {**deb("a", "b"), ODD: "odd", "empty": ""})
        made.publish("web/files", {"large.img": LARGE, "PULP_MANIFEST": "list"}, type_="file")
        yield made


@pytest.fixture(params=["dash", "busybox"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[list[str], dict[str, str]]:
    """What runs a script, and its environment."""
    name: str = request.param
    program = shutil.which(name)
    require(program is not None, f"{name} is not installed")
    assert program is not None
    if name == "dash":
        return [program, "-eu"], dict(os.environ)
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(program)
    return [program, "sh", "-eu"], {"PATH": str(tools)}


def commands(readme: str, heading: str) -> str:
    """The indented lines of a part of a README."""
    part = readme[readme.index(heading) :].split("\n\nINTO A", 1)[0]
    lines = [line[4:] for line in part.splitlines() if line.startswith("    ")]
    return "\n".join([*lines, ""])


def run(shell: tuple[list[str], dict[str, str]], script: str, where: Path) -> str:
    words, environment = shell
    done = subprocess.run(
        words, input=script, cwd=where, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + script
    assert done.stderr == ""
    return done.stdout


def write(site: SnapshotSite, plan: ExportPlan, directory: Path) -> None:
    directory.mkdir()
    for chunk in plan.chunks:
        with (directory / chunk.file_name).open("wb") as stream:
            writer_of(plan.manifest.format).write(
                chunk.medium(), PlainSink(stream), site.workspace.pool.object, lambda _: None
            )
        assert (directory / chunk.file_name).stat().st_size <= chunk.size


def readme_of(plan: ExportPlan, number: int = 1) -> str:
    front = {file.path: file.data for file in plan.chunks[number - 1].medium().front}
    return front["README.txt"].decode()


def tree(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def without_a_failing_grep(script: str) -> str:
    """That nothing is wrong is an exit status of 1 to grep, which a person does not mind."""
    return script.replace("grep -v ': OK$'", "grep -v ': OK$' || true")


@pytest.mark.parametrize("format_", ["tar", "tgz"])
def test_the_commands_rebuild_every_tree(
    site: SnapshotSite, shell: tuple[list[str], dict[str, str]], tmp_path: Path, format_: str
) -> None:
    request = ExportRequest(format="tar" if format_ == "tar" else "tgz", chunk_size=150_000)
    plan = plan_export(site.workspace, request)
    assert any(not piece.is_whole for chunk in plan.chunks for piece in chunk.pieces)
    media = tmp_path / "media"
    write(site, plan, media)
    script = without_a_failing_grep(commands(readme_of(plan), "READ IT"))
    assert run(shell, script, media) == ""
    found = tree(media / "ALL" / "content")
    assert found == {
        **{f"web/base/{path}": str(data).encode() for path, data in deb("a", "b").items()},
        f"web/base/{ODD}": b"odd",
        "web/base/empty": b"",
        "web/files/large.img": LARGE,
        "web/files/PULP_MANIFEST": b"list",
    }


def test_a_damaged_object_is_named(
    site: SnapshotSite, shell: tuple[list[str], dict[str, str]], tmp_path: Path
) -> None:
    plan = plan_export(site.workspace, ExportRequest(format="tar"))
    media = tmp_path / "media"
    write(site, plan, media)
    place = next(piece.place for piece in plan.chunks[0].pieces if piece.size == len(LARGE))
    script = without_a_failing_grep(commands(readme_of(plan), "READ IT"))
    damaged = script.replace("cd ALL\n", f"cd ALL\nprintf x >> {place}\n")
    words, environment = shell
    done = subprocess.run(
        words, input=damaged, cwd=media, env=environment, capture_output=True, text=True, check=False
    )
    assert f"{place}: FAILED" in done.stdout


def test_each_medium_is_verified_by_its_own_list_and_the_signature_by_openssl(
    site: SnapshotSite, tmp_path: Path
) -> None:
    require(shutil.which("openssl") is not None, "openssl is not installed")
    plan = plan_export(site.workspace, ExportRequest(format="tar", chunk_size=150_000))
    media = tmp_path / "media"
    write(site, plan, media)
    for chunk in plan.chunks:
        medium = tmp_path / str(chunk.number)
        medium.mkdir()
        subprocess.run(["tar", "-xf", media / chunk.file_name, "-C", medium], check=True)
        (medium / "KEY.pem").write_bytes(plan.public_key)
        script = commands(readme_of(plan, chunk.number).split("READ IT")[0], "VERIFY IT")
        said = run((["dash", "-eu"], dict(os.environ)), script, medium)
        assert "Signature Verified Successfully" in said
        assert "FAILED" not in said


def test_an_increment_is_read_over_what_it_is_built_on(
    site: SnapshotSite, shell: tuple[list[str], dict[str, str]], tmp_path: Path
) -> None:
    first = plan_export(site.workspace, ExportRequest(subject_kind="repository", names=("web/base",)))
    inventory = site.workspace.root / "first"
    inventory.mkdir()
    (inventory / "manifest.json").write_bytes(first.manifest_bytes)
    site.publish("web/base", deb("b", "c"))
    request = replace(first.request, kind="increment", base=str(inventory), organization="")
    second = plan_export(site.workspace, request)
    media = tmp_path / "media"
    write(site, first, media)
    write(site, second, tmp_path / "more")
    (tmp_path / "more" / second.chunks[0].file_name).rename(media / "second.tar")
    assert "first copy the objects of what it is built on" in readme_of(second)
    script = without_a_failing_grep(commands(readme_of(second), "READ IT"))
    assert run(shell, script, media) == ""
    found = tree(media / "ALL" / "content" / "web" / "base")
    assert found == {path: str(data).encode() for path, data in deb("b", "c").items()}


def test_the_readme_of_a_directory_names_every_tree(site: SnapshotSite, tmp_path: Path) -> None:
    plan = plan_export(site.workspace, ExportRequest(format="dir", destination="site\n2"))
    front = {file.path: file.data for file in plan.directory_front()}
    text = front["README.txt"].decode()
    assert "    content/web/base  (deb: stable main)" in text
    assert "    content/web/files  (file)" in text
    assert "made for    site?2" in text
    for path, data in front.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    for placed in plan.trees:
        for file in plan.files_of(placed):
            place = tmp_path / placed.place / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(site.workspace.pool.object(file.sha256), place)
    (tmp_path / "KEY.pem").write_bytes(plan.public_key)
    script = commands(text.split("USE IT")[0], "VERIFY IT")
    said = run((["dash", "-eu"], dict(os.environ)), script, tmp_path)
    assert "content/web/files/large.img: OK" in said
