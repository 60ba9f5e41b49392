# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting processes.

`run` is for external commands whose output is read (through sh). `spawn_daemon` starts a service that outlives us,
`Background` this program once more. Steps are started under the shim, by `shimmed`, and by no other module.
"""

import contextlib
import grp
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from orchestrator.host.facts import ProcessId, boot_id, identify
from orchestrator.host.files import write_all

# What commands and steps get instead of the caller's environment: no locale, no TERM, no surprises.
STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
COMMAND_NOT_FOUND = 127
TIMED_OUT = 124


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """PATH, C.UTF-8, HOME, the proxies and time zone of the caller, no bytecode, and `extra`."""
    kept = ("HOME", "TZ", "http_proxy", "https_proxy", "no_proxy")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {
        "PATH": STANDARD_PATH,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return environment | dict(extra or {})


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended. 127: it could not be started; 124: it was killed after `timeout`."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    def last_words(self) -> str:
        """The last line it wrote, for a message; its exit status when it wrote none."""
        lines = [line.strip() for line in (self.stdout + "\n" + self.stderr).splitlines() if line.strip()]
        return lines[-1][:300] if lines else f"exit status {self.exit_code}"


def run(
    argv: Sequence[str],
    *,
    timeout: float = 30.0,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    stdin: bytes = b"",
) -> Completed:
    """Run a command to its end and read its output. Never raises for what the command does.

    `stdin` is what it finds on its input; it need not read it.

    The end is that of the command itself: daemons it leaves behind are not waited for, though they keep
    its output open. With `log` the output is appended to that file instead of read: the way to run what
    starts a daemon, which may write to it as long as it lives. Raises OSError when `log` cannot be opened.
    """
    import sh

    program = find_program(argv[0])
    if program is None:
        return Completed(tuple(argv), COMMAND_NOT_FOUND, "", f"{argv[0]}: command not found")
    # Files, not pipes: a pipe ends with the last process that holds it, and kills a writer when we go.
    with contextlib.ExitStack() as stack:
        given: IO[bytes] = stack.enter_context(open(os.devnull, "rb"))
        if stdin:
            given = stack.enter_context(memory_file())
            write_all(given.fileno(), stdin)
            given.seek(0)
        out = stack.enter_context(log.open("ab", buffering=0) if log else memory_file())
        err = out if log else stack.enter_context(memory_file())
        try:
            command = sh.Command(program)(
                *argv[1:],
                _env=clean_environment(env),
                _cwd="/",
                _in=given,
                _out=out,
                _err=err,
                _tty_out=False,
                _new_session=True,
                _bg=True,
                _bg_exc=False,
                _ok_code=list(range(256)),
                _return_cmd=True,
                _preexec_fn=_heed_signals,
            )
        except OSError as error:  # not executable, bad interpreter
            return Completed(tuple(argv), COMMAND_NOT_FOUND, "", f"{argv[0]}: {error.strerror}")
        except sh.ForkException as error:
            return Completed(tuple(argv), COMMAND_NOT_FOUND, "", f"{argv[0]}: {_fork_error(error)}")
        # sh's own _timeout polls every 100 ms; a timer costs nothing.
        expired = threading.Event()
        timer = threading.Timer(timeout, _expire, (command.process.pid, expired))
        timer.daemon = True
        timer.start()
        try:
            with contextlib.suppress(sh.SignalException):
                command.wait()
        finally:
            timer.cancel()
        code = int(command.exit_code)
        stdout, stderr = ("", "") if log else (text_of(out), text_of(err))
    if expired.is_set():
        return Completed(tuple(argv), TIMED_OUT, stdout, f"{stderr}no end within {timeout:g} s")
    return Completed(tuple(argv), code, stdout, stderr)


def _heed_signals() -> None:
    """sh ignores SIGHUP in what it starts, and Python SIGXFSZ: what a daemon inherits so it, if it is a shell
    script, could not even trap."""
    for number in (signal.SIGHUP, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)


def memory_file() -> IO[bytes]:
    """For a command to write to: neither a pipe that could be full, nor a file that somebody has to remove."""
    return open(os.memfd_create("output"), "w+b", buffering=0)


def _fork_error(error: Exception) -> str:
    """The reason in the traceback text that sh hands up from its child."""
    last = str(error).strip().splitlines()[-1]
    return last.partition("] ")[2].partition(": ")[0] or last.strip()


def text_of(stream: IO[bytes]) -> str:
    """What was written to `stream` so far."""
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")


def _expire(pid: int, expired: threading.Event) -> None:
    expired.set()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def run_in_place(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> int:
    """Run a command with our own output, no input; its exit status (127: it could not be started)."""
    sys.stdout.flush()
    try:
        return subprocess.run(
            list(argv), env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, check=False
        ).returncode
    except OSError as error:
        sys.stdout.write(f"{argv[0]}: {error.strerror}\n")
        return COMMAND_NOT_FOUND


@contextlib.contextmanager
def beside(argv: Sequence[str]) -> Iterator[None]:
    """A command that runs while this is entered: its input is a pipe of ours, so that one that reads it ends with us,
    however we end. Nothing is said where it cannot be started."""
    program = find_program(argv[0])
    with contextlib.ExitStack() as stack:
        if program is not None:
            with contextlib.suppress(OSError):
                running = subprocess.Popen(
                    [program, *argv[1:]],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env=clean_environment(),
                    start_new_session=True,
                )
                stack.callback(_end, running)
        yield


def _end(running: "subprocess.Popen[bytes]") -> None:
    assert running.stdin is not None
    with contextlib.suppress(OSError):
        running.stdin.close()
    running.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.wait(2)


def own_command() -> list[str]:
    """The words that start this program again, in whatever directory, without its own arguments."""
    words = sys.orig_argv[: len(sys.orig_argv) - len(sys.argv[1:])]
    if words[-1] == sys.argv[0]:
        words[-1] = os.path.abspath(words[-1])
    return [sys.executable, *words[1:]]


def own_environment() -> dict[str, str]:
    """What this program needs in its environment when it is started again: what commands get, and who asked."""
    own = {name: os.environ[name] for name in ("SUDO_USER", "PYTHONPATH") if name in os.environ}
    if "-m" in sys.orig_argv[1:3]:  # found by the working directory, perhaps
        own["PYTHONPATH"] = os.pathsep.join(filter(None, [_CODE, own.get("PYTHONPATH")]))
    return clean_environment(own)


_CODE = str(Path(__file__).resolve().parents[2])
# A log that others must not read; then the umask that services and systemd give to programs.
_WITH_LOG = 'log=$0; umask 077; exec >>"$log" 2>&1; umask 022; exec "$@"'


class Background:
    """A command that goes on without us, its output in `log`, which is begun anew.

    `launcher`: words that start it as their own child, or have somebody start it, and end with its status when it ends;
    they are let go of at the end of this context, the command is not.
    """

    def __init__(self, launcher: Sequence[str], argv: Sequence[str], log: Path) -> None:
        """Raises OSError."""
        log.unlink(missing_ok=True)
        self._log = log
        self._words = memory_file()
        self._launched = bool(launcher)
        self._process = subprocess.Popen(
            [*launcher, "/bin/sh", "-c", _WITH_LOG, str(log), *argv],
            stdin=subprocess.DEVNULL,
            stdout=self._words,
            stderr=self._words,
            cwd="/",
            env=own_environment(),
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Of the launcher, else of the command."""
        return self._process.pid

    @property
    def started(self) -> bool:
        """Whether the command was: its launcher may have failed."""
        return self._log.exists()

    def poll(self) -> int | None:
        """Its exit status, once it has ended; that of one that was killed is 128 and the signal."""
        code = self._process.poll()
        return code if code is None or code >= 0 else 128 - code

    def words(self) -> str:
        """What it has said."""
        try:
            return self._log.read_text(errors="replace")
        except OSError:
            return text_of(self._words)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._launched and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        self._words.close()


def find_program(name: str, path: str = STANDARD_PATH) -> str | None:
    """The executable file that `name` means, or None."""
    return shutil.which(name, path=path)


def demotion(user: str | None, group: str | None) -> dict[str, Any]:
    """What Popen needs to become `user`; empty when we already are, or need not be.

    Raises LookupError when there is no such user or group.
    """
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    gid = grp.getgrnam(group).gr_gid if group else entry.pw_gid
    if os.geteuid() == entry.pw_uid:
        return {}
    return {"user": entry.pw_uid, "group": gid, "extra_groups": os.getgrouplist(user, gid)}


def spawn_daemon(
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path,
    user: str | None = None,
    group: str | None = None,
) -> ProcessId:
    """Start a long-running process in a session of its own, output appended to `log`.

    Raises OSError when it cannot be started, LookupError for an unknown user.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    try:
        daemon = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=dict(env),
            cwd=cwd,
            umask=0o022,
            start_new_session=True,
            **demotion(user, group),
        )
    finally:
        os.close(descriptor)
    identity = identify(daemon.pid)
    # It is ours to reap until we go: a thread does, so that its end is seen as an end, not as a zombie.
    threading.Thread(target=daemon.wait, daemon=True, name=f"reap-{daemon.pid}").start()
    return identity or ProcessId(daemon.pid, 0, boot_id())


def signal_group(process: ProcessId, number: signal.Signals) -> None:
    """Signal the process group that `process` leads, if it still is that process."""
    current = identify(process.pid)
    if current is not None and current.started == process.started:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)


def signal_process(process: ProcessId, number: signal.Signals) -> None:
    """Signal this one process, if it still is that process."""
    current = identify(process.pid)
    if current is not None and current.started == process.started:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, number)
