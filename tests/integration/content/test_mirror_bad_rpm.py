# SPDX-License-Identifier: GPL-3.0-or-later
"""rpm upstreams that are wrong, hostile, replayed or signed by strangers: a clear error, and the old mirror stays."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.content.outcome import Status
from tests.support.mirrored import Mirror
from tests.support.openpgp import key
from tests.support.refusals import Bad, each, outcome_of, refused, start
from tests.support.tampering import (
    BOMB,
    change_record,
    element_of,
    read_record,
    record_path,
    rpm_copy,
    write_record,
)


@pytest.fixture(params=[False, True], ids=["full", "partial"])
def rpm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mirror]:
    yield from start("rpm", tmp_path, partial=request.param)


@pytest.fixture
def full_rpm(tmp_path: Path) -> Iterator[Mirror]:
    yield from start("rpm", tmp_path, partial=False)


@pytest.fixture
def partial_rpm(tmp_path: Path) -> Iterator[Mirror]:
    yield from start("rpm", tmp_path, partial=True)


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
    entities = b"".join(b'<!ENTITY l%d "%s">' % (n + 1, b"&l%d;" % n * 10) for n in range(9))
    return b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">%s]><%s>&l9;</%s>' % (entities, tag, tag)


def two_of_one_place(root: Path) -> None:
    made = rpm_copy(root)
    element = element_of(made, "db")
    other = re.sub(rb"(<checksum[^>]*>)[0-9a-f]{8}", rb"\g<1>00000000", element)
    data = (
        read_record(made, "primary")
        .replace(element, element + other)
        .replace(b'packages="4"', b'packages="5"')
    )
    write_record(made, "primary", data)


def whole_repomd(root: Path, data: bytes) -> None:
    made = rpm_copy(root)
    made.repomd.write_bytes(data)
    made.sign()


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
    "a path that leads out": Bad(
        of_db(LOCATION, b'<location href="../../x.rpm"/>'), ("db", "../../x.rpm", "primary")
    ),
    "an absolute path": Bad(
        of_db(LOCATION, b'<location href="/etc/x.rpm"/>'), ("db", "/etc/x.rpm", "primary")
    ),
    "a path that is hidden in a character reference": Bad(
        of_db(LOCATION, b'<location href="&#46;&#46;/&#46;&#46;/x.rpm"/>'), ("db", "primary")
    ),
    "another base": Bad(
        of_db(LOCATION, b'<location xml:base="http://127.0.0.1:1/" href="db.rpm"/>'),
        ("db", "base", "primary"),
    ),
    "no path": Bad(of_db(LOCATION, b""), ("db", "primary")),
    "a path that is no package's": Bad(
        of_db(LOCATION, b'<location href="repodata/repomd.xml"/>'), ("db", "repodata/repomd.xml", "primary")
    ),
    "a name that cannot be one": Bad(of_db(b"<name>db</name>", b"<name>../db</name>"), ("../db", "primary")),
    "a version that cannot be one": Bad(
        of_db(b'<version epoch="0" ver="2"', b'<version epoch="0" ver=""'), ("db", "version", "primary")
    ),
    "a size that is none": Bad(
        of_db(rb'<size package="\d+"', b'<size package="-1"'), ("db", "size", "primary")
    ),
    "a digest that is none": Bad(
        of_db(rb'(?<=pkgid="YES">)[0-9a-f]+', b"../../../etc/passwd"), ("db", "digest", "primary")
    ),
    "a digest of an unknown kind": Bad(
        of_db(b'checksum type="sha256"', b'checksum type="crc32"'), ("db", "primary")
    ),
    "a list that says it has more": Bad(primary(b'packages="4"', b'packages="400"'), ("400", "primary")),
    "bytes that are not UTF-8": Bad(
        primary(b"A package for tests", b"Ein P\xe4ckchen"), ("UTF-8", "primary")
    ),
    "a list that ends in the middle": Bad(cut_primary, ("well-formed", "primary")),
    "a compressed list that ends in the middle": Bad(cut_gzip, ("decompressed", "primary")),
    "a list that is a login page": Bad(
        record("primary", b"<html><body>log in</body></html>"), ("primary", "html")
    ),
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
def test_an_rpm_list_that_is_wrong_is_refused(partial_rpm: Mirror, bad: Bad) -> None:
    refused(partial_rpm, bad)


RPM_ENTRIES = {
    "there is no signature": Bad(unsigned_rpm, ("repomd.xml", "not signed")),
    "a stranger signed it": Bad(strange_rpm, ("repomd.xml", "key")),
    "it was tampered with": Bad(tampered_rpm, ("repomd.xml", "signature")),
    "its signature is none": Bad(garbled_signature, ("repomd.xml", "signature")),
    "it is older than what is held": Bad(older, ("repomd.xml", "older"), 4),
    "it names a file outside": Bad(
        repomd(rb'href="repodata/[^"]*primary[^"]*"', b'href="../../primary.xml.gz"'),
        ("repomd.xml", "primary"),
    ),
    "it names an absolute path": Bad(
        repomd(rb'href="repodata/[^"]*primary[^"]*"', b'href="/etc/passwd"'), ("repomd.xml", "/etc/passwd")
    ),
    "it names itself": Bad(
        repomd(rb'href="repodata/[^"]*primary[^"]*"', b'href="repodata/repomd.xml"'),
        ("repomd.xml", "primary"),
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
    "it gives another digest of what is unpacked": Bad(
        repomd(rb'(?<=<open-checksum type="sha256">)[0-9a-f]{8}', b"00000000"), ("repodata/",)
    ),
    "two packages are said to be at one place": Bad(two_of_one_place, ("db", "both")),
    "another size": Bad(repomd(rb"(?<=    <size>)\d+", b"77"), ("repodata/",)),
    "a billion laughs": Bad(
        lambda root: whole_repomd(root, laughs(b"repomd")),
        ("repomd.xml", "entities"),
    ),
    "a hundred thousand elements in each other": Bad(
        lambda root: whole_repomd(root, b"<a>" * 100_000 + b"</a>" * 100_000),
        ("repomd.xml",),
    ),
}


@each(RPM_ENTRIES)
def test_an_rpm_entry_file_that_is_wrong_is_refused(full_rpm: Mirror, bad: Bad) -> None:
    refused(full_rpm, bad)


RPM_LISTS = {
    "groups that laugh": Bad(record("group", laughs(b"comps"), ""), ("group", "entities")),
    "groups that are none": Bad(record("group", b"<comps><group>", ""), ("group", "well-formed")),
    "advisories that end in the middle": Bad(
        record("updateinfo", b'<updates><update type="x">'), ("updateinfo",)
    ),
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
        (made.root / "Packages/other/db.rpm").write_bytes(
            (made.root / "Packages/d/db-2-1.noarch.rpm").read_bytes()
        )
        data = read_record(made, "primary").replace(element, element + other)
        write_record(made, "primary", data.replace(b'packages="4"', b'packages="5"'))

    outcome = outcome_of(rpm, double)
    assert outcome.status is Status.PUBLISHED, outcome.error
    wrong = [line for line in rpm.wrong() if "does not list the packages of primary" not in line]
    assert wrong == []
    assert "db" in rpm.packages()
