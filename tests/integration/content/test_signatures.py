# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures of repository metadata, with gpg and gpgv as the other side."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.content.signatures import Keyring, Signer
from orchestrator.errors import BadContent, Invalid
from tests.support import openpgp
from tests.support.openpgp import Key, gpgv
from tests.support.requirements import require

TEXT = b"Origin: Test\nSuite: stable\n- a list\n--dashes\nFrom here\n\nSHA256:\n 0123 45 main/Packages\n"
IN_TIME = ("--faked-system-time", "20200601T000000")  # while an "expired" key was good


def keyring(*keys: Key) -> Keyring:
    return Keyring.load([key.public_file for key in keys])


def refusal(ring: Keyring, data: bytes) -> str:
    with pytest.raises(BadContent) as caught:
        ring.verify_clear(data, "InRelease of test")
    assert "InRelease of test" in caught.value.message
    assert "\n" not in caught.value.message
    return caught.value.message


# Clear-signed texts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [TEXT, TEXT + b"\n\n", b"\n" + TEXT, b"one line\n", "Umlaut: \u00fc\n".encode(), b"\n"]
)
def test_the_signed_text_comes_back_as_it_was(text: bytes) -> None:
    archive = openpgp.key()
    signed = archive.clear_sign(text)
    assert keyring(archive).verify_clear(signed, "InRelease") == (text, (archive.fingerprint,))


def test_a_signing_subkey_signs_for_its_certificate() -> None:
    archive = openpgp.key("with-subkey", "subkey")
    assert keyring(archive).verify_clear(archive.clear_sign(TEXT), "InRelease") == (
        TEXT,
        (archive.fingerprint,),
    )


def test_an_elliptic_key_signs_as_well() -> None:
    archive = openpgp.key("elliptic", algorithm="ed25519")
    assert keyring(archive).verify_clear(archive.clear_sign(TEXT), "InRelease")[0] == TEXT


def test_one_good_signature_of_several_suffices() -> None:
    known, other = openpgp.key(), openpgp.key("other")
    known.gpg("--import", data=other.secret)
    signed = known.clear_sign(TEXT, "-u", other.fingerprint, "-u", known.fingerprint)
    assert keyring(known).verify_clear(signed, "InRelease") == (TEXT, (known.fingerprint,))
    both = keyring(known, other).verify_clear(signed, "InRelease")[1]
    assert sorted(both) == sorted((known.fingerprint, other.fingerprint))


@pytest.mark.parametrize(
    "around",
    [
        lambda signed: b"Suite: evil\n" + signed,
        lambda signed: b"\n" + signed,
        lambda signed: signed + b"Suite: evil\n",
        lambda signed: signed + signed,
        lambda signed: signed.replace(b"Hash: SHA512\n", b"Hash: SHA512\nSuite: evil\n"),
        lambda signed: signed.replace(
            b"Suite: stable\n", b"Suite: stable\n-----BEGIN PGP SIGNATURE-----\n\n"
        ),
        lambda signed: signed.replace(b"- --dashes", b"--dashes"),
        lambda signed: signed.replace(b"-----BEGIN PGP SIGNATURE", b"\n-----END\n-----BEGIN PGP SIGNATURE"),
        lambda signed: signed.partition(b"-----END")[0],
        lambda signed: signed[:60],
        lambda _: TEXT,
        lambda _: b"",
        lambda _: b"<html><title>Log in</title></html>",
        lambda _: os.urandom(2000),
    ],
)
def test_only_one_signed_text_and_nothing_else_is_taken(around: Callable[[bytes], bytes]) -> None:
    archive = openpgp.key()
    altered = around(archive.clear_sign(TEXT))
    assert "not one clear-signed text and nothing else" in refusal(keyring(archive), altered)


def test_a_changed_text_is_refused() -> None:
    archive = openpgp.key()
    altered = archive.clear_sign(TEXT).replace(b"stable", b"evil  ")
    assert f"the signature by {archive.fingerprint} does not fit the text" in refusal(
        keyring(archive), altered
    )


def test_no_change_of_any_byte_changes_what_is_believed() -> None:
    archive = openpgp.key()
    signed, ring, chance = archive.clear_sign(TEXT), keyring(archive), random.Random(7)
    for _ in range(300):
        altered = bytearray(signed)
        altered[chance.randrange(len(altered))] = chance.randrange(256)
        try:
            text, _signers = ring.verify_clear(bytes(altered), "InRelease")
        except BadContent:
            continue
        assert [line.rstrip() for line in text.splitlines()] == TEXT.splitlines()


def test_an_unknown_signer_is_named() -> None:
    archive, other = openpgp.key(), openpgp.key("other")
    message = refusal(keyring(archive), other.clear_sign(TEXT))
    assert f"signed by {other.fingerprint}, which is not in keys" in message


def test_a_key_that_has_expired_since_is_refused() -> None:
    archive = openpgp.key("old", "expired")
    message = refusal(keyring(archive), archive.clear_sign(TEXT, *IN_TIME))
    assert f"the key {archive.fingerprint} expired at 2020-12-31" in message


def test_a_revoked_key_is_refused() -> None:
    archive = openpgp.key("revoked")
    signed = archive.clear_sign(TEXT)
    certificate = (archive.home / "openpgp-revocs.d" / f"{archive.fingerprint}.rev").read_text()
    archive.gpg("--import", data=certificate.replace(":-----BEGIN", "-----BEGIN").encode())
    archive.public_file.write_bytes(archive.gpg("--armor", "--export"))
    assert f"the key {archive.fingerprint} was revoked" in refusal(keyring(archive), signed)


@pytest.mark.parametrize("algorithm", ["SHA1", "RIPEMD160"])
def test_a_signature_over_a_broken_hash_is_refused(algorithm: str) -> None:
    archive = openpgp.key()
    signed = archive.clear_sign(TEXT, "--digest-algo", algorithm, "--allow-weak-digest-algos")
    assert "which can be forged" in refusal(keyring(archive), signed)


def test_an_expired_signature_is_refused() -> None:
    archive = openpgp.key("brief")
    signed = archive.clear_sign(TEXT, "--default-sig-expire", "seconds=1")
    time.sleep(1.1)
    assert "expired at" in refusal(keyring(archive), signed)


def test_an_empty_keyring_believes_nobody() -> None:
    archive = openpgp.key()
    assert "which is not in keys" in refusal(Keyring.load([]), archive.clear_sign(TEXT))


@pytest.mark.parametrize("suite", ["bookworm", "bookworm-updates"])
def test_debian_s_own_signatures_are_believed(suite: str) -> None:
    entry = Path(f"/var/lib/apt/lists/deb.debian.org_debian_dists_{suite}_InRelease")
    keys = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    require(entry.exists() and keys.exists(), "the package index and the archive keys of Debian 12")
    text, signers = Keyring.load([keys]).verify_clear(entry.read_bytes(), "InRelease")
    assert text == gpgv(keys.read_bytes(), entry).stdout
    assert text.startswith(b"Origin: Debian\n")
    assert len(signers) >= 2


# Detached ones ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--no-armor",)])
def test_a_detached_signature_armoured_or_not(options: tuple[str, ...]) -> None:
    archive = openpgp.key("with-subkey", "subkey")
    signature = archive.detach_sign(TEXT, *options)
    assert keyring(archive).verify_detached(TEXT, signature, "Release.gpg") == (archive.fingerprint,)
    with pytest.raises(BadContent, match=r"Release\.gpg has no good signature: .*does not fit the text"):
        keyring(archive).verify_detached(TEXT + b" ", signature, "Release.gpg")


def test_several_detached_signatures_in_one_file() -> None:
    known, other = openpgp.key(), openpgp.key("other")
    signature = other.detach_sign(TEXT, "--no-armor") + known.detach_sign(TEXT, "--no-armor")
    assert keyring(known).verify_detached(TEXT, signature, "Release.gpg") == (known.fingerprint,)


def test_a_detached_signature_by_an_expired_key_is_refused() -> None:
    archive = openpgp.key("old", "expired")
    with pytest.raises(BadContent, match="expired at 2020-12-31"):
        keyring(archive).verify_detached(TEXT, archive.detach_sign(TEXT, *IN_TIME), "repomd.xml.asc")


@pytest.mark.parametrize("signature", [b"", b"<html></html>", os.urandom(600), openpgp.__doc__.encode()])
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    with pytest.raises(BadContent, match=r"repomd\.xml\.asc"):
        keyring(openpgp.key()).verify_detached(TEXT, signature, "repomd.xml.asc")


# Key files --------------------------------------------------------------------------------------------------


def test_several_certificates_in_one_file_armoured_or_binary(tmp_path: Path) -> None:
    keys = [openpgp.key(), openpgp.key("other"), openpgp.key("with-subkey", "subkey")]
    armoured, binary = tmp_path / "all.asc", tmp_path / "all.gpg"
    armoured.write_bytes(b"Keys of the archive\n" + b"\n".join(key.public for key in keys))
    binary.write_bytes(b"".join(openpgp.dearmoured(key.public) for key in keys))
    for path in (armoured, binary):
        for key in keys:
            assert Keyring.load([path]).verify_clear(key.clear_sign(TEXT), "InRelease")[1] == (
                key.fingerprint,
            )


def test_all_certificates_in_one_armour_for_clients(tmp_path: Path) -> None:
    keys = [openpgp.key(), openpgp.key("other"), openpgp.key("with-subkey", "subkey")]
    ring, signed = keyring(*keys).armoured(), tmp_path / "InRelease"
    assert ring.count(b"-----BEGIN PGP PUBLIC KEY BLOCK-----") == 1
    (tmp_path / "all.asc").write_bytes(ring)
    for key in keys:
        signed.write_bytes(key.clear_sign(TEXT))
        assert gpgv(ring, signed).returncode == 0
        assert Keyring.load([tmp_path / "all.asc"]).verify_clear(signed.read_bytes(), "InRelease")[0] == TEXT


def test_every_key_file_that_is_none_is_named(tmp_path: Path) -> None:
    wrong = {
        "missing.asc": None,
        "empty.gpg": b"",
        "text.asc": b"no key\n",
        "signature.asc": openpgp.key().detach_sign(TEXT),
        "half.asc": openpgp.key().public[:300],
        "pubring.kbx": (openpgp.key().home / "pubring.kbx").read_bytes(),
    }
    for name, content in wrong.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
    good = openpgp.key().public_file
    with pytest.raises(Invalid) as caught:
        Keyring.load([good, *(tmp_path / name for name in wrong), tmp_path])
    named = {Path(problem.where).name: problem.what for problem in caught.value.problems}
    assert named.keys() == {*wrong, tmp_path.name}
    assert named["missing.asc"] == "No such file or directory"
    assert "holds no OpenPGP certificate" in named["text.asc"]
    assert "gpg --export" in named["pubring.kbx"]


# Our own signatures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "subkey"])
def test_gpgv_believes_what_we_sign(kind: openpgp.Kind, tmp_path: Path) -> None:
    archive = openpgp.key(f"signer-{kind}", kind)
    signer = Signer.load(archive.secret_file)
    clear, plain, detached = tmp_path / "InRelease", tmp_path / "Release", tmp_path / "Release.gpg"
    clear.write_bytes(signer.sign_clear(TEXT))
    plain.write_bytes(TEXT)
    detached.write_bytes(signer.sign_detached(TEXT))
    assert signer.fingerprint == archive.fingerprint
    inside = gpgv(signer.certificate(), clear)
    assert (inside.returncode, inside.stdout) == (0, TEXT), inside.stderr
    assert gpgv(archive.public, detached, plain).returncode == 0
    assert detached.read_bytes().startswith(b"-----BEGIN PGP SIGNATURE-----\n")
    assert keyring(archive).verify_clear(clear.read_bytes(), "InRelease") == (TEXT, (archive.fingerprint,))
    assert keyring(archive).verify_detached(TEXT, detached.read_bytes(), "Release.gpg") == (
        archive.fingerprint,
    )


def test_a_binary_key_without_its_primary_s_secret_signs(tmp_path: Path) -> None:
    archive = openpgp.key("with-subkey", "subkey")
    secret = tmp_path / "secret.gpg"
    secret.touch(0o600)
    secret.write_bytes(archive.gpg("--export-secret-subkeys"))
    signature = Signer.load(secret).sign_detached(TEXT)
    assert keyring(archive).verify_detached(TEXT, signature, "Release.gpg") == (archive.fingerprint,)


def test_certificate_for_clients_holds_no_secret(tmp_path: Path) -> None:
    certificate = Signer.load(openpgp.key().secret_file).certificate()
    assert certificate.startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----")
    (tmp_path / "key.asc").write_bytes(certificate)
    assert (
        Keyring.load([tmp_path / "key.asc"]).verify_clear(openpgp.key().clear_sign(TEXT), "InRelease")[0]
        == TEXT
    )
    (tmp_path / "key.asc").chmod(0o600)
    with pytest.raises(Invalid, match="cannot sign"):
        Signer.load(tmp_path / "key.asc")


def test_secret_keys_that_cannot_sign_say_why(tmp_path: Path) -> None:
    def why(content: bytes | None, mode: int = 0o600) -> str:
        path = tmp_path / "secret.asc"
        if content is not None:
            path.write_bytes(content)
            path.chmod(mode)
        with pytest.raises(Invalid) as caught:
            Signer.load(path)
        assert caught.value.problems[0].where == str(path)
        return str(caught.value.problems[0])

    plain = openpgp.key()
    assert "No such file" in why(None)
    assert "needs a passphrase" in why(openpgp.key("locked", "locked").secret)
    assert "chmod 600" in why(plain.secret, 0o644)
    assert "no OpenPGP secret key" in why(plain.public)
    assert "no OpenPGP secret key" in why(b"nothing")
    assert "more than one key" in why(
        b"".join(openpgp.dearmoured(k.secret) for k in (plain, openpgp.key("other")))
    )
    assert "no key that may sign now" in why(openpgp.key("old", "expired").secret)
