# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenPGP signatures of repository metadata: verified and made with pysequoia, without gpg.

One good signature by a key of the keyring is enough: archives sign with several keys, of which a client may
know one. Good means by today's measure, as apt takes it: the key has neither expired nor been revoked, and no
broken hash is involved (Sequoia's standard policy). Fingerprints are written as gpg writes them, in capitals.
"""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import BadContent, Invalid, Problem
from orchestrator.host import clock

if TYPE_CHECKING:
    from pysequoia import Cert, Tsk
    from pysequoia.packet import Packet

# One cleartext-signed text and nothing else (RFC 9580, section 7): only Hash headers, for others would be
# unsigned text before the signed one; no line of the text starts with a dash that is not escaped.
_CLEAR = re.compile(
    rb"-----BEGIN PGP SIGNED MESSAGE-----[ \t]*\r?\n"
    rb"(?:Hash:[ \t]*[\w, -]+\r?\n)*[ \t]*\r?\n"
    rb"(?:(?:- [^\n]*|[^-\n][^\n]*)?\n)*"
    rb"(?P<signature>-----BEGIN PGP SIGNATURE-----[ \t]*\r?\n(?:[^-\n][^\n]*\n|\n)*-----END PGP SIGNATURE-----)"
    rb"\s*",
)
_KEYBOX = b"KBXf"  # at offset 8 of a gpg keybox
_READABLE_BY_OTHERS = stat.S_IROTH | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class _KnownKey:
    """A primary key or subkey that may sign. `refusal` says why it may not any more, or is empty."""

    certificate: str
    refusal: str


class Keyring:
    """The certificates that may sign one source's metadata."""

    def __init__(self, certificates: "Sequence[Cert]") -> None:
        self._certificates = list(certificates)
        self._known = {key: known for certificate in certificates for key, known in _keys(certificate)}

    @classmethod
    def load(cls, paths: Sequence[Path]) -> "Keyring":
        """Raises Invalid naming each file that is missing or holds no certificate."""
        certificates: list[Cert] = []
        problems: list[Problem] = []
        for path in paths:
            try:
                certificates += _read_certificates(path)
            except (OSError, ValueError) as error:
                what = error.strerror or str(error) if isinstance(error, OSError) else str(error)
                problems.append(Problem(str(path), what))
        if problems:
            raise Invalid("keys cannot be read", problems=problems)
        return cls(certificates)

    def armoured(self) -> bytes:
        """All certificates in one armour, for clients."""
        from pysequoia import ArmorKind, armor

        return armor(b"".join(map(bytes, self._certificates)), ArmorKind.PublicKey).encode()

    def verify_clear(self, data: bytes, name: str) -> tuple[bytes, tuple[str, ...]]:
        """The text inside a clear-signed file, and the fingerprints of who signed it.

        The text is what was signed: without the dashes' escapes, every line with its newline, and without
        blanks at the ends of lines, which cleartext signatures do not cover. Raises BadContent, naming
        `name`: not one clear-signed text and nothing else, or no good signature.
        """
        import pysequoia

        framed = _CLEAR.fullmatch(data)
        if framed is None:
            raise BadContent(f"{name} is not one clear-signed text and nothing else")
        try:
            result = pysequoia.verify(data, self._all)
        except (RuntimeError, ValueError) as error:
            raise self._bad(framed["signature"], name, error) from None
        signers = self._good(result.valid_sigs)
        if not signers:
            raise self._bad(framed["signature"], name)
        return (result.bytes or b"") + b"\n", signers

    def verify_detached(self, data: bytes, signature: bytes, name: str) -> tuple[str, ...]:
        """The fingerprints of who signed `data`; `signature` armoured or not. Raises BadContent."""
        import pysequoia

        signers: dict[str, None] = {}
        reason: Exception | None = None
        for packet in _signature_packets(signature, name):
            try:
                one = pysequoia.Sig.from_bytes(bytes(packet))
                result = pysequoia.verify(bytes=data, store=self._all, signature=one)
            except (RuntimeError, ValueError) as error:
                reason = error
                continue
            signers |= dict.fromkeys(self._good(result.valid_sigs))
        if not signers:
            raise self._bad(signature, name, reason)
        return tuple(signers)

    def _all(self, _: object) -> "list[Cert]":
        return self._certificates

    def _good(self, valid: Sequence[Any]) -> tuple[str, ...]:
        """Sequoia judges a key at the time of the signature: what expired since is sorted out here."""
        found = (self._known.get(signature.signing_key[-16:]) for signature in valid)
        return tuple(dict.fromkeys(known.certificate for known in found if known and not known.refusal))

    def _bad(self, signature: bytes, name: str, reason: Exception | None = None) -> BadContent:
        """Why none of the signatures counts, as far as can be told."""
        whys = list(dict.fromkeys(self._why_not(packet) for packet in _signature_packets(signature, name)))
        if not whys:
            whys = [_first_line(reason) if reason else "it holds no signature"]
        return BadContent(f"{name} has no good signature: {'; '.join(whys)}")

    def _why_not(self, packet: "Packet") -> str:
        issuer = packet.issuer_fingerprint or packet.issuer_key_id or ""
        known = self._known.get(issuer[-16:])
        if known is None:
            return f"signed by {issuer.upper() or 'an unnamed key'}, which is not in keys"
        if known.refusal:
            return known.refusal
        algorithm = str(packet.hash_algorithm).rpartition(".")[2]
        if algorithm in ("SHA1", "MD5", "RipeMD"):
            return f"the signature by {known.certificate} uses {algorithm}, which can be forged"
        expiration = packet.signature_expiration_time
        if expiration is not None and expiration.timestamp() <= clock.now().timestamp():
            return f"the signature by {known.certificate} expired at {expiration:%Y-%m-%d}"
        return f"the signature by {known.certificate} does not fit the text, or its key is not fit to sign"


def _first_line(error: object) -> str:
    """Sequoia's errors come with a stack trace below the message."""
    return str(error).partition("\n")[0]


def _read_certificates(path: Path) -> "list[Cert]":
    """Raises OSError, and ValueError saying what is wrong with the file."""
    import pysequoia

    data = path.read_bytes()
    if data[8:12] == _KEYBOX:
        raise ValueError("a keybox of gpg; write its keys with gpg --export")
    try:
        certificates = list(pysequoia.Cert.split_bytes(data))
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"holds no OpenPGP certificate: {_first_line(error)}") from None
    if not certificates:
        raise ValueError("holds no OpenPGP certificate")
    return certificates


def _keys(certificate: "Cert") -> Iterator[tuple[str, _KnownKey]]:
    """The keys of a certificate under their key IDs."""
    from pysequoia.packet import PacketPile, SignatureType, Tag

    name = certificate.fingerprint.upper()
    whole = _refusal_of_certificate(certificate, name)
    key, binding, revoked = None, None, False
    for packet in PacketPile.from_bytes(bytes(certificate)):
        if packet.tag in (Tag.PublicKey, Tag.PublicSubkey, Tag.SecretKey, Tag.SecretSubkey):
            if key is not None:
                yield str(key.key_id), _KnownKey(name, whole or _refusal_of_subkey(key, binding, revoked))
            key, binding, revoked = packet, None, False
        elif packet.signature_type == SignatureType.SubkeyBinding:
            if binding is None or _made(packet) >= _made(binding):
                binding = packet
        elif packet.signature_type == SignatureType.SubkeyRevocation:
            revoked = True
    if key is not None:
        yield str(key.key_id), _KnownKey(name, whole or _refusal_of_subkey(key, binding, revoked))


def _made(packet: "Packet") -> float:
    created = packet.signature_created
    return created.timestamp() if created else 0.0


def _refusal_of_certificate(certificate: "Cert", name: str) -> str:
    try:
        expiration, revoked = certificate.expiration, certificate.is_revoked
    except RuntimeError:  # nothing that binds its parts together is to be trusted: SHA-1, most often
        return f"the key {name} is too weak to be trusted"
    if revoked:
        return f"the key {name} was revoked"
    if expiration is not None and expiration.timestamp() <= clock.now().timestamp():
        return f"the key {name} expired at {expiration:%Y-%m-%d}"
    return ""


def _refusal_of_subkey(key: "Packet", binding: "Packet | None", revoked: bool) -> str:
    name = (key.fingerprint or "").upper()
    if revoked:
        return f"the key {name} was revoked"
    if binding is not None and binding.key_validity_period is not None and key.key_created is not None:
        expiration = key.key_created + binding.key_validity_period
        if expiration.timestamp() <= clock.now().timestamp():
            return f"the key {name} expired at {expiration:%Y-%m-%d}"
    return ""


def _signature_packets(data: bytes, name: str) -> "list[Packet]":
    from pysequoia.packet import PacketPile, Tag

    try:
        return [packet for packet in PacketPile.from_bytes(data) if packet.tag == Tag.Signature]
    except (RuntimeError, ValueError) as error:
        raise BadContent(f"{name}: its signature cannot be read: {_first_line(error)}") from None


class Signer:
    """A secret key that signs our own metadata."""

    def __init__(self, key: "Tsk") -> None:
        self._key = key
        self._signer = key.signer()
        self._certificate = key.extract_certificate()

    @classmethod
    def load(cls, path: Path) -> "Signer":
        """Raises Invalid: missing, no secret key, one that needs a passphrase, or a file others may read."""
        import pysequoia

        try:
            descriptor = os.open(path, os.O_RDONLY)
            with open(descriptor, "rb") as stream:
                mode, data = os.fstat(descriptor).st_mode, stream.read()
        except OSError as error:
            raise _unfit(path, error.strerror or str(error)) from None
        if mode & _READABLE_BY_OTHERS:
            raise _unfit(
                path, "every user of this host may read or change this secret key", f"chmod 600 {path}"
            )
        if not _holds_secret(data):
            raise _unfit(path, "holds no OpenPGP secret key")
        try:
            return cls(pysequoia.Tsk.from_bytes(data))
        except (RuntimeError, ValueError) as error:
            raise _unfit(path, *_explain_secret(error)) from None

    @property
    def fingerprint(self) -> str:
        return str(self._certificate.fingerprint).upper()

    def certificate(self) -> bytes:
        """The armoured public key, for clients."""
        return str(self._certificate).encode()

    def sign_clear(self, data: bytes) -> bytes:
        from pysequoia import SignatureMode, sign

        # The newline before the signature is not part of the signed text; Sequoia would add one more.
        return bytes(sign(self._signer, data.removesuffix(b"\n"), mode=SignatureMode.CLEAR))

    def sign_detached(self, data: bytes) -> bytes:
        """An armoured signature."""
        from pysequoia import SignatureMode, sign

        return bytes(sign(self._signer, data, mode=SignatureMode.DETACHED))


def _holds_secret(data: bytes) -> bool:
    from pysequoia.packet import PacketPile, Tag

    try:
        return any(packet.tag == Tag.SecretKey for packet in PacketPile.from_bytes(data))
    except (RuntimeError, ValueError):
        return False


def _explain_secret(error: Exception) -> tuple[str, str]:
    text = _first_line(error)
    if "encrypted" in text:
        return "needs a passphrase", "give a key without one, readable by its owner alone"
    if "keyring" in text:
        return "holds more than one key", "export one: gpg --export-secret-keys FINGERPRINT"
    if "No suitable signing" in text:
        return "holds no key that may sign now", "it has expired, was revoked, or only certifies"
    return text, ""


def _unfit(path: Path, what: str, hint: str = "") -> Invalid:
    return Invalid(f"{path} cannot sign", problems=[Problem(str(path), what, hint)])
