# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenPGP signatures of repository metadata: verified and made with pysequoia, without gpg."""

from collections.abc import Sequence
from pathlib import Path


class Keyring:
    """The certificates that may sign one source's metadata."""

    def __init__(self, certificates: object) -> None:
        self._certificates = certificates

    @classmethod
    def load(cls, paths: Sequence[Path]) -> "Keyring":
        """Raises Invalid naming each file that is missing or holds no certificate."""
        raise NotImplementedError

    def verify_clear(self, data: bytes, name: str) -> tuple[bytes, tuple[str, ...]]:
        """The text inside a clear-signed file, and the fingerprints of who signed it.

        Raises BadContent, naming `name`: not one clear-signed text and nothing else, or no good signature.
        """
        raise NotImplementedError

    def verify_detached(self, data: bytes, signature: bytes, name: str) -> tuple[str, ...]:
        """The fingerprints of who signed `data`; `signature` armoured or not. Raises BadContent."""
        raise NotImplementedError


class Signer:
    """A secret key that signs our own metadata."""

    @classmethod
    def load(cls, path: Path) -> "Signer":
        """Raises Invalid: missing, no secret key, or one that needs a passphrase."""
        raise NotImplementedError

    @property
    def fingerprint(self) -> str:
        raise NotImplementedError

    def certificate(self) -> bytes:
        """The armoured public key, for clients."""
        raise NotImplementedError

    def sign_clear(self, data: bytes) -> bytes:
        raise NotImplementedError

    def sign_detached(self, data: bytes) -> bytes:
        """An armoured signature."""
        raise NotImplementedError
