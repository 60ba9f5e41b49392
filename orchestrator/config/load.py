# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML text -> `Config`, or `Invalid` with every error and its path at once."""

import os
import re
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import ValidationError

from orchestrator.config import model, shipped
from orchestrator.config.explain import describe_errors, did_you_mean
from orchestrator.errors import Invalid, Problem

_WHOLE_NUMBER, _MERGE = "tag:yaml.org,2002:int", "tag:yaml.org,2002:merge"


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Refuses a key that stands twice in one mapping; plain PyYAML keeps the last in silence.

    Whole numbers are decimal: 0130 is not the octal number 88, nor 22:30 the number 1350, as YAML 1.1 has it.
    """

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, Any]]]] = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _WHOLE_NUMBER]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._read: set[int] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """The first time, before merge keys add what the mapping itself may say otherwise."""
        if id(node) not in self._read:
            self._read.add(id(node))
            self._refuse_repeated_keys(node)
        super().flatten_mapping(node)

    def _refuse_repeated_keys(self, node: yaml.MappingNode) -> None:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                problem = f"the key {key!r} stands twice in one mapping"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            if isinstance(key, Hashable):
                seen.add(key)


_Loader.add_implicit_resolver(_WHOLE_NUMBER, re.compile(r"-?(?:0|[1-9][0-9]*)\Z"), list("-0123456789"))


def read_yaml(path: Path) -> Any:
    """The document in `path`. Raises Invalid when it cannot be read or is not YAML."""
    try:
        with path.open("rb") as stream:
            return yaml.load(stream, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        what = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise Invalid(f"{path} is not valid YAML", problems=[Problem(where, what)]) from None
    except ValueError as error:  # a date like 2026-13-01
        raise Invalid(f"{path} is not valid YAML", problems=[Problem(str(path), str(error))]) from None


def find_config(option: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """`--config`, else $ORCHESTRATOR_CONFIG, else /etc/orchestrator/orchestrator.yaml."""
    if option is not None:
        return option
    return Path(environ.get("ORCHESTRATOR_CONFIG") or shipped.CONFIG_FILE)


def load_config(path: Path) -> model.Config:
    """The configuration in `path`. Raises Invalid with all problems."""
    if not is_there(path):
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
    problems = list(_cross_checks(document))
    try:
        config = model.Config.model_validate(document)
    except ValidationError as error:
        problems = [*describe_errors(model.Config, error), *problems]
        raise Invalid(f"{path} has errors", problems=problems) from None
    if problems:
        raise Invalid(f"{path} has errors", problems=problems)
    return _absolute(config, path.absolute().parent)


def layers_of(path: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Scripts and phases directories as far as a configuration with errors names them."""
    try:
        document = read_yaml(path)
    except Invalid:
        return (), ()
    base = path.absolute().parent
    found = []
    for key in ("scripts", "phases"):
        value = document.get(key) if isinstance(document, dict) else None
        usable = isinstance(value, list) and all(isinstance(item, str) for item in value)
        found.append(tuple(base / item for item in value or ()) if usable else ())
    return found[0], found[1]


def is_there(path: Path) -> bool:
    """Also when this user may not look."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass
    return True


def _absolute(config: model.Config, base: Path) -> model.Config:
    """Directories the user wrote relative lie beside the configuration file."""
    return config.model_copy(
        update={
            "state_dir": base / config.state_dir,
            "log_dir": base / config.log_dir,
            "scripts": tuple(base / path for path in config.scripts),
            "phases": tuple(base / path for path in config.phases),
            "content": config.content.model_copy(
                update={
                    key: base / value
                    for key, value in dict(config.content).items()
                    if isinstance(value, Path)
                }
            ),
        }
    )


def _cross_checks(document: dict[Any, Any]) -> Iterable[Problem]:
    """What no single key can know: names in `after`, tiers, loops. Of the document as it was written, which
    may be wrong in other ways as well: everything is told at once."""
    from orchestrator.services.order import find_loop

    services = {str(name): service for name, service in _mapping(document, "services").items()}
    after = {name: _names(service, "after") for name, service in services.items()}
    tiers = {name: service.get("tier") for name, service in services.items() if isinstance(service, dict)}
    for name, others in after.items():
        for index, other in enumerate(others):
            where = f"services.{name}.after[{index}]"
            if other not in services:
                yield Problem(where, f"no service {other}", did_you_mean(other, services))
            elif tiers.get(name) == "backend" and tiers.get(other) == "application":
                yield Problem(where, f"the backend {name} cannot come after the application {other}")
    loop = find_loop(after)
    if loop:
        yield Problem(f"services.{loop[0]}.after", "the services wait for each other: " + " -> ".join(loop))
    product = _mapping(document, "product")
    if product.get("version") and product.get("version_command"):
        yield Problem("product", "version and version_command exclude each other")


def _mapping(of: Any, key: str) -> dict[Any, Any]:
    found = of.get(key) if isinstance(of, dict) else None
    return found if isinstance(found, dict) else {}


def _names(of: Any, key: str) -> list[str]:
    found = of.get(key) if isinstance(of, dict) else None
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []
