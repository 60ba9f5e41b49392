# SPDX-License-Identifier: GPL-3.0-or-later
"""What only looks changes nothing; the plan tells what an upgrade would do, and errors are told all at once."""

import socket
from pathlib import Path

import pytest

from tests.support.product import Product
from tests.support.servers import LOOPBACK
from tests.support.stack import Stack, tree

LOOKING = [
    ["plan"],
    ["plan", "-o", "json"],
    ["upgrade", "-n"],
    ["upgrade", "-y", "--dry-run", "--restart"],
    ["pending"],
    ["pending", "-q"],
    ["check"],
    ["status"],
    ["services", "list"],
    ["scripts", "list"],
    ["history", "list"],
    ["runs", "list"],
]


@pytest.fixture
def rich(stack: Stack) -> Stack:
    """A product with steps of all kinds."""
    stack.step("check/0010_check.sh")
    stack.step("default/0010_a.sh", "", f"#run: on-change\n#inputs: {stack.directory}/*")
    stack.step("upgrade/0020_b.sh")
    stack.step("upgrade/3010_c.sh", "", "#estimate: 90s")
    stack.step("upgrade/6010_d.sh")
    return stack


def look(product: Product) -> None:
    for words in LOOKING:
        assert product.run(*words).code in (0, 1), words


def test_looking_at_a_new_host_leaves_no_trace(rich: Stack) -> None:
    before = tree(rich.directory)
    for words in LOOKING:
        if words != ["check"]:  # a check is a step of the author, which here leaves its trace
            rich.run(*words)
        assert tree(rich.directory) == before, words
    rich.run("check").expect(0)
    assert set(tree(rich.directory)) - set(before) == {"trace"}
    assert rich.run("status").expect(0).out.startswith("No upgrade has run yet.")


def test_looking_at_an_unfinished_run_leaves_no_trace(rich: Stack) -> None:
    rich.start_services()
    rich.step("upgrade/3010_c.sh", "exit 1")
    rich.run("upgrade", "-y").expect(1)
    (rich.directory / "scripts/check/0010_check.sh").unlink()
    before = tree(rich.directory)
    look(rich)
    assert tree(rich.directory) == before
    assert rich.up() == {"db": True, "web": False}


def test_a_dry_run_is_the_plan_and_begins_nothing(rich: Stack) -> None:
    assert rich.run("upgrade", "-n").expect(0).out == rich.run("plan").expect(0).out
    assert rich.ran() == []
    assert not rich.state.exists()


def test_the_plan_tells_transitions_reasons_times_and_the_point_of_no_return(rich: Stack) -> None:
    rich.start_services()
    rich.run("history", "skip", "6010", "--reason", "x").expect(0)
    out = rich.run("plan").expect(0).out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "stop web, db" in lines
    assert "start db" in lines
    assert "start web" in lines
    here = next(number for number, line in enumerate(lines) if line.startswith("upgrade/0020_b.sh"))
    assert lines[here - 1] == "--- point of no return ---"
    assert "1 min 30 s" in next(line for line in lines if "upgrade/3010_c.sh" in line)
    assert "skipped" in next(line for line in lines if "upgrade/6010_d.sh" in line)
    assert "due" in next(line for line in lines if "default/0010_a.sh" in line)
    assert any(line.startswith("Expected time: at least 1 min 30 s; downtime: at least") for line in lines)


def test_the_expected_time_comes_from_earlier_runs(product: Product) -> None:
    product.step("default/0010_a.sh", "sleep 0.4", "#estimate: 1h")
    product.run("upgrade", "-y").expect(0)
    step = product.run("plan", "-o", "json").json()["steps"][0]
    assert 0.4 <= step["estimate"] < 3


def test_the_plan_of_the_run_is_kept_with_it(rich: Stack) -> None:
    plan = rich.run("plan", "-o", "json").json()
    rich.run("upgrade", "-y").expect(0)
    run = next((rich.state / "runs").iterdir())
    saved = rich.run("runs", "show", run.name, "-o", "json").json()
    assert saved["outcome"] == "done"
    assert (run / "plan.json").stat().st_size > 0
    assert {s["id"] for s in plan["steps"]} == {
        "default/0010_a.sh",
        "upgrade/0020_b.sh",
        "upgrade/3010_c.sh",
        "upgrade/6010_d.sh",
    }


def test_refusals_of_the_host_are_told_all_at_once_with_4(stack: Stack) -> None:
    stack.step("upgrade/0010_a.sh", "", "#min-disk: /tmp 900T\n#min-disk: /nonexistent/below 800T")
    with socket.create_server((LOOPBACK, stack.web)):
        for words in (["plan"], ["upgrade", "-n"], ["check"], ["upgrade", "-y"]):
            outcome = stack.run(*words).expect(4)
            told = outcome.out + outcome.err
            assert "needs 900.0 TiB free at /tmp" in told
            assert "needs 800.0 TiB free at /nonexistent/below" in told
            assert f"port {stack.web} of web is taken by another process" in told
    assert stack.ran() == []


def test_a_step_that_is_not_due_needs_no_disk(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "", "#min-disk: /tmp 900T")
    product.run("history", "baseline").expect(0)
    product.run("plan").expect(0)


def bad_scripts(directory: Path) -> dict[str, str]:
    """Path and text of scripts that cannot run, and what is said of each."""
    scripts = directory / "scripts"
    head = "#!/bin/sh\n#name: N\n#description: D\n"
    texts = {
        "upgrade/0010_one.sh": (head, 0o755, "has the same number as"),
        "upgrade/0010_two.sh": (head, 0o755, ""),
        "upgrade/0020_noexec.sh": (head, 0o644, "is not executable"),
        "upgrade/0030_nohead.sh": ("#!/bin/sh\n", 0o755, "the header has no #name:"),
        "upgrade/0040_field.sh": (head + "#timeuot: 5s\n", 0o755, "did you mean timeout?"),
        "upgrade/0050_interpreter.sh": (head.replace("/bin/sh", "/bin/nosh"), 0o755, "/bin/nosh"),
        "upgrade/0060_nohashbang.sh": ("echo\n", 0o755, "does not begin with #!"),
        "upgrade/60_short.sh": (head, 0o755, "is not named like a step"),
        "upgrade/0070_a.yaml": (
            "name: N\ndescription: D\nactions: [{explode: 1}]\n",
            0o644,
            "unknown action",
        ),
        "upgrade/0080_env.py": (head.replace("/bin/sh", "/usr/bin/env nopython"), 0o755, "nopython"),
        "ugprade/0090_lost.sh": (head, 0o755, "did you mean upgrade/?"),
        "default/0100_once.sh": (head + "#run: once\n", 0o755, "contradicts default/"),
    }
    for name, (text, mode, _) in texts.items():
        (scripts / name).parent.mkdir(exist_ok=True)
        (scripts / name).write_text(text)
        (scripts / name).chmod(mode)
    return {name: told for name, (_, _, told) in texts.items()}


def test_all_errors_of_scripts_are_told_at_once_with_78(product: Product) -> None:
    expected = bad_scripts(product.directory)
    for words in (["plan"], ["upgrade", "-y"], ["pending"], ["check"]):
        err = product.run(*words).expect(78).err
        for name, told in expected.items():
            assert not told or (told in err and name.split("/")[0] in err), (words, name)
    assert not product.state.exists()


def test_droppings_are_no_steps(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    directory = product.directory / "scripts/upgrade"
    names = ["0010_a.sh~", "0010_a.sh.rpmnew", "0010_a.sh.dpkg-old", ".0010_a.sh.swp", "0010_a.pyc", "README"]
    for name in names:
        (directory / name).write_text("\0")
    (directory / "__pycache__").mkdir()
    product.run("upgrade", "-y").expect(0)
    assert product.history() == {"0010_a.sh": "done"}


def test_a_later_layer_overrides_and_masks(product: Product) -> None:
    product.config["scripts"] = ["scripts", "admin"]
    product.save()
    product.step("upgrade/0010_a.sh", "exit 1")
    product.step("upgrade/0020_b.sh", "exit 1")
    admin = product.directory / "admin/upgrade"
    admin.mkdir(parents=True)
    own = product.step("upgrade/0030_c.sh", "", "#estimate: 1s")
    own.rename(admin / "0010_a.sh")
    (admin / "0020_b.sh").symlink_to("/dev/null")
    out = product.run("plan").expect(0).out
    assert f"overrides {product.directory}/scripts/upgrade/0010_a.sh" in out
    assert f"upgrade/0020_b.sh is masked by {admin}/0020_b.sh" in out
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0030"]


def test_a_step_of_another_deployment_does_not_run(product: Product) -> None:
    product.config["product"]["deployment"] = "katello"
    product.save()
    product.step("upgrade/0010_a.sh", "", "#apply: headpin, sam")
    product.step("upgrade/0020_b.sh", "", "#apply: katello headpin")
    assert "applies to headpin, sam" in product.run("plan").expect(0).out
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0020"]
