# SPDX-License-Identifier: GPL-3.0-or-later
"""Time. Durations come from the monotonic clock; the wall clock is only ever shown and recorded."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)


def timestamp() -> str:
    """UTC in RFC 3339 with milliseconds: `2026-11-20T10:15:00.123Z`."""
    return now().replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def monotonic() -> float:
    return time.monotonic()


def since_boot() -> float:
    """Seconds since the kernel started, also those in which the machine slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def sleep(seconds: float) -> None:
    time.sleep(seconds)
