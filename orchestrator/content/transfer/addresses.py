# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses: paths quoted into them, user and password taken out of them, whose host they are on."""

import functools
import re
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

# What RFC 3986 lets stand in a path. Not `%`: a file whose name holds `%3a` is asked for as `%253a`.
_KEPT_IN_PATHS = "/:@!$&'()*+,;=~"
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")
_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    scheme: str
    host: str
    port: int | None


def quoted(path: str) -> str:
    """A path of a tree as it stands in an address."""
    return quote(path, safe=_KEPT_IN_PATHS, errors="surrogateescape")


def origin_of(url: str) -> Origin:
    """Scheme, host and port; of an address that cannot be read, one that no other address has."""
    end = url.find("/", url.find("://") + 3)
    return _origin_of(url if end < 0 else url[:end])


@functools.lru_cache(maxsize=1024)
def _origin_of(url: str) -> Origin:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return Origin("", url, None)
    return Origin(parts.scheme, (parts.hostname or "").rstrip("."), port)


def is_within(origin: Origin, owner: Origin) -> bool:
    """Whether what is meant for `owner` may be sent to `origin`: the same, or the same host's default port
    with TLS instead of without."""
    upgraded = owner == Origin("http", owner.host, 80) and origin == Origin("https", owner.host, 443)
    return bool(origin.host) and (origin == owner or upgraded)


def split_userinfo(url: str) -> tuple[str, tuple[str, str] | None]:
    """The address without user and password, and these."""
    if "@" not in url:
        return url, None
    match = _USERINFO.search(url)
    if match is None:
        return url, None
    user, _, password = match[0][:-1].partition(":")
    return url[: match.start()] + url[match.end() :], (unquote(user), unquote(password))


def shown(text: str) -> str:
    """`text`, an address or a message, without anybody's user and password."""
    return _USERINFO.sub("", text) if "@" in text else text
