# SPDX-License-Identifier: GPL-3.0-or-later
"""What people and the use case ask of an offer: searches, descriptions, companions."""

from pathlib import Path

import pytest

from orchestrator.content.formats.deb.offer import DebOffer
from orchestrator.content.model import Query
from orchestrator.errors import BadContent, Invalid
from tests.support.deb_mirror import DebMirror
from tests.support.deb_repository import Deb, DebRepository

DEBS = (
    Deb("web", "2.0-1", depends="libweb (>= 1:2), db | sqlite", fields={"Recommends": "doc"}),
    Deb("libweb", "1:2.1", architecture="all", source="web (2.0-1)", fields={"Section": "contrib/libs"}),
    Deb("postgres", "15.3", provides="db (= 2), sql", fields={"Pre-Depends": "libweb"}),
    Deb("mysql", "8", provides="db"),
    Deb("other", "1.0"),
)


@pytest.fixture(scope="module")
def offer(tmp_path_factory: pytest.TempPathFactory) -> DebOffer:
    place = tmp_path_factory.mktemp("offer")
    upstream = DebRepository(place / "upstream", translations=("en",), sources=True)
    upstream.publish(*DEBS)
    return DebMirror(place, upstream, sources=True).offer


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(), ["web", "libweb", "postgres", "mysql", "other"]),
        (Query(name="web"), ["web"]),
        (Query(name="*web*"), ["web", "libweb"]),
        (Query(architecture="all"), ["libweb"]),
        (Query(section="libs"), ["libweb"]),
        (Query(section="contrib/libs"), ["libweb"]),
        (Query(repository="testing main"), []),
        (Query(provides="db"), ["postgres", "mysql"]),
        (Query(provides="db (>= 2)"), ["postgres"]),
        (Query(provides="web (>= 2)"), ["web"]),
        (Query(provides="web (>= 3)"), []),
        (Query(requires="libweb"), ["web", "postgres"]),
        (Query(requires="libweb (>= 1:2)"), ["web"]),
        (Query(requires="sqlite"), ["web"]),
        (Query(requires="libweb", provides="sql"), ["postgres"]),
        (Query(requires="libweb", name="w*"), ["web"]),
    ],
)
def test_packages_are_found(offer: DebOffer, query: Query, found: list[str]) -> None:
    assert [package.name for package in offer.search(query)] == found


def test_a_relation_that_cannot_be_read_is_refused(offer: DebOffer) -> None:
    with pytest.raises(Invalid):
        offer.search(Query(provides="db (>= "))


def test_a_package_is_described_with_its_translation(offer: DebOffer) -> None:
    details = offer.details(offer.named("web")[0])
    assert details.summary == "A package"
    assert details.description == "Of which there is\n\nnothing to say."
    assert details.requires == ("libweb (>= 1:2)", "db | sqlite")
    assert details.recommends == ("doc",)
    assert offer.details(offer.named("postgres")[0]).requires == ("libweb",)
    assert offer.details(offer.named("postgres")[0]).provides == ("db (= 2)", "sql")
    assert details.extra["Maintainer"].startswith("Nobody")


def test_sources_of_a_verbatim_mirror_are_all_there_are(offer: DebOffer) -> None:
    paths = [one.file.path for one in offer.companions([])]
    assert "pool/main/w/web/web_2.0-1.dsc" in paths
    assert "pool/main/o/other/other_1.0.tar.gz" in paths
    assert len(paths) == len(set(paths)) == 2 * 4


def test_sources_of_a_rebuilt_mirror_are_those_of_what_is_kept(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream", sources=True)
    upstream.publish(*DEBS)
    mirror = DebMirror(tmp_path, upstream, sources=True, partial=True)
    paths = [one.file.path for one in mirror.offer.companions(mirror.named("libweb"))]
    assert paths == ["pool/main/w/web/web_2.0-1.dsc", "pool/main/w/web/web_2.0-1.tar.gz"]
    assert mirror.offer.companions([]) == []


def test_two_entries_for_one_file_with_two_digests_are_refused(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream")
    upstream.publish(Deb("web"), Deb("web", version="2.0", stanza={"Filename": Deb("web").path}))
    with pytest.raises(BadContent, match="another entry names the same file"):
        DebMirror(tmp_path, upstream).offer.packages()


def test_a_flat_repository_gives_a_partial_mirror_its_architectures_only(tmp_path: Path) -> None:
    upstream = DebRepository(tmp_path / "upstream", "./")
    upstream.publish(Deb("web"), Deb("web", architecture="i386"), Deb("doc", architecture="all"))
    some = DebMirror(tmp_path, upstream, partial=True, architectures=("amd64",)).offer
    assert [package.architecture for package in some.packages()] == ["amd64", "all"]
    assert [package.architecture for package in some.named("web")] == ["amd64"]
    assert len(DebMirror(tmp_path, upstream, architectures=("amd64",)).offer.packages()) == 3
