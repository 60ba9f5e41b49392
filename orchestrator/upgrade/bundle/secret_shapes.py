# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that are known by their shape, or by the command they are given to. Pure."""

import base64
import binascii
import re
from collections.abc import Iterator

from orchestrator.upgrade.bundle.secret_values import REMOVED, Span

# Something of each shape, in lower case: a line with none of these is not looked at.
_SIGNS = (
    *(
        "://",
        "bearer",
        "basic",
        "negotiate",
        "digest",
        "token",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat_",
    ),
    *(
        "glpat-",
        "gldt-",
        "glrt-",
        "glcbt-",
        "glptt-",
        "glft-",
        "glsoat-",
        "glagent-",
        "glimt-",
        "gloas-",
        "glsid-",
    ),
    *(
        "glffct-",
        "akia",
        "asia",
        "xox",
        "eyj",
        "sk-",
        "k_live_",
        "k_test_",
        "aiza",
        "npm_",
        "pypi-",
        "hvs.",
        "hvb.",
    ),
    *(
        "hvr.",
        "sg.",
        "dop_v1_",
        "age-secret-key-",
        "$",
        "mysql",
        "mariadb",
        "sshpass",
        "redis-cli",
        "curl",
        "ldap",
    ),
    *("openssl", "passw", "identified", "requirepass", "masterauth", "thin:"),
)
_SHAPES = (
    r"gh[pousr]_[A-Za-z0-9]{20,}",
    r"github_pat_\w{20,}",
    r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|imt|oas|sid|ffct)-[\w.-]{16,}",
    r"(?:AKIA|ASIA)[0-9A-Z]{16}",
    r"xox[a-z]-[\w-]{10,}",
    r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)*",
    r"sk-[\w-]{20,}",
    r"[sr]k_(?:live|test)_\w{10,}",
    r"AIza[\w-]{30,}",
    r"npm_[A-Za-z0-9]{30,}",
    r"pypi-[\w-]{30,}",
    r"hv[sbr]\.[\w-]{20,}",
    r"SG\.[\w-]{16,}\.[\w-]{16,}",
    r"dop_v1_[0-9a-f]{32,}",
    r"AGE-SECRET-KEY-1[0-9A-Z]{40,}",
    r"(?<![\w$])\$(?:[1567y]|2[abxy]?|gy|sha1|md5|argon2\w*|pbkdf2[\w-]*|scrypt)\$(?:[\w./$=+-]|,(?=[a-z]=)){16,}",  # crypt(5)
)
_TOKEN = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_SHAPES)})")
_SCHEME = re.compile(r"\b(bearer|basic|negotiate|digest|token)\s{1,4}([\w.~+/-]{6,}=*)", re.IGNORECASE)
# Everything before the last @ of a word that begins like an address, unless it can only be a port and a path.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,40}://([^\s\"'<>\\]{0,512})@")
_HOST_AND_PORT = re.compile(r"[^\s/@]*?(?::\d{0,5})?(?:[/?#]|$)")
_COMMANDS = (
    re.compile(r"\b(?:mysql\w*|mariadb\S*|sshpass)\b.{0,200}?\s-p\s?(?P<value>[^\s-]\S*)"),
    re.compile(r"\bredis-cli\b.{0,200}?\s-a\s+(?P<value>\S+)"),
    re.compile(
        r"\bcurl\b.{0,400}?\s(?:-u|--user|-U|--proxy-user)[\s=]?\s*[\"']?[^\s:\"']*:(?P<value>[^\s\"']+)"
    ),
    re.compile(r"\bldap\w+\b.{0,200}?\s-w\s*(?P<value>[^\s-]\S*)"),
    re.compile(r"\bopenssl\b.{0,400}?\spass:(?P<value>\S+)"),
    re.compile(r"^\s*(?:requirepass|masterauth)\s+(?P<value>\S.*)", re.IGNORECASE),
    re.compile(r"\bidentified\s+(?:with\s+\S+\s+)?by\s+(?:password\s+)?'(?P<value>[^']+)'", re.IGNORECASE),
    re.compile(
        r"(?:\blogin\s+\S+\s+|^\s*)password\s+(?P<value>\S+)(?=\s*$|\s+(?:account|machine|macdef)\b)"
    ),  # netrc
    re.compile(r"\bthin:[^\s/:@]+/(?P<value>[^\s@]+)@"),
)
_PGPASS = re.compile(r"(?:[^:\s#]|\\:){1,255}:(?:\d{1,5}|\*):[^:\s]+:(?:[^:\s\\]|\\.)+:(?P<value>\S.*)")
_PAIRS_OF_DIGITS = re.compile(r"(?:[0-9a-f]{2}:)+[0-9a-f]{2}", re.IGNORECASE)


def shaped_values(line: str) -> Iterator[Span]:
    """They may overlap."""
    lower = line.lower()
    if not any(sign in lower for sign in _SIGNS):
        return
    yield from (Span(*found.span()) for found in _TOKEN.finditer(line))
    yield from _schemes(line)
    if "@" in line and "://" in line:
        yield from _addresses(line)
    for command in _COMMANDS:
        yield from (
            Span(*found.span("value")) for found in command.finditer(line) if found["value"] != REMOVED
        )


def pgpass_values(line: str) -> Iterator[Span]:
    found = _PGPASS.fullmatch(line)
    if found and found["value"] != REMOVED and not _PAIRS_OF_DIGITS.fullmatch(line.strip()):
        yield Span(*found.span("value"))


def _schemes(line: str) -> Iterator[Span]:
    """What follows the name of an authentication scheme, unless it is a word ("Basic settings")."""
    for found in _SCHEME.finditer(line):
        value = found[2]
        secret = _is_pair(value) if found[1].lower() == "basic" else _looks_random(value)
        if secret:
            yield Span(*found.span(2))


def _is_pair(text: str) -> bool:
    """Whether it is `user:password` in base64."""
    try:
        return b":" in base64.b64decode(
            text + "=" * (-len(text) % 4), altchars=b"-_" if "-" in text else None
        )
    except binascii.Error:
        return False


def _looks_random(text: str) -> bool:
    mixed = any(c.isupper() for c in text[1:]) and any(c.islower() for c in text)
    return len(text) >= 24 or (len(text) >= 8 and (mixed or any(c.isdigit() for c in text)))


def _addresses(line: str) -> Iterator[Span]:
    """The password in `scheme://user:password@host`; a user that is a token."""
    for found in _ADDRESS.finditer(line):
        told = found[1]
        if "/" in told and _HOST_AND_PORT.match(told):
            host = told.partition("/")[0]
            if "@" not in host and (":" not in host or host.rpartition(":")[2].isdigit()):
                continue
            if "@" in host:
                told = host.rpartition("@")[0]
        user, colon, password = told.partition(":")
        begin = found.start(1)
        if colon and password and password != REMOVED:
            yield Span(begin + len(user) + 1, begin + len(told))
        elif not colon and len(user) >= 20:
            yield Span(begin, begin + len(user))
