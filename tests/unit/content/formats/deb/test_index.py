# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages indexes as they come, broken and hostile ones too."""

import lzma
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.content.formats.deb.control import fields, stanzas
from orchestrator.content.formats.deb.index import Origin, PackagesIndex
from orchestrator.content.formats.deb.plain import read_plain
from orchestrator.content.model import Digest, FileRef, Package, StoredFile
from orchestrator.content.pool import Pool
from orchestrator.errors import BadContent

ORIGIN = Origin(
    "debian", "stable main", "dists/stable/main/binary-amd64/Packages", "http://upstream.test/P.xz"
)


def stanza(name: str = "web", **changed: str | None) -> str:
    told: dict[str, str | None] = {
        "Package": name,
        "Version": "1.0",
        "Architecture": "amd64",
        "Filename": f"pool/{name}.deb",
        "Size": "100",
        "SHA256": "a" * 64,
    }
    for key, value in changed.items():
        told[key.replace("_", "-")] = value
    return "".join(f"{key}: {value}\n" for key, value in told.items() if value is not None)


def index(*texts: str | bytes, weak: bool = False) -> PackagesIndex:
    joined = b"\n".join(text if isinstance(text, bytes) else text.encode() for text in texts)
    return PackagesIndex(joined, replace(ORIGIN, weak=weak))


def test_a_package_is_read_with_all_that_the_model_wants() -> None:
    text = stanza(Source="web-source (1.0-1)", Section="contrib/net", Version="1:2.0-1")
    (package,) = index(text).packages()
    assert package == Package(
        "web",
        "1:2.0-1",
        "amd64",
        FileRef("pool/web.deb", 100, Digest("sha256", "a" * 64)),
        "debian",
        "stable main",
        ORIGIN.path,
        "contrib/net",
        "web-source",
    )


def test_packages_are_found_by_name_wherever_they_stand() -> None:
    found = index(stanza("first"), stanza("web"), stanza("web", Version="2.0"), stanza("last"))
    assert [package.version for package in found.named("web")] == ["1.0", "2.0"]
    assert [package.name for package in found.packages()] == ["first", "web", "web", "last"]
    assert found.named("first")[0].name == "first"
    assert found.named("last")[0].name == "last"
    assert found.named("we") == []
    assert found.named("naïve") == []


def test_fields_before_the_name_belong_to_the_stanza() -> None:
    text = "Priority: optional\nProvides: www\n" + stanza("web") + "Description: x\n"
    found = index(stanza("first"), text, stanza("last"))
    (package,) = found.named("web")
    assert found.fields(package)["Priority"] == "optional"
    assert found.providing("www") == [(package, "")]


def test_provides_are_found_with_their_versions() -> None:
    found = index(
        stanza("a", Provides="www, httpd (= 2.0) ,\n folded"), stanza("b", Provides="httpd(=1.0), www:any")
    )
    assert [(package.name, version) for package, version in found.providing("httpd")] == [
        ("a", "2.0"),
        ("b", "1.0"),
    ]
    assert [package.name for package, _ in found.providing("www")] == ["a", "b"]
    assert [package.name for package, _ in found.providing("folded")] == ["a"]
    assert found.providing("a") == []


def test_stanzas_are_copied_byte_for_byte() -> None:
    text = stanza("web") + "Description: naïve\n .\n more\n"
    found = index(stanza("first"), text, stanza("last"))
    assert found.stanza(found.named("web")[0]) + b"\n" == text.encode()
    with pytest.raises(KeyError):
        found.stanza(found.named("web")[0]._replace(version="7"))


@pytest.mark.parametrize("separator", ["\n", "\n\n", "\n\n\n\n"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n\n"])
@pytest.mark.parametrize("begin", ["", "\n", "\n\n\n"])
def test_empty_lines_do_not_matter(begin: str, separator: str, end: str) -> None:
    text = begin + stanza("a") + separator + stanza("b") + end
    found = index(text)
    assert [package.name for package in found.packages()] == ["a", "b"]
    assert found.named("a")
    assert found.named("b")


def test_an_empty_index_has_no_packages() -> None:
    for text in ("", "\n", "\n\n"):
        assert list(index(text).packages()) == []
        assert index(text).named("web") == []


def test_line_ends_of_another_system_are_read() -> None:
    found = index((stanza("a") + "\n" + stanza("b")).replace("\n", "\r\n"))
    assert [package.version for package in found.packages()] == ["1.0", "1.0"]
    assert found.named("b")


def test_an_entry_that_is_repeated_is_one_package() -> None:
    found = index(stanza("web"), stanza("web"))
    assert len(found.packages()) == 1
    assert len(found.named("web")) == 1


def test_field_names_of_another_case_are_known_in_a_stanza() -> None:
    assert fields(b"PACKAGE: web\nsha256: x\npre-depends: a\n") == {
        "Package": "web",
        "sha256": "x",
        "Pre-Depends": "a",
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (stanza(Filename=None), "web: it has no Filename"),
        (stanza(Size=None), "web: it has no Size"),
        (stanza(Version=None), "web: it has no Version"),
        (stanza(SHA256=None), "web: it has no SHA256"),
        (stanza(Package=None), "the entry at byte 0: it has no Package"),
        (stanza(SHA256=None, MD5sum="b" * 32), "unsigned: true"),
        (stanza(SHA256="../../" + "a" * 58), "its SHA256 is not one"),
        (stanza(Size="-1"), "its Size is '-1'"),
        (stanza(Size="many"), "its Size is 'many'"),
        (stanza(Filename="/etc/passwd"), "not a relative path"),
        (stanza(Filename="pool/../../../etc/passwd"), "leads out of"),
        (stanza(Filename="pool/a\\b"), "not a relative path"),
        (stanza(Filename="pool/\x1b[31m.deb"), "not printable"),
        (stanza(Version="1.0\x1b[31m"), "not printable"),
        (stanza(Filename="pool/web.deb").encode() + b"Filename: pool/\xff\xfe.deb\n", "not printable"),
        (stanza(Version="").encode(), "not printable"),
    ],
)
def test_what_is_broken_is_named_with_where_it_came_from(text: str | bytes, told: str) -> None:
    with pytest.raises(BadContent) as caught:
        index(text).packages()
    assert caught.value.message.startswith("http://upstream.test/P.xz: ")
    assert told in caught.value.message
    if "has no Package" not in told:
        with pytest.raises(BadContent):
            index(text).named("web")


def test_bytes_that_are_no_text_do_no_harm_where_nobody_needs_them() -> None:
    text = stanza("web").encode() + b"Maintainer: Andr\xe9\nSection: \xff\n"
    found = index(text, stanza("other"))
    assert [package.section for package in found.packages()] == ["?", ""]
    assert found.fields(found.named("web")[0])["Maintainer"] == "Andr\ufffd"


def test_paths_are_given_in_their_normal_form() -> None:
    paths = [
        package.file.path
        for package in index(
            stanza("a", Filename="./a.deb"),
            stanza("b", Filename="x//b.deb"),
            stanza("c", Filename=".c/c.deb"),
        ).packages()
    ]
    assert paths == ["a.deb", "x/b.deb", ".c/c.deb"]


def test_weak_digests_are_taken_from_upstreams_that_are_not_verified() -> None:
    (package,) = index(stanza(SHA256=None, SHA1="c" * 40, MD5sum="b" * 32), weak=True).packages()
    assert package.file.digest == Digest("sha1", "c" * 40)
    (package,) = index(stanza(SHA256=None, MD5sum="B" * 32), weak=True).packages()
    assert package.file.digest == Digest("md5", "b" * 32)


def test_what_mentions_a_name_is_found() -> None:
    found = index(stanza("a", Depends="web"), stanza("b"), stanza("c", Description="about web, web, web"))
    assert [package.name for package in found.mentioning("web")] == ["a", "c"]
    assert list(found.mentioning("")) == []


def test_stanzas_are_found_without_being_copied() -> None:
    data = b"\n\na: 1\n\n\nb: 2\nc: 3\n"
    assert [data[start:end] for start, end in stanzas(data)] == [b"a: 1", b"b: 2\nc: 3\n"]


def test_large_indexes_are_read_fast() -> None:
    text = "\n".join(
        stanza(f"p{number}", Description="x" * 500, Depends="libc6 (>= 2.34), " * 5)
        for number in range(20_000)
    )
    big = index(text)
    before = time.perf_counter()
    assert big.named("p19999")
    middle = time.perf_counter()
    assert len(big.packages()) == 20_000
    after = time.perf_counter()
    # Five times what they take on a machine with nothing else to do.
    assert middle - before < 0.25
    assert after - middle < 1.0


# --- the copies of what was unpacked


def packed(pool: Pool, data: bytes) -> StoredFile:
    xz = lzma.compress(data, preset=0)
    return StoredFile("dists/stable/main/binary-amd64/Packages.xz", len(xz), pool.add_bytes(xz))


def test_an_index_is_unpacked_once(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    stored = packed(pool, b"Package: a\n")
    assert bytes(read_plain(stored, pool)) == b"Package: a\n"
    pool.path(stored.sha256).write_bytes(b"gone")
    assert read_plain(stored, pool)[:] == b"Package: a\n"


@pytest.mark.parametrize("damage", [b"", b"Package: b\n", b"Package: a\nPackage: b\n"])
def test_a_damaged_copy_is_made_again(tmp_path: Path, damage: bytes) -> None:
    pool = Pool(tmp_path)
    stored = packed(pool, b"Package: a\n")
    read_plain(stored, pool)
    (copy,) = (tmp_path / "cache").iterdir()
    copy.write_bytes(damage)
    assert read_plain(stored, pool)[:] == b"Package: a\n"
    assert copy.read_bytes() == b"Package: a\n"


def test_copies_that_nobody_uses_are_removed(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    read_plain(packed(pool, b"Package: a\n"), pool)
    (copy,) = (tmp_path / "cache").iterdir()
    os.utime(copy, (0, 0))
    read_plain(packed(pool, b"Package: b\n"), pool)
    assert not copy.exists()


def test_a_copy_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    (tmp_path / "cache").write_text("a file in its place")
    assert read_plain(packed(pool, b"Package: a\n"), pool) == b"Package: a\n"


def test_an_empty_plain_index_is_read(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    assert read_plain(StoredFile("Packages", 0, pool.add_bytes(b"")), pool) == b""
