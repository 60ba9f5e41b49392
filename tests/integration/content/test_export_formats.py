# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports of each format, read back with everybody's tools; where they lie; the same bytes each time."""

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.content import receipts
from orchestrator.content.exports.manifest import from_bytes
from orchestrator.content.exports.records import all_records
from orchestrator.content.exports.running import export_again
from orchestrator.content.exports.wish import Wish
from orchestrator.content.signing import server_key
from orchestrator.errors import Refused, UsageError
from tests.support.catalog_site import catalog_site
from tests.support.deb_repository import Deb, DebRepository
from tests.support.export_site import (
    complete_ones,
    contents,
    copied_site,
    do,
    fill,
    packages,
    request,
    states,
)
from tests.support.openpgp import key
from tests.support.requirements import require
from tests.support.snapshot_site import ORGANIZATION, SnapshotSite, snapshot_site
from tests.support.static_server import static_server

MEDIA = ("tar", "tgz", "iso")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made") / "content"
    with snapshot_site(root) as site:
        fill(site)
    return root


@pytest.fixture
def site(template: Path, tmp_path: Path) -> Iterator[SnapshotSite]:
    with copied_site(template, tmp_path / "content") as site:
        yield site


def run(*argv: str | Path, cwd: Path) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects_of(place: Path) -> dict[str, bytes]:
    return {path: data for path, data in contents(place).items() if path.startswith("objects/")}


@pytest.mark.parametrize("format_", MEDIA)
def test_chunks_are_read_with_everybodys_tools(site: SnapshotSite, tmp_path: Path, format_: str) -> None:
    reader = Path("/usr/bin/bsdtar")
    require(format_ != "iso" or reader.exists(), "bsdtar reads ISO images")
    outcome = do(site, request(format_))
    place = Path(outcome.place)
    assert outcome.state == "complete"
    assert place.parent == site.workspace.settings.exports / "acme/library/-"
    files = [chunk.file for chunk in outcome.chunks]
    assert len(files) == 3
    assert {path.name for path in place.iterdir()} == {
        *files, "manifest.json", "manifest.sig", "README.txt", "SHA256SUMS",
    }  # fmt: skip
    assert run("sha256sum", "-c", "SHA256SUMS", cwd=place).count(": OK") == 3
    everything: dict[str, bytes] = {}
    for number, file in enumerate(files, 1):
        out = tmp_path / f"medium{number}"
        out.mkdir()
        run(*(("bsdtar", "-xf") if format_ == "iso" else ("tar", "-xf")), place / file, cwd=out)
        assert (out / "manifest.json").read_bytes() == (place / "manifest.json").read_bytes()
        run("sha256sum", "--quiet", "-c", "SHA256SUMS", cwd=out)
        everything |= objects_of(out)
    sent = {hashlib.sha256(data).hexdigest() for data in everything.values()}
    wanted = {hashlib.sha256(data).hexdigest() for data in packages("tools/base").values()}  # type: ignore[arg-type]
    assert wanted < sent
    assert all(path.endswith(hashlib.sha256(data).hexdigest()) for path, data in everything.items())
    assert len(everything) == outcome.objects


def test_a_directory_is_links_that_clients_can_use_and_verify(site: SnapshotSite) -> None:
    outcome = do(site, request("dir"))
    place = Path(outcome.place)
    run("sha256sum", "--quiet", "-c", "SHA256SUMS", cwd=place)
    for path, data in packages("tools/more").items():
        file = place / "content/tools/more" / path
        assert file.read_bytes() == data
        assert file.samefile(site.workspace.pool.object(hashlib.sha256(file.read_bytes()).hexdigest()))
    modes = {path.stat().st_mode & 0o777 for path in [place, *place.rglob("*")]}
    assert modes == {0o755, 0o644}
    assert not list(place.glob(".*"))


def test_an_increment_has_what_is_new_and_all_metadata(site: SnapshotSite) -> None:
    do(site, request("dir"))
    new = {**packages("tools/base", 3), "pool/main/new.deb": b"new", "dists/stable/Release": "changed"}
    site.publish("tools/base", new, made="2026-11-21T10:00:00.000Z")
    outcome = do(site, request("dir", kind="increment"))
    tree = contents(Path(outcome.place) / "content")
    assert tree == {"tools/base/pool/main/new.deb": b"new", "tools/base/dists/stable/Release": b"changed"}
    assert outcome.kind == "increment"
    manifest = from_bytes((Path(outcome.place) / "manifest.json").read_bytes(), "it")
    assert manifest.base is not None
    assert manifest.base.export == all_records(site.workspace)[1].export_id
    nothing = do(site, request("tar", kind="increment"))
    assert (nothing.objects, nothing.state) == (0, "complete")


def test_a_receipt_once_given_is_what_later_increments_are_built_on(
    site: SnapshotSite, tmp_path: Path
) -> None:
    first = do(site, request("dir"))
    manifest = from_bytes((Path(first.place) / "manifest.json").read_bytes(), "it")
    confirmed = receipts.Receipt(
        ORGANIZATION, manifest.id, "site-2", manifest.created, receipts.holdings_of(manifest)
    )
    file = tmp_path / "receipt.json"
    file.write_bytes(receipts.to_file(confirmed, server_key(tmp_path / "receiver.pem")))
    for number, base in enumerate((str(file), "")):
        new = {**packages("tools/base", 3), f"pool/main/new-{number}.deb": b"new"}
        site.publish("tools/base", new, made=f"2026-11-2{number + 1}T10:00:00.000Z")
        outcome = do(site, request("dir", kind="increment", base=base))
        manifest = from_bytes((Path(outcome.place) / "manifest.json").read_bytes(), "it")
        assert manifest.base is not None
        assert manifest.base.receipt == confirmed.digest


def test_the_same_command_finds_it_there_and_writes_nothing(site: SnapshotSite) -> None:
    first = do(site, request())
    before = contents(site.workspace.settings.exports)
    site.events.clear()
    again = do(site, request())
    assert (again.state, again.place, again.number) == ("there already", first.place, first.number)
    assert contents(site.workspace.settings.exports) == before
    assert [event.name.value for event in site.events] == ["planning"]
    assert states(site) == ["complete"]


def test_a_lost_chunk_is_made_again_with_the_same_bytes(site: SnapshotSite, tmp_path: Path) -> None:
    outcome = do(site, request())
    place, whole = Path(outcome.place), contents(outcome.place)
    lost = outcome.chunks[1].file
    (place / lost).unlink()
    do(site, request(), only_chunk=2)
    assert contents(place) == whole
    (place / lost).write_bytes(b"half")
    assert do(site, request()).state == "complete"
    assert contents(place) == whole
    site.publish("tools/base", {"dists/stable/Release": "another time"})
    (place / lost).unlink()
    made = export_again(site.workspace, str(outcome.number), Wish(only_chunk=2))
    assert (made.state, contents(place)) == ("complete", whole)
    (tmp_path / "usb").mkdir()
    export_again(site.workspace, outcome.export[:8], Wish(only_chunk=3, to=str(tmp_path / "usb")))
    assert contents(tmp_path / "usb") == {outcome.chunks[2].file: whole[outcome.chunks[2].file]}
    assert states(site) == ["complete"]


def test_chunks_can_be_made_one_at_a_time_where_there_is_room_for_one(
    site: SnapshotSite, tmp_path: Path
) -> None:
    expected = {each.file: "" for each in do(site, request(), dry_run=True).chunks}
    usb = tmp_path / "usb"
    usb.mkdir()
    for number in (3, 1, 2):
        outcome = do(site, request(), only_chunk=number, to=str(usb))
        assert states(site) == ["complete" if number == 2 else "partial"]
        [file] = usb.iterdir()
        expected[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
        file.unlink()
    assert {each.file: each.sha256 for each in outcome.chunks} == expected
    whole = do(site, request())
    assert {each.file: each.sha256 for each in whole.chunks} == expected
    assert not list((site.workspace.settings.exports / ".handed").iterdir())


def test_one_chunk_after_the_other_completes_an_export_in_its_place(site: SnapshotSite) -> None:
    for number in (2, 1, 3):
        outcome = do(site, request(), only_chunk=number)
        done = {each.number for each in outcome.chunks if each.sha256}
        assert number in done
        assert (outcome.state == "complete") is (len(done) == 3)
    assert complete_ones(site.workspace.settings.exports) == [Path(outcome.place)]
    with pytest.raises(UsageError, match="no chunk 4"):
        do(site, request(), only_chunk=4)


def test_another_directory_gets_a_whole_export_that_says_what_it_is(
    site: SnapshotSite, tmp_path: Path
) -> None:
    usb = tmp_path / "usb"
    usb.mkdir()
    outcome = do(site, request("dir", destination="dc2"), to=str(usb))
    [place] = usb.iterdir()
    assert str(place) == outcome.place
    assert place.name.startswith("library-20")
    assert do(site, request("dir", destination="dc2"), to=str(usb)).state == "there already"
    other = do(site, request("dir", destination="dc2"))
    assert Path(other.place).parent == site.workspace.settings.exports / "acme/library/-/dc2"
    with pytest.raises(Refused, match="content server's own"):
        do(site, request("dir"), to=str(site.workspace.root / "pool"))


def test_a_dry_run_says_what_would_be_there_to_the_byte_and_changes_nothing(site: SnapshotSite) -> None:
    before = {path for path in site.workspace.root.rglob("*") if "catalog" not in path.name}
    planned = do(site, request(), dry_run=True)
    assert {path for path in site.workspace.root.rglob("*") if "catalog" not in path.name} == before
    assert planned.state == "planned"
    assert states(site) == []
    made = do(site, request())
    files = {path.name: path.stat().st_size for path in Path(made.place).iterdir()}
    assert {each.file: each.size for each in planned.chunks} == {
        name: size for name, size in files.items() if name.endswith(".tar")
    }
    assert sum(files.values()) <= planned.needed < sum(files.values()) + (2 << 20)
    assert planned.free > planned.needed
    assert planned.export == made.export


def test_what_is_not_here_is_listed_and_refused(site: SnapshotSite) -> None:
    data = packages("tools/base")["pool/main/base1.deb"]
    assert isinstance(data, bytes)
    site.workspace.pool.discard(hashlib.sha256(data).hexdigest())
    planned = do(site, request(), dry_run=True)
    assert [(each.repository, each.snapshot, each.files) for each in planned.missing] == [
        ("tools/base", 1, ("pool/main/base1.deb",))
    ]
    assert int(planned.exit_code) == 4
    with pytest.raises(Refused) as refused:
        do(site, request())
    assert "tools/base snapshot 1: pool/main/base1.deb" in str(refused.value.problems[0])
    assert "--fetch-missing" in refused.value.hint
    assert not complete_ones(site.workspace.settings.exports)
    assert states(site) == []


def test_missing_bytes_are_brought_in_from_where_they_come_from(tmp_path: Path) -> None:
    web = Deb("web")
    archive = DebRepository(tmp_path / "www/debian", key=key(), compressions=("gz",))
    archive.publish(web)
    upstream = {"repositories": ["stable main"], "architectures": ["amd64"], "translations": []}
    with static_server(tmp_path / "www") as server, catalog_site(tmp_path / "content") as there:
        there.product("web", baseurl=server.url)
        there.repository("web/main", "deb", {**upstream, "baseurl": "debian"}, [key().public])
        synced = there.sync("web/main")
        site = SnapshotSite(there.workspace, there.events)
        sha256 = hashlib.sha256(web.bytes()).hexdigest()
        there.workspace.pool.discard(sha256)
        (there.workspace.place(there.get("web/main")) / web.path).unlink()
        with pytest.raises(Refused, match="1 file"):
            do(site, request())
        outcome = do(site, request("dir"), fetch_missing=True)
        assert synced.snapshot
        assert (Path(outcome.place) / "content/web/main" / web.path).read_bytes() == web.bytes()
        (tmp_path / "www/debian" / web.path).unlink()
        there.workspace.pool.discard(sha256)
        (there.workspace.place(there.get("web/main")) / web.path).unlink(missing_ok=True)
        with pytest.raises(Refused, match="1 file"):
            do(site, request(), fetch_missing=True)
        assert any("404" in str(event.fields.get("why")) for event in there.events)


def test_objects_larger_than_a_medium_are_cut_and_come_together(site: SnapshotSite, tmp_path: Path) -> None:
    site.publish("tools/big", {"pool/main/big.deb": bytes(range(256)) * 1000})
    asked = request("tar", subject_kind="repository", names=("tools/big",), chunk_size=100_000)
    outcome = do(site, asked)
    assert len(outcome.chunks) > 2
    for chunk in outcome.chunks:
        run("tar", "-xf", Path(outcome.place) / chunk.file, cwd=tmp_path)
    parts = sorted(tmp_path.glob("objects/*/*.*"), key=lambda path: int(path.suffix[1:]))
    assert b"".join(path.read_bytes() for path in parts) == bytes(range(256)) * 1000
    with pytest.raises(Refused):
        do(
            site,
            request(
                "tar", subject_kind="repository", names=("tools/big",), chunk_size=100_000, strict_chunks=True
            ),
        )
