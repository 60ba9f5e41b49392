# SPDX-License-Identifier: GPL-3.0-or-later
"""How soon an answer is there: `pending` against a bare typer program, and the plan of very many steps.

The bare program has two commands that do nothing, and nothing but typer's defaults. It is started the same way
(`-m`), by the same interpreter, with the same environment. What typer imports by itself (rich is not among it,
pydantic is, in the versions that need it) is in its time as it is in ours.
"""

import os
import subprocess
import sys
from textwrap import dedent

from measuring import Patience, Sample, in_turns, orchestrator, ratio, timed, wall
from product import SERVICES, Product
from table import Row

PENDING_TO_REACH = 1.4
PLAN_TO_REACH = 0.5
BARE = """
    import typer

    app = typer.Typer()


    @app.command()
    def one() -> None:
        pass


    @app.command()
    def two() -> None:
        pass


    if __name__ == "__main__":
        app()
"""


def pending(product: Product, *, times: int, patience: Patience) -> list[Row]:
    """Nothing pending: three services, thirty steps that ran in an earlier run."""
    product.trivial_steps(range(300, 9300, 300))
    product.configure("state")
    timed(orchestrator("upgrade", "-y"), product.env)
    product.configure("state", SERVICES)
    (product.home / "bare_typer.py").write_text(dedent(BARE))
    commands = {
        "ours": orchestrator("pending", "--quiet"),
        "bare": [sys.executable, "-m", "bare_typer", "one"],
        "python": [sys.executable, "-c", "pass"],
    }

    def runner(name: str) -> Sample:
        return timed(commands[name], product.env)

    for name in commands:
        runner(name)  # to make the bytecode
    samples = in_turns({name: lambda name=name: runner(name) for name in commands}, times, patience)  # type: ignore[misc]
    result = ratio(samples["ours"], samples["bare"])
    imports = ", which imports pydantic" if _imports_pydantic(product) else ""
    return [
        Row(
            "pending: `pending --quiet`, nothing pending; a bare two-command typer program",
            _milliseconds(wall(samples["ours"])),
            f"{_milliseconds(wall(samples['bare']))}{imports}; python alone {_milliseconds(wall(samples['python']))}",
            f"{result:.2f}x",
            f"{PENDING_TO_REACH}x",
            result <= PENDING_TO_REACH,
        )
    ]


def _imports_pydantic(product: Product) -> bool:
    """Whether the bare program, run to its end, has imported pydantic."""
    code = (
        "import sys, bare_typer\n"
        "sys.argv = ['bare', 'one']\n"
        "try:\n    bare_typer.app()\n"
        "except SystemExit:\n    sys.exit('pydantic' in sys.modules)"
    )
    return subprocess.run([sys.executable, "-c", code], env=product.env, check=False).returncode == 1


def plan(product: Product, *, count: int, times: int, patience: Patience) -> list[Row]:
    """The whole command, its output to a pipe."""
    product.trivial_steps(range(1, count + 1))
    product.configure("state")

    def run() -> Sample:
        reader, writer = os.pipe()
        try:
            with subprocess.Popen(["cat"], stdin=reader, stdout=subprocess.DEVNULL):
                try:
                    return timed(orchestrator("plan"), product.env, output=writer)
                finally:
                    os.close(writer)
        finally:
            os.close(reader)

    run()
    took = wall(in_turns({"ours": run}, times, patience)["ours"])
    return [
        Row(
            f"plan: {count} scripts, all due, output to a pipe",
            f"{took:.2f} s",
            to_reach=f"under {PLAN_TO_REACH} s",
            reached=took < PLAN_TO_REACH,
        )
    ]


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
