# SPDX-License-Identifier: GPL-3.0-or-later
"""A real terminal (tmux) that can be looked at, typed into and resized."""

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.support.requirements import require


@dataclass(frozen=True)
class Screen:
    """The only pane of a tmux server of its own; `argv` has run to its end when `ended()`."""

    socket: str

    def _tmux(self, *words: str) -> str:
        argv = ["tmux", "-S", self.socket, *words]
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=20).stdout

    def lines(self, *, unfolded: bool = False) -> list[str]:
        """All lines so far, also those that have scrolled away; `unfolded`: with those joined that the terminal
        itself had to fold."""
        options = ["-J"] if unfolded else []
        text = self._tmux("capture-pane", "-p", "-S", "-", *options)
        return [line.rstrip() for line in text.rstrip().splitlines()]

    def text(self) -> str:
        return "\n".join(self.lines())

    def expect(self, text: str, timeout: float = 20.0) -> None:
        deadline = time.monotonic() + timeout
        while text not in self.text():
            assert time.monotonic() < deadline, f"no {text!r} within {timeout:g} s on:\n{self.text()}"
            time.sleep(0.03)

    def ended(self) -> int:
        """Wait for the end; the exit status."""
        self.expect("(ended with ")
        return int(self.text().rpartition("(ended with ")[2].partition(")")[0])

    def type(self, *keys: str) -> None:
        """Keys as tmux names them, like `y` and `Enter`."""
        self._tmux("send-keys", *keys)

    def resize(self, columns: int, lines: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(lines))

    @property
    def cursor_is_visible(self) -> bool:
        return self._tmux("display-message", "-p", "#{cursor_flag}").strip() == "1"


@contextlib.contextmanager
def on_screen(
    argv: Sequence[str], environment: Mapping[str, str], *, columns: int = 80, lines: int = 50
) -> Iterator[Screen]:
    """`argv` in a new terminal of this size."""
    require(shutil.which("tmux") is not None, "this needs tmux")
    directory = tempfile.mkdtemp(prefix="tmux-")
    screen = Screen(os.path.join(directory, "socket"))
    command = f'{shlex.join(argv)}; echo "(ended with $?)"; exec sleep 100'
    size = ["-x", str(columns), "-y", str(lines)]
    start = ["tmux", "-S", screen.socket, "-f", "/dev/null", "new-session", "-d", *size, command]
    # A name for the shell, or tmux would take the user's, with all that this does at its start.
    # TERM is what tmux itself sets for the programs in it.
    clean = {name: value for name, value in environment.items() if name not in ("TMUX", "TMUX_PANE", "TERM")}
    try:
        subprocess.run(start, env={**clean, "SHELL": "/bin/sh", "LC_ALL": "C.UTF-8"}, check=True, timeout=20)
        yield screen
    finally:
        subprocess.run(
            ["tmux", "-S", screen.socket, "kill-server"], capture_output=True, check=False, timeout=20
        )
        shutil.rmtree(directory)
