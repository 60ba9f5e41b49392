# SPDX-License-Identifier: GPL-3.0-or-later
"""Why no upgrade can run here: what can be told without a host of one's own."""

import os
from pathlib import Path

import pytest

from orchestrator.host import circumstances
from orchestrator.host.circumstances import in_chroot, obstacles


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for a policy-rc.d on a host at work."""
    path = tmp_path / "policy-rc.d"
    monkeypatch.setattr(circumstances, "POLICY", path)
    for name in ("_elsewhere", "_offline"):
        monkeypatch.setattr(circumstances, name, lambda _: [])
    monkeypatch.setattr(circumstances, "_not_at_work", list)
    return path


def answer(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("code", [0, 1, 100, 102, 103, 104, 105])
def test_any_answer_of_policy_rc_d_but_no_is_none_of_an_obstacle(policy: Path, code: int) -> None:
    answer(policy, f"exit {code}")
    assert obstacles(["web.service"], policy=True) == ()


@pytest.mark.parametrize("code", [101, 106])
def test_services_that_policy_rc_d_forbids_are_named_once(policy: Path, code: int) -> None:
    answer(policy, f'case "$2" in web) exit {code} ;; esac; exit 0')
    found = obstacles(["web.service", "db.service", "web.service"], policy=True)
    assert found == (f"{policy} forbids to stop or start web",)


def test_policy_rc_d_is_asked_as_it_documents(policy: Path, tmp_path: Path) -> None:
    answer(policy, f'echo "$# $*" >>{tmp_path}/asked; exit 0')
    obstacles(["web.service", "db@15.service"], policy=True)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == [
        "3 --quiet web stop",
        "3 --quiet web start",
        "3 --quiet db@15 stop",
        "3 --quiet db@15 start",
    ]


def test_policy_rc_d_is_not_asked_for_rpm_nor_where_it_is_no_program(policy: Path) -> None:
    assert obstacles(["web.service"], policy=True) == ()
    answer(policy, "exit 101")
    assert obstacles(["web.service"], policy=False) == ()
    policy.chmod(0o644)
    assert obstacles(["web.service"], policy=True) == ()


def test_a_root_other_than_that_of_init_is_a_chroot(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "self").touch()
    assert not in_chroot(tmp_path), "nobody can say"
    (tmp_path / "1" / "root").symlink_to("/")
    assert not in_chroot(tmp_path)
    (tmp_path / "1" / "root").unlink()
    (tmp_path / "1" / "root").symlink_to(tmp_path)
    assert in_chroot(tmp_path)


def test_without_proc_it_is_a_chroot(tmp_path: Path) -> None:
    assert in_chroot(tmp_path)
    assert not in_chroot(), "these tests run in none"


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"DPKG_ROOT": "/target"}, "packages are installed into /target (DPKG_ROOT)"),
        ({"SYSTEMD_OFFLINE": "1"}, "$SYSTEMD_OFFLINE says that this host does not run"),
        ({"SYSTEMD_OFFLINE": "true"}, "$SYSTEMD_OFFLINE says that this host does not run"),
    ],
)
def test_the_environment_tells_of_installations_elsewhere(environ: dict[str, str], told: str) -> None:
    assert told in obstacles([], policy=False, environ=environ)


def test_an_environment_that_says_nothing_is_no_obstacle() -> None:
    environ = {"DPKG_ROOT": "", "SYSTEMD_OFFLINE": "0"}
    systemd = [] if os.path.isdir("/run/systemd/system") else ["systemd does not run here"]
    assert list(obstacles([], policy=False, environ=environ)) == systemd
