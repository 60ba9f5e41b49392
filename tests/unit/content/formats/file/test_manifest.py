# SPDX-License-Identifier: GPL-3.0-or-later
"""PULP_MANIFEST is read as Pulp reads it, and nothing in one leads elsewhere."""

import pytest

from orchestrator.content.formats.file.manifest import Listed, parse, write
from orchestrator.errors import BadContent

ONE, OTHER = "1" * 64, "a" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (f"disk.iso,{ONE},12\n", [Listed("disk.iso", ONE, 12)]),
        (f"disk.iso,{ONE},12", [Listed("disk.iso", ONE, 12)]),
        (f"# files\r\n\r\n  doc/a, b.txt , {OTHER.upper()} , 0 \r\n", [Listed("doc/a, b.txt", OTHER, 0)]),
        (f"a,{ONE},1\nb,{OTHER},2\na,{ONE},1\n", [Listed("a", ONE, 1), Listed("b", OTHER, 2)]),
        (f"a,{ONE},5,{OTHER},7\n", [Listed(f"a,{ONE},5", OTHER, 7)]),
        (f"ümläut,{ONE},1\n", [Listed("ümläut", ONE, 1)]),
    ],
)
def test_a_line_is_a_file(text: str, expected: list[Listed]) -> None:
    assert parse(text.encode(), "list") == expected


@pytest.mark.parametrize(
    "line",
    [
        "disk.iso",
        f"disk.iso,{ONE}",
        f",{ONE},1",
        f"disk.iso,{ONE[1:]},1",
        f"disk.iso,{ONE[1:]}g,1",
        f"disk.iso,{ONE},-1",
        f"disk.iso,{ONE},1.5",
        f"disk.iso,{ONE},{'9' * 16}",
        f"../disk.iso,{ONE},1",
        f"/disk.iso,{ONE},1",
        f"a/../../b,{ONE},1",
        f"a//b,{ONE},1",
        f"./a,{ONE},1",
        f"a\\b,{ONE},1",
        f"a\tb,{ONE},1",
        f"PULP_MANIFEST,{ONE},1",
        f"KEY.asc,{ONE},1",
        "<html><body>Not Found</body></html>",
    ],
)
def test_what_is_no_file_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(BadContent, match=r"^http://up/PULP_MANIFEST, line 2: "):
        parse(f"good,{ONE},1\n{line}\n".encode(), "http://up/PULP_MANIFEST")


def test_one_path_cannot_be_two_files() -> None:
    with pytest.raises(BadContent, match="line 2: a stands twice"):
        parse(f"a,{ONE},1\na,{OTHER},1\n".encode(), "list")


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(BadContent, match="not UTF-8"):
        parse(b"\xff,", "list")


def test_what_is_written_is_read_again_sorted() -> None:
    files = [Listed("b, c", ONE, 1), Listed("a/x", OTHER, 2)]
    assert parse(write(files), "list") == sorted(files)


@pytest.mark.parametrize(
    "path", ["#a", " a", "a ", "a\x85b", "a\u2028b", "../a", "a\nb", "PULP_MANIFEST", ""]
)
def test_what_readers_would_take_for_something_else_is_not_written(path: str) -> None:
    with pytest.raises(BadContent, match="cannot stand in a PULP_MANIFEST"):
        write([Listed(path, ONE, 1)])
