# SPDX-License-Identifier: GPL-3.0-or-later
"""What an offer reads out of primary.xml: the usual form, any other form, and what is refused."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.content.formats.rpm import primary
from orchestrator.content.model import Package, Query
from orchestrator.errors import BadContent
from tests.support.rpm_mirror import RpmMirror, titles
from tests.support.rpm_repository import Rpm, RpmRepository, build

WEB = Rpm(
    "web",
    "1:2.0-1.el9",
    "x86_64",
    requires=("db >= 2", "(a or b >= 3)", "/usr/bin/perl"),
    recommends=("doc",),
    files=("/usr/bin/web", "/usr/share/web/data"),
    group="Servers",
    summary="A web <server> & more",
)
RPMS = (
    WEB,
    Rpm("db", "2.5-1", "x86_64", provides=("database = 2.5",)),
    Rpm("db", "2.5-1", "i686"),
    Rpm("doc"),
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> RpmRepository:
    return RpmRepository(tmp_path_factory.mktemp("template") / "upstream").write(RPMS)


@pytest.fixture
def mirror(template: RpmRepository, tmp_path: Path) -> RpmMirror:
    return RpmMirror(tmp_path, template.root)


def text_of(mirror: RpmMirror) -> bytes:
    (reading,) = mirror.offer.readings
    record = reading.record("primary")
    assert record
    return reading.text(record)


def read(text: bytes, repository: str = "os") -> list[Package]:
    return [entry.package for entry in primary.entries([text], "primary of X", "up", repository)]


def test_packages_are_read_with_all_that_a_mirror_needs(mirror: RpmMirror) -> None:
    web = mirror.offer.named("web")[0]
    file = build([WEB])[WEB]
    assert web[:3] == ("web", "1:2.0-1.el9", "x86_64")
    assert web.file.path == "Packages/w/web-2.0-1.el9.x86_64.rpm"
    assert web.file.size == file.stat().st_size
    assert (web.source, web.repository, web.index_path) == ("up", ".", ".")
    assert (web.section, web.origin) == ("Servers", "batch")
    assert titles(mirror.offer.packages()) == {
        "web-1:2.0-1.el9.x86_64",
        "db-2.5-1.x86_64",
        "db-2.5-1.i686",
        "doc-1-1.noarch",
    }


def test_details_are_for_people(mirror: RpmMirror) -> None:
    details = mirror.offer.details(mirror.offer.named("web")[0])
    assert details.summary == "A web <server> & more"
    assert {"db >= 2", "(a or b >= 3)", "/usr/bin/perl"} <= set(details.requires)
    assert {"web = 1:2.0-1.el9", "/usr/bin/web"} <= set(details.provides)
    assert details.recommends == ("doc",)
    assert details.extra["license"] == "MIT"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(name="d*"), {"db-2.5-1.x86_64", "db-2.5-1.i686", "doc-1-1.noarch"}),
        (Query(name="db", architecture="i686"), {"db-2.5-1.i686"}),
        (Query(section="Servers"), {"web-1:2.0-1.el9.x86_64"}),
        (Query(repository="other"), set()),
        (Query(provides="database"), {"db-2.5-1.x86_64"}),
        (Query(provides="database > 3"), set()),
        (Query(provides="/usr/bin/web"), {"web-1:2.0-1.el9.x86_64"}),
        (Query(requires="db"), {"web-1:2.0-1.el9.x86_64"}),
        (Query(requires="db = 1"), set()),
        (Query(requires="b"), {"web-1:2.0-1.el9.x86_64"}),
        (Query(requires="db", name="doc"), set()),
    ],
)
def test_search_answers_by_name_and_by_relation(mirror: RpmMirror, query: Query, found: set[str]) -> None:
    assert titles(mirror.offer.search(query)) == found


# --- which packages are offered


def test_a_filter_of_architectures_holds_for_metadata_of_our_own(
    template: RpmRepository, tmp_path: Path
) -> None:
    mirror = RpmMirror(tmp_path, template.root, mode="rebuilt", architectures=("x86_64",))
    assert titles(mirror.offer.packages()) == {
        "web-1:2.0-1.el9.x86_64",
        "db-2.5-1.x86_64",
        "doc-1-1.noarch",
    }


def test_metadata_of_the_upstream_keeps_all_that_it_names(template: RpmRepository, tmp_path: Path) -> None:
    mirror = RpmMirror(tmp_path, template.root, architectures=("x86_64",))
    assert len(mirror.offer.packages()) == 4


@pytest.mark.parametrize("first_is_newer", [True, False])
def test_of_two_files_of_one_package_the_one_built_last_is_taken(
    tmp_path: Path, first_is_newer: bool
) -> None:
    times = (1_700_000_000, 1_600_000_000) if first_is_newer else (1_600_000_000, 1_700_000_000)
    upstream = RpmRepository(tmp_path / "upstream").write([Rpm("twice", built=times[0]), Rpm("other")])
    second = build([Rpm("twice", built=times[1])])
    place = upstream.root / "Second" / "twice-1-1.noarch.rpm"
    place.parent.mkdir()
    place.hardlink_to(*second.values())
    upstream.index()
    mirror = RpmMirror(tmp_path, upstream.root, mode="rebuilt")
    offer = mirror.offer
    (twice,) = (package for package in offer.packages() if package.name == "twice")
    assert twice.file.path.startswith("Packages/" if first_is_newer else "Second/")
    (warning,) = offer.warnings
    assert "twice 1-1 noarch is there twice" in warning
    assert "Packages/t/twice-1-1.noarch.rpm" in warning
    assert "Second/twice-1-1.noarch.rpm" in warning


# --- other forms of the same


def test_any_other_order_and_dress_is_read_the_same(mirror: RpmMirror) -> None:
    text = text_of(mirror)
    usual = read(text)
    location = re.compile(rb'  <location href="[^"]+"/>\n')

    def turned(match: "re.Match[bytes]") -> bytes:
        """The location before the name, attributes in single quotes, a comment with a package in it."""
        place = location.search(match[0])
        assert place
        rest = location.sub(b"", match[0]).replace(b'<package type="rpm">', b"")
        rest = re.sub(rb'(epoch|ver|rel)="([^"]*)"', rb"\1='\2'", rest)
        return b'<package type="rpm"><!-- <package type="rpm"> -->\n' + place[0] + rest

    other = re.sub(rb'<package type="rpm">.*?</package>', turned, text, flags=re.DOTALL)
    assert other != text
    assert read(other) == usual


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_pieces_of_any_size_give_the_same(mirror: RpmMirror, size: int) -> None:
    text = text_of(mirror).replace(
        b"<summary>A package for tests", b"<summary><![CDATA[A <package> & ]]>more"
    )
    text = text.replace(b"</metadata>", b"<!-- <package type='rpm'></package> --></metadata>")
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    entries = list(primary.entries(pieces, "primary", "up", "."))
    assert [entry.package for entry in entries] == list(mirror.offer.packages())
    assert b"A &lt;package&gt; &amp; more" in entries[-1].text or b"A &lt;package&gt; &amp; more" in b"".join(
        entry.text for entry in entries
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace(b'href="Packages/', b'href="../Packages/'), "leads out"),
        (lambda text: text.replace(b'href="Packages/', b'href="a/../../Packages/'), "leads out"),
        (lambda text: text.replace(b'href="Packages/', b'href="/Packages/'), "not a relative path"),
        (lambda text: text.replace(b'href="Packages/', b'href="a&#10;b/'), "not a relative path"),
        (lambda text: text.replace(b'href="P', b'xml:base="http://e.test/" href="P'), "another base address"),
        (lambda text: text.replace(b'.rpm"/>', b'.xml"/>'), "its file is no .rpm"),
        (lambda text: text.replace(b"<name>web</name>", b"<name>a/b</name>"), "cannot be one"),
        (lambda text: text.replace(b"<name>web</name>", b"<name></name>"), "cannot be one"),
        (lambda text: text.replace(b'ver="2.0"', b'ver="2-0"'), "cannot be its version"),
        (lambda text: text.replace(b'epoch="1"', b'epoch="x"'), "cannot be its version"),
        (lambda text: re.sub(rb'"YES">\w{4}', b'"YES">', text), "cannot be a sha256"),
        (lambda text: text.replace(b'checksum type="sha256"', b'checksum type="crc"'), "cannot be a crc"),
        (lambda text: re.sub(rb"</package>", b"", text, count=1), "does not end as it begins"),
        (lambda text: text.replace(b'name="db"', b'name="(%s)"' % (b"(" * 5000)), "boolean relation"),
    ],
)
def test_hostile_and_broken_packages_are_refused(
    mirror: RpmMirror, change: Callable[[bytes], bytes], told: str
) -> None:
    text = change(text_of(mirror))
    with pytest.raises(BadContent, match=re.escape(told)) as caught:
        read(text)
    assert "primary of X" in caught.value.message


def test_a_refused_package_is_named(mirror: RpmMirror) -> None:
    text = text_of(mirror).replace(b'href="Packages/w', b'href="../w')
    with pytest.raises(BadContent, match=r"web \(\.\./w/web-2\.0-1\.el9\.x86_64\.rpm\)"):
        read(text)
