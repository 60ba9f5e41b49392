# SPDX-License-Identifier: GPL-3.0-or-later
"""What `pending` answers, above all where an application would stay behind its gate for ever."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.product import Product
from tests.support.terminal import at_terminal


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return Product(tmp_path)


def pending(product: Product, code: int) -> dict[str, Any]:
    found: dict[str, Any] = product.run("pending", "-o", "json").expect(code).json()
    return found


# What a run has dealt with --------------------------------------------------------------------------------


def test_steps_that_a_run_has_dealt_with_are_due_and_not_pending(product: Product) -> None:
    product.step("upgrade/0110_done.sh")
    product.step("upgrade/0120_x.sh", "exit 77")
    product.step("upgrade/0130_x.sh", "exit 1", "#on-failure: continue")
    product.step("upgrade/0140_x.sh")
    product.run("upgrade", "-y", "--skip", "0140", "--reason", "later").expect(3)

    assert pending(product, 0)["steps"] == []
    planned = product.run("plan").expect(0).out
    for fate in ("did not apply", "failed and was passed over", "left out"):
        assert f"{fate} in run 0001" in planned
    assert product.run("upgrade", "-y", "--if-pending").expect(0).out == "Nothing to do.\n"
    for number in ("0120", "0130", "0140"):
        product.step(f"upgrade/{number}_x.sh", "exit 0 # another content")
    assert [step["id"][8:12] for step in pending(product, 1)["steps"]] == ["0120", "0130", "0140"]


def test_the_next_upgrade_tries_what_was_dealt_with(product: Product) -> None:
    product.step("upgrade/0120_x.sh", "exit 77")
    for _ in range(2):
        product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0120", "0120"]
    pending(product, 0)


def test_what_was_not_selected_stays_pending(product: Product) -> None:
    for number in ("0110", "0120", "0130"):
        product.step(f"upgrade/{number}_x.sh", "exit 77" if number == "0120" else "")
    product.run("upgrade", "-y", "--only", "0120").expect(0)
    assert [step["id"] for step in pending(product, 1)["steps"]] == ["upgrade/0110_x.sh", "upgrade/0130_x.sh"]

    product.run("upgrade", "-y", "--only", "0110").expect(0)

    assert [step["id"] for step in pending(product, 1)["steps"]] == ["upgrade/0130_x.sh"], (
        "0120 was dealt with before"
    )


def test_a_run_that_a_check_refused_has_dealt_with_nothing(product: Product) -> None:
    product.step("check/0001_no.sh", "exit 1")
    product.step("upgrade/0120_x.sh")
    product.run("upgrade", "-y", "--skip", "0120", "--reason", "later", "--only", "0120").expect(0)
    product.step("default/0130_x.sh")
    product.run("upgrade", "-y", "--skip", "0120", "--reason", "later").expect(4)
    pending(product, 1)


def test_an_on_change_step_is_pending_again_when_its_inputs_change(product: Product) -> None:
    inputs = product.directory / "inputs"
    inputs.write_text("1")
    product.step("default/0120_x.sh", "exit 77", f"#run: on-change\n#inputs: {inputs}")
    pending(product, 1)
    product.run("upgrade", "-y").expect(0)
    pending(product, 0)
    inputs.write_text("2")
    pending(product, 1)


def test_a_line_taken_out_of_the_history_makes_a_step_pending_again(product: Product) -> None:
    product.step("upgrade/0120_x.sh")
    product.run("upgrade", "-y").expect(0)
    product.run("history", "redo", "0120", "--reason", "once more").expect(0)
    pending(product, 1)


# Versions -------------------------------------------------------------------------------------------------


def set_version(product: Product, **version: Any) -> None:
    product.config["product"] = {"name": "Toy", **version}
    product.save()


def test_a_product_older_than_its_data_is_told(product: Product) -> None:
    product.step("upgrade/0120_x.sh")
    product.run("upgrade", "-y").expect(0)
    set_version(product, version="1.9")

    told = "the data was last upgraded by 2.0, this is 1.9"
    assert product.run("pending").expect(1).out.splitlines()[0] == told
    assert pending(product, 1)["reason"] == told
    assert product.run("pending", "--quiet").expect(1).out == ""


def test_the_version_is_asked_for_only_where_it_decides(product: Product) -> None:
    product.step("upgrade/0120_x.sh")
    set_version(product, version_command=["sh", "-c", f"echo asked >>{product.directory}/asked; echo 1.9"])
    asked = product.directory / "asked"
    pending(product, 1)
    assert not asked.exists(), "there is no data"
    set_version(product, version="2.0")
    product.run("upgrade", "-y").expect(0)
    set_version(product, version_command=["sh", "-c", f"echo asked >>{product.directory}/asked; echo 1.9"])
    pending(product, 1)
    assert asked.exists()


def test_a_version_that_cannot_be_told_keeps_nobody_out(product: Product) -> None:
    product.step("upgrade/0120_x.sh")
    product.run("upgrade", "-y").expect(0)
    set_version(product, version_command=["sh", "-c", "echo no answer >&2; exit 1"])
    assert "no answer" in product.run("pending").expect(0).out


# Requests -------------------------------------------------------------------------------------------------


def ask(product: Product, reason: str = "this is a chroot") -> None:
    product.state.mkdir(exist_ok=True)
    content = {"format": 1, "by": "deb toy", "reason": reason, "at_boot": True, "time": "t", "id": "1"}
    (product.state / "request.json").write_text(json.dumps(content))


def test_a_request_is_pending_until_an_upgrade_has_run(product: Product) -> None:
    product.step("default/0120_x.sh")
    pending(product, 0)
    ask(product)
    assert pending(product, 1)["request"]["by"] == "deb toy"
    assert (
        product.run("pending").expect(1).out.splitlines()[0]
        == "deb toy asked for an upgrade: this is a chroot"
    )

    product.run("upgrade", "-y", "--if-pending").expect(0)

    assert product.ran() == ["0120"]
    assert pending(product, 0)["request"] is None


def test_a_request_with_nothing_to_run_is_settled_by_the_next_upgrade(product: Product) -> None:
    ask(product)
    pending(product, 0)
    assert product.run("upgrade", "-y").expect(0).out.endswith("Nothing to do.\n")
    assert not (product.state / "request.json").exists()


def test_what_is_asked_for_during_a_run_is_run_after_it_by_the_same_command(product: Product) -> None:
    product.step(
        "upgrade/0110_x.sh",
        f"test -e {product.directory}/once || {{ touch {product.directory}/once; true; }}",
    )
    file = product.state / "request.json"
    body = f'grep -q again {file} 2>/dev/null || echo \'{{"by": "again", "id": "2"}}\' >{file}'
    product.step("upgrade/0120_asks.sh", body)
    product.step("default/0130_x.sh")

    product.run("upgrade", "-y", "--if-pending").expect(0)

    assert product.ran() == ["0110", "0120", "0130", "0130"]
    assert not file.exists()


def test_a_part_of_the_steps_is_no_answer_to_a_request(product: Product) -> None:
    product.step("default/0120_x.sh")
    product.step("default/0130_y.sh")
    ask(product)
    product.run("upgrade", "-y", "--only", "0120").expect(0)
    pending(product, 1)
    product.run("upgrade", "-y", "--if-pending").expect(0)
    assert product.ran() == ["0120", "0120", "0130"]
    pending(product, 0)


def test_what_is_asked_for_while_somebody_thinks_over_the_plan_waits_for_the_next_run(
    product: Product,
) -> None:
    product.step("default/0120_x.sh")
    with at_terminal(product.argv("upgrade"), product.environment()) as terminal:
        terminal.expect("Go on?")
        ask(product)
        terminal.type("y\n")
        assert terminal.wait() == 0
    pending(product, 1)
