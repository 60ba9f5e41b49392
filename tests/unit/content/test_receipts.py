# SPDX-License-Identifier: GPL-3.0-or-later
"""Receipts and requests: what travels back from a receiver, by file or by telephone."""

import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.content import receipts
from orchestrator.content.exports import requests
from orchestrator.content.exports.requests import MissingObjects
from orchestrator.content.receipts import Receipt, is_digest, leads_to, read_digest, show_digest
from orchestrator.content.sealing import canonical
from orchestrator.content.signing import SigningKey, server_key
from orchestrator.errors import BadContent, Refused
from tests.support.manifests import MADE, a_manifest, digest

HOLDINGS = (("os/base", digest("one")), ("tools/extra", digest("two")))
RECEIPT = Receipt("acme", "0" * 32, "site-2", MADE, HOLDINGS, (("web", 3),))
MISSING = MissingObjects("0" * 32, "acme", {digest("a"): 10, digest("b"): 0})


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return server_key(tmp_path / "key.pem")


def test_a_receipt_is_read_as_it_was_written(key: SigningKey) -> None:
    data = receipts.to_file(RECEIPT, key)
    assert receipts.from_file(data, "R") == RECEIPT
    assert json.loads(data)["digest"] == show_digest(RECEIPT.digest)


def test_a_request_is_read_sealed_and_unsealed(key: SigningKey) -> None:
    for seal in (key, None):
        assert requests.from_file(requests.to_file(MISSING, seal), "Q") == MISSING


def test_an_export_leads_to_the_receipt_of_its_import() -> None:
    manifest = a_manifest()
    receipt = Receipt("acme", manifest.id, "site-2", MADE, receipts.holdings_of(manifest))
    assert receipt.digest == leads_to(manifest)


def test_the_digest_is_of_what_is_held_alone() -> None:
    same = Receipt("acme", "1" * 32, "other", "2026-11-21T00:00:00Z", HOLDINGS[::-1])
    assert same.digest == RECEIPT.digest
    for other in (
        Receipt("emca", "0" * 32, "", "", HOLDINGS),
        Receipt("acme", "0" * 32, "", "", HOLDINGS[:1]),
        Receipt("acme", "0" * 32, "", "", (("os/base", digest("two")), ("tools/extra", digest("one")))),
    ):
        assert other.digest != RECEIPT.digest


def test_a_digest_is_typed_in_any_case_with_any_gaps_and_for_a_part() -> None:
    shown = show_digest(RECEIPT.digest)
    assert len(shown) == 23
    assert [len(group) for group in shown.split("-")] == [5, 5, 5, 5]
    assert not set(shown) & set("ILOU")
    for typed in (
        shown,
        shown.lower(),
        shown.replace("-", ""),
        shown.replace("-", " "),
        shown[:9],
        f" {shown}\n",
    ):
        read = read_digest(typed)
        assert read is not None
        assert is_digest(read, RECEIPT.digest)
    misread = read_digest(shown.replace("0", "o").replace("1", "l"))
    assert misread is not None
    assert is_digest(misread, RECEIPT.digest)
    assert not is_digest("Z" * 8, RECEIPT.digest) or shown.startswith("ZZZZZ-ZZZ")


@pytest.mark.parametrize("text", ["", "short", "1234567", "not-a-digest!", "u" * 10, "0" * 21, "ARÖ45678"])
def test_what_cannot_be_a_digest_is_none(text: str) -> None:
    assert read_digest(text) is None


def test_the_digest_shows_the_first_hundred_bits() -> None:
    assert show_digest("0" * 64) == "00000-00000-00000-00000"
    assert show_digest("f" * 64) == "ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ"
    assert show_digest("0" * 24 + "1" + "0" * 39) == "00000-00000-00000-00001"


def test_a_receipt_that_was_changed_is_bad_content(key: SigningKey) -> None:
    data = receipts.to_file(RECEIPT, key)
    generator = random.Random(1)
    for _ in range(150):
        changed = bytearray(data)
        changed[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        with contextlib.suppress(BadContent, Refused):
            # In another spelling (of the signature, of blanks) it is the same.
            assert receipts.from_file(bytes(changed), "R") == RECEIPT
    document = json.loads(data)
    document["repositories"].pop()
    with pytest.raises(BadContent, match="R was changed after it was sealed"):
        receipts.from_file(canonical(document), "R")
    del document["signature"]
    with pytest.raises(BadContent, match="R is not sealed"):
        receipts.from_file(canonical(document), "R")


def test_a_receipt_in_another_spelling_is_the_same(key: SigningKey) -> None:
    pretty = json.dumps(json.loads(receipts.to_file(RECEIPT, key)), indent=2).encode()
    assert receipts.from_file(pretty, "R") == RECEIPT


def sealed(document: dict[str, Any], key: SigningKey) -> bytes:
    unsigned = {name: value for name, value in document.items() if name != "signature"}
    return canonical({**unsigned, "signature": key.sign(canonical(unsigned)).hex()})


Reader = Callable[[bytes, str], object]


@pytest.mark.parametrize("kind", ["receipt", "request"])
def test_nothing_that_is_sealed_makes_anything_but_an_error_that_is_told(kind: str, key: SigningKey) -> None:
    read: Reader = receipts.from_file if kind == "receipt" else requests.from_file
    data = receipts.to_file(RECEIPT, key) if kind == "receipt" else requests.to_file(MISSING, key)
    values: tuple[Any, ...] = (
        None,
        1,
        -1,
        "",
        "x",
        [],
        {},
        [[]],
        [["a"]],
        [[1, 2]],
        [["os/base", 1]],
        [["x", "y", 1]],
    )
    for name in json.loads(data):
        for value in values:
            with contextlib.suppress(BadContent, Refused):
                read(sealed({**json.loads(data), name: value}, key), "F")
        without = json.loads(data)
        del without[name]
        with contextlib.suppress(BadContent, Refused):
            read(sealed(without, key), "F")


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b"[" * 99_999, b'{"format_name": "orchestrator-export"}']
)
def test_what_is_neither_is_bad_content(data: bytes) -> None:
    for read in (receipts.from_file, requests.from_file):
        with pytest.raises(BadContent, match=r"^F "):
            read(data, "F")


def test_one_of_another_major_version_is_refused(key: SigningKey) -> None:
    for data, read in (
        (receipts.to_file(RECEIPT, key), receipts.from_file),
        (requests.to_file(MISSING, key), requests.from_file),
    ):
        reader: Reader = read
        with pytest.raises(Refused, match=r"2\.0"):
            reader(sealed({**json.loads(data), "version": "2.0"}, key), "F")
        reader(sealed({**json.loads(data), "version": "1.9", "new": {}}, key), "F")
