# SPDX-License-Identifier: GPL-3.0-or-later
"""Throw-away OpenPGP keys, made by gpg in homes of their own, once for a test process; and gpg's own judgement.

`key("archive")` makes a key, or gives the one of that name again.
"""

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.support.requirements import require

Kind = Literal["plain", "subkey", "expired", "locked"]


@dataclass(frozen=True)
class Key:
    """`plain`: a primary key that signs; `subkey`: the primary certifies, a subkey signs; `expired`: a plain one
    that has been so for years; `locked`: a plain one under the passphrase "secret".

    `public` and `secret` are armoured; `public_file` and `secret_file` (mode 600) hold the same.
    """

    name: str
    fingerprint: str
    home: Path
    passphrase: str = ""

    @property
    def public_file(self) -> Path:
        return self.home / "public.asc"

    @property
    def secret_file(self) -> Path:
        return self.home / "secret.asc"

    @property
    def public(self) -> bytes:
        return self.public_file.read_bytes()

    @property
    def secret(self) -> bytes:
        return self.secret_file.read_bytes()

    def gpg(self, *arguments: str, data: bytes = b"") -> bytes:
        """What gpg writes, in the home of this key. `arguments` follow the batch ones."""
        return gpg(self.home, *arguments, data=data, passphrase=self.passphrase)

    def clear_sign(self, data: bytes, *options: str) -> bytes:
        return self.gpg(*options, "--clearsign", data=data)

    def detach_sign(self, data: bytes, *options: str) -> bytes:
        """An armoured signature; with "--no-armor" a binary one."""
        return self.gpg("--armor", *options, "--detach-sign", data=data)


def gpg(home: Path, *arguments: str, data: bytes = b"", passphrase: str = "") -> bytes:
    command = (
        "gpg",
        "--batch",
        "--no-tty",
        "--quiet",
        "--pinentry-mode",
        "loopback",
        "--passphrase",
        passphrase,
    )
    done = subprocess.run(
        (*command, *arguments),
        input=data,
        capture_output=True,
        check=False,
        env={**os.environ, "GNUPGHOME": str(home), "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@functools.cache
def key(name: str = "archive", kind: Kind = "plain", algorithm: str = "rsa2048") -> Key:
    """A key with the user ID "NAME <NAME@example.org>"; the same object for the same arguments."""
    require(shutil.which("gpg") is not None, "gpg, to make keys")
    home = Path(tempfile.mkdtemp(prefix="openpgp-"))
    home.chmod(0o700)
    atexit.register(_forget, home)
    (home / "gpg-agent.conf").write_text("s2k-count 65536\n")  # or the agent measures the machine for seconds
    passphrase = "secret" if kind == "locked" else ""
    clock = ("--faked-system-time", "20200101T000000") if kind == "expired" else ()

    def ask(*arguments: str) -> bytes:
        return gpg(home, *arguments, passphrase=passphrase)

    usage, expiry = ("cert" if kind == "subkey" else "sign", "1y" if kind == "expired" else "never")
    ask(*clock, "--quick-generate-key", f"{name} <{name}@example.org>", algorithm, usage, expiry)
    listing = ask("--with-colons", "--list-keys").decode().splitlines()
    fingerprint = next(line.split(":")[9] for line in listing if line.startswith("fpr:"))
    if kind == "subkey":
        ask("--quick-add-key", fingerprint, algorithm, "sign", "never")
    made = Key(name, fingerprint, home, passphrase)
    made.public_file.write_bytes(ask("--armor", "--export"))
    made.secret_file.touch(0o600)
    made.secret_file.write_bytes(ask("--armor", "--export-secret-keys"))
    return made


def _forget(home: Path) -> None:
    environment = {**os.environ, "GNUPGHOME": str(home)}
    subprocess.run(("gpgconf", "--kill", "all"), env=environment, capture_output=True, check=False)
    shutil.rmtree(home, ignore_errors=True)


def gpgv(certificates: bytes, *files: Path) -> "subprocess.CompletedProcess[bytes]":
    """gpgv's verdict (exit status 0: good) on `files`, trusting armoured or binary `certificates`; its standard
    output is the signed text."""
    require(shutil.which("gpgv") is not None, "gpgv, to judge signatures")
    with tempfile.TemporaryDirectory(prefix="gpgv-") as place:
        ring = Path(place, "ring.gpg")
        ring.write_bytes(dearmoured(certificates))
        command: Sequence[str] = ("gpgv", "--homedir", place, "--keyring", str(ring), "--output", "-")
        return subprocess.run((*command, *map(str, files)), capture_output=True, check=False)


def dearmoured(data: bytes) -> bytes:
    """The packets inside armour; binary data as it is."""
    if not data.startswith(b"-----BEGIN"):
        return data
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:
        return gpg(Path(home), "--dearmor", data=data)
