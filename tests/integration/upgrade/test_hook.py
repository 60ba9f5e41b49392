# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator hook` where no systemd runs, and what packages' scripts ask before and beside it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.product import ROOT, Product
from tests.support.requirements import require


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return Product(tmp_path)


def request(product: Product) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((product.state / "request.json").read_text())
    return found


# A package's script ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["deb"], ["rpm"], ["boot"], ["deb", "--before", "1.0"]], ids=" ".join)
def test_without_a_configuration_there_is_nothing_to_do(product: Product, words: list[str]) -> None:
    product.file.unlink()
    outcome = product.run("hook", *words).expect(0)
    assert outcome.out == f"orchestrator: not configured: there is no {product.file}\n"
    assert outcome.err == ""


def test_with_nothing_due_nothing_is_done_nor_left(product: Product) -> None:
    product.config["product"] = {"name": "Toy"}
    product.save()
    product.step("default/0100_always.sh")
    for words in (["deb"], ["rpm"], ["boot"]):
        assert product.run("hook", *words).expect(0).out == "orchestrator: nothing to do\n"
    assert not product.state.exists()


def test_what_is_broken_is_told_at_once_and_leaves_the_package_unconfigured(product: Product) -> None:
    product.step("upgrade/0100_a.sh", header="#riskk: none")
    product.step("upgrade/0200_b.sh").chmod(0o644)
    outcome = product.run("hook", "deb").expect(1)
    assert "riskk" in outcome.err
    assert "is not executable" in outcome.err
    assert outcome.err.endswith("the package stays unconfigured; to go on: dpkg --configure -a\n")
    assert "dpkg" not in product.run("hook", "rpm").expect(1).err


def test_where_no_upgrade_can_run_a_request_is_left_and_said(product: Product) -> None:
    product.step("upgrade/0100_a.sh")
    environment = {"DPKG_MAINTSCRIPT_PACKAGE": "bookshelf", "DPKG_ROOT": "/target"}

    outcome = product.run("hook", "deb", "/usr/share/x orchestrator-upgrade", env=environment).expect(0)

    asked = request(product)
    assert asked["by"] == "deb bookshelf (/usr/share/x orchestrator-upgrade)"
    assert asked["at_boot"] is True
    assert "packages are installed into /target (DPKG_ROOT)" in asked["reason"]
    assert outcome.out.splitlines() == [
        "orchestrator: an upgrade of Toy is pending: version unknown to 2.0; 1 step is due (upgrade/0100_a.sh)",
        f"orchestrator: it is not run now: {asked['reason']}",
        f"orchestrator: run: orchestrator upgrade --config {product.file}",
    ]
    assert product.ran() == []
    product.run("pending", "-q").expect(1)


def test_what_needs_consent_is_told_with_the_command_that_gives_it(product: Product) -> None:
    product.step("upgrade/0100_a.sh", header="#risk: drops the old index")
    product.step("upgrade/0200_b.sh", header="#risk: takes hours")
    outcome = product.run("hook", "deb", env={"SYSTEMD_OFFLINE": "1"}).expect(0)
    assert "asks: upgrade/0100_a.sh drops the old index (answer with --accept 0100)" in outcome.out
    command = f"orchestrator upgrade --config {product.file} -y --accept 0100 --accept 0200\n"
    assert outcome.out.endswith(command)
    assert request(product)["at_boot"] is False
    product.run(*command.split()[1:]).expect(0)
    assert product.run("hook", "deb").expect(0).out == "orchestrator: nothing to do\n"


def test_a_new_version_alone_is_work_for_the_steps_that_always_run(product: Product) -> None:
    product.step("default/0100_always.sh")
    product.run("upgrade", "-y").expect(0)
    assert "nothing to do" in product.run("hook", "rpm").expect(0).out
    product.config["product"]["version"] = "2.1"
    product.save()
    assert "version 2.0 to 2.1" in product.run("hook", "rpm", env={"SYSTEMD_OFFLINE": "1"}).expect(0).out
    product.run("pending").expect(1)


# Before a package is unpacked -----------------------------------------------------------------------------


def test_a_version_older_than_the_data_is_refused_before_it_is_unpacked(product: Product) -> None:
    product.run("hook", "deb", "--before", "1.9").expect(0)
    product.run("history", "baseline").expect(0)
    product.step("upgrade/0100_broken.sh").chmod(0o644)  # the new package may bring a better one
    for version in ("2.0", "2.0-1", "1:0.1"):
        product.run("hook", "rpm", "--before", version).expect(0)
    told = product.run("hook", "deb", "--before", "1.9-3").expect(1).err
    assert "the data of Toy was last upgraded by 2.0, this is 1.9-3" in told


def test_a_package_is_not_unpacked_under_the_feet_of_a_run_but_by_its_steps(product: Product) -> None:
    ours = " ".join(
        [f"ORCHESTRATOR_CONFIG={product.file}", f"PYTHONPATH={ROOT}", *product.argv("hook", "deb")]
    )
    product.step(
        "upgrade/0100_installs.sh",
        f"{ours} --before 2.1 && {ours} && echo inside >>{product.trace}; read x <{product.directory}/go",
    )
    os.mkfifo(product.directory / "go")
    run = product.start("upgrade", "-y")
    while "inside" not in product.ran():
        assert run.poll() is None, run.communicate()

    outcome = product.run("hook", "deb", "--before", "2.1").expect(1)
    beside = product.run("hook", "deb").expect(0)
    (product.directory / "go").write_text("on\n")

    assert "is under way; its steps need the product as it is" in outcome.err
    assert "is under way and does what is due" in beside.out
    assert not (product.state / "request.json").exists()
    assert run.wait(20) == 0
    run.communicate()


# A product's first installation ---------------------------------------------------------------------------


def test_a_baseline_of_ones_own_steps_leaves_those_of_others(product: Product) -> None:
    for name in ("upgrade/0100_books-a.sh", "upgrade/0200_books-b.sh", "upgrade/0300_other.sh"):
        product.step(name)
    baseline = ["history", "baseline", "--only"]
    assert product.run(*baseline, "*_nothing-*").expect(0).out.startswith("0 steps recorded")
    assert product.run(*baseline, "*_books-*", "--only", "0200").expect(0).out.startswith("2 steps recorded")
    assert product.run(*baseline, "upgrade/*").expect(0).out.startswith("1 step recorded")
    assert set(product.history().values()) == {"baseline"}


def test_after_a_first_installation_the_data_is_of_its_version_and_nothing_is_asked_for(
    product: Product,
) -> None:
    product.step("upgrade/0100_a.sh")
    product.step("default/0200_always.sh")
    product.run("hook", "deb", env={"SYSTEMD_OFFLINE": "1"}).expect(0)

    product.run("history", "baseline").expect(0)

    product.run("pending").expect(0)
    assert product.run("hook", "deb").expect(0).out == "orchestrator: nothing to do\n"
    product.run("hook", "deb", "--before", "1.0").expect(1)


def test_a_baseline_leaves_the_version_of_older_data_alone(product: Product) -> None:
    product.step("upgrade/0100_a.sh")
    product.run("upgrade", "-y").expect(0)
    product.config["product"]["version"] = "3.0"
    product.save()
    product.step("upgrade/0200_b.sh")
    product.run("history", "baseline").expect(0)
    assert "2.0 -> 3.0" in product.run("plan").expect(0).out


def test_a_package_that_a_step_installs_may_record_its_own_steps(product: Product) -> None:
    ours = f"ORCHESTRATOR_CONFIG={product.file} PYTHONPATH={ROOT} {sys.executable} -m orchestrator"
    new = product.step("upgrade/0900_new.sh")
    hidden = product.directory / "0900_new.sh"
    new.rename(hidden)
    product.step(
        "upgrade/0100_installs.sh", f"cp {hidden} {new} && {ours} history baseline --only '*_new.sh'"
    )
    product.run("upgrade", "-y").expect(0)
    assert product.history() == {"0100_installs.sh": "done", "0900_new.sh": "baseline"}


# Steps that install packages ------------------------------------------------------------------------------


def test_a_step_that_installs_packages_is_refused_inside_a_transaction(product: Product) -> None:
    require(os.geteuid() == 0, "a private /var/lib/dpkg")
    product.step("upgrade/0100_packages.sh", header="#package-manager: yes")
    inside = f"""
import fcntl, subprocess, sys
lock = open("/var/lib/dpkg/lock", "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
sys.exit(subprocess.run({product.argv("upgrade", "-y")!r}).returncode)
"""
    private = f'mount -t tmpfs tmpfs /var/lib/dpkg && exec "{sys.executable}" -c "$0"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", private, inside],
        env=product.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert (
        "upgrade/0100_packages.sh: installs packages, and this upgrade runs inside a transaction"
        in done.stderr
    )
    assert product.ran() == []
