# SPDX-License-Identifier: GPL-3.0-or-later
"""Upstreams that are wrong, hostile, replayed or signed by strangers: a clear error, and the old mirror stays."""

import re
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from orchestrator.content.outcome import Outcome, Status
from tests.support.deb_repository import Deb
from tests.support.fault_server import always, html, status
from tests.support.mirrored import ENTRY, Kind, Mirror, deb_archive, debs, mirrored
from tests.support.openpgp import key
from tests.support.tampering import (
    change_record,
    compressed,
    deb_index,
    deb_with,
    element_of,
    read_record,
    record_path,
    rpm_copy,
    write_record,
)

INDEX = "dists/stable/main/binary-amd64/Packages"
# Larger than what is believed without an announcement.
BOMB = 80 << 20
MOST_MEMORY = 200 << 20


class Bad(NamedTuple):
    """`make` makes the upstream in a directory; `told` are parts of what must be told of it, `code` the exit code."""

    make: Callable[[Path], object]
    told: tuple[str, ...]
    code: int = 1


def outcome_of(mirror: Mirror, bad: Callable[[Path], object], **wish: bool) -> Outcome:
    """The second clone, of an upstream that has become bad."""
    bad(mirror.place / "bad")
    mirror.server.root = mirror.place / "bad"
    return mirror.clone(**wish)


def told(outcome: Outcome) -> str:
    assert outcome.error is not None, outcome.status
    return " ".join([outcome.error.message, *map(str, outcome.error.problems)])


def refused(mirror: Mirror, bad: Bad) -> None:
    before, began = mirror.snapshot(), time.monotonic()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with mirror.watched():
        outcome = outcome_of(mirror, bad.make)
    text = told(outcome)
    assert outcome.exit_code == bad.code, text
    for part in bad.told:
        assert part in text, text
    assert mirror.server.url in text, "the address"
    assert text.isprintable(), "nothing that a terminal would act on"
    assert mirror.snapshot() == before
    assert mirror.wrong() == []
    assert time.monotonic() - began < 20
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) << 10 < MOST_MEMORY
    # All is well again as soon as the upstream is.
    mirror.offer(2)
    assert mirror.clone().status is Status.PUBLISHED
    assert mirror.wrong() == []


def start(kind: Kind, place: Path, *, partial: bool) -> Iterator[Mirror]:
    with mirrored(kind, place, partial=partial) as mirror:
        mirror.offer(1)
        assert mirror.clone().status is Status.PUBLISHED
        yield mirror


@pytest.fixture(params=[False, True], ids=["full", "partial"])
def deb(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mirror]:
    yield from start("deb", tmp_path, partial=request.param)


@pytest.fixture
def full_deb(tmp_path: Path) -> Iterator[Mirror]:
    yield from start("deb", tmp_path, partial=False)


@pytest.fixture
def partial_deb(tmp_path: Path) -> Iterator[Mirror]:
    yield from start("deb", tmp_path, partial=True)


@pytest.fixture(params=[False, True], ids=["full", "partial"])
def rpm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mirror]:
    yield from start("rpm", tmp_path, partial=request.param)


@pytest.fixture
def full_rpm(tmp_path: Path) -> Iterator[Mirror]:
    yield from start("rpm", tmp_path, partial=False)


@pytest.fixture
def partial_rpm(tmp_path: Path) -> Iterator[Mirror]:
    yield from start("rpm", tmp_path, partial=True)


def each(table: dict[str, Bad]) -> "pytest.MarkDecorator":
    return pytest.mark.parametrize("bad", table.values(), ids=list(table))


# deb: lists of packages -----------------------------------------------------------------------------------


def entry(**fields: str) -> Callable[[Path], object]:
    """What the index says of `db`."""
    return lambda root: deb_with(root, fields)


def without_field(name: bytes) -> Callable[[Path], object]:
    return lambda root: deb_index(root, lambda text: re.sub(rb"(?m)^%s: .*\n" % name, b"", text))


def bomb(form: str) -> Callable[[Path], object]:
    """Nothing but blank lines, many of them; the form without compression is not listed."""

    def make(root: Path) -> None:
        made = deb_archive(root, 2)
        made.files = {f"main/binary-amd64/Packages.{form}": compressed(b"\n" * BOMB, form)}
        for name in made.files:
            made.add(name)
        made.sign()

    return make


def announced_bomb(root: Path) -> None:
    """The Release file says that it is small, when it is unpacked."""
    made = deb_archive(root, 2)
    made.files["main/binary-amd64/Packages.gz"] = compressed(b"\n" * BOMB, "gz")
    made.add("main/binary-amd64/Packages.gz")
    made.sign()


def another_unpacked(root: Path) -> None:
    made = deb_archive(root, 2)
    text = made.files["main/binary-amd64/Packages"].replace(b"Version: 2.0", b"Version: 3.0")
    made.files["main/binary-amd64/Packages.gz"] = compressed(text, "gz")
    made.add("main/binary-amd64/Packages.gz")
    made.sign()


def cut_archive(root: Path) -> None:
    """The compressed form ends in the middle, and the Release file says so."""
    made = deb_archive(root, 2)
    name = "main/binary-amd64/Packages.gz"
    made.files[name] = made.files[name][:-100]
    made.add(name)
    made.sign()


def another_than_release(root: Path) -> None:
    made = deb_archive(root, 2)
    for path in root.rglob("Packages*"):
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    for path in root.rglob("binary-amd64/by-hash/*/*"):
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert made.files


def listed(name: str) -> Callable[[Path], object]:
    """A further file in Release."""

    def make(root: Path) -> None:
        made = deb_archive(root, 2)
        made.files[name] = b"#"
        made.sign()

    return make


def weak_only(root: Path) -> None:
    deb_archive(root, 2, digests=("MD5Sum",))


DEB_INDEXES = {
    "a path that leads out": Bad(entry(Filename="../../../etc/passwd"), ("db", "../../../etc/passwd", INDEX)),
    "a path that leads out in its middle": Bad(entry(Filename="pool/../../db.deb"), ("db", "..", INDEX)),
    "an absolute path": Bad(entry(Filename="/etc/passwd"), ("db", "/etc/passwd", INDEX)),
    "a path with a backslash": Bad(entry(Filename="pool\\..\\db.deb"), ("db", INDEX)),
    "an empty path": Bad(entry(Filename=""), ("db", INDEX)),
    "the path of a directory": Bad(entry(Filename="./"), ("db", INDEX)),
    "no path": Bad(without_field(b"Filename"), ("Filename", INDEX)),
    "no size": Bad(without_field(b"Size"), ("Size", INDEX)),
    "no digest": Bad(without_field(b"SHA256"), ("SHA256", INDEX)),
    "a size that is none": Bad(entry(Size="many"), ("db", "Size", INDEX)),
    "a negative size": Bad(entry(Size="-1"), ("db", "Size", INDEX)),
    "a digest that is none": Bad(entry(SHA256="12345"), ("db", "SHA256", INDEX)),
    "a digest that leads out": Bad(entry(SHA256="../" * 21 + "x"), ("db", "SHA256", INDEX)),
    "a name that is no text": Bad(
        lambda root: deb_index(root, lambda text: text.replace(b"Package: db", b"Package: d\xe9b\x1b[2J")),
        ("db", INDEX),
    ),
    "a version that is no text": Bad(
        lambda root: deb_index(root, lambda text: text.replace(b"Version: 2.0", b"Version: 2.\x1b[2J\xff")),
        (INDEX,),
    ),
    "a list that ends in the middle": Bad(
        lambda root: deb_index(root, lambda text: text[: text.rindex(b"Filename")]), ("Filename", INDEX)
    ),
    "two contents of one path": Bad(
        entry(Filename=debs(2)[0].path), (debs(2)[0].path, "another", INDEX)
    ),
    "another list than Release says": Bad(another_than_release, ("Packages", "Release")),
    "another list, unpacked, than Release says": Bad(another_unpacked, (INDEX, "unpacked")),
    "a compressed list that ends in the middle": Bad(cut_archive, (INDEX, "decompressed")),
    "a bomb that is said to be small": Bad(announced_bomb, (INDEX, "larger")),
    "a bomb of gzip": Bad(bomb("gz"), (INDEX, "larger")),
    "a bomb of xz": Bad(bomb("xz"), (INDEX, "larger")),
    "a bomb of zstd": Bad(bomb("zst"), (INDEX, "larger")),
    "only weak digests": Bad(weak_only, ("MD5", INDEX)),
}


@each(DEB_INDEXES)
def test_a_deb_index_that_is_wrong_is_refused(deb: Mirror, bad: Bad) -> None:
    refused(deb, bad)


DEB_PLACES = {
    "the place of the entry file": entry(Filename="dists/stable/InRelease"),
    "the place of an index": entry(Filename=f"{INDEX}.gz"),
    "the place of the key": entry(Filename="KEY.asc"),
    "the place of another package's directory": entry(Filename="pool/main/w/web"),
    "a place below another package": entry(Filename=f"{debs(2)[0].path}/db.deb"),
    "a name that no file system takes": entry(Filename=f"pool/{'x' * 300}.deb"),
}


@pytest.mark.parametrize("make", DEB_PLACES.values(), ids=list(DEB_PLACES))
def test_a_deb_package_at_an_impossible_place_is_no_package_of_the_mirror(
    deb: Mirror, make: Callable[[Path], object]
) -> None:
    before = deb.snapshot()

    def place(root: Path) -> None:
        make(root)
        stanza = re.search(rb"(?s)Package: db\n.*?\n\n", (root / INDEX).read_bytes() if (root / INDEX).exists() else b"")
        assert stanza is None

    def served(root: Path) -> None:
        """And the server has it there."""
        made = make(root)
        text = made.files["main/binary-amd64/Packages"]  # type: ignore[attr-defined]
        name = re.findall(rb"(?m)^Package: db\n(?:.+\n)*?Filename: (.*)\n", text)[0].decode()
        data = (root / debs(2)[1].path).read_bytes()
        deb.server.faults[f"/{name}"] = always(status(200, {}, data))

    with deb.watched():
        outcome = outcome_of(deb, served)
    deb.server.faults.clear()
    assert outcome.status is Status.FAILED, outcome.lost
    assert outcome.exit_code == 1
    assert deb.snapshot() == before
    assert deb.wrong() == []
    deb.offer(2)
    assert deb.clone().status is Status.PUBLISHED
    assert deb.wrong() == []


def test_a_size_beyond_all_disks_is_refused_before_anything_is_downloaded(deb: Mirror) -> None:
    outcome = outcome_of(deb, entry(Size="9" * 20))
    assert outcome.exit_code == 4
    assert "free at the destination" in told(outcome)
    assert deb.server.count(f"/{debs(2)[1].path}") == 0


def test_texts_that_are_not_utf8_do_not_matter_where_they_are_only_read(deb: Mirror) -> None:
    def latin1(root: Path) -> None:
        deb_index(root, lambda text: text.replace(b"Description: A package", b"Description: Ein P\xe4ckchen"))

    outcome = outcome_of(deb, latin1)
    assert outcome.status is Status.PUBLISHED, outcome.error
    assert deb.wrong() == []


def test_an_entry_that_is_repeated_word_for_word_is_one_package(deb: Mirror) -> None:
    outcome = outcome_of(deb, lambda root: deb_index(root, lambda text: text + text))
    assert outcome.status is Status.PUBLISHED, outcome.error
    assert deb.wrong() == []


# deb: the entry file ----------------------------------------------------------------------------------------


def unsigned(root: Path) -> None:
    made = deb_archive(root, 2)
    made.path("InRelease").write_bytes(made.path("Release").read_bytes())


def no_signature(root: Path) -> None:
    made = deb_archive(root, 2, inrelease=False)
    made.path("Release.gpg").unlink()


def tampered(root: Path) -> None:
    place = deb_archive(root, 2).path("InRelease")
    place.write_bytes(place.read_bytes().replace(b"Origin: Test", b"Origin: Best"))


def prefixed(root: Path) -> None:
    """Text before what is signed: many a reader takes it for signed."""
    place = deb_archive(root, 2).path("InRelease")
    place.write_bytes(b"Origin: Evil\nSuite: stable\n\n" + place.read_bytes())


def disagreeing(root: Path) -> None:
    made, other = deb_archive(root, 2), deb_archive(root.with_name("other"), 3)
    for name in ("Release", "Release.gpg"):
        made.path(name).write_bytes(other.path(name).read_bytes())


def mismatched(root: Path) -> None:
    """Release.gpg is of another Release."""
    made, other = deb_archive(root, 2, inrelease=False), deb_archive(root.with_name("other"), 3, inrelease=False)
    made.path("Release.gpg").write_bytes(other.path("Release.gpg").read_bytes())


def with_fields(**fields: str) -> Callable[[Path], object]:
    return lambda root: deb_archive(root, 2, fields={name.replace("_", "-"): value for name, value in fields.items()})


DEB_ENTRIES = {
    "it is not signed": Bad(unsigned, ("InRelease", "sign")),
    "there is no signature": Bad(no_signature, ("Release", "not signed")),
    "it was tampered with": Bad(tampered, ("InRelease", "signature")),
    "it has text before what is signed": Bad(prefixed, ("InRelease",)),
    "a stranger signed it": Bad(lambda root: deb_archive(root, 2, key=key("stranger")), ("InRelease", "key")),
    "an expired key signed it": Bad(
        lambda root: deb_archive(root, 2, key=key("old", "expired"), inrelease=False), ("Release",)
    ) if False else Bad(lambda root: deb_archive(root, 2, key=key("stranger"), inrelease=False), ("Release", "key")),
    "the signature is of another file": Bad(mismatched, ("Release", "signature")),
    "InRelease and Release disagree": Bad(disagreeing, ("InRelease", "Release and", "disagree")),
    "it has expired": Bad(lambda root: deb_archive(root, 2, valid_for=3600), ("InRelease", "expired"), 4),
    "it is older than what is held": Bad(lambda root: deb_archive(root, 0), ("InRelease", "older"), 4),
    "its date is none": Bad(with_fields(Date="soon"), ("InRelease", "soon")),
    "it says when it expires, but not in words of this world": Bad(
        with_fields(Valid_Until="never"), ("InRelease", "never")
    ),
    "it lists a file outside": Bad(listed("main/binary-amd64/../../../../../Packages"), ()),
    "it lists other components": Bad(
        lambda root: deb_archive(root, 2, repository="stable contrib"), ("main", "InRelease")
    ),
}
HARMLESS = ("it lists a file outside",)


@each({name: bad for name, bad in DEB_ENTRIES.items() if name not in HARMLESS})
def test_a_deb_entry_file_that_is_wrong_is_refused(full_deb: Mirror, bad: Bad) -> None:
    refused(full_deb, bad)


def test_a_release_file_that_lists_what_is_outside_brings_nothing_in_from_there(full_deb: Mirror) -> None:
    outcome = outcome_of(full_deb, listed("main/binary-amd64/../../../../../../Packages"))
    assert outcome.status is Status.PUBLISHED, outcome.error
    assert not [asked.path for asked in full_deb.server.asked if ".." in asked.path]


def test_stale_metadata_is_taken_when_somebody_says_so(full_deb: Mirror) -> None:
    outcome = outcome_of(full_deb, lambda root: deb_archive(root, 0, valid_for=3600), allow_stale=True)
    assert outcome.status is Status.PUBLISHED, outcome.error
    assert full_deb.generation == 2


def test_a_held_entry_file_that_has_expired_meanwhile_is_refused(tmp_path: Path) -> None:
    with mirrored("deb", tmp_path) as mirror:
        soon = time.time() - mirror_date(1) + 2
        deb_archive(tmp_path / "soon", 1, valid_for=soon)
        mirror.server.root = tmp_path / "soon"
        assert mirror.clone().status is Status.PUBLISHED
        time.sleep(2.5)
        outcome = mirror.clone()
        assert outcome.exit_code == 4
        assert "expired" in told(outcome)
        assert mirror.generation == 1


def mirror_date(version: int) -> float:
    return 1_700_000_000 + version * 86400


@pytest.mark.parametrize("kind", ["deb", "rpm"])
def test_a_login_page_for_everything_is_refused(kind: Kind, tmp_path: Path) -> None:
    for mirror in start(kind, tmp_path, partial=False):
        mirror.server.faults["*"] = always(html())
        outcome = mirror.clone()
        assert outcome.exit_code == 1
        assert mirror.server.url + ENTRY[kind] in told(outcome)
        assert mirror.wrong() == []


# rpm --------------------------------------------------------------------------------------------------------


def primary(old: bytes, new: bytes) -> Callable[[Path], object]:
    """Primary with this instead of that."""
    return lambda root: change_record(rpm_copy(root), "primary", old, new)


def of_db(pattern: bytes, new: bytes) -> Callable[[Path], object]:
    """Primary, where it says this of `db`."""

    def make(root: Path) -> None:
        made = rpm_copy(root)
        element = element_of(made, "db")
        changed, count = re.subn(pattern, lambda _: new, element)
        assert count == 1
        change_record(made, "primary", element, changed)

    return make


def repomd(old: bytes, new: bytes) -> Callable[[Path], object]:
    """repomd.xml, by a pattern."""

    def make(root: Path) -> None:
        made = rpm_copy(root)
        text, count = re.subn(old, lambda _: new, made.repomd.read_bytes(), count=1)
        assert count
        made.repomd.write_bytes(text)
        made.sign()

    return make


def record(kind: str, data: bytes, form: str = "gz") -> Callable[[Path], object]:
    return lambda root: write_record(rpm_copy(root), kind, data, form)


def cut_primary(root: Path) -> None:
    made = rpm_copy(root)
    write_record(made, "primary", read_record(made, "primary")[:-300])


def cut_gzip(root: Path) -> None:
    made = rpm_copy(root)
    place = record_path(made, "primary")
    write_record(made, "primary", place.read_bytes()[:-50], "")
    text = made.repomd.read_bytes()
    written = record_path(made, "primary")
    written.rename(f"{written}.gz")
    made.repomd.write_bytes(text.replace(written.name.encode(), f"{written.name}.gz".encode()))
    made.sign()


def small_bomb(form: str) -> Callable[[Path], object]:
    """A bomb of which repomd.xml says that it is small."""
    return lambda root: write_record(rpm_copy(root), "primary", b"\n" * BOMB, form, open_size=10_000)


def silent_bomb(form: str) -> Callable[[Path], object]:
    """A bomb of which repomd.xml says nothing."""

    def make(root: Path) -> None:
        made = rpm_copy(root)
        write_record(made, "primary", b"\n" * BOMB, form)
        text = made.repomd.read_bytes()
        text = re.sub(rb"\s*<open-(size|checksum).*?</open-\1>", b"", text)
        made.repomd.write_bytes(text)
        made.sign()

    return make


def laughs(tag: bytes) -> bytes:
    """A billion of them."""
    entities = b"".join(
        b'<!ENTITY l%d "%s">' % (n + 1, b"&l%d;" % n * 10) for n in range(9)
    )
    return b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">%s]><%s>&l9;</%s>' % (entities, tag, tag)


def two_of_one_place(root: Path) -> None:
    made = rpm_copy(root)
    element = element_of(made, "db")
    other = re.sub(rb'(<checksum[^>]*>)[0-9a-f]{8}', rb"\g<1>00000000", element)
    data = read_record(made, "primary").replace(element, element + other).replace(b'packages="4"', b'packages="5"')
    write_record(made, "primary", data)


def unsigned_rpm(root: Path) -> None:
    Path(f"{rpm_copy(root).repomd}.asc").unlink()


def strange_rpm(root: Path) -> None:
    made = rpm_copy(root)
    replace(made, key=key("stranger")).sign()


def tampered_rpm(root: Path) -> None:
    made = rpm_copy(root)
    made.repomd.write_bytes(made.repomd.read_bytes().replace(b"</repomd>", b"<!-- --></repomd>"))


def garbled_signature(root: Path) -> None:
    Path(f"{rpm_copy(root).repomd}.asc").write_bytes(b"-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END")


def older(root: Path) -> None:
    made = rpm_copy(root)
    text = re.sub(rb"<(timestamp|revision)>\d+<", rb"<\1>1600000000<", made.repomd.read_bytes())
    made.repomd.write_bytes(text)
    made.sign()


LOCATION = rb'<location href="[^"]*"/>'
RPM_INDEXES = {
    "a path that leads out": Bad(of_db(LOCATION, b'<location href="../../x.rpm"/>'), ("db", "../../x.rpm", "primary")),
    "an absolute path": Bad(of_db(LOCATION, b'<location href="/etc/x.rpm"/>'), ("db", "/etc/x.rpm", "primary")),
    "a path that is hidden in a character reference": Bad(
        of_db(LOCATION, b'<location href="&#46;&#46;/&#46;&#46;/x.rpm"/>'), ("db", "primary")
    ),
    "another base": Bad(
        of_db(LOCATION, b'<location xml:base="http://127.0.0.1:1/" href="db.rpm"/>'), ("db", "base", "primary")
    ),
    "no path": Bad(of_db(LOCATION, b""), ("db", "primary")),
    "a path that is no package's": Bad(
        of_db(LOCATION, b'<location href="repodata/repomd.xml"/>'), ("db", "repodata/repomd.xml", "primary")
    ),
    "a name that cannot be one": Bad(of_db(b"<name>db</name>", b"<name>../db</name>"), ("../db", "primary")),
    "a version that cannot be one": Bad(of_db(b'ver="2"', b'ver="2/../.."'), ("db", "primary")) if False else
    Bad(of_db(b'ver="2"', b'ver=""'), ("db", "version", "primary")),
    "a size that is none": Bad(of_db(rb'<size package="\d+"', b'<size package="-1"'), ("db", "size", "primary")),
    "a digest that is none": Bad(
        of_db(rb'(?<=pkgid="YES">)[0-9a-f]+', b"../../../etc/passwd"), ("db", "digest", "primary")
    ),
    "a digest of an unknown kind": Bad(of_db(b'checksum type="sha256"', b'checksum type="crc32"'), ("db", "primary")),
    "two contents of one path": Bad(two_of_one_place, ("db", "both")),
    "a list that says it has more": Bad(primary(b'packages="4"', b'packages="400"'), ("400", "primary")),
    "bytes that are not UTF-8": Bad(primary(b"A package for tests", b"Ein P\xe4ckchen"), ("UTF-8", "primary")),
    "a list that ends in the middle": Bad(cut_primary, ("well-formed", "primary")),
    "a compressed list that ends in the middle": Bad(cut_gzip, ("decompressed", "primary")),
    "a list that is a login page": Bad(record("primary", b"<html><body>log in</body></html>"), ("primary", "html")),
    "a list that is empty": Bad(record("primary", b""), ("primary",)),
    "a billion laughs": Bad(record("primary", laughs(b"metadata")), ("primary", "entities")),
    "an instruction to the parser": Bad(
        primary(b"<metadata", b'<?xml-stylesheet href="x"?><metadata'), ("primary", "instructions")
    ),
    "a bomb of gzip that is said to be small": Bad(small_bomb("gz"), ("larger", "primary")),
    "a bomb of xz that is said to be small": Bad(small_bomb("xz"), ("larger", "primary")),
    "a bomb of zstd that is said to be small": Bad(small_bomb("zst"), ("larger", "primary")),
    "a bomb of gzip": Bad(silent_bomb("gz"), ("larger", "primary")),
    "a bomb of xz": Bad(silent_bomb("xz"), ("larger", "primary")),
    "a bomb of zstd": Bad(silent_bomb("zst"), ("larger", "primary")),
}


@each(RPM_INDEXES)
def test_an_rpm_list_that_is_wrong_is_refused(rpm: Mirror, bad: Bad) -> None:
    refused(rpm, bad)


RPM_ENTRIES = {
    "there is no signature": Bad(unsigned_rpm, ("repomd.xml", "not signed")),
    "a stranger signed it": Bad(strange_rpm, ("repomd.xml", "key")),
    "it was tampered with": Bad(tampered_rpm, ("repomd.xml", "signature")),
    "its signature is none": Bad(garbled_signature, ("repomd.xml", "signature")),
    "it is older than what is held": Bad(older, ("repomd.xml", "older"), 4),
    "it names a file outside": Bad(
        repomd(rb'href="repodata/[^"]*primary[^"]*"', b'href="../../primary.xml.gz"'), ("repomd.xml", "primary")
    ),
    "it names an absolute path": Bad(
        repomd(rb'href="repodata/[^"]*primary[^"]*"', b'href="/etc/passwd"'), ("repomd.xml", "/etc/passwd")
    ),
    "it names itself": Bad(
        repomd(rb'href="repodata/[^"]*primary[^"]*"', b'href="repodata/repomd.xml"'), ("repomd.xml", "primary")
    ),
    "it names another base": Bad(
        repomd(rb"<location href", b'<location xml:base="http://127.0.0.1:1/" href'), ("repomd.xml", "base")
    ),
    "it names no primary": Bad(repomd(b'type="primary"', b'type="secondary"'), ("repomd.xml", "primary")),
    "it names primary twice": Bad(repomd(b'type="other"', b'type="primary"'), ("repomd.xml", "twice")),
    "it gives no digest": Bad(repomd(rb"(?s)<checksum.*?</checksum>", b""), ("repomd.xml", "digest")),
    "it gives a digest of an unknown kind": Bad(
        repomd(rb'<checksum type="sha256"', b'<checksum type="rot13"'), ("repomd.xml", "rot13")
    ),
    "another digest of what is unpacked": Bad(
        repomd(rb'(?<=<open-checksum type="sha256">)[0-9a-f]{8}', b"00000000"), ()
    ),
    "another size": Bad(repomd(rb"(?<=    <size>)\d+", b"77"), ("repodata/",)),
    "a billion laughs": Bad(
        lambda root: (rpm_copy(root).repomd.write_bytes(laughs(b"repomd")), rpm_copy_sign(root)),
        ("repomd.xml", "entities"),
    ),
    "a hundred thousand elements in each other": Bad(
        lambda root: (rpm_copy(root).repomd.write_bytes(b"<a>" * 100_000 + b"</a>" * 100_000), rpm_copy_sign(root)),
        ("repomd.xml",),
    ),
}


def rpm_copy_sign(root: Path) -> None:
    from tests.support.rpm_repository import RpmRepository

    RpmRepository(root / "os", key=key()).sign()


@each(RPM_ENTRIES)
def test_an_rpm_entry_file_that_is_wrong_is_refused(full_rpm: Mirror, bad: Bad) -> None:
    refused(full_rpm, bad)


RPM_LISTS = {
    "groups that laugh": Bad(record("group", laughs(b"comps"), ""), ("group", "entities")),
    "groups that are none": Bad(record("group", b"<comps><group>", ""), ("group", "well-formed")),
    "advisories that end in the middle": Bad(record("updateinfo", b'<updates><update type="x">'), ("updateinfo",)),
    "modules that are no YAML": Bad(record("modules", b"---\n\tx: [\n"), ("modules", "YAML")),
    "modules that are not UTF-8": Bad(record("modules", b"---\n\xff\n"), ("modules", "UTF-8")),
    "files of packages that end in the middle": Bad(
        record("filelists", b'<filelists packages="1"><package pkgid="'), ("filelists",)
    ),
    "changes of packages that laugh": Bad(record("other", laughs(b"otherdata")), ("other", "entities")),
}


@each(RPM_LISTS)
def test_rpm_lists_beside_that_are_wrong_are_refused_where_they_are_written_anew(
    partial_rpm: Mirror, bad: Bad
) -> None:
    refused(partial_rpm, bad)


YAML_LAUGHS = b"---\ndocument: modulemd\nversion: 2\na0: &a0 [lol]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 9)
)


@pytest.mark.parametrize("place", ["name", "stream", "document", "requires"])
def test_modules_that_laugh_are_no_danger(partial_rpm: Mirror, place: str) -> None:
    data = {
        "name": b"data: {name: *a8, stream: x}\n",
        "stream": b"data: {name: x, stream: *a8}\n",
        "document": b"kind: *a8\ndata: {name: x, stream: x}\n",
        "requires": b"data: {name: x, stream: x, dependencies: [{requires: {y: [*a8]}}]}\n",
    }[place]
    began = time.monotonic()
    outcome = outcome_of(partial_rpm, record("modules", YAML_LAUGHS + data))
    assert time.monotonic() - began < 10
    assert outcome.exit_code in (0, 1)
    assert partial_rpm.wrong() == []


def test_packages_of_one_name_and_version_are_told_and_one_is_kept(rpm: Mirror) -> None:
    def double(root: Path) -> None:
        made = rpm_copy(root)
        element = element_of(made, "db")
        other = re.sub(rb'href="[^"]*"', b'href="Packages/other/db.rpm"', element)
        (made.root / "Packages/other").mkdir()
        (made.root / "Packages/other/db.rpm").write_bytes((made.root / "Packages/d/db-2-1.noarch.rpm").read_bytes())
        data = read_record(made, "primary").replace(element, element + other)
        write_record(made, "primary", data.replace(b'packages="4"', b'packages="5"'))

    outcome = outcome_of(rpm, double)
    assert outcome.status is Status.PUBLISHED, outcome.error
    wrong = [line for line in rpm.wrong() if "does not list the packages of primary" not in line]
    assert wrong == []
    assert "db" in rpm.packages()


@pytest.mark.parametrize("kind", ["deb", "rpm"])
@pytest.mark.parametrize("partial", [False, True])
def test_a_package_of_another_size_or_digest_than_said_is_lost(kind: Kind, partial: bool, tmp_path: Path) -> None:
    wrong = {
        "deb": [entry(Size="5"), entry(SHA256="0" * 64)],
        "rpm": [of_db(rb'<size package="\d+"', b'<size package="5"'), of_db(rb"(?<=YES\">)[0-9a-f]{8}", b"00000000")],
    }[kind]
    for number, make in enumerate(wrong):
        for mirror in start(kind, tmp_path / str(number), partial=partial):
            outcome = outcome_of(mirror, make)
            assert outcome.exit_code == (3 if partial else 1), outcome.error
            assert mirror.wrong() == []
            if partial:
                assert mirror.packages() == {"other"}
            else:
                assert mirror.generation == 1


def test_the_made_up_package_is_a_package() -> None:
    """What the tables above rely on."""
    assert [deb.name for deb in debs(2)][:2] == ["web", "db"]
    assert isinstance(debs(2)[1], Deb)
