# SPDX-License-Identifier: GPL-3.0-or-later
"""What this user may not read or do: a line that says so and the status for it, never a guess or a traceback."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.nobody import without_power
from tests.support.product import Outcome, Product


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product with a run behind it, to be copied."""
    product = Product(tmp_path_factory.mktemp("upgraded"))
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    return product.directory


@pytest.fixture
def product(tmp_path: Path, upgraded: Path) -> Product:
    shutil.copytree(upgraded, tmp_path / "product")
    return Product(tmp_path / "product")


def powerless(product: Product, *words: str) -> Outcome:
    """The command as somebody for whom the modes of files count."""
    outcome = product.run(*words, wrapper=without_power())
    assert "Traceback" not in outcome.err
    assert "internal error" not in outcome.err
    return outcome


LOOKING = [
    ("pending",),
    ("plan",),
    ("status",),
    ("history", "list"),
    ("runs", "list"),
    ("runs", "show"),
    ("runs", "log"),
]


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_whoever_may_read_the_state_may_look(product: Product, words: tuple[str, ...]) -> None:
    powerless(product, *words).expect(0)


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_a_state_directory_that_is_closed_is_not_an_empty_one(
    product: Product, words: tuple[str, ...]
) -> None:
    product.state.chmod(0)
    outcome = powerless(product, *words)
    assert outcome.code in (77, 78)
    assert "ermission denied" in outcome.err or "may not be read" in outcome.err
    assert outcome.out == ""


@pytest.mark.parametrize("words", [one for one in LOOKING if one[0] != "history"], ids=" ".join)
def test_a_closed_journal_is_not_a_run_that_never_was(product: Product, words: tuple[str, ...]) -> None:
    for path in (product.state / "runs").rglob("*.jsonl"):
        path.chmod(0)
    outcome = powerless(product, *words).expect(77)
    assert "journal.jsonl" in outcome.err
    assert "run it as root" in outcome.err


@pytest.mark.parametrize("path", ["scripts", "scripts/upgrade", "scripts/upgrade/0010_a.sh"])
@pytest.mark.parametrize("words", [("plan",), ("pending",)], ids=" ".join)
def test_scripts_that_may_not_be_read_are_not_passed_over(
    product: Product, words: tuple[str, ...], path: str
) -> None:
    (product.directory / path).chmod(0)
    outcome = powerless(product, *words).expect(78)
    assert f"{product.directory / path}: cannot be read: Permission denied" in outcome.err


def test_a_configuration_that_may_not_be_read_is_told(product: Product) -> None:
    product.file.chmod(0)
    assert f"cannot read {product.file}: Permission denied" in powerless(product, "plan").expect(78).err
    product.directory.chmod(0)
    assert f"cannot read {product.file}: Permission denied" in powerless(product, "plan").expect(78).err


def test_an_input_that_may_not_be_read_is_told(product: Product) -> None:
    secret = product.directory / "secret"
    secret.write_text("x")
    secret.chmod(0)
    product.step("default/0020_b.sh", header=f"#run: on-change\n#inputs: {secret}")
    assert f"{secret} may not be read by this user" in powerless(product, "pending").expect(77).err


@pytest.mark.parametrize(
    "words",
    [
        ("upgrade", "-y"),
        ("recover",),
        ("history", "redo", "0010", "--reason", "x"),
        ("history", "baseline"),
        ("services", "start"),
        ("scripts", "new", "x", "--phase", "all-up"),
    ],
    ids=" ".join,
)
def test_whoever_may_not_write_is_told_so(product: Product, words: tuple[str, ...]) -> None:
    before = product.history()
    for directory in (product.state, product.state / "lock", product.directory / "scripts/upgrade"):
        directory.chmod(0o500)
    told = powerless(product, *words).expect(77).err
    assert "Permission denied" in told or "is not writable for this user" in told
    assert product.history() == before


@pytest.mark.parametrize(
    "words", [("plan",), ("pending",), ("status",), ("upgrade", "-y"), ("history", "list")], ids=" ".join
)
def test_a_file_in_the_place_of_the_state_directory_is_told(product: Product, words: tuple[str, ...]) -> None:
    shutil.rmtree(product.state)
    product.state.write_text("")
    outcome = product.run(*words)
    assert outcome.code not in (0, 3)
    assert "Not a directory" in outcome.err
    assert "internal error" not in outcome.err


def test_a_step_whose_shim_cannot_be_started_has_failed(product: Product) -> None:
    product.step("upgrade/0020_b.sh", "exit 1")
    product.run("upgrade", "-y").expect(1)
    lock = max((product.state / "runs").iterdir()) / "shim.lock"
    lock.unlink()
    lock.mkdir()
    outcome = product.run("upgrade", "-y").expect(1)
    assert "upgrade/0020_b.sh failed: could not be started: the step shim does not run" in outcome.err
    assert product.ran() == ["0010", "0020"]
    assert product.history() == {"0010_a.sh": "done"}
    lock.rmdir()
    product.step("upgrade/0020_b.sh")
    product.run("upgrade", "-y").expect(0)


def test_what_a_failed_step_wrote_cannot_act_on_the_terminal(product: Product) -> None:
    product.step("upgrade/0020_b.sh", "printf '\\033[2J\\033]0;title\\007the words\\007\\n'; exit 1")
    outcome = product.run("upgrade", "-y").expect(1)
    for text in (outcome.out, outcome.err):
        assert "the words" in text
        assert text.replace("\n", "").isprintable()


def test_a_pipe_among_the_scripts_holds_up_nobody(product: Product) -> None:
    os.mkfifo(product.directory / "scripts/upgrade/0020_b.sh")
    assert "is not a regular file" in product.run("plan", timeout=20).expect(78).err
    assert Path(product.directory / "scripts/upgrade/0020_b.sh").is_fifo()
