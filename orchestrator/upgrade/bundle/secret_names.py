# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that mean a secret: `DB_PASSWORD`, `client-secret`, `apiKey`, `Authorization`. Pure."""

import re

# Something of each name, in lower case: text with none of these names no secret.
_SIGNS = (
    "pass",
    "pwd",
    "psk",
    "secret",
    "credential",
    "token",
    "key",
    "authorization",
    "cookie",
    "masterauth",
)
# Where one of these stands in a name, whatever its case, the name may mean a secret.
HINT = re.compile(
    r"passw|passphrase|passcode|secret|credential|token|api[_-]?key|(?:access|private|account|encryption|signing|"
    r"secret|shared|master|session|auth|client|license|ssl|tls|host)[_-]?key|authorization|cookie|"
    r"(?<![a-z])(?:pass|pwd|psk)(?![a-z])|dbpass|masterauth|requirepass",
    re.IGNORECASE,
)
# What is said of a secret, not the secret: password_file, tokenType, max-password-length.
_ABOUT = re.compile(
    r"(?:file|path|directory|command|url|passwordless|passwordauthentication|(?:load|import)_credential)$|"
    r"_(?:files|paths|dir|cmd|uri|endpoint|type|length|len|count|ttl|timeout|expiry|expires|expiration|expired|age|"
    r"days|policy|enabled|required|min|max|size|algorithm|hint|prompt|name|id|store|attempts|retries|limit|version|"
    r"format|location|encrypted|changed|only|samesite|authentication)$"
)
# Of these even the id opens a door.
_SECRET_ID = re.compile(r"(?:secret|session|token|cookie)_id$")
# Their values have blanks in them: they go as far as the line.
_HEADER = re.compile(r"(?:authorization|cookie)$")
_SPOKEN = re.compile(r"passw|pass[_.]?phrase|passcode|(?:^|_)(?:pass|pwd)$")


def may_name(text: str) -> bool:
    """A quick look whether `text` may name a secret at all."""
    lower = text.lower()
    return any(sign in lower for sign in _SIGNS)


def is_secret(name: str) -> bool:
    """Whether the value of something that is called so must not be shown."""
    if name in ("PWD", "OLDPWD"):  # where a shell is
        return False
    plain = _plain(name)
    return bool(HINT.search(name)) and (not _ABOUT.search(plain) or bool(_SECRET_ID.search(plain)))


def names_file(name: str) -> bool:
    """Whether its value is the path of a file that holds a secret."""
    plain = _plain(name)
    if plain in ("client_key", "signing_key", "netrc", "pgpass", "passfile"):
        return True
    stem = re.sub(r"_?(?:file|path)$", "", plain)
    return stem != plain and is_secret(stem)


def is_header(name: str) -> bool:
    return bool(_HEADER.search(_plain(name)))


def is_spoken(name: str) -> bool:
    """Whether its value may be of several words, as a passphrase is; a token is one."""
    return bool(_SPOKEN.search(_plain(name)))


def _plain(name: str) -> str:
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip("-_. "))
    return re.sub(r"[-.]", "_", name).lower()
