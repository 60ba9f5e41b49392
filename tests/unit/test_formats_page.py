# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/formats.md and docs/library.md have exactly the keys that documents, records and events of mirrors have."""

import dataclasses
import re

import pytest

from orchestrator.cli.mirror_wording import package_document
from orchestrator.content import Outcome, Status, Wish
from orchestrator.content.events import Name
from orchestrator.content.model import FileRef, Package
from orchestrator.content.publication.record import Record, held_to_json, record_to_json
from orchestrator.errors import ExitCode, OrchestratorError, Refused
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
