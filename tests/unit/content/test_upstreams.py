# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of the catalog's repositories: put together, looked for elsewhere, compared."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.content.catalog.model import Product, Repository
from orchestrator.content.upstreams import (
    base_address,
    baseurls,
    candidates,
    overlap,
    parents,
    relative_part,
    territories,
    territory,
)
from orchestrator.errors import Invalid

PRODUCT = Product("acme", "web", baseurl="https://cdn.example/pub/")


def repository(**upstream: Any) -> Repository:
    return Repository("acme", "web", "main", "rpm", upstream=upstream)


@pytest.mark.parametrize(
    ("written", "full", "relative"),
    [
        ("a/b", "https://cdn.example/pub/a/b", "a/b"),
        ("a//b/./c/", "https://cdn.example/pub/a/b/c", "a/b/c"),
        (".", "https://cdn.example/pub/", ""),
        ("", "https://cdn.example/pub/", ""),
        ("https://cdn.example/pub/x", "https://cdn.example/pub/x", "x"),
        ("https://other.example/content/x/", "https://other.example/content/x/", "content/x"),
        ("file:///srv/x", "file:///srv/x", "srv/x"),
        (["a", "http://m.example/b"], ["https://cdn.example/pub/a", "http://m.example/b"], "a"),
        (None, "https://cdn.example/pub/", ""),
    ],
)
def test_an_address_is_below_the_products_unless_it_is_whole(written: Any, full: Any, relative: str) -> None:
    made = repository(unsigned=True) if written is None else repository(baseurl=written)
    assert baseurls(PRODUCT, made) == (full if isinstance(full, list) else [full])
    assert relative_part(PRODUCT, made) == relative


@pytest.mark.parametrize("written", ["../up", "a/../../b", "a\\b", "a\nb"])
def test_a_relative_address_leads_nowhere_else(written: str) -> None:
    with pytest.raises(Invalid):
        baseurls(PRODUCT, repository(baseurl=written))


def test_a_relative_address_needs_the_products() -> None:
    with pytest.raises(Invalid, match="its product has no base address"):
        baseurls(Product("acme", "web"), repository(baseurl="a"))
    assert baseurls(PRODUCT, repository(mirrorlist="http://m.example/list")) == []
    assert baseurls(PRODUCT, repository()) == []


def test_a_path_of_this_machine_is_an_address() -> None:
    assert base_address("/media/a disk#1") == "file:///media/a%20disk%231/"
    assert base_address("http://x.example/a") == "http://x.example/a/"
    for wrong in ("media", "ftp://x.example/", 5, None):
        with pytest.raises(Invalid):
            base_address(wrong)


def test_a_place_is_looked_at_in_the_order_of_how_likely_it_is() -> None:
    tree = "content/view/web/main"
    near = candidates("file:///m/", "a/b", "web/main", [tree], wide=False)
    assert [each.removeprefix("file:///m/") for each in near] == [
        "",
        "a/b/",
        "web/main/",
        "content/web/main/",
        "content/view/web/main/",
    ]
    wide = candidates("file:///m/", "", "web/main", [], wide=True)
    assert wide[-1] == "file:///m/"
    assert len(wide) == 3


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://a.example/x", "https://a.example:443/x/", True),
        ("http://A.example./x", "http://a.example:80//./y/../x", True),
        ("http://a.example/%78", "http://a.example/x", True),
        ("http://a.example:8080/x", "http://a.example/x", False),
        ("http://a.example/x", "http://b.example/x", False),
        ("http://a.example/x", "http://a.example/x/y", True),
        ("http://a.example/", "http://a.example/x/y", True),
        ("http://a.example/x", "http://a.example/xy", False),
        ("http://a.example/X", "http://a.example/x", False),
        ("file:///srv/x", "http://srv/x", False),
    ],
)
def test_two_addresses_meet_where_one_is_the_other_or_below_it(one: str, other: str, same: bool) -> None:
    assert overlap(territory(one), territory(other)) is same
    assert overlap(territory(other), territory(one)) is same


def test_links_on_this_machine_are_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    assert territory((tmp_path / "link/x").as_uri()) == territory((tmp_path / "there/x").as_uri())


def test_what_a_repository_takes_is_told_by_its_parts() -> None:
    base = ["http://a.example/r"]
    host = "a.example"
    assert territories("rpm", base, ["os", "updates/{architecture}"]) == [
        (host, "r", "os"),
        (host, "r", "updates"),
    ]
    assert territories("file", base, []) == [(host, "r")]
    assert territories("deb", base, ["jammy main", "flat/"]) == [(host, "r")]
    assert territories("deb", base, ["jammy main", "flat/"], exact=True) == [
        (host, "r", "dists", "jammy"),
        (host, "r", "flat"),
    ]


def test_an_export_is_looked_for_so_many_levels_up() -> None:
    assert parents("http://a.example/x//y/", 6) == [
        "http://a.example/x/y/",
        "http://a.example/x/",
        "http://a.example/",
    ]
    assert parents("file:///", 6) == ["file:///"]
    assert len(parents("file:///a/b/c/d/e/f/g/h/i/", 6)) == 7
