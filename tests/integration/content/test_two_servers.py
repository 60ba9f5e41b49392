# SPDX-License-Identifier: GPL-3.0-or-later
"""Two servers that cannot reach each other: whatever happens upstream of the first, in whatever way it is carried
over, clients of the second see what clients of the first see."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.static_server import static_server
from tests.support.two_servers import (
    ContentServer,
    Seen,
    Vendors,
    apt_sees,
    deb_source,
    dnf_sees,
    rpm_source,
    upstreams,
)

SUITES = ("stable", "stable-updates")
STAGES = range(4)
REPOSITORIES = ("debian/main", "enterprise/os", "images/all")
VENDOR = ("--vendor", "example.org", "--content-id", "enterprise-8")
# Of the content that is new at a stage these need several; an ISO image has a good deal of its own.
CHUNKS = {"tgz": "185000", "tar": "185000", "iso": "620000"}


@dataclass
class Story:
    """What happens, stage by stage; and what clients of both servers saw then."""

    place: Path
    vendors: Vendors
    sender: ContentServer
    receiver: ContentServer
    exports: list[Path] = field(default_factory=list)
    seen: dict[tuple[int, str, str], Seen] = field(default_factory=dict)
    trees: dict[tuple[int, str, str], dict[str, bytes]] = field(default_factory=dict)
    synced: str = ""

    def at(self, stage: int) -> None:
        """Everything up to this stage has happened."""
        for number in range(len(self.exports), stage + 1):
            self.vendors.offer(number)
            self.sender.apply(self.vendors.declaration())
            before = self.synced
            self.sender.run("repository", "sync", "--all")
            self.synced = now()
            made = self.carry(number, before)
            self.look(number)
            self.exports.append(made)

    def carry(self, stage: int, since: str) -> Path:
        """Each stage in another format, each increment built on what another word says."""
        words: list[str | Path] = ["library", "--destination", "field"]
        if stage == 0:
            made = self.sender.export("complete", *words, "--format", "dir")
            return self.bring(made, made)
        format_ = ("", "tgz", "tar", "iso")[stage]
        words += ["--format", format_, "--chunk-size", CHUNKS[format_]]
        if stage == 1:
            receipt = self.place / "receipt.json"
            self.receiver.run("import", "receipt", "--to", receipt)
            made = self.sender.export("incremental", *words, "--from", receipt)
            return self.bring(made, *sorted(made.glob("*.tgz")))
        if stage == 2:
            digest = self.receiver.json("import", "receipt", "--to", self.place / "receipt.json")["digest"]
            made = self.sender.export("incremental", *words, "--from", digest)
            return self.bring(made, *sorted(made.glob("*.tar"), reverse=True))
        made = self.sender.export("incremental", *words, "--since", since)
        return self.bring(made, *sorted(made.glob("*.iso")))

    def bring(self, made: Path, *media: Path) -> Path:
        """One medium after the other."""
        for medium in media[:-1]:
            told = self.receiver.take(medium, code=3)
            assert "missing" in told
        assert "imported completely" in self.receiver.take(media[-1])
        return made

    def look(self, stage: int) -> None:
        for server in (self.sender, self.receiver):
            client = self.place / f"clients/{stage}-{server.place.name}"
            rpms = "app", "lang", "lib", "new" if stage else "old"
            with static_server(server.tree("")) as www:
                debs = apt_sees(client / "apt", deb_source(www.url, "debian/main", SUITES))
                os = dnf_sees(client / "dnf", rpm_source(www.url, "enterprise/os"), *rpms)
            self.seen[stage, server.place.name, "debian/main"] = debs
            self.seen[stage, server.place.name, "enterprise/os"] = os
            for path in (*REPOSITORIES, *(["debian/extra"] if stage >= 2 else [])):
                self.trees[stage, server.place.name, path] = server.files(path)


def read(path: Path) -> Any:
    return json.loads(path.read_bytes())


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    place = tmp_path_factory.mktemp("story")
    with upstreams(place / "www") as vendors:
        sender, receiver = ContentServer(place / "sender"), ContentServer(place / "receiver")
        vendors.offer(0)
        receiver.run("product", "create", "enterprise", *VENDOR)
        receiver.run("repository", "create", "enterprise/os", "--type", "rpm")
        sender.run("export", "list")
        receiver.trusts(sender)
        yield Story(place, vendors, sender, receiver)


@pytest.mark.parametrize("stage", STAGES)
def test_apt_sees_the_same_packages_and_downloads_them(story: Story, stage: int) -> None:
    story.at(stage)
    here, there = (story.seen[stage, who, "debian/main"] for who in ("sender", "receiver"))
    assert there == here
    names = {(name, version) for name, version, *_ in here.packages}
    assert ("app", "1.0") in names
    assert (("old", "0.9") in names) is (stage == 0)
    assert ("app", {0: "1.0", 1: "1.1", 2: "1.1", 3: "1.3"}[stage]) in names
    assert (("fix", "2.0~rc1") in names) is (stage < 3)
    assert len(here.downloads) == len(names)


@pytest.mark.parametrize("stage", STAGES)
def test_dnf_sees_the_same_packages_and_downloads_them(story: Story, stage: int) -> None:
    story.at(stage)
    here, there = (story.seen[stage, who, "enterprise/os"] for who in ("sender", "receiver"))
    assert there == here
    versions = {name: version for name, version, *_ in here.packages}
    version = {0: 0, 1: 1, 2: 2, 3: 2}[stage]
    assert versions == {
        "app": f"0:1.{version}-1", "lib": "1:1.0-1", "lang": "0:5-1",
        **({"new": f"0:{version}-1"} if stage else {"old": "0:1-1"}),
    }  # fmt: skip
    assert len(here.downloads) == len(versions)


@pytest.mark.parametrize("stage", STAGES)
def test_every_byte_that_is_served_is_the_same(story: Story, stage: int) -> None:
    story.at(stage)
    paths = {path for number, _, path in story.trees if number == stage}
    assert ("debian/extra" in paths) is (stage >= 2)
    for path in paths - {"images/all"}:
        here, there = (story.trees[stage, who, path] for who in ("sender", "receiver"))
        assert there.keys() == here.keys()
        assert there == here
    # Clients of files have no list that they could have read before: nothing that is gone lingers.
    here, there = (story.trees[stage, who, "images/all"] for who in ("sender", "receiver"))
    version = {0: 0, 1: 1, 2: 1, 3: 3}[stage]
    assert set(there) == {"PULP_MANIFEST", "images/disk.img", "notes", f"only-{version}"}
    assert there.items() <= here.items()


def test_what_changed_is_all_that_was_carried(story: Story) -> None:
    story.at(STAGES[-1])
    sent = [read(made / "manifest.json") for made in story.exports]
    assert [each["kind"] for each in sent] == ["complete", *["increment"] * 3]
    for number, each in enumerate(sent[1:], 1):
        assert 1 < len(each["chunks"]) < 9
        assert each["base"]["since" if number == 3 else "receipt"]
    total = [sum(entry["bytes"] for entry in each["repositories"]) for each in sent]
    assert sent[1]["bytes"] > 700_000
    assert 300_000 < sent[2]["bytes"] < 400_000 < total[2]
    changed = [
        {
            f"{entry['product']}/{entry['label']}"
            for entry in each["repositories"]
            if entry["base"] != entry["inventory"]
        }
        for each in sent
    ]
    assert changed[2:] == [{"enterprise/os", "debian/extra"}, {"debian/main", "images/all"}]


def test_the_receiver_tells_what_there_was(story: Story) -> None:
    story.at(STAGES[-1])
    listed = story.receiver.json("import", "list")
    assert [each["state"] for each in listed] == ["complete"] * 4
    exports = story.sender.json("export", "list")
    assert {each["export"] for each in listed} == {each["export"] for each in exports}
    snapshots = story.receiver.json("repository", "show", "enterprise/os")["snapshots"]
    assert [each["origin"] for each in snapshots] == ["import"] * 3, "one for each change"
