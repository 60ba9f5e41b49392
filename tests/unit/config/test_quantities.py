# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations and sizes as people write them, and as they are shown."""

import contextlib
import random
from typing import Any

import pytest

from orchestrator.config.quantities import parse_duration, parse_size, show_duration, show_size


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        ("1d2h3m4s", 93784),
        ("500ms", 0.5),
        ("1m500ms", 60.5),
        ("1.5s", 1.5),
        ("2s250ms", 2.25),
        (" 10s ", 10),
        ("90", 90),
        ("0.5", 0.5),
        (".5", 0.5),
        ("5.", 5),
        ("0", 0),
        ("0s", 0),
        (90, 90),
        (0.25, 0.25),
        (0, 0),
    ],
)
def test_a_duration_becomes_seconds(written: str | float, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        ".",
        "s",
        "5 m",
        "5min",
        "1m1h",
        "1s1s",
        "1e3",
        "-1s",
        "1,5s",
        "\u00b2",
        "\u0663s",
        "inf",
        "nan",
        "1" + "0" * 400,
        True,
        None,
        [],
        {},
        -1,
        -0.1,
        float("inf"),
        float("nan"),
        10**400,
    ],
)
def test_what_is_no_duration_is_refused_with_words(written: Any) -> None:
    with pytest.raises(ValueError, match=r"is not a duration \(like 30s, 5m, 2h\)|is negative"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("0", 0),
        ("512", 512),
        ("512B", 512),
        ("1K", 1024),
        ("1KB", 1024),
        ("1KiB", 1024),
        ("1 KiB", 1024),
        ("1.5k", 1536),
        ("512M", 512 << 20),
        ("10G", 10 << 30),
        ("2t", 2 << 40),
        (" 10G ", 10 << 30),
    ],
)
def test_a_size_becomes_bytes(written: str, size: int) -> None:
    assert parse_size(written) == size


@pytest.mark.parametrize(
    "written", ["", "G", "10X", "10P", "-1G", "1,5G", "1e3", "10GG", "9" * 400, "\u0663G"]
)
def test_what_is_no_size_is_refused_with_words(written: str) -> None:
    with pytest.raises(ValueError, match=r"is not a size \(like 512M, 10G\)"):
        parse_size(written)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0 s"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.95, "10 s"),
        (59.4, "59 s"),
        (59.5, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.4, "59 min 59 s"),
        (3599.9, "1 h 00 min"),
        (3720, "1 h 02 min"),
        (360000, "100 h 00 min"),
    ],
)
def test_a_duration_is_shown_short(seconds: float, shown: str) -> None:
    assert show_duration(seconds) == shown


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (100 << 10, "100 KiB"),
        (10 << 30, "10.0 GiB"),
        (5000 << 40, "5000.0 TiB"),
    ],
)
def test_a_size_is_shown_short(size: float, shown: str) -> None:
    assert show_size(size) == shown


def test_any_text_is_a_duration_and_a_size_or_refused() -> None:
    chance = random.Random(1)
    for _ in range(3000):
        text = "".join(chance.choices("0123456789.dhmsKMGTiB -+e\t\u00b2\u0663", k=chance.randint(0, 8)))
        for parse in (parse_duration, parse_size):
            with contextlib.suppress(ValueError):
                assert parse(text) >= 0
