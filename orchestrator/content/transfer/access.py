# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of libcurl: those of every request, and those an `Access` adds where its secrets may go."""

import os
from typing import Any, NamedTuple

from orchestrator import __version__
from orchestrator.content.source import Access, Common
from orchestrator.errors import Invalid

_TRUSTED = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
# Below this many bytes a second, all through `stall_timeout`, nothing is coming any more.
_STALLED = 100
_BUFFER = 256 * 1024


class Standing(NamedTuple):
    """What decides the options of one request beside its address. `own`: it goes to the host that the access
    is for. `userinfo` stood in the address."""

    access: Access
    own: bool
    tls: bool
    userinfo: tuple[str, str] | None


def apply(easy: Any, standing: Standing, common: Common) -> None:
    """Give the handle `easy` all options that requests of this standing have, and none of those before.

    Raises Invalid when the password cannot be read.
    """
    import pycurl

    easy.reset()
    _apply_common(easy, common)
    access = standing.access
    entry = access if standing.own else Access()
    login = standing.userinfo or (login_of(entry) if entry.user else ("", ""))
    proxy = access.proxy or (common.https_proxy if standing.tls else common.http_proxy)
    values = {
        pycurl.USERNAME: login[0],
        pycurl.PASSWORD: login[1],
        pycurl.NETRC_FILE: entry.netrc,
        pycurl.SSLCERT: entry.client_certificate,
        pycurl.SSLKEY: entry.client_key,
        pycurl.PROXY: proxy,
        pycurl.CAINFO: (access.ca or _trusted()) if standing.tls else None,
    }
    for option, value in values.items():
        if value:
            easy.setopt(option, os.fsencode(value))
    if entry.netrc:
        easy.setopt(pycurl.NETRC, pycurl.NETRC_OPTIONAL)
    # Wait for a connection that may carry several requests at once instead of opening another.
    easy.setopt(pycurl.PIPEWAIT, int(standing.tls))


def _apply_common(easy: Any, common: Common) -> None:
    import pycurl

    rate, slowest = common.rate_limit, _STALLED
    if rate:
        slowest = max(1, min(_STALLED, rate // (2 * common.connections)))
    for option, value in {
        pycurl.NOSIGNAL: 1,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.FOLLOWLOCATION: 0,  # where it leads decides what may be sent along
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_2TLS,
        pycurl.HTTPAUTH: pycurl.HTTPAUTH_BASIC,
        pycurl.USERAGENT: f"orchestrator/{__version__}",
        pycurl.CONNECTTIMEOUT_MS: max(1, round(common.connect_timeout * 1000)),
        pycurl.LOW_SPEED_TIME: max(1, round(common.stall_timeout)),
        pycurl.LOW_SPEED_LIMIT: slowest,
        pycurl.BUFFERSIZE: max(1024, min(_BUFFER, rate)) if rate else _BUFFER,
        pycurl.MAX_RECV_SPEED_LARGE: rate,
        pycurl.TCP_KEEPALIVE: 1,
    }.items():
        easy.setopt(option, value)


def headers_of(standing: Standing) -> tuple[str, ...]:
    """The header lines besides libcurl's own. The bytes are asked for as the file has them."""
    own = standing.access.headers if standing.own else ()
    return ("Accept-Encoding: identity", *(f"{name}: {value}" for name, value in own))


def login_of(access: Access) -> tuple[str, str]:
    """User and password; the file's first line is the password. Raises Invalid when it cannot be read."""
    if access.password_file is None:
        return access.user, ""
    try:
        text = access.password_file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise Invalid(f"cannot read the password in {access.password_file}: {reason}") from None
    return access.user, text.partition("\n")[0].rstrip("\r")


def _trusted() -> str | None:
    """This machine's CA certificates; the library's own idea of them is that of where it was built."""
    named = os.environ.get("CURL_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    return named or next((path for path in _TRUSTED if os.path.exists(path)), None)
