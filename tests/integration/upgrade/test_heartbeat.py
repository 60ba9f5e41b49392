# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines without a terminal while nothing happens, of a real run."""

import re
import sys

from tests.support.product import Product
from tests.support.stack import Stack

# The program, with a line for each half of a second of silence.
QUICK = """
from functools import partial
from orchestrator.cli import app, reporters
reporters.PlainReporter = partial(reporters.PlainReporter, heartbeat=0.5)
app.main()
"""


def lines(product: Product) -> list[str]:
    product.argv = lambda *words: [sys.executable, "-c", QUICK, *words]  # type: ignore[method-assign]
    out = product.run("upgrade", "-y").out
    return [line for line in out.splitlines() if line.startswith("  ...  ")]


def test_a_silent_step_and_a_service_that_is_waited_for_are_told_of(stack: Stack) -> None:
    stack.step("upgrade/0010_a.sh", "echo one; sleep 1.3; echo two", "#estimate: 7m")
    stack.config["services"]["web"] |= {"command": ["/bin/sleep", "100"], "ready_timeout": "1300ms"}
    stack.save()
    told = lines(stack)
    step = r"  \.\.\.    upgrade/0010_a.sh: \d\.\d s so far, silent for (0\.\d|1\.\d) s, usually 7 min"
    assert [line for line in told if re.fullmatch(step, line)]
    waited = r"  \.\.\.    waiting for web: .*127\.0\.0\.1:.*: \d\.\d s so far"
    assert [line for line in told if re.fullmatch(waited, line)]
