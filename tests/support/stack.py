# SPDX-License-Identifier: GPL-3.0-or-later
"""A product with two services, a backend and an application, and everything ended that it ever started."""

import contextlib
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from tests.support.product import Product, process_service
from tests.support.servers import accepts, free_port, wait_until

# Every process of a product has it in its environment: its value is the product's directory.
MARK = "TEST_PRODUCT"


class Stack(Product):
    """`db` (backend) and `web` (application, after `db`), both of the `process` manager, both down at first."""

    @property
    def db(self) -> int:
        return self._port("db")

    @property
    def web(self) -> int:
        return self._port("web")

    def _port(self, name: str) -> int:
        port: int = self.config["services"][name]["ports"][0]
        return port

    def up(self) -> dict[str, bool]:
        """Which services accept connections."""
        return {name: accepts(self._port(name)) for name in self.config["services"]}

    def start_services(self) -> None:
        self.run("services", "start").expect(0)

    def watch(self, number: str) -> str:
        """Shell for a step that leaves in `seen` which services it saw up: `3010 db`."""
        looks = [
            f'(echo >/dev/tcp/127.0.0.1/{self._port(name)}) 2>/dev/null && seen="$seen {name}"'
            for name in self.config["services"]
        ]
        return "\n".join(["seen=", *looks, f'echo "{number}$seen" >>{self.directory}/seen'])

    def watching_step(self, path: str, header: str = "") -> Path:
        return self.step(path, self.watch(Path(path).name[:4]), header, shell="/bin/bash")

    def seen(self) -> list[str]:
        return (self.directory / "seen").read_text().splitlines()


def service(tier: str, directory: Path, **more: Any) -> dict[str, Any]:
    return process_service(tier, free_port(), env={MARK: str(directory)}, **more)


@contextlib.contextmanager
def temporary_product(directory: Path, config: Mapping[str, Any] | None = None) -> Iterator[Product]:
    """A product without services; what its steps leave running is killed at the end."""
    product = Product(directory, {**(config or {}), "environment": {MARK: str(directory)}})
    try:
        yield product
    finally:
        end_processes(directory)


@contextlib.contextmanager
def temporary_stack(directory: Path, config: Mapping[str, Any] | None = None) -> Iterator[Stack]:
    services = {"db": service("backend", directory), "web": service("application", directory, after=["db"])}
    stack = Stack(directory, {"services": services, **(config or {}), "environment": {MARK: str(directory)}})
    try:
        yield stack
    finally:
        end_processes(directory)


def end_processes(directory: Path) -> None:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == str(directory):
                process.kill()


def python_step(product: Product, path: str, text: str, header: str = "") -> Path:
    """A step in Python at `path`; `text` may be indented."""
    file = product.step(path, header=header, shell="/usr/bin/env -S python3 -S")
    head = [line for line in file.read_text().splitlines() if line.startswith("#")]
    file.write_text("\n".join([*head, textwrap.dedent(text)]))
    return file


def wait_for(happened: Callable[[], bool], what: str, timeout: float = 20.0) -> None:
    """Block until `happened()`, which may look at files that are not there or not whole yet."""

    def look() -> bool:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return happened()
        return False

    wait_until(look, what, timeout=timeout)


def wait_for_step(product: Product, number: str) -> None:
    """Block until the step has begun."""
    wait_for(lambda: number in product.ran(), f"step {number} has begun")


def seconds_of(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def tree(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file below: mode, time of change in ns, and content. Two equal trees: nothing was touched."""
    found = {}
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(directory))] = (status.st_mode, status.st_mtime_ns, content)
    return found
