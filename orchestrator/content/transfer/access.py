# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of libcurl: those of every request, and those an `Access` adds where its secrets may go."""

import os
from pathlib import Path
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


def new_handle(common: Common) -> Any:
    """A handle with the options that all requests have."""
    import pycurl

    easy = pycurl.Curl()
    easy.setopt(pycurl.NOSIGNAL, 1)
    easy.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    easy.setopt(pycurl.FOLLOWLOCATION, 0)
    easy.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
    easy.setopt(pycurl.HTTPAUTH, pycurl.HTTPAUTH_BASIC)
    easy.setopt(pycurl.USERAGENT, f"orchestrator/{__version__}")
    easy.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, round(common.connect_timeout * 1000)))
    easy.setopt(pycurl.LOW_SPEED_TIME, max(1, round(common.stall_timeout)))
    slowest = min(_STALLED, common.rate_limit // (2 * common.connections)) if common.rate_limit else _STALLED
    easy.setopt(pycurl.LOW_SPEED_LIMIT, max(1, slowest))
    easy.setopt(pycurl.BUFFERSIZE, min(_BUFFER, common.rate_limit) if common.rate_limit else _BUFFER)
    easy.setopt(pycurl.MAX_RECV_SPEED_LARGE, common.rate_limit)
    easy.setopt(pycurl.TCP_KEEPALIVE, 1)
    return easy


def apply(easy: Any, standing: Standing, common: Common) -> None:
    """Give `easy` the options of `standing`, and take away those of the request before.

    Raises Invalid when the password cannot be read.
    """
    import pycurl

    access = standing.access
    entry = access if standing.own else Access()
    login = standing.userinfo or (_login(entry) if entry.user else None)
    _set(easy, pycurl.USERPWD, None)
    _set(easy, pycurl.USERNAME, login and login[0])
    _set(easy, pycurl.PASSWORD, login and login[1])
    _set(easy, pycurl.NETRC_FILE, entry.netrc)
    easy.setopt(pycurl.NETRC, pycurl.NETRC_OPTIONAL if entry.netrc else pycurl.NETRC_IGNORED)
    _set(easy, pycurl.SSLCERT, entry.client_certificate)
    _set(easy, pycurl.SSLKEY, entry.client_key)
    _set(easy, pycurl.PROXY, access.proxy or (common.https_proxy if standing.tls else common.http_proxy))
    if standing.tls:
        _set(easy, pycurl.CAINFO, access.ca or _trusted())
    # Wait for a connection that may carry several requests at once instead of opening another.
    easy.setopt(pycurl.PIPEWAIT, int(standing.tls))


def headers_of(standing: Standing) -> tuple[str, ...]:
    """The header lines besides libcurl's own. The bytes are asked for as the file has them."""
    own = standing.access.headers if standing.own else ()
    return ("Accept-Encoding: identity", *(f"{name}: {value}" for name, value in own))


def _set(easy: Any, option: int, value: Path | str | None) -> None:
    if value:
        easy.setopt(option, os.fsencode(value))
    else:
        easy.unsetopt(option)


def _login(access: Access) -> tuple[str, str]:
    """User and password; the file's first line is the password."""
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
