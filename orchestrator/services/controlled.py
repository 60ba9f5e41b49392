# SPDX-License-Identifier: GPL-3.0-or-later
"""A service as the runner sees it: its manager, its probes, and what must be true after an order."""

import threading
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from pathlib import Path

from orchestrator.config import model
from orchestrator.host import facts
from orchestrator.host.facts import ProcessId
from orchestrator.services.managers import make_manager
from orchestrator.services.notes import read_note, write_note
from orchestrator.services.service import Activity, Manager, Marks, Places, Probe, Verdict


def control_all(services: Mapping[str, model.AnyService], places: Places) -> "dict[str, ControlledService]":
    return {name: ControlledService(name, spec, places) for name, spec in services.items()}


class ControlledService:
    """One configured service. Its methods may be called from any thread."""

    def __init__(self, name: str, spec: model.AnyService, places: Places) -> None:
        self.name = name
        self.spec = spec
        self.manager: Manager = make_manager(name, spec, places)
        self._marks_path: Path = places.state / f"{name}.marks.json"
        self._looking = threading.Lock()

    @cached_property
    def probes(self) -> tuple[Probe, ...]:
        """For single looks. Without `log` probes: what a service wrote when it became ready may have been
        rotated away since; only a wait after a start can ask for it."""
        from orchestrator.services.probes import make_probe

        lasting = (spec for spec in self.spec.ready if not isinstance(spec, model.LogProbe))
        return tuple(make_probe(spec) for spec in lasting)

    def preload(self) -> None:
        """Import what its probes need, before that can be replaced."""
        from orchestrator.services.probes import make_probe

        for spec in self.spec.ready:
            make_probe(spec)

    @property
    def external(self) -> bool:
        return self.spec.manager == "external"

    # Up -----------------------------------------------------------------------------------------------

    def readiness(self) -> Verdict:
        """One look, without waiting and without asking for `stable`."""
        from orchestrator.services.readiness import look

        with self._looking:
            return look(self.manager, self.probes, self._marks())

    def wait_ready(
        self,
        cancelled: Callable[[], bool] = lambda: False,
        observe: Callable[[Verdict], None] = lambda _: None,
    ) -> float:
        """Block until it is ready; the seconds that took. Raises ServiceFailed, or Interrupted when `cancelled()`."""
        from orchestrator.services.readiness import ready_probes, wait_until_ready

        return wait_until_ready(
            self.name,
            self.manager,
            ready_probes(self.spec.ready),
            self._marks(),
            timeout=self.spec.ready_timeout,
            cancelled=cancelled,
            observe=observe,
        )

    def start(self) -> None:
        """Order the start, having noted where its logs end, unless it runs. Raises ServiceFailed."""
        watches_logs = any(isinstance(spec, model.LogProbe) for spec in self.spec.ready)
        if watches_logs and not self.manager.condition().up:
            self._mark_logs()
        self.manager.start()

    # Down ---------------------------------------------------------------------------------------------

    def stop(self) -> set[ProcessId]:
        """Order the stop; the processes it had before, for `verify_down`. Raises ServiceFailed."""
        known = self.family()
        self.manager.stop()
        return known

    def family(self) -> set[ProcessId]:
        """Its processes and all their descendants, wherever these have gone."""
        return facts.family(process.pid for process in self.manager.processes())

    def why_not_down(self, known: Collection[ProcessId] = ()) -> list[str]:
        """Empty when it is verifiably down, and for an external service; else who or what is left."""
        from orchestrator.services.down import why_not_down

        return [] if self.external else why_not_down(self.manager, self.spec.ports, known)

    def verify_down(self, known: Collection[ProcessId] = (), timeout: float = 5.0) -> None:
        """Return once it is verifiably down; raise ServiceFailed with the reasons when it is not within `timeout`."""
        from orchestrator.services.down import wait_until_down

        if not self.external:
            wait_until_down(self.name, self.manager, self.spec.ports, known, timeout)

    def foreign_listeners(self) -> list[str]:
        """Who else has its declared ports: of a running service any other process, of a stopped one anybody."""
        if self.external or not self.spec.ports:
            return []
        condition = self.manager.condition()
        holders = facts.listeners(self.spec.ports)
        if not holders or condition.activity is Activity.UNKNOWN:
            return []
        own = {process.pid for process in self.family()} if condition.up else set()
        if self.spec.manager == "systemd":
            own.add(1)  # sockets that systemd itself keeps open
        unseen = condition.up  # whether holders that this user may not see can be its own
        return [
            _describe(self.name, holder)
            for holder in holders
            if holder.pid not in own and not (unseen and holder.pid is None)
        ]

    # Marks --------------------------------------------------------------------------------------------

    def _mark_logs(self) -> None:
        """For `log` probes, also those of a later process."""
        from orchestrator.services.probes.log import mark_logs

        write_note(self._marks_path, dict(mark_logs(self.spec.ready).positions))

    def _marks(self) -> Marks:
        positions = read_note(self._marks_path)
        return Marks({path: (inode, size) for path, (inode, size) in positions.items()})


def _describe(name: str, holder: facts.Listener) -> str:
    from orchestrator.services.down import describe_holder

    return f"port {holder.port} of {name} is taken by another process: {describe_holder(holder)}"
