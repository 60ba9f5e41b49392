# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do wrong between two servers: each time one message that says what, where, and what goes on; and
following it goes on."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.disks import read_only, small_disk
from tests.support.file_directory import FileDirectory
from tests.support.static_server import static_server
from tests.support.two_servers import ORGANIZATION, ContentServer, noise

DISKS = {"a.img": noise("a", 90_000), "b.img": noise("b", 90_000)}
MORE = {**DISKS, "c.img": noise("c", 90_000)}


@dataclass
class World:
    """A sender of two products, one a vendor's; exports of it; a receiver whose usual organization is another."""

    place: Path
    sender: ContentServer
    fresh: ContentServer
    all: Path
    complete: Path
    increment: Path

    def receiver(self, place: Path) -> ContentServer:
        shutil.copytree(self.fresh.place, place)
        return ContentServer(place, organization="")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    place = tmp_path_factory.mktemp("world")
    FileDirectory(place / "www/files").write(DISKS)
    FileDirectory(place / "www/vendor").write({"v.img": noise("v", 90_000)})
    with static_server(place / "www") as server:

        def from_(path: str) -> dict[str, object]:
            return {"type": "file", "baseurl": server.url + path, "unsigned": True}

        vendor = {"kind": "vendor", "vendor": "example.org", "content_id": "e-8"}
        content = {
            "products": {
                "images": {"repositories": {"all": from_("files"), "never": from_("files")}},
                "enterprise": {**vendor, "repositories": {"os": from_("vendor")}},
            },
            "views": {"base": {"repositories": ["images/all", "enterprise/os"]}, "empty": {}},
            "environments": ["testing", "production"],
        }
        sender = ContentServer(place / "sender")
        sender.apply({"organizations": {ORGANIZATION: content}})
        sender.run("repository", "sync", "images/all", "enterprise/os")
        sender.run("view", "publish", "base")
        sender.run("environment", "promote", "base", "--to", "testing")
        all_ = sender.export("complete", "environment", "testing")
        complete = sender.export("complete", "repository", "images/all", "--destination", "field")
        FileDirectory(place / "www/files").write(MORE)
        sender.run("repository", "sync", "images/all")
        increment = sender.export("incremental", "repository", "images/all", "--destination", "field")
        fresh = ContentServer(place / "fresh", organization="")
        fresh.run("organization", "list")
        fresh.trusts(sender)
        yield World(place, sender, fresh, all_, complete, increment)


EXPORTS = {
    "complete repository images/al": (4, "no repository 'images/al'", "did you mean images/all?"),
    "complete repository images": (78, "'images' does not name a repository", "PRODUCT/REPOSITORY"),
    "complete product image": (4, "no product 'image'", "did you mean images?"),
    "complete view bas": (4, "no view 'bas'", "did you mean base?"),
    "complete environment testin": (4, "no environment 'testin'", "did you mean testing?"),
    "complete library -O acmee": (4, "no organization 'acmee'", "did you mean acme?"),
    "complete repository images/never": (
        4,
        "it has no content yet",
        "orchestrator repository sync images/never",
    ),
    "complete view empty": (4, "has no version yet", "orchestrator view publish empty"),
    "complete environment production": (
        4,
        "it shows no view",
        "orchestrator environment promote VIEW --to production",
    ),
    "complete library images": (78, "the library has no names", "name repositories"),
    "complete product": (78, "which product", "give its name"),
    "complete library --format dir --chunk-size dvd": (78, "not divided into chunks", "--format tar"),
    "complete library --chunk-size dvdd": (78, "'dvdd' is not the size of a medium", "write 4.7G"),
    "complete library --chunk-size 12": (78, "too small", "take 65536 bytes or more"),
    "complete library --version 3": (78, "a library has no versions", "only views"),
    "complete view base --version 3": (4, "no version '3'", "there is 1"),
    "complete library --until 2999-01-01": (78, "is in the future", "not known yet"),
    "complete library --until yesterday": (78, "'yesterday' is no moment", "write 2026-01-31"),
    "complete library --only-chunk 9": (2, "there is no chunk 9", "the export has 1"),
    "complete library --to /nonexistent/usb": (78, "no directory", "mkdir -p /nonexistent/usb"),
    "complete library --to /etc/passwd": (78, "/etc/passwd is no directory", ""),
    "complete library --to - --format dir": (2, "a directory cannot go to -", "--format tar"),
    "complete library --sign-with /nonexistent": (78, "the key /nonexistent cannot be read", "No such file"),
    "incremental library": (4, "nothing that an increment", "orchestrator export complete library"),
    "incremental library --since 2026-01-01 --from 1": (78, "one base", "leave one away"),
    "incremental library --since 2025-02-01 --until 2025-01-01": (78, "begins", "swap --since and --until"),
    "incremental library --from 99": (4, "neither a file, nor an export", "orchestrator export list"),
    "incremental library --from /etc/passwd": (1, "not JSON", "orchestrator import receipt --to FILE"),
    "--request /etc/passwd": (1, "not JSON", "orchestrator import run PATH... --request-file FILE"),
    "request /nonexistent": (78, "the request /nonexistent cannot be read", "No such file"),
    "show 99": (4, "there is no export '99'", "there is 1"),
    "again 99": (4, "there is no export '99'", "there is 1"),
    "verify /etc": (1, "/etc is no export", "manifest.json"),
}


@pytest.mark.parametrize("command", EXPORTS)
def test_an_export_that_cannot_be_made(world: World, command: str) -> None:
    code, what, further = EXPORTS[command]
    told = world.sender.refusal("export", *command.split(), code=code)
    assert what in told
    assert further in told
    assert world.sender.json("export", "list")[0]["number"] == 3, "nothing was made"


@pytest.mark.parametrize(
    "command", ["complete library --format zip", "complete libary", "complete", "compleet x"]
)
def test_what_the_command_line_does_not_know_is_a_usage_error(world: World, command: str) -> None:
    told = world.sender.run("export", *command.split(), code=2).err
    assert "-h' for help" in told
    assert "Traceback" not in told


def test_an_export_without_room_is_refused_before_it_writes(world: World, tmp_path: Path) -> None:
    with small_disk(tmp_path / "stick", "300K") as stick:
        told = world.sender.refusal("export", "complete", "library", "--to", stick, code=4)
        assert re.search(rf"takes .* \(\d+ bytes\), and .* are free below {stick}", told)
        assert "orchestrator export prune" in told
        assert list(stick.iterdir()) == []
        with read_only(stick):
            told = world.sender.refusal("export", "complete", "product", "images", "--to", stick, code=4)
            assert "free below" in told


def test_an_export_beyond_the_quota_is_refused(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.sender.root, tmp_path / "full/content")
    full = ContentServer(tmp_path / "full", options={"export_rules": {"quota": "100K"}})
    told = full.refusal("export", "complete", "product", "images", code=4)
    assert "all may take 100 KiB" in told
    assert "content.export_rules.quota" in told


# The receiver ------------------------------------------------------------------------------------------


def test_media_that_are_none(world: World, tmp_path: Path) -> None:
    receiver = world.receiver(tmp_path / "receiver")
    (tmp_path / "empty").mkdir()
    (tmp_path / "letter").write_bytes(b"Dear receiver,\n" * 300)
    (tmp_path / "nothing.tar").touch()
    subprocess.run(["tar", "-C", tmp_path, "-cf", tmp_path / "letter.tar", "letter"], check=True)
    cases: dict[str | Path, tuple[int, str, str]] = {
        "/nonexistent": (78, "/nonexistent is not there", ""),
        tmp_path / "empty": (78, "no medium is in", "looked for manifest.json"),
        world.complete.parent: (78, "no medium is in", f"there is {world.complete}"),
        tmp_path / "letter": (1, "neither tar, tgz nor ISO", "the directory that an export is in"),
        world.complete / "manifest.json": (
            1,
            "neither tar, tgz nor ISO",
            "the directory that an export is in",
        ),
        tmp_path / "nothing.tar": (1, "nothing.tar is no medium, or damaged", ""),
        tmp_path / "letter.tar": (1, "no medium of an export: it has no manifest.json", ""),
    }
    for path, (code, what, further) in cases.items():
        told = receiver.refusal("import", "run", path, code=code)
        assert what in told
        assert str(path) in told
        assert further in told
    for words in (
        ["receipt", "--to", "/nonexistent/r"],
        ["run", world.complete, "--request-file", "/nonexistent/r"],
    ):
        told = receiver.refusal("import", *words, code=78)
        assert "there is no directory /nonexistent" in told
        assert "mkdir -p /nonexistent" in told
    assert receiver.json("import", "list") == []
    assert "no import of an export abc" in receiver.refusal("import", "receipt", "abc", code=4)


def test_one_medium_that_is_none_does_not_keep_the_others_out_and_is_not_passed_over(
    world: World, tmp_path: Path
) -> None:
    receiver = world.receiver(tmp_path / "receiver")
    (tmp_path / "letter").write_bytes(b"Dear receiver,\n" * 300)
    told = receiver.run("import", "run", *world.complete.glob("*.tar"), tmp_path / "letter", code=1).out
    assert "imported completely" in told
    assert "letter is no medium" in told
    assert receiver.files("images/all").keys() == {"PULP_MANIFEST", *DISKS}


def test_who_is_not_trusted_is_told_how_to_be(world: World, tmp_path: Path) -> None:
    receiver = ContentServer(tmp_path / "receiver", organization="")
    for verb in ("plan", "run"):
        told = receiver.refusal("import", verb, world.complete, code=4)
        assert "is not trusted here" in told
    assert not (receiver.root / "catalog.sqlite").exists()
    [hint] = re.findall(r"orchestrator import trust (\S+)", told)
    key = tmp_path / hint
    key.write_text(world.sender.run("export", "key").out)
    receiver.shell(f"orchestrator import trust {key}")
    assert "imported completely" in receiver.take(world.complete)
    receiver.run("import", "trust", "--remove", hint.removesuffix(".pem"))
    assert "is not trusted here" in receiver.refusal("import", "run", world.increment, code=4)
    assert "imported completely" in receiver.take(world.increment, "--trust", key)


def test_nothing_is_made_where_nothing_is_to_be_made(world: World, tmp_path: Path) -> None:
    receiver = world.receiver(tmp_path / "receiver")
    told = receiver.take(world.complete, "--no-create", code=4)
    assert told.count("leave --no-create away") == 3
    assert [each["label"] for each in receiver.json("organization", "list")] == ["default"]
    assert not receiver.published.exists()


def test_what_is_refused_of_a_vendor_says_the_commands_that_let_it_in(world: World, tmp_path: Path) -> None:
    receiver = world.receiver(tmp_path / "receiver")
    refused = receiver.run("import", "plan", world.all, code=4).out
    assert re.search(r"refuse +view +base +it holds enterprise/os, which is refused", refused)
    told = receiver.take(world.all, code=4)
    assert not re.search(r"^ +failed ", told, re.MULTILINE)
    [hint] = re.findall(r"-> (orchestrator .*product create .*)", told)
    for command in hint.replace("LABEL", "enterprise").split(" && "):
        receiver.shell(command)
    told = receiver.take(world.all, code=4)
    [hint] = re.findall(r"-> (orchestrator repository create .*)", told)
    receiver.shell(hint)
    assert "imported completely" in receiver.take(world.all)
    environments = {each["label"]: each for each in receiver.json("environment", "list", "-O", ORGANIZATION)}
    assert environments["testing"]["shows"] == {"base": 1}
    shown = receiver.published / "testing/base"
    assert {path.name for path in (shown / "images/all").iterdir()} >= DISKS.keys()
    assert (shown / "enterprise/os/v.img").read_bytes() == noise("v", 90_000)


def test_an_increment_before_its_base_says_what_is_missing_and_the_sender_sends_it(
    world: World, tmp_path: Path
) -> None:
    receiver, request = world.receiver(tmp_path / "receiver"), tmp_path / "request.json"
    plan = receiver.run("import", "plan", world.increment, code=3).out
    assert "2 objects, 176 KiB, not on these media: 2 in none of its chunks" in plan
    told = receiver.take(world.increment, "--request-file", request, code=3)
    assert "2 in none of its chunks: it is built on them" in told
    assert "--request-file FILE" in told
    assert f"The request for what is missing is in {request}." in told
    assert not receiver.published.exists() or not receiver.tree("images/all").exists()
    assert "not known here" in receiver.refusal("export", "--request", request, code=4)
    (tmp_path / "usb").mkdir()
    answer = world.sender.export("--request", request, "--to", tmp_path / "usb")
    try:
        told = receiver.take(answer)
        assert "imported completely" in told
        assert receiver.files("images/all").keys() == {"PULP_MANIFEST", *MORE}
        states = {each["export"]: each["state"] for each in receiver.json("import", "list")}
        assert set(states.values()) == {"complete"}
        assert len(states) == 2
        # And when the base does come, later:
        told = receiver.take(world.complete, code=4)
        assert "what is here is newer" in told
        assert "--allow-older" in told
    finally:
        world.sender.run("export", "delete", "4")


def test_a_base_that_comes_later_completes_what_was_built_on_it(world: World, tmp_path: Path) -> None:
    receiver = world.receiver(tmp_path / "receiver")
    receiver.take(world.increment, code=3)
    told = receiver.take(world.complete)
    assert told.count("imported completely") == 2
    assert receiver.files("images/all").keys() == {"PULP_MANIFEST", *MORE}


def test_names_that_are_not_there(world: World) -> None:
    cases = {
        "repository sync images/al": (4, "did you mean images/all?"),
        "view publish bas": (4, "did you mean base?"),
        "environment promote bas --to testing": (4, "did you mean base?"),
        "environment promote base --to testin": (4, "did you mean testing?"),
        "environment promote base --to testing --version 7": (4, "there is 1"),
        "repository sync images/all --source-url /nonexistent": (
            4,
            "file:///nonexistent/content/images/all/",
        ),
        f"repository sync images/all --source-url {world.complete}": (4, "does not hold images/all"),
        "apply -f /nonexistent": (78, "there is no file at /nonexistent"),
    }
    for command, (code, told) in cases.items():
        done = world.sender.run(*command.split(), code=code)
        assert told in done.out + done.err, command
