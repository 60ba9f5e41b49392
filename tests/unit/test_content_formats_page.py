# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/formats.md has exactly the keys of what travels between servers, and its examples can be read."""

import dataclasses
import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from orchestrator import content as package
from orchestrator.cli.export_wording import full_document, record_document
from orchestrator.content import inventories, receipts
from orchestrator.content.catalog.exports import ExportRecord
from orchestrator.content.catalog.imports import ImportRecord
from orchestrator.content.catalog.model import ViewVersion
from orchestrator.content.exports import manifest as manifests
from orchestrator.content.exports import outcome as export_outcome
from orchestrator.content.exports import requests, unfinished
from orchestrator.content.exports.checking import Verification
from orchestrator.content.exports.manifest import (
    Base,
    ChunkEntry,
    EnvironmentEntry,
    KeyEntry,
    Manifest,
    ProductEntry,
    RepositoryEntry,
    Subject,
    VersionEntry,
)
from orchestrator.content.exports.pruning import Removed
from orchestrator.content.imports.listing import Listed
from orchestrator.content.imports.outcome import Fate, ImportOutcome
from orchestrator.content.showing import Shown
from orchestrator.content.signing import PublicKey, SigningKey
from tests.support.documentation import blocks, text_of
from tests.support.sending import Sent, contents, of
from tests.unit.test_formats_page import keys, section

PAGE = "formats.md"
TABLES: dict[str, type[Any]] = {
    "subject": Subject,
    "base": Base,
    "products": ProductEntry,
    "repositories": RepositoryEntry,
    "versions": VersionEntry,
    "environments": EnvironmentEntry,
    "keys": KeyEntry,
    "chunks": ChunkEntry,
    "The outcome of an export": export_outcome.ExportOutcome,
}
ADDED = {"The outcome of an export": {"exit_code"}}
_SECRET = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEY = SigningKey(PublicKey(_SECRET.public_key().public_bytes_raw()), _SECRET)


def told(title: str) -> str:
    return section(PAGE, title)


def test_the_page_has_the_keys_of_a_manifest() -> None:
    manifest = of(Sent("tools/mos", contents("a"))).manifest
    assert keys(told("The manifest")) == json.loads(manifests.to_bytes(manifest)).keys()


@pytest.mark.parametrize("title", TABLES)
def test_the_page_has_the_keys_of_each_part(title: str) -> None:
    fields = {field.name for field in dataclasses.fields(TABLES[title])}
    assert keys(told(title)) == fields | ADDED.get(title, set())


def test_the_page_says_what_may_be_missing_of_a_manifest() -> None:
    required = {field.name for field in dataclasses.fields(Manifest) if field.default is dataclasses.MISSING}
    (said,) = re.findall(r"Of a manifest (.*?) are\s+required", text_of(PAGE), re.DOTALL)
    assert set(re.findall(r"`(\w+)`", said)) == required
    assert f"Format {manifests.MAJOR}.{manifests.MINOR}." in text_of(PAGE)


@pytest.mark.parametrize(("title", "key"), [("The manifest", "format"), ("subject", "kind")])
def test_the_page_has_all_formats_and_kinds(title: str, key: str) -> None:
    values = {"format": manifests.ExportFormat, "kind": manifests.SubjectKind}[key]
    row = next(line for line in told(title).splitlines() if line.startswith(f"| {key} |"))
    assert all(f"`{value}`" in row for value in get_args(values))


def test_the_examples_of_an_index_and_of_a_list_are_ones() -> None:
    examples = {
        language: text.encode() for language, text in blocks(PAGE) if language in ("index", "inventory")
    }
    pieces = manifests.read_index(examples["index"], PAGE)
    assert [piece.is_whole for piece in pieces] == [True, False]
    assert manifests.index_bytes(2, 3, pieces) == examples["index"]
    files = inventories.read_list(examples["inventory"], PAGE)
    assert inventories.list_bytes(files) == examples["inventory"]


def test_the_page_has_the_keys_of_a_receipt_and_of_a_request() -> None:
    receipt = receipts.Receipt("acme", "", "north", "", (), ())
    assert keys(told("A receipt")) | {"key"} == json.loads(receipts.to_file(receipt, KEY)).keys()
    request = requests.MissingObjects("0" * 32, "acme", {"0" * 64: 1})
    assert keys(told("A request")) | {"key"} == json.loads(requests.to_file(request, KEY)).keys()


def test_the_page_says_what_the_notes_of_an_unfinished_export_are(tmp_path: Path) -> None:
    notes = unfinished.Unfinished(tmp_path)
    notes.note("a-1of1.tar", unfinished.Done(1, "0" * 64))
    document = json.loads((tmp_path / unfinished.STATE).read_text())
    place = told("Below the exports directory")
    assert all(f"`{key}`" in place for key in [unfinished.STATE, *document])


def test_the_page_has_the_keys_of_the_outcome_of_an_import() -> None:
    place = told("The outcome of an import")
    assert keys(place) == ImportOutcome((), ()).to_json().keys()
    assert all(f"`{fate}`" in place for fate in Fate)


def test_a_medium_has_the_files_of_the_page() -> None:
    layout = told("A medium").split("```")[1]
    (medium,) = of(Sent("tools/mos", contents("a")), chunk=9).media()
    heads = [line.split()[0].partition("<")[0] for line in layout.strip().splitlines()]
    found = list(
        dict.fromkeys(next(head for head in heads if path.startswith(head)) for path in medium.files)
    )
    assert found == list(dict.fromkeys(heads))


def test_the_page_has_the_keys_of_lists() -> None:
    subject = Subject("library", "acme")
    record = ExportRecord("acme", subject, "complete", "tar", "", "0" * 32, "/a", "", 1, 1, 1, "{}")
    document = record_document(record, 0, None)
    assert keys(told("An export in a list")) == document.keys()
    more = full_document(record, of(Sent("tools/mos", contents("a"))).manifest, 0, ["a-1of1.tar"])
    assert all(f"`{key}`" in told("An export in a list") for key in more.keys() - document.keys())
    listed = Listed(ImportRecord("0" * 32, "acme", subject, "complete", "", "", {}))
    assert keys(told("An import in a list")) == listed.to_json().keys()


def test_the_page_has_the_keys_of_what_is_shown_verified_and_removed() -> None:
    text = " ".join(told("All other documents").split())
    manifest = of(Sent("tools/mos", contents("a"))).manifest
    shown = Shown(ViewVersion("acme", "base", 1, "", ()), "library", Path("/"), changed=True)
    for document in (
        shown.to_json(),
        Verification("/a", manifest, 0, 0, 0).to_json(),
        Removed((), 0).to_json(),
    ):
        assert f"{{{', '.join(document)}" in text


def test_the_page_of_the_architecture_names_every_module_of_the_content_layer() -> None:
    named = set(re.findall(r"`([\w*]+)/?`", text_of("architecture.md")))
    patterns = [name for name in named if "*" in name]
    content = Path(package.__file__).parent
    for place in (content, content / "exports", content / "imports"):
        modules = {path.stem for path in place.iterdir() if not path.name.startswith("_")}
        missing = {name for name in modules - named if not any(fnmatch(name, each) for each in patterns)}
        assert not missing, place
