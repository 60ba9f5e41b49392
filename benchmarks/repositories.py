# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories to measure with, made once and kept: real metadata, small packages of bytes that do not compress.

A repository is two trees: `base`, and `changed`, where one percent of the packages has a new version; what
did not change is the same file in both. `served` is a link to one of them. Everything but the signatures is
the same for one index and one seed.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import debian_index
from debian_index import Listed
from making import File, Job, Made, Maker
from measuring import processors
from signing import Signer

Variant = Literal["base", "changed"]
# What a repository was made by: a number to raise when the makers change.
_MAKERS = 3
# What a server has on it: a hundred or so packages, their closure a few hundred.
ROOTS = ("openssh-server", "postgresql", "nginx", "python3-django", "xfce4", "build-essential")
_CHUNK = 200
# The directory of a tree with its metadata.
_TOP = {"deb": "dists", "rpm": "repodata"}
_WHEN = 1_704_067_200


@dataclass(frozen=True, slots=True)
class Shape:
    """What a repository is like. `count` 0: all packages of the index. The size of a package follows the real
    one, squeezed: median * (real / real median) ** exponent, at most `largest` bytes; median 0: the
    smallest packages there can be."""

    name: str
    kind: Literal["deb", "rpm"]
    count: int
    median: int = 20_000
    largest: int = 5_000_000
    seed: str = "1"
    invented: int = 0

    def size(self, real: int, real_median: int, exponent: float = 0.75) -> int:
        return min(self.largest, int(self.median * (real / real_median) ** exponent))


class Repository:
    """A repository in `directory`."""

    def __init__(self, directory: Path, shape: Shape) -> None:
        self.directory, self.shape = directory, shape

    @property
    def key(self) -> Path:
        """The armoured public key."""
        return self.directory / "key.asc"

    @property
    def keyring(self) -> Path:
        """The same, binary."""
        return self.directory / "keyring.gpg"

    def tree(self, variant: Variant) -> Path:
        return self.directory / variant

    def serve(self, variant: Variant) -> None:
        """What is at the repository's address from now on."""
        temporary = self.directory / "served.new"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(variant)
        temporary.replace(self.directory / "served")

    @property
    def count(self) -> int:
        return int((self.directory / "count").read_text())

    def packages(self, variant: Variant = "base") -> list[File]:
        return [File(**raw) for raw in json.loads((self.directory / f"{variant}.json").read_text())]

    def metadata(self, variant: Variant = "base") -> list[str]:
        """Paths of the metadata files, without their other names by digest."""
        tree = self.tree(variant)
        top = tree / _TOP[self.shape.kind]
        found = (path.relative_to(tree) for path in top.rglob("*") if path.is_file())
        return sorted(str(path) for path in found if "by-hash" not in path.parts)

    def roots(self) -> list[str]:
        """What a partial mirror of it is asked for."""
        stanzas = json.loads((self.directory / "roots.json").read_text())
        return [str(name) for name in stanzas]


def provide(directory: Path, shape: Shape) -> Repository:
    """The repository of this shape below `directory`, made if it is not there. Raises OSError, RuntimeError."""
    repository = Repository(directory / shape.name, shape)
    mark = repository.directory / "made.json"
    made = {
        **asdict(shape),
        "makers": _MAKERS,
        "index": str(None if shape.invented else debian_index.find_index()),
    }
    if not mark.is_file() or json.loads(mark.read_text()) != made:
        shutil.rmtree(repository.directory, ignore_errors=True)
        # In a process of its own: the memory that this takes would be part of every later child's peak.
        with ProcessPoolExecutor(1) as maker:
            maker.submit(_make, repository).result()
        mark.write_text(json.dumps(made))
    repository.serve("base")
    return repository


def _make(repository: Repository) -> None:
    shape = repository.shape
    listed = _listed(shape)
    roots = [name for name in ROOTS if any(package.name == name for package in listed)]
    chosen = debian_index.select(listed, shape.count, shape.seed, roots)
    real = sorted(package.size for package in listed)
    median = real[len(real) // 2]
    jobs = [Job(dict(package.fields), shape.size(package.size, median), shape.seed) for package in chosen]
    repository.directory.mkdir(parents=True)
    standard = [
        package.name
        for package in chosen
        if package.fields.get("Priority") in ("required", "important", "standard")
    ]
    (repository.directory / "roots.json").write_text(json.dumps([*standard, *roots]))
    (repository.directory / "count").write_text(str(len(chosen)))
    signer = Signer.make(repository.directory)
    maker = _maker(shape, signer)
    base = repository.tree("base")
    files = _write_all(maker, base, jobs)
    _publish(maker, Made(base, jobs, files, 1), _TOP[shape.kind])
    _record(repository, "base", files)
    _change(repository, maker, jobs, files)


def _change(repository: Repository, maker: Maker, jobs: Sequence[Job], files: Sequence[File]) -> None:
    """The other tree: every hundredth package has a new version."""
    base, tree = repository.tree("base"), repository.tree("changed")
    top = _TOP[repository.shape.kind]
    shutil.copytree(
        base, tree, copy_function=os.link, ignore=lambda path, _: [top] if Path(path) == base else []
    )
    new_jobs, new_files = list(jobs), list(files)
    for index in range(0, len(jobs), 100):
        new_jobs[index] = _renewed(jobs[index])
        (tree / files[index].path).unlink()
        new_files[index] = _write(maker, tree, new_jobs[index])
    _publish(maker, Made(tree, new_jobs, new_files, 2), top)
    _record(repository, "changed", new_files)


def _publish(maker: Maker, made: Made, top: str) -> None:
    """Servers tell versions of a file apart by its time, in whole seconds: the two trees have different ones."""
    maker.publish(made)
    when = _WHEN + 3600 * made.serial
    for path in (made.tree / top).rglob("*"):
        os.utime(path, (when, when))


def _renewed(job: Job) -> Job:
    fields = dict(job.fields)
    fields["Version"] += "+b2"
    stem, _, architecture = fields["Filename"].removesuffix(".deb").rpartition("_")
    fields["Filename"] = f"{stem}+b2_{architecture}.deb"
    return replace(job, fields=fields, seed=f"{job.seed}/2")


def _listed(shape: Shape) -> list[Listed]:
    if shape.invented:
        return debian_index.invent(shape.invented, shape.seed)
    index = debian_index.find_index()
    if index is None:
        raise RuntimeError(
            f"no index of Debian's main below {debian_index.LISTS} (apt-get update brings one)"
        )
    return debian_index.read_index(index)


def _maker(shape: Shape, signer: Signer) -> Maker:
    if shape.kind == "deb":
        from make_deb_repository import DebMaker

        return DebMaker(signer)
    from make_rpm_repository import RpmMaker

    return RpmMaker(signer)


def _write_all(maker: Maker, tree: Path, jobs: Sequence[Job]) -> list[File]:
    chunks = [jobs[start : start + _CHUNK] for start in range(0, len(jobs), _CHUNK)]
    with ProcessPoolExecutor(processors()) as pool:
        results = pool.map(_write_chunk, [maker] * len(chunks), [tree] * len(chunks), chunks)
        return [file for files in results for file in files]


def _write_chunk(maker: Maker, tree: Path, jobs: Sequence[Job]) -> list[File]:
    return [_write(maker, tree, job) for job in jobs]


def _write(maker: Maker, tree: Path, job: Job) -> File:
    path, data = maker.package(job)
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_bytes(data)
    return File(job.fields["Package"], path, len(data), hashlib.sha256(data).hexdigest())


def _record(repository: Repository, variant: Variant, files: Sequence[File]) -> None:
    (repository.directory / f"{variant}.json").write_text(json.dumps([asdict(file) for file in files]))
