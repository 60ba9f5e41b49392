# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser without a window: pages opened in any size and in light or dark, measured, pictured, printed.

It is spoken to by the DevTools protocol through two pipes: JSON messages that end with a zero byte.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--disable-extensions", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 60.0


def find_chromium() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Page:
    """One page of the browser. `complaints`: what its console and its log have said."""

    browser: "Browser"
    session: str
    complaints: list[str] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> Any:
        return self.browser.call(method, self.session, **parameters)

    def show(self, file: Path, width: int, height: int = 800, *, dark: bool = False, media: str = "") -> None:
        """Open `file` in a window of this size, and wait until it is drawn."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.call("Page.navigate", url=file.absolute().as_uri())
        until = time.monotonic() + PATIENCE
        while self.value("document.readyState") != "complete" or file.name not in self.value("location.href"):
            assert time.monotonic() < until, f"{file} is not drawn"
            time.sleep(0.02)

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is worth there."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        content = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(content["data"]))

    def print(self, path: Path) -> None:
        """As PDF on A4."""
        paper = {"paperWidth": 8.27, "paperHeight": 11.69}
        done = self.call("Page.printToPDF", **paper, preferCSSPageSize=True, printBackground=False)
        path.write_bytes(base64.b64decode(done["data"]))


class Browser:
    """A running browser; `incoming` and `outgoing` are its pipes."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._rest = b""
        self._number = 0
        self._pages: dict[str, Page] = {}

    def call(self, method: str, session: str = "", **parameters: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": session} if session else {}
        os.write(self._outgoing, json.dumps(message).encode() + b"\0")
        while True:
            reply = self._next()
            if reply.get("id") == self._number:
                assert "error" not in reply, (method, reply["error"])
                return reply["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._incoming], [], [], PATIENCE)
            data = os.read(self._incoming, 1 << 20) if ready else b""
            assert data, "the browser says nothing any more"
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        page = self._pages.get(message.get("sessionId", ""))
        told = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
        if page and message.get("method") in told:
            page.complaints.append(json.dumps(message["params"]))
        return message

    def new_page(self) -> Page:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        return page


@contextlib.contextmanager
def running_browser(profile: Path) -> Iterator[Browser]:
    """A browser with a new profile, ended at the end."""
    program = find_chromium()
    assert program, "there is no Chromium"
    to_browser, outgoing = os.pipe()
    incoming, from_browser = os.pipe()
    # Its ends of the pipes are its descriptors 3 and 4; high numbers first, so that neither is in the other's way.
    high = [os.dup2(end, 200 + number) for number, end in enumerate((to_browser, from_browser))]
    command = [program, *_OPTIONS, f"--user-data-dir={profile}"]
    shell = ["bash", "-c", f'exec "$@" 3<&{high[0]} 4>&{high[1]}', "bash", *command]
    process = subprocess.Popen(
        shell,
        pass_fds=high,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    for end in (to_browser, from_browser, *high):
        os.close(end)
    try:
        browser = Browser(incoming, outgoing)
        yield browser
        with contextlib.suppress(OSError, AssertionError):
            browser.call("Browser.close")
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()
        os.close(incoming)
        os.close(outgoing)
