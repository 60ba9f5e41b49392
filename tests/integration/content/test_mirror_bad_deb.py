# SPDX-License-Identifier: GPL-3.0-or-later
"""deb upstreams that are wrong, hostile, replayed or signed by strangers: a clear error, and the old mirror stays."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.content.outcome import Status
from tests.support.fault_server import always, status
from tests.support.mirrored import Mirror, deb_archive, debs, mirrored
from tests.support.openpgp import key
from tests.support.refusals import Bad, each, outcome_of, refused, start, told
from tests.support.tampering import BOMB, compressed, deb_index, deb_with

INDEX = "dists/stable/main/binary-amd64/Packages"


@pytest.fixture(params=[False, True], ids=["full", "partial"])
def deb(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mirror]:
    yield from start("deb", tmp_path, partial=request.param)


@pytest.fixture
def full_deb(tmp_path: Path) -> Iterator[Mirror]:
    yield from start("deb", tmp_path, partial=False)


# deb: lists of packages -----------------------------------------------------------------------------------


@pytest.fixture
def partial_deb(tmp_path: Path) -> Iterator[Mirror]:
    yield from start("deb", tmp_path, partial=True)


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
    "a version that is no text": Bad(
        lambda root: deb_index(root, lambda text: text.replace(b"Version: 2.0", b"Version: 2.\x1b[2J\xff")),
        (INDEX,),
    ),
    "a list that ends in the middle": Bad(
        lambda root: deb_index(root, lambda text: text[: text.index(b"Filename")]), ("Filename", INDEX)
    ),
    "two contents of one path": Bad(entry(Filename=debs(2)[0].path), (debs(2)[0].path, INDEX)),
    "another list than Release says": Bad(another_than_release, ("Packages", "Release")),
    "another list, unpacked, than Release says": Bad(another_unpacked, (INDEX, "unpacked")),
    "a compressed list that ends in the middle": Bad(cut_archive, (INDEX, "decompressed")),
    "only weak digests": Bad(weak_only, ("MD5", INDEX)),
}


DEB_BOMBS = {
    "a bomb that is said to be small": Bad(announced_bomb, (INDEX, "larger")),
    "a bomb of gzip": Bad(bomb("gz"), (INDEX, "larger")),
    "a bomb of xz": Bad(bomb("xz"), (INDEX, "larger")),
    "a bomb of zstd": Bad(bomb("zst"), (INDEX, "larger")),
}


@each(DEB_BOMBS)
def test_a_bomb_for_a_deb_index_is_refused(partial_deb: Mirror, bad: Bad) -> None:
    refused(partial_deb, bad)


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


def test_a_name_that_is_no_text_is_refused(full_deb: Mirror) -> None:
    def garbled(root: Path) -> None:
        deb_index(root, lambda text: text.replace(b"Package: db", b"Package: db\xe9\x1b[2J"))

    refused(full_deb, Bad(garbled, ("db", "printable", INDEX)))


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
    made, other = (
        deb_archive(root, 2, inrelease=False),
        deb_archive(root.with_name("other"), 3, inrelease=False),
    )
    made.path("Release.gpg").write_bytes(other.path("Release.gpg").read_bytes())


def with_fields(**fields: str) -> Callable[[Path], object]:
    return lambda root: deb_archive(
        root, 2, fields={name.replace("_", "-"): value for name, value in fields.items()}
    )


DEB_ENTRIES = {
    "it is not signed": Bad(unsigned, ("InRelease", "sign")),
    "there is no signature": Bad(no_signature, ("Release", "not signed")),
    "it was tampered with": Bad(tampered, ("InRelease", "signature")),
    "it has text before what is signed": Bad(prefixed, ("InRelease",)),
    "a stranger signed it": Bad(lambda root: deb_archive(root, 2, key=key("stranger")), ("InRelease", "key")),
    "a stranger signed the one beside it": Bad(
        lambda root: deb_archive(root, 2, key=key("stranger"), inrelease=False), ("Release", "key")
    ),
    "the signature is of another file": Bad(mismatched, ("Release", "signature")),
    "InRelease and Release disagree": Bad(disagreeing, ("InRelease", "Release and", "disagree")),
    "it has expired": Bad(lambda root: deb_archive(root, 2, valid_for=3600), ("InRelease", "expired"), 4),
    "it is older than what is held": Bad(lambda root: deb_archive(root, 0), ("InRelease", "older"), 4),
    "its date is none": Bad(with_fields(Date="soon"), ("InRelease", "soon")),
    "it says when it expires, but not in words of this world": Bad(
        with_fields(Valid_Until="never"), ("InRelease", "never")
    ),
    "it lists other components": Bad(
        lambda root: deb_archive(root, 2, repository="stable contrib"), ("main", "InRelease")
    ),
}


@each(DEB_ENTRIES)
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
