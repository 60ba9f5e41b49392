# SPDX-License-Identifier: GPL-3.0-or-later
"""What the system refuses is told with what helps."""

import errno
import os

import pytest

from orchestrator.errors import ExitCode
from orchestrator.host.refusals import is_refusal, refused_by_system


def of(number: int, *where: str) -> OSError:
    return OSError(number, os.strerror(number), *where)


@pytest.mark.parametrize(
    ("number", "code", "hint"),
    [
        (
            errno.ENOSPC,
            ExitCode.STEP_FAILED,
            "free space (bytes or inodes: df, df -i) on /srv/a; run it again",
        ),
        (errno.EDQUOT, ExitCode.STEP_FAILED, "free space on /srv/a, or have its quota raised; run it again"),
        (errno.EROFS, ExitCode.STEP_FAILED, "mount the file system of /srv/a for writing"),
        (errno.EIO, ExitCode.STEP_FAILED, "the disk below /srv/a fails"),
        (errno.EACCES, ExitCode.NOT_PERMITTED, "run it as root"),
        (errno.ENOENT, ExitCode.STEP_FAILED, ""),
    ],
)
def test_the_hint_names_the_place(number: int, code: ExitCode, hint: str) -> None:
    error = refused_by_system(of(number, "/srv/a"), "/elsewhere")
    assert error.message == f"/srv/a: {os.strerror(number)}"
    assert error.exit_code is code
    assert error.hint.startswith(hint)
    assert bool(error.hint) == bool(hint)


def test_where_the_system_does_not_say_it_the_caller_does() -> None:
    error = refused_by_system(of(errno.ENOSPC), "/srv", "half of it is kept")
    assert error.message == "/srv: No space left on device"
    assert error.hint.endswith("on /srv; half of it is kept; run it again")
    assert refused_by_system(of(errno.ENOSPC)).message.startswith("input or output: ")
    assert refused_by_system(OSError("odd")).message == "input or output: odd"


def test_what_may_be_a_mistake_of_the_program_is_no_refusal() -> None:
    assert all(map(is_refusal, map(of, (errno.ENOSPC, errno.EROFS, errno.EIO, errno.EACCES))))
    assert not any(map(is_refusal, map(of, (errno.ENOENT, errno.EBADF, errno.EINVAL, errno.EEXIST))))
