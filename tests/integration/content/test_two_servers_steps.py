# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes from one server to another as steps of upgrades: brought in, published, promoted and exported by one,
imported by the other; cut off, refused, and gone on with."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.export_site import complete_ones
from tests.support.file_directory import FileDirectory
from tests.support.product import Product
from tests.support.stack import wait_for
from tests.support.static_server import static_server
from tests.support.two_servers import ORGANIZATION, ContentServer, noise

SMALL = 500_000
DISKS = {"a.img": noise("a", 90_000), "b.img": noise("b", 90_000)}


@dataclass
class Upgraded:
    """A sender whose upgrades have steps, and the receiver that its media go to."""

    product: Product
    sender: ContentServer
    receiver: ContentServer
    www: Path

    def step(self, number: int, *actions: dict[str, Any]) -> None:
        content = {"name": f"Step {number}", "description": "Of content.", "actions": list(actions)}
        path = self.product.directory / f"scripts/default/{number:04}_content.yaml"
        path.write_text(yaml.safe_dump(content))

    def offer(self, **more: bytes) -> None:
        FileDirectory(self.www / "files").write(
            {**DISKS, **{f"{name}.img": data for name, data in more.items()}}
        )

    def reports(self, run: int = -1) -> list[dict[str, Any]]:
        """What the steps told in a run."""
        return [each["report"] for each in self.product.journal(run) if each["event"] == "step-reported"]

    def exports(self) -> list[dict[str, Any]]:
        """The newest first."""
        found: list[dict[str, Any]] = self.sender.json("export", "list")
        return found

    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.product.state.rglob("*.log")))


@pytest.fixture
def upgraded(tmp_path: Path, product: Product) -> Iterator[Upgraded]:
    sender, receiver = ContentServer(tmp_path / "sender"), ContentServer(tmp_path / "receiver")
    product.config["content"] = yaml.safe_load(sender.config.read_text())["content"]
    product.save()
    made = Upgraded(product, sender, receiver, tmp_path / "www")
    made.offer()
    with static_server(tmp_path / "www") as server:
        repository = {"type": "file", "baseurl": f"{server.url}files", "unsigned": True}
        content = {
            "products": {"images": {"repositories": {"all": repository}}},
            "views": {"base": {"repositories": ["images/all"]}},
            "environments": ["testing"],
        }
        sender.apply({"organizations": {ORGANIZATION: content}})
        receiver.trusts(sender)
        yield made


EXPORT = {"export": {"environment": "testing", "kind": "auto", "destination": "field", "format": "tar"}}


def test_upgrades_carry_content_over_in_full_and_then_what_is_new(upgraded: Upgraded) -> None:
    upgraded.step(10, {"repository.sync": "images/all"}, {"view.publish": "base"})
    upgraded.step(20, {"environment.promote": {"view": "base", "to": "testing"}}, EXPORT)
    upgraded.product.run("upgrade", "-y").expect(0)
    told = upgraded.reports()
    actions = ["repository.sync", "view.publish", "environment.promote", "export"]
    assert list(dict.fromkeys(each["action"] for each in told)) == actions
    assert [each["name"] for each in told if each["action"] == "export"][-1] == "exported"
    [complete] = upgraded.exports()
    assert complete["kind"] == "complete"
    upgraded.receiver.take(complete["place"])

    upgraded.offer(c=noise("c", 90_000))
    upgraded.product.run("upgrade", "-y").expect(0)
    increment, _ = upgraded.exports()
    assert increment["kind"] == "increment"
    assert 90_000 < increment["bytes"] < 100_000
    upgraded.receiver.take(increment["place"])
    shown = upgraded.receiver.published / "testing/base/images/all"
    assert {path.name for path in shown.iterdir()} == {"PULP_MANIFEST", "a.img", "b.img", "c.img"}


def test_an_export_whose_step_was_killed_is_completed_by_the_upgrade_that_goes_on(upgraded: Upgraded) -> None:
    upgraded.offer(large=noise("large", 20_000_000))
    upgraded.sender.run("repository", "sync", "images/all")
    export = {"library": True, "kind": "auto", "format": "tgz", "chunk_size": SMALL}
    upgraded.step(10, {"export": export})
    run = upgraded.product.start("upgrade", "-y")
    exports = upgraded.sender.exports

    def begun() -> bool:
        return len(list(exports.rglob("*of*.tgz"))) > 3

    try:
        wait_for(begun, "some chunks are written")
        [record] = upgraded.product.state.rglob("*.status")
        os.kill(json.loads(record.read_text())["pid"], signal.SIGKILL)
    finally:
        run.kill()
        run.communicate()
    [partial] = exports.rglob(".*.partial")
    before = {path.name: path.stat().st_ino for path in partial.glob("*of*.tgz")}
    assert complete_ones(exports) == [], "nobody takes it for one that is complete"
    upgraded.product.run("upgrade", "-y").expect(0)
    [made] = upgraded.exports()
    assert (made["state"], made["kind"]) == ("complete", "complete")
    chunks = {path.name: path.stat().st_ino for path in Path(made["place"]).glob("*of*.tgz")}
    assert len(chunks) > 40
    kept = [name for name, inode in before.items() if chunks.get(name) == inode]
    assert len(kept) >= len(before) - 2, "it went on at the next chunk"
    assert complete_ones(exports) == [Path(made["place"])]
    assert not list(exports.rglob(".*.partial"))
    assert upgraded.reports()[-1]["name"] == "exported"
    assert "imported completely" in upgraded.receiver.take(made["place"])
    assert upgraded.receiver.files("images/all") == upgraded.sender.files("images/all")


@pytest.mark.parametrize(
    ("export", "reason"),
    [
        ({"view": "base"}, "the view base has no version yet"),
        (
            {"library": True, "kind": "increment"},
            "nothing that an increment of the library could be built on",
        ),
    ],
)
def test_an_export_that_is_refused_fails_its_step_with_the_reason(
    upgraded: Upgraded, export: dict[str, Any], reason: str
) -> None:
    if "built on" in reason:
        upgraded.sender.run("repository", "sync", "images/all")
    upgraded.step(10, {"export": export})
    outcome = upgraded.product.run("upgrade", "-y").expect(1)
    assert reason in outcome.err + upgraded.log()
    assert "Traceback" not in outcome.err + upgraded.log()
    assert upgraded.exports() == []


def test_an_import_that_lacks_something_fails_its_step_and_goes_on_with_it(upgraded: Upgraded) -> None:
    upgraded.sender.run("repository", "sync", "images/all")
    made = upgraded.sender.export("complete", "library", "--chunk-size", "120000")
    chunks = sorted(made.glob("*.tar"))
    where = {"config": str(upgraded.receiver.config)}
    upgraded.step(10, {"import": {"paths": str(chunks[0]), **where}})
    outcome = upgraded.product.run("upgrade", "-y").expect(1)
    assert "the import is not complete" in outcome.err
    assert "missing: " in upgraded.log()
    upgraded.step(10, {"import": {"paths": [str(chunk) for chunk in chunks[1:]], **where}})
    upgraded.product.run("upgrade", "-y").expect(0)
    assert {each["action"] for each in upgraded.reports()} == {"import"}
    last = upgraded.reports()[-1]
    assert (last["name"], last["state"], last["missing"]) == ("imported", "complete", 0)
    assert upgraded.receiver.files("images/all") == upgraded.sender.files("images/all")
