# SPDX-License-Identifier: GPL-3.0-or-later
"""Ed25519: the key that a server signs its exports with, the keys it trusts, and the verification of a manifest.

Signatures are detached and raw (64 bytes): `openssl pkeyutl -verify -pubin -inkey KEY -rawin` verifies them too.
A key is known by the first 16 hex digits of the SHA-256 of its 32 public bytes. No medium carries a public key:
whom to trust has to come from somewhere else than what is to be trusted.
"""

import contextlib
import hashlib
import os
import re
import stat
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import BadContent, Invalid, Refused
from orchestrator.host.files import fsync_directory, make_directory, replace_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNATURE_BYTES = 64
_LARGEST_KEY = 65_536
_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SIGNER = re.compile(rb'"signer": ?"([0-9a-f]{16})"')
_NEW_KEY = "make one: openssl genpkey -algorithm ed25519 -out KEY"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The 32 bytes of an Ed25519 public key."""

    raw: bytes

    @property
    def id(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()[:16]

    @property
    def pem(self) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def fits(self, signature: bytes, data: bytes) -> bool:
        """Whether this key made the signature of just these bytes."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    public: PublicKey
    _secret: "Ed25519PrivateKey" = field(repr=False)

    def sign(self, data: bytes) -> bytes:
        return self._secret.sign(data)


def _signing_key(secret: "Ed25519PrivateKey") -> SigningKey:
    return SigningKey(PublicKey(secret.public_key().public_bytes_raw()), secret)


def server_key(path: Path, warn: Callable[[str], None] = lambda _: None) -> SigningKey:
    """The server's own key, made when there is none. Raises as `load_key`, and OSError."""
    if not path.exists():
        _make_key(path)
    return load_key(path, warn)


def _make_key(path: Path) -> None:
    """Give `path` a new key, whole, unless somebody else does at the same moment: then there is that one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    secret = Ed25519PrivateKey.generate()
    make_directory(path.parent, 0o700)
    own = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    replace_file(own, secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
    with contextlib.suppress(FileExistsError):
        os.link(own, path)
    own.unlink()
    fsync_directory(path.parent)


def load_key(path: Path, warn: Callable[[str], None] = lambda _: None) -> SigningKey:
    """The private key in a PEM file. `warn` is told when others may read it.

    Raises Invalid when it is none, or of another kind, and Refused when it needs a passphrase.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data, mode = _read(path)
    if mode & _OPEN_TO_OTHERS:
        warn(f"{path} is a secret key that others may read: chmod 600 {path}")
    try:
        key = load_pem_private_key(data, None)
    except TypeError:
        raise Refused(
            f"{path} is protected by a passphrase, which nobody can be asked for here",
            hint=f"sign with a copy without one: openssl pkey -in {path} -out COPY",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise Invalid(
            f"{path} is {_kind_of(data)}, not an Ed25519 private key in PEM", hint=_NEW_KEY
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Invalid(f"{path} is {_algorithm(key)}, not an Ed25519 private key", hint=_NEW_KEY)
    return _signing_key(key)


def load_public_key(path: Path) -> PublicKey:
    """The public key in a PEM file. Raises Invalid when it is none, or of another kind."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    data, _ = _read(path)
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        hint = "take the public key of who signs: openssl pkey -in KEY -pubout"
        raise Invalid(f"{path} is {_kind_of(data)}, not an Ed25519 public key in PEM", hint=hint) from None
    if not isinstance(key, Ed25519PublicKey):
        raise Invalid(f"{path} is {_algorithm(key)}, not an Ed25519 public key")
    return PublicKey(key.public_bytes_raw())


def _read(path: Path) -> tuple[bytes, int]:
    """The bytes of a key, and the mode of its file. Raises Invalid."""
    try:
        with path.open("rb") as stream:
            return stream.read(_LARGEST_KEY), os.fstat(stream.fileno()).st_mode
    except OSError as error:
        raise Invalid(f"the key {path} cannot be read: {error.strerror}") from None


def _kind_of(data: bytes) -> str:
    """What a file is that is no PEM key of the kind asked for, for people."""
    for mark, kind in (
        (b"-----BEGIN OPENSSH PRIVATE KEY", "an OpenSSH private key"),
        (b"-----BEGIN PGP", "an OpenPGP key"),
        (b"-----BEGIN CERTIFICATE", "a certificate"),
        (b"-----BEGIN PUBLIC KEY", "a public key"),
        (b"PRIVATE KEY-----", "a private key"),
        (b"ssh-", "an OpenSSH public key"),
    ):
        if mark in data:
            return kind
    return "no key"


def _algorithm(key: object) -> str:
    """`a key of RSA`, from the name of cryptography's class for it."""
    name = type(key).__name__.removeprefix("_")
    for end in ("PrivateKey", "PublicKey"):
        name = name.removesuffix(end)
    return f"a key of {name}"


class Trusted:
    """The public keys whose exports this server imports: a directory of PEM files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def keys(self) -> Mapping[str, PublicKey]:
        """By their ids. Raises Invalid naming a file that is no key."""
        found = [load_public_key(path) for path in sorted(self.directory.glob("*.pem"))]
        return {key.id: key for key in found}

    def trust(self, path: Path) -> PublicKey:
        """Add the public key in `path`, durably. Raises Invalid."""
        key = load_public_key(path)
        make_directory(self.directory)
        replace_file(self.directory / f"{key.id}.pem", key.pem)
        return key

    def remove(self, key_id: str) -> PublicKey:
        """Trust the key no longer whose id begins so. Raises Refused when there is not just one."""
        there = [key for known, key in self.keys().items() if known.startswith(key_id.lower())]
        if len(there) != 1 or not key_id:
            known = ", ".join(self.keys()) or "none"
            what = "several trusted keys" if len(there) > 1 else "no trusted key"
            raise Refused(f"{what} begins with {key_id!r} (there: {known})")
        for path in self.directory.glob("*.pem"):
            if load_public_key(path) == there[0]:
                path.unlink()
        fsync_directory(self.directory)
        return there[0]


def verify(
    manifest: bytes,
    signature: bytes,
    trusted: Trusted,
    extra: Iterable[Path] = (),
    *,
    name: str = "the manifest",
) -> PublicKey:
    """The trusted key that signed `manifest`; those in the files `extra` are trusted this once.

    Nothing of it is read before that but who says to have signed it: it may be anybody's. Raises Refused when that one
    is not trusted, and BadContent when the signature is not of that key and these bytes. `name` is what messages call
    it.
    """
    known = {**trusted.keys(), **{key.id: key for key in map(load_public_key, extra)}}
    signer = _signer(manifest, name)
    if len(signature) != SIGNATURE_BYTES:
        raise BadContent(f"{name} has no signature, or half of one")
    if signer not in known:
        raise Refused(
            f"{name} is signed with the key {signer}, which is not trusted here",
            hint=f"get that key from who exported it, not from the medium, and: orchestrator import trust "
            f"{signer}.pem",
        )
    if not known[signer].fits(signature, manifest):
        raise BadContent(f"{name} was changed after it was signed: the signature of {signer} does not fit")
    return known[signer]


def _signer(manifest: bytes, name: str) -> str:
    """The id that stands there once, as text: within the values of JSON no such quotes stand."""
    found = set(_SIGNER.findall(manifest))
    if len(found) != 1:
        raise BadContent(f"{name} does not say who signed it")
    signer: bytes = found.pop()
    return signer.decode()
