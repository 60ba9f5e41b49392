# SPDX-License-Identifier: GPL-3.0-or-later
"""`restart: NAME` or `restart: [NAME, ...]`: stop, verify down, start, wait until ready."""

from dataclasses import dataclass
from typing import Any

from orchestrator.services.order import prerequisites, reversed_prerequisites
from orchestrator.upgrade.actions import Action, ActionContext, names_of


@dataclass(frozen=True, slots=True)
class Restart:
    restarts: tuple[str, ...]

    @property
    def needs(self) -> tuple[str, ...]:
        return self.restarts

    @property
    def summary(self) -> str:
        return "restart: " + ", ".join(self.restarts)

    def perform(self, context: ActionContext) -> None:
        from orchestrator.services.parallel import run_in_order

        services = {name: context.services[name] for name in self.restarts}
        order = prerequisites(
            services, {name: service.spec.after for name, service in context.services.items()}
        )

        def stop(name: str) -> None:
            context.say(f"stopping {name}")
            known = services[name].stop()
            services[name].verify_down(known, services[name].spec.stop_timeout)

        def start(name: str) -> None:
            context.say(f"starting {name}")
            services[name].start()
            seconds = services[name].wait_ready(lambda: False, lambda _: None)
            context.say(f"{name} is ready after {seconds:.1f} s")

        run_in_order(reversed_prerequisites(order), stop)
        run_in_order(order, start)


def parse(value: Any) -> Action:
    return Restart(names_of(value))
