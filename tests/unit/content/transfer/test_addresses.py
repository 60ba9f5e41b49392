# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths quoted into addresses, secrets taken out of them, whose host is whose."""

from urllib.parse import unquote

import pytest

from orchestrator.content.transfer.addresses import (
    Origin,
    is_within,
    origin_of,
    quoted,
    shown,
    split_userinfo,
)
from orchestrator.content.transfer.reply import Head


@pytest.mark.parametrize(
    ("path", "in_address"),
    [
        ("pool/main/g/g++/g++_1.0+b1~rc1-2_amd64.deb", "pool/main/g/g++/g++_1.0+b1~rc1-2_amd64.deb"),
        ("pool/x_1%3a2_all.deb", "pool/x_1%253a2_all.deb"),
        ("pool/x_1:2_all.deb", "pool/x_1:2_all.deb"),
        ("a b/c?d#e[f]", "a%20b/c%3Fd%23e%5Bf%5D"),
        ("Packages/l/libstdc++^1.rpm", "Packages/l/libstdc++%5E1.rpm"),
        ("ä", "%C3%A4"),
        ("\udcff", "%FF"),
    ],
)
def test_paths_are_quoted_as_servers_expect(path: str, in_address: str) -> None:
    assert quoted(path) == in_address
    assert unquote(in_address, errors="surrogateescape") == path


@pytest.mark.parametrize(
    ("url", "clean", "userinfo"),
    [
        ("http://h/a@b", "http://h/a@b", None),
        ("http://u:p@h/a@b", "http://h/a@b", ("u", "p")),
        ("http://u@h/", "http://h/", ("u", "")),
        ("https://u:p%40q%3A@h:1/x", "https://h:1/x", ("u", "p@q:")),
        ("http://u:p@q@h/", "http://h/", ("u", "p@q")),
        ("http://h?x=a@b", "http://h?x=a@b", None),
    ],
)
def test_user_and_password_are_taken_out(url: str, clean: str, userinfo: tuple[str, str] | None) -> None:
    assert split_userinfo(url) == (clean, userinfo)
    assert shown(f"cannot read {url} now") == f"cannot read {clean} now"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://H.example./x/y", Origin("http", "h.example", 80)),
        ("https://h:8443", Origin("https", "h", 8443)),
        ("HTTP://u@h/", Origin("http", "h", 80)),
        ("file:///srv/x", Origin("file", "", None)),
        ("http://h?a/b", Origin("http", "h", 80)),
    ],
)
def test_origins_are_compared_in_one_form(url: str, origin: Origin) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("url", "owner", "may"),
    [
        ("http://h/a", "http://h/b", True),
        ("https://h/a", "http://h/b", True),
        ("http://h/a", "https://h/b", False),
        ("https://h:8443/a", "http://h/b", False),
        ("http://h:81/a", "http://h/b", False),
        ("http://i.h/a", "http://h/b", False),
        ("http://h.evil/a", "http://h/b", False),
        ("http://h:99999/a", "http://h:99998/b", False),
        ("file:///a", "file:///b", False),
    ],
)
def test_secrets_go_to_their_own_host_alone(url: str, owner: str, may: bool) -> None:
    assert is_within(origin_of(url), origin_of(owner)) is may


def test_of_several_heads_the_last_counts() -> None:
    lines = [b"HTTP/1.1 200 Connection established\r\n", b"ETag: old\r\n", b"\r\n"]
    lines += [b"HTTP/1.1 103 Early Hints\r\n", b"\r\n"]
    lines += [b"HTTP/2 206 \r\n", b'etag: "new"\r\n', b"Content-LENGTH:  12 \r\n", b"\r\n"]
    head = Head(lines)
    assert (head.status, head.field(b"etag"), head.length) == (206, '"new"', 12)
    assert head.field(b"last-modified") == ""


@pytest.mark.parametrize(
    "lines", [[], [b"\r\n"], [b"HTTP/1.1\r\n"], [b"HTTP/1.1 abc\r\n"], [b"\xff\xfe\r\n"]]
)
def test_a_head_that_is_none_has_status_zero(lines: list[bytes]) -> None:
    head = Head(lines)
    assert head.status == 0
    assert head.length is None
