# SPDX-License-Identifier: GPL-3.0-or-later
"""What an export will be: selected out of a real catalog, built on what a receiver has, divided into media."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.content import receipts
from orchestrator.content.catalog import exports, keys
from orchestrator.content.catalog import receipts as received
from orchestrator.content.catalog.exports import ExportRecord
from orchestrator.content.catalog.model import Key
from orchestrator.content.exports import requests
from orchestrator.content.exports.bases import has_base
from orchestrator.content.exports.formats import writer_of
from orchestrator.content.exports.manifest import from_bytes, read_index
from orchestrator.content.exports.planning import ExportPlan, plan_again, plan_export
from orchestrator.content.exports.request import ExportRequest
from orchestrator.content.exports.requests import MissingObjects
from orchestrator.content.model import StoredFile
from orchestrator.content.receipts import Receipt, show_digest
from orchestrator.content.signing import PublicKey, server_key
from orchestrator.errors import BadContent, Invalid, Refused
from tests.support.snapshot_site import (
    ORGANIZATION,
    TESTER,
    SnapshotSite,
    catalog_template,
    deb,
    in_memory,
    snapshot_site,
)

INCREMENT = ExportRequest(kind="increment")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return catalog_template(tmp_path_factory.mktemp("catalog"))


@pytest.fixture
def site(template: Path) -> Iterator[SnapshotSite]:
    with in_memory() as directory, snapshot_site(directory, template) as made:
        yield made


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def package(name: str) -> str:
    return sha(f"package {name}\n")


def paths(plan: ExportPlan) -> list[str]:
    return [each.path for each in plan.manifest.repositories]


def sent(plan: ExportPlan) -> set[str]:
    """The packages that go, by name."""
    names = {package(name): name for name in "abcdefxy"}
    return {names[each] for each in plan.objects if each in names}


def record(site: SnapshotSite, plan: ExportPlan, state: str = "complete") -> ExportRecord:
    """As if the export had been made."""
    manifest = plan.manifest
    with site.workspace.catalog.changing(TESTER) as session:
        return exports.add(
            session,
            ExportRecord(
                ORGANIZATION,
                manifest.subject,
                manifest.kind,
                manifest.format,
                manifest.destination,
                manifest.id,
                "/nowhere",
                "2026-11-20T12:00:00.000Z",
                len(manifest.chunks),
                manifest.objects,
                manifest.bytes,
                plan.manifest_bytes.decode(),
                plan.receipt,
                "complete" if state == "complete" else "partial",
            ),
        )


# --- the selection


def test_the_library_is_the_newest_snapshot_of_every_repository(site: SnapshotSite) -> None:
    site.publish("web/base", deb("a"))
    site.publish("web/base", deb("a", "b"))
    site.publish("os/main", deb("c"))
    site.repository("web/empty")
    plan = plan_export(site.workspace, ExportRequest())
    assert paths(plan) == ["os/main", "web/base"]
    assert sent(plan) == {"a", "b", "c"}
    assert plan.manifest.subject.kind == "library"
    assert [each.label for each in plan.manifest.products] == ["os", "web"]
    assert plan.warnings == ("web/empty: it has no content yet (orchestrator repository sync web/empty)",)
    assert from_bytes(plan.manifest_bytes, "M") == plan.manifest


def test_repositories_and_products_are_exported_by_name(site: SnapshotSite) -> None:
    for path in ("web/base", "web/extra", "os/main"):
        site.publish(path, deb(path[0]))
    both = ExportRequest(subject_kind="repository", names=("web/extra", "os/main"))
    plan = plan_export(site.workspace, both)
    assert paths(plan) == ["os/main", "web/extra"]
    assert plan.manifest.subject.name == "os/main,web/extra"
    plan = plan_export(site.workspace, ExportRequest(subject_kind="product", names=("web", "web")))
    assert paths(plan) == ["web/base", "web/extra"]
    assert plan.manifest.subject.name == "web"
    with pytest.raises(Refused, match="web/bass"):
        plan_export(site.workspace, ExportRequest(subject_kind="repository", names=("web/bass",)))
    with pytest.raises(Refused, match="no product"):
        plan_export(site.workspace, ExportRequest(subject_kind="product", names=("nothing",)))


def test_nothing_to_export_is_refused_with_every_reason(site: SnapshotSite) -> None:
    with pytest.raises(Refused, match="nothing to export"):
        plan_export(site.workspace, ExportRequest())
    site.repository("web/base")
    with pytest.raises(Refused) as error:
        plan_export(site.workspace, ExportRequest(subject_kind="product", names=("web",)))
    assert [problem.where for problem in error.value.problems] == ["web/base"]


def test_the_end_of_a_window_takes_what_was_there_then(site: SnapshotSite) -> None:
    site.publish("web/base", deb("a"), made="2026-01-01T00:00:00.000Z")
    site.publish("web/base", deb("a", "b"), made="2026-03-01T00:00:00.000Z")
    site.publish("os/main", deb("c"), made="2026-04-01T00:00:00.000Z")
    plan = plan_export(site.workspace, ExportRequest(until="2026-02-01"))
    assert (paths(plan), sent(plan)) == (["web/base"], {"a"})
    assert plan.manifest.created == "2026-01-01T00:00:00.000Z"
    assert "os/main" in plan.warnings[0]
    assert sent(plan_export(site.workspace, ExportRequest(until="2026-03-01T00:00:00Z"))) == {"a", "b"}


def test_a_view_is_its_newest_version_or_the_one_that_is_meant(site: SnapshotSite) -> None:
    site.publish("web/base", deb("a"))
    site.view("web", "web/base")
    site.publish("web/base", deb("b"))
    site.view("web")
    site.show("dev", "web", 1)
    named = ExportRequest(subject_kind="view", names=("web",))
    newest, first, shown = (
        plan_export(site.workspace, request)
        for request in (named, replace(named, version=1), replace(named, environment="dev"))
    )
    assert [sent(plan) for plan in (newest, first, shown)] == [{"b"}, {"a"}, {"a"}]
    assert newest.manifest.subject.version == 2
    assert first.manifest.id == shown.manifest.id
    assert [(each.view, each.number) for each in first.manifest.versions] == [("web", 1)]
    assert first.chunks[0].label == "web-1 1of1"
    with pytest.raises(Refused, match="no version"):
        plan_export(site.workspace, replace(named, version=7))
    with pytest.raises(Refused, match="no environment"):
        plan_export(site.workspace, replace(named, environment="prod"))


def test_an_environment_shows_one_repository_with_two_snapshots(site: SnapshotSite) -> None:
    site.publish("web/base", deb("a"))
    site.view("old", "web/base")
    site.publish("web/base", deb("a", "b"))
    site.view("new", "web/base")
    site.show("dev", "old", 1)
    site.show("dev", "new", 1)
    request = ExportRequest(subject_kind="environment", names=("dev",), format="dir")
    plan = plan_export(site.workspace, request)
    assert paths(plan) == ["web/base", "web/base"]
    assert dict(plan.manifest.environments[0].shows) == {"new": 1, "old": 1}
    assert sorted(tree.place for tree in plan.trees) == [
        "content/dev/new/web/base",
        "content/dev/old/web/base",
    ]
    assert len(plan.objects) == plan.manifest.objects == len(set(plan.objects))
    record(site, plan)
    nothing = plan_export(site.workspace, replace(request, kind="increment"))
    assert nothing.objects == {}
    assert [each.base for each in nothing.manifest.repositories] == [
        each.inventory for each in nothing.manifest.repositories
    ]


def test_a_repository_in_two_views_is_exported_once_at_two_places(site: SnapshotSite) -> None:
    site.publish("web/base", deb("a"))
    site.view("one", "web/base")
    site.view("two", "web/base")
    plan = plan_export(site.workspace, ExportRequest(subject_kind="view", names=("two", "one"), format="dir"))
    assert paths(plan) == ["web/base"]
    assert plan.manifest.repositories[0].trees == ("content/one/web/base", "content/two/web/base")
    assert (plan.manifest.subject.name, plan.manifest.subject.version) == ("one,two", 0)


def test_what_a_repository_is_travels_with_it(site: SnapshotSite) -> None:
    repository = site.repository("os/main", vendor="osvendor")
    with site.workspace.catalog.changing(TESTER) as session:
        keys.add(session, Key(ORGANIZATION, "osvendor", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n"))
        keys.add(session, Key(ORGANIZATION, "other", "-----BEGIN PGP PUBLIC KEY BLOCK-----\nx"))
        keys.set_of_repository(session, repository, ["osvendor"])
    site.publish("os/main", deb("a", "b"), mode="rebuilt")
    manifest = plan_export(site.workspace, ExportRequest(destination="site-2")).manifest
    (entry,) = manifest.repositories
    assert (entry.suites, entry.mode, entry.packages, entry.files) == (("stable main",), "rebuilt", 2, 5)
    assert (entry.keys, [key.name for key in manifest.keys]) == (("osvendor",), ["osvendor"])
    (product,) = manifest.products
    assert (product.kind, product.vendor, product.content_id) == ("vendor", "osvendor", "osvendor-1")
    assert manifest.destination == "site-2"


# --- the plan


def test_the_plan_is_exact_and_the_same_each_time(site: SnapshotSite) -> None:
    site.publish("web/base", deb("a", "b"))
    site.publish("web/files", {"large.img": bytes(300_000), "PULP_MANIFEST": "list"}, type_="file")
    for format_ in ("tar", "tgz", "iso"):
        request = replace(
            ExportRequest(), format=format_, chunk_size=800_000 if format_ == "iso" else 150_000
        )
        plan, again = (plan_export(site.workspace, request) for _ in range(2))
        assert plan.manifest_bytes == again.manifest_bytes
        writer = writer_of(plan.manifest.format)
        for chunk, entry in zip(plan.chunks, plan.manifest.chunks, strict=True):
            front = chunk.medium().front
            small = {file.path: file.data for file in front}
            assert writer.size([(file.path, len(file.data)) for file in front], chunk.pieces) == chunk.size
            assert chunk.size <= request.chunk_size
            assert list(chunk.pieces) == read_index(small[f"chunks/{chunk.number:04}.index"], "index")
            assert sha(small[f"chunks/{chunk.number:04}.index"].decode()) == entry.index
            assert (entry.bytes, entry.objects) == (chunk.bytes, len(chunk.pieces))
            assert PublicKey(server_key(site.workspace.settings.key_file).public.raw).fits(
                small["manifest.sig"], small["manifest.json"]
            )
            sums = {line[66:]: line[:64] for line in small["SHA256SUMS"].decode().splitlines()}
            whole = {piece.place: piece.sha256 for piece in chunk.pieces if piece.is_whole}
            assert sums == {
                **whole,
                **{
                    path: hashlib.sha256(data).hexdigest()
                    for path, data in small.items()
                    if path != "SHA256SUMS"
                },
            }
        assert sum(chunk.bytes for chunk in plan.chunks) == plan.bytes


def test_metadata_goes_first_and_repositories_in_the_order_of_their_paths(site: SnapshotSite) -> None:
    site.publish("web/base", deb("b"))
    site.publish("os/main", deb("a"))
    plan = plan_export(site.workspace, ExportRequest())
    order = [piece.sha256 for piece in plan.chunks[0].pieces]
    assert order == list(plan.objects)
    assert order.index(sha("key\n")) == 0
    assert order.index(package("a")) == 3
    assert order.index(package("b")) == 6
    assert plan.manifest.chunks[0].repositories == ("os/main", "web/base")


def test_a_strict_medium_refuses_a_file_by_its_name(site: SnapshotSite) -> None:
    site.publish("web/files", {"iso/large.img": bytes(300_000)}, type_="file")
    request = ExportRequest(format="tar", chunk_size=150_000)
    assert len(plan_export(site.workspace, request).chunks) > 1
    with pytest.raises(Refused, match=r"iso/large\.img of web/files has 300000 bytes"):
        plan_export(site.workspace, replace(request, strict_chunks=True))


def test_a_directory_has_every_file_at_each_of_its_places(site: SnapshotSite) -> None:
    site.publish("web/base", {**deb("a"), "pool/main/copy.deb": "package a\n"})
    plan = plan_export(site.workspace, ExportRequest(format="dir"))
    (tree,) = plan.trees
    assert tree.place == "content/web/base"
    assert {file.path for file in plan.files_of(tree)} == set(deb("a")) | {"pool/main/copy.deb"}
    assert (plan.chunks, plan.manifest.chunks) == ((), ())
    front = {file.path: file.data for file in plan.directory_front()}
    sums = front["SHA256SUMS"].decode().splitlines()
    assert f"{package('a')}  content/web/base/pool/main/copy.deb" in sums
    assert set(front) == {
        *("manifest.json", "manifest.sig", "README.txt", "SHA256SUMS"),
        f"inventories/{plan.manifest.repositories[0].inventory}",
    }


def test_what_is_not_in_the_pool_is_listed(site: SnapshotSite) -> None:
    snapshot = site.publish("web/base", deb("a", "b"))
    site.workspace.pool.discard(package("a"))
    plan = plan_export(site.workspace, ExportRequest())
    (missing,) = plan.missing
    assert (missing.path, missing.snapshot) == ("web/base", snapshot.number)
    assert missing.files == (StoredFile("pool/main/a.deb", 10, package("a")),)


def test_a_damaged_or_lost_inventory_is_told(site: SnapshotSite) -> None:
    snapshot = site.publish("web/base", deb("a"))
    path = site.workspace.inventories.path(snapshot.inventory)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"KEY", b"KEx"))
    with pytest.raises(BadContent, match="damaged"):
        plan_export(site.workspace, ExportRequest())
    path.unlink()
    with pytest.raises(Refused, match="not kept here"):
        plan_export(site.workspace, ExportRequest())


def test_a_chunk_is_planned_again_from_the_manifest_whatever_came_since(site: SnapshotSite) -> None:
    site.publish("web/base", deb("a"))
    site.publish("web/files", {"large.img": bytes(300_000)}, type_="file")
    request = ExportRequest(format="tar", chunk_size=150_000)
    plan = plan_export(site.workspace, request)
    site.publish("web/base", deb("b"))
    again = plan_again(site.workspace, plan.manifest_bytes, ExportRequest())
    assert again.manifest_bytes == plan.manifest_bytes
    assert [chunk.medium() for chunk in again.chunks] == [chunk.medium() for chunk in plan.chunks]
    assert plan_export(site.workspace, request).manifest.id != plan.manifest.id
    other = site.workspace.root / "other.pem"
    server_key(other)
    with pytest.raises(Refused, match="it would be another"):
        plan_again(site.workspace, plan.manifest_bytes, ExportRequest(sign_with=other))


def test_a_key_of_ones_own_signs(site: SnapshotSite, tmp_path: Path) -> None:
    site.publish("web/base", deb("a"))
    key = server_key(tmp_path / "mine.pem")
    (tmp_path / "mine.pem").chmod(0o644)
    plan = plan_export(site.workspace, ExportRequest(sign_with=tmp_path / "mine.pem"))
    assert plan.manifest.signer == key.public.id
    assert plan.public_key == key.public.pem
    assert not site.workspace.settings.key_file.exists()
    assert "others may read" in site.warnings[0]


# --- increments


def test_without_anything_to_build_on_an_increment_says_how_to_begin(site: SnapshotSite) -> None:
    site.publish("web/base", deb("a"))
    record(site, plan_export(site.workspace, ExportRequest(destination="site-3")))
    record(site, plan_export(site.workspace, ExportRequest(destination="site-2")), state="partial")
    with pytest.raises(Refused, match="for site-2") as error:
        plan_export(site.workspace, replace(INCREMENT, destination="site-2"))
    assert "orchestrator export complete library --destination site-2" in error.value.hint


def test_an_increment_is_built_on_the_last_complete_export_of_its_line(site: SnapshotSite) -> None:
    site.publish("web/base", deb("a", "b"))
    site.publish("os/main", deb("c"))
    first = plan_export(site.workspace, ExportRequest())
    record(site, first)
    site.publish("web/base", deb("b", "d"))
    second = plan_export(site.workspace, INCREMENT)
    assert sent(second) == {"d"}
    assert second.manifest.base is not None
    assert second.manifest.base.export == first.manifest.id
    assert paths(second) == ["os/main", "web/base"]
    # All of the metadata of what changed, the key which did not too, and nothing of what did not.
    assert sha("key\n") in second.objects
    assert len(second.objects) == 4
    assert second.manifest.chunks[0].repositories == ("web/base",)
    record(site, second, state="partial")
    record(site, second)
    site.publish("new/one", deb("a", "e"))
    third = plan_export(site.workspace, INCREMENT)
    assert third.manifest.base is not None
    assert third.manifest.base.export == second.manifest.id
    bases = {each.path: each.base for each in third.manifest.repositories}
    assert bases["new/one"] == ""
    assert sent(third) == {"a", "e"}
    assert third.receipt == receipts.leads_to(third.manifest)
    record(site, third)
    nothing = plan_export(site.workspace, INCREMENT)
    assert nothing.objects == {}
    assert len(nothing.chunks) == 1


def test_what_a_destination_confirmed_counts_more_than_what_it_was_sent(
    site: SnapshotSite, tmp_path: Path
) -> None:
    site.publish("web/base", deb("a"))
    first = plan_export(site.workspace, ExportRequest(destination="site-2"))
    record(site, first)
    confirm(site, receipt_of(first), "site-2")
    site.publish("web/base", deb("a", "b"))
    request = replace(INCREMENT, destination="site-2")
    record(site, plan_export(site.workspace, request))
    again = plan_export(site.workspace, request)
    assert sent(again) == {"b"}
    assert again.manifest.base is not None
    assert again.manifest.base.receipt == first.receipt
    with pytest.raises(Refused):
        plan_export(site.workspace, replace(request, subject_kind="product", names=("web",)))


def test_a_receipt_of_all_that_was_imported_is_one_of_each_of_its_repositories(site: SnapshotSite) -> None:
    site.publish("web/base", deb("a"))
    named = ExportRequest(subject_kind="product", names=("web",), destination="site-2")
    first = plan_export(site.workspace, named)
    confirm(site, replace(receipt_of(first), export=""), "site-2")
    site.publish("web/base", deb("a", "b"))
    site.publish("os/main", deb("c"))
    assert sent(plan_export(site.workspace, replace(named, kind="increment"))) == {"b"}
    assert sent(plan_export(site.workspace, replace(INCREMENT, destination="site-2"))) == {"b", "c"}
    with pytest.raises(Refused):
        plan_export(site.workspace, replace(named, kind="increment", names=("os",)))


def test_whether_there_is_something_to_build_on_can_be_asked(site: SnapshotSite) -> None:
    site.publish("web/base", deb("a"))
    request = ExportRequest(subject_kind="product", names=("web", "web"), destination="site-2")
    assert not has_base(site.workspace, request)
    record(site, plan_export(site.workspace, request))
    assert has_base(site.workspace, request)
    assert not has_base(site.workspace, replace(request, destination=""))


def receipt_of(plan: ExportPlan) -> Receipt:
    manifest = plan.manifest
    return Receipt(ORGANIZATION, manifest.id, "site-2", manifest.created, receipts.holdings_of(manifest))


def confirm(site: SnapshotSite, receipt: Receipt, destination: str) -> None:
    """As if a receipt had come back."""
    data = receipts.to_file(receipt, server_key(site.workspace.root / "receiver.pem"))
    kept = received.Receipt(destination, receipt.digest, data.decode(), "2026-11-20T12:00:00.000Z")
    with site.workspace.catalog.changing(TESTER) as session:
        received.put(session, kept)


def test_a_base_is_named_by_number_id_digest_file_or_directory(site: SnapshotSite, tmp_path: Path) -> None:
    site.publish("web/base", deb("a"))
    first = plan_export(site.workspace, ExportRequest())
    made = record(site, first)
    site.publish("web/base", deb("a", "b"))
    record(site, plan_export(site.workspace, ExportRequest()))
    (tmp_path / "receipt.json").write_bytes(
        receipts.to_file(receipt_of(first), server_key(tmp_path / "k.pem"))
    )
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "manifest.json").write_bytes(first.manifest_bytes)
    shown = show_digest(first.receipt)
    by_export = [str(made.number), made.export_id, made.export_id[:8], tmp_path / "export"]
    by_export.append(tmp_path / "export" / "manifest.json")
    by_receipt = [shown, shown.lower()[:9], shown.replace("-", " "), tmp_path / "receipt.json"]
    for name in (*by_export, *by_receipt):
        plan = plan_export(site.workspace, replace(INCREMENT, base=str(name)))
        assert sent(plan) == {"b"}, name
        assert plan.manifest.base is not None
        known = plan.manifest.base.export if name in by_export else plan.manifest.base.receipt
        assert known == (first.manifest.id if name in by_export else first.receipt)


@pytest.mark.parametrize("name", ["77", "abcdef0123", "ZZZZZ-ZZZZZ", "no such thing", "missing/receipt.json"])
def test_a_base_that_is_not_known_is_refused(site: SnapshotSite, name: str) -> None:
    site.publish("web/base", deb("a"))
    with pytest.raises(Refused, match="neither a file, nor an export, nor the digest") as error:
        plan_export(site.workspace, replace(INCREMENT, base=name))
    assert error.value.hint


def test_a_file_that_is_no_receipt_is_told(site: SnapshotSite, tmp_path: Path) -> None:
    site.publish("web/base", deb("a"))
    path = tmp_path / "file"
    path.write_bytes(b"{}")
    with pytest.raises(BadContent, match=str(path)):
        plan_export(site.workspace, replace(INCREMENT, base=str(path)))
    with pytest.raises(Invalid, match=r"no manifest\.json"):
        plan_export(site.workspace, replace(INCREMENT, base=str(tmp_path)))


def test_a_base_of_another_organization_is_refused(site: SnapshotSite, tmp_path: Path) -> None:
    snapshot = site.publish("web/base", deb("a"))
    receipt = Receipt("other", "", "site-2", "2026-11-20T12:00:00.000Z", (("web/base", snapshot.inventory),))
    path = tmp_path / "receipt.json"
    path.write_bytes(receipts.to_file(receipt, server_key(tmp_path / "k.pem")))
    with pytest.raises(Refused, match="of the organization other") as error:
        plan_export(site.workspace, replace(INCREMENT, base=str(path)))
    assert error.value.hint


def test_a_base_that_may_be_several_things_is_refused_with_all_of_them(site: SnapshotSite) -> None:
    made = []
    for name, letter in (("a", "1"), ("b", "2"), ("b", "3")):
        if letter != "3":
            site.publish("web/base", deb(name))
        made.append(record(site, plan_export(site.workspace, ExportRequest(destination=letter))))
        with site.workspace.catalog.changing(TESTER) as session:
            exports.update(session, replace(made[-1], export_id=f"abcde{letter}".ljust(32, "0")))
    with pytest.raises(Refused, match="several things") as error:
        plan_export(site.workspace, replace(INCREMENT, base="abcd"))
    assert [problem.where for problem in error.value.problems] == ["export 3", "export 2", "export 1"]
    assert sent(plan_export(site.workspace, replace(INCREMENT, base="abcde1"))) == {"b"}
    # The digest of two exports that lead to the same is not in doubt.
    assert plan_export(site.workspace, replace(INCREMENT, base=show_digest(made[1].receipt))).objects == {}


def test_a_receipt_of_what_nobody_here_knows_sends_that_whole(site: SnapshotSite, tmp_path: Path) -> None:
    site.publish("web/base", deb("a"))
    other = site.publish("os/main", deb("c"))
    strange = (("web/base", "0" * 64), ("os/main", other.inventory), ("gone/away", "1" * 64))
    receipt = Receipt(ORGANIZATION, "", "site-2", "2026-11-20T12:00:00.000Z", strange)
    path = tmp_path / "receipt.json"
    path.write_bytes(receipts.to_file(receipt, server_key(tmp_path / "k.pem")))
    plan = plan_export(site.workspace, replace(INCREMENT, base=str(path)))
    assert sent(plan) == {"a"}
    assert {each.path: each.base for each in plan.manifest.repositories}["web/base"] == ""
    assert site.warnings == ["web/base is sent whole: what the receiver has of it is not known here"]


def test_an_increment_since_a_moment_sends_what_came_after(site: SnapshotSite) -> None:
    site.publish("web/base", deb("a"), made="2026-01-01T00:00:00.000Z")
    site.publish("web/base", deb("a", "b"), made="2026-02-01T00:00:00.000Z")
    site.publish("web/base", deb("a", "b", "c"), made="2026-03-01T00:00:00.000Z")
    site.publish("os/main", deb("d"), made="2026-02-15T00:00:00.000Z")
    since = replace(INCREMENT, since="2026-01-15")
    assert sent(plan_export(site.workspace, since)) == {"b", "c", "d"}
    plan = plan_export(site.workspace, replace(since, until="2026-02-20"))
    assert sent(plan) == {"b", "d"}
    assert plan.manifest.base is not None
    assert plan.manifest.base.since == "2026-01-15T00:00:00.000Z"
    assert plan.manifest.base.until == "2026-02-20T00:00:00.000Z"
    with pytest.raises(Invalid, match="begins"):
        plan_export(site.workspace, replace(since, until="2026-01-01"))


def test_what_was_removed_and_comes_again_goes_again(site: SnapshotSite) -> None:
    made = []
    for names in ("ab", "a", "ab"):
        site.publish("web/base", deb(*names))
        made.append(record(site, plan_export(site.workspace, ExportRequest())))
    plan = plan_export(site.workspace, replace(INCREMENT, base=str(made[1].number)))
    assert sent(plan) == {"b"}
    assert plan_export(site.workspace, replace(INCREMENT, base=str(made[0].number))).objects == {}


# --- requests


def ask(tmp_path: Path, export: str, *names: str, size: int = 10) -> ExportRequest:
    missing = MissingObjects(export, ORGANIZATION, {package(name): size for name in names})
    path = tmp_path / "request.json"
    path.write_bytes(requests.to_file(missing))
    return ExportRequest(request_file=path)


def test_a_request_is_satisfied_with_just_what_it_asks_for(site: SnapshotSite, tmp_path: Path) -> None:
    site.publish("web/base", deb("a", "b", "c"))
    site.publish("os/main", deb("d"))
    first = plan_export(site.workspace, ExportRequest(destination="site-2"))
    record(site, first)
    site.publish("web/base", deb("x"))
    plan = plan_export(site.workspace, ask(tmp_path, first.manifest.id, "b"))
    assert list(plan.objects) == [package("b")]
    assert plan.manifest.kind == "increment"
    assert plan.manifest.base is not None
    assert plan.manifest.base.export == first.manifest.id
    assert plan.receipt == first.receipt
    assert plan.manifest.destination == "site-2"
    assert plan.manifest.chunks[0].repositories == ("web/base",)
    again = plan_again(site.workspace, plan.manifest_bytes, ask(tmp_path, first.manifest.id, "b"))
    assert again.manifest_bytes == plan.manifest_bytes


def test_a_request_gets_nothing_that_was_not_in_the_export(site: SnapshotSite, tmp_path: Path) -> None:
    site.publish("web/base", deb("a"))
    site.publish("secret/one", deb("b"))
    named = ExportRequest(subject_kind="product", names=("web",))
    first = plan_export(site.workspace, named)
    with pytest.raises(Refused, match="not known here"):
        plan_export(site.workspace, ask(tmp_path, first.manifest.id, "a"))
    record(site, first)
    for request in (ask(tmp_path, first.manifest.id, "b"), ask(tmp_path, first.manifest.id, "a", size=11)):
        with pytest.raises(Refused, match="not in the export"):
            plan_export(site.workspace, request)


def test_a_request_of_a_directory_has_a_place_for_each_file(site: SnapshotSite, tmp_path: Path) -> None:
    site.publish("web/base", deb("a"))
    first = plan_export(site.workspace, ExportRequest())
    record(site, first)
    plan = plan_export(site.workspace, replace(ask(tmp_path, first.manifest.id, "a"), format="dir"))
    assert [file.path for tree in plan.trees for file in plan.files_of(tree)] == ["pool/main/a.deb"]


# --- speed


def test_a_plan_of_many_objects_takes_no_time_worth_speaking_of(site: SnapshotSite) -> None:
    pool, files = site.workspace.pool, []
    for number in range(3000):
        digest = sha(str(number))
        path = pool.object(digest)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        files.append(StoredFile(f"pool/main/p{number}.deb", 1, digest))
    site.publish_files("web/base", files)
    plan_export(site.workspace, ExportRequest())
    began = time.process_time()
    plan = plan_export(site.workspace, ExportRequest())
    assert time.process_time() - began < 0.5
    assert plan.manifest.objects == 3000
    record(site, plan)
    began = time.process_time()
    assert plan_export(site.workspace, INCREMENT).objects == {}
    assert time.process_time() - began < 0.3
