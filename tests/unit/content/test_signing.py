# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, signatures and trust. openssl is the judge of what is signed here, and makes what is read."""

import json
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from orchestrator.content.signing import (
    SigningKey,
    Trusted,
    load_key,
    load_public_key,
    server_key,
    verify,
)
from orchestrator.errors import BadContent, Invalid, OrchestratorError, Refused
from tests.support.requirements import require


def openssl(*words: str | Path, data: bytes = b"") -> bytes:
    require(shutil.which("openssl") is not None, "openssl is not installed")
    done = subprocess.run(["openssl", *map(str, words)], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def signed(key: SigningKey, **fields: object) -> tuple[bytes, bytes]:
    data = json.dumps({"signer": key.public.id, **fields}).encode()
    return data, key.sign(data)


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return server_key(tmp_path / "identity" / "signing.pem")


def test_a_server_has_one_key_that_only_it_can_read(tmp_path: Path) -> None:
    path = tmp_path / "identity" / "signing.pem"
    key = server_key(path)
    assert server_key(path).public == key.public
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["signing.pem"]
    assert "secret" not in repr(key)


def test_of_two_that_make_the_key_at_once_both_have_the_same(tmp_path: Path) -> None:
    found: list[bytes] = []
    path = tmp_path / "signing.pem"
    threads = [threading.Thread(target=lambda: found.append(server_key(path).public.raw)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_openssl_verifies_what_is_signed_here(tmp_path: Path, key: SigningKey) -> None:
    data, signature = signed(key)
    (tmp_path / "public.pem").write_bytes(key.public.pem)
    (tmp_path / "manifest.json").write_bytes(data)
    (tmp_path / "manifest.sig").write_bytes(signature)
    answer = openssl(
        *("pkeyutl", "-verify", "-pubin", "-inkey", tmp_path / "public.pem", "-rawin"),
        *("-in", tmp_path / "manifest.json", "-sigfile", tmp_path / "manifest.sig"),
    )
    assert b"Verified Successfully" in answer
    assert len(signature) == 64


def test_keys_of_openssl_sign_and_are_trusted(tmp_path: Path) -> None:
    secret, public = tmp_path / "key.pem", tmp_path / "public.pem"
    openssl("genpkey", "-algorithm", "ed25519", "-out", secret)
    openssl("pkey", "-in", secret, "-pubout", "-out", public)
    key, trusted = load_key(secret), Trusted(tmp_path / "trusted")
    assert trusted.trust(public) == key.public
    assert verify(*signed(key), trusted) == key.public


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (["genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:1024"], Invalid, "a key of RSA"),
        (["genpkey", "-algorithm", "ed448"], Invalid, "a key of Ed448"),
        (["genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:x"], Refused, "passphrase"),
    ],
)
def test_other_keys_are_named(
    tmp_path: Path, make: list[str], error: type[OrchestratorError], words: str
) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(openssl(*make))
    with pytest.raises(error, match=words) as raised:
        load_key(path)
    assert raised.value.hint


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no key"),
        (b"\xff\x00", "no key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", "an OpenSSH private key"),
        (b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n", "an OpenPGP key"),
        (b"-----BEGIN CERTIFICATE-----\n", "a certificate"),
        (b"ssh-ed25519 AAAA me", "an OpenSSH public key"),
    ],
)
def test_what_is_no_key_is_named_too(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(data)
    for load in (load_key, load_public_key):
        with pytest.raises(Invalid, match=words):
            load(path)


def test_secret_and_public_keys_are_not_taken_for_one_another(tmp_path: Path, key: SigningKey) -> None:
    path = tmp_path / "public.pem"
    path.write_bytes(key.public.pem)
    with pytest.raises(Invalid, match="a public key, not an Ed25519 private key"):
        load_key(path)
    with pytest.raises(Invalid, match="a private key, not an Ed25519 public key"):
        load_public_key(tmp_path / "identity" / "signing.pem")
    with pytest.raises(Invalid, match="cannot be read"):
        load_key(tmp_path / "missing.pem")


def test_a_secret_key_that_others_may_read_is_warned_of(tmp_path: Path, key: SigningKey) -> None:
    path, warnings = tmp_path / "identity" / "signing.pem", list[str]()
    load_key(path, warnings.append)
    assert not warnings
    path.chmod(0o640)
    assert load_key(path, warnings.append).public == key.public
    assert str(path) in warnings[0]


# --- trust


def test_keys_are_trusted_listed_and_no_longer_trusted(tmp_path: Path, key: SigningKey) -> None:
    trusted, path = Trusted(tmp_path / "trusted"), tmp_path / "public.pem"
    path.write_bytes(key.public.pem)
    assert trusted.keys() == {}
    trusted.trust(path)
    trusted.trust(path)
    assert trusted.keys() == {key.public.id: key.public}
    with pytest.raises(Refused, match="no trusted key"):
        trusted.remove("zz")
    with pytest.raises(Refused):
        trusted.remove("")
    assert trusted.remove(key.public.id[:6]) == key.public
    assert trusted.keys() == {}


def test_a_manifest_of_a_key_that_is_not_trusted_is_refused_with_its_id(
    tmp_path: Path, key: SigningKey
) -> None:
    trusted, path = Trusted(tmp_path / "trusted"), tmp_path / "public.pem"
    with pytest.raises(Refused, match=key.public.id) as error:
        verify(*signed(key), trusted)
    assert "import trust" in error.value.hint
    path.write_bytes(key.public.pem)
    assert verify(*signed(key), trusted, [path]) == key.public
    with pytest.raises(Refused):
        verify(*signed(key), trusted)


def test_a_manifest_that_was_changed_or_borrows_a_trusted_name_is_bad(
    tmp_path: Path, key: SigningKey
) -> None:
    trusted, path = Trusted(tmp_path / "trusted"), tmp_path / "public.pem"
    path.write_bytes(key.public.pem)
    trusted.trust(path)
    data, signature = signed(key, n=1)
    with pytest.raises(BadContent, match="M was changed"):
        verify(data.replace(b"1}", b"2}"), signature, trusted, name="M")
    other = server_key(tmp_path / "other.pem")
    with pytest.raises(BadContent, match="does not fit"):
        verify(data, other.sign(data), trusted)
    with pytest.raises(BadContent, match="no signature"):
        verify(data, b"", trusted)
    with pytest.raises(BadContent, match="no signature"):
        verify(data, signature + b"\n", trusted)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"signer": 1}', b'{"signer": ""}', b"[" * 99_999, b"\xff"]
)
def test_a_manifest_that_does_not_say_who_signed_it_is_bad(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadContent, match="does not say who signed it"):
        verify(data, bytes(64), Trusted(tmp_path / "trusted"))


def test_a_broken_file_among_the_trusted_keys_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.pem").write_text("-----BEGIN PUBLIC KEY-----\n")
    with pytest.raises(Invalid, match=r"broken\.pem"):
        Trusted(tmp_path).keys()
