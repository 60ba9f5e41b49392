# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading an rpm upstream: what is asked for, what is believed, what is refused and how it is told."""

import gzip
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.content.fetching import Ending
from orchestrator.content.model import Digest, Validators
from orchestrator.errors import BadContent, Invalid, OrchestratorError, Stale, TransferFailed
from tests.support.openpgp import key
from tests.support.rpm_mirror import RpmMirror, titles
from tests.support.rpm_repository import Rpm, RpmRepository

ENTRY = "repodata/repomd.xml"
RPMS = (Rpm("web", "1:2.0-1", "x86_64", requires=("db",)), Rpm("db", "2.0-1"))
KEYS = (key().public_file,)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> RpmRepository:
    lists = {"productid": b"certificate", "strange": b"unknown", "prestodelta": b"<prestodelta/>"}
    place = tmp_path_factory.mktemp("template") / "upstream"
    return RpmRepository(place, key=key(), lists=lists, comps=b"<comps/>").write(RPMS)


@pytest.fixture
def upstream(template: RpmRepository, tmp_path: Path) -> RpmRepository:
    return template.copy(tmp_path / "upstream")


def records(mirror: RpmMirror) -> set[str]:
    return {stored.role for metadata in mirror.metadata for stored in metadata.indexes}


def refused(upstream: RpmRepository, error: type[OrchestratorError], **options: object) -> str:
    place = upstream.root.parent / "refused"
    with pytest.raises(error) as caught:
        RpmMirror(place, upstream.root, **options)
    assert not (place / "destination" / "published").exists()
    return " ".join([caught.value.message, caught.value.hint, *map(str, caught.value.problems)])


def rewrite(
    upstream: RpmRepository, type_: str, change: Callable[[bytes], bytes], megabytes: int = 0
) -> None:
    """Change the text of a record (gzip), and repomd.xml with it; blanks follow, which weigh nothing."""
    text = upstream.repomd.read_bytes()
    record = re.search(rb'<data type="%s">.*?</data>' % type_.encode(), text, re.DOTALL)
    assert record
    found = re.search(rb'href="(?P<path>[^"]+)"', record[0])
    assert found
    file = upstream.root / found["path"].decode()
    plain = change(gzip.decompress(file.read_bytes()))
    file.write_bytes(gzip.compress(plain) + gzip.compress(b" " * (1 << 20)) * megabytes)
    plain += b" " * (megabytes << 20)
    new = record[0]
    for tag, value in {
        b"checksum": hashlib.sha256(file.read_bytes()).hexdigest(),
        b"open-checksum": hashlib.sha256(plain).hexdigest(),
        b"size": str(file.stat().st_size),
        b"open-size": str(len(plain)),
    }.items():
        new = re.sub(rb"(<%s(?: [^>]*)?>)[^<]*" % tag, rb"\g<1>" + value.encode(), new)
    upstream.replace({record[0]: new})


# --- what is asked for


def test_a_first_reading_brings_the_entry_and_every_record(upstream: RpmRepository, tmp_path: Path) -> None:
    mirror = RpmMirror(tmp_path, upstream.root, keys=KEYS)
    (metadata,) = mirror.metadata
    assert mirror.fetcher.asked[:3] == [ENTRY, f"{ENTRY}.asc", f"{ENTRY}.key"]
    assert [file.path for file in metadata.entry] == [ENTRY, f"{ENTRY}.asc"]
    assert {"primary", "filelists", "other", "group", "productid", "strange", "prestodelta"} <= records(
        mirror
    )
    assert metadata.signers == (key().fingerprint,)
    assert metadata.date == 1_700_000_000
    assert metadata.url == f"http://upstream.test/{ENTRY}"
    assert titles(mirror.offer.packages()) == {"web-1:2.0-1.x86_64", "db-2.0-1.noarch"}
    assert ["delta packages" in warning for warning in mirror.warnings] == [True]


def test_for_metadata_of_our_own_delta_packages_and_databases_are_left(
    upstream: RpmRepository, tmp_path: Path
) -> None:
    upstream.options = ("--database",)
    upstream.index()
    assert {"primary_db", "prestodelta"} <= records(RpmMirror(tmp_path / "a", upstream.root))
    mirror = RpmMirror(tmp_path / "b", upstream.root, mode="rebuilt")
    assert not {"primary_db", "prestodelta"} & records(mirror)
    assert {"productid", "strange"} <= records(mirror)
    assert not mirror.warnings


def test_an_unchanged_upstream_costs_one_request_and_gives_the_same_object(
    upstream: RpmRepository, tmp_path: Path
) -> None:
    mirror = RpmMirror(tmp_path, upstream.root, keys=KEYS)
    (before,) = mirror.metadata
    (after,) = mirror.refresh()
    assert after is before
    assert mirror.fetcher.asked == [ENTRY]


def test_an_unchanged_upstream_is_noticed_without_validators(upstream: RpmRepository, tmp_path: Path) -> None:
    mirror = RpmMirror(tmp_path, upstream.root, keys=KEYS)
    mirror.metadata = (replace(mirror.metadata[0], validators=Validators()),)
    (before,) = mirror.metadata
    (after,) = mirror.refresh()
    assert after is before
    assert mirror.fetcher.asked == [ENTRY]


def test_another_choice_of_records_or_keys_reads_anew(upstream: RpmRepository, tmp_path: Path) -> None:
    mirror = RpmMirror(tmp_path, upstream.root, keys=KEYS)
    (before,) = mirror.metadata
    mirror.source = replace(mirror.source, keys=(*KEYS, key("other").public_file))
    (after,) = mirror.refresh()
    assert after is not before
    assert after.entry == before.entry


def test_metadata_that_vanished_from_the_pool_is_brought_again(
    upstream: RpmRepository, tmp_path: Path
) -> None:
    mirror = RpmMirror(tmp_path, upstream.root)
    mirror.pool.settle()
    lost = mirror.metadata[0].indexes[0]
    mirror.pool.path(lost.sha256).unlink()
    mirror.refresh()
    assert mirror.pool.size(lost.sha256) == lost.size


def test_a_changed_upstream_brings_only_what_changed(upstream: RpmRepository, tmp_path: Path) -> None:
    mirror = RpmMirror(tmp_path, upstream.root, keys=KEYS)
    upstream.write([*RPMS, Rpm("more")], time=1_700_000_100)
    mirror.refresh()
    assert "more-1-1.noarch" in titles(mirror.offer.packages())
    assert not any("productid" in path or "strange" in path for path in mirror.fetcher.asked)


def test_repositories_lie_below_the_base(tmp_path: Path) -> None:
    for name in ("os", "updates"):
        RpmRepository(tmp_path / "upstream" / name).write([Rpm(f"in-{name}")])
    mirror = RpmMirror(tmp_path, tmp_path / "upstream", repositories=("os", "updates"))
    assert [metadata.entry[0].path for metadata in mirror.metadata] == [f"os/{ENTRY}", f"updates/{ENTRY}"]
    assert {package.file.path for package in mirror.offer.packages()} == {
        "os/Packages/i/in-os-1-1.noarch.rpm",
        "updates/Packages/i/in-updates-1-1.noarch.rpm",
    }
    assert {(p.repository, p.index_path) for p in mirror.offer.packages()} == {
        ("os", "os"),
        ("updates", "updates"),
    }


@pytest.mark.parametrize("compression", ["gz", "xz", "zst", "bz2"])
def test_every_compression_is_read(tmp_path: Path, compression: str, request: pytest.FixtureRequest) -> None:
    upstream = RpmRepository(tmp_path / "upstream", compression=compression).write(RPMS)  # type: ignore[arg-type]
    assert any(compression in path.name for path in upstream.repodata.iterdir())
    assert len(RpmMirror(tmp_path, upstream.root).offer.packages()) == 2


@pytest.mark.parametrize("checksum", ["sha512", "sha1", "md5"])
def test_every_kind_of_digest_is_read(tmp_path: Path, checksum: str) -> None:
    upstream = RpmRepository(tmp_path / "upstream", checksum=checksum).write(RPMS)  # type: ignore[arg-type]
    packages = RpmMirror(tmp_path, upstream.root).offer.packages()
    assert {package.file.digest.algorithm for package in packages if package.file.digest} == {checksum}


# --- what is believed


def test_nothing_is_believed_that_nothing_verifies(upstream: RpmRepository) -> None:
    told = refused(upstream, Invalid, keys=())
    assert "unsigned: true" in told
    assert "keys" in told


def test_a_signature_by_a_stranger_is_refused(upstream: RpmRepository) -> None:
    assert f"http://upstream.test/{ENTRY}" in refused(upstream, BadContent, keys=(key("other").public_file,))


def test_an_upstream_that_does_not_sign_is_told_how_to_be_taken(upstream: RpmRepository) -> None:
    Path(f"{upstream.repomd}.asc").unlink()
    told = refused(upstream, BadContent, keys=KEYS)
    assert "is not signed" in told
    assert "unsigned: true" in told


def test_a_changed_entry_file_is_refused(upstream: RpmRepository) -> None:
    upstream.repomd.write_bytes(upstream.repomd.read_bytes().replace(b"<revision>", b"<revision> "))
    refused(upstream, BadContent, keys=KEYS)


def test_a_metalinks_digest_is_enough(upstream: RpmRepository, tmp_path: Path) -> None:
    mirror = RpmMirror(tmp_path, upstream.root)
    mirror.source = replace(mirror.source, unsigned=False)
    right = Digest("sha256", hashlib.sha256(upstream.repomd.read_bytes()).hexdigest())
    older = Digest("sha256", "0" * 64)
    mirror.metadata = ()
    (metadata,) = mirror.refresh(pinned={ENTRY: (older, right)})
    assert metadata.signers == ()
    for wrong in ((older,), (Digest("md5", hashlib.md5(upstream.repomd.read_bytes()).hexdigest()),)):
        mirror.metadata = ()
        with pytest.raises(BadContent, match="metalink"):
            mirror.refresh(pinned={ENTRY: wrong})


def test_older_metadata_than_what_is_held_is_refused(upstream: RpmRepository, tmp_path: Path) -> None:
    mirror = RpmMirror(tmp_path, upstream.root, keys=KEYS)
    held = mirror.metadata
    upstream.write([Rpm("old")], time=1_600_000_000)
    with pytest.raises(Stale) as caught:
        mirror.refresh()
    assert "--allow-stale" in caught.value.hint
    assert mirror.metadata is held
    mirror.refresh(allow_stale=True)
    assert titles(mirror.offer.packages()) == {"old-1-1.noarch"}


# --- what goes wrong on the way


def test_an_upstream_that_changes_while_it_is_read_is_read_again(
    upstream: RpmRepository, tmp_path: Path
) -> None:
    mirror = RpmMirror(tmp_path, upstream.root, keys=KEYS)
    upstream.write([*RPMS, Rpm("first")], time=1_700_000_001)

    def change() -> None:
        upstream.write([*RPMS, Rpm("second")], time=1_700_000_002)

    mirror.fetcher.before[f"{ENTRY}.asc"] = change
    mirror.refresh()
    assert "second-1-1.noarch" in titles(mirror.offer.packages())
    assert mirror.fetcher.asked.count(ENTRY) == 2


def test_a_record_that_is_not_what_the_entry_says_is_refused_with_its_address(
    upstream: RpmRepository,
) -> None:
    (primary,) = upstream.repodata.glob("*-primary.xml.gz")
    primary.write_bytes(primary.read_bytes()[:-1] + b"x")
    assert f"http://upstream.test/repodata/{primary.name}" in refused(upstream, BadContent)


def test_a_missing_record_is_refused_with_its_address(upstream: RpmRepository) -> None:
    (other,) = upstream.repodata.glob("*-other.xml.gz")
    other.unlink()
    assert f"http://upstream.test/repodata/{other.name}" in refused(upstream, BadContent)


@pytest.mark.parametrize("ending", [Ending.UNREACHABLE, Ending.FORBIDDEN, Ending.NOT_FOUND])
def test_an_entry_file_that_cannot_be_had_is_a_failed_transfer(
    upstream: RpmRepository, tmp_path: Path, ending: Ending
) -> None:
    mirror = RpmMirror(tmp_path, upstream.root)
    mirror.fetcher.answers[ENTRY] = ending
    with pytest.raises(TransferFailed, match=re.escape(f"http://upstream.test/{ENTRY}")):
        mirror.refresh()


def test_an_unreachable_record_is_a_failed_transfer(upstream: RpmRepository, tmp_path: Path) -> None:
    mirror = RpmMirror(tmp_path, upstream.root)
    upstream.write([Rpm("new")], time=1_700_000_100)
    (other,) = upstream.repodata.glob("*-other.xml.gz")
    mirror.fetcher.answers[f"repodata/{other.name}"] = Ending.UNREACHABLE
    with pytest.raises(TransferFailed) as caught:
        mirror.refresh()
    assert other.name in str(caught.value.problems[0])


# --- hostile and broken entry files


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'href="repodata/', b'href="../../', "leads out"),
        (b'href="repodata/', b'href="/repodata/', "not a relative path"),
        (
            b'<location href="repodata/',
            b'<location xml:base="http://e.test/" href="repodata/',
            "base address",
        ),
        (b'type="other"', b'type="primary"', "names primary twice"),
        (b'type="primary"', b'type="primarz"', "names no primary"),
        (b'type="other"', b'type="../x"', "impossible type"),
        (b'checksum type="sha256"', b'checksum type="crc32"', "cannot be one"),
        (b"</repomd>", b"", "well-formed"),
        (b"<repomd ", b"<html ", "well-formed"),
        (b"<revision>", b"<revision>\xff", "well-formed"),
        (b"<repomd ", b'<!DOCTYPE a [<!ENTITY b "c">]><repomd ', "bomb"),
    ],
)
def test_broken_and_hostile_entry_files_are_refused(
    upstream: RpmRepository, old: bytes, new: bytes, told: str
) -> None:
    upstream.repomd.write_bytes(upstream.repomd.read_bytes().replace(old, new))
    message = refused(upstream, BadContent)
    assert told in message
    assert f"http://upstream.test/{ENTRY}" in message


def test_a_login_page_with_status_200_is_refused(upstream: RpmRepository) -> None:
    upstream.repomd.write_bytes(b"<html><body>Please log in</body></html>")
    assert "outermost element is <html>" in refused(upstream, BadContent)


# --- hostile and broken lists


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text[:-20], "well-formed"),
        (lambda text: text.replace(b"A package for tests", b"A & B", 1), "well-formed"),
        (lambda text: text.replace(b"A package for tests", b"A \xff B", 1), "well-formed"),
        (lambda text: text.replace(b"<metadata", b'<!DOCTYPE a [<!ENTITY b "c">]><metadata'), "bomb"),
        (lambda text: text.replace(b"<metadata", b"<?php x?><metadata"), "instructions for php"),
        (lambda text: b"<filelists/>", "outermost element is <filelists>"),
    ],
)
def test_broken_and_hostile_primaries_are_refused(
    upstream: RpmRepository, change: Callable[[bytes], bytes], told: str
) -> None:
    rewrite(upstream, "primary", change)
    message = refused(upstream, BadContent)
    assert told in message
    assert "http://upstream.test/repodata/" in message


def test_a_list_that_is_more_than_it_says_when_decompressed_is_refused(upstream: RpmRepository) -> None:
    upstream.repomd.write_bytes(re.sub(rb"<open-size>\d+", b"<open-size>100", upstream.repomd.read_bytes()))
    assert "larger than it may be (100 bytes)" in refused(upstream, BadContent)


def test_a_bomb_is_refused(upstream: RpmRepository) -> None:
    rewrite(upstream, "primary", lambda text: text, megabytes=80)
    assert "larger than it may be" in refused(upstream, BadContent)


def test_a_list_that_is_not_its_open_digest_is_refused(upstream: RpmRepository) -> None:
    text = upstream.repomd.read_bytes()
    upstream.repomd.write_bytes(re.sub(rb'(<open-checksum type="sha256">)\w{4}', rb"\g<1>0000", text))
    assert "its sha256 differs" in refused(upstream, BadContent)
