# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a new repository: of packages that an upstream offers, or of local package files."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.content.engine import Engine
from orchestrator.content.events import Name
from orchestrator.content.generations import Record
from orchestrator.content.mirror import Wish, clone
from orchestrator.content.model import Role, StoredFile
from orchestrator.content.outcome import Outcome, Status
from orchestrator.content.pool import hash_file
from orchestrator.content.signatures import Signer
from orchestrator.content.source import Source, SourceType
from orchestrator.content.tree import key_file
from orchestrator.errors import Invalid, Problem, UsageError
from orchestrator.host import clock

# Where packages stand in a repository that has no upstream.
_PLACE = {"deb": ("stable main",), "rpm": (".",), "file": (".",)}


def create_from_upstream(
    engine: Engine,
    name: str,
    upstream: str,
    packages: Sequence[str],
    *,
    dependencies: bool = False,
    sign_with: Path | None = None,
) -> Outcome:
    """Publish `name`: the listed packages of the source `upstream` ("nginx (>= 1.22)"), with `dependencies` also
    what they need. Raises UsageError, and what a clone puts into its outcome."""
    if any(source.name == name for source in engine.mirrors.sources):
        raise UsageError(f"{name} is a source of {engine.mirrors.path}: take another name")
    source = replace(
        engine.source(upstream),
        name=name,
        master="",
        partial=True,
        mode="rebuilt",
        requirements=tuple(packages),
        sign_with=sign_with or engine.source(upstream).sign_with,
    )
    outcome = clone(engine, [source], [name], Wish(only_listed=not dependencies, strict=True))[0]
    if outcome.error is not None:
        raise outcome.error
    return outcome


def create_from_files(
    engine: Engine,
    name: str,
    files: Sequence[Path],
    *,
    type_: str = "",
    sign_with: Path | None = None,
) -> Outcome:
    """Publish `name` with the .deb or .rpm files (directories: all in them); as `type_` "file" with files of any
    kind, those of directories at their paths there. Raises Invalid for none, for both kinds together, and for two
    of one name; BadContent naming the file that is no package."""
    paths = _local_files(files, any_kind=type_ == "file")
    type_ = "file" if paths and type_ == "file" else _type_of(paths.values(), type_)
    source = Source(name, type_, (), _PLACE[type_], unsigned=True, sign_with=sign_with)
    format_, pool, store = engine.format(source), engine.pool, engine.store(name)
    with store.lock():
        stored = [_take_in(engine, place, paths[place]) for place in sorted(paths)]
        signer = Signer.load(sign_with) if sign_with else None
        tree = [*format_.create(stored, source, pool, clock.now().timestamp(), signer)]
        if signer is not None:
            tree.append(key_file(engine, signer.certificate()))
        record = Record(
            source=name,
            type=type_,
            mode="rebuilt",
            packages=len(paths),
            upstream=tuple((repository, "", "") for repository in source.repositories),
        )
        generation = store.publish(
            tree, record, names_that_last=format_.names_that_last, keep=engine.common.keep
        )
    outcome = Outcome(
        name,
        Status.PUBLISHED,
        generation.number,
        str(store.published),
        generation.record.packages,
        generation.record.bytes,
    )
    engine.tell(Name.PUBLISHED, **outcome.to_json())
    return outcome


def _local_files(files: Sequence[Path], *, any_kind: bool) -> dict[str, Path]:
    """By what they are called in the repository."""
    missing = [path for path in files if not path.exists()]
    if missing:
        raise Invalid(
            "there are no such files", problems=[Problem(str(path), "is not there") for path in missing]
        )
    found: list[tuple[str, Path]] = []
    for path in files:
        if not path.is_dir():
            found.append((path.name, path))
        elif any_kind:
            found += [(str(p.relative_to(path)), p) for p in path.rglob("*") if p.is_file()]
        else:
            found += [(p.name, p) for p in path.rglob("*") if p.suffix in (".deb", ".rpm")]
    counts = Counter(name for name, _ in found)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise Invalid(
            "files of one name", problems=[Problem(name, "is given more than once") for name in twice]
        )
    return dict(found)


def _type_of(paths: Collection[Path], wanted: str) -> SourceType:
    kinds = {path.suffix for path in paths}
    if kinds == {".deb"} and wanted in ("", "deb"):
        return "deb"
    if kinds == {".rpm"} and wanted in ("", "rpm"):
        return "rpm"
    what = (
        "none were given"
        if not kinds
        else "found " + ", ".join(sorted(kind or "files without a suffix" for kind in kinds))
    )
    raise Invalid(
        f"a repository is made of .deb files or of .rpm files: {what}",
        hint="of files of any kind one is made with --type file",
    )


def _take_in(engine: Engine, place: str, path: Path) -> StoredFile:
    sha256, size = hash_file(path)
    engine.check_stop()
    engine.pool.add_file(path, sha256)
    return StoredFile(place, size, sha256, Role.PACKAGE)
