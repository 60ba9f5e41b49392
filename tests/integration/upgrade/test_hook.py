# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator hook` where no systemd runs, and what packages' scripts ask before and beside it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.options import Output, read_setting
from orchestrator.cli.reporters import watching
from orchestrator.cli.status import assemble
from orchestrator.errors import Invalid, Refused, StepFailed
from orchestrator.host import circumstances
from orchestrator.upgrade import lock, units
from orchestrator.upgrade.begin import Dialogue
from orchestrator.upgrade.boot_hook import run_boot_hook
from orchestrator.upgrade.package_hook import Hook, run_hook
from orchestrator.upgrade.requests import Request, record_request
from orchestrator.upgrade.standing import read_standing
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


# Where it could be run ------------------------------------------------------------------------------------


@pytest.fixture
def told(product: Product, monkeypatch: pytest.MonkeyPatch) -> Path:
    """On a host at work, as far as the hook can see. The moments that were told of, with their reasons."""
    monkeypatch.setattr(circumstances, "obstacles", lambda *_, **__: ())
    told = product.directory / "told"
    product.config["notify"] = [
        {"at": ["pending", "failure", "end"], "command": ["sh", "-c", f"cat >>{told}"]},
    ]
    product.save()
    return told


def hook_deb(product: Product) -> int:
    setting = read_setting(product.file)
    hook = Hook(setting, "deb", "deb toy", print)
    with watching(Output.PLAIN, verbose=False, continue_command="upgrade") as view:
        return run_hook(hook, view, Dialogue(lambda _: None, ask=None))


def reasons(told: Path) -> list[str]:
    return [json.loads(line)["request"]["reason"] for line in told.read_text().splitlines()]


def test_a_refusal_before_the_run_is_left_for_people_and_told(product: Product, told: Path) -> None:
    product.step("upgrade/0100_a.sh", header="#min-disk: / 900T")
    with pytest.raises(Refused):
        hook_deb(product)
    asked = request(product)
    assert "nothing was touched: upgrade/0100_a.sh: needs 900.0 TiB free" in asked["reason"]
    assert asked["at_boot"] is False
    assert reasons(told) == [asked["reason"]]
    assert "An upgrade of Toy waits" in (product.state / "motd").read_text()
    product.run("pending", "-q").expect(1)


def test_what_is_broken_is_left_for_people_as_well(product: Product, told: Path) -> None:
    product.step("upgrade/0100_a.sh").chmod(0o644)
    with pytest.raises(Invalid):
        hook_deb(product)
    assert "is not executable" in request(product)["reason"]
    assert len(reasons(told)) == 1


def test_a_run_that_stopped_tells_of_itself(product: Product, told: Path) -> None:
    product.step("upgrade/0100_a.sh", "exit 3")
    with pytest.raises(StepFailed):
        hook_deb(product)
    assert not (product.state / "request.json").exists()
    assert json.loads(told.read_text())["moment"] == "failure"


def test_the_configuration_of_a_product_that_is_gone_keeps_no_package_unconfigured(
    product: Product, told: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    product.config["product"] = {"name": "Toy", "version_command": ["/gone/toy", "--version"]}
    product.save()
    assert hook_deb(product) == 0
    assert not product.state.exists(), "nothing is due"
    product.step("upgrade/0100_a.sh")
    capsys.readouterr()

    assert hook_deb(product) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("the product's version is not known: product.version_command: /gone/toy")
    assert lines[2:] == [
        "it is not run now: the product's version is not known",
        f"when that is mended, run: orchestrator upgrade --config {product.file}",
        f"if the product is gone for good, purge its package, or: rm {product.file}",
    ]
    assert reasons(told) == ["the product's version is not known"]
    assert request(product)["at_boot"] is False
    assert product.ran() == []


# The boot -------------------------------------------------------------------------------------------------


def test_a_boot_that_cannot_start_the_upgrade_says_so_last_and_fails(product: Product, told: Path) -> None:
    require(not Path("/lib/systemd/system/orchestrator-upgrade.service").exists(), "a host without the unit")
    product.step("upgrade/0100_a.sh")
    product.state.mkdir()
    record_request(product.state, Request("deb toy", "an image is built", at_boot=True))
    outcome = product.run("hook", "boot").expect(1)
    assert outcome.out == "orchestrator: deb toy asked for an upgrade\n"
    assert "orchestrator-upgrade.service could not be started: " in outcome.err
    assert f"run: orchestrator upgrade --config {product.file}" in outcome.err
    assert reasons(told) == ["an image is built"]


def test_the_boot_decides_before_it_tells(product: Product, told: Path) -> None:
    product.step("upgrade/0100_a.sh")
    product.state.mkdir()
    record_request(product.state, Request("deb toy", "why"))
    lines: list[tuple[str, bool]] = []
    run_boot_hook(read_setting(product.file), lambda line: lines.append((line, told.exists())))
    assert [line for line, _ in lines] == [
        "deb toy asked for an upgrade; left to an administrator",
        f"run: orchestrator upgrade --config {product.file}",
    ]
    assert not any(late for _, late in lines)
    assert reasons(told) == ["why"]


def test_a_death_is_told_at_the_boot_though_somebody_has_the_lock_again(product: Product, told: Path) -> None:
    go = product.directory / "go"
    product.step("upgrade/0100_a.sh", f"echo in >>{product.trace}; while [ ! -e {go} ]; do sleep 0.05; done")
    run = product.start("upgrade", "-y")
    while "in" not in product.ran():
        assert run.poll() is None, run.communicate()
    run.kill()
    run.communicate()
    go.touch()
    [journal] = product.state.glob("runs/*/journal.jsonl")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    journal.write_text(journal.read_text().replace(boot, "the-boot-before"))
    lines: list[str] = []

    with lock.acquire(product.state, purpose="upgrade"):
        run_boot_hook(read_setting(product.file), lines.append)

    assert lines[0] == "a run is under way; left to an administrator"
    assert json.loads(told.read_text())["reason"] == "the host went down in mid-run"


@pytest.mark.parametrize("installed", [True, False])
def test_status_says_that_the_next_boot_runs_it_only_where_it_does(
    product: Product, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    monkeypatch.setattr(units, "is_installed", lambda _: installed)
    product.step("upgrade/0100_a.sh", "exit 3")
    product.state.mkdir()
    asked = record_request(product.state, Request("deb toy", "why", at_boot=True))

    def at_boot() -> bool:
        status = assemble(read_setting(product.file), read_standing(product.state))
        assert status.request is not None
        return bool(status.request["at_boot"])

    assert at_boot() == installed
    product.config["hook"] = "notify"
    product.save()
    assert not at_boot()
    product.config["hook"] = "schedule"
    product.save()
    product.run("upgrade", "-y").expect(1)
    assert request(product)["id"] == asked.id
    assert not at_boot(), "the run has stopped for a reason"


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
