# SPDX-License-Identifier: GPL-3.0-or-later
"""What every manager promises, asked of real services. Each manager's test module inherits this class.

A subclass provides the fixture `workshop`.
"""

import contextlib
import time

import pytest

from orchestrator.errors import ServiceFailed
from orchestrator.host import facts
from orchestrator.services.down import why_not_down
from orchestrator.services.service import Activity, Readiness
from tests.support.managed import Workshop, living


class ManagerConformance:
    def test_a_service_that_never_ran_is_stopped_and_has_no_processes(self, workshop: Workshop) -> None:
        app = workshop.make()
        assert app.manager.condition().activity is Activity.STOPPED
        assert app.manager.processes() == set()
        assert why_not_down(app.manager, [app.port], []) == []

    def test_start_makes_it_run_and_stop_makes_it_stop(self, workshop: Workshop) -> None:
        app = workshop.make()
        app.start()
        assert app.manager.condition().activity is Activity.RUNNING
        assert app.manager.condition().up
        app.manager.stop()
        assert app.manager.condition().activity is Activity.STOPPED
        assert facts.listeners([app.port]) == []

    def test_it_can_be_started_again(self, workshop: Workshop) -> None:
        app = workshop.make()
        for _ in range(2):
            app.start()
            app.manager.stop()
        assert why_not_down(app.manager, [app.port], []) == []

    def test_starting_what_runs_leaves_it_as_it_is(self, workshop: Workshop) -> None:
        app = workshop.make()
        app.start()
        before = app.manager.processes()
        app.manager.start()
        assert app.manager.condition().activity is Activity.RUNNING
        assert app.manager.processes() == before

    def test_stopping_what_is_down_is_harmless(self, workshop: Workshop) -> None:
        app = workshop.make()
        app.manager.stop()
        app.start()
        app.manager.stop()
        app.manager.stop()
        assert app.manager.condition().activity is Activity.STOPPED

    def test_its_processes_are_the_main_one_and_its_children(self, workshop: Workshop) -> None:
        app = workshop.make("--child")
        app.start()
        pids = {process.pid for process in app.manager.processes()}
        assert app.manager.condition().pid in pids
        assert len(pids) == 2
        app.manager.stop()
        assert app.manager.processes() == set()

    def test_one_that_dies_by_itself_has_failed_and_can_be_started(self, workshop: Workshop) -> None:
        app = workshop.make()
        app.start()
        app.crash()
        app.wait_for(Activity.FAILED)
        assert app.manager.condition().detail
        assert why_not_down(app.manager, [app.port], []) == []
        app.start()

    def test_one_that_died_by_itself_can_be_stopped(self, workshop: Workshop) -> None:
        app = workshop.make()
        app.start()
        app.crash()
        app.wait_for(Activity.FAILED)
        app.manager.stop()
        assert why_not_down(app.manager, [app.port], []) == []

    def test_its_log_ends_with_what_it_said_last(self, workshop: Workshop) -> None:
        app = workshop.make()
        app.start()
        pid = app.manager.condition().pid
        deadline = time.monotonic() + 10  # a journal is written by somebody else, a little later
        said = f"pid {pid} listens on port {app.port}"
        while not any(said in line for line in app.manager.log_tail(5)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert any(said in line for line in app.manager.log_tail(5)), app.manager.log_tail(50)
        assert len(app.manager.log_tail(1)) == 1

    def test_one_that_ignores_its_signal_is_down_or_refused_in_time(self, workshop: Workshop) -> None:
        app = workshop.make("--stubborn", stop_timeout=2)
        app.start()
        known = app.manager.processes()
        began = time.monotonic()
        if workshop.kills_what_stays:
            app.manager.stop()
            assert living(known) == set()
        else:
            with pytest.raises(ServiceFailed, match="no end within 2 s"):
                app.manager.stop()
            assert living(known) == known
        assert time.monotonic() - began < 6

    def test_a_process_that_stays_is_named_with_its_command_line(self, workshop: Workshop) -> None:
        app = workshop.make("--escape", stop_timeout=2)
        app.start()
        known = app.controlled.stop()
        assert len(known) == 2
        for process in living(known):
            sentences = why_not_down(app.manager, [app.port], known)
            assert sentences == [f"pid {process.pid} ({facts.command_of(process.pid)}) still runs"]

    def test_while_it_runs_it_is_said_why_it_is_not_down(self, workshop: Workshop) -> None:
        app = workshop.make()
        app.start()
        sentences = why_not_down(app.manager, [app.port], [])
        pid = app.manager.condition().pid
        assert sentences[0].startswith("its manager says running")
        assert sentences[-1].startswith(f"port {app.port} is still open: pid {pid} (")

    def test_holding_and_releasing_may_be_repeated(self, workshop: Workshop) -> None:
        app = workshop.make()
        app.start()
        app.manager.stop()
        app.manager.release()
        for _ in range(2):
            app.manager.hold()
        assert app.manager.condition().activity is Activity.STOPPED
        for _ in range(2):
            app.manager.release()
        assert not app.manager.held()
        app.start()

    def test_a_held_service_tells_the_same_of_its_enablement(self, workshop: Workshop) -> None:
        app = workshop.make()
        before = app.manager.enabled()
        app.manager.hold()
        assert app.manager.enabled() is before
        app.manager.release()
        assert app.manager.enabled() is before

    def test_what_cannot_run_is_refused_or_never_becomes_ready(self, workshop: Workshop) -> None:
        app = workshop.make("--no-such-option")
        with contextlib.suppress(ServiceFailed):
            app.manager.start()
            with pytest.raises(ServiceFailed):
                app.controlled.wait_ready()
        assert app.controlled.readiness().readiness is not Readiness.READY

    def test_its_own_listener_is_not_foreign(self, workshop: Workshop) -> None:
        app = workshop.make("--child")
        app.start()
        assert app.controlled.foreign_listeners() == []
