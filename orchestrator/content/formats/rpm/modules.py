# SPDX-License-Identifier: GPL-3.0-or-later
"""modules.yaml: a stream of YAML documents, each a module's stream, its defaults, or what became of it.

Documents are kept or left out as they stand. A stream is kept when one of its packages is, and when a kept
stream requires it: clients check that. Defaults and end-of-life documents stay with their modules.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
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
class Document:
    """One document. `artifacts` are NAME-EPOCH:VERSION-RELEASE.ARCH of a stream's packages, `profiles` the names of
    packages by profile. Of a module's defaults `stream` is the default one, and `profiles` names by stream the
    default profiles."""

    text: str
    kind: str = ""
    module: str = ""
    stream: str = ""
    artifacts: Collection[str] = ()
    requires: dict[str, tuple[str, ...]] = field(default_factory=dict)
    profiles: dict[str, tuple[str, ...]] = field(default_factory=dict)


def written(package: Nevra) -> str:
    """As an artifact."""
    name, epoch, version, release, architecture = package
    return f"{name}-{epoch}:{version}-{release}.{architecture}"


def filtered(data: bytes, name: str, kept: Collection[Nevra], others: Collection[str] = ()) -> bytes:
    """The documents that belong to `kept` packages; empty when there are none. Defaults also of `others`: modules
    that are kept elsewhere. Raises BadContent."""
    documents = read(data, name)
    chosen = _chosen(documents, kept)
    modules = {*others, *(document.module for document in chosen)}
    of_streams = set(map(id, chosen))
    texts = [
        document.text
        for document in documents
        if (id(document) in of_streams if document.kind == "modulemd" else document.module in modules)
    ]
    return "".join(texts).encode()


def kept_modules(data: bytes, name: str, kept: Collection[Nevra]) -> set[str]:
    """The modules of which a stream is kept. Raises BadContent."""
    return {document.module for document in _chosen(read(data, name), kept)}


def _chosen(documents: Sequence[Document], kept: Collection[Nevra]) -> list[Document]:
    """The streams that have a kept package, or are required by such a one."""
    artifacts = {written(package) for package in kept}
    streams: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        if document.kind == "modulemd":
            streams[document.module].append(document)
    chosen: dict[int, Document] = {}
    waiting = [each for of in streams.values() for each in of if not artifacts.isdisjoint(each.artifacts)]
    while waiting:
        document = waiting.pop()
        if id(document) in chosen:
            continue
        chosen[id(document)] = document
        for module, wanted in document.requires.items():
            waiting += [each for each in streams[module] if not wanted or each.stream in wanted]
    return list(chosen.values())


def read(data: bytes, name: str) -> list[Document]:
    """Raises BadContent."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise BadContent(f"{name} is not UTF-8") from None
    starts = [match.start() for match in _DOCUMENT.finditer(text)]
    if not starts or text[: starts[0]].strip():
        starts.insert(0, 0)
    parts = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    return [_document(part, name) for part in parts if part.strip(" \n-.")]


def _document(text: str, name: str) -> Document:
    artifacts = _ARTIFACT.findall(text)
    try:
        loaded = _Strings(_END.sub("", _ARTIFACT.sub("", text))).get_single_data()
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise BadContent(f"{name} is not valid YAML: {str(error).partition(chr(10))[0]}") from None
    content = loaded.get("data") if isinstance(loaded, dict) else None
    if not isinstance(content, dict):
        raise BadContent(f"{name} has a document that is about no module")
    return Document(
        text if text.endswith("\n") else text + "\n",
        # Of the several kinds of streams' documents ("modulemd", "modulemd-packager") only one has packages.
        _word(loaded.get("document")),
        _word(content.get("module")) or _word(content.get("name")),
        _word(content.get("stream")),
        frozenset((*artifacts, *_listed(content))),
        _requires(content),
        _profiles(content),
    )


def _listed(content: dict[Any, Any]) -> list[str]:
    """The artifacts that do not stand one a line."""
    artifacts = content.get("artifacts")
    rpms = artifacts.get("rpms") if isinstance(artifacts, dict) else None
    return [_word(each) for each in rpms] if isinstance(rpms, list) else []


def _requires(content: dict[Any, Any]) -> dict[str, tuple[str, ...]]:
    """The streams of other modules that one needs; none named: any of them."""
    found: dict[str, tuple[str, ...]] = {}
    dependencies = content.get("dependencies")
    for each in dependencies if isinstance(dependencies, list) else [dependencies]:
        requires = each.get("requires") if isinstance(each, dict) else None
        for module, streams in (requires if isinstance(requires, dict) else {}).items():
            wanted = streams if isinstance(streams, list) else [streams]
            found[_word(module)] = tuple(map(_word, wanted))
    return found


def _word(value: Any) -> str:
    """A name. Nothing for what is a list: those that hold each other by reference have no end in words."""
    return value if isinstance(value, str) else ""


def _profiles(content: dict[Any, Any]) -> dict[str, tuple[str, ...]]:
    profiles = content.get("profiles")
    found: dict[str, tuple[str, ...]] = {}
    for name, members in (profiles if isinstance(profiles, dict) else {}).items():
        names = members.get("rpms") if isinstance(members, dict) else members
        found[str(name)] = tuple(map(str, names)) if isinstance(names, list) else ()
    return found


class _Strings(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Streams are names: 1.10 is not the number 1.1."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def flatten_mapping(self, node: Any) -> None:
        """Mappings that are merged into each other may be a bomb: the tag is an unknown one."""
