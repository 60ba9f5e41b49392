# SPDX-License-Identifier: GPL-3.0-or-later
"""modules.yaml: a stream of YAML documents, each a module's stream, its defaults, or what became of it.

Documents are kept or left out as they stand. A stream is kept when one of its packages is, and when a kept
stream requires it: clients check that. Defaults and end-of-life documents stay with their modules.
"""

import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, ClassVar

import yaml

from orchestrator.content.formats.rpm.advisories import Nevra
from orchestrator.errors import BadContent

_DOCUMENT = re.compile(r"^---(?:[ \t].*)?$", re.MULTILINE)
_END = re.compile(r"^\.\.\.[ \t]*$", re.MULTILINE)
# The longest list of a document, one package a line, whose meaning is plain without a YAML parser.
_ARTIFACT = re.compile(r"""^\s+- ["']?(\S+-\d+:[^\s"'-]+-[^\s"'-]+\.\w+)["']?[ \t]*$\n?""", re.MULTILINE)


@dataclass
class _Document:
    text: str
    kind: str = ""
    module: str = ""
    stream: str = ""
    artifacts: Collection[str] = ()
    requires: dict[str, tuple[str, ...]] = field(default_factory=dict)


def filtered(data: bytes, name: str, kept: Collection[Nevra]) -> bytes:
    """The documents that belong to `kept` packages; empty when there are none. Raises BadContent."""
    documents = _read(data, name)
    written = {f"{n}-{epoch}:{version}-{release}.{arch}" for n, epoch, version, release, arch in kept}
    streams: dict[str, list[_Document]] = defaultdict(list)
    for document in documents:
        if document.kind == "modulemd":
            streams[document.module].append(document)
    chosen: dict[int, _Document] = {}
    waiting = [each for of in streams.values() for each in of if not written.isdisjoint(each.artifacts)]
    while waiting:
        document = waiting.pop()
        if id(document) in chosen:
            continue
        chosen[id(document)] = document
        for module, wanted in document.requires.items():
            waiting += [each for each in streams[module] if not wanted or each.stream in wanted]
    modules = {document.module for document in chosen.values()}
    texts = [
        document.text
        for document in documents
        if (id(document) in chosen if document.kind == "modulemd" else document.module in modules)
    ]
    return "".join(texts).encode()


def _read(data: bytes, name: str) -> list[_Document]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise BadContent(f"{name} is not UTF-8") from None
    starts = [match.start() for match in _DOCUMENT.finditer(text)]
    if not starts or text[: starts[0]].strip():
        starts.insert(0, 0)
    parts = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    return [_document(part, name) for part in parts if part.strip(" \n-.")]


def _document(text: str, name: str) -> _Document:
    artifacts = _ARTIFACT.findall(text)
    try:
        loaded = _Strings(_END.sub("", _ARTIFACT.sub("", text))).get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadContent(f"{name} is not valid YAML: {str(error).partition(chr(10))[0]}") from None
    content = loaded.get("data") if isinstance(loaded, dict) else None
    if not isinstance(content, dict):
        raise BadContent(f"{name} has a document that is about no module")
    return _Document(
        text if text.endswith("\n") else text + "\n",
        # Of the several kinds of streams' documents ("modulemd", "modulemd-packager") only one has packages.
        str(loaded.get("document", "")),
        str(content.get("module") or content.get("name") or ""),
        str(content.get("stream", "")),
        frozenset(artifacts),
        _requires(content),
    )


def _requires(content: dict[Any, Any]) -> dict[str, tuple[str, ...]]:
    """The streams of other modules that one needs; none named: any of them."""
    found: dict[str, tuple[str, ...]] = {}
    dependencies = content.get("dependencies")
    for each in dependencies if isinstance(dependencies, list) else [dependencies]:
        requires = each.get("requires") if isinstance(each, dict) else None
        for module, streams in (requires if isinstance(requires, dict) else {}).items():
            wanted = streams if isinstance(streams, list) else [streams]
            found[str(module)] = tuple(str(stream) for stream in wanted)
    return found


class _Strings(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Streams are names: 1.10 is not the number 1.1."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}
