# SPDX-License-Identifier: GPL-3.0-or-later
"""The man pages say what the code does: keys, defaults, header fields, actions, exit codes, commands."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from orchestrator.config import model
from orchestrator.config.quantities import parse_duration
from orchestrator.host import processes
from orchestrator.upgrade.actions import BUILT_IN
from orchestrator.upgrade.header import FIELDS
from orchestrator.upgrade.phases import Phase
from orchestrator.upgrade.scripts import Kind
from tests.support.requirements import require

MAN = Path(__file__).resolve().parents[2] / "man"
PAGES = sorted(MAN.iterdir())

# Where orchestrator.yaml(5) explains each model.
PLACES: dict[type[BaseModel], str] = {
    model.Config: "Top level",
    model.Product: "product",
    model.Maintenance: "maintenance",
    model.Backup: "backup",
    model.Service: "services",
    model.SystemdService: "manager: systemd",
    model.SupervisorService: "manager: supervisor",
    model.ProcessService: "manager: process",
    model.CommandService: "manager: command",
    model.ExternalService: "manager: external",
    model.Probe: "all probes",
    model.TcpProbe: "tcp",
    model.UnixProbe: "unix",
    model.HttpProbe: "http",
    model.ExecProbe: "exec",
    model.PostgresqlProbe: "postgresql",
    model.RedisProbe: "redis",
    model.SystemdProbe: "systemd",
    model.LogProbe: "log",
    Phase: "keys of a phase",
}
# The loader fills these in; the page tells with what in a sentence.
DEFAULTS_IN_PROSE = frozenset((("Top level", "scripts"), ("Top level", "phases")))
_ITEM = re.compile(r"\.It Cm (\S+) : Ar .*? Pq (.*)")


def text_of(page: str) -> str:
    return (MAN / page).read_text()


def sections(page: str, macro: str) -> dict[str, list[str]]:
    """Title -> lines of each `.Sh` or `.Ss`; a subsection also ends where a section begins."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in text_of(page).splitlines():
        if line.startswith((f".{macro} ", ".Sh ")):
            title = line[4:] if line.startswith(f".{macro} ") else ""
        elif title:
            found.setdefault(title, []).append(line)
    return found


def documented_keys(place: str) -> dict[str, str]:
    """Key -> what stands in parentheses behind it."""
    lines = sections("orchestrator.yaml.5", "Ss")[place]
    matches = [_ITEM.fullmatch(line) for line in lines if line.startswith(".It Cm ")]
    assert all(matches), f"an entry of {place} is not of the form .It Cm key : Ar type Pq default"
    return {match[1]: match[2] for match in matches if match}


def own_fields(of: type[BaseModel]) -> dict[str, FieldInfo]:
    """The keys that a model adds to its parents or defines anew; the discriminators aside."""
    own = {name: of.model_fields[name] for name in of.__annotations__ if name in of.model_fields}
    return {field.alias or name: field for name, field in own.items() if name not in ("manager", "kind")}


def models() -> Iterator[type[BaseModel]]:
    """Every model that a user writes keys of."""
    waiting: list[type[BaseModel]] = [model.Model]
    while waiting:
        children = waiting.pop().__subclasses__()
        yield from children
        waiting += children


# orchestrator.yaml(5) -------------------------------------------------------------------------------


def test_every_model_of_the_configuration_has_a_place_in_the_page() -> None:
    of_configuration = {found for found in models() if found.__module__ in (model.__name__, Phase.__module__)}
    assert of_configuration == set(PLACES)


@pytest.mark.parametrize("of", PLACES, ids=lambda of: of.__name__)
def test_the_page_has_exactly_the_keys_of_the_model(of: type[BaseModel]) -> None:
    documented = documented_keys(PLACES[of])
    if of is model.Service:
        assert documented.pop("manager") == "required"
    assert set(documented) == set(own_fields(of))


@pytest.mark.parametrize("of", PLACES, ids=lambda of: of.__name__)
def test_the_page_has_the_defaults_of_the_model(of: type[BaseModel]) -> None:
    documented = documented_keys(PLACES[of])
    for key, field in own_fields(of).items():
        if (PLACES[of], key) not in DEFAULTS_IN_PROSE:
            assert says_default(documented[key], field), f"{key}: {documented[key]}, not {field.default!r}"


def says_default(text: str, field: FieldInfo) -> bool:
    default: Any = field.default
    if field.is_required():
        return text == "required"
    if default in (None, (), {}, "") or isinstance(default, BaseModel):
        return text == "none"
    if isinstance(default, bool):
        return text == str(default).lower()
    if isinstance(default, float):
        return parse_duration(text) == default
    return text == (", ".join(map(str, default)) if isinstance(default, tuple) else str(default))


def test_every_probe_kind_has_its_first_key_first() -> None:
    for kind, key in model.PROBE_SHORTHAND.items():
        assert next(iter(documented_keys(kind))) == key


def test_the_example_in_the_page_is_a_valid_configuration(tmp_path: Path) -> None:
    import yaml

    from orchestrator.config.load import load_config

    lines = sections("orchestrator.yaml.5", "Sh")["EXAMPLES"]
    example = "\n".join(lines[lines.index(".Bd -literal -offset indent") + 1 : lines.index(".Ed")])
    (tmp_path / "orchestrator.yaml").write_text(example)
    config = load_config(tmp_path / "orchestrator.yaml")
    assert {service.manager for service in config.services.values()} == {
        *("systemd", "supervisor", "process", "command", "external")
    }
    assert set(yaml.safe_load(example)) >= {"product", "services", "maintenance", "backup", "environment"}


# orchestrator-scripts(7) ----------------------------------------------------------------------------


def entries(page: str, section: str, macro: str) -> list[str]:
    """The first word of each list item of a section that begins with `macro`."""
    lines = sections(page, "Sh")[section]
    return [line.split()[2] for line in lines if line.startswith(f".It {macro} ")]


def test_the_scripts_page_has_exactly_the_header_fields() -> None:
    assert entries("orchestrator-scripts.7", "HEADER", "Cm") == list(FIELDS)


def test_the_scripts_page_has_exactly_the_actions() -> None:
    assert set(entries("orchestrator-scripts.7", "ACTIONS", "Cm")) == set(BUILT_IN)


def test_the_scripts_page_has_exactly_the_kinds() -> None:
    kinds = entries("orchestrator-scripts.7", "FINDING STEPS", "Pa")
    assert kinds == [f"{kind}/" for kind in Kind]


# All ------------------------------------------------------------------------------------------------


def test_every_page_is_there() -> None:
    assert [page.name for page in PAGES] == [
        "orchestrator-scripts.7",
        "orchestrator.8",
        "orchestrator.yaml.5",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_clean_for_mandoc(page: Path) -> None:
    require(shutil.which("mandoc") is not None, "mandoc is not installed")
    linted = processes.run(["mandoc", "-T", "lint", "-W", "warning", str(page)])
    assert linted.ok, linted.stdout + linted.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_begins_with_its_licence_and_refers_only_to_pages_that_exist(page: Path) -> None:
    text = page.read_text()
    assert text.startswith('.\\" SPDX-License-Identifier: GPL-3.0-or-later\n')
    ours = {name.name for name in PAGES}
    for name, section in re.findall(r"\.Xr (orchestrator\S*) (\d)", text):
        assert f"{name}.{section}" in ours
