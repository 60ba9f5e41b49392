# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured of exports and imports, what it is held against, and what is to be reached."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from content_root import ContentRoot, ContentSize, provide, write_config
from measuring import Patience, Sample, environment, in_turns, orchestrator, peak, ratio, timed, wall
from table import Row, comparison

MEGABYTE = 1_000_000
US = "orchestrator"


@dataclass(frozen=True, slots=True)
class SyncEffort:
    large: ContentSize
    many: ContentSize
    rounds: int


FULL = SyncEffort(ContentSize(20_000, 22_000), ContentSize(60_000, 600), 5)
QUICK = SyncEffort(ContentSize(60, 2_000), ContentSize(90, 600), 1)


@dataclass(frozen=True, slots=True)
class SyncResult:
    title: str
    samples: Mapping[str, Sequence[Sample]]
    reference: str


@dataclass(slots=True)
class Bench:
    """What all measures share; `directory` is for what runs leave, `kept` has the contents."""

    effort: SyncEffort
    directory: Path
    kept: Path
    rounds: int
    patience: Patience = field(default_factory=lambda: Patience(0))
    results: list[SyncResult] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def content(self, size: ContentSize) -> ContentRoot:
        return provide(self.kept, size)

    def fresh(self) -> Path:
        """A new directory for what one run writes; what earlier runs wrote is gone, and the disk has no work left."""
        place = self.directory / "runs"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        _settle(place)
        return place

    def new(self, name: str) -> Path:
        """A directory for what all runs of a measure read."""
        place = self.directory / name
        place.mkdir()
        return place

    def destination(self) -> str:
        """No export is like an earlier one, which would be found instead of made."""
        return f"receiver-{os.getpid()}-{next(self._numbers)}"

    def time(self, config: Path, *words: str) -> Sample:
        home = self.directory / "home"
        return timed(orchestrator(*words, "--config", str(config)), environment(home))

    def shell(self, command: str, **names: Path) -> Sample:
        env = environment(
            self.directory / "home", **{name.upper(): str(path) for name, path in names.items()}
        )
        return timed(["sh", "-c", command], env)

    def race(self, title: str, reference: str, runs: Mapping[str, Callable[[], Sample]]) -> SyncResult:
        result = SyncResult(title, in_turns(runs, self.rounds, self.patience), reference)
        self.results.append(result)
        return result


Measure = Callable[[Bench], Iterator[Row]]


def _settle(place: Path) -> None:
    subprocess.run(["sync", "-f", str(place)], check=True)


def figures(result: SyncResult) -> Iterator[str]:
    """Everything that was measured in one race."""
    yield f"{result.title}:"
    yield ""
    yield from comparison(result.samples, result.reference)


def _row(result: SyncResult, reach: float, peer: str, *, against: str = "") -> Row:
    reference = against or result.reference
    ours, theirs = result.samples[US], result.samples[reference]
    found = ratio(ours, theirs)
    return Row(
        result.title if not against else f"{result.title}, against {against}",
        f"{wall(ours):.2f} s",
        f"{peer} {wall(theirs):.2f} s",
        f"{found:.2f}x",
        f"{reach:g}x" if not against else "",
        found <= reach if not against else None,
    )


def _exported(bench: Bench, content: ContentRoot, form: str) -> Callable[[], Sample]:
    def run() -> Sample:
        place = bench.fresh()
        words = ("export", "complete", "library", "--format", form, "--to", str(place))
        return bench.time(content.config, *words, "--destination", bench.destination())

    return run


def directory(bench: Bench) -> Iterator[Row]:
    """Hard links beside hard links."""
    content = bench.content(bench.effort.large)
    # Links cannot leave the file system: both go where the content is.
    inner = Bench(bench.effort, bench.kept, bench.kept, bench.rounds, bench.patience)
    (bench.kept / "home").mkdir(exist_ok=True)
    copy = 'cp -al "$TREE" "$PLACE/copy"'
    runs = {
        US: _exported(inner, content, "dir"),
        "cp -al": lambda: inner.shell(copy, tree=content.tree, place=inner.fresh()),
        "cp -al; sync": lambda: inner.shell(
            f'{copy}; sync -f "$PLACE"', tree=content.tree, place=inner.fresh()
        ),
    }
    result = bench.race(f"export dir: {content.objects} objects", "cp -al", runs)
    bench.results += inner.results
    shutil.rmtree(bench.kept / "runs", ignore_errors=True)
    yield _row(result, 1.3, "cp -al")
    yield _row(result, 1.3, "cp -al; sync", against="cp -al; sync")


def _of_one_file(form: str, reach: float, extra: Mapping[str, str]) -> Measure:
    def measure(bench: Bench) -> Iterator[Row]:
        content = bench.content(bench.effort.large)
        tar = 'tar -cf "$PLACE/out.tar" -C "$TREE" .'

        def peer(command: str) -> Callable[[], Sample]:
            return lambda: bench.shell(command, tree=content.tree, place=bench.fresh())

        runs = {
            US: _exported(bench, content, form),
            "tar": peer(tar),
            "tar; sync": peer(f'{tar} && sync "$PLACE/out.tar"'),
        }
        runs |= {name: peer(command) for name, command in extra.items() if shutil.which(command.split()[0])}
        title = f"export {form}: {content.objects} objects, {content.bytes / MEGABYTE:.0f} MB"
        result = bench.race(title, "tar", runs)
        yield _row(result, reach, "tar -cf")
        yield _row(result, reach, "tar -cf; sync", against="tar; sync")

    return measure


def import_(bench: Bench) -> Iterator[Row]:
    """From a tar into a new server, beside unpacking it and hashing what came out."""
    content = bench.content(bench.effort.large)
    media = bench.new("media")
    words = ("export", "complete", "library", "--format", "tar", "--to", str(media))
    bench.time(content.config, *words, "--destination", bench.destination())
    (tar,) = media.rglob("*.tar")
    key = bench.directory / "key.pem"
    with key.open("wb") as stream:
        timed(
            orchestrator("export", "key", "--config", str(content.config)),
            environment(bench.directory / "home"),
            output=stream.fileno(),
        )

    def ours() -> Sample:
        place = bench.fresh()
        return bench.time(write_config(place / "server"), "import", "run", str(tar), "--trust", str(key))

    unpack = 'cd "$PLACE" && tar -xf "$TAR" && find objects -type f -print0 | xargs -0 sha256sum >sums'
    runs = {
        US: ours,
        "tar -x; sha256sum": lambda: bench.shell(unpack, place=bench.fresh(), tar=tar),
        "tar -x; sha256sum; sync": lambda: bench.shell(
            f'{unpack} && sync -f "$PLACE"', place=bench.fresh(), tar=tar
        ),
    }
    title = f"import from tar: {content.objects} objects, {content.bytes / MEGABYTE:.0f} MB"
    result = bench.race(title, "tar -x; sha256sum", runs)
    yield _row(result, 0.8, "tar -x; sha256sum")
    synced = "tar -x; sha256sum; sync"
    yield _row(result, 0.8, synced, against=synced)


def unchanged(bench: Bench) -> Iterator[Row]:
    """An increment when nothing has changed."""
    content = bench.content(bench.effort.large)
    whose = bench.destination()
    base = ("--to", str(bench.new("base")), "--destination", whose)
    bench.time(content.config, "export", "complete", "library", "--format", "tar", *base)

    def ours() -> Sample:
        to = ("--to", str(bench.fresh()), "--destination", whose)
        return bench.time(content.config, "export", "incremental", "library", "--format", "tar", *to)

    result = bench.race(f"increment without a change: {content.objects} objects", "", {US: ours})
    took = wall(result.samples[US])
    yield Row(result.title, f"{took:.2f} s", to_reach="1 s", result=f"{took:.2f} s", reached=took < 1)


def memory(bench: Bench) -> Iterator[Row]:
    """The peak of exports of every form, and of an import, of many objects."""
    content = bench.content(bench.effort.many)
    key = bench.directory / "key.pem"
    with key.open("wb") as stream:
        timed(
            orchestrator("export", "key", "--config", str(content.config)),
            environment(bench.directory / "home"),
            output=stream.fileno(),
        )
    media = bench.new("many")
    samples: dict[str, Sequence[Sample]] = {}
    for form in ("dir", "tar", "tgz", "iso"):
        (media / form).mkdir()
        to = ("--to", str(media / form), "--destination", bench.destination())
        samples[form] = [bench.time(content.config, "export", "complete", "library", "--format", form, *to)]
    for form in ("dir", "tar", "tgz", "iso"):
        server = write_config(bench.fresh() / "server")
        words = ("import", "run", *_media(media / form), "--trust", str(key))
        samples[f"import {form}"] = [bench.time(server, *words)]
    result = SyncResult(f"memory: {content.objects} objects", samples, "")
    bench.results.append(result)
    for name, of_one in samples.items():
        reached = peak(of_one) < 200 * MEGABYTE
        what = name if name.startswith("import") else f"export {name}"
        told = f"{peak(of_one) / MEGABYTE:.0f} MB"
        yield Row(f"memory, {what}: {content.objects} objects", told, to_reach="200 MB", reached=reached)


def _media(place: Path) -> list[str]:
    return [str(manifest.parent) for manifest in place.rglob("manifest.json")]


MEASURES: Mapping[str, Measure] = {
    "dir": directory,
    "tar": _of_one_file("tar", 1.1, {}),
    "tgz": _of_one_file("tgz", 1.6, {}),
    "iso": _of_one_file(
        "iso", 1.4, {"xorriso": 'xorriso -as mkisofs -quiet -R -J -o "$PLACE/out.iso" "$TREE" 2>/dev/null'}
    ),
    "import": import_,
    "unchanged": unchanged,
    "memory": memory,
}
