# SPDX-License-Identifier: GPL-3.0-or-later
"""The man pages say what the code does: keys, defaults, header fields, actions, exit codes, commands."""

import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from orchestrator.cli.actions import known_actions
from orchestrator.cli.content_steps import KEYS
from orchestrator.config import model
from orchestrator.config.quantities import parse_duration
from orchestrator.content import mirrors_model
from orchestrator.content.declaration import file as declaration
from orchestrator.errors import ExitCode
from orchestrator.host import processes
from orchestrator.upgrade.header import FIELDS
from orchestrator.upgrade.hooking import hook_ends
from orchestrator.upgrade.phases import Phase
from orchestrator.upgrade.scripts import Kind
from tests.support import openpgp
from tests.support.requirements import require

MAN = Path(__file__).resolve().parents[2] / "man"
PAGES = sorted(MAN.iterdir())

_CONFIGURATION, _MIRRORS, _DECLARATION = "orchestrator.yaml.5", "mirrors.yaml.5", "content.yaml.5"
_PROGRAM, _CONTENT = "orchestrator.8", "orchestrator-content.8"
_SCRIPTS = "orchestrator-scripts.7"
# Where each model of a configuration file is explained: page, then subsection.
PLACES: dict[type[BaseModel], tuple[str, str]] = {
    model.Config: (_CONFIGURATION, "Top level"),
    model.Product: (_CONFIGURATION, "product"),
    model.Maintenance: (_CONFIGURATION, "maintenance"),
    model.Backup: (_CONFIGURATION, "backup"),
    model.Service: (_CONFIGURATION, "services"),
    model.SystemdService: (_CONFIGURATION, "manager: systemd"),
    model.SupervisorService: (_CONFIGURATION, "manager: supervisor"),
    model.ProcessService: (_CONFIGURATION, "manager: process"),
    model.CommandService: (_CONFIGURATION, "manager: command"),
    model.ExternalService: (_CONFIGURATION, "manager: external"),
    model.Probe: (_CONFIGURATION, "all probes"),
    model.TcpProbe: (_CONFIGURATION, "tcp"),
    model.UnixProbe: (_CONFIGURATION, "unix"),
    model.HttpProbe: (_CONFIGURATION, "http"),
    model.ExecProbe: (_CONFIGURATION, "exec"),
    model.PostgresqlProbe: (_CONFIGURATION, "postgresql"),
    model.RedisProbe: (_CONFIGURATION, "redis"),
    model.SystemdProbe: (_CONFIGURATION, "systemd"),
    model.LogProbe: (_CONFIGURATION, "log"),
    Phase: (_CONFIGURATION, "keys of a phase"),
    mirrors_model.File: (_MIRRORS, "Top level"),
    mirrors_model.Common: (_MIRRORS, "common"),
    mirrors_model.Source: (_MIRRORS, "sources"),
    mirrors_model.Rule: (_MIRRORS, "include and exclude"),
    mirrors_model.Auth: (_MIRRORS, "auth"),
    model.Notification: (_CONFIGURATION, "notify"),
    model.Content: (_CONFIGURATION, "content"),
    model.Exports: (_CONFIGURATION, "export_rules"),
    declaration.Declared: (_DECLARATION, "Top level"),
    declaration.DeclaredOrganization: (_DECLARATION, "organizations"),
    declaration.DeclaredProduct: (_DECLARATION, "products"),
    declaration.DeclaredRepository: (_DECLARATION, "repositories"),
    declaration.DeclaredView: (_DECLARATION, "views"),
    declaration.DeclaredEnvironment: (_DECLARATION, "environments"),
}
# The loaders fill these in; the pages tell with what in a sentence.
DEFAULTS_IN_PROSE = frozenset(
    (
        (model.Config, "scripts"),
        (model.Config, "phases"),
        (mirrors_model.Source, "partial"),
        (mirrors_model.Source, "mode"),
    )
)
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


def documented_keys(page: str, place: str) -> dict[str, str]:
    """Key -> what stands in parentheses behind it."""
    lines = sections(page, "Ss")[place]
    matches = [_ITEM.fullmatch(line) for line in lines if line.startswith(".It Cm ")]
    assert all(matches), f"an entry of {place} is not of the form .It Cm key : Ar type Pq default"
    return {match[1]: match[2] for match in matches if match}


def _named(of: type[BaseModel]) -> str:
    return f"{of.__module__.rpartition('.')[2]}.{of.__name__}"


def own_fields(of: type[BaseModel]) -> dict[str, FieldInfo]:
    """The keys that a model adds to its parents or defines anew; the discriminators aside."""
    own = {name: of.model_fields[name] for name in of.__annotations__ if name in of.model_fields}
    discriminators = {"manager", "kind"} if issubclass(of, model.Service | model.Probe) else set()
    return {field.alias or name: field for name, field in own.items() if name not in discriminators}


def models() -> Iterator[type[BaseModel]]:
    """Every model that a user writes keys of."""
    yield declaration.DeclaredRepository  # its other keys are a source's
    waiting: list[type[BaseModel]] = [model.Model]
    while waiting:
        children = waiting.pop().__subclasses__()
        yield from children
        waiting += children


# The files of section 5 -----------------------------------------------------------------------------


def test_every_model_of_a_configuration_file_has_a_place_in_a_page() -> None:
    homes = (model.__name__, Phase.__module__, mirrors_model.__name__, declaration.__name__)
    assert {found for found in models() if found.__module__ in homes} == set(PLACES)


@pytest.mark.parametrize("of", PLACES, ids=_named)
def test_the_page_has_exactly_the_keys_of_the_model(of: type[BaseModel]) -> None:
    documented = documented_keys(*PLACES[of])
    if of is model.Service:
        assert documented.pop("manager") == "required"
    assert set(documented) == set(own_fields(of))


@pytest.mark.parametrize("of", PLACES, ids=_named)
def test_the_page_has_the_defaults_of_the_model(of: type[BaseModel]) -> None:
    documented = documented_keys(*PLACES[of])
    for key, field in own_fields(of).items():
        if (of, key) not in DEFAULTS_IN_PROSE:
            assert says_default(documented[key], field), f"{key}: {documented[key]}, not {field!r}"


def says_default(text: str, field: FieldInfo) -> bool:
    default: Any = None if field.is_required() else field.get_default(call_default_factory=True)
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
        assert next(iter(documented_keys(_CONFIGURATION, kind))) == key


def example(page: str) -> str:
    lines = sections(page, "Sh")["EXAMPLES"]
    return "\n".join(lines[lines.index(".Bd -literal -offset indent") + 1 : lines.index(".Ed")])


def test_the_example_of_a_configuration_is_valid(tmp_path: Path) -> None:
    import yaml

    from orchestrator.config.load import load_config

    text = example(_CONFIGURATION)
    (tmp_path / "orchestrator.yaml").write_text(text)
    config = load_config(tmp_path / "orchestrator.yaml")
    assert {service.manager for service in config.services.values()} == {
        *("systemd", "supervisor", "process", "command", "external")
    }
    assert set(yaml.safe_load(text)) >= {"product", "services", "maintenance", "backup", "environment"}


def test_the_example_of_mirrors_is_valid_but_for_files_that_are_not_there(tmp_path: Path) -> None:
    from orchestrator.content import load_mirrors

    text = example(_MIRRORS)
    (tmp_path / "mirrors.yaml").write_text(text.replace("/usr/local/sbin/tell-deployment", "/bin/true"))
    (tmp_path / "keys").mkdir()
    for name in re.findall(r"keys/[\w.]+", text):
        (tmp_path / name).touch(0o600)
    mirrors = load_mirrors(tmp_path / "mirrors.yaml")
    assert mirrors.notes == ()
    assert [(source.name, source.partial, source.rebuilt) for source in mirrors.sources] == [
        ("mos", False, False),
        ("ubuntu", True, True),
        ("centos", False, False),
        ("product", False, True),
    ]


def test_the_example_of_a_declaration_is_valid_but_for_files_that_are_not_there(tmp_path: Path) -> None:
    from orchestrator.content.declaration.file import load_declaration

    text = example(_DECLARATION)
    (tmp_path / "content.yaml").write_text(text)
    (tmp_path / "keys").mkdir()
    shutil.copy(openpgp.key().public_file, tmp_path / "keys" / "archive.asc")
    declared = load_declaration(tmp_path / "content.yaml")
    assert [name for kind, name in declared.items if kind == "repository"] == [
        "acme/tools/mos",
        "acme/tools/images",
        "acme/centos/os",
    ]
    assert [name for kind, name in declared.items if kind == "environment"] == [
        "acme/library",
        "acme/test",
        "acme/prod",
    ]


# orchestrator-scripts(7) ----------------------------------------------------------------------------


def entries(page: str, section: str, macro: str) -> list[str]:
    """The first word of each list item of a section that begins with `macro`."""
    lines = sections(page, "Sh")[section]
    return [line.split()[2] for line in lines if line.startswith(f".It {macro} ")]


def test_the_scripts_page_has_exactly_the_header_fields() -> None:
    assert entries(_SCRIPTS, "HEADER", "Cm") == list(FIELDS)


def test_the_scripts_page_has_exactly_the_actions() -> None:
    assert set(entries(_SCRIPTS, "ACTIONS", "Cm")) == set(known_actions().parsers)


def test_the_scripts_page_has_exactly_the_kinds() -> None:
    kinds = entries(_SCRIPTS, "FINDING STEPS", "Pa")
    assert kinds == [f"{kind}/" for kind in Kind]


def words_of_action(name: str) -> set[str]:
    """The words that stand in `Cm` behind the item of an action."""
    lines = sections(_SCRIPTS, "Sh")["ACTIONS"]
    start = next(number for number, line in enumerate(lines) if line.startswith(f".It Cm {name} "))
    end = next(
        number for number, line in enumerate(lines[start + 1 :], start + 1) if line[:4] in (".It ", ".El")
    )
    told = [re.sub(r"^\.P[qo] ", ".", line) for line in lines[start + 1 : end]]
    ours = [
        line.partition(" No ")[0] for line in told if line.startswith(".Cm ") and "orchestrator" not in line
    ]
    return {word for line in ours for word in re.findall(r"\b[a-z_]+\b", line)}


@pytest.mark.parametrize("name", KEYS)
def test_the_scripts_page_has_exactly_the_keys_of_an_action_of_the_content_server(name: str) -> None:
    values = {"complete", "increment", "auto", "true", "false"}
    assert words_of_action(name) - values == set(KEYS[name])


# orchestrator(8) and orchestrator-content(8) --------------------------------------------------------

_FLAGS = re.compile(r"\bFl (-?[A-Za-z-]+)(?: [|,] (-?[a-z-]+))?")
# The groups of commands that orchestrator-content(8) explains; all others are in orchestrator(8).
_OF_CONTENT = {"organization", "product", "repository", "view", "environment", "apply", "export", "import"}


def page_of(name: str) -> str:
    return _CONTENT if name.split(maxsplit=1)[0] in _OF_CONTENT else _PROGRAM


def root_command() -> Any:
    from orchestrator.cli.app import app

    return typer.main.get_command(app)


@cache
def leaf_commands() -> dict[str, Any]:
    """`history list` -> its command, for every command that is not a group."""
    root = root_command()
    context = root.make_context("orchestrator", [], resilient_parsing=True)
    found: dict[str, Any] = {}
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        inner = getattr(command, "commands", None)
        found |= {f"{name} {verb}": leaf for verb, leaf in inner.items()} if inner else {name: command}
    return found


def options_of(command: Any) -> set[str]:
    return {
        name
        for p in command.params
        if p.param_type_name == "option" and not p.hidden
        for name in (*p.opts, *p.secondary_opts)
    }


def arguments_of(command: Any) -> list[str]:
    found = [p for p in command.params if p.param_type_name == "argument"]
    return [re.sub("[^a-z]", "", (p.metavar or p.name).lower()) for p in found]


def flags_in(lines: list[str]) -> set[str]:
    """Options named by `Fl` macros, as they are typed."""
    return {f"-{flag}" for line in lines for pair in _FLAGS.findall(line) for flag in pair if flag}


def usage_and_items(name: str) -> tuple[list[str], list[str]]:
    """The usage lines of a command, and the list items that explain its own options."""
    lines = sections(page_of(name), "Ss")[name]
    end = lines.index(".Pp")
    return lines[:end], [line for line in lines[end:] if line.startswith(".It Fl ")]


def common_items(page: str) -> tuple[set[str], set[str]]:
    """The options that are explained once: those of the program itself, those of many commands."""
    lines = sections(page, "Sh")["OPTIONS"]
    middle = lines.index(".Pp") if page == _PROGRAM else 0
    first, second = (
        [x for x in part if x.startswith(".It Fl ")] for part in (lines[:middle], lines[middle:])
    )
    return flags_in(first), flags_in(second)


def test_the_pages_have_exactly_the_commands() -> None:
    for page in (_PROGRAM, _CONTENT):
        assert set(sections(page, "Ss")) == {name for name in leaf_commands() if page_of(name) == page}


def test_the_page_has_exactly_the_options_of_the_program_itself() -> None:
    assert common_items(_PROGRAM)[0] == options_of(root_command())


@pytest.mark.parametrize("name", leaf_commands())
def test_the_page_has_exactly_the_options_and_arguments_of_a_command(name: str) -> None:
    command = leaf_commands()[name]
    usage, items = usage_and_items(name)
    assert usage[:2] == [".Nm" if page_of(name) == _PROGRAM else ".Nm orchestrator", f".Cm {name}"]
    assert flags_in(usage) == options_of(command)
    assert flags_in(items) <= flags_in(usage)
    assert flags_in(usage) <= flags_in(items) | common_items(page_of(name))[1], "an option is not explained"
    without_options = [re.sub(r"Fl .*", "", line) for line in usage[2:]]
    assert "".join(re.findall(r"Ar ([a-z]+)", " ".join(without_options))) == "".join(arguments_of(command))


@pytest.mark.parametrize("name", leaf_commands())
def test_a_required_option_is_not_shown_as_optional(name: str) -> None:
    usage, _ = usage_and_items(name)
    needed = {
        opt for p in leaf_commands()[name].params if p.required for opt in p.opts if opt.startswith("-")
    }
    assert flags_in([line for line in usage if line.startswith(".Fl ")]) == needed


def test_the_page_has_exactly_the_exit_codes() -> None:
    assert exit_codes(_PROGRAM) == sorted(ExitCode)


def test_the_page_of_content_has_all_exit_codes_but_that_of_services() -> None:
    assert exit_codes(_CONTENT) == sorted(set(ExitCode) - {ExitCode.SERVICE})


def test_the_page_has_exactly_the_table_of_what_a_hook_exits_with() -> None:
    rows = [line for line in sections(_PROGRAM, "Sh")["PACKAGES"] if re.match(r"\.It \d", line)]
    told = [re.fullmatch(r"\.It (\d+) Ta (\d) Ta (.+)", row) for row in rows]
    ours = [(str(int(code)), str(end.code), end.what) for code, end in hook_ends()]
    assert sorted(found.groups() for found in told if found) == sorted(ours)


def exit_codes(page: str) -> list[int]:
    lines = sections(page, "Sh")["EXIT STATUS"]
    return [int(line.split()[1]) for line in lines if line.startswith(".It ")]


# All ------------------------------------------------------------------------------------------------


def test_every_page_is_there() -> None:
    assert [page.name for page in PAGES] == [
        "content.yaml.5",
        "mirrors.yaml.5",
        "orchestrator-content.8",
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
    for name, section in re.findall(r"\.Xr ((?:orchestrator|mirrors|content)\S*) (\d)", text):
        assert f"{name}.{section}" in ours
