# SPDX-License-Identifier: GPL-3.0-or-later
"""What no single key of mirrors.yaml can know: what keys of a source, sources, and files on the disk agree on."""

import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.config.explain import did_you_mean
from orchestrator.content.mirrors_model import Source as Model
from orchestrator.content.source import Source
from orchestrator.errors import Problem
from orchestrator.host.processes import STANDARD_PATH

_WHERE_FROM = ("baseurl", "mirrorlist", "metalink")
_OTHERS = stat.S_IROTH | stat.S_IWOTH
_DEB_ONLY = ("installer", "translations", "contents")
# What files have none of: versions, architectures, relations, signatures.
_NOT_OF_FILES = (
    *_DEB_ONLY,
    "architectures",
    "master",
    "newest",
    "weak_dependencies",
    "alternatives",
    "sources",
    "metalink",
    "sign_with",
)
_OTHER_NAMES = {
    "deb": {"x86_64": "amd64", "aarch64": "arm64", "i686": "i386", "ppc64le": "ppc64el", "noarch": "all"},
    "rpm": {"amd64": "x86_64", "arm64": "aarch64", "ppc64el": "ppc64le", "all": "noarch"},
}


def masters(models: Sequence[Model | None]) -> frozenset[str]:
    """The names that are a master to some source."""
    return frozenset(model.master for model in models if model is not None and model.master)


def across(written: Sequence[Any], models: Sequence[Model | None]) -> Iterator[Problem]:
    """Names and masters: of the sources as they were written, some of which may be wrong in other ways."""
    raws = [raw if isinstance(raw, dict) else {} for raw in written]
    names = [raw.get("name") for raw in raws]
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if isinstance(name, str) and first.setdefault(name, index) != index:
            yield Problem(
                f"sources[{index}].name", f"the name {name} stands twice (also sources[{first[name]}])"
            )
    types = {name: raws[index].get("type") for name, index in first.items()}
    for index, (raw, model) in enumerate(zip(raws, models, strict=True)):
        master, kind = raw.get("master"), model.type if model else raw.get("type")
        if not isinstance(master, str) or not master:
            continue
        where = f"sources[{index}].master"
        if master not in first:
            yield Problem(where, f"no source {master}", did_you_mean(master, first))
        elif types[master] != kind and types[master] and kind:
            yield Problem(where, f"{master} is of type {types[master]}, and this of type {kind}")
    yield from _loops(
        {raw["name"]: raw.get("master") for raw in raws if isinstance(raw.get("name"), str)}, first
    )


def _loops(masters: Mapping[str, Any], first: Mapping[str, int]) -> Iterator[Problem]:
    """Each loop of masters once, told where its first source is."""
    told: set[str] = set()
    for name in masters:
        chain = [name]
        while isinstance(above := masters.get(chain[-1]), str) and above in masters and above not in chain:
            chain.append(above)
        if above == name and name not in told:
            told.update(chain)
            text = " -> ".join([*chain, name])
            yield Problem(f"sources[{first[name]}].master", f"the sources are masters of each other: {text}")


def of_source(where: str, model: Model, source: Source) -> Iterator[Problem]:
    """Keys of one source that exclude or need each other."""
    given = [key for key in _WHERE_FROM if getattr(model, key)]
    if len(given) != 1:
        said = f"says {' and '.join(given)}" if given else "does not say where it is"
        yield Problem(where, said, "it takes one of baseurl, mirrorlist and metalink")
    if model.type == "file":
        yield from _of_files(where, model)
    elif source.keys and source.unsigned:
        yield Problem(f"{where}.unsigned", "keys are named: it is signed")
    elif not source.keys and not source.unsigned:
        hint = (
            "name the keys that sign it, or say `unsigned: true` to trust whoever can answer for its address"
        )
        yield Problem(f"{where}.keys", "is missing", hint)
    yield from _mode(where, model, source)
    yield from _of_format(where, model)


def _mode(where: str, model: Model, source: Source) -> Iterator[Problem]:
    if model.partial is False and model.master:
        yield Problem(f"{where}.partial", "a source with a master has only what the master needs")
    if model.partial and not (model.master or model.requirements):
        yield Problem(f"{where}.partial", "nothing is required of it", "it takes requirements or a master")
    if source.mode == "verbatim":
        reasons = {
            "master": bool(model.master),
            "partial": bool(model.partial) or (source.partial and not model.master),
            "include": bool(model.include),
            "exclude": bool(model.exclude),
            "newest": bool(model.newest),
            "architectures": filters_architectures(model),
        }
        found = [key for key, given in reasons.items() if given]
        if found:
            yield Problem(
                f"{where}.mode", f"verbatim is the upstream's whole, and not with {', '.join(found)}"
            )
        elif model.sign_with:
            yield Problem(f"{where}.sign_with", "verbatim metadata has the upstream's signature")


def filters_architectures(model: Model) -> bool:
    """Whether `architectures` choose packages: an rpm-md repository is one list of all of them. Where its
    address or path has a place for the architecture, the choice is made by that."""
    places = (*(model.baseurl or ()), model.mirrorlist or "", model.metalink or "", *model.repositories)
    by_place = any("{architecture}" in place for place in places)
    return model.type == "rpm" and bool(model.architectures) and not by_place


def _of_format(where: str, model: Model) -> Iterator[Problem]:
    for index, architecture in enumerate(model.architectures):
        if other := _OTHER_NAMES.get(model.type, {}).get(architecture):
            what = f"{architecture} is {other} in {model.type} repositories"
            yield Problem(f"{where}.architectures[{index}]", what)
        if architecture in model.architectures[:index]:
            yield Problem(f"{where}.architectures[{index}]", f"{architecture} stands twice")
    if model.type == "rpm":
        for key in _DEB_ONLY:
            if key in model.model_fields_set and getattr(model, key):
                yield Problem(f"{where}.{key}", "means nothing in an rpm source")
    elif model.type == "deb" and model.metalink:
        yield Problem(f"{where}.metalink", "means nothing in a deb source", "a mirrorlist does")


def _of_files(where: str, model: Model) -> Iterator[Problem]:
    """What a source of plain files cannot have, and must say."""
    for key in _NOT_OF_FILES:
        if key in model.model_fields_set and getattr(model, key):
            yield Problem(f"{where}.{key}", "means nothing in a file source")
    if model.keys:
        yield Problem(f"{where}.keys", "nothing signs the list of a file source", "say `unsigned: true`")
    elif not model.unsigned:
        hint = "nothing signs its list: say `unsigned: true` to trust whoever can answer for its address"
        yield Problem(f"{where}.unsigned", "is missing", hint)
    for key in ("include", "exclude"):
        for index, rule in enumerate(getattr(model, key)):
            if rule.section or rule.source:
                yield Problem(f"{where}.{key}[{index}]", "files have nothing but names", "name, regex")


def of_files(where: str, source: Source) -> Iterator[Problem]:
    """Files that are not there, or say too much to too many."""
    access = source.access
    files: list[tuple[str, Path | None]] = [(f"keys[{index}]", key) for index, key in enumerate(source.keys)]
    files += [(f"auth.{name}", getattr(access, name)) for name in ("client_certificate", "ca")]
    secrets = ("password_file", "netrc", "client_key")
    files += [("sign_with", source.sign_with)]
    files += [(f"auth.{name}", getattr(access, name)) for name in secrets]
    for key, path in files:
        if path is None:
            continue
        if what := _unreadable(path):
            yield Problem(f"{where}.{key}", what)
        elif key.removeprefix("auth.") in (*secrets, "sign_with") and path.stat().st_mode & _OTHERS:
            yield Problem(f"{where}.{key}", f"others may read or change {path}", f"chmod 600 {path}")
    if source.notify and shutil.which(source.notify[0], path=STANDARD_PATH) is None:
        yield Problem(f"{where}.notify[0]", f"there is no program {source.notify[0]}")


def _unreadable(path: Path) -> str:
    """Why the file cannot be read; empty when it can."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe without a writer would block
    except OSError as error:
        return f"cannot read {path}: {error.strerror}"
    directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
    os.close(descriptor)
    return f"cannot read {path}: it is a directory" if directory else ""


def remarks(where: str, source: Source) -> Iterator[str]:
    """What is allowed and probably not meant."""
    if source.sign_with and not source.rebuilt:
        yield f"{where}.sign_with is not used: the mirror keeps the upstream's own signature"
    if source.keys and source.rebuilt and not source.sign_with:
        yield f"{where}: its metadata is written anew and will not be signed: sign_with names a key to do so"
