# SPDX-License-Identifier: GPL-3.0-or-later
"""Peak memory while a step prints very much: plain output into nothing, and the live view on a terminal.

The peak is VmHWM, the largest resident set, read every few milliseconds; the runner and its shim each for itself.
"""

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from measuring import orchestrator
from product import Product
from table import Row

TO_REACH = 100 * 1000 * 1000
_EVERY = 0.01
FLOOD = "#!/bin/sh\n#name: Flood\n#description: Prints very much.\nyes | head -c {size}\n"


def measure(product: Product, *, size: int) -> list[Row]:
    product.step("default/0100_flood", FLOOD.format(size=size))
    product.configure("state")
    amount = f"{size / (1 << 30):g} GB" if size >= 1 << 30 else f"{size >> 20} MB"
    plain = _peaks(product, os.open(os.devnull, os.O_WRONLY))
    with _terminal() as terminal:
        live = _peaks(product, terminal)
    rows = []
    for kind, (runner, shim, seconds) in {"plain to /dev/null": plain, "live view": live}.items():
        rows.append(
            Row(
                f"memory, peak: a step prints {amount}, {kind}",
                f"{_megabytes(runner)}; the shim {_megabytes(shim)}; in {seconds:.0f} s",
                to_reach=f"under {_megabytes(TO_REACH)}",
                reached=max(runner, shim) < TO_REACH,
            )
        )
    return rows


def _peaks(product: Product, output: int) -> tuple[int, int, float]:
    """Peak bytes of the runner and of its shim, and the seconds of the run. Closes `output`."""
    began = time.monotonic()
    with subprocess.Popen(
        orchestrator("upgrade", "-y"),
        env={**product.env, "TERM": "xterm-256color"},
        stdin=subprocess.DEVNULL,
        stdout=output,
    ) as process:
        os.close(output)
        runner = shim = 0
        while process.poll() is None:
            runner = max(runner, _peak(process.pid))
            shim = max([shim, *map(_peak, _shims(process.pid))])
            time.sleep(_EVERY)
    if process.returncode:
        raise RuntimeError(f"the upgrade ended with {process.returncode}")
    return runner, shim, time.monotonic() - began


def _peak(pid: int) -> int:
    """VmHWM in bytes; 0 when the process is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _shims(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return [child for child in children if b"shim.py" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return []


@contextlib.contextmanager
def _terminal() -> Iterator[int]:
    """A terminal of 120 columns and 40 lines whose other side reads and forgets."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def drain() -> None:
        with contextlib.suppress(OSError):  # EIO: the terminal is closed
            while os.read(master, 65536):
                pass

    reader = threading.Thread(target=drain, daemon=True)
    reader.start()
    try:
        yield slave
    finally:
        reader.join(5)
        os.close(master)


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.0f} MB"
