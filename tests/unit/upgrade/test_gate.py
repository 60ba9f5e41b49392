# SPDX-License-Identifier: GPL-3.0-or-later
"""When applications may start: nothing pending, no newer data, or the run that is under way has them up."""

import pytest

from orchestrator.upgrade.gate import Gate, judge
from orchestrator.upgrade.journal import Event
from orchestrator.upgrade.plan import Plan
from orchestrator.upgrade.requests import Request
from orchestrator.upgrade.runstate import RunState
from tests.support.plans import PHASES, application, backend, event, history, plan, run_of, step

SERVICES = {"web": application("db"), "db": backend()}
STEP = step("upgrade/0010_a")
ALWAYS = step("default/0020_b")
REQUEST = Request("deb toy", "this is a chroot")


def gate(made: Plan, live: RunState | None = None, product: str | None = None) -> Gate:
    return judge(made, live=live, services=SERVICES, phases=PHASES, product=product)


def test_it_is_open_with_nothing_to_do() -> None:
    assert gate(plan(ALWAYS)) == Gate(shut=False)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (plan(STEP), "1 step is due"),
        (plan(STEP, step("upgrade/0030_c")), "2 steps are due"),
        (plan(resumed=run_of()), "run 0001-x is unfinished"),
        (plan(ALWAYS, request=REQUEST), "deb toy asked for an upgrade: this is a chroot"),
    ],
)
def test_it_is_shut_while_an_upgrade_is_pending(made: Plan, reason: str) -> None:
    assert gate(made) == Gate(shut=True, reason=reason)


def test_a_request_with_nothing_to_run_keeps_nobody_out() -> None:
    assert gate(plan(request=REQUEST)) == Gate(shut=False)
    assert gate(plan(STEP, request=REQUEST, history=history("0010_a"))) == Gate(shut=False)


@pytest.mark.parametrize(
    ("data", "product", "shut"),
    [
        ("4.2", "4.1", True),
        ("4.1", "4.1", False),
        ("4.1", "4.2", False),
        ("4.2", None, False),
        (None, "1", False),
    ],
)
def test_it_is_shut_for_a_product_older_than_its_data(
    data: str | None, product: str | None, shut: bool
) -> None:
    found = gate(plan(from_version=data), product=product)
    assert found == Gate(shut, f"the data was last upgraded by {data}, this is {product}" if shut else "")


BEGUN = event("run-started", run="0001-x", boot="b", pid=8)
DOWN, BACKENDS, ALL_UP = (
    event("phase-entered", phase=name) for name in ("backends-down", "backends-up", "all-up")
)
CONTINUED = event("run-continued", run="0001-x", boot="c", pid=9)


def service(name: str, what: str) -> Event:
    return event(f"service-{what}", service=name)


@pytest.mark.parametrize(
    ("events", "shut"),
    [
        ([], True),
        ([DOWN], True),
        ([BACKENDS, service("db", "starting"), service("db", "ready")], True),
        ([ALL_UP], False),
        ([DOWN, service("web", "starting")], False),
        ([DOWN, service("web", "starting"), service("web", "ready")], False),
        ([DOWN, service("web", "starting"), service("web", "failed")], True),
        ([DOWN, service("web", "starting"), service("web", "ready"), service("web", "stopping")], True),
        ([ALL_UP, CONTINUED], True),
        ([DOWN, service("web", "starting"), CONTINUED], True),
        ([ALL_UP, CONTINUED, ALL_UP], False),
        ([DOWN, service("unknown", "starting")], True),
    ],
)
def test_a_run_under_way_opens_it_when_it_has_the_applications_up(events: list[Event], shut: bool) -> None:
    run = run_of(BEGUN, *events)
    assert gate(plan(STEP, resumed=run), live=run).shut == shut
    assert gate(plan(STEP, resumed=run)).shut, "when nobody is at it"
