# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of the original fuel-createmirror, in the words of mirrors.yaml.

Its file has the same three parts (common, versions, sources), names some keys otherwise, calls rpm
repositories `yum` and adds the architecture to their addresses by itself, may use a source's name once for
each osname, and knows no signatures. Source: the fuel specification "refactor create mirror scripts" (8.0)
and the tool's own first versions.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.errors import Problem

# What common's keys were called in the specification and in the versions that followed it.
_RENAMED = {
    "thread_num": "threads",
    "thread_count": "threads",
    "threads_num": "threads",
    "connection_count": "connections",
    "ignore_errors_num": "ignore_error_count",
    "retries_count": "retries",
    "retries_num": "retries",
    "retry_count": "retries",
    "target_dir": "destination",
    "repo_folder": "destination",
}
_OF_THE_DEPLOYMENT = (
    "the records of a deployment are updated by the command that a source names under `notify:`"
)
_MEANINGLESS = {
    "fuel_url": _OF_THE_DEPLOYMENT,
    "fuel_server": _OF_THE_DEPLOYMENT,
    "fuel": _OF_THE_DEPLOYMENT,
    "http_base": "the published directory is served by a web server of its own",
    "base_url": "the published directory is served by a web server of its own",
    "localurl": "the published directory is served by a web server of its own",
    "working_dir": "there is nothing to be found there",
}
_FROM_FUEL = ("mos_version", "openstack_version")


@dataclass(slots=True)
class Translated:
    """A document in today's words; `notes` say what had no meaning, `_renamed` what was called otherwise."""

    document: dict[Any, Any]
    notes: list[str] = field(default_factory=list)
    _renamed: dict[str, str] = field(default_factory=dict)

    def as_written(self, problem: Problem) -> Problem:
        """The problem with the path that the user wrote."""
        where = self._renamed.get(problem.where, problem.where)
        hint = problem.hint
        if self.notes and any(f"{{{name}}}" in problem.what for name in _FROM_FUEL):
            hint = "the Fuel server knew it: write it under versions"
        return Problem(where, problem.what, hint)

    def note(self, where: str, what: str) -> None:
        self.notes.append(f"{where}: {what}")

    def rename(self, old: str, new: str) -> None:
        self._renamed[new] = old


def translate(document: Mapping[Any, Any]) -> Translated:
    """`document` itself when it is not of the original tool."""
    result = Translated(dict(document))
    if not _is_original(document):
        return result
    if isinstance(document.get("common"), dict):
        result.document["common"] = _common(document["common"], result)
    sources = document.get("sources")
    if isinstance(sources, list) and all(isinstance(source, dict) for source in sources):
        names = Counter(source.get("name") for source in sources)
        result.document["sources"] = [
            _source(f"sources[{index}]", source, names, result) for index, source in enumerate(sources)
        ]
    return result


def _is_original(document: Mapping[Any, Any]) -> bool:
    common, sources = document.get("common"), document.get("sources")
    keys = set(common) if isinstance(common, dict) else set()
    kinds = [s.get("type") for s in sources if isinstance(s, dict)] if isinstance(sources, list) else []
    return bool(keys & (_RENAMED.keys() | _MEANINGLESS.keys())) or "yum" in kinds


def _common(old: Mapping[Any, Any], result: Translated) -> dict[Any, Any]:
    new: dict[Any, Any] = {}
    for key, value in old.items():
        if key in _MEANINGLESS:
            result.note(f"common.{key}", f"has no meaning here: {_MEANINGLESS[key]}")
            continue
        name = _RENAMED.get(key, key)
        if name != key and (name in old or name in new):
            name = key  # an unknown key: both cannot hold
        if name != key:
            result.rename(f"common.{key}", f"common.{name}")
        new[name] = _without_comma(value)
    return new


def _without_comma(value: Any) -> Any:
    """The specification's own example has commas behind its values (`thread_num: 10,`), which YAML keeps."""
    if not isinstance(value, str) or not value.endswith(","):
        return value
    text = value[:-1].strip()
    if text in ("null", "~", ""):
        return None
    return int(text) if text.isascii() and text.isdigit() else text


def _source(
    where: str, old: Mapping[Any, Any], names: Mapping[Any, int], result: Translated
) -> dict[Any, Any]:
    new = dict(old)
    osname = old.get("osname")
    for key in ("name", "master"):
        if isinstance(osname, str) and names.get(old.get(key), 0) > 1:
            new[key] = f"{old[key]}-{osname}"
            if key == "name":
                result.note(
                    f"{where}.name", f"several sources are called {old[key]}: this one is {new[key]} here"
                )
    if "bootstrap" in new and "requirements" not in new:
        new["requirements"] = new.pop("bootstrap")
        result.rename(f"{where}.bootstrap", f"{where}.requirements")
    if "keys" not in new and "unsigned" not in new:
        new["unsigned"] = True
        result.note(where, "its signature is not verified, as the original verified none: name its `keys:`")
    if new.get("type") == "yum":
        _of_yum(new)
    elif new.get("type") == "deb":
        new.setdefault("architectures", ["amd64"])
    return new


def _of_yum(new: dict[Any, Any]) -> None:
    """The original asked BASEURL/REPOSITORY/x86_64/repodata/repomd.xml."""
    new["type"] = "rpm"
    new.setdefault("architectures", ["x86_64"])
    if isinstance(new.get("repositories"), list):
        new["repositories"] = [
            f"{text.rstrip('/')}/{{architecture}}"
            if isinstance(text, str) and "{architecture}" not in text
            else text
            for text in new["repositories"]
        ]
