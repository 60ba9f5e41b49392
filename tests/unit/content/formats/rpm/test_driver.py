# SPDX-License-Identifier: GPL-3.0-or-later
"""The format's smaller verbs: names that last, what a client is told, new repositories of local files."""

import configparser
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.content.formats.rpm.driver import RpmFormat
from orchestrator.content.model import Role, StoredFile
from orchestrator.content.pool import Pool
from orchestrator.content.source import Source
from orchestrator.errors import BadContent
from tests.support.deb_mirror import lay
from tests.support.rpm_mirror import WHEN, RpmMirror, titles
from tests.support.rpm_repository import Rpm, build

FORMAT = RpmFormat()
SOURCE = Source("ours", "rpm", (), (".",), unsigned=True)


@pytest.mark.parametrize(
    ("path", "lasts"),
    [
        ("os/Packages/w/web-1-1.noarch.rpm", True),
        (f"os/repodata/{'a' * 64}-primary.xml.gz", True),
        (f"repodata/{'0' * 40}-filelists.xml.gz", True),
        ("os/repodata/repomd.xml", False),
        ("repodata/repomd.xml.asc", False),
        ("repodata/primary.xml.gz", False),
        ("KEY.asc", False),
    ],
)
def test_packages_and_names_with_digests_last(path: str, lasts: bool) -> None:
    assert FORMAT.names_that_last(path) is lasts


def config(source: Source, key: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read_string(FORMAT.client_config(source, "http://mirror.test/ours/", key))
    return parser


def test_a_client_gets_a_section_for_each_repository() -> None:
    source = replace(SOURCE, repositories=("os", "extras/os"))
    parser = config(source, "http://mirror.test/ours/KEY.asc")
    assert parser.sections() == ["ours-os", "ours-extras-os"]
    assert parser["ours-extras-os"]["baseurl"] == "http://mirror.test/ours/extras/os/"
    assert parser["ours-os"]["repo_gpgcheck"] == "1"
    assert parser["ours-os"]["gpgcheck"] == "1"
    assert parser["ours-os"]["gpgkey"] == "http://mirror.test/ours/KEY.asc"


def test_the_vendors_signatures_are_not_asked_of_our_key() -> None:
    assert config(replace(SOURCE, partial=True), "file:///k")["ours"]["gpgcheck"] == "0"


def test_an_unsigned_mirror_checks_nothing() -> None:
    parser = config(SOURCE, "")
    assert (parser["ours"]["repo_gpgcheck"], parser["ours"]["gpgcheck"]) == ("0", "0")
    assert "gpgkey" not in parser["ours"]


def taken_in(pool: Pool, *files: Path) -> list[StoredFile]:
    return [
        StoredFile(file.name, file.stat().st_size, pool.add_bytes(file.read_bytes()), Role.PACKAGE)
        for file in files
    ]


def test_a_repository_is_made_of_local_files(tmp_path: Path) -> None:
    rpms = (Rpm("web", "1:2-1", "x86_64", requires=("lib >= 1",), files=("/usr/share/w",)), Rpm("lib"))
    pool = Pool(tmp_path / "destination")
    files = FORMAT.create(taken_in(pool, *build(rpms).values()), SOURCE, pool, WHEN, None)
    tree = lay(pool, tmp_path / "tree", files)
    mirror = RpmMirror(tmp_path / "mirror", tree)
    assert titles(mirror.offer.packages()) == {"web-1:2-1.x86_64", "lib-1-1.noarch"}
    assert {package.file.path for package in mirror.offer.packages()} == {
        "Packages/w/web-2-1.x86_64.rpm",
        "Packages/l/lib-1-1.noarch.rpm",
    }
    assert "lib >= 1" in mirror.offer.details(mirror.offer.named("web")[0]).requires
    assert {p.name for p in mirror.closure("/usr/share/w").chosen} == {"web", "lib"}
    assert mirror.verbatim().is_dir()
    again = FORMAT.create(taken_in(pool, *build(rpms).values()), SOURCE, pool, WHEN, None)
    assert again == files


@pytest.mark.parametrize("damage", [b"", b"no package", b"\xed\xab\xee\xdb and no more", b"half"])
def test_a_file_that_is_no_package_is_named(
    tmp_path: Path, damage: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    pool = Pool(tmp_path / "destination")
    good, *_ = build([Rpm("lib")]).values()
    if damage == b"half":
        damage = good.read_bytes()[:2000]
    stored = [
        *taken_in(pool, good),
        StoredFile("bad.rpm", len(damage), pool.add_bytes(damage), Role.PACKAGE),
    ]
    with pytest.raises(BadContent, match=r"bad\.rpm"):
        FORMAT.create(stored, SOURCE, pool, WHEN, None)
    assert capfd.readouterr() == ("", "")


def test_two_files_of_one_package_are_refused(tmp_path: Path) -> None:
    pool = Pool(tmp_path / "destination")
    first, second = (next(iter(build([Rpm("lib", built=when)]).values())) for when in (1_000_000, 2_000_000))
    stored = [*taken_in(pool, first), taken_in(pool, second)[0]._replace(path="lib-again.rpm")]
    with pytest.raises(BadContent, match=r"lib-1-1\.noarch\.rpm and lib-again\.rpm are both"):
        FORMAT.create(stored, SOURCE, pool, WHEN, None)
