# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirrorlists and metalinks: which addresses are used and in which order, what is pinned, what is refused."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from orchestrator.content.addresses import Addresses, addresses_of
from orchestrator.content.fetching import Ending
from orchestrator.content.mirrorlists import LIMIT, Version, parse_metalink, parse_mirrorlist, without_entry
from orchestrator.content.model import Digest
from orchestrator.content.source import Access, Common, Source
from orchestrator.content.transfer.engine import Transfer
from orchestrator.content.transfer.requests import Request, Result
from orchestrator.errors import BadContent, TransferFailed

NAME = "http://lists.example/list"
NEW, OLD, OLDER = "a" * 64, "b" * 64, "c" * 64
FEDORA = f"""<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" type="dynamic" pubdate="Fri, 20 Nov 2026 10:00:00 GMT"
    generator="mirrormanager" xmlns:mm0="http://fedorahosted.org/mirrormanager">
 <files>
  <file name="repomd.xml">
   <mm0:timestamp>1700000200</mm0:timestamp>
   <size>4567</size>
   <verification>
    <hash type="md5">{"1" * 32}</hash>
    <hash type="sha1">{"2" * 40}</hash>
    <hash type="sha256">{NEW}</hash>
    <hash type="sha512">{"3" * 128}</hash>
   </verification>
   <mm0:alternates>
    <mm0:alternate>
     <mm0:timestamp>1700000000</mm0:timestamp>
     <size>4400</size>
     <verification><hash type="sha256">{OLDER}</hash></verification>
    </mm0:alternate>
    <mm0:alternate>
     <mm0:timestamp>1700000100</mm0:timestamp>
     <size>4500</size>
     <verification><hash type="sha256">{OLD}</hash></verification>
    </mm0:alternate>
   </mm0:alternates>
   <resources maxconnections="1">
    <url protocol="rsync" type="rsync" location="DE" preference="100">rsync://one.example/os/repodata/repomd.xml</url>
    <url protocol="http" type="http" location="DE" preference="99">http://two.example/os/repodata/repomd.xml</url>
    <url protocol="https" type="https" location="DE" preference="100">https://one.example/os/repodata/repomd.xml</url>
    <url protocol="ftp" type="ftp" location="DE" preference="98">ftp://two.example/os/repodata/repomd.xml</url>
   </resources>
  </file>
 </files>
</metalink>
"""
RFC5854 = f"""<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
  <published>2026-11-20T12:23:23Z</published>
  <file name="example.iso"><hash type="sha-256">{OLD}</hash><url>http://one.example/example.iso</url></file>
  <file name="repomd.xml">
    <size>123</size>
    <hash type="sha-256">{NEW.upper()}</hash>
    <url>http://last.example/repodata/repomd.xml</url>
    <url location="de" priority="2">http://two.example/repodata/repomd.xml</url>
    <url location="fr" priority="1"> http://one.example/repodata/repomd.xml </url>
  </file>
</metalink>
"""


def metalink(body: str) -> bytes:
    return f'<metalink xmlns="urn:ietf:params:xml:ns:metalink">{body}</metalink>'.encode()


# Plain lists ----------------------------------------------------------------------------------------------


def test_a_mirrorlist_is_read_line_by_line() -> None:
    data = b"""# repo = fedora arch = x86_64
        http://one.example/os

        https://two.example/os/   # a remark
        ftp://three.example/os/
        rsync://three.example/os/
        file:///etc/
        /etc/
        http://one.example/os/
        """
    assert parse_mirrorlist(data, NAME) == ("http://one.example/os/", "https://two.example/os/")


def test_a_priority_orders_and_what_is_for_some_files_only_is_passed_over() -> None:
    data = b"http://c.example/\tpriority:3\nhttp://a.example/ priority:1\nhttp://i.example/ type:index priority:0\n"
    assert parse_mirrorlist(data, NAME) == ("http://a.example/", "http://c.example/")


@pytest.mark.parametrize(
    "line",
    [
        "http://one.example/$basearch/",
        "http://one.example/${releasever}/",
        "http://one.example/?list=1",
        "http:///os/",
        "http://[one/",
        "http://one.example:port/",
        "one.example/os",
        "<html>",
        "http://one.example/\\..",
        "\x00",
    ],
)
def test_an_address_that_cannot_be_used_is_passed_over(line: str) -> None:
    assert parse_mirrorlist(f"{line}\nhttp://two.example/\n".encode(), NAME) == ("http://two.example/",)
    with pytest.raises(
        BadContent, match=r"the mirrorlist http://lists\.example/list names no usable address"
    ):
        parse_mirrorlist(line.encode(), NAME)


@pytest.mark.parametrize(
    "data", [b"", b"# nothing\n\n", b"\xff\xfe\x00", b"<!DOCTYPE html><html>Log in</html>"]
)
def test_a_list_without_addresses_is_refused(data: bytes) -> None:
    with pytest.raises(BadContent, match="names no usable address"):
        parse_mirrorlist(data, NAME)


def test_addresses_with_a_password_are_not_used_and_it_is_not_repeated() -> None:
    with pytest.raises(BadContent) as caught:
        parse_mirrorlist(b"http://me:hunter2@one.example/os/", NAME)
    assert "http://one.example/os/ holds a user or password" in caught.value.message
    assert "hunter2" not in caught.value.message


# Metalinks ------------------------------------------------------------------------------------------------


def test_fedoras_metalink_pins_the_current_and_former_versions() -> None:
    found = parse_metalink(FEDORA.encode(), NAME)
    assert found.urls == (
        "https://one.example/os/repodata/repomd.xml",
        "http://two.example/os/repodata/repomd.xml",
    )
    assert found.versions == (
        Version(Digest("sha256", NEW), 4567, 1700000200),
        Version(Digest("sha256", OLD), 4500, 1700000100),
        Version(Digest("sha256", OLDER), 4400, 1700000000),
    )


def test_a_metalink_of_the_rfc_is_ordered_by_priority() -> None:
    found = parse_metalink(RFC5854.encode(), NAME)
    assert found.urls == tuple(
        f"http://{host}.example/repodata/repomd.xml" for host in ("one", "two", "last")
    )
    assert found.versions == (Version(Digest("sha256", NEW), 123),)


@pytest.mark.parametrize(
    ("hashes", "strongest"),
    [
        ([("md5", "1" * 32), ("sha1", "2" * 40)], Digest("sha1", "2" * 40)),
        ([("sha-512", "3" * 128), ("md5", "1" * 32)], Digest("sha512", "3" * 128)),
        ([("sha-512", "3" * 128), ("sha256", NEW)], Digest("sha256", NEW)),
        ([("sha256", "short"), ("crc32", "0" * 8), ("md5", "1" * 32)], Digest("md5", "1" * 32)),
    ],
)
def test_the_strongest_digest_decides(hashes: Sequence[tuple[str, str]], strongest: Digest) -> None:
    text = "".join(f'<hash type="{kind}">{value}</hash>' for kind, value in hashes)
    body = f'<file name="repomd.xml">{text}<url>http://a.example/repodata/repomd.xml</url></file>'
    assert parse_metalink(metalink(body), NAME).versions == (Version(strongest),)


URL = "<url>http://a.example/repodata/repomd.xml</url>"
HASH = f'<hash type="sha-256">{NEW}</hash>'


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is no metalink: no element found"),
        (b"<html><p>Log in</html>", "is no metalink: mismatched tag"),
        (b"<html/>", "is about other files than repomd.xml: none"),
        (FEDORA.encode()[:700], "is no metalink: "),
        (b"\xff\xfe\xff", "is no metalink: "),
        (b'<?xml version="1.0" encoding="klingon"?><metalink/>', "is no metalink: "),
        (
            metalink(f'<file name="other.xml">{HASH}{URL}</file>'),
            "is about other files than repomd.xml: 'other.xml'",
        ),
        (metalink(f'<file name="repomd.xml">{URL}</file>'), "gives no digest of repomd.xml"),
        (metalink(f'<file name="repomd.xml">{HASH}</file>'), "names no usable address"),
        (
            metalink(f'<file name="repomd.xml">{HASH}<url>file:///etc/x</url></file>'),
            "file:///etc/x is not for HTTP",
        ),
        (metalink("<a>" * 40 + "</a>" * 40), "too many elements, or too deep ones"),
        (metalink("<a/>" * 60_000), "too many elements, or too deep ones"),
    ],
)
def test_what_is_no_usable_metalink_is_refused_by_name(data: bytes, told: str) -> None:
    with pytest.raises(BadContent) as caught:
        parse_metalink(data, NAME)
    assert NAME in caught.value.message
    assert told in caught.value.message


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE lolz [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_entities_and_document_types_are_refused(declaration: str) -> None:
    with pytest.raises(BadContent, match="declares a document type"):
        parse_metalink(declaration.encode() + RFC5854.partition("\n")[2].encode(), NAME)


def test_the_repository_of_an_entry_file() -> None:
    assert without_entry("http://a.example/os/repodata/repomd.xml") == "http://a.example/os/"
    assert without_entry("http://a.example/os/other.xml") == ""


# Sources --------------------------------------------------------------------------------------------------


class Lists:
    """Stands for the transfer: answers what it was given, and records what it was asked for."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self.asked: list[Request] = []

    def fetch(self, requests: Sequence[Request]) -> Sequence[Result]:
        self.asked += requests
        return [self._answer(request.urls[0]) for request in requests]

    def _answer(self, url: str) -> Result:
        if url not in self.files:
            return Result(Ending.NOT_FOUND, url, why="404 Not Found")
        return Result(Ending.DONE, url, data=self.files[url])


NOTHING = Lists({})


def test_base_addresses_are_those_of_each_repository() -> None:
    bases = ("http://a.example/d/", "file:///srv/d/")
    deb = Source("a", "deb", bases, ("sid main",))
    assert addresses_of(deb, NOTHING) == Addresses({"": bases})
    rpm = Source("a", "rpm", bases, ("os", "updates/x86_64", "."))
    assert addresses_of(rpm, NOTHING) == Addresses(
        {
            "os/": ("http://a.example/d/os/", "file:///srv/d/os/"),
            "updates/x86_64/": ("http://a.example/d/updates/x86_64/", "file:///srv/d/updates/x86_64/"),
            "": bases,
        }
    )
    assert NOTHING.asked == []


def test_every_rpm_repository_has_a_list_of_its_own() -> None:
    lists = Lists(
        {
            "http://m.example/os?x86_64": b"http://a.example/os/x86_64\nhttp://b.example/c/os/\n",
            "http://m.example/updates?x86_64": b"http://b.example/updates\n",
        }
    )
    source = Source(
        "a",
        "rpm",
        (),
        ("os/x86_64", "updates/x86_64"),
        mirrorlist="http://m.example/{repository}?{architecture}",
        architectures=("x86_64",),
        access=Access(netrc=Path("/netrc")),
    )
    assert addresses_of(source, lists) == Addresses(
        {
            "os/x86_64/": ("http://a.example/os/x86_64/", "http://b.example/c/os/"),
            "updates/x86_64/": ("http://b.example/updates/",),
        }
    )
    assert all(request.access == source.access and request.limit == LIMIT for request in lists.asked)


def test_a_deb_source_has_one_list() -> None:
    lists = Lists({NAME: b"http://a.example/debian\n"})
    source = Source("a", "deb", (), ("sid main", "sid-updates main"), mirrorlist=NAME)
    assert addresses_of(source, lists) == Addresses({"": ("http://a.example/debian/",)})


def test_a_metalink_pins_the_entry_file_of_its_repository() -> None:
    source = Source("a", "rpm", (), ("os",), metalink=NAME)
    found = addresses_of(source, Lists({NAME: FEDORA.encode()}))
    assert found.by_prefix == {"os/": ("https://one.example/os/", "http://two.example/os/")}
    assert found.pinned == {
        "os/repodata/repomd.xml": tuple(Digest("sha256", value) for value in (NEW, OLD, OLDER))
    }


def test_a_metalink_whose_addresses_are_no_repositories_is_refused() -> None:
    source = Source("a", "rpm", (), ("os",), metalink=NAME)
    data = RFC5854.replace("repodata/repomd.xml", "elsewhere/repomd.xml").encode()
    with pytest.raises(BadContent, match=r"no address in the metalink .* ends with repodata/repomd.xml"):
        addresses_of(source, Lists({NAME: data}))


def test_a_list_that_cannot_be_had_is_told_with_its_address_and_no_secret() -> None:
    source = Source("a", "rpm", (), ("os",), metalink="http://me:hunter2@lists.example/list")
    with pytest.raises(TransferFailed) as caught:
        addresses_of(source, NOTHING)
    assert (
        caught.value.message == "the metalink of a cannot be read: http://lists.example/list: 404 Not Found"
    )


def test_the_real_transfer_reads_a_list_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("http://a.example/os\n")
    source = Source("a", "rpm", (), ("os",), mirrorlist=f"file://{tmp_path}/list")
    transfer = Transfer(Common())
    try:
        assert addresses_of(source, transfer) == Addresses({"os/": ("http://a.example/os/",)})
    finally:
        transfer.close()
