# SPDX-License-Identifier: GPL-3.0-or-later
"""A throw-away OpenPGP key for made repositories."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Signer:
    """The secret key in a file. A value, so that it can be handed to other processes."""

    secret: Path

    @classmethod
    def make(cls, directory: Path) -> "Signer":
        """A new key, the public one beside it as key.asc (armoured) and keyring.gpg (binary)."""
        from pysequoia import Tsk

        key = Tsk.generate("Made for benchmarks <benchmarks@example.invalid>")
        secret = directory / "secret.asc"
        descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as stream:
            stream.write(str(key))
        certificate = key.extract_certificate()
        (directory / "key.asc").write_text(str(certificate))
        (directory / "keyring.gpg").write_bytes(bytes(certificate))
        return cls(secret)

    def clear(self, data: bytes) -> bytes:
        """`data` with its signature around it."""
        from orchestrator.content.signatures import Signer as OurSigner

        return OurSigner.load(self.secret).sign_clear(data)

    def detached(self, data: bytes) -> bytes:
        """An armoured signature of `data`."""
        from orchestrator.content.signatures import Signer as OurSigner

        return OurSigner.load(self.secret).sign_detached(data)
