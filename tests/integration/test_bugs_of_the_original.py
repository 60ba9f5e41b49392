# SPDX-License-Identifier: GPL-3.0-or-later
"""The bugs of katello-upgrade, the scripts of 2012 that this program comes from: none of them may return."""

import subprocess
from pathlib import Path

from tests.support.product import Product
from tests.support.stack import python_step, tree
from tests.support.terminal import at_terminal

# More than any pipe holds, so that whoever stands between the step and its status would be noticed.
FLOOD = "seq 200000"


# `script | tee` has the status of tee: every failure looked like a success and was recorded as one. ----------


def test_the_status_of_a_step_that_prints_much_is_not_lost(product: Product) -> None:
    product.step("upgrade/0010_a.sh", f"{FLOOD}; exit 3")
    for words in (["-o", "plain"], ["-o", "json"], ["-v"]):
        outcome = product.run("upgrade", "-y", *words).expect(1)
        assert "exit status 3" in outcome.err
    assert product.history() == {}


def test_nor_where_the_output_goes_to_a_live_view(product: Product) -> None:
    product.step("upgrade/0010_a.sh", f"{FLOOD}; exit 3")
    with at_terminal(product.argv("upgrade", "-y"), product.environment()) as screen:
        assert screen.wait() == 1
        assert "FAILED upgrade/0010_a.sh: exit status 3" in screen.text
    assert product.history() == {}


def test_nor_in_a_pipeline_within_a_step(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "set -o pipefail; false | tee /dev/null", shell="/bin/bash")
    product.run("upgrade", "-y").expect(1)


def test_nor_where_the_reader_of_our_own_output_goes_away(product: Product) -> None:
    product.step("upgrade/0010_a.sh", f"{FLOOD}; exit 3")
    command = f"{' '.join(product.argv('upgrade', '-y'))} | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["/bin/bash", "-c", command],
        env=product.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert product.history() == {}


# A dry run wrote the names of what it did not run into the history. -----------------------------------------


def test_a_dry_run_writes_no_history(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    for words in (
        ["upgrade", "-n"],
        ["upgrade", "-y", "-n"],
        ["upgrade", "--dry-run", "-o", "json"],
        ["plan"],
    ):
        product.run(*words).expect(0)
        assert not product.state.exists()
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0010"]


def test_a_dry_run_leaves_the_history_there_is(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    product.step("upgrade/0020_b.sh")
    before = tree(product.directory)
    product.run("upgrade", "-y", "-n").expect(0)
    assert tree(product.directory) == before


# The last line of the history was taken for the newest step, and everything below it for done. --------------


def test_the_history_is_no_watermark(product: Product) -> None:
    for name in ("0010_a.sh", "0020_b.sh", "0030_c.sh"):
        product.step(f"upgrade/{name}")
    product.state.mkdir()
    (product.state / "upgrade-history").write_text("0030_c.sh\n")
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0010", "0020"]
    product.step("upgrade/0005_late.sh")
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0010", "0020", "0005"]


# -y answered the first question only; a script then waited for another one. ---------------------------------


def test_assumeyes_leaves_no_question_behind(product: Product) -> None:
    product.step("upgrade/0010_a.sh", 'echo "Really?"; read answer || true')
    with at_terminal(product.argv("upgrade", "-y"), product.environment()) as screen:
        assert screen.wait(20) == 0, "nobody typed anything"
    assert product.history() == {"0010_a.sh": "done"}


def test_what_assumeyes_does_not_answer_ends_the_command_instead_of_waiting(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "", "#risk: drops the index")
    read_end_that_never_comes = subprocess.PIPE
    run = product.start("upgrade", "-y", stdin=read_end_that_never_comes)
    assert run.wait(20) == 6
    run.communicate()


# Compiled Python files appeared beside the scripts, and were run and recorded as scripts. -------------------


def test_compiled_python_files_neither_appear_nor_count_as_scripts(product: Product) -> None:
    scripts = product.directory / "scripts"
    (scripts / "upgrade/.lib").mkdir()
    (scripts / "upgrade/.lib/shared.py").write_text("VALUE = 42\n")
    python_step(
        product,
        "upgrade/0010_a.py",
        """
        import sys
        sys.path.insert(0, __file__.rpartition("/")[0] + "/.lib")
        import shared
        print("imported", shared.VALUE)
        """,
    )
    assert "imported 42" in product.run("upgrade", "-y", "-o", "plain").expect(0).out
    assert compiled(scripts) == []
    for name in ("0020_b.pyc", "0030_c.pyo"):
        (scripts / "upgrade" / name).write_bytes(b"\0")
        (scripts / "upgrade" / name).chmod(0o755)
    product.run("upgrade", "-y").expect(0)
    assert product.history() == {"0010_a.py": "done"}
    product.run("pending").expect(0)


def test_nor_where_the_module_lies_in_a_directory_of_the_product(product: Product) -> None:
    library = product.directory / "library"
    library.mkdir()
    (library / "shared.py").write_text("VALUE = 42\n")
    text = f"import sys\nsys.path.insert(0, {str(library)!r})\nimport shared\n"
    python_step(product, "default/0010_a.py", text)
    product.run("upgrade", "-y").expect(0)
    assert compiled(product.directory) == []


def compiled(directory: Path) -> list[Path]:
    return [
        path
        for path in directory.rglob("*")
        if path.suffix in (".pyc", ".pyo") or "__pycache__" in path.parts
    ]
