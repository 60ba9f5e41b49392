# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests: canonical, read across versions, and refused when they contradict themselves or are anybody's game."""

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.content.exports.manifest import Manifest, from_bytes, to_bytes, with_id
from orchestrator.errors import BadContent, Invalid, Refused
from tests.support.manifests import a_manifest, digest, document_of, sealed

Document = dict[str, Any]
OPTIONAL = {"versions", "environments", "keys", "destination", "program", "organization_name", "chunk_size"}


def read(document: Document) -> Manifest:
    return from_bytes(sealed(document), "M")


def test_what_was_written_is_read_and_equal_content_has_equal_bytes() -> None:
    manifest = a_manifest()
    data = to_bytes(manifest)
    assert from_bytes(data, "M") == manifest
    assert from_bytes(data, "M").id == manifest.id
    assert to_bytes(from_bytes(data, "M")) == data
    assert data.isascii()
    assert data.endswith(b"}\n")


def test_the_id_is_that_of_the_content() -> None:
    manifest = a_manifest()
    assert with_id(replace(manifest, destination="site-3")).id != manifest.id
    changed = to_bytes(manifest).replace(b'"site-2"', b'"site-3"')
    with pytest.raises(BadContent, match="its id is not that of its content"):
        from_bytes(changed, "M")


# --- versions


def with_unknown_keys(value: Any) -> Any:
    if isinstance(value, dict):
        unknown = {"x-new": [1, {"a": None}], "zzz": 1.5}
        named = {key: with_unknown_keys(each) for key, each in value.items()}
        return named if set(value) == {"web", "db"} else {**named, **unknown}
    return [with_unknown_keys(each) for each in value] if isinstance(value, list) else value


def test_a_later_minor_version_is_read_with_unknown_keys_everywhere() -> None:
    later = with_unknown_keys(document_of(to_bytes(a_manifest())))
    later["version"] = "1.7"
    found = read(later)
    assert replace(found, version="1.0") == a_manifest()


def test_a_manifest_without_what_is_optional_is_read() -> None:
    document = document_of(to_bytes(a_manifest()))
    document = {key: value for key, value in document.items() if key not in OPTIONAL}
    for entry in document["repositories"]:
        for key in ("name", "mode", "suites", "trees", "keys"):
            entry.pop(key)
    found = read(document)
    assert (found.versions, found.destination, found.repositories[0].mode) == ((), "", "verbatim")


@pytest.mark.parametrize("version", ["2.0", "0.9", "10.0"])
def test_another_major_version_is_refused_with_what_to_do(version: str) -> None:
    with pytest.raises(Refused, match=f"is of version {version}") as error:
        from_bytes(sealed({"format_name": "orchestrator-export", "version": version}), "M")
    assert error.value.hint


@pytest.mark.parametrize("version", ["1", "1.x", "", None, 1.0, "1.0.0", "\u0661.0", "1.0\n"])
def test_a_version_that_is_none_is_bad_content(version: Any) -> None:
    with pytest.raises(BadContent):
        read({**document_of(to_bytes(a_manifest())), "version": version})


# --- hostile ones


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe",
        b'{"format_name": "other", "version": "1.0"}',
        b"[" * 100_000,
        b'{"format_name":"orchestrator-export","version":"1.0"}\n',
        b'{"format_name":"orchestrator-export","version":"1.0","x":' + b"9" * 5000 + b"}\n",
    ],
)
def test_what_is_no_manifest_is_bad_content(data: bytes) -> None:
    with pytest.raises(BadContent, match=r"^M "):
        from_bytes(data, "M")


def test_only_the_canonical_spelling_is_read() -> None:
    data = to_bytes(a_manifest())
    for other in (
        data.rstrip(),
        data.replace(b'":', b'": ', 1),
        data.replace(b'"acme"', b'"\\u0061cme"', 1),
        data.replace(b'{"base"', b'{"base":null,"base"', 1),
    ):
        assert other != data
        with pytest.raises(BadContent):
            from_bytes(other, "M")


Change = Callable[[Document], Any]
WRONG: dict[str, Change] = {
    "a product without repository": lambda d: d["products"].append({"label": "idle", "kind": "custom"}),
    "a repository without product": lambda d: d["products"].pop(),
    "two products of a label": lambda d: d["products"].append({"label": "tools", "kind": "custom"}),
    "a vendor's product without ids": lambda d: d["products"][0].update(vendor=""),
    "a custom product with ids": lambda d: d["products"][1].update(vendor="osvendor"),
    "a product of another kind": lambda d: d["products"][1].update(kind="any"),
    "two entries of a path and inventory": lambda d: d["repositories"].append(d["repositories"][0]),
    "two types of one repository": lambda d: d["repositories"][1].update(type="rpm"),
    "a type that is unknown": lambda d: d["repositories"][0].update(type="npm"),
    "a label that leads out": lambda d: d["repositories"][0].update(label="../x"),
    "an inventory that is no digest": lambda d: d["repositories"][0].update(inventory="../../etc/passwd"),
    "a base that is no digest": lambda d: d["repositories"][0].update(base="x"),
    "a size below zero": lambda d: d["repositories"][0].update(bytes=-1),
    "a size that is text": lambda d: d["repositories"][0].update(bytes="1"),
    "a size that is a truth": lambda d: d["repositories"][0].update(bytes=True),
    "a size beyond all bounds": lambda d: d["repositories"][0].update(bytes=1 << 63),
    "a tree that leads out": lambda d: d["repositories"][0].update(trees=["content/../../x"]),
    "a tree outside of content": lambda d: d["repositories"][0].update(trees=["objects/aa"]),
    "a tree in a tree": lambda d: [
        d["repositories"][0].update(trees=["content/a"]),
        d["repositories"][1].update(trees=["content/a/b"]),
    ],
    "a tree twice": lambda d: [each.update(trees=["content/a"]) for each in d["repositories"]],
    "a key that is not there": lambda d: d["repositories"][2].update(keys=["other"]),
    "two keys of a name": lambda d: d["keys"].append(d["keys"][0]),
    "a time that is none": lambda d: d["repositories"][0].update(made="2026-99-99T00:00:00Z"),
    "a view version twice": lambda d: d["versions"].append(d["versions"][0]),
    "a version of number 0": lambda d: d["versions"][0].update(number=0),
    "a version of what is not there": lambda d: d["versions"][0]["contents"][0].__setitem__(2, "0" * 64),
    "a path twice in a view": lambda d: d["versions"][0]["contents"].append(d["versions"][0]["contents"][0]),
    "contents that are no triple": lambda d: d["versions"][0]["contents"].append(["a"]),
    "an environment that shows more": lambda d: d["environments"][0]["shows"].update(web=4),
    "an environment twice": lambda d: d["environments"].append(d["environments"][0]),
    "a NUL in a name": lambda d: d["products"][0].update(name="a\0b"),
    "half of a character": lambda d: d["products"][0].update(name="\ud800"),
    "no chunks": lambda d: d.update(chunks=[]),
    "chunks of a directory": lambda d: d.update(format="dir"),
    "a chunk twice": lambda d: d["chunks"].append(d["chunks"][0]),
    "chunks that do not add up": lambda d: d["chunks"][0].update(bytes=1),
    "fewer pieces than objects": lambda d: d.update(objects=99),
    "a chunk for what is not there": lambda d: d["chunks"][0].update(repositories=["os/other"]),
    "an index that is no digest": lambda d: d["chunks"][0].update(index="x"),
    "a base of a complete export": lambda d: d.update(kind="complete"),
    "an increment of nothing": lambda d: d.update(base=None),
    "two bases": lambda d: d["base"].update(since="2026-01-01T00:00:00Z"),
    "a base that is no export": lambda d: d["base"].update(export="x"),
    "a signer that is none": lambda d: d.update(signer="me"),
    "a subject without a name": lambda d: d["subject"].update(name=""),
    "a subject twice": lambda d: d["subject"].update(name="dev,dev"),
    "a subject that leads out": lambda d: d["subject"].update(name="../.."),
    "a version of an environment": lambda d: d["subject"].update(version=2),
    "an organization that is none": lambda d: d["subject"].update(organization="a/b"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_manifest_that_contradicts_itself_is_bad_content(what: str) -> None:
    document = document_of(to_bytes(a_manifest()))
    WRONG[what](document)
    with pytest.raises(BadContent, match=r"^M is"):
        read(document)


VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "../x",
    "\0",
    "\ud800",
    "a" * 300,
    [],
    {},
    [[]],
    [None],
    {"": 0},
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a document with each key or index of it."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


@pytest.mark.parametrize("seed", range(4))
def test_no_change_makes_anything_but_an_error_that_is_told(seed: int) -> None:
    generator = random.Random(seed)
    original = document_of(to_bytes(a_manifest()))
    for _ in range(250):
        document = copy.deepcopy(original)
        for _ in range(generator.choice((1, 1, 2, 3))):
            container, key = generator.choice(list(places(document)))
            action = generator.randrange(4)
            if action == 0:
                del container[key]
            elif action == 1 and isinstance(container, list):
                container.append(copy.deepcopy(container[key]))
            elif action == 2:
                other, there = generator.choice(list(places(document)))
                container[key] = copy.deepcopy(other[there])
            else:
                container[key] = copy.deepcopy(generator.choice(VALUES))
        try:
            found = read(document)
        except (BadContent, Refused, Invalid):
            continue
        assert from_bytes(sealed(document), "M") == found


@pytest.mark.parametrize("seed", range(2))
def test_no_flipped_bit_is_read(seed: int) -> None:
    generator = random.Random(seed)
    data = to_bytes(a_manifest())
    for _ in range(400):
        changed = bytearray(data)
        changed[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        with pytest.raises((BadContent, Refused)):
            from_bytes(bytes(changed), "M")


def test_a_library_and_several_names_are_subjects() -> None:
    document = document_of(to_bytes(a_manifest()))
    document["subject"] = {"kind": "library", "organization": "acme"}
    assert read(document).subject.name == ""
    document["subject"] = {"kind": "repository", "organization": "acme", "name": "os/base,tools/extra"}
    assert read(document).subject.name == "os/base,tools/extra"


def test_a_digest_of_a_receipt_may_be_what_it_is_built_on() -> None:
    document = document_of(to_bytes(a_manifest()))
    document["base"] = {"receipt": digest("r")}
    base = read(document).base
    assert base is not None
    assert base.receipt == digest("r")
