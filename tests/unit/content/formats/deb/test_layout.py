# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from orchestrator.content.formats.deb.client import client_config
from orchestrator.content.formats.deb.layout import Layout, lasts, package_place, parse_layout, parse_layouts
from orchestrator.content.source import Source
from orchestrator.errors import Invalid


@pytest.mark.parametrize(
    ("text", "directory", "suite", "components"),
    [
        ("stable main contrib", "dists/stable", "stable", ("main", "contrib")),
        ("stable/updates main", "dists/stable/updates", "stable/updates", ("main",)),
        ("stable main main", "dists/stable", "stable", ("main",)),
        ("./", "", "", ()),
        ("/", "", "", ()),
        ("debian/12/", "debian/12", "", ()),
        ("./debian/12/", "debian/12", "", ()),
    ],
)
def test_repositories_are_read_as_sources_list_has_them(
    text: str, directory: str, suite: str, components: tuple[str, ...]
) -> None:
    assert parse_layout(text) == Layout(text, directory, suite, components)


@pytest.mark.parametrize(
    "text", ["stable", "dir/ main", "../up/", "../up main", "stable ../main", "stable /main/.."]
)
def test_what_is_no_repository_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"^repository"):
        parse_layout(text)


def test_a_suite_is_named_once() -> None:
    with pytest.raises(Invalid, match="one entry"):
        parse_layouts(["stable main", "stable contrib"])
    with pytest.raises(Invalid, match="empty"):
        parse_layouts([" "])
    assert len(parse_layouts(["stable main", "stable-updates main"])) == 2


@pytest.mark.parametrize(
    ("path", "last"),
    [
        ("pool/main/w/web/web_1.0_amd64.deb", True),
        ("pool/main/r/Release-tools/release-tools_1.0_all.deb", True),
        ("dists/stable/main/binary-amd64/by-hash/SHA256/aa", True),
        ("by-hash/SHA256/aa", True),
        ("web_1.0_amd64.deb", True),
        ("dists/stable/InRelease", False),
        ("dists/stable/main/binary-amd64/Packages.gz", False),
        ("dists/stable/main/installer-amd64/current/images/netboot/linux", False),
        ("Packages.gz", False),
        ("debian/12/Release.gpg", False),
    ],
)
def test_files_that_never_change_may_outlive_their_generation(path: str, last: bool) -> None:
    assert lasts(path) is last


def test_packages_lie_by_the_letter_of_their_source() -> None:
    assert package_place("main", "web", "a.deb") == "pool/main/w/web/a.deb"
    assert package_place("main", "libweb", "a.deb") == "pool/main/libw/libweb/a.deb"


def test_a_client_is_told_suites_trust_and_architectures() -> None:
    source = Source(
        "ours", "deb", (), ("stable main contrib", "dir/"), architectures=("amd64", "all"), sources=True
    )
    assert client_config(source, "http://mirror.test/ours", "https://mirror.test/key.asc") == (
        "# ours: put this into /etc/apt/sources.list.d/ours.sources\n"
        "# and the key into its place: curl -fsSL -o /etc/apt/keyrings/ours.asc https://mirror.test/key.asc\n"
        "Types: deb deb-src\nURIs: http://mirror.test/ours/\nSuites: stable\nComponents: main contrib\n"
        "Architectures: amd64\nSigned-By: /etc/apt/keyrings/ours.asc\n"
        "\n"
        "Types: deb deb-src\nURIs: http://mirror.test/ours/\nSuites: dir/\n"
        "Architectures: amd64\nSigned-By: /etc/apt/keyrings/ours.asc\n"
    )
    assert "Trusted: yes" in client_config(source, "http://mirror.test/ours", "")
