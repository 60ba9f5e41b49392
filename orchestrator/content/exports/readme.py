# SPDX-License-Identifier: GPL-3.0-or-later
"""README.txt: what a medium is, and how to verify and read it with sh, sha256sum and openssl alone. Pure.

The commands are indented by four blanks, and a test runs them. They suit every POSIX shell and busybox.
"""

from collections import Counter
from collections.abc import Iterator

from orchestrator.content.exports.manifest import Manifest, RepositoryEntry
from orchestrator.content.exports.manifest_model import Base

_VERIFY = """\
VERIFY IT

In the directory of this file:

    sha256sum -c SHA256SUMS

That is against accidents. Against forgery, with the public key of who exported it (its id is {signer}), which
has to come from somewhere else than this medium:

    openssl pkeyutl -verify -pubin -inkey KEY.pem -rawin -in manifest.json -sigfile manifest.sig

The signature covers manifest.json; the name of each file in inventories/ and objects/ is the SHA-256 of its content.
"""
_READ = """\
READ IT WITHOUT A CONTENT SERVER

Copy all that is {where} into one empty directory, and go there:

    {copy}
    cd ALL

An object that was larger than a medium is there in segments, which are joined by:

    for first in objects/??/*.0; do
        [ -e "$first" ] || continue
        whole=${{first%.0}}
        ls "$whole".* | sort -t . -k 2n | while read -r part; do cat "$part"; done > "$whole"
        rm "$whole".*
    done
    for object in objects/??/*; do
        [ ! -e "$object" ] || echo "${{object##*/}}  $object"
    done | sha256sum -c | grep -v ': OK$'

Nothing is printed when all of them are good. Then this makes the tree of each repository below content/:

    tree() {{
        while read -r sha256 size path; do
            [ ${{#sha256}} = 64 ] || continue
            file="content/$2/$path"
            mkdir -p "${{file%/*}}"
            object="objects/${{sha256%??????????????????????????????????????????????????????????????}}/$sha256"
            cp "$object" "$file" || echo "$file is not here"
        done < "inventories/$1"
    }}
{trees}
"""
_INCREMENT = """\
This is an increment: first copy the objects of what it is built on into the same directory, the same way.
"""
_SERVER = """\
INTO A CONTENT SERVER

    orchestrator import run {what}
"""
_COPY = {
    "tar": 'mkdir ALL; for medium in *.tar; do tar -xf "$medium" -C ALL; done',
    "tgz": 'mkdir ALL; for medium in *.tgz; do tar -xzf "$medium" -C ALL; done',
    "iso": "mkdir -p ALL; cp -R MEDIUM/. ALL/     # of each medium, where it is mounted",
}
_DIRECTORY = """\
USE IT

Every directory named below is a whole repository, which clients can use as it is, from a disk (file:) or behind any
web server:

{places}
"""
_ADDITIONS = """\
USE IT

This is an increment: the directories named below hold the metadata of a repository and what is new in it. Copied
over those of what it is built on, they are whole:

{places}
"""


def of_chunk(manifest: Manifest, number: int) -> str:
    """On the medium `number` of those that the manifest has."""
    of = max(1, len(manifest.chunks))
    where = f"on the {of} media" if of > 1 else "on this medium"
    parts = [
        f"Medium {number} of {of} of an export\n\n{_facts(manifest)}",
        _VERIFY.format(signer=manifest.signer),
        _READ.format(where=where, copy=_COPY[manifest.format], trees="\n".join(_commands(manifest))),
    ]
    if manifest.kind == "increment":
        parts.append(_INCREMENT)
    media = "any of the media, in any order" if of > 1 else "this medium"
    return "\n".join([*parts, _SERVER.format(what=f"PATH     # {media}")])


def of_directory(manifest: Manifest) -> str:
    """Beside the trees of a `dir` export."""
    places = [
        f"    {tree}  ({each.type}{_named(each)})"
        for each in manifest.repositories
        for tree in sorted(each.trees)
    ]
    use = _ADDITIONS if manifest.kind == "increment" else _DIRECTORY
    parts = [
        f"An export\n\n{_facts(manifest)}",
        _VERIFY.format(signer=manifest.signer),
        use.format(places="\n".join(places)),
        _SERVER.format(what="DIRECTORY"),
    ]
    return "\n".join(parts)


def _facts(manifest: Manifest) -> str:
    subject, base = manifest.subject, manifest.base
    name = f"{subject.kind} {subject.name}".strip() + (
        f" version {subject.version}" if subject.version else ""
    )
    lines = [
        f"  what        {name} of the organization {subject.organization}",
        f"  kind        {manifest.kind}{f' to {_base(base)}' if base else ''}",
        f"  id          {manifest.id}",
        f"  state of    {manifest.created}",
        f"  objects     {manifest.objects}, of {manifest.bytes} bytes",
    ]
    if manifest.destination:
        lines.append(f"  made for    {_plain(manifest.destination)}")
    return "\n".join([*lines, ""])


def _base(base: Base) -> str:
    if base.export:
        return f"the export {base.export}"
    return f"the receipt {base.receipt[:20]}" if base.receipt else f"what was there at {base.since}"


def _plain(text: str) -> str:
    return "".join(each if each.isprintable() and each.isascii() else "?" for each in text)


def _named(entry: RepositoryEntry) -> str:
    return f": {', '.join(map(_plain, entry.suites))}" if entry.suites else ""


def _commands(manifest: Manifest) -> Iterator[str]:
    """One for each repository; a repository with two snapshots is in two places."""
    times = Counter(each.path for each in manifest.repositories)
    for each in manifest.repositories:
        place = each.path if times[each.path] == 1 else f"{each.path}@{each.inventory[:8]}"
        yield f"    tree {each.inventory} {place}"
