# SPDX-License-Identifier: GPL-3.0-or-later
"""The wheel: what it holds, and that the installed command works with its own data files."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.product import ROOT, Product

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    source = directory / "source"
    ignored = shutil.ignore_patterns(".git", ".venv*", ".demo", "__pycache__", ".*_cache", "dist")
    shutil.copytree(ROOT, source, ignore=ignored, symlinks=True)
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(directory),
        str(source),
    ]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(directory.glob("*.whl"))


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console script of the wheel in an environment of its own, which borrows the dependencies."""
    directory = tmp_path_factory.mktemp("installed")
    venv.create(directory / "env", with_pip=False, symlinks=True)
    python = directory / "env" / "bin" / "python"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        str(wheel),
    ]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    site = next((directory / "env" / "lib").glob("python*/site-packages"))
    borrowed = [path for path in sys.path if path.endswith("site-packages")]
    (site / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    return directory / "env" / "bin" / "orchestrator"


def test_the_wheel_ships_its_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    shared = [name.partition(".data/data/")[2] for name in names if ".data/data/" in name]
    assert "share/orchestrator/phases/10-backends-down.yaml" in shared
    assert any(name.startswith("share/orchestrator/scripts.d/check/") for name in shared)
    assert {
        "share/man/man8/orchestrator.8",
        "share/man/man8/orchestrator-content.8",
        "share/man/man5/content.yaml.5",
        "share/man/man5/mirrors.yaml.5",
        "share/man/man5/orchestrator.yaml.5",
        "share/man/man7/orchestrator-scripts.7",
    } <= set(shared)
    assert not any("tests/" in name for name in names)


def installed(command: Path, product: Product, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["ORCHESTRATOR_CONFIG"] = str(product.file)
    return subprocess.run(
        [str(command), *words],
        env=environment,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_installed_command_upgrades_with_the_phases_it_ships(command: Path, tmp_path: Path) -> None:
    product = Product(tmp_path)
    del product.config["phases"]
    product.save()
    product.step("upgrade/0010_first.sh")
    product.step("default/6010_last.sh")
    (tmp_path / "scripts" / "upgrade" / "3010_actions.yaml").write_text(
        f"name: Actions\ndescription: A YAML step.\nactions:\n  - command: [touch, {tmp_path}/touched]\n"
    )

    done = installed(command, product, "upgrade", "-y")

    assert done.returncode == 0, done.stdout + done.stderr
    assert product.ran() == ["0010", "6010"]
    assert (tmp_path / "touched").exists()


def test_the_installed_command_lists_the_steps_it_ships(command: Path, tmp_path: Path) -> None:
    product = Product(tmp_path)
    del product.config["phases"], product.config["scripts"]
    product.save()

    done = installed(command, product, "scripts", "list")

    assert done.returncode == 0, done.stderr
    assert "check/" in done.stdout


def test_the_version_is_the_packages(command: Path, tmp_path: Path) -> None:
    import orchestrator

    assert (
        installed(command, Product(tmp_path), "--version").stdout
        == f"orchestrator {orchestrator.__version__}\n"
    )
