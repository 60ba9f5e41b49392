# SPDX-License-Identifier: GPL-3.0-or-later
"""A small mirror without an upstream: published in versions, read as clients read it, killed at any point.

python -m tests.support.publishing publish ROOT VERSION     publish a version, if it is not the current one
python -m tests.support.publishing read ROOT                read through the link for ever, a line a round
python -m tests.support.publishing sweep DIRECTORY          die at every point of a publication
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from orchestrator.content import pool as pools
from orchestrator.content.generations import Generation, MirrorStore, Record
from orchestrator.content.model import Metadata, StoredFile, Validators
from orchestrator.content.pool import Pool
from orchestrator.content.publication import shelf
from tests.support.killing import Points

NAME, KEEP = "toy", 3


def lasts(path: str) -> bool:
    return path.startswith("pool/")


def store(root: Path, name: str = NAME) -> MirrorStore:
    return MirrorStore(Pool(root), name)


def put(pool: Pool, contents: dict[str, str]) -> list[StoredFile]:
    """`contents` by path, in the pool."""
    return [
        StoredFile(path, len(text.encode()), pool.add_bytes(text.encode())) for path, text in contents.items()
    ]


def record(fingerprint: str = "") -> Record:
    return Record(NAME, "deb", "rebuilt", fingerprint, packages=1)


def publish(mirror: MirrorStore, contents: dict[str, str], *, keep: int = KEEP) -> Generation:
    files = put(mirror.pool, contents)
    return mirror.publish(files, record(), names_that_last=lasts, keep=keep)


def version(number: int) -> dict[str, str]:
    """A repository whose index names its packages: some stay, some are new in each version."""
    packages = {f"pool/{letter}/same_{letter}.deb": f"same {letter}" for letter in "abc"}
    packages |= {f"pool/{letter}/new_{letter}_{number}.deb": f"new {letter} {number}" for letter in "cd"}
    names = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in packages.items()}
    return {"dists/index": json.dumps(names), "dists/number": str(number), **packages}


def bring_up_to(root: Path, number: int) -> None:
    """What a clone does: nothing when that version is published."""
    mirror = store(root)
    with mirror.lock():
        current = mirror.current()
        if current is not None and current.record.fingerprint == str(number):
            return
        files = put(mirror.pool, version(number))
        mirror.hold(
            [Metadata("stable", (files[0],), (files[1],), Validators(f"v{number}"), "http://a/index")]
        )
        mirror.publish(files, record(str(number)), names_that_last=lasts, keep=KEEP)


def contents(tree: Path) -> dict[str, str]:
    return {str(path.relative_to(tree)): path.read_text() for path in tree.rglob("*") if path.is_file()}


def read_as_client(published: Path) -> list[str]:
    """The index, then each package that it names; what is wrong with them."""
    wrong = []
    for path, sha256 in json.loads((published / "dists/index").read_bytes()).items():
        try:
            data = (published / path).read_bytes()
        except OSError as error:
            wrong.append(str(error))
        else:
            if hashlib.sha256(data).hexdigest() != sha256:
                wrong.append(f"{path} is torn")
    return wrong


def state(root: Path) -> dict[str, str]:
    """Everything below `root` but times, lock files and downloads: what two runs must have in common."""
    found = {}
    for path in sorted(root.rglob("*")):
        place = str(path.relative_to(root))
        if path.is_symlink():
            found[place] = f"-> {os.readlink(path)}"
        elif path.is_file() and path.name != "lock" and not place.startswith("incoming/"):
            found[place] = path.read_text() if path.suffix != ".json" else _without_time(path)
    return found


def _without_time(path: Path) -> str:
    document = json.loads(path.read_text())
    document.pop("time", None)
    return json.dumps(document)


def _die_at(point: int, work: Callable[[], None]) -> bool:
    """Do `work` in a child that kills itself at its `point`; whether it came to that."""
    child = os.fork()
    if child == 0:
        points = Points(point, "")
        points.make_deadly(pools, shelf, sync=lambda path: None)
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert died or status == 0, status
    return died


def sweep(directory: Path) -> int:
    """The number of points; AssertionError where a client saw something broken, or the end was another one."""
    before, undisturbed, root = directory / "before", directory / "undisturbed", directory / "root"
    for number in range(1, 4):
        bring_up_to(before, number)
    _copy(before, undisturbed)
    bring_up_to(undisturbed, 4)
    point = 1
    while True:
        _copy(before, root)
        died = _die_at(point, lambda: bring_up_to(root, 4))
        where = f"killed at point {point}"
        assert read_as_client(root / "published" / NAME) == [], where
        current = store(root).current()
        assert current is not None, where
        # What is not to be seen is whole all the same.
        found = contents(root / "published" / NAME)
        assert {file.path for file in current.inventory()} == set(found), where
        own = {file.path: found[file.path] for file in current.inventory().own}
        assert own == version(int(found["dists/number"])), where
        bring_up_to(root, 4)
        assert state(root) == state(undisturbed), where
        if not died:
            return point
        point += 1


def _copy(root: Path, to: Path) -> None:
    """With its hard links."""
    shutil.rmtree(to, ignore_errors=True)
    subprocess.run(["cp", "-a", root, to], check=True)


def main() -> None:
    command, path = sys.argv[1], Path(sys.argv[2])
    if command == "publish":
        bring_up_to(path, int(sys.argv[3]))
    elif command == "sweep":
        print(sweep(path))
    while command == "read":
        print(json.dumps(read_as_client(path / "published" / NAME)), flush=True)


if __name__ == "__main__":
    main()
