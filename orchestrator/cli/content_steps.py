# SPDX-License-Identifier: GPL-3.0-or-later
"""How a YAML step says what the content server is to do: keys and values -> the actions of `content_actions`."""

from collections.abc import Mapping
from typing import Any

from orchestrator.cli.action_keys import (
    Reader,
    a_flag,
    a_number,
    a_path,
    a_word,
    read_keys,
    some_paths,
    some_words,
)
from orchestrator.cli.content_actions import Export, Import, Promote, Publish, Sync
from orchestrator.config.quantities import parse_duration
from orchestrator.errors import Invalid
from orchestrator.upgrade.actions import Action


def _one_of(*words: str) -> Reader:
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(f"takes one of {', '.join(words)}")
        return str(value)

    return read


def _chunk_size(value: Any) -> int:
    from orchestrator.content.exports.request import parse_chunk_size

    try:
        return parse_chunk_size(str(value))
    except Invalid as error:
        raise ValueError(error.message) from None


_COMMON: Mapping[str, Reader] = {"config": a_path, "organization": a_word}
_SYNC: Mapping[str, Reader] = {
    **_COMMON,
    "names": some_words,
    "source_url": a_word,
    "allow_shrink": a_flag,
    "allow_stale": a_flag,
    "wait_lock": parse_duration,
}
_PUBLISH: Mapping[str, Reader] = {**_COMMON, "names": some_words, "description": a_word}
_PROMOTE: Mapping[str, Reader] = {
    **_COMMON,
    "view": a_word,
    "to": a_word,
    "version": a_number,
    "force": a_flag,
}
_SUBJECTS: Mapping[str, Reader] = {
    "repository": some_words,
    "product": some_words,
    "view": some_words,
    "environment": some_words,
    "library": a_flag,
}
# Of an export, those that an `ExportRequest` has under the same name.
_REQUEST: Mapping[str, Reader] = {
    "format": _one_of("dir", "tgz", "tar", "iso"),
    "chunk_size": _chunk_size,
    "strict_chunks": a_flag,
    "destination": a_word,
    "version": a_number,
    "since": a_word,
    "until": a_word,
    "base": a_word,
    "sign_with": a_path,
}
_EXPORT: Mapping[str, Reader] = {
    **_COMMON,
    **_SUBJECTS,
    **_REQUEST,
    "kind": _one_of("complete", "increment", "auto"),
    "to": a_word,
    "fetch_missing": a_flag,
    "wait_lock": parse_duration,
}
_IMPORT: Mapping[str, Reader] = {
    **_COMMON,
    "paths": some_paths,
    "trust": some_paths,
    "create": a_flag,
    "all_or_nothing": a_flag,
    "allow_missing": a_flag,
    "wait_lock": parse_duration,
}


# By the names that steps give them.
KEYS: Mapping[str, Mapping[str, Reader]] = {
    "repository.sync": _SYNC,
    "view.publish": _PUBLISH,
    "environment.promote": _PROMOTE,
    "export": _EXPORT,
    "import": _IMPORT,
}


def parse_sync(value: Any) -> Action:
    return Sync(**read_keys(value, _SYNC, "names"))


def parse_publish(value: Any) -> Action:
    fields = read_keys(value, _PUBLISH, "names")
    if "names" not in fields:
        raise ValueError("takes the label of a view, or a list of them")
    return Publish(**fields)


def parse_promote(value: Any) -> Action:
    fields = read_keys(value, _PROMOTE, "view")
    if "view" not in fields or "to" not in fields:
        raise ValueError("takes {view: LABEL, to: ENVIRONMENT}")
    return Promote(**fields)


def parse_export(value: Any) -> Action:
    fields = read_keys(value, _EXPORT, "view")
    subjects = [kind for kind in _SUBJECTS if kind in fields]
    if len(subjects) != 1 or fields[subjects[0]] is False:
        raise ValueError(f"takes exactly one of {', '.join(_SUBJECTS)}")
    names = fields.pop(subjects[0])
    options = tuple((key, fields.pop(key)) for key in _REQUEST if key in fields)
    return Export(subject_kind=subjects[0], names=() if names is True else names, options=options, **fields)


def parse_import(value: Any) -> Action:
    fields = read_keys(value, _IMPORT, "paths")
    if "paths" not in fields:
        raise ValueError("takes the path of a medium or of a directory of media, or a list of them")
    return Import(**fields)
