# SPDX-License-Identifier: GPL-3.0-or-later
"""The error budget: what a tree goes without when some of its files could not be brought in. Pure."""

from collections.abc import Mapping, Sequence

from orchestrator.content.fetching import Brought, Ending
from orchestrator.content.formats import Format
from orchestrator.content.model import Lost, Package
from orchestrator.content.planning import Plan
from orchestrator.content.resolving import Resolution
from orchestrator.content.source import Source
from orchestrator.errors import Problem, TransferFailed

_SHOWN = 20


def settle_losses(
    plan: Plan, brought: Mapping[str, Brought], format_: Format, resolution: Resolution, budget: int
) -> tuple[Sequence[Package], tuple[Lost, ...]]:
    """The packages that can be published, and what is lost: files that failed, and packages that need them.
    Those of other sources are told, and stay where they are.

    Raises TransferFailed when more than `budget` files failed, or when the upstream's metadata is kept as it
    is, which names them all.
    """
    failed = {path: each for path, each in brought.items() if each.ending is not Ending.DONE}
    if not failed:
        return plan.kept, ()
    source = plan.source
    if len(failed) > budget or not source.rebuilt:
        raise _too_many(plan, list(failed.values()), budget)
    gone = [package for package in plan.kept if package.file.path in failed]
    elsewhere = [p for name, kept in resolution.kept.items() if name != source.name for p in kept]
    broken = format_.broken_without(resolution.members, [*plan.kept, *elsewhere], gone)
    lost = [Lost(path, each.why, url=each.url) for path, each in failed.items()]
    lost += [
        Lost(_told(package, source), f"needs {unresolved.relation}, which is lost", package)
        for package, unresolved in broken.items()
    ]
    without = {*gone, *broken}
    return [package for package in plan.kept if package not in without], tuple(lost)


def _told(package: Package, source: Source) -> str:
    return str(package) if package.source == source.name else f"{package} of {package.source}"


def _too_many(plan: Plan, failed: Sequence[Brought], budget: int) -> TransferFailed:
    source = plan.source
    problems = [Problem(each.wanted.file.path, f"{each.ending}: {each.why}") for each in failed[:_SHOWN]]
    if len(failed) > _SHOWN:
        problems.append(Problem("", f"and {len(failed) - _SHOWN} more"))
    if len(failed) <= budget:
        why = "its metadata is the upstream's, which names them (mode: rebuilt could go without them)"
    else:
        why = f"ignore_error_count is {budget}"
    return TransferFailed(
        f"{source.name}: {len(failed)} of {len(plan.wanted)} files could not be brought in, and {why};"
        " the published mirror stays as it was",
        problems=problems,
        hint=f"what was brought in is kept: `orchestrator mirror clone {source.name}` goes on from there",
    )
