# SPDX-License-Identifier: GPL-3.0-or-later
"""mirrors.yaml -> `Mirrors`, or `Invalid` with every error and its path at once."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.config import shipped
from orchestrator.content.source import Access, Common, Mirrors, Source
from orchestrator.errors import Invalid, Problem

if TYPE_CHECKING:
    from orchestrator.content import mirrors_model


def find_mirrors(option: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """`--config`, else $ORCHESTRATOR_MIRRORS, else /etc/orchestrator/mirrors.yaml."""
    if option is not None:
        return option
    return Path(environ.get("ORCHESTRATOR_MIRRORS") or shipped.MIRRORS_FILE)


def load_mirrors(path: Path) -> Mirrors:
    """The mirrors in `path`, which may be of the original fuel-createmirror. Raises Invalid with all problems."""
    from orchestrator.config.load import is_there, read_yaml
    from orchestrator.content import fuel

    if not is_there(path):
        raise Invalid(
            f"there is no mirrors file at {path}",
            hint="name one with --config FILE or $ORCHESTRATOR_MIRRORS; mirrors.yaml(5) has an example",
        )
    document = read_yaml(path)
    if not isinstance(document, dict):
        found = "empty" if document is None else f"a {type(document).__name__}"
        raise Invalid(f"{path} must be a mapping of keys with `sources`, and is {found}")
    translated = fuel.translate(document)
    reading = _Reading(path.absolute(), translated.document)
    if reading.problems:
        problems = [translated.as_written(problem) for problem in reading.problems]
        raise Invalid(f"{path} has errors", problems=problems)
    return Mirrors(
        path.absolute(), reading.common, tuple(reading.sources), (*translated.notes, *reading.notes)
    )


def read_source(base_directory: Path, document: Mapping[str, Any]) -> Source:
    """A source that stands alone, of the keys it would have in a mirrors.yaml in `base_directory`. Raises Invalid with
    all problems, each at the path of its key."""
    reading = _Reading(base_directory / "source", {"sources": [dict(document)]})
    if reading.problems:
        problems = [
            Problem(problem.where.removeprefix("sources[0]").lstrip("."), problem.what, problem.hint)
            for problem in reading.problems
        ]
        raise Invalid(f"the source {document.get('name', '')} has errors", problems=problems)
    return reading.sources[0]


class _Reading:
    """What a document says, and everything that is wrong with it: a part in error hides no error elsewhere."""

    def __init__(self, path: Path, document: dict[Any, Any]) -> None:
        self.path, self._document = path, document
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.common = Common()
        self.sources: list[Source] = []
        self._read()

    def _read(self) -> None:
        from pydantic import ValidationError

        from orchestrator.config.explain import describe_errors
        from orchestrator.content import mirrors_checks, mirrors_model

        try:
            mirrors_model.File.model_validate(self._document)
        except ValidationError as error:
            self.problems += describe_errors(mirrors_model.File, error)
        versions = _strings(self._document.get("versions"))
        common = _valid(mirrors_model.Common, self._document.get("common", {}))
        if common is not None:
            self.common = self._common(common)
        written = self._document.get("sources")
        models = [_valid(mirrors_model.Source, raw) for raw in written] if isinstance(written, list) else []
        for index, model in enumerate(models):
            if model is not None:
                self._source(f"sources[{index}]", model, versions, mirrors_checks.masters(models))
        self.problems += mirrors_checks.across(written if isinstance(written, list) else [], models)

    def _common(self, model: "mirrors_model.Common") -> Common:
        fields = dict(model)
        return Common(**{**fields, "destination": self._beside(model.destination)})

    def _source(
        self, where: str, model: "mirrors_model.Source", versions: Mapping[str, str], masters: frozenset[str]
    ) -> None:
        from orchestrator.content import mirrors_checks
        from orchestrator.content.placeholders import Filling

        filling = Filling(where, model.architectures if model.type == "rpm" else (), versions)
        found = Source(
            name=model.name,
            type=model.type,
            baseurls=filling.all("baseurl", model.baseurl or ()),
            repositories=filling.repositories(model.type, model.repositories),
            osname=model.osname,
            mirrorlist=filling.listing("mirrorlist", model.mirrorlist or "", model.repositories),
            metalink=filling.listing("metalink", model.metalink or "", model.repositories),
            architectures=model.architectures,
            master=model.master or "",
            partial=_is_partial(model, masters),
            requirements=model.requirements,
            keys=tuple(self._beside(key) for key in model.keys or ()),
            unsigned=model.unsigned,
            access=self._access(model),
            include=tuple(rule.filter() for rule in model.include),
            exclude=tuple(rule.filter() for rule in model.exclude),
            newest=model.newest,
            weak_dependencies=model.weak_dependencies,
            alternatives=model.alternatives,
            sources=model.sources,
            installer=model.installer,
            translations=model.translations,
            contents=model.contents,
            sign_with=self._beside(model.sign_with) if model.sign_with else None,
            mode=model.mode or ("rebuilt" if mirrors_checks.filters_architectures(model) else ""),
            notify=self._command(model.notify or ()),
            max_shrink=model.max_shrink,
        )
        self.problems += filling.problems
        self.problems += mirrors_checks.of_source(where, model, found)
        self.problems += mirrors_checks.of_files(where, found)
        self.notes += mirrors_checks.remarks(where, found)
        self.sources.append(found)

    def _access(self, model: "mirrors_model.Source") -> Access:
        files = {
            name: self._beside(value) for name, value in dict(model.auth).items() if isinstance(value, Path)
        }
        return Access(user=model.auth.user, headers=tuple(model.headers.items()), proxy=model.proxy, **files)

    def _command(self, words: Sequence[str]) -> tuple[str, ...]:
        """A program named by a relative path lies beside the file too."""
        if words and "/" in words[0]:
            return str(self._beside(Path(words[0]))), *words[1:]
        return tuple(words)

    def _beside(self, path: Path) -> Path:
        return self.path.parent / path.expanduser() if str(path).startswith("~/") else self.path.parent / path


def _is_partial(model: "mirrors_model.Source", masters: frozenset[str]) -> bool:
    """Without a word on it: what has a master is partial; so is what has requirements, unless it is a master
    itself, for then they are met from those that depend on it."""
    if model.partial is not None:
        return model.partial
    return bool(model.master) or (bool(model.requirements) and model.name not in masters)


def _valid(model: type[Any], raw: Any) -> Any:
    """None for what has errors, which are told of the whole document."""
    from pydantic import ValidationError

    try:
        return model.model_validate(raw)
    except ValidationError:
        return None


def _strings(raw: Any) -> dict[str, str]:
    """The versions, as far as they can be used."""
    found = raw if isinstance(raw, dict) else {}
    return {str(name): str(value) for name, value in found.items() if isinstance(value, str | int)}
