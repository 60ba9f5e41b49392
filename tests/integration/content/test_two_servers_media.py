# SPDX-License-Identifier: GPL-3.0-or-later
"""What is carried between two servers, in every form: imported as it is, unpacked by others' tools, used by clients
as it lies there, synced from; by programs of other versions; and with no network and nothing set up."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.content.signing import server_key
from tests.support.dnf_client import DnfClient
from tests.support.openpgp import key
from tests.support.requirements import require
from tests.support.two_servers import (
    ORGANIZATION,
    ContentServer,
    apt_sees,
    deb_source,
    rpm_source,
    upstreams,
)

PATHS = ("debian/main", "enterprise/os", "images/all")
SUITES = ("stable", "stable-updates")
RPMS = ("app", "lang", "lib", "old")
CHUNKS = {"dir": "", "tgz": "400000", "tar": "400000", "iso": "700000"}
VENDOR = ("--vendor", "example.org", "--content-id", "enterprise-8")


@dataclass
class Sent:
    """A sender with an export of each form, and a receiver that is ready for them, to be copied."""

    place: Path
    sender: ContentServer
    exports: dict[str, Path]
    version: Path

    def receiver(self, place: Path) -> ContentServer:
        shutil.copytree(self.place / "ready", place)
        return ContentServer(place)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Sent:
    place = tmp_path_factory.mktemp("sent")
    with upstreams(place / "www") as vendors:
        vendors.offer(0)
        sender = ContentServer(place / "sender")
        sender.apply(vendors.declaration())
        sender.run("repository", "sync", "--all")
    sender.run("view", "publish", "base")
    exports = {}
    for format_, size in CHUNKS.items():
        words = ["--chunk-size", size] if size else []
        exports[format_] = sender.export("complete", "library", "--format", format_, *words)
    version = sender.export("complete", "view", "base")
    ready = ContentServer(place / "ready")
    ready.run("product", "create", "enterprise", *VENDOR)
    ready.run("repository", "create", "enterprise/os", "--type", "rpm")
    ready.trusts(sender)
    return Sent(place, sender, exports, version)


def unpack(program: str, chunk: Path, to: Path) -> None:
    """With somebody else's program."""
    require(shutil.which(program) is not None, program)
    to.mkdir()
    if program == "xorriso":
        command = ["xorriso", "-osirrox", "on", "-indev", str(chunk), "-extract", "/", str(to)]
    else:
        command = [program, "-xf", str(chunk), "-C", str(to)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def same(sent: Sent, receiver: ContentServer) -> bool:
    return all(receiver.files(path) == sent.sender.files(path) for path in PATHS)


@pytest.mark.parametrize("format_", CHUNKS)
def test_the_directory_of_an_export_is_all_that_an_import_needs(
    sent: Sent, tmp_path: Path, format_: str
) -> None:
    receiver = sent.receiver(tmp_path / "receiver")
    before = {path: path.stat().st_mtime_ns for path in sent.exports[format_].rglob("*")}
    assert "imported completely" in receiver.take(sent.exports[format_])
    assert same(sent, receiver)
    assert {path: path.stat().st_mtime_ns for path in sent.exports[format_].rglob("*")} == before
    assert len(sent.sender.json("export", "verify", sent.exports[format_])) > 0
    again = receiver.take(sent.exports[format_])
    assert "nothing was to be done" in again


@pytest.mark.parametrize(
    ("format_", "program"), [("tar", "tar"), ("tgz", "tar"), ("iso", "xorriso"), ("iso", "bsdtar")]
)
def test_media_that_were_unpacked_with_everybodys_tools_are_imported_one_by_one(
    sent: Sent, tmp_path: Path, format_: str, program: str
) -> None:
    chunks = sorted(sent.exports[format_].glob(f"*.{format_}"))
    assert len(chunks) > 1
    receiver = sent.receiver(tmp_path / "receiver")
    for number, chunk in enumerate(reversed(chunks), 1):
        unpack(program, chunk, tmp_path / f"medium{number}")
        receiver.take(tmp_path / f"medium{number}", code=0 if number == len(chunks) else 3)
    assert same(sent, receiver)


def test_the_version_of_a_view_is_shown_where_the_receiver_promotes_it(sent: Sent, tmp_path: Path) -> None:
    receiver = sent.receiver(tmp_path / "receiver")
    receiver.take(sent.version)
    assert [each["label"] for each in receiver.json("view", "list")] == ["base"]
    receiver.run("environment", "create", "ward")
    receiver.run("environment", "promote", "base", "--to", "ward")
    tree = receiver.published / "ward/base/debian/main"
    seen = apt_sees(tmp_path / "apt", deb_source(f"file://{tree.parent.parent}/", "debian/main", SUITES))
    assert ("app", "1.0") in {(name, version) for name, version, *_ in seen.packages}


# Without an import -------------------------------------------------------------------------------------


def test_clients_use_an_export_as_it_lies_there(sent: Sent, tmp_path: Path) -> None:
    library = f"file://{sent.sender.tree('')}/"
    content = f"file://{sent.exports['dir']}/content/"
    assert apt_sees(tmp_path / "apt", deb_source(content, "debian/main", SUITES)) == apt_sees(
        tmp_path / "apt2", deb_source(library, "debian/main", SUITES)
    )
    client = DnfClient(tmp_path / "dnf", rpm_source(content, "enterprise/os"))
    client("install", *RPMS)
    assert client.installed() == {
        "app-1.0-1.noarch",
        "lang-5-1.noarch",
        "lib-1:1.0-1.x86_64",
        "old-1-1.noarch",
    }
    [cached] = tmp_path.glob("dnf/cache/os-*/repodata")
    kinds = {path.name.partition("-")[2].partition(".")[0] for path in cached.iterdir()}
    assert kinds >= {"comps", "modules", "updateinfo", "primary"}, kinds
    assert "SEC-1.0" in client("updateinfo", "list", "--all")


def test_the_repository_of_a_vendor_syncs_from_an_export_once(sent: Sent, tmp_path: Path) -> None:
    receiver = sent.receiver(tmp_path / "receiver")
    receiver.run(
        *("repository", "update", "enterprise/os", "--url", "https://cdn.example.org/os/"),
        *("--set", "repositories=[.]", "--key", key().public_file),
    )
    before = receiver.json("repository", "show", "enterprise/os")
    told = receiver.run("repository", "sync", "enterprise/os", "--source-url", sent.exports["dir"]).out
    assert "enterprise/os: published generation 1: 4 packages" in told
    assert receiver.files("enterprise/os") == sent.sender.files("enterprise/os")
    after = receiver.json("repository", "show", "enterprise/os")
    assert (after["source_url"], after["upstream"]) == (before["source_url"], before["upstream"])
    assert str(sent.exports["dir"]) not in json.dumps(after)


def test_a_sync_from_what_does_not_hold_the_repository_is_refused(sent: Sent, tmp_path: Path) -> None:
    receiver = sent.receiver(tmp_path / "receiver")
    receiver.run(
        *("repository", "update", "enterprise/os", "--url", "https://cdn.example.org/os/"),
        *("--set", "repositories=[.]", "--set", "unsigned=true"),
    )
    for place in (sent.exports["dir"] / "content/images/all", sent.version):
        told = receiver.run("repository", "sync", "enterprise/os", "--source-url", place, code=4)
        assert "enterprise/os: failed: " in told.out
        assert not receiver.tree("enterprise/os").exists()


# Other versions ----------------------------------------------------------------------------------------


@pytest.fixture
def medium(sent: Sent, tmp_path: Path) -> Path:
    """To be changed."""
    shutil.copytree(sent.exports["dir"], tmp_path / "medium")
    return tmp_path / "medium"


def rewrite(
    sent: Sent, medium: Path, change: Callable[[dict[str, Any]], None], *, new_id: bool = True
) -> None:
    """The manifest as another program would write it, signed by the sender."""
    document = json.loads((medium / "manifest.json").read_bytes())
    change(document)

    def canonical(value: dict[str, Any]) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"

    if new_id:
        document["id"] = hashlib.sha256(canonical({**document, "id": ""})).hexdigest()[:32]
    data = canonical(document)
    (medium / "manifest.json").write_bytes(data)
    signer = server_key(sent.sender.root / "identity/signing.pem")
    (medium / "manifest.sig").write_bytes(signer.sign(data))


def later(document: dict[str, Any]) -> None:
    document["version"] = "1.7"
    document |= {"licence": {"until": [2030, 1]}, "also": None}
    document["subject"]["site"] = "north"
    document["repositories"][0]["signed_by"] = ["somebody"]
    document["products"][0]["support"] = 1.5
    document["keys"][0]["expires"] = -1


def earlier(document: dict[str, Any]) -> None:
    """Without anything that came later and has a default."""
    for name in ("organization_name", "program", "chunk_size", "chunks", "destination", "versions"):
        del document[name]
    for repository in document["repositories"]:
        for name in ("name", "mode", "suites", "base"):
            del repository[name]
    for product in document["products"]:
        del product["name"]


@pytest.mark.parametrize("change", [later, earlier])
def test_the_manifest_of_another_minor_version_is_imported(
    sent: Sent, medium: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    rewrite(sent, medium, change)
    receiver = sent.receiver(tmp_path / "receiver")
    assert "imported completely" in receiver.take(medium)
    assert same(sent, receiver)
    assert receiver.run("import", "receipt").out


def test_the_manifest_of_another_major_version_is_refused(sent: Sent, medium: Path, tmp_path: Path) -> None:
    rewrite(sent, medium, lambda document: document.update(version="2.0", repositories={"new": "form"}))
    receiver = sent.receiver(tmp_path / "receiver")
    told = receiver.refusal("import", "run", medium, code=4)
    assert "is of version 2.0, and this program reads 1.x" in told
    assert "with a newer one" in told
    assert receiver.json("import", "list") == []
    assert not receiver.tree("debian/main").exists()


def test_the_id_of_an_export_is_that_of_its_content(sent: Sent, medium: Path, tmp_path: Path) -> None:
    rewrite(sent, medium, lambda document: document.update(program="another"), new_id=False)
    receiver = sent.receiver(tmp_path / "receiver")
    assert "its id is not that of its content" in receiver.refusal("import", "run", medium, code=1)
    assert not receiver.tree("debian/main").exists()


# Nothing there ------------------------------------------------------------------------------------------


def test_a_fresh_server_without_any_network_imports(sent: Sent, tmp_path: Path) -> None:
    require(os.geteuid() == 0, "root, for a network namespace")
    fresh = ContentServer(tmp_path / "fresh", organization="")
    alone = ("unshare", "-n")
    fresh.start("import", "trust", sent.place / "ready/sender.pem", wrapper=alone)
    chunks = sorted(sent.exports["tar"].glob("*.tar"))
    told = fresh.start("import", "run", *chunks, wrapper=alone, code=4)
    assert told.err == ""
    assert "Traceback" not in told.out
    for path in ("debian/main", "images/all"):
        assert fresh.files(path) == sent.sender.files(path)
    assert fresh.json("organization", "list")[0]["label"] == ORGANIZATION
