# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports onto a server: what was sent is what its clients see, and nothing else of it changes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.content import receipts, syncing
from orchestrator.content.catalog import keys, organizations, products, repositories
from orchestrator.content.catalog.model import Key, Organization, Product, ProductKind, Repository
from orchestrator.content.exports import requests
from orchestrator.content.exports.manifest import KeyEntry, ProductEntry, Subject
from orchestrator.content.generations import collect_garbage
from orchestrator.content.imports.listing import cancel, listing
from orchestrator.content.imports.outcome import Fate
from orchestrator.content.imports.receipt import receipt, receipt_file
from orchestrator.content.imports.requesting import request_file
from orchestrator.content.imports.state import ImportState
from orchestrator.errors import Busy, ExitCode, Refused
from tests.support.receiving import Server, server
from tests.support.sending import Sending, Sent, contents, increment, media_of, of

WEB, TOOLS = Sent("os/web", contents("a", "b", "c")), Sent("own/tools", contents("d", "e"))
FIRST = of(WEB, TOOLS)
LATER = "2026-02-01T00:00:00.000Z"
SECOND = of(replace(WEB, contents=contents("a", "b", "x"), made=LATER), TOOLS)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Server]:
    with server(tmp_path) as found:
        yield found


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Server]:
    with server(tmp_path, fresh=True) as found:
        yield found


def test_a_server_with_nothing_shows_what_was_exported(fresh: Server) -> None:
    outcome = fresh.run(FIRST.media())
    assert outcome.exit_code is ExitCode.DONE, outcome.to_json()
    assert fresh.repository("os/web") == WEB.contents
    assert fresh.repository("own/tools") == TOOLS.contents
    assert len(fresh.served()) == len(WEB.contents) + len(TOOLS.contents)
    assert fresh.rows(with_imports=True)["imports"] == {FIRST.id: "complete"}
    assert not list((fresh.root / "imports").glob("*/")), "nothing goes on"


def test_a_plan_changes_nothing_and_says_what_will_be(fresh: Server) -> None:
    plan = fresh.plan(FIRST.media()[:1])
    assert not fresh.root.exists()
    [export] = plan.exports
    assert {item.name: item.action.value for item in export.items} == {
        "acme": "create", "os": "create", "own": "create", "os/web": "create", "own/tools": "create",
    }  # fmt: skip
    assert export.missing.objects == len(FIRST.objects)
    assert export.missing.bytes == sum(map(len, FIRST.objects.values()))
    assert dict(export.absent.chunks) == {
        number: len(pieces) for number, pieces in enumerate(FIRST.pieces, 1) if number > 1
    }
    assert plan.bytes == sum(piece.length for piece in FIRST.pieces[0])
    assert plan.exit_code is ExitCode.LOSSES
    json.dumps(plan.to_json())


def test_the_same_import_again_changes_nothing_and_reads_nothing(receiver: Server) -> None:
    receiver.run(FIRST.media())
    before = receiver.state()
    media = FIRST.media()
    outcome = receiver.run(media)
    assert outcome.exit_code is ExitCode.DONE
    assert {each.fate for export in outcome.exports for each in export.items} == {Fate.UNCHANGED}
    assert receiver.state() == before
    assert not any(path.startswith("objects/") for medium in media for path in medium.read)


def test_an_increment_leaves_just_what_the_sender_has(receiver: Server) -> None:
    receiver.run(FIRST.media())
    second = increment(SECOND, FIRST)
    assert len(second.objects) == 2, "a package and the index"
    outcome = receiver.run(second.media())
    assert outcome.objects == 2
    seen = receiver.repository("os/web")
    assert {path: seen[path] for path in SECOND.repositories[0].contents} == SECOND.repositories[0].contents
    assert [number for number, *_ in receiver.rows()["acme"]["snapshots"]["os/web"]] == [2, 1]
    assert [number for number, *_ in receiver.rows()["acme"]["snapshots"]["own/tools"]] == [1]


def test_a_chain_in_one_directory_is_imported_in_the_order_that_fits(receiver: Server) -> None:
    third = of(replace(WEB, contents=contents("x", "y"), made="2026-03-01T00:00:00.000Z"), TOOLS)
    chain = [increment(third, SECOND), increment(SECOND, FIRST), FIRST]
    plan = receiver.plan(media_of(chain))
    assert [each.id for each in plan.exports] == [each.id for each in reversed(chain)]
    assert plan.exit_code is ExitCode.DONE, "what one is built on comes with the others"
    assert receiver.run(media_of(chain)).exit_code is ExitCode.DONE
    assert receiver.repository("os/web") == third.repositories[0].contents
    before = receiver.state()
    assert receiver.run(media_of(chain)).exit_code is ExitCode.DONE
    assert receiver.state() == before, "nothing goes back"


def test_an_increment_without_its_base_goes_on_until_that_comes(receiver: Server) -> None:
    second = increment(SECOND, FIRST)
    outcome = receiver.run(second.media())
    assert outcome.exit_code is ExitCode.LOSSES
    [export] = outcome.exports
    assert export.missing.elsewhere == export.missing.objects == len(FIRST.objects) - 2
    assert receiver.served() == {}
    outcome = receiver.run(FIRST.media())
    assert outcome.exit_code is ExitCode.DONE, outcome.to_json()
    assert {each.planned.id: each.state for each in outcome.exports} == {
        FIRST.id: "complete", second.id: "complete",
    }  # fmt: skip
    assert receiver.repository("os/web").items() >= SECOND.repositories[0].contents.items()


def test_what_is_older_than_what_is_here_is_refused_unless_it_is_wished(receiver: Server) -> None:
    receiver.run(SECOND.media())
    before = receiver.state()
    outcome = receiver.run(FIRST.media())
    assert outcome.exit_code is ExitCode.REFUSED
    assert "newer" in outcome.to_json()["exports"][0]["items"][3]["reason"]
    assert receiver.state() == before
    assert receiver.run(FIRST.media(), allow_older=True).exit_code is ExitCode.DONE
    assert receiver.repository("os/web").items() >= WEB.contents.items()


def test_what_is_missing_is_asked_for_in_a_file(receiver: Server) -> None:
    receiver.run(FIRST.media()[1:])
    data = request_file(receiver.workspace, FIRST.id)
    assert data is not None
    asked = requests.from_file(data, "request")
    assert (asked.export, asked.organization) == (FIRST.id, "acme")
    assert asked.objects == {piece.sha256: piece.size for piece in FIRST.pieces[0]}
    [listed] = listing(receiver.workspace)
    assert listed.record.state == "going on"
    assert listed.missing is not None
    assert listed.missing.objects == len(asked.objects)
    assert listed.missing.chunks == ((1, len(asked.objects)),)
    # What the sender makes of it brings just these.
    answer = replace(FIRST, known=frozenset(FIRST.objects) - asked.objects.keys())
    outcome = receiver.run(answer.media())
    assert outcome.exit_code is ExitCode.DONE
    assert {each.state for each in outcome.exports} == {"complete"}
    assert receiver.repository("os/web") == WEB.contents
    assert request_file(receiver.workspace, FIRST.id) is None


def test_what_has_come_stays_until_the_rest_comes(receiver: Server) -> None:
    receiver.run(FIRST.media()[:1])
    came = receiver.pooled()
    assert came == {piece.sha256 for piece in FIRST.pieces[0]}
    assert collect_garbage(receiver.workspace.pool) == 0
    assert receiver.pooled() == came
    cancel(receiver.workspace, FIRST.id[:8])
    assert listing(receiver.workspace) == []
    collect_garbage(receiver.workspace.pool)
    assert receiver.pooled() == set()
    with pytest.raises(Refused, match="no import"):
        cancel(receiver.workspace, FIRST.id)


def test_a_repository_is_shown_as_soon_as_it_is_whole(receiver: Server) -> None:
    small = of(TOOLS, WEB, chunk=1)
    tools = {each.sha256 for each in TOOLS.files}
    media = [
        medium
        for medium, pieces in zip(small.media(), small.pieces, strict=True)
        if pieces[0].sha256 in tools
    ]
    assert receiver.run(media).exit_code is ExitCode.LOSSES
    assert receiver.repository("own/tools") == TOOLS.contents
    assert receiver.repository("os/web") == {}
    assert receiver.rows()["acme"]["repositories"] == [Repository("acme", "own", "tools", "file")]


def test_all_or_nothing_shows_nothing_before_all_is_there(receiver: Server) -> None:
    receiver.run(FIRST.media())
    before = receiver.served()
    more = replace(TOOLS, contents=contents("d", "e", "f"), made=LATER)
    second = increment(of(SECOND.repositories[0], more, chunk=1), FIRST)
    for medium in second.media()[:-1]:
        assert receiver.run([medium], all_or_nothing=True).exit_code is ExitCode.LOSSES
        assert receiver.served() == before
    assert receiver.run(second.media()[-1:]).exit_code is ExitCode.DONE, "it was said once"
    assert receiver.repository("own/tools").items() >= more.contents.items()
    assert receiver.repository("os/web").items() >= SECOND.repositories[0].contents.items()


def test_what_was_to_be_shown_all_at_once_and_was_deleted_meanwhile_holds_nothing_up(
    receiver: Server,
) -> None:
    first, *rest = FIRST.media()
    receiver.run([first], all_or_nothing=True)
    state = ImportState(receiver.root, FIRST.id)
    state.note_switches([{"repository": "os/deleted", "number": 1}])
    assert receiver.run(rest, all_or_nothing=True).exit_code is ExitCode.DONE
    assert receiver.repository("os/web") == WEB.contents


def test_all_or_nothing_does_nothing_when_a_part_is_refused(receiver: Server) -> None:
    vendors = replace(
        FIRST, products=(ProductEntry("os", "vendor", "", "redhat", "69"), ProductEntry("own", "custom"))
    )
    outcome = receiver.run(vendors.media(), all_or_nothing=True)
    assert outcome.exit_code is ExitCode.REFUSED
    assert receiver.served() == {}
    outcome = receiver.run(vendors.media())
    assert outcome.exit_code is ExitCode.REFUSED
    assert receiver.repository("own/tools") == TOOLS.contents, "the others go on"
    assert outcome.to_json()["exports"][0]["state"] == "failed"


def test_a_repository_that_is_busy_keeps_what_it_shows_and_the_others_go_on(receiver: Server) -> None:
    receiver.run(FIRST.media())
    more = replace(TOOLS, contents=contents("d", "e", "f"), made=LATER)
    second = increment(of(SECOND.repositories[0], more), FIRST)
    store = receiver.workspace.store(receiver.rows()["acme"]["repositories"][0])
    with store.lock():
        outcome = receiver.run(second.media())
    assert outcome.exit_code is ExitCode.BUSY
    fates = {each.item.name: each.fate for each in outcome.exports[0].items}
    assert (fates["os/web"], fates["own/tools"]) == (Fate.FAILED, Fate.UPDATED)
    assert receiver.repository("os/web") == WEB.contents
    assert receiver.repository("own/tools").items() >= more.contents.items()
    assert receiver.run([]).exit_code is ExitCode.DONE, "all that it needs is here"
    assert receiver.repository("os/web").items() >= SECOND.repositories[0].contents.items()


def test_imports_that_wait_do_not_concern_others(receiver: Server) -> None:
    receiver.run(of(Sent("os/other", contents("o", "p", "q", "r"))).media()[:1])
    outcome = receiver.run(FIRST.media())
    assert outcome.exit_code is ExitCode.DONE
    assert [each.planned.id for each in outcome.exports] == [FIRST.id]
    assert receiver.run([]).exit_code is ExitCode.LOSSES, "asked for"


def test_only_one_import_is_at_work(receiver: Server) -> None:
    from orchestrator.content.imports.state import alone

    with alone(receiver.root, 0.0), pytest.raises(Busy, match="another import"):
        receiver.run(FIRST.media())


def test_nothing_is_made_that_is_not_to_be_made(fresh: Server) -> None:
    assert fresh.run(FIRST.media(), create=False).exit_code is ExitCode.REFUSED
    assert fresh.rows() == {}
    with fresh.workspace.catalog.changing(fresh.workspace.actor) as session:
        organizations.create(session, Organization("acme"))
        products.create(session, Product("acme", "own"))
        repositories.create(session, Repository("acme", "own", "tools", "file"))
    outcome = fresh.run(FIRST.media(), create=False)
    assert outcome.exit_code is ExitCode.REFUSED
    assert fresh.repository("own/tools") == TOOLS.contents
    assert [each.path for each in fresh.rows()["acme"]["repositories"]] == ["own/tools"]


def test_an_export_goes_into_another_organization(receiver: Server) -> None:
    receiver.run(FIRST.media()[:1], organization="branch")
    with pytest.raises(Refused, match="goes into the organization branch"):
        receiver.run(FIRST.media(), organization="other")
    assert receiver.run(FIRST.media()).exit_code is ExitCode.DONE
    assert receiver.repository("os/web", "branch") == WEB.contents
    assert receiver.rows()["organizations"] == ["branch", "default"]


def test_keys_come_with_the_repositories_that_need_them(receiver: Server) -> None:
    signed = of(replace(WEB, keys=("ours",)), TOOLS, keys=(KeyEntry("ours", "-----A KEY-----"),))
    assert receiver.run(signed.media()).exit_code is ExitCode.DONE
    rows = receiver.rows()["acme"]
    assert rows["keys"] == [Key("acme", "ours", "-----A KEY-----")]
    assert [each.name for each in rows["of"]["os/web"]] == ["ours"]
    assert rows["of"]["own/tools"] == []


def test_a_key_is_never_replaced(receiver: Server) -> None:
    receiver.run(of(TOOLS).media())
    with receiver.workspace.catalog.changing(receiver.workspace.actor) as session:
        keys.add(session, Key("acme", "ours", "mine"))
    signed = of(replace(WEB, keys=("ours",)), TOOLS, keys=(KeyEntry("ours", "theirs"),))
    outcome = receiver.run(signed.media())
    assert outcome.exit_code is ExitCode.REFUSED
    assert receiver.rows()["acme"]["keys"] == [Key("acme", "ours", "mine")]
    assert receiver.rows()["acme"]["of"]["os/web"] == []
    assert receiver.repository("os/web") == WEB.contents


def test_vendor_content_goes_into_the_vendors_product_whatever_its_label(receiver: Server) -> None:
    with receiver.workspace.catalog.changing(receiver.workspace.actor) as session:
        organizations.create(session, Organization("acme"))
        products.create(
            session, Product("acme", "rhel", ProductKind.VENDOR, vendor="redhat", content_id="69")
        )
        repositories.create(session, Repository("acme", "rhel", "web", "file"))
    vendors = of(WEB, products=(ProductEntry("os", "vendor", "", "redhat", "69"),))
    assert receiver.run(vendors.media()).exit_code is ExitCode.DONE
    assert receiver.repository("rhel/web") == WEB.contents
    assert receipt(receiver.workspace).holdings == (("os/web", WEB.inventory),), "in the sender's words"


def test_a_receipt_says_what_is_here_and_is_what_the_sender_expects(receiver: Server) -> None:
    receiver.run(FIRST.media())
    made = receipt(receiver.workspace, FIRST.id[:8])
    assert made.digest == receipts.leads_to(FIRST.manifest)
    assert receipts.from_file(receipt_file(receiver.workspace, made), "receipt") == made
    receiver.run(increment(SECOND, FIRST).media())
    assert receipt(receiver.workspace).digest == receipts.leads_to(SECOND.manifest)
    assert receipt(receiver.workspace, "acme").digest == receipts.leads_to(SECOND.manifest)
    with pytest.raises(Refused):
        receipt(receiver.workspace, "nobody")


def test_what_was_imported_is_a_repository_like_others(receiver: Server) -> None:
    receiver.run(FIRST.media())
    with pytest.raises(Refused, match="no upstream"):
        raise syncing.sync(receiver.workspace, "acme", "os/web").outcome.error or AssertionError


@pytest.mark.parametrize("version", ["1.0", "1.7"])
def test_senders_of_lower_and_higher_minor_versions_are_understood(receiver: Server, version: str) -> None:
    assert receiver.run(replace(FIRST, version=version).media()).exit_code is ExitCode.DONE
    assert receiver.repository("os/web") == WEB.contents


def test_another_major_version_is_refused(receiver: Server) -> None:
    with pytest.raises(Refused, match=r"version 2\.0"):
        receiver.run(replace(FIRST, version="2.0").media()[:1])


def test_the_content_of_a_product_alone_replaces_what_is_shown_of_it(receiver: Server) -> None:
    receiver.run(FIRST.media())
    product = Sending((SECOND.repositories[0],), Subject("product", "acme", "os"))
    assert receiver.run(product.media()).exit_code is ExitCode.DONE
    assert receiver.repository("os/web").items() >= SECOND.repositories[0].contents.items()
    assert receiver.repository("own/tools") == TOOLS.contents
