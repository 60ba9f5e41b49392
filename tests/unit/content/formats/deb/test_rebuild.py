# SPDX-License-Identifier: GPL-3.0-or-later
"""Metadata of a part of an upstream: what is copied, what is cut, what is left out."""

import gzip
import hashlib
from pathlib import Path

import pytest

from orchestrator.content.formats.deb.release import parse_release
from orchestrator.content.signatures import Keyring, Signer
from tests.support.deb_mirror import NOW, DebMirror
from tests.support.deb_repository import Deb, DebRepository
from tests.support.openpgp import key

DEBS = (
    Deb("web", "2.0-1", depends="db", fields={"Essential": "no"}),
    Deb("naïve", architecture="all"),
    Deb("db", source="dbms (1.5)", component="contrib"),
    Deb("other"),
)
MAIN = "dists/stable/main"


def plain(tree: Path, path: str) -> str:
    return gzip.decompress((tree / f"{path}.gz").read_bytes()).decode()


def everything(tree: Path) -> dict[str, bytes]:
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


@pytest.fixture
def upstream(tmp_path: Path) -> DebRepository:
    made = DebRepository(
        tmp_path / "upstream",
        "stable main contrib",
        translations=("en",),
        contents=True,
        sources=True,
        valid_for=86400,
        fields={"Version": "12.5", "NotAutomatic": "yes", "Signed-By": "A" * 40, "Description": "Ours"},
    )
    made.publish(*DEBS, extra={"main/cnf/Commands-amd64": b"suite: stable\n"})
    return made


def test_indexes_are_cut_down_to_what_is_kept(upstream: DebRepository, tmp_path: Path) -> None:
    mirror = DebMirror(tmp_path, upstream, partial=True, contents=True)
    tree = mirror.rebuilt("db", "naïve", "web")
    there = upstream.files["main/binary-amd64/Packages"].decode().split("\n\n")
    assert plain(tree, f"{MAIN}/binary-amd64/Packages") == f"{there[0]}\n\n{there[1]}\n\n"
    assert "Package: db\n" in plain(tree, "dists/stable/contrib/binary-amd64/Packages")
    translation = plain(tree, f"{MAIN}/i18n/Translation-en")
    assert "Package: naïve\n" in translation
    assert "Package: other\n" not in translation
    assert plain(tree, f"{MAIN}/Contents-amd64") == (
        "usr/share/doc/web/filler misc/web\nusr/share/doc/naïve/filler misc/naïve\n"
    )
    assert not (tree / f"{MAIN}/cnf").exists()


def test_sources_are_cut_down_to_those_that_are_kept_whole(upstream: DebRepository, tmp_path: Path) -> None:
    tree = DebMirror(tmp_path, upstream, partial=True, sources=True).rebuilt("db")
    assert "Package: dbms\n" in plain(tree, "dists/stable/contrib/source/Sources")
    assert plain(tree, f"{MAIN}/source/Sources") == ""
    assert (tree / "pool/contrib/d/dbms/dbms_1.5.dsc").exists()


def test_release_carries_over_what_pinning_looks_at(upstream: DebRepository, tmp_path: Path) -> None:
    tree = DebMirror(tmp_path, upstream, partial=True).rebuilt("web")
    release = parse_release((tree / "dists/stable/Release").read_bytes(), "Release")
    assert release.fields == {
        "Origin": "Test",
        "Label": "Test",
        "Suite": "stable",
        "Version": "12.5",
        "Codename": "stable",
        "NotAutomatic": "yes",
        "Description": "Ours",
        "Architectures": "amd64",
        "Components": "main contrib",
        "Date": "Sun, 15 Jun 2025 15:08:20 UTC",
        "Acquire-By-Hash": "yes",
    }
    assert release.date == NOW


def test_release_lists_every_index_and_each_has_its_name_by_digest(
    upstream: DebRepository, tmp_path: Path
) -> None:
    tree = DebMirror(tmp_path, upstream, partial=True, contents=True).rebuilt("web")
    release = parse_release((tree / "dists/stable/Release").read_bytes(), "Release")
    files = everything(tree / "dists/stable")
    indexes = {path for path in files if "by-hash" not in path} - {"Release"}
    assert indexes <= release.files.keys()
    for path, listed in release.files.items():
        unpacked = not path.endswith(".gz")
        data = gzip.decompress(files[f"{path}.gz"]) if unpacked else files[path]
        assert (len(data), hashlib.sha256(data).hexdigest()) == (listed.size, listed.digests["sha256"])
        if not unpacked:
            assert files[str(Path(path).parent / "by-hash/SHA256" / listed.digests["sha256"])] == data


def test_the_same_input_gives_the_same_bytes(upstream: DebRepository, tmp_path: Path) -> None:
    first = DebMirror(tmp_path / "1", upstream, partial=True, contents=True).rebuilt("web", "db")
    second = DebMirror(tmp_path / "2", upstream, partial=True, contents=True).rebuilt("db", "web")
    assert everything(first) == everything(second)


def test_ours_is_signed_both_ways(upstream: DebRepository, tmp_path: Path) -> None:
    ours = key("ours")
    mirror = DebMirror(tmp_path, upstream, partial=True)
    tree = mirror.rebuilt("web", signer=Signer.load(ours.secret_file)) / "dists/stable"
    release = (tree / "Release").read_bytes()
    keyring = Keyring.load([ours.public_file])
    assert keyring.verify_clear((tree / "InRelease").read_bytes(), "x") == (release, (ours.fingerprint,))
    assert keyring.verify_detached(release, (tree / "Release.gpg").read_bytes(), "x") == (ours.fingerprint,)


def test_without_a_key_there_is_no_signature(upstream: DebRepository, tmp_path: Path) -> None:
    tree = DebMirror(tmp_path, upstream, partial=True).rebuilt("web") / "dists/stable"
    assert not (tree / "InRelease").exists()
    assert not (tree / "Release.gpg").exists()


def test_repositories_without_anything_kept_have_empty_indexes(
    upstream: DebRepository, tmp_path: Path
) -> None:
    tree = DebMirror(tmp_path, upstream, partial=True).rebuilt()
    assert plain(tree, f"{MAIN}/binary-amd64/Packages") == ""


def test_a_rebuilt_mirror_is_an_upstream_for_the_next(upstream: DebRepository, tmp_path: Path) -> None:
    tree = DebMirror(tmp_path, upstream, partial=True).rebuilt("web", "db")
    next_ = DebRepository(tree, "stable main contrib", translations=("en",))
    again = DebMirror(tmp_path / "again", next_, partial=True)
    assert {package.name for package in again.offer.packages()} == {"web", "db"}
    assert everything(again.rebuilt("web", "db")) == everything(tree)


def test_packages_known_by_weak_digests_get_a_strong_one(tmp_path: Path) -> None:
    weak = Deb("web")
    upstream = DebRepository(tmp_path / "upstream")
    upstream.publish(weak)
    digest = hashlib.md5(weak.bytes()).hexdigest()
    index = upstream.files["main/binary-amd64/Packages"]
    rows = [line for line in index.split(b"\n") if not line.startswith(b"SHA256")]
    upstream.release(
        {
            "main/binary-amd64/Packages": b"\n".join(rows).replace(
                b"Size:", f"MD5sum: {digest}\nSize:".encode()
            )
        }
    )
    tree = DebMirror(tmp_path, upstream, partial=True).rebuilt("web")
    written = plain(tree, f"{MAIN}/binary-amd64/Packages")
    assert f"SHA256: {hashlib.sha256(weak.bytes()).hexdigest()}\n" in written


def test_indexes_of_udebs_list_what_is_there(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream")
    udebs = (Deb("libc6-udeb", udeb=True), Deb("disk-udeb", udeb=True))
    upstream.publish(*DEBS, *udebs)
    tree = DebMirror(tmp_path, upstream, partial=True, installer=True).rebuilt("web")
    index = upstream.files["main/debian-installer/binary-amd64/Packages"].decode()
    assert plain(tree, f"{MAIN}/debian-installer/binary-amd64/Packages") == index
    assert all((tree / udeb.path).exists() for udeb in udebs)
