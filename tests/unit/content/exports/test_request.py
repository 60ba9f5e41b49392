# SPDX-License-Identifier: GPL-3.0-or-later
"""What people write for sizes of media and moments, and requests that contradict themselves."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.content.exports.request import (
    MEDIA,
    ExportRequest,
    parse_chunk_size,
    parse_moment,
    seconds_of,
)
from orchestrator.errors import Invalid

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", 0),
        ("0", 0),
        ("cd", 360_000 * 2048),
        ("dvd", 2_295_104 * 2048),
        ("DVD-DL", 4_171_712 * 2048),
        ("bd", 12_219_392 * 2048),
        ("4.7G", 4_700_000_000),
        ("4.7GB", 4_700_000_000),
        ("4.7 GiB", 4_700_000_000 * 1024**3 // 1000**3),
        ("700m", 700_000_000),
        ("1T", 10**12),
        ("65536", 65_536),
        ("0.1G", 100_000_000),
    ],
)
def test_a_size_is_that_of_the_medium_as_it_is_sold(text: str, size: int) -> None:
    assert parse_chunk_size(text) == size


@pytest.mark.parametrize(
    "text", ["4,7G", "-1", "dvd9", "1iB", "G", "1e9", "65535", "1K", "0.00001G", "\u0661G"]
)
def test_a_size_that_is_none_or_too_small_is_invalid(text: str) -> None:
    with pytest.raises(Invalid) as error:
        parse_chunk_size(text)
    assert error.value.hint


def test_every_kind_of_medium_is_whole_sectors() -> None:
    assert all(size % 2048 == 0 for size in MEDIA.values())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31", "2026-01-31T00:00:00.000Z"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"),
        ("2026-01-31T12:00:00.5+02:00", "2026-01-31T10:00:00.500Z"),
        ("2026-01-31 12:00", "2026-01-31T12:00:00.000Z"),
    ],
)
def test_moments_are_compared_in_utc(text: str, moment: str) -> None:
    assert parse_moment(text) == moment
    assert parse_moment(moment) == moment
    assert seconds_of("1970-01-01T00:01:00.900Z") == 60


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "", "0001-01-01T00:00:00+23:00"])
def test_what_is_no_moment_is_invalid(text: str) -> None:
    with pytest.raises(Invalid):
        parse_moment(text)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"since": "2026-12-01", "kind": "increment"}, "in the future"),
        ({"until": "2027-01-01"}, "in the future"),
        ({"kind": "increment", "since": "2026-02-01", "until": "2026-01-01"}, "begins"),
        ({"since": "2026-01-01"}, "built on nothing"),
        ({"base": "1"}, "built on nothing"),
        ({"kind": "increment", "base": "1", "since": "2026-01-01"}, "one base"),
        ({"names": ("a",)}, "no names"),
        ({"subject_kind": "view"}, "which view"),
        ({"subject_kind": "product", "names": ("p",), "version": 1}, "no versions"),
        ({"subject_kind": "view", "names": ("a", "b"), "version": 1}, "one view"),
        ({"subject_kind": "view", "names": ("a",), "version": 1, "environment": "dev"}, "one view"),
        ({"subject_kind": "view", "names": ("a",), "until": "2026-01-01"}, "as it is"),
        ({"format": "dir", "chunk_size": 10**9}, "not divided"),
        ({"format": "zip"}, "no format"),
        ({"chunk_size": 1000}, "too small"),
    ],
)
def test_a_request_that_contradicts_itself_is_invalid(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words) as error:
        ExportRequest(**fields).checked(NOW, "acme")
    assert error.value.hint


def test_a_request_gets_the_organization_of_the_server_and_moments_in_one_form() -> None:
    request = ExportRequest(kind="increment", since="2026-01-01", until="2026-02-01").checked(NOW, "acme")
    assert (request.organization, request.since, request.until) == (
        "acme",
        "2026-01-01T00:00:00.000Z",
        "2026-02-01T00:00:00.000Z",
    )
    assert ExportRequest(organization="other").checked(NOW, "acme").organization == "other"


def test_a_request_file_needs_no_subject() -> None:
    assert ExportRequest(subject_kind="view", request_file=Path("r.json")).checked(NOW, "acme").names == ()
