# SPDX-License-Identifier: GPL-3.0-or-later
"""Where exports lie:

    <exports>/<organization>/<subject>/<version>/[<destination>/]<time>/     one that is complete
    ... /.<id>.partial/                                                     beside it: one that is being written
    <exports>/<organization>/<subject>/.<destination>.lock                  one run at a time on a line of exports
    <exports>/.handed/<id>.<where>/                                         what was handed over of one that goes elsewhere

Whoever exports to a directory of his own (`--to DIR`) finds it in DIR/<subject>-<version>-<time>/.
"""

import hashlib
import re
from datetime import datetime
from pathlib import Path

from orchestrator.content.exports.manifest import Subject
from orchestrator.errors import Invalid, Refused

_TIME = "%Y-%m-%dT%H%M%SZ"
_TIMED = re.compile(r"(?:.*-)?\d{4}-\d\d-\d\dT\d{6}Z(?:-\d+)?")
_REMAINS = re.compile(r"\.[0-9a-f]{32}\.partial|\..*\.gone")
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]")
_LONGEST = 100
HANDED = ".handed"
# What the content server keeps below its root, where nothing is exported to.
_OURS = ("pool", "incoming", "repositories", "published", "inventories", "views", "imports", "identity")


def safe_name(text: str) -> str:
    """`text` as the name of a directory: never empty, hidden, or one that looks like the time of an export."""
    name = _UNSAFE.sub("_", text)[:_LONGEST]
    return f"_{name}" if name[:1] in ("", ".", "-") or is_export_name(name) else name


def subject_name(subject: Subject) -> str:
    """ "view-web", "repository-tools+base", "library"."""
    return safe_name("-".join(part for part in (subject.kind, subject.name.replace("/", "+")) if part))


def version_name(subject: Subject) -> str:
    return str(subject.version) if subject.version else "-"


def line_directory(exports: Path, subject: Subject) -> Path:
    """Of all exports of one subject, whatever version and destination."""
    return exports / safe_name(subject.organization) / subject_name(subject)


def parent(exports: Path, subject: Subject, destination: str) -> Path:
    """The directory that an export, and the partial one before it, lie in."""
    place = line_directory(exports, subject) / version_name(subject)
    return place / safe_name(destination) if destination else place


def lock_file(exports: Path, subject: Subject, destination: str) -> Path:
    name = safe_name(destination) if destination else ""
    return line_directory(exports, subject) / (f".{name}.lock" if name else ".lock")


def time_name(moment: datetime) -> str:
    return moment.strftime(_TIME)


def name_elsewhere(subject: Subject, time: str) -> str:
    """In a directory that holds other things too, the name says what it is."""
    parts = (subject_name(subject), str(subject.version or ""), time)
    return "-".join(part for part in parts if part)


def free_name(directory: Path, name: str) -> Path:
    """A path in `directory` that nobody has: `name`, or with a number."""
    place, number = directory / name, 1
    while place.exists() or place.is_symlink():
        number += 1
        place = directory / f"{name}-{number}"
    return place


def partial_directory(place: Path, export_id: str) -> Path:
    """Where what will be `place` is put together."""
    return place.parent / f".{export_id}.partial"


def handed_directory(exports: Path, export_id: str, where: str) -> Path:
    """The notes of what of an export was handed over to `where` ("-", an address, a directory)."""
    return exports / HANDED / f"{export_id}.{hashlib.sha256(where.encode()).hexdigest()[:16]}"


def is_export_name(name: str) -> bool:
    return bool(_TIMED.fullmatch(name))


def doomed(place: Path) -> Path:
    """What a directory that is being removed is called meanwhile."""
    return place.with_name(f".{place.name}.gone")


def is_remains_name(name: str) -> bool:
    """Of one that is not finished, or not quite removed."""
    return bool(_REMAINS.fullmatch(name))


def is_below(path: Path, root: Path) -> bool:
    """Whether `path` leads to something below `root`: both resolved, and compared by their parts."""
    found, above = path.resolve(), root.resolve()
    return found != above and found.is_relative_to(above)


def check_target(directory: Path, root: Path) -> Path:
    """The absolute `directory`, when somebody may export to it: it is there, and nothing of what is below the
    content server's `root`. Raises Invalid, Refused."""
    if not directory.is_dir():
        hint = "" if directory.exists() else f"make it first: mkdir -p {directory}"
        raise Invalid(f"{directory} is no directory", hint=hint)
    found = directory.resolve()
    for name in _OURS:
        ours = (root / name).resolve()
        if found.is_relative_to(ours):
            raise Refused(
                f"{directory} is in {ours}, which is the content server's own",
                hint="export to another directory",
            )
    return found
