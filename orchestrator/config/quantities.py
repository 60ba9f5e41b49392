# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations (`30s`, `5m`, `2h`, `1h30m`) and sizes (`512M`, `10G`) as people write them."""

import re

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_duration(text: str | float) -> float:
    """Seconds of `text`; a bare number is seconds.

    Raises ValueError with a message for the user.
    """
    if isinstance(text, bool):
        raise ValueError("not a duration (like 30s, 5m, 2h)")
    if isinstance(text, int | float):
        value = float(text)
    else:
        stripped = text.strip()
        match = _DURATION.fullmatch(stripped)
        if stripped.replace(".", "", 1).isdigit():
            value = float(stripped)
        elif stripped and match:
            days, hours, minutes, seconds, milliseconds = match.groups()
            value = int(days or 0) * 86400 + int(hours or 0) * 3600 + int(minutes or 0) * 60
            value += float(seconds or 0) + int(milliseconds or 0) / 1000
        else:
            raise ValueError(f"{text!r} is not a duration (like 30s, 5m, 2h)")
    if value < 0:
        raise ValueError(f"{text!r} is negative")
    return value


def parse_size(text: str | int) -> int:
    """Bytes of `text` (powers of 1024); a bare number is bytes. Raises ValueError."""
    if isinstance(text, bool):
        raise ValueError("not a size (like 512M, 10G)")
    if isinstance(text, int):
        return text
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a size (like 512M, 10G)")
    return int(float(match[1]) * _SIZE_UNITS[match[2].upper()])


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
