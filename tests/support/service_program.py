# SPDX-License-Identifier: GPL-3.0-or-later
"""A small service for tests, and its own start, stop and status commands, as an init script has them.

    service_program.py run    --port N [--stubborn] [--child] [--deaf-child] [--escape]
    service_program.py start  --pid-file F (the options of run)     daemonises, keeps its output open
    service_program.py stop   --pid-file F
    service_program.py status --pid-file F                          answers by the LSB

It listens on the port and says so on its output. `--stubborn` ignores SIGTERM; `--child` has a child
that ends with it, `--deaf-child` one that ignores SIGTERM and stays, `--escape` one that also leads a
session of its own with an empty environment. Standard library only: it runs under any Python, also inside throw-away hosts.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

_CHILD = "import sys; sys.stdin.read()"
_DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def main() -> int:
    options = _parse()
    if options.verb == "run":
        return run(options)
    if options.verb == "start":
        return start(options)
    return stop(options.pid_file) if options.verb == "stop" else status(options.pid_file)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=("run", "start", "stop", "status"))
    parser.add_argument("--port", type=int)
    parser.add_argument("--pid-file", type=Path)
    for flag in ("--stubborn", "--child", "--deaf-child", "--escape"):
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


def run(options: argparse.Namespace) -> int:
    if options.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.child:
        subprocess.Popen([sys.executable, "-c", _CHILD], stdin=subprocess.PIPE)
    if options.deaf_child:
        subprocess.Popen([sys.executable, "-c", _DEAF])
    if options.escape:
        subprocess.Popen([sys.executable, "-c", _DEAF], env={}, start_new_session=True)
    with socket.create_server(("127.0.0.1", options.port)) as server:
        print(f"pid {os.getpid()} listens on port {options.port}", flush=True)
        while True:
            connection, _ = server.accept()
            connection.close()


def start(options: argparse.Namespace) -> int:
    if _pid(options.pid_file):
        return 0
    print("starting", flush=True)
    # A child that outlives us and keeps our output: what daemons do that were written in haste.
    daemon = os.fork()
    if daemon == 0:
        os.setsid()
        options.pid_file.write_text(str(os.getpid()))
        sys.exit(run(options))
    while not _pid(options.pid_file):
        time.sleep(0.005)
    return 0


def stop(pid_file: Path) -> int:
    pid = _pid(pid_file)
    if pid:
        os.kill(pid, signal.SIGTERM)
        while _alive(pid):
            time.sleep(0.005)
    pid_file.unlink(missing_ok=True)
    return 0


def status(pid_file: Path) -> int:
    if not pid_file.exists():
        return 3
    return 0 if _pid(pid_file) else 1


def _pid(pid_file: Path) -> int:
    """The living process in the file, else 0."""
    try:
        pid = int(pid_file.read_text() or 0)
    except OSError:
        return 0
    return pid if pid and _alive(pid) else 0


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
