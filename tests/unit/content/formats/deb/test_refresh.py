# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a deb upstream: what is asked for, what is believed, what is refused and how it is told."""

import gzip
import lzma
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.content.fetching import Ending
from orchestrator.content.formats.deb.selection import IndexRole
from orchestrator.content.model import Validators
from orchestrator.errors import BadContent, Invalid, OrchestratorError, Stale, TransferFailed
from tests.support.deb_mirror import NOW, DebMirror
from tests.support.deb_repository import Deb, DebRepository
from tests.support.openpgp import key

INRELEASE = "dists/stable/InRelease"
PACKAGES = "dists/stable/main/binary-amd64/Packages"
DEBS = (Deb("web", depends="db"), Deb("db", "2.0"), Deb("doc", architecture="all"))


@pytest.fixture
def upstream(tmp_path: Path) -> DebRepository:
    made = DebRepository(tmp_path / "upstream", key=key(), by_hash=False)
    made.publish(*DEBS)
    return made


def paths(mirror: DebMirror) -> set[str]:
    return {stored.path for metadata in mirror.metadata for stored in metadata.indexes}


def refused(mirror_of: DebRepository, place: Path, error: type[OrchestratorError], **options: object) -> str:
    with pytest.raises(error) as caught:
        DebMirror(place, mirror_of, **options)
    return caught.value.message + " " + caught.value.hint


# --- what is asked for


def test_a_first_reading_brings_the_entry_and_the_index(upstream: DebRepository, tmp_path: Path) -> None:
    mirror = DebMirror(tmp_path, upstream, partial=True)
    assert mirror.fetcher.asked == [INRELEASE, "dists/stable/Release", f"{PACKAGES}.xz"]
    (metadata,) = mirror.metadata
    assert metadata.signers == (key().fingerprint,)
    assert (metadata.date, metadata.valid_until) == (1_750_000_000.0, None)
    assert [(stored.path, stored.role) for stored in metadata.entry] == [(INRELEASE, "InRelease")]
    assert [package.name for package in mirror.offer.packages()] == ["web", "db", "doc"]
    assert not mirror.warnings


def test_an_unchanged_upstream_costs_one_request_and_gives_the_same_object(
    upstream: DebRepository, tmp_path: Path
) -> None:
    mirror = DebMirror(tmp_path, upstream)
    (before,) = mirror.metadata
    (after,) = mirror.refresh()
    assert after is before
    assert mirror.fetcher.asked == [INRELEASE]


def test_an_unchanged_upstream_is_noticed_without_validators(upstream: DebRepository, tmp_path: Path) -> None:
    mirror = DebMirror(tmp_path, upstream)
    (before,) = mirror.metadata
    mirror.metadata = (replace(before, validators=Validators()),)
    (after,) = mirror.refresh()
    assert after is mirror.metadata[0]
    assert mirror.fetcher.asked == [INRELEASE]


def test_other_options_read_the_upstream_again(upstream: DebRepository, tmp_path: Path) -> None:
    upstream.contents = True
    upstream.publish(*DEBS)
    mirror = DebMirror(tmp_path, upstream)
    mirror.source = replace(mirror.source, contents=True)
    mirror.refresh()
    assert "dists/stable/main/Contents-amd64.xz" in paths(mirror)


def test_an_index_that_the_pool_lost_is_brought_again(upstream: DebRepository, tmp_path: Path) -> None:
    mirror = DebMirror(tmp_path, upstream)
    mirror.pool.settle()
    for stored in mirror.metadata[0].indexes:
        mirror.pool.path(stored.sha256).unlink()
    mirror.refresh()
    assert len(mirror.offer.packages()) == 3


def test_indexes_are_asked_for_by_hash_and_then_by_name(upstream: DebRepository, tmp_path: Path) -> None:
    upstream.by_hash = True
    upstream.publish(*DEBS)
    for path in upstream.path("").glob("**/by-hash/SHA256/*"):
        path.unlink()
    mirror = DebMirror(tmp_path, upstream, partial=True)
    first, second = mirror.fetcher.asked[-2:]
    assert first.startswith("dists/stable/main/binary-amd64/by-hash/SHA256/")
    assert second == f"{PACKAGES}.xz"


def test_an_index_that_moved_on_is_had_by_its_hash(upstream: DebRepository, tmp_path: Path) -> None:
    upstream.by_hash = True
    upstream.publish(*DEBS)
    upstream.path("main/binary-amd64/Packages.xz").write_bytes(b"of the next day")
    assert len(DebMirror(tmp_path, upstream).offer.packages()) == 3


def test_release_with_its_signature_does_where_there_is_no_inrelease(
    upstream: DebRepository, tmp_path: Path
) -> None:
    upstream.inrelease = False
    upstream.sign()
    mirror = DebMirror(tmp_path, upstream)
    assert [stored.role for stored in mirror.metadata[0].entry] == ["Release", "Release.gpg"]
    (before,) = mirror.metadata
    (after,) = mirror.refresh()
    assert after is before
    assert mirror.fetcher.asked == ["dists/stable/Release"]


@pytest.mark.parametrize("detached", [True, False])
def test_an_inrelease_that_appears_is_used_once_release_changes(
    upstream: DebRepository, tmp_path: Path, detached: bool
) -> None:
    upstream.inrelease = False
    upstream.sign()
    mirror = DebMirror(tmp_path, upstream)
    upstream.inrelease, upstream.detached, upstream.date = True, detached, upstream.date + 10
    upstream.sign()
    mirror.refresh()
    assert mirror.metadata[0].entry[0].role == "InRelease"


def test_stores_that_answer_403_for_what_they_lack_are_read(upstream: DebRepository, tmp_path: Path) -> None:
    upstream.inrelease = False
    upstream.sign()
    mirror = DebMirror(tmp_path, upstream)
    mirror.metadata = ()
    mirror.fetcher.answers[INRELEASE] = Ending.FORBIDDEN
    (metadata,) = mirror.refresh()
    assert metadata.entry[0].role == "Release"


# --- which indexes


def test_a_verbatim_mirror_gets_every_compressed_form(upstream: DebRepository, tmp_path: Path) -> None:
    upstream.compressions = ("", "xz", "gz", "zst", "bz2")
    upstream.publish(*DEBS)
    mirror = DebMirror(tmp_path, upstream)
    assert paths(mirror) == {f"{PACKAGES}.{form}" for form in ("xz", "gz", "zst", "bz2")}
    assert len(mirror.offer.packages()) == 3


@pytest.mark.parametrize("form", ["", "xz", "gz", "zst", "bz2"])
def test_one_form_is_enough(upstream: DebRepository, tmp_path: Path, form: str) -> None:
    upstream.compressions = (form,)
    upstream.publish(*DEBS)
    for mirror in (DebMirror(tmp_path, upstream), DebMirror(tmp_path, upstream, partial=True)):
        assert paths(mirror) == {f"{PACKAGES}.{form}".rstrip(".")}
        assert len(mirror.offer.packages()) == 3


def test_a_listed_form_that_is_not_there_gives_way_to_the_next(
    upstream: DebRepository, tmp_path: Path
) -> None:
    upstream.path("main/binary-amd64/Packages.xz").unlink()
    mirror = DebMirror(tmp_path, upstream, partial=True)
    assert paths(mirror) == {f"{PACKAGES}.gz"}
    assert not mirror.warnings


def test_translations_contents_and_sources_come_as_the_source_asks(tmp_path: Path) -> None:
    upstream = DebRepository(
        tmp_path / "upstream", key=key(), sources=True, translations=("en", "de"), contents=True
    )
    upstream.publish(*DEBS)
    plain = DebMirror(tmp_path, upstream, partial=True, translations=("de",))
    assert plain_paths(plain) == {"main/binary-amd64/Packages", "main/i18n/Translation-de"}
    full = DebMirror(tmp_path, upstream, partial=True, sources=True, contents=True, translations=())
    assert plain_paths(full) == {
        "main/binary-amd64/Packages",
        "main/source/Sources",
        "main/Contents-amd64",
    }


def plain_paths(mirror: DebMirror) -> set[str]:
    return {
        path.removeprefix("dists/stable/").removesuffix(".xz").removesuffix(".gz")
        for path in paths(mirror)
        if "by-hash" not in path
    }


def test_what_only_clients_read_comes_with_metadata_that_is_copied(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream", key=key())
    extra = {
        "main/dep11/Components-amd64.yml": b"---\n",
        "main/dep11/Components-arm64.yml": b"---\n",
        "main/dep11/icons-64x64.tar": b"icons",
        "main/cnf/Commands-amd64": b"suite: stable\n",
        "main/binary-amd64/Release": b"Archive: stable\n",
        "Contents-amd64": b"",
    }
    upstream.publish(*DEBS, extra=extra)
    mirror = DebMirror(tmp_path, upstream, contents=True)
    assert plain_paths(mirror) == {
        "main/binary-amd64/Packages",
        "main/binary-amd64/Release",
        "main/cnf/Commands-amd64",
        "main/dep11/Components-amd64.yml",
        "main/dep11/icons-64x64.tar",
        "Contents-amd64",
    }
    assert plain_paths(DebMirror(tmp_path, upstream, partial=True)) == {"main/binary-amd64/Packages"}


def test_without_architectures_all_that_are_there_are_taken(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream", key=key(), architectures=("amd64", "arm64"))
    upstream.publish(Deb("web"), Deb("web", architecture="arm64"))
    for path in upstream.path("main/binary-arm64").glob("**/*.xz"):
        path.unlink()
    mirror = DebMirror(tmp_path, upstream, architectures=())
    assert {package.architecture for package in mirror.offer.packages()} == {"amd64", "arm64"}


def test_an_architecture_that_is_only_listed_is_left_out_unless_it_is_asked_for(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream", key=key(), architectures=("amd64", "arm64"))
    upstream.publish(Deb("web"), Deb("web", architecture="arm64"))
    for path in [path for path in upstream.path("main/binary-arm64").glob("**/*") if path.is_file()]:
        path.unlink()
    assert len(DebMirror(tmp_path, upstream, architectures=()).offer.packages()) == 1
    message = refused(upstream, tmp_path, TransferFailed)
    assert "http://upstream.test/dists/stable/main/binary-arm64/Packages" in message


def test_the_index_for_all_is_read_where_clients_read_it(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream", key=key(), serves_all=True)
    upstream.publish(*DEBS)
    assert len(DebMirror(tmp_path, upstream).offer.packages()) == 3
    upstream.fields = {"No-Support-for-Architecture-all": "Packages"}
    upstream.publish(*DEBS)
    assert len(DebMirror(tmp_path / "2", upstream).offer.packages()) == 2


def test_udebs_and_images_come_for_an_installer(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream", key=key())
    images = "main/installer-amd64/current/images"
    sums = f"{'0' * 64}  ./netboot/linux\n".encode()
    udeb = Deb("libc6-udeb", udeb=True, provides="libc6")
    upstream.publish(*DEBS, udeb, extra={f"{images}/SHA256SUMS": sums})
    for form in ("xz", "gz"):  # as archives have it: the plain one alone
        upstream.files.pop(f"{images}/SHA256SUMS.{form}")
    upstream.add(f"{images}/SHA256SUMS")
    upstream.sign()
    mirror = DebMirror(tmp_path, upstream, installer=True)
    assert {package.name for package in mirror.offer.packages()} == {"web", "db", "doc"}
    assert not mirror.offer.providing("libc6")
    companions = {one.file.path: one.file.digest for one in mirror.offer.companions([])}
    assert companions.keys() == {udeb.path, f"dists/stable/{images}/netboot/linux"}
    without = DebMirror(tmp_path, upstream)
    assert not without.offer.companions([])


# --- what is refused


def test_nothing_is_read_without_keys_unless_it_is_said(upstream: DebRepository, tmp_path: Path) -> None:
    assert "unsigned: true" in refused(upstream, tmp_path, Invalid, keys=())
    mirror = DebMirror(tmp_path, upstream, keys=(), unsigned=True)
    assert mirror.metadata[0].signers == ()


def test_a_key_that_is_not_there_is_named(upstream: DebRepository, tmp_path: Path) -> None:
    assert "missing.asc" in refused(upstream, tmp_path, Invalid, keys=(tmp_path / "missing.asc",))


def test_another_signature_is_refused(upstream: DebRepository, tmp_path: Path) -> None:
    message = refused(upstream, tmp_path, BadContent, keys=(key("stranger").public_file,))
    assert f"http://upstream.test/{INRELEASE}" in message


@pytest.mark.parametrize("inrelease", [True, False])
def test_a_release_file_that_was_tampered_with_is_refused(
    upstream: DebRepository, tmp_path: Path, inrelease: bool
) -> None:
    upstream.inrelease, upstream.detached = inrelease, not inrelease
    upstream.sign()
    path = upstream.path("InRelease" if inrelease else "Release")
    path.write_bytes(path.read_bytes().replace(b"Origin: Test", b"Origin: Evil"))
    assert f"dists/stable/{path.name}" in refused(upstream, tmp_path, BadContent)


def test_a_release_without_any_signature_is_refused(upstream: DebRepository, tmp_path: Path) -> None:
    upstream.inrelease = False
    upstream.sign()
    upstream.path("Release.gpg").unlink()
    assert "is not signed" in refused(upstream, tmp_path, BadContent)


def test_a_page_instead_of_a_release_file_is_refused(upstream: DebRepository, tmp_path: Path) -> None:
    upstream.path("InRelease").write_bytes(b"<html>Log in first</html>")
    assert INRELEASE in refused(upstream, tmp_path, BadContent)
    message = refused(upstream, tmp_path, BadContent, keys=(), unsigned=True)
    assert f"http://upstream.test/{INRELEASE} is not a Release file" in message


def test_inrelease_and_release_that_disagree_are_refused(upstream: DebRepository, tmp_path: Path) -> None:
    path = upstream.path("Release")
    path.write_bytes(path.read_bytes().replace(b"Date: Sun, 15", b"Date: Sat, 14"))
    message = refused(upstream, tmp_path, BadContent)
    assert "InRelease and http://upstream.test/dists/stable/Release disagree: Date" in message


def test_a_page_in_the_place_of_release_leaves_inrelease_alone(
    upstream: DebRepository, tmp_path: Path
) -> None:
    upstream.path("Release").write_bytes(b"<html>Welcome</html>")
    mirror = DebMirror(tmp_path, upstream)
    assert [stored.role for stored in mirror.metadata[0].entry] == ["InRelease"]
    assert "is not a Release file" in mirror.warnings[0]


def test_a_release_that_is_pushed_during_the_reading_is_read_again(
    upstream: DebRepository, tmp_path: Path
) -> None:
    mirror = DebMirror(tmp_path, upstream)
    upstream.date += 100
    upstream.publish(*DEBS, Deb("new"))

    def push() -> None:
        upstream.date += 100
        upstream.publish(*DEBS, Deb("new"), Deb("newer"))

    mirror.fetcher.before["dists/stable/Release"] = push
    mirror.refresh()
    assert len(mirror.offer.packages()) == 5
    assert any("disagree" in warning for warning in mirror.warnings)


def test_an_index_that_is_pushed_during_the_reading_is_read_again(
    upstream: DebRepository, tmp_path: Path
) -> None:
    mirror = DebMirror(tmp_path, upstream)
    upstream.date += 100
    upstream.publish(*DEBS, Deb("new"))

    def push() -> None:
        upstream.date += 100
        upstream.publish(*DEBS, Deb("new"), Deb("newer"))

    mirror.fetcher.before[f"{PACKAGES}.xz"] = push
    mirror.refresh()
    assert len(mirror.offer.packages()) == 5


def test_an_index_that_does_not_match_is_named_with_its_address(
    upstream: DebRepository, tmp_path: Path
) -> None:
    upstream.path("main/binary-amd64/Packages.xz").write_bytes(lzma.compress(b"Package: evil\n"))
    message = refused(upstream, tmp_path, BadContent)
    assert "not what the Release file says" in message
    assert f"http://upstream.test/{PACKAGES}.xz" in message


def test_an_upstream_that_cannot_be_reached_is_named(upstream: DebRepository, tmp_path: Path) -> None:
    mirror = DebMirror(tmp_path, upstream)
    mirror.metadata = ()
    mirror.fetcher.answers[INRELEASE] = Ending.UNREACHABLE
    with pytest.raises(TransferFailed, match=f"http://upstream.test/{INRELEASE}"):
        mirror.refresh()


def test_a_repository_that_is_not_there_is_named(upstream: DebRepository, tmp_path: Path) -> None:
    message = refused(upstream, tmp_path, TransferFailed, repositories=("testing main",))
    assert "http://upstream.test/dists/testing/" in message


def test_a_component_that_is_not_there_is_named(upstream: DebRepository, tmp_path: Path) -> None:
    message = refused(upstream, tmp_path, BadContent, repositories=("stable main universe",))
    assert "'universe'" in message
    assert "components: main" in message


def test_an_architecture_that_one_component_lacks_is_a_warning(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream", key=key())
    upstream.publish(*DEBS)
    mirror = DebMirror(tmp_path, upstream, architectures=("amd64", "riscv64"))
    assert any("riscv64" in warning for warning in mirror.warnings)


@pytest.mark.parametrize("unpacked", [b"Package: evil\n", b"\0" * 1000_000])
def test_an_index_that_unpacks_to_something_else_is_refused(
    upstream: DebRepository, tmp_path: Path, unpacked: bytes
) -> None:
    packed = gzip.compress(unpacked, mtime=0)
    upstream.compressions = ("gz",)
    upstream.publish(*DEBS)
    upstream.files["main/binary-amd64/Packages.gz"] = packed
    upstream.add("main/binary-amd64/Packages.gz")
    upstream.sign()
    assert f"{PACKAGES}" in refused(upstream, tmp_path, BadContent)


def test_a_truncated_index_is_refused(upstream: DebRepository, tmp_path: Path) -> None:
    name = "main/binary-amd64/Packages.xz"
    upstream.compressions = ("xz",)
    upstream.publish(*DEBS)
    upstream.files[name] = upstream.files[name][:-20]
    upstream.add(name)
    upstream.sign()
    assert name in refused(upstream, tmp_path, BadContent)


def test_digests_that_prove_nothing_are_refused_where_signatures_are_verified(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream", key=key(), digests=("MD5Sum", "SHA1"))
    upstream.publish(*DEBS)
    assert "unsigned: true" in refused(upstream, tmp_path, BadContent)
    assert len(DebMirror(tmp_path, upstream, keys=(), unsigned=True).offer.packages()) == 3


def test_sha512_alone_is_enough(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream", key=key(), digests=("SHA512",))
    upstream.publish(*DEBS)
    mirror = DebMirror(tmp_path, upstream)
    assert len(mirror.offer.packages()) == 3
    assert any("/by-hash/SHA512/" in stored.path for stored in mirror.format.verbatim(mirror.metadata))


# --- dates and names


def test_expired_metadata_is_refused_also_when_it_did_not_change(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream", key=key(), valid_for=3600)
    upstream.publish(*DEBS)
    mirror = DebMirror(tmp_path, upstream)
    with pytest.raises(Stale, match="expired on Sun, 15 Jun 2025 16:06:40 UTC") as caught:
        mirror.refresh(now=NOW + 7200)
    assert "--allow-stale" in caught.value.hint
    mirror.refresh(now=NOW + 7200, allow_stale=True)
    assert any("expired" in warning for warning in mirror.warnings)
    mirror.metadata = ()
    with pytest.raises(Stale):
        mirror.refresh(now=NOW + 7200)


def test_metadata_older_than_what_is_held_is_refused(upstream: DebRepository, tmp_path: Path) -> None:
    mirror = DebMirror(tmp_path, upstream)
    upstream.date -= 86400
    upstream.sign()
    with pytest.raises(Stale, match="older"):
        mirror.refresh()
    mirror.refresh(allow_stale=True)
    assert mirror.metadata[0].date == upstream.date


def test_a_date_in_the_future_is_a_warning(upstream: DebRepository, tmp_path: Path) -> None:
    upstream.date = NOW + 10 * 86400
    upstream.sign()
    assert any("future" in warning for warning in DebMirror(tmp_path, upstream).warnings)


def test_a_suite_of_another_name_is_a_warning(upstream: DebRepository, tmp_path: Path) -> None:
    upstream.fields = {"Suite": "oldstable", "Codename": "bookworm"}
    upstream.sign()
    (warning,) = DebMirror(tmp_path, upstream).warnings
    assert "oldstable or bookworm, not of stable" in warning


@pytest.mark.parametrize("suite", ["bookworm-security", "stable/updates"])
def test_suites_of_all_names_are_read(tmp_path: Path, suite: str) -> None:
    upstream = DebRepository(tmp_path / "upstream", f"{suite} main", key=key())
    upstream.publish(*DEBS)
    mirror = DebMirror(tmp_path, upstream)
    assert mirror.offer.packages()[0].index_path == f"dists/{suite}/main/binary-amd64/Packages"


@pytest.mark.parametrize("repository", ["./", "/", "debian/12/", "./debian/12/"])
def test_flat_repositories_are_read(tmp_path: Path, repository: str) -> None:
    upstream = DebRepository(tmp_path / "upstream", repository, key=key())
    upstream.publish(*DEBS)
    mirror = DebMirror(tmp_path, upstream)
    directory = upstream.directory
    assert [package.file.path for package in mirror.offer.packages()] == [
        directory + deb.file_name for deb in DEBS
    ]
    assert mirror.offer.packages()[0].index_path == f"{directory}Packages"


def test_the_indexes_of_each_role_are_known(upstream: DebRepository, tmp_path: Path) -> None:
    roles = {stored.role for stored in DebMirror(tmp_path, upstream).metadata[0].indexes}
    assert roles == {IndexRole.PACKAGES}
