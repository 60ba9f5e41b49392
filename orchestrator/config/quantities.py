# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations (`30s`, `5m`, `2h`, `1h30m`) and sizes (`512M`, `10G`) as people write them."""

import math
import re
from typing import Any

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE | re.ASCII)
_SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_duration(value: Any) -> float:
    """Seconds of what somebody wrote for a duration; a bare number is seconds.

    Raises ValueError with a message for the user.
    """
    seconds = math.nan
    if isinstance(value, str):
        seconds = _seconds(value.strip())
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(str(value))  # a whole number may be too large for float() itself
    if not math.isfinite(seconds):
        raise ValueError(f"{value!r} is not a duration (like 30s, 5m, 2h)")
    if seconds < 0:
        raise ValueError(f"{value!r} is negative")
    return seconds


def _seconds(text: str) -> float:
    """NaN when the text is no duration."""
    if _NUMBER.fullmatch(text):
        return float(text)
    match = _DURATION.fullmatch(text)
    if not text or not match:
        return math.nan
    days, hours, minutes, seconds, milliseconds = (float(number or 0) for number in match.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def parse_size(text: str) -> int:
    """Bytes of `text` (powers of 1024); a bare number is bytes. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    size = float(match[1]) * _SIZE_UNITS[match[2].upper()] if match else math.inf
    if not math.isfinite(size):
        raise ValueError(f"{text!r} is not a size (like 512M, 10G)")
    return int(size)


def show_duration(seconds: float) -> str:
    """A short human form: `0.2 s`, `42 s`, `3 min 05 s`, `1 h 02 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def show_size(size: float) -> str:
    """A short human form in powers of 1024: `512 B`, `1.5 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
