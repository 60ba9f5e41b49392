# SPDX-License-Identifier: GPL-3.0-or-later
"""Signs and chips: what is told by colour is told by a shape and a word as well. Pure."""

from orchestrator.upgrade.report import wording
from orchestrator.upgrade.report.markup import Markup, tag
from orchestrator.upgrade.report.model import Verdict

# Strokes in a square of 16.
SIGNS = {
    "check": "M3 8.5L6.5 12L13 4.5",
    "cross": "M4 4L12 12M12 4L4 12",
    "alert": "M8 3V9.2M8 12.4V12.5",
    "stop": "M5 4V12M11 4V12",
    "play": "M5 3.5L12 8L5 12.5Z",
    "dash": "M4 8H12",
    "unknown": "M5.6 6A2.5 2.5 0 1 1 8 8.6V9.6M8 12.6V12.7",
    "dot": "M8 8V8.01",
    "again": "M12.6 8A4.6 4.6 0 1 1 11 4.4M11.2 2V4.8H8.4",
}
_OF_VERDICT = {
    Verdict.DONE: ("good", "check"),
    Verdict.LOSSES: ("warn", "alert"),
    Verdict.FAILURES: ("warn", "alert"),
    Verdict.REFUSED: ("warn", "stop"),
    Verdict.RUNNING: ("info", "play"),
    Verdict.STOPPED: ("bad", "cross"),
    Verdict.DIED: ("bad", "alert"),
}
_OF_STATUS = {
    "done": ("good", "check"),
    "not-applicable": ("none", "dash"),
    "running": ("info", "play"),
    "not run": ("none", "dot"),
    "later": ("warn", "again"),
    "stopped": ("warn", "stop"),
    "interrupted": ("warn", "unknown"),
    "unknown": ("warn", "unknown"),
    "up": ("good", "check"),
    "down": ("none", "dash"),
}


def symbol(name: str) -> Markup:
    return tag("symbol", tag("path", d=SIGNS[name]), id=f"sign-{name}", viewBox="0 0 16 16")


def sign(name: str) -> Markup:
    return tag("svg", tag("use", href=f"#sign-{name}"), class_="icon", aria_hidden="true")


def of_verdict(verdict: Verdict) -> tuple[str, str]:
    """Its tone and its sign."""
    return _OF_VERDICT[verdict]


def chip(status: str, *, tone: str = "") -> Markup:
    """A status as a sign and a word."""
    its_tone, name = _OF_STATUS.get(status, ("bad", "cross"))
    return tag("span", sign(name), wording.status(status), class_=f"chip {tone or its_tone}")
