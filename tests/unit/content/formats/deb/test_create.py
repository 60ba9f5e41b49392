# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories of local packages, and how package files are read."""

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.content.formats.deb.create import create
from orchestrator.content.formats.deb.debfile import read_control
from orchestrator.content.formats.deb.index import Origin, PackagesIndex
from orchestrator.content.model import StoredFile
from orchestrator.content.pool import Pool
from orchestrator.content.source import Source
from orchestrator.errors import BadContent
from tests.support.deb_mirror import NOW, DebMirror, lay
from tests.support.deb_repository import Deb, DebRepository
from tests.support.requirements import require


def stored(pool: Pool, *debs: Deb) -> list[StoredFile]:
    return [
        StoredFile(f"{number}.deb", len(deb.bytes()), pool.add_bytes(deb.bytes()))
        for number, deb in enumerate(debs)
    ]


def made(
    place: Path, *debs: Deb, repositories: tuple[str, ...] = (), architectures: tuple[str, ...] = ()
) -> Path:
    pool = Pool(place / "destination")
    source = Source("made", "deb", (), repositories, architectures=architectures)
    return lay(pool, place / "tree", create(stored(pool, *debs), source, pool, NOW, None))


@pytest.mark.parametrize("compression", ["", "gz", "xz", "zst"])
def test_control_files_are_read_in_every_compression(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "web.deb"
    path.write_bytes(Deb("web", "1:2.0", depends="db").bytes(compression))
    assert b"Package: web\nVersion: 1:2.0\n" in read_control(path, "web.deb")


def test_packages_that_dpkg_built_are_read(tmp_path: Path) -> None:
    require(shutil.which("dpkg-deb") is not None, "dpkg-deb, to build a package")
    (tmp_path / "web/DEBIAN").mkdir(parents=True, mode=0o755)
    (tmp_path / "web/DEBIAN/control").write_text(
        "Package: web\nVersion: 1.0\nArchitecture: all\nMaintainer: x <x@example.org>\n"
        "Description: x\n of which\n .\n there is more\n"
    )
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", "web"], cwd=tmp_path, check=True, capture_output=True
    )
    assert read_control(tmp_path / "web.deb", "x").endswith(
        b"Description: x\n of which\n .\n there is more\n"
    )


WHOLE = Deb("web").bytes()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "no ar archive"),
        (b"<html></html>", "no ar archive"),
        (b"!<arch>\n", "debian-binary"),
        (WHOLE[:140], "no control.tar|cannot be decompressed|is damaged"),
        (WHOLE.replace(b"2.0\n", b"9.0\n", 1), "version 2"),
        (WHOLE.replace(b"control.tar.gz", b"control.tar.xz"), "cannot be decompressed"),
        (WHOLE.replace(b"control.tar.gz", b"kontrol.tar.gz"), "no control.tar"),
        (Deb("web", fields={"Package": "../web"}).bytes(), "its Package is '../web'"),
        (Deb("web", version="1 0").bytes(), "its Version is"),
        (Deb("web", architecture="../all").bytes(), "its Architecture is"),
    ],
)
def test_what_is_no_package_is_refused_with_its_name(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(data)
    with pytest.raises(BadContent, match=told) as caught:
        read_control(path, "local/x.deb")
    assert caught.value.message.startswith("local/x.deb is not a Debian package")


def test_a_repository_has_a_pool_a_suite_and_an_index_for_each_architecture(tmp_path: Path) -> None:
    debs = (
        Deb("web", "1:2.0", source="web-source (2)"),
        Deb("doc", architecture="all"),
        Deb("web", "1:1.0", architecture="arm64"),
    )
    tree = made(tmp_path, *debs)
    assert (tree / "pool/main/w/web-source/web_2.0_amd64.deb").read_bytes() == debs[0].bytes()
    mirror = DebMirror(tmp_path / "again", DebRepository(tree), architectures=("amd64", "arm64"))
    found = [f"{package.index_path.split('/')[3]} {package}" for package in mirror.offer.packages()]
    assert found == [
        "binary-amd64 doc 1.0 all",
        "binary-amd64 web 1:2.0 amd64",
        "binary-arm64 doc 1.0 all",
        "binary-arm64 web 1:1.0 arm64",
    ]
    assert mirror.offer.details(mirror.named("web")[0]).description == "Of which there is\n\nnothing to say."
    assert not mirror.warnings


def test_the_source_names_suite_component_and_architectures(tmp_path: Path) -> None:
    tree = made(
        tmp_path, Deb("doc", architecture="all"), repositories=("edge extra",), architectures=("arm64",)
    )
    assert (tree / "dists/edge/extra/binary-arm64/Packages.gz").exists()
    assert (tree / "pool/extra/d/doc/doc_1.0_all.deb").exists()


def test_fields_of_an_index_are_ours_not_the_packages(tmp_path: Path) -> None:
    tree = made(tmp_path, Deb("web", fields={"Filename": "/etc/passwd", "sha256": "0" * 64}))
    (package,) = DebMirror(tmp_path / "again", DebRepository(tree)).offer.packages()
    assert package.file.path == "pool/main/w/web/web_1.0_amd64.deb"


def test_the_same_file_twice_is_there_once_and_two_of_one_name_are_refused(tmp_path: Path) -> None:
    tree = made(tmp_path / "1", Deb("web"), Deb("web"))
    assert len(DebMirror(tmp_path / "again", DebRepository(tree)).offer.packages()) == 1
    with pytest.raises(BadContent, match="two different packages"):
        made(tmp_path / "2", Deb("web"), Deb("web", filler=b"another"))


def test_a_repository_of_nothing_is_a_repository(tmp_path: Path) -> None:
    tree = made(tmp_path, architectures=("amd64",))
    assert list(DebMirror(tmp_path / "again", DebRepository(tree)).offer.packages()) == []


def test_the_index_is_the_same_for_any_order_of_files(tmp_path: Path) -> None:
    debs = [Deb("a"), Deb("b"), Deb("a", "1.0~rc1"), Deb("a", "0.9")]
    one, other = made(tmp_path / "1", *debs), made(tmp_path / "2", *reversed(debs))
    index = "dists/stable/main/binary-amd64/Packages.gz"
    assert (one / index).read_bytes() == (other / index).read_bytes()
    text = gzip.decompress((one / index).read_bytes())
    versions = [package.version for package in PackagesIndex(text, Origin("", "", "", "")).packages()]
    assert versions == ["0.9", "1.0~rc1", "1.0", "1.0"]
