# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/formats.md and docs/library.md have exactly the keys that documents, records and events have."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import status
from orchestrator.cli.mirror_wording import package_document
from orchestrator.config.model import Config
from orchestrator.content import Outcome, Status, Wish
from orchestrator.content.events import Name
from orchestrator.content.model import FileRef, Package
from orchestrator.content.publication.record import Record, held_to_json, record_to_json
from orchestrator.errors import ExitCode, OrchestratorError, Refused
from orchestrator.upgrade import notice, requests
from orchestrator.upgrade.actions import Registry
from orchestrator.upgrade.bundle.collecting import Collection, Member, Missing
from orchestrator.upgrade.bundle.listing import render_json
from orchestrator.upgrade.detaching import Detached, EndedAtOnce
from orchestrator.upgrade.journal import EventName
from orchestrator.upgrade.report.model import (
    AttemptFacts,
    Consent,
    Gap,
    Left,
    NotDue,
    Remark,
    Report,
    ServiceFacts,
    Session,
    StepFacts,
)
from orchestrator.upgrade.reporter import Progress
from orchestrator.upgrade.requests import Request
from orchestrator.upgrade.runs import RunDirectory
from orchestrator.upgrade.runstate import Outcome as RunOutcome
from orchestrator.upgrade.runstate import RunState
from orchestrator.upgrade.setting import Setting
from orchestrator.upgrade.statusfile import write_status
from tests.support.documentation import text_of


def section(page: str, title: str) -> str:
    """What stands under a heading."""
    _, _, rest = text_of(page).partition(f"# {title}\n")
    assert rest, f"{page} has no heading {title}"
    return re.split(r"^#", rest, maxsplit=1, flags=re.MULTILINE)[0]


def keys(table: str) -> set[str]:
    """The words of the first column of a table; several in a cell have commas between them."""
    cells = re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)
    words = {word.strip("`") for cell in cells for word in cell.split(", ")}
    return words - {"---", "key", "event"}


def test_the_page_has_the_keys_of_an_outcome() -> None:
    outcome = Outcome("a", Status.FAILED, error=Refused("no"))
    assert keys(section("formats.md", "The outcome of a source")) == outcome.to_json().keys()


def test_the_page_has_the_keys_of_a_record() -> None:
    assert keys(section("formats.md", "N.json")) == record_to_json(Record("a", "deb", "verbatim")).keys()


def test_the_page_has_the_keys_of_the_metadata_that_is_held() -> None:
    from orchestrator.content.model import Metadata, Validators

    (held,) = held_to_json([Metadata("stable main", (), (), Validators(), "")])["repositories"]
    told = section("formats.md", "upstream.json")
    assert {key for key in held if f"`{key}`" in told} == held.keys()


def test_the_page_has_the_keys_of_a_package() -> None:
    package = Package("a", "1", "all", FileRef("a.deb", 1, None), "source", "stable main", "")
    (told,) = re.findall(r"^A package is \{(.*?)\}", text_of("formats.md"), re.MULTILINE | re.DOTALL)
    words = [word.split()[0] for word in told.split(",")]
    assert words == list(package_document(package))


# Of upgrades ----------------------------------------------------------------------------------------


def test_the_page_has_every_event_of_a_journal() -> None:
    assert keys(section("formats.md", "journal.jsonl")) == {name.value for name in EventName}


def test_the_page_has_the_keys_of_a_request(tmp_path: Path) -> None:
    requests.record_request(tmp_path, Request("deb bookshelf", "why"))
    written = json.loads((tmp_path / requests.FILE_NAME).read_text())
    assert keys(section("formats.md", "request.json")) == written.keys()


def test_the_page_has_the_keys_of_what_is_notified(tmp_path: Path) -> None:
    setting = Setting(
        Config(state_dir=tmp_path, scripts=(tmp_path,), phases=(tmp_path,)), tmp_path, Registry()
    )
    state = RunState(run="0001-x", started="2026-11-20T10:15:00.000Z", outcome=RunOutcome.DONE)
    document = notice.of_run(setting, RunDirectory(tmp_path), state, notice.Past(notice.Moment.END, 1), str)
    page = section("formats.md", "What the commands of notify are told")
    assert keys(page) == document.keys()
    assert set(braces(page, "steps | null, or")) == document["steps"].keys()
    request = notice.of_request(setting, Request("rpm", "why"), str)["request"]
    assert set(braces(page, "request | of `pending`:")) == request.keys()


def test_the_page_has_the_keys_of_status_json(tmp_path: Path) -> None:
    write_status(tmp_path, Progress("r", "p", "s", 1, 2, 0.1, None, 0.0))
    written = json.loads((tmp_path / "status.json").read_text())
    assert keys(section("formats.md", "lock, status.json, data-version, format.json")) == written.keys()


def test_the_page_has_the_keys_of_status() -> None:
    page = section("formats.md", "status")
    assert keys(page) == set(names(status.Status))
    assert braces(page, "stop |") == names(status.Stop)


def test_the_page_has_the_keys_of_a_detached_run() -> None:
    page = section("formats.md", "JSON of the commands")
    assert braces(page, "`upgrade --detach` |") == names(Detached)
    assert braces(page, "goes on;") == names(EndedAtOnce)


def test_the_page_has_the_keys_of_the_list_of_a_bundle() -> None:
    page = section("formats.md", "A bundle")
    assert braces(page, "files:") == names(Member)
    assert braces(page, "missing:") == names(Missing)
    heading = json.loads(render_json({}, Collection()))
    assert heading.keys() <= set(re.findall(r"\w+", page))


def test_the_page_has_the_keys_of_a_report() -> None:
    page = section("formats.md", "The report of a run")
    assert keys(page) == {"format", *names(Report)}
    inner = {
        "left |": Left,
        "sessions |": Session,
        "gaps |": Gap,
        "steps |": StepFacts,
        "services |": ServiceFacts,
        "consents |": Consent,
        "remarks |": Remark,
        "not_due |": NotDue,
        "`attempts` are": AttemptFacts,
    }
    for words, of in inner.items():
        assert braces(page, words) == names(of), words


def names(of: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(of)]


def braces(page: str, after: str) -> list[str]:
    """The keys in the first braces behind some words; what they hold is passed over."""
    text = page[page.index(after) + len(after) :]
    inside = re.sub(r": \[\{.*?\}\]", "", text, flags=re.DOTALL)
    found = re.search(r"\{([^{}]*)\}", inside, re.DOTALL)
    assert found
    return [word.strip() for word in found[1].split(",")]


# Of the library -------------------------------------------------------------------------------------


def test_the_library_page_has_every_event() -> None:
    assert keys(section("library.md", "Watch, and stop")) == {name.value for name in Name}


def test_the_library_page_has_every_wish() -> None:
    told = section("library.md", "Mirror")
    ours = {"force", "only_listed"}  # of repairs, and of new repositories
    for field in dataclasses.fields(Wish):
        assert (f"`{field.name}`" in told) is (field.name not in ours)


@pytest.mark.parametrize("row", re.findall(r"^\| `(\w+)` \| (\d+) \|", text_of("library.md"), re.MULTILINE))
def test_the_library_page_has_the_exit_codes_of_the_errors(row: tuple[str, str]) -> None:
    from orchestrator import errors

    kind = getattr(errors, row[0])
    assert issubclass(kind, OrchestratorError)
    assert kind.exit_code is ExitCode(int(row[1]))


def test_the_library_page_has_every_name_of_the_library() -> None:
    from orchestrator import content

    told = set(re.findall(r"\b\w+\b", text_of("library.md")))
    ours = {  # the types of values that others make, and what the commands need
        "Closure",
        "ClosureOptions",
        "Details",
        "ExportRules",
        "Filter",
        "Status",
        "Unresolved",
        "Watcher",
        "find_mirrors",
        "names_of",
        "record_to_json",
    }
    assert set(content.__all__) - told == ours
