# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of the host that refuse an upgrade before anything is stopped. All of them at once."""

import errno
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config.model import Config
from orchestrator.config.quantities import show_size
from orchestrator.errors import NotPermitted, Problem, StateUnwritable
from orchestrator.host import facts, files, package_locks
from orchestrator.services.service import Readiness
from orchestrator.upgrade.actions import Foreseeing
from orchestrator.upgrade.history import FILE_NAME
from orchestrator.upgrade.plan import Plan
from orchestrator.upgrade.runs import prepare_state_directory
from orchestrator.upgrade.versions import compare_versions

if TYPE_CHECKING:
    from orchestrator.services.controlled import ControlledService


def refusals(plan: Plan, config: Config, services: "Mapping[str, ControlledService]") -> list[Problem]:
    """Why this host must not be upgraded now; empty when it may."""
    return [
        *newer_data(plan),
        *disk_needs(plan),
        *unwritable(config),
        *needs_of_actions(plan, config),
        *inside_a_transaction(plan),
        *foreign_listeners(services),
        *(unready_externals(services) if plan.due else ()),
    ]


def newer_data(plan: Plan) -> Iterable[Problem]:
    """Data that a newer version has upgraded must not be touched by this one."""
    if plan.from_version and plan.to_version and compare_versions(plan.from_version, plan.to_version) > 0:
        yield Problem(
            "version",
            f"the data was last upgraded by {plan.from_version}, this is {plan.to_version}",
            "install the newer version again, or restore a backup made with this one",
        )


def disk_needs(plan: Plan) -> Iterable[Problem]:
    checks = plan.checks if plan.due else ()
    for step in (*checks, *(planned.step for planned in plan.due)):
        for need in step.header.min_disk:
            free = facts.free_bytes(Path(need.path))
            if free < need.size:
                yield Problem(
                    step.id,
                    f"needs {show_size(need.size)} free at {need.path}, there are {show_size(free)}",
                )


def unwritable(config: Config) -> Iterable[Problem]:
    """What cannot be recorded must not be begun. The file system decides, not the mode bits (root ignores those)."""
    history = config.state_dir / FILE_NAME
    if history.exists():
        try:
            os.close(os.open(history, os.O_WRONLY | os.O_APPEND))
        except OSError as error:
            yield Problem(str(history), f"cannot be written: {error.strerror}")


def inside_a_transaction(plan: Plan) -> Iterable[Problem]:
    """A step that installs packages cannot, in the middle of the transaction that this upgrade is a part of."""
    steps = [planned.step.id for planned in plan.due if planned.step.header.package_manager]
    if not steps or not (found := package_locks.holders()):
        return
    ancestors = facts.ancestors()
    for holder in found:
        if holder.pid in ancestors:
            yield Problem(
                ", ".join(steps),
                f"installs packages, and this upgrade runs inside a transaction: {holder}",
                "scripts of packages call `orchestrator hook`, which leaves it for later",
            )
            return


def needs_of_actions(plan: Plan, config: Config) -> Iterable[Problem]:
    """What the actions of due steps need, and can be seen to lack now."""
    checks = plan.checks if plan.due else ()
    for step in (*checks, *(planned.step for planned in plan.due)):
        for action in step.actions:
            if isinstance(action, Foreseeing):
                for problem in action.refusals(config.environment):
                    yield Problem(f"{step.id}: {problem.where}", problem.what, problem.hint)


def foreign_listeners(services: "Mapping[str, ControlledService]") -> Iterable[Problem]:
    for name, service in services.items():
        for sentence in service.foreign_listeners():
            yield Problem(f"service {name}", sentence, "stop that process, or correct `ports:`")


def unready_externals(services: "Mapping[str, ControlledService]") -> Iterable[Problem]:
    """A service that runs elsewhere is not ours to start: better to see now than with everything stopped."""
    for name, service in services.items():
        if service.external:
            verdict = service.readiness()
            if verdict.readiness is not Readiness.READY:
                yield Problem(f"service {name}", f"external, and not ready: {verdict.reason}")


def make_state_directory(config: Config) -> None:
    """Raises NotPermitted when this user cannot keep state, StateUnwritable when nobody can, Refused for the
    state of a newer version."""
    try:
        prepare_state_directory(config.state_dir)
        files.make_directory(config.log_dir)
    except OSError as error:
        message = (
            f"the state directory cannot be used: {error.filename or config.state_dir}: {error.strerror}"
        )
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            hint = "run it as root, or set state_dir and log_dir in the configuration"
            raise NotPermitted(message, hint=hint) from None
        raise StateUnwritable(message, hint="nothing was touched") from None
    if not os.access(config.state_dir, os.W_OK):
        if os.statvfs(config.state_dir).f_flag & os.ST_RDONLY:
            raise StateUnwritable(f"{config.state_dir}: Read-only file system", hint="nothing was touched")
        raise NotPermitted(f"{config.state_dir} is not writable for this user", hint="run it as root")
