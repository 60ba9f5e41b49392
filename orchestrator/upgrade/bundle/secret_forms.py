# SPDX-License-Identifier: GPL-3.0-or-later
"""A known secret in all the dress it is met in: quoted, escaped and encoded. Pure."""

import base64
import html
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

# What is shorter is a word or a number that stands in any text ("admin", "8080", "true"): to remove it everywhere
# would take away what the text says. It is still removed where a name tells what it is (`password: abc`).
SHORTEST = 6
# What bash's printf %q puts a backslash before, what careful people do, and what patterns need.
_ESCAPED = [re.compile(one) for one in (r"([^\w%+./:=@-])", r"([^\w%+,./:=@-])", r"([\W_])")]
_SPECIAL_IN_QUOTES = re.compile(r'([\\"$`])')


def forms(value: str) -> set[str]:
    """Every string to look for; empty for a value that is too short."""
    if len(value) < SHORTEST:
        return set()
    plain = {value, *value.split("\n")}
    dressed = {form for text in plain if len(text) >= SHORTEST for form in (text, *_dressed(text))}
    return {form for form in dressed if len(form) >= SHORTEST}


def _dressed(value: str) -> Iterator[str]:
    raw = value.encode("utf-8", "surrogateescape")
    yield from _in_json(value)
    for text in (quote(raw, safe=""), quote(raw), quote_plus(raw), quote(raw, safe="!$&'()*+,;=:@/~")):
        yield from (text, _lower_escapes(text))
    yield from _in_shell(value)
    yield from _in_markup(value)
    yield from (value.replace("'", "''"), value.replace("%", "%%"), value.replace("$", "$$"))
    yield repr(value)[1:-1]
    yield from (raw.hex(), raw.hex().upper())
    yield from _in_base64(raw)


def _in_json(value: str) -> Iterator[str]:
    """Also in a JSON string that is in a JSON string."""
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield from (once, once.replace("/", "\\/"), json.dumps(once, ensure_ascii=ascii_only)[1:-1])


def _lower_escapes(text: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), text)


def _in_shell(value: str) -> Iterator[str]:
    quoted = shlex.quote(value)
    yield quoted[1:-1] if quoted != value else value
    yield value.replace("'", "'\\''")
    yield from (special.sub(r"\\\1", value) for special in _ESCAPED)
    yield _SPECIAL_IN_QUOTES.sub(r"\\\1", value)


def _in_markup(value: str) -> Iterator[str]:
    text = html.escape(value, quote=False)
    yield from (text, html.escape(value))
    yield text.replace('"', "&#34;").replace("'", "&#39;")
    yield text.replace('"', "&quot;")
    yield text.replace('"', "&quot;").replace("'", "&apos;")


def _in_base64(raw: bytes) -> Iterator[str]:
    """The part that is the same whatever stands before and after it (`user:` in basic authentication)."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode()
        core = encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        yield from (core, core.replace("+", "-").replace("/", "_"))


def searching(values: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern that finds every form of all values, the longest where several begin."""
    found = {form for value in values for form in forms(value)}
    beginnings: dict[str, list[str]] = {}
    for form in sorted(found, key=lambda form: (-len(form), form)):
        beginnings.setdefault(form[0], []).append(re.escape(form[1:]))
    if not beginnings:
        return None
    return re.compile("|".join(f"{re.escape(c)}(?:{'|'.join(rest)})" for c, rest in beginnings.items()))
