# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from orchestrator.content.formats.deb.release import (
    clear_text,
    differences,
    parse_release,
    parse_time,
    show_time,
)
from orchestrator.content.model import Digest
from orchestrator.errors import BadContent

SHA256 = "a" * 64
TEXT = f"""Origin: Debian
Suite: stable
Codename: bookworm
Date: Sat, 11 Jul 2026 10:16:37 UTC
Valid-Until: Sat, 18 Jul 2026 10:16:37 UTC
Acquire-By-Hash: yes
No-Support-for-Architecture-all: Packages
MD5Sum:
 {"b" * 32}  1484322 main/binary-amd64/Packages
SHA256:
 {SHA256}  1484322 main/binary-amd64/Packages
 {"c" * 64}       10 main/name with spaces
""".encode()


def test_a_release_file_is_read() -> None:
    release = parse_release(TEXT, "x")
    assert release.fields["Codename"] == "bookworm"
    assert "SHA256" not in release.fields
    assert release.by_hash
    assert not release.serves_all
    assert release.date == 1783764997.0
    assert release.valid_until == release.date + 7 * 86400
    listed = release.files["main/binary-amd64/Packages"]
    assert (listed.size, listed.digest()) == (1484322, Digest("sha256", SHA256))
    assert release.files["main/name with spaces"].size == 10


@pytest.mark.parametrize(
    ("fields", "served"),
    [
        (b"", True),
        (b"Architectures: all amd64\n", True),
        (b"Architectures: amd64\n", False),
        (b"Architectures: all amd64\nNo-Support-for-Architecture-all: Packages\n", False),
    ],
)
def test_indexes_for_all_are_read_where_apt_reads_them(fields: bytes, served: bool) -> None:
    assert parse_release(b"Suite: stable\n" + fields, "x").serves_all is served


def test_digests_are_weak_only_on_request() -> None:
    text = TEXT.replace(b"SHA256:", b"SHA1:").replace(b"a" * 64, b"a" * 40).replace(b"c" * 64, b"c" * 40)
    listed = parse_release(text, "x").files["main/binary-amd64/Packages"]
    assert listed.digest() is None
    assert listed.digest(weak=True) == Digest("sha1", "a" * 40)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (b"<html>no</html>", "not a Release file"),
        (b"", "not a Release file"),
        (TEXT.replace(b"11 Jul", b"11 Foo"), "is not a date"),
        (TEXT.replace(b"a" * 64, b"a" * 63), "sha256"),
        (TEXT + f" {'d' * 64} 10 main/binary-amd64/Packages\n".encode(), "twice"),
    ],
)
def test_what_is_no_release_file_is_refused_with_its_name(broken: bytes, told: str) -> None:
    with pytest.raises(BadContent, match=told) as caught:
        parse_release(broken, "http://upstream.test/Release")
    assert "http://upstream.test/Release" in caught.value.message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Thu, 01 Jan 1970 00:00:10 UTC", 10),
        ("Thu, 1 Jan 1970 00:00:10 GMT", 10),
        ("Thu, 01 Jan 1970 01:00:10 +0100", 10),
        ("Thu, 01 Jan 1970 00:00:10 -0030", 1810),
    ],
)
def test_dates_are_read_in_every_form(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


def test_dates_are_written_as_they_are_read() -> None:
    assert show_time(1783764997.0) == "Sat, 11 Jul 2026 10:16:37 UTC"


def test_the_text_of_a_signed_file_is_taken_out() -> None:
    signed = (
        b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: x\n- -dash: y\n"
        b"-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n"
    )
    assert clear_text(signed) == b"Origin: x\n-dash: y\n"
    assert clear_text(b"Origin: x\n") == b"Origin: x\n"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (TEXT, ""),
        (TEXT.replace(b"Origin: Debian", b"Origin: other"), ""),
        (TEXT.replace(b"10:16:37 UTC\nValid", b"10:16:38 UTC\nValid"), "Date"),
        (TEXT.replace(b"a" * 64, b"d" * 64), "digests of main/binary-amd64/Packages"),
        (TEXT.replace(b"name with", b"names with"), "only one of them lists"),
    ],
)
def test_what_two_release_files_disagree_about_is_told(changed: bytes, told: str) -> None:
    found = differences(parse_release(TEXT, "x"), parse_release(changed, "y"))
    assert told in found
    assert bool(told) == bool(found)
