# SPDX-License-Identifier: GPL-3.0-or-later
"""Every header field, good and bad, in a script and in YAML; what looks like a header line and is none."""

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from orchestrator.upgrade.header import (
    FIELDS,
    DiskNeed,
    Header,
    Retry,
    RunRule,
    header_from_mapping,
    parse_header,
)

PLAIN = Header(name="Step", description="Does it.")


def parse(*lines: str) -> tuple[Header, list[str]]:
    """The header of a script with these lines after the required ones."""
    text = "\n".join(["#!/bin/sh", "#name: Step", "#description: Does it.", *lines])
    header, problems = parse_header(text, "0010_a.sh")
    return header, [str(problem) for problem in problems]


GOOD: list[tuple[str, str, dict[str, Any]]] = [
    ("apply", "katello headpin", {"apply": ("katello", "headpin")}),
    ("apply", "katello, headpin,x", {"apply": ("katello", "headpin", "x")}),
    ("run", "once", {"run": RunRule.ONCE}),
    ("run", "always", {"run": RunRule.ALWAYS}),
    ("run", "on-change", {"run": RunRule.ON_CHANGE}),
    ("inputs", "/etc/a /etc/b/*.conf", {"inputs": ("/etc/a", "/etc/b/*.conf")}),
    ("inputs", "'/etc/with space' /b", {"inputs": ("/etc/with space", "/b")}),
    ("timeout", "30m", {"timeout": 1800.0}),
    ("timeout", "1", {"timeout": 1.0}),
    ("retry", "3", {"retry": Retry(3, 0.0)}),
    ("retry", "3 10s", {"retry": Retry(3, 10.0)}),
    ("retry", "0", {"retry": Retry()}),
    ("estimate", "5m", {"estimate": 300.0}),
    ("min-disk", "/var/lib/pgsql 10G", {"min_disk": (DiskNeed(PurePosixPath("/var/lib/pgsql"), 10 << 30),)}),
    ("min-disk", "/with space\t1K", {"min_disk": (DiskNeed(PurePosixPath("/with space"), 1024),)}),
    ("interrupt", "unsafe", {"interrupt_unsafe": True}),
    ("interrupt", "safe", {}),
    ("rerun", "ask", {"rerun_ask": True}),
    ("rerun", "safe", {}),
    ("risk", "drops the old search index: all of it", {"risk": "drops the old search index: all of it"}),
    ("on-failure", "continue", {"continue_on_failure": True}),
    ("on-failure", "stop", {}),
    ("package-manager", "yes", {"package_manager": True}),
    ("package-manager", "no", {}),
]
BAD = [
    ("name", "", "name is empty"),
    ("name", "a \x1b[31m b", "name has control characters"),
    ("description", " ", "description is empty"),
    ("run", "", "run takes once, always or on-change"),
    ("run", "sometimes", "run takes once, always or on-change"),
    ("inputs", "", "inputs takes absolute paths or globs"),
    ("inputs", "/a relative", "inputs takes absolute paths or globs"),
    ("inputs", "'/a", "inputs has a quotation mark that is not closed"),
    ("timeout", "soon", "timeout 'soon' is not a duration"),
    ("timeout", "0", "timeout must be longer than nothing"),
    ("timeout", "", "timeout '' is not a duration"),
    ("retry", "", "retry takes a number of further attempts and a delay: 3 10s"),
    ("retry", "often", "retry takes a number"),
    ("retry", "-1", "retry takes a number"),
    ("retry", "3 10s 4", "retry takes a number"),
    ("retry", "3 soon", "retry 'soon' is not a duration"),
    ("retry", "\u00b2", "retry takes a number"),
    ("estimate", "long", "estimate 'long' is not a duration"),
    ("min-disk", "10G", "min-disk takes an absolute path and a size: /var/lib/pgsql 10G"),
    ("min-disk", "var 10G", "min-disk takes an absolute path and a size"),
    ("min-disk", "/var", "min-disk takes an absolute path and a size"),
    ("min-disk", "/var much", "min-disk 'much' is not a size"),
    ("min-disk", "", "min-disk takes an absolute path and a size"),
    ("interrupt", "maybe", "interrupt takes unsafe or safe"),
    ("rerun", "yes", "rerun takes ask or safe"),
    ("risk", "", "risk is empty"),
    ("on-failure", "ignore", "on-failure takes continue or stop"),
    ("package-manager", "apt", "package-manager takes yes or no"),
]


@pytest.mark.parametrize(("key", "value", "means"), GOOD)
def test_a_field_is_read(key: str, value: str, means: dict[str, Any]) -> None:
    assert parse(f"#{key}: {value}") == (replace(PLAIN, **means), [])


@pytest.mark.parametrize(("key", "value", "means"), GOOD)
def test_a_field_is_read_from_yaml_as_well(key: str, value: str, means: dict[str, Any]) -> None:
    document = {"name": "Step", "description": "Does it.", key: value}
    assert header_from_mapping(document, "0010_a.yaml") == (replace(PLAIN, **means), [])


def test_a_plain_yes_in_yaml_is_a_yes() -> None:
    document = {"name": "Step", "description": "Does it.", "package-manager": True}
    assert header_from_mapping(document, "0010_a.yaml") == (replace(PLAIN, package_manager=True), [])


@pytest.mark.parametrize(("key", "value", "told"), BAD)
def test_a_bad_value_is_told_with_its_line(key: str, value: str, told: str) -> None:
    lines = [f"#{key}: {value}"] + [f"#{other}: x" for other in ("name", "description") if other != key]
    _, problems = parse_header("\n".join(["#!/bin/sh", "# prose", *lines]), "0010_a.sh")
    assert len(problems) == 1
    assert problems[0].where == "0010_a.sh:3"
    assert problems[0].what.startswith(told)


@pytest.mark.parametrize(("key", "value", "told"), BAD)
def test_a_bad_value_in_yaml_is_told_with_its_key(key: str, value: str, told: str) -> None:
    _, problems = header_from_mapping({"name": "x", "description": "y", key: value}, "0010_a.yaml")
    assert len(problems) == 1
    assert str(problems[0]).startswith(f"0010_a.yaml: {told}")


def test_every_field_has_good_and_bad_values_here() -> None:
    keys = {key for key, _, _ in GOOD} | {"name", "description"}
    assert keys == FIELDS.keys()
    assert {key for key, _, _ in BAD} == FIELDS.keys() - {"apply"}


def test_repeatable_fields_add_up() -> None:
    header, problems = parse(
        "#min-disk: /a 1K", "#min-disk: /b 2K", "#inputs: /a", "#inputs: /b /c", "#apply: x", "#apply: y z"
    )
    assert [need.size for need in header.min_disk] == [1024, 2048]
    assert header.inputs == ("/a", "/b", "/c")
    assert header.apply == ("x", "y", "z")
    assert problems == []


def test_any_other_field_that_stands_twice_is_told() -> None:
    header, problems = parse("#timeout: 1m", "#timeout: 2m", "#name: Another")
    assert header.timeout == 60
    assert problems == ["0010_a.sh:5: timeout stands twice", "0010_a.sh:6: name stands twice"]


def test_missing_name_and_description_are_both_told() -> None:
    _, problems = parse_header("#!/bin/sh\nset -e\n", "a")
    assert [str(problem) for problem in problems] == [
        "a: the header has no #name:",
        "a: the header has no #description:",
    ]


def test_a_field_whose_name_holds_that_of_another_does_not_stand_in_for_it() -> None:
    _, problems = parse_header("#!/bin/sh\n#hostname: x\n#description: y\n", "a")
    assert [problem.what for problem in problems] == [
        "unknown header field hostname",
        "the header has no #name:",
    ]


def test_required_fields_with_a_space_get_a_hint() -> None:
    _, problems = parse_header("#!/bin/sh\n# name: x\n# description: y\n", "a")
    assert len(problems) == 2
    assert all(
        problem.hint == "header lines have no space after the #: #description: ..." for problem in problems
    )


def test_an_unknown_field_is_told_with_the_nearest_or_how_to_write_prose() -> None:
    _, problems = parse("#timeuot: 5m", "#todo: rewrite this")
    assert problems == [
        "0010_a.sh:4: unknown header field timeuot (did you mean timeout?)",
        "0010_a.sh:5: unknown header field todo (prose takes a space after the #)",
    ]


@pytest.mark.parametrize(
    "line", ["#min_disk: /var 10T", "#Min-Disk: /var 10T", "#MIN_DISK: /var 10T", "#min-disk : /var 10T"]
)
def test_a_field_that_is_almost_right_does_not_pass_for_prose(line: str) -> None:
    _, problems = parse(line)
    assert len(problems) == 1
    assert "did you mean min-disk?" in problems[0]


@pytest.mark.parametrize(
    "line",
    [
        "# timeout: 5m",
        "#",
        "##",
        "#----",
        "# -*- coding: utf-8 -*-",
        "# vim: ts=4",
        "#Copyright: nobody",
        "#!timeout: 5m",
        "#5: x",
    ],
)
def test_prose_is_no_header(line: str) -> None:
    assert parse(line) == (PLAIN, [])


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\n\n# Licence\n#name: Step\n# more\n#description: Does it.\nset -e\n#timeout: soon\n",
        "#name: Step\n#description: Does it.",
        "#!/bin/sh\n#name:Step\n#description:\t Does it. \t\n",
    ],
)
def test_the_first_block_of_comments_counts(text: str) -> None:
    assert parse_header(text, "a") == (PLAIN, [])


def test_spaces_in_a_text_are_made_one() -> None:
    header, problems = header_from_mapping({"name": "a\tb", "description": "two\nlines\n"}, "a")
    assert (header.name, header.description, problems) == ("a b", "two lines", [])


def test_a_line_ends_where_the_file_ends_it() -> None:
    header, problems = parse("#risk: one\x0ctwo\u2028three", "#timeout: 5m")
    assert (header.risk, header.timeout, problems) == ("one two three", 300, [])


def test_lists_in_yaml_are_for_what_may_be_repeated() -> None:
    header, problems = header_from_mapping(
        {"name": "x", "description": "y", "apply": ["a", "b"], "inputs": ["/a", "/b"], "min-disk": ["/a 1K"]},
        "a",
    )
    assert (header.apply, header.inputs, len(header.min_disk), problems) == (("a", "b"), ("/a", "/b"), 1, [])


@pytest.mark.parametrize("value", [None, {"a": 1}, ["a"], []])
def test_what_is_no_text_in_yaml_is_told(value: Any) -> None:
    _, problems = header_from_mapping({"name": value, "description": "y", "risk": value}, "a")
    assert [problem.what for problem in problems] == ["name is empty", "risk is empty"]


def test_unknown_keys_in_yaml_are_told() -> None:
    _, problems = header_from_mapping({"name": "x", "description": "y", "min_disk": "/a 1K", 5: 1}, "a")  # type: ignore[dict-item]
    assert [str(problem) for problem in problems] == [
        "a: unknown header field min_disk (did you mean min-disk?)",
        "a: unknown header field 5 (prose takes a space after the #)",
    ]


def test_a_field_after_an_empty_line_is_a_problem_and_not_prose() -> None:
    text = "#!/bin/sh\n#name: a\n#description: b\n\n# prose\n#risk: drops everything\n#note: not ours\necho\n#timeout: 3\n"
    header, problems = parse_header(text, "f")
    assert header.risk is None
    assert [str(problem) for problem in problems] == [
        "f:6: risk stands after the header's end, an empty line"
    ]
