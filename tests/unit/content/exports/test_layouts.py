# SPDX-License-Identifier: GPL-3.0-or-later
"""What is metadata in which tree, and what clients name of it."""

import pytest

from orchestrator.content.catalog.model import RepositoryType
from orchestrator.content.exports.layouts import is_metadata, names_a_part, suites


@pytest.mark.parametrize(
    ("type_", "path", "expected"),
    [
        ("deb", "dists/stable/InRelease", True),
        ("deb", "dists/stable/main/binary-amd64/by-hash/SHA256/aa", True),
        ("deb", "pool/main/a/a.deb", False),
        ("deb", "Packages.gz", True),
        ("deb", "sub/Release.gpg", True),
        ("deb", "by-hash/SHA256/aa", True),
        ("deb", "sub/by-hash/SHA512/aa", True),
        ("deb", "Packages-extra_1.0_all.deb", False),
        ("deb", "KEY.asc", True),
        ("rpm", "repodata/repomd.xml", True),
        ("rpm", "BaseOS/repodata/x-primary.xml.zst", True),
        ("rpm", "Packages/a.rpm", False),
        ("rpm", "not-repodata/a.rpm", False),
        ("rpm", "KEY.asc", True),
        ("file", "PULP_MANIFEST", True),
        ("file", "dists/x", False),
    ],
)
def test_metadata_is_what_clients_read_first(type_: RepositoryType, path: str, expected: bool) -> None:
    assert is_metadata(type_)(path) is expected


@pytest.mark.parametrize(
    ("type_", "paths", "expected"),
    [
        (
            "deb",
            [
                "dists/stable/InRelease",
                "dists/stable/contrib/binary-amd64/Packages.xz",
                "dists/stable/main/binary-amd64/Packages.gz",
                "dists/stable/main/binary-amd64/Release",
                "dists/stable/main/binary-arm64/Packages",
                "dists/stable/main/debian-installer/binary-amd64/Packages.gz",
                "dists/stable/main/source/Sources.xz",
            ],
            ("stable contrib main",),
        ),
        (
            "deb",
            ["dists/stable/updates/Release", "dists/stable/updates/main/binary-all/Packages"],
            ("stable/updates main",),
        ),
        (
            "deb",
            ["dists/stable/Release", "dists/stable/updates/main/source/Sources"],
            ("stable updates/main",),
        ),
        ("deb", ["Release", "Packages"], ("./",)),
        ("deb", ["12/InRelease", "12/Release"], ("12/",)),
        ("rpm", ["repodata/repomd.xml"], (".",)),
        ("rpm", ["BaseOS/repodata/repomd.xml", "AppStream/repodata/repomd.xml"], ("AppStream", "BaseOS")),
        ("rpm", ["odd\udcff/repodata/repomd.xml"], ()),
        ("file", ["PULP_MANIFEST"], ()),
    ],
)
def test_clients_name_suites_with_components_or_directories(
    type_: RepositoryType, paths: list[str], expected: tuple[str, ...]
) -> None:
    named = names_a_part(type_)
    assert suites(type_, [path for path in paths if named(path)]) == expected
