# SPDX-License-Identifier: GPL-3.0-or-later
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from orchestrator.content.catalog.exports import ExportRecord
from orchestrator.content.exports.manifest import Base, Subject
from orchestrator.content.exports.retention import built_on, outdated
from orchestrator.content.settings import ExportRules

NOW = datetime(2026, 11, 20, tzinfo=UTC)
WEB, TOOLS = Subject("view", "acme", "web", 1), Subject("product", "acme", "tools")


@dataclass
class History:
    """Exports, one a day, the last on the 20th; each an increment on the one before where it says so."""

    records: list[ExportRecord]
    bases: dict[int, Base]

    def gone(self, rules: ExportRules, *, bases: bool = True) -> list[int]:
        found = outdated(self.records, rules, NOW, lambda record: self.bases.get(record.number), bases=bases)
        return [record.number for record, _ in found]

    def pin(self, number: int) -> None:
        self.records[number - 1] = replace(self.records[number - 1], pinned=True)


def record(number: int, subject: Subject = WEB, destination: str = "", *, day: int = 1) -> ExportRecord:
    made = f"2026-11-{day:02d}T10:00:00.000Z"
    return ExportRecord(
        "acme", subject, "complete", "tar", destination, f"{number:032x}", f"/e/{number}", made, 1, 1, 100,
        "{}", receipt=f"{number:064x}", number=number,
    )  # fmt: skip


def history(kinds: str, subjects: Sequence[Subject] = (WEB,)) -> History:
    """`kinds`: c for a complete one, i for an increment on the one before."""
    records: list[ExportRecord] = []
    bases: dict[int, Base] = {}
    for number, kind in enumerate(kinds, 1):
        one = record(number, subjects[number % len(subjects)], day=20 - len(kinds) + number)
        if kind == "i":
            bases[number] = Base(export=records[-1].export_id)
            one = replace(one, kind="increment")
        records.append(one)
    return History(records, bases)


def test_without_rules_everything_stays() -> None:
    assert history("ccciii").gone(ExportRules()) == []


def test_so_many_of_each_subject_and_destination_stay() -> None:
    assert history("cccc").gone(ExportRules(keep=2)) == [1, 2]
    assert history("cccccc", (WEB, TOOLS)).gone(ExportRules(keep=2)) == [1, 2]
    elsewhere = history("cc")
    elsewhere.records[0] = replace(elsewhere.records[0], destination="dc2")
    assert elsewhere.gone(ExportRules(keep=1)) == []


def test_what_is_older_goes_but_never_the_newest_of_a_history() -> None:
    assert history("ccccc").gone(ExportRules(max_age=2.5 * 86400)) == [1, 2]
    assert history("c").gone(ExportRules(max_age=1)) == []


def test_the_oldest_beyond_a_size_go() -> None:
    assert history("ccccc").gone(ExportRules(max_bytes=250)) == [1, 2, 3]
    assert history("c").gone(ExportRules(max_bytes=1)) == []


def test_what_the_newest_increment_is_built_on_stays_unless_somebody_says_so() -> None:
    chain = history("ccii")
    assert chain.gone(ExportRules(keep=1)) == [1]
    assert chain.gone(ExportRules(keep=1), bases=False) == [1, 2, 3]
    assert history("ciic").gone(ExportRules(keep=1)) == [1, 2, 3]


def test_an_increment_on_a_receipt_is_built_on_the_export_that_leads_to_it() -> None:
    chain = history("ccc")
    chain.bases[3] = Base(receipt=chain.records[0].receipt)
    assert chain.gone(ExportRules(keep=1)) == [2]


def test_exports_that_are_based_on_each_other_in_a_circle_end_no_search() -> None:
    chain = history("cc")
    chain.bases |= {1: Base(export=chain.records[1].export_id), 2: Base(export=chain.records[0].export_id)}
    assert chain.gone(ExportRules(keep=1)) == []


def test_pinned_ones_and_those_that_are_not_finished_are_no_matter_of_rules() -> None:
    some = history("cccc")
    some.pin(1)
    some.records[1] = replace(some.records[1], state="partial")
    assert some.gone(ExportRules(keep=1, max_bytes=1, max_age=1)) == [3]


def test_the_increments_on_an_export_are_found() -> None:
    chain = history("ciic")
    first, *others = chain.records
    assert [each.number for each in built_on(first, others, lambda each: chain.bases.get(each.number))] == [2]
