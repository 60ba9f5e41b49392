# SPDX-License-Identifier: GPL-3.0-or-later
import hashlib
from collections.abc import Callable, Iterable

import pytest

from orchestrator.content.model import StoredFile
from orchestrator.content.publication.inventory import Inventory, from_bytes, make_inventory, to_bytes
from orchestrator.errors import BadContent


def file(path: str, content: str = "") -> StoredFile:
    content = content or path
    return StoredFile(
        path, len(content), hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest(), "package"
    )


def bare(files: Iterable[StoredFile]) -> list[StoredFile]:
    return [each._replace(role="") for each in files]


def always(file: StoredFile) -> bool:
    return True


def paths(files: Iterable[StoredFile]) -> list[str]:
    return [each.path for each in files]


def test_what_is_written_is_read_again() -> None:
    odd = ["a b", "# end", "ünï", "bad\udcff", "a\u2028b\x85c", "pool/a+b~1%3a2.deb"]
    earlier: list[tuple[int, Iterable[StoredFile]]] = [
        (7, [file("old/one"), file("old/# x")]),
        (3, [file("older")]),
    ]
    made = make_inventory(map(file, odd), earlier, always)
    read = from_bytes(to_bytes(made), "it")
    assert read.own == bare(made.own)
    assert read.lingering == {7: bare(made.lingering[7]), 3: bare(made.lingering[3])}
    assert paths(read) == [*sorted(odd), "old/# x", "old/one", "older"]


def test_an_empty_tree_has_an_inventory() -> None:
    assert from_bytes(to_bytes(make_inventory([], [], always)), "it") == Inventory([])


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data.replace(b"inventory 1", b"inventory 2"),
        lambda data: data.replace(b" 3 ", b" three "),
        lambda data: data.replace(b"lingering of 1", b"lingering of one"),
    ],
)
def test_a_damaged_inventory_is_refused(damage: Callable[[bytes], bytes]) -> None:
    data = to_bytes(make_inventory([file("abc"), file("d")], [(1, [file("e")])], always))
    with pytest.raises(BadContent, match=r"7\.inventory is damaged"):
        from_bytes(damage(data), "7.inventory")


def test_one_content_at_one_path_may_be_told_twice() -> None:
    assert paths(make_inventory([file("a"), file("a")], [], always).own) == ["a"]


def test_two_contents_at_one_path_are_refused() -> None:
    with pytest.raises(BadContent, match="two different files of the repository claim the path a/b"):
        make_inventory([file("a/b", "x"), file("a/b", "y")], [], always)


def test_a_file_where_a_directory_must_be_is_refused() -> None:
    with pytest.raises(
        BadContent, match="a/b is a file of the repository and the directory of a/b/c/d at once"
    ):
        make_inventory([file("a/b/c/d"), file("a/b")], [], always)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "..",
        "../x",
        "a/../b",
        "a/..",
        "a//b",
        "./a",
        "a/.",
        "a/",
        "a\nb",
        "a\0b",
        "a\\b",
        "a\x7f",
    ],
)
def test_a_path_that_could_lead_out_of_the_tree_is_refused(path: str) -> None:
    with pytest.raises(BadContent):
        make_inventory([file("good"), file(path, "x"), file("zzz")], [], always)


@pytest.mark.parametrize("path", ["\ud800", "a/\udfff"])
def test_a_path_that_no_file_system_can_hold_is_refused(path: str) -> None:
    with pytest.raises(BadContent, match="cannot be published"):
        make_inventory([StoredFile(path, 1, "0" * 64)], [], always)


@pytest.mark.parametrize("sha256", ["", "0" * 63, "../" + "0" * 61, "G" * 64])
def test_a_file_without_a_digest_is_refused(sha256: str) -> None:
    with pytest.raises(BadContent):
        make_inventory([StoredFile("a", 1, sha256)], [], always)


@pytest.mark.parametrize("path", ["..a", "a..", ".hidden", "a/.b", "a/...", "....", "a b/c", "~"])
def test_dots_in_names_are_no_harm(path: str) -> None:
    assert paths(make_inventory([file(path)], [], always)) == [path]


def test_files_whose_names_last_linger_where_there_is_room() -> None:
    new = [file("index", "new"), file("pool/a"), file("pool/d/e"), file("pool/f")]
    old = [file("index", "old"), file("pool/a"), file("pool/b"), file("pool/d"), file("pool/f/g"), file("x")]
    made = make_inventory(new, [(3, old)], lambda each: each.path.startswith("pool/"))
    assert {number: paths(files) for number, files in made.lingering.items()} == {3: ["pool/b"]}
    assert paths(made.own) == ["index", "pool/a", "pool/d/e", "pool/f"]


def test_of_two_lingering_files_at_one_path_the_first_is_taken() -> None:
    made = make_inventory(
        [], [(5, [file("a", "of 5"), file("d/e")]), (4, [file("a", "of 4"), file("d")])], always
    )
    assert {number: paths(files) for number, files in made.lingering.items()} == {5: ["a", "d/e"]}
    assert made.lingering[5][0] == file("a", "of 5")


def test_each_content_is_counted_once() -> None:
    assert make_inventory([file("a", "xx"), file("b", "xx"), file("c", "y")], [], always).bytes() == 3
