# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from orchestrator.content.catalog.loops import loop_through


@pytest.mark.parametrize(
    ("parts", "loop"),
    [
        ({}, []),
        ({"a": ("b",), "b": ("c",)}, []),
        ({"a": ("a",)}, ["a", "a"]),
        ({"a": ("x", "b"), "b": ("c",), "c": ("a",)}, ["a", "b", "c", "a"]),
        ({"a": ("b", "c"), "b": ("d",), "c": ("d",)}, []),
        ({"a": ("b",), "b": ("c",), "c": ("b",)}, []),
    ],
)
def test_the_way_back_is_found_where_there_is_one(parts: dict[str, tuple[str, ...]], loop: list[str]) -> None:
    assert loop_through("a", parts) == loop
