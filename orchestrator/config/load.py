# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML text -> `Config`, or `Invalid` with every error and its path at once."""

import difflib
import os
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.config import model, shipped
from orchestrator.errors import Invalid, Problem

# pydantic's words for the mistakes people make, in ours.
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "unknown key",
    "union_tag_not_found": "'manager' is missing (one of systemd, supervisor, process, command, external)",
}
# Names of union branches that pydantic puts into an error's location and that no user has written.
_BRANCHES = frozenset(("systemd", "supervisor", "process", "command", "external", *model.PROBE_SHORTHAND))


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Refuses a key that stands twice in one mapping; plain PyYAML keeps the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                problem = f"the key {key!r} stands twice in one mapping"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key)
        result: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return result


def read_yaml(path: Path) -> Any:
    """The document in `path`. Raises Invalid when it cannot be read or is not YAML."""
    try:
        with path.open("rb") as stream:
            return yaml.load(stream, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Invalid(f"{path} is not UTF-8 text: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        what = getattr(error, "problem", None) or str(error)
        raise Invalid(f"{path} is not valid YAML", problems=[Problem(where, what)]) from None


def find_config(option: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """`--config`, else $ORCHESTRATOR_CONFIG, else /etc/orchestrator/orchestrator.yaml."""
    if option is not None:
        return option
    return Path(environ.get("ORCHESTRATOR_CONFIG") or shipped.CONFIG_FILE)


def load_config(path: Path) -> model.Config:
    """The configuration in `path`. Raises Invalid with all problems."""
    if not path.exists():
        raise Invalid(
            f"there is no configuration at {path}",
            hint="name one with --config FILE or $ORCHESTRATOR_CONFIG; orchestrator.yaml(5) has an example",
        )
    document = read_yaml(path)
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise Invalid(f"{path} must be a mapping of keys, not a {type(document).__name__}")
    share = shipped.share_directory()
    document.setdefault("scripts", [str(share / "scripts.d"), str(shipped.ADMINISTRATOR / "scripts.d")])
    document.setdefault("phases", [str(share / "phases"), str(shipped.ADMINISTRATOR / "phases")])
    try:
        config = model.Config.model_validate(document)
    except ValidationError as error:
        problems = [describe_error(document, model.Config, item) for item in error.errors()]
        raise Invalid(f"{path} has {_count(len(problems), 'error')}", problems=problems) from None
    config = _absolute(config, path.absolute().parent)
    problems = list(_cross_checks(config))
    if problems:
        raise Invalid(f"{path} has {_count(len(problems), 'error')}", problems=problems)
    return config


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def describe_error(document: Any, root: type[BaseModel], item: ErrorDetails) -> Problem:
    """One pydantic error as a Problem whose `where` is the path as the user wrote it."""
    location = _written_location(document, item["loc"])
    where = ""
    for part in location:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    kind = item["type"]
    what = _WORDS.get(kind, item["msg"].removeprefix("Value error, "))
    if kind == "extra_forbidden":
        nearest = difflib.get_close_matches(str(location[-1]), _known_keys(root, item["loc"][:-1]), 1, 0.5)
        return Problem(where, what, f"did you mean {nearest[0]}?" if nearest else "")
    if kind == "union_tag_invalid":
        what = f"unknown manager {item['ctx']['tag']} (one of {item['ctx']['expected_tags']})"
    return Problem(where or "the file", what)


def _written_location(document: Any, location: Iterable[str | int]) -> list[str | int]:
    """`location` without the union branches that pydantic inserts."""
    written: list[str | int] = []
    here = document
    for part in location:
        branch = isinstance(part, str) and part in _BRANCHES
        if branch and not (isinstance(here, dict) and part in here):
            continue
        if part == "kind":
            continue
        written.append(part)
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            here = None
    return written


def _known_keys(root: type[BaseModel], location: Iterable[str | int]) -> list[str]:
    """The keys that the mapping at `location` may have."""
    where = list(location)
    if where[:1] == ["services"] and len(where) >= 3:
        branches: dict[Any, type[BaseModel]] = {
            "systemd": model.SystemdService,
            "supervisor": model.SupervisorService,
            "process": model.ProcessService,
            "command": model.CommandService,
            "external": model.ExternalService,
        }
        if "ready" not in where[3:]:
            return _keys(branches[where[2]])
        kind = where[-1]
        probe = next(
            (p for p in model.Probe.__subclasses__() if p.__name__.lower() == f"{kind}probe"), model.Probe
        )
        return _keys(probe)
    sections: dict[Any, type[BaseModel]] = {
        "product": model.Product,
        "maintenance": model.Maintenance,
        "backup": model.Backup,
    }
    return _keys(sections.get(where[0], root) if where else root)


def _keys(of: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in of.model_fields.items() if name != "kind"]


def _absolute(config: model.Config, base: Path) -> model.Config:
    """Directories the user wrote relative lie beside the configuration file."""
    return config.model_copy(
        update={
            "state_dir": base / config.state_dir,
            "log_dir": base / config.log_dir,
            "scripts": tuple(base / path for path in config.scripts),
            "phases": tuple(base / path for path in config.phases),
        }
    )


def _cross_checks(config: model.Config) -> Iterable[Problem]:
    """What no single key can know: names in `after`, tiers, loops."""
    from orchestrator.services.order import find_loop

    for name, service in config.services.items():
        for index, other in enumerate(service.after):
            where = f"services.{name}.after[{index}]"
            if other not in config.services:
                nearest = difflib.get_close_matches(other, config.services, 1, 0.5)
                yield Problem(where, f"no service {other}", f"did you mean {nearest[0]}?" if nearest else "")
            elif service.tier == "backend" and config.services[other].tier == "application":
                yield Problem(where, f"the backend {name} cannot come after the application {other}")
    loop = find_loop({name: service.after for name, service in config.services.items()})
    if loop:
        yield Problem(f"services.{loop[0]}.after", "the services wait for each other: " + " -> ".join(loop))
    if config.product.version and config.product.version_command:
        yield Problem("product", "version and version_command exclude each other")
