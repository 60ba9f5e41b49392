# SPDX-License-Identifier: GPL-3.0-or-later
"""What steps tell beside their output: in the run's journal once, in the live view, and losses in the exit status."""

import json
from typing import Any

import pytest

from tests.support.product import Product
from tests.support.stack import wait_for, wait_for_step
from tests.support.tmux import on_screen


def tell(**content: Any) -> str:
    """Shell that tells an event."""
    return f"""echo '{json.dumps(content)}' >>"$ORCHESTRATOR_EVENTS" """


def until(product: Product, name: str) -> str:
    """Shell that waits for a file."""
    return f"while [ ! -e {product.directory}/{name} ]; do sleep 0.05; done"


def reported(product: Product) -> list[tuple[int, int, str]]:
    events = [event for event in product.journal() if event["event"] == "step-reported"]
    return [(event["attempt"], event["number"], event["report"]["name"]) for event in events]


def ended(product: Product) -> dict[str, Any]:
    return product.journal()[-1]


def test_events_of_a_step_stand_in_the_journal_before_its_end(product: Product) -> None:
    product.step("upgrade/0010_a.sh", f"{tell(name='made', size=5)}\n{tell(name='seen')}")
    product.run("upgrade", "-y").expect(0)
    journal = product.journal()
    names = [event["event"] for event in journal if event.get("step") == "upgrade/0010_a.sh"]
    assert names == ["step-started", "step-reported", "step-reported", "step-ended", "history-recorded"]
    assert reported(product) == [(1, 1, "made"), (1, 2, "seen")]
    [first, _] = [event for event in journal if event["event"] == "step-reported"]
    assert first["report"] == {"name": "made", "size": 5}


def test_events_are_journaled_while_the_step_runs(product: Product) -> None:
    product.step("upgrade/0010_a.sh", f"{tell(name='made')}\n{until(product, 'go')}")
    run = product.start("upgrade", "-y")
    wait_for(lambda: reported(product) == [(1, 1, "made")], "the event is in the journal")
    (product.directory / "go").touch()
    run.communicate(timeout=30)
    assert run.returncode == 0
    assert len(reported(product)) == 1


def test_every_attempt_has_events_of_its_own(product: Product) -> None:
    body = f'{tell(name="tried")}\n[ "$ORCHESTRATOR_ATTEMPT" = 2 ]'
    product.step("upgrade/0010_a.sh", body, "#retry: 1 0s")
    product.run("upgrade", "-y").expect(0)
    assert reported(product) == [(1, 1, "tried"), (2, 1, "tried")]


def test_each_event_is_journaled_once_though_the_runner_is_killed(product: Product) -> None:
    body = [tell(name="first"), until(product, "killed"), tell(name="second"), until(product, "go")]
    product.step("upgrade/0010_a.sh", "\n".join(body))
    run = product.start("upgrade", "-y")
    wait_for(lambda: reported(product) == [(1, 1, "first")], "the event is in the journal")
    run.kill()
    run.communicate()
    (product.directory / "killed").touch()
    (product.directory / "go").touch()
    product.run("upgrade", "-y").expect(0)
    assert reported(product) == [(1, 1, "first"), (1, 2, "second")]


def test_events_of_a_step_that_ended_while_no_runner_was_there_are_read_later(product: Product) -> None:
    body = [until(product, "killed"), tell(name="made", lost=True), f"touch {product.directory}/over"]
    product.step("upgrade/0010_a.sh", "\n".join(body))
    run = product.start("upgrade", "-y")
    wait_for_step(product, "0010")
    run.kill()
    run.communicate()
    (product.directory / "killed").touch()
    wait_for((product.directory / "over").exists, "the step has ended")
    product.run("upgrade", "-y").expect(3)
    assert reported(product) == [(1, 1, "made")]
    assert product.ran() == ["0010"]


def test_a_flood_of_events_does_not_flood_the_journal(product: Product) -> None:
    flood = """seq 1500 | sed 's/.*/{"name": "x", "lost": true}/' >>"$ORCHESTRATOR_EVENTS" """
    product.step("upgrade/0010_a.sh", flood)
    product.run("upgrade", "-y").expect(3)
    assert len(reported(product)) == 1000
    notes = [event["text"] for event in product.journal() if event["event"] == "note"]
    assert "500 more events are in" in notes[-1]
    assert ended(product)["losses"] == {"upgrade/0010_a.sh": 1500}


# Losses -----------------------------------------------------------------------------------------------


@pytest.fixture
def lossy(product: Product) -> Product:
    """A step that is done, but without two things; and one after it."""
    lost = [tell(name="lost", text=f"lost {what}: gone", lost=True) for what in ("this", "that")]
    product.step("upgrade/0010_a.sh", "\n".join(lost))
    product.step("upgrade/0020_b.sh")
    return product


def test_a_step_done_with_losses_is_done_and_the_upgrade_ends_with_3(lossy: Product) -> None:
    outcome = lossy.run("upgrade", "-y").expect(3)
    assert lossy.ran() == ["0010", "0020"]
    assert lossy.history() == {"0010_a.sh": "done", "0020_b.sh": "done"}
    assert "Upgrade done, 2 lost in upgrade/0010_a.sh." in outcome.out
    end = ended(lossy)
    assert (end["event"], end["outcome"], end["exit_code"]) == ("run-ended", "done-with-losses", 3)
    [step] = [e for e in lossy.journal() if e["event"] == "step-ended" and "0010" in e["step"]]
    assert (step["status"], step["losses"], step["message"]) == ("done", 2, "2 lost")
    lossy.run("upgrade", "-y").expect(0)


def test_losses_are_in_the_record_of_the_run(lossy: Product) -> None:
    lossy.run("upgrade", "-y").expect(3)
    assert "done-with-losses" in lossy.run("runs", "list").expect(0).out
    shown = lossy.run("runs", "show").expect(0).out
    assert "done-with-losses" in shown
    assert "2 lost" in shown
    told = lossy.run("runs", "log").expect(0).out
    assert "lost this: gone" in told
    assert "lost that: gone" in told
    assert "done-with-losses" in lossy.run("status").expect(0).out
    assert lossy.run("status", "-o", "json").expect(0).json()["outcome"] == "done-with-losses"
    [run] = lossy.run("runs", "list", "-o", "json").expect(0).json()
    assert (run["outcome"], run["exit_code"]) == ("done-with-losses", 3)
    assert [step["losses"] for step in run["steps"]] == [2, 0]


def test_losses_of_an_attempt_that_failed_do_not_count(product: Product) -> None:
    body = f'[ "$ORCHESTRATOR_ATTEMPT" = 2 ] && exit 0\n{tell(name="lost", lost=True)}\nexit 1'
    product.step("upgrade/0010_a.sh", body, "#retry: 1 0s")
    product.run("upgrade", "-y").expect(0)


def test_losses_count_though_a_later_process_ends_the_run(lossy: Product) -> None:
    lossy.step("upgrade/0020_b.sh", f"[ -e {lossy.directory}/mended ]")
    lossy.run("upgrade", "-y").expect(1)
    (lossy.directory / "mended").touch()
    outcome = lossy.run("upgrade", "-y").expect(3)
    assert "2 lost in upgrade/0010_a.sh" in outcome.out
    assert lossy.ran() == ["0010", "0020", "0020"]


def test_failures_that_are_passed_over_outrank_losses_and_both_are_told(lossy: Product) -> None:
    lossy.step("upgrade/0020_b.sh", "exit 1", "#on-failure: continue")
    outcome = lossy.run("upgrade", "-y").expect(3)
    assert ended(lossy)["outcome"] == "done-with-failures"
    assert "steps failed that say on-failure: continue, 2 lost in upgrade/0010_a.sh." in outcome.out


def test_a_check_may_tell_events_outside_a_run(product: Product) -> None:
    body = f'set -eu\n{tell(name="seen")}\necho "1 of 2" >"$ORCHESTRATOR_PROGRESS"'
    product.step("check/0010_a.sh", body)
    product.run("check").expect(0)


# Progress ---------------------------------------------------------------------------------------------


def test_progress_is_in_the_live_view_and_in_the_status_and_gone_at_the_end(product: Product) -> None:
    body = ["echo working", 'echo "12 of 40 tables, 3 min left" >"$ORCHESTRATOR_PROGRESS"']
    product.step(
        "upgrade/0010_a.sh", "\n".join([*body, until(product, "go"), tell(name="x", text="40 tables")])
    )
    with on_screen(product.argv("upgrade", "-y"), product.environment(), columns=60) as screen:
        screen.expect("12 of 40 tables, 3 min left\n  | working")
        lines = [line.split("  ")[0] if line.startswith("upgrade") else line for line in screen.lines()]
        assert lines[-3:] == ["upgrade/0010_a.sh", "  12 of 40 tables, 3 min left", "  | working"]
        wait_for(lambda: "12 of 40" in (product.state / "status.json").read_text(), "the status says so")
        assert "12 of 40 tables" in product.run("status").expect(0).out
        assert product.run("status", "-o", "json").json()["progress"]["said"].startswith("12 of 40")
        (product.directory / "go").touch()
        assert screen.ended() == 0
        assert "12 of 40" not in screen.text()
        assert "\n  40 tables\n" in screen.text(), "events with a text stay"
    assert not list(product.state.rglob("*.progress"))
    assert "12 of 40" not in "".join(path.read_text() for path in product.state.rglob("*.log"))


def test_a_step_that_says_how_far_it_is_is_not_silent(product: Product) -> None:
    say = 'i=$((i+1)); echo $i >"$ORCHESTRATOR_PROGRESS"; sleep 0.2'
    product.step("upgrade/0010_a.sh", f"i=0; while [ ! -e {product.directory}/go ]; do {say}; done")
    run = product.start("upgrade", "-y")

    def status() -> dict[str, Any]:
        content: dict[str, Any] = json.loads((product.state / "status.json").read_text())
        return content

    wait_for(lambda: int(status()["said"]) > 9, "the status says so")
    assert status()["quiet"] < 1 < status()["elapsed"]
    (product.directory / "go").touch()
    run.communicate(timeout=30)
    assert run.returncode == 0


def test_what_a_step_tells_cannot_act_on_the_terminal(product: Product) -> None:
    body = [
        r"""printf 'a\033[2Jb\n' >"$ORCHESTRATOR_PROGRESS" """,
        r"""printf '{"name": "x", "text": "c\\u001b[2Jd"}\n' >>"$ORCHESTRATOR_EVENTS" """,
        until(product, "go"),
    ]
    product.step("upgrade/0010_a.sh", "\n".join(body))
    with on_screen(product.argv("upgrade", "-y"), product.environment(), columns=60) as screen:
        screen.expect("\n  ab")
        screen.expect("\n  cd")
        (product.directory / "go").touch()
        assert screen.ended() == 0
