# SPDX-License-Identifier: GPL-3.0-or-later
"""View versions and environments that are imported: recreated with the sender's numbers, shown by one rename."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.content import views as use_cases
from orchestrator.content.catalog import environments, repositories, views
from orchestrator.content.catalog.model import View
from orchestrator.content.exports.manifest import EnvironmentEntry, Subject, VersionEntry
from orchestrator.content.imports.outcome import Fate
from orchestrator.content.imports.receipt import receipt
from orchestrator.errors import ExitCode
from tests.support.receiving import Server, server
from tests.support.sending import Sending, Sent, contents, increment, of

LATER = "2026-02-01T00:00:00.000Z"
WEB, TOOLS = Sent("os/web", contents("a", "b", "c")), Sent("own/tools", contents("d", "e"))
NEW_WEB = replace(WEB, contents=contents("a", "b", "x"), made=LATER)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Server]:
    with server(tmp_path) as found:
        yield found


def version(number: int, *sent: Sent, view: str = "both") -> VersionEntry:
    contents = tuple((each.path, each.path, each.inventory) for each in sent)
    return VersionEntry(view, number, max(each.made for each in sent), contents, name="Both of them")


def of_view(number: int, *sent: Sent) -> Sending:
    return of(*sent, subject=Subject("view", "acme", "both", number), versions=(version(number, *sent),))


def shown(receiver: Server, environment: str = "library", view: str = "both") -> dict[str, bytes]:
    place = f"acme/{environment}/{view}/"
    return {
        path.removeprefix(place): data for path, data in receiver.served().items() if path.startswith(place)
    }


def in_view(*sent: Sent) -> dict[str, bytes]:
    return {f"{each.path}/{path}": data for each in sent for path, data in each.contents.items()}


def test_a_view_is_recreated_with_the_senders_number(receiver: Server) -> None:
    outcome = receiver.run(of_view(7, WEB, TOOLS).media())
    assert outcome.exit_code is ExitCode.DONE, outcome.to_json()
    assert shown(receiver) == in_view(WEB, TOOLS)
    rows = receiver.rows()["acme"]
    assert rows["views"] == [View("acme", "both", "Both of them", ("os/web", "own/tools"))]
    assert rows["versions"]["both"] == [(7, [("os/web", WEB.inventory), ("own/tools", TOOLS.inventory)])]
    assert receiver.repository("os/web") == WEB.contents, "the first snapshot of a repository is shown"
    assert receipt(receiver.workspace).versions == (("both", 7),)


def test_the_library_follows_with_repositories_that_only_imports_fill(receiver: Server) -> None:
    receiver.run(of_view(7, WEB, TOOLS).media())
    receiver.run(of_view(8, NEW_WEB, TOOLS).media())
    assert receiver.repository("os/web") == NEW_WEB.contents
    again = use_cases.publish(receiver.workspace, "acme", "both")
    assert (again.version.number, again.made) == (8, False)


def test_the_next_version_leaves_what_the_receiver_shows_of_repositories_that_it_syncs(
    receiver: Server,
) -> None:
    first, second = of_view(7, WEB, TOOLS), of_view(8, NEW_WEB, TOOLS)
    receiver.run(first.media())
    with receiver.workspace.catalog.changing(receiver.workspace.actor) as session:
        there = repositories.get(session, "acme", "os/web")
        repositories.update(session, replace(there, upstream={"baseurl": "http://127.0.0.1:9/"}))
    assert receiver.run(increment(second, first).media()).exit_code is ExitCode.DONE
    seen = shown(receiver)
    assert {path: seen[path] for path in in_view(NEW_WEB, TOOLS)} == in_view(NEW_WEB, TOOLS)
    assert receiver.repository("os/web") == WEB.contents
    assert [number for number, _ in receiver.rows()["acme"]["versions"]["both"]] == [8, 7]
    before = receiver.state()
    assert receiver.run(increment(second, first).media()).exit_code is ExitCode.DONE
    assert receiver.state() == before


def test_an_older_version_comes_without_being_shown(receiver: Server) -> None:
    receiver.run(of_view(8, NEW_WEB, TOOLS).media())
    assert receiver.run(of_view(7, WEB, TOOLS).media()).exit_code is ExitCode.DONE
    assert shown(receiver) == in_view(NEW_WEB, TOOLS)
    assert [number for number, _ in receiver.rows()["acme"]["versions"]["both"]] == [8, 7]
    assert receiver.run(of_view(7, WEB, TOOLS).media(), allow_older=True).exit_code is ExitCode.DONE
    assert shown(receiver).items() >= in_view(WEB, TOOLS).items()


def test_the_same_number_with_other_content_is_refused(receiver: Server) -> None:
    receiver.run(of_view(7, WEB, TOOLS).media())
    before = receiver.state()
    outcome = receiver.run(of_view(7, NEW_WEB, TOOLS).media())
    assert outcome.exit_code is ExitCode.REFUSED
    [item] = [each for each in outcome.exports[0].items if each.item.kind == "version"]
    assert item.fate is Fate.REFUSED
    assert "version 7 of both is here with other content" in item.item.reason
    assert receiver.state() == before


def test_a_view_that_is_composed_of_others_here_is_left_alone(receiver: Server) -> None:
    receiver.run(of_view(7, WEB, TOOLS).media())
    with receiver.workspace.catalog.changing(receiver.workspace.actor) as session:
        views.create(session, View("acme", "all", views=("both",)))
    sending = of(WEB, subject=Subject("view", "acme", "all", 1), versions=(version(1, WEB, view="all"),))
    outcome = receiver.run(sending.media())
    assert outcome.exit_code is ExitCode.REFUSED
    assert "composed of other views" in outcome.exports[0].items[-1].item.reason


def test_an_environment_comes_with_what_it_shows(receiver: Server) -> None:
    versions = (version(3, WEB, TOOLS), version(2, TOOLS, view="tools"))
    production = EnvironmentEntry("prod", "dev", {"both": 3, "tools": 2}, "Production")
    sending = of(
        WEB,
        TOOLS,
        subject=Subject("environment", "acme", "prod"),
        versions=versions,
        environments=(production,),
    )
    assert receiver.run(sending.media()).exit_code is ExitCode.DONE
    for environment, (view, sent) in itertools.product(
        ("library", "prod"), {"both": (WEB, TOOLS), "tools": (TOOLS,)}.items()
    ):
        assert shown(receiver, environment, view) == in_view(*sent)
    with receiver.workspace.catalog.reading() as session:
        there = environments.get(session, "acme", "prod")
    assert (there.after, there.name, dict(there.shows)) == (
        "library", "Production", {"both": 3, "tools": 2},
    )  # fmt: skip
    before = receiver.state()
    assert receiver.run(sending.media()).exit_code is ExitCode.DONE
    assert receiver.state() == before


def test_several_snapshots_of_one_repository_come_in_one_export(receiver: Server) -> None:
    stages = [
        replace(WEB, contents=contents("a", f"n{number}"), made=f"2026-0{number}-01T00:00:00.000Z")
        for number in range(1, 7)
    ]
    versions = tuple(version(number, stage) for number, stage in enumerate(stages, 1))
    sending = Sending(
        tuple(reversed(stages)), Subject("environment", "acme", "prod"), versions=versions,
        environments=(EnvironmentEntry("prod", "library", {"both": 2}),), chunk=4,
    )  # fmt: skip
    for medium in sending.media():
        outcome = receiver.run([medium])
    assert outcome.exit_code is ExitCode.DONE, outcome.to_json()
    rows = receiver.rows()["acme"]
    assert [number for number, _ in rows["versions"]["both"]] == [6, 5, 4, 3, 2, 1]
    assert shown(receiver, "prod") == in_view(stages[1])
    assert shown(receiver).items() >= in_view(stages[5]).items()
    assert receiver.repository("os/web").items() >= stages[5].contents.items()


def test_a_view_waits_for_all_its_repositories(receiver: Server) -> None:
    sending = replace(of_view(7, WEB, TOOLS), chunk=1)
    for medium in sending.media()[:-1]:
        assert receiver.run([medium]).exit_code is ExitCode.LOSSES
        assert shown(receiver) == {}
    assert receiver.run(sending.media()[-1:]).exit_code is ExitCode.DONE
    assert shown(receiver) == in_view(WEB, TOOLS)


def test_what_was_imported_can_be_published_and_promoted_further(receiver: Server) -> None:
    receiver.run(of_view(7, WEB, TOOLS).media())
    receiver.run(of(NEW_WEB).media())
    made = use_cases.publish(receiver.workspace, "acme", "both")
    assert made.version.number == 8
    assert shown(receiver).items() >= in_view(NEW_WEB, TOOLS).items()
