# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding steps: what is one, what is ignored, what is a problem; layers; every problem at once."""

import hashlib
import os
from pathlib import Path

import pytest

from orchestrator.errors import NotPermitted
from orchestrator.upgrade.actions import Registry
from orchestrator.upgrade.header import RunRule
from orchestrator.upgrade.scripts import Kind, Scripts, Step, find_steps, fingerprint_inputs, is_dropping
from tests.support.nobody import as_nobody, public_directory

HEADER = "#name: Step\n#description: Does it.\n"


class Layer:
    """A scripts directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def file(self, name: str, header: str = "", *, first: str = "#!/bin/sh", mode: int = 0o755) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{first}\n{HEADER}{header}".encode())
        path.chmod(mode)
        return path

    def text(self, name: str, text: str | bytes) -> Path:
        path = self.file(name)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def mask(self, name: str) -> None:
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        path.symlink_to("/dev/null")


@pytest.fixture
def vendor(tmp_path: Path) -> Layer:
    return Layer(tmp_path / "vendor")


@pytest.fixture
def administrator(tmp_path: Path) -> Layer:
    return Layer(tmp_path / "administrator")


def find(*layers: Layer | Path) -> Scripts:
    return find_steps([layer.path if isinstance(layer, Layer) else layer for layer in layers], Registry())


def told(scripts: Scripts, layer: Layer) -> list[str]:
    """The problems, with paths as seen from the layer, sorted."""
    return sorted(str(problem).replace(f"{layer.path}/", "") for problem in scripts.problems)


def ids(scripts: Scripts) -> list[str]:
    return [step.id for step in scripts.steps]


# Order and kinds --------------------------------------------------------------------------------------


def test_steps_run_by_number_then_kind_then_name(vendor: Layer) -> None:
    for name in (
        "upgrade/0020_a",
        "default/0020_b.sh",
        "check/0020_c",
        "upgrade/0010_z.py",
        "default/9999_last",
    ):
        vendor.file(name)
    scripts = find(vendor)
    assert scripts.problems == ()
    assert ids(scripts) == [
        "upgrade/0010_z.py",
        "check/0020_c",
        "default/0020_b.sh",
        "upgrade/0020_a",
        "default/9999_last",
    ]


def test_a_step_knows_its_file(vendor: Layer) -> None:
    path = vendor.file("upgrade/0120_migrate.sh", "#risk: much")
    (step,) = find(vendor).steps
    assert (step.kind, step.number, step.name) == (Kind.UPGRADE, 120, "0120_migrate.sh")
    assert step.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert step.header.risk == "much"
    assert step.argv == (str(path),)


@pytest.mark.parametrize(
    ("name", "header", "rule", "in_history"),
    [
        ("upgrade/0001_a", "", RunRule.ONCE, True),
        ("upgrade/0001_a", "#run: once", RunRule.ONCE, True),
        ("default/0001_a", "", RunRule.ALWAYS, False),
        ("default/0001_a", "#run: always", RunRule.ALWAYS, False),
        ("default/0001_a", "#run: on-change", RunRule.ON_CHANGE, True),
        ("check/0001_a", "", RunRule.ALWAYS, False),
    ],
)
def test_the_directory_says_when_a_step_runs(
    vendor: Layer, name: str, header: str, rule: RunRule, in_history: bool
) -> None:
    vendor.file(name, header)
    scripts = find(vendor)
    assert scripts.problems == ()
    assert (scripts.steps[0].run_rule, scripts.steps[0].in_history) == (rule, in_history)


@pytest.mark.parametrize(
    ("name", "header", "problem"),
    [
        ("upgrade/0001_a", "#run: always", "run always contradicts upgrade/, whose steps run once"),
        ("upgrade/0001_a", "#run: on-change", "run on-change contradicts upgrade/, whose steps run once"),
        ("default/0001_a", "#run: once", "run once contradicts default/"),
        ("check/0001_a", "#run: once", "run once contradicts check/"),
        ("check/0001_a", "#run: on-change", "run on-change contradicts check/"),
        ("check/0001_a", "#risk: much", "risk means nothing in check/"),
        ("check/0001_a", "#rerun: ask", "rerun means nothing in check/"),
        ("check/0001_a", "#on-failure: continue", "on-failure means nothing in check/"),
        ("default/0001_a", "#inputs: /a", "inputs mean something only with run: on-change"),
        ("upgrade/0001_a", "#inputs: /a", "inputs mean something only with run: on-change"),
    ],
)
def test_a_header_that_contradicts_its_directory_is_a_problem(
    vendor: Layer, name: str, header: str, problem: str
) -> None:
    vendor.file(name, header)
    assert problem in told(find(vendor), vendor)[0]


# What is ignored, what is a problem ---------------------------------------------------------------------

DROPPINGS = [
    "0010_a.sh~",
    "0010_a.rpmnew",
    "0010_a.rpmsave",
    "0010_a.rpmorig",
    "0010_a.dpkg-old",
    "0010_a.dpkg-dist",
    "0010_a.dpkg-new",
    "0010_a.ucf-dist",
    "0010_a.swp",
    "0010_a.swo",
    ".0010_a.swp",
    "0010_a.bak",
    "0010_a.orig",
    "0010_a.rej",
    "0010_a.pyc",
    "0010_a.pyo",
    "__pycache__",
    "README",
    "README.md",
    "README.Debian",
    "#0010_a#",
    ".hidden",
    ".gitignore",
]


@pytest.mark.parametrize("name", DROPPINGS)
def test_what_editors_and_package_managers_drop_is_ignored(vendor: Layer, name: str) -> None:
    vendor.file(f"upgrade/{name}")
    vendor.file(name)
    vendor.file("upgrade/0020_b")
    scripts = find(vendor)
    assert scripts.problems == ()
    assert ids(scripts) == ["upgrade/0020_b"]
    assert is_dropping(name)


def test_a_directory_of_bytecode_is_ignored(vendor: Layer) -> None:
    vendor.file("upgrade/__pycache__/0010_a.cpython-311.pyc")
    assert find(vendor) == Scripts()


@pytest.mark.parametrize(
    "name",
    [
        "0000_zero",
        "120_short",
        "00120_long",
        "0120",
        "0120_",
        "0120-a",
        "a_0120",
        "0120_.x",
        "0120_a b",
        "0120_a;5f3",
        "x",
        "\u0660\u0661\u0662\u0660_a",
    ],
)
def test_a_file_with_another_name_is_a_problem(vendor: Layer, name: str) -> None:
    vendor.file(f"upgrade/{name}")
    assert told(find(vendor), vendor) == [
        f"upgrade/{name}: is not named like a step (NNNN_name, NNNN from 0001 to 9999)"
    ]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("upgrades", "did you mean upgrade/?"),
        ("defaults", "did you mean default/?"),
        ("lib", "steps lie in check/"),
    ],
)
def test_a_directory_with_another_name_is_a_problem(vendor: Layer, name: str, hint: str) -> None:
    vendor.file(f"{name}/0010_a")
    assert told(find(vendor), vendor)[0].startswith(
        f"{name}: does not belong into a scripts directory ({hint}"
    )


def test_a_file_or_a_broken_link_in_the_place_of_a_directory_is_a_problem(vendor: Layer) -> None:
    vendor.file("upgrade")
    (vendor.path / "default").symlink_to("nowhere")
    (vendor.path / "check").symlink_to("check")
    assert [problem.partition(":")[0] for problem in told(find(vendor), vendor)] == [
        "check",
        "default",
        "upgrade",
    ]


@pytest.mark.parametrize(
    ("first", "problem"),
    [
        ("echo", "does not begin with #!"),
        ("", "does not begin with #!"),
        ("\ufeff#!/bin/sh", "does not begin with #!"),
        ("#!", "the #! line names no interpreter"),
        ("#!  ", "the #! line names no interpreter"),
        ("#!/no/such/interpreter", "its interpreter /no/such/interpreter does not exist or cannot be run"),
        ("#!/etc/passwd", "its interpreter /etc/passwd does not exist or cannot be run"),
        ("#!/bin", "its interpreter /bin does not exist or cannot be run"),
        ("#!/bin/sh\r", "has DOS line ends; the interpreter would not be found"),
        ("#!/usr/bin/env no-such-program", "its interpreter no-such-program is not found by env"),
        ("#!/usr/bin/env", "its interpreter (none) is not found by env"),
        ("#!/usr/bin/env -S no-such-program -x", "its interpreter no-such-program is not found by env"),
        ("#!/usr/bin/env sh -e", "env would look for a program named 'sh -e'; write: #!/usr/bin/env -S ..."),
    ],
)
def test_a_first_line_that_cannot_work_is_a_problem(vendor: Layer, first: str, problem: str) -> None:
    vendor.file("upgrade/0010_a.sh", first=first)
    assert told(find(vendor), vendor)[0].startswith(f"upgrade/0010_a.sh: {problem}")


@pytest.mark.parametrize(
    "first",
    [
        "#!/bin/sh",
        "#! /bin/sh",
        "#!/bin/sh -eu",
        "#!/usr/bin/env sh",
        "#!/usr/bin/env -S sh -e",
        "#!/usr/bin/env -S A=1 sh",
    ],
)
def test_a_first_line_that_works_is_none(vendor: Layer, first: str) -> None:
    vendor.file("upgrade/0010_a.sh", first=first)
    assert find(vendor).problems == ()


def test_a_script_that_is_not_executable_is_a_problem_with_the_remedy(vendor: Layer) -> None:
    path = vendor.file("upgrade/0010_a.sh", mode=0o644)
    assert told(find(vendor), vendor) == [
        f"upgrade/0010_a.sh: is not executable (chmod +x {path.relative_to(vendor.path)})"
    ]


def test_python_must_be_executable_as_well(vendor: Layer) -> None:
    vendor.file("upgrade/0010_a.py", mode=0o644, first="#!/usr/bin/env python3")
    assert "is not executable" in told(find(vendor), vendor)[0]


def test_what_is_no_regular_file_is_a_problem_and_is_not_read(vendor: Layer) -> None:
    (vendor.path / "upgrade").mkdir()
    os.mkfifo(vendor.path / "upgrade/0010_pipe")
    (vendor.path / "upgrade/0020_directory").mkdir()
    (vendor.path / "upgrade/0030_zeros").symlink_to("/dev/zero")
    (vendor.path / "upgrade/0040_broken").symlink_to("nowhere")
    (vendor.path / "upgrade/0050_loop").symlink_to("0050_loop")
    assert told(find(vendor), vendor) == [
        "upgrade/0010_pipe: is not a regular file",
        "upgrade/0020_directory: is not a regular file",
        "upgrade/0030_zeros: is not a regular file",
        "upgrade/0040_broken: cannot be read: No such file or directory",
        "upgrade/0050_loop: cannot be read: Too many levels of symbolic links",
    ]


def test_two_steps_of_one_kind_with_one_number_are_a_problem(vendor: Layer, administrator: Layer) -> None:
    vendor.file("upgrade/0010_a.sh")
    vendor.file("default/0010_c.sh")
    administrator.file("upgrade/0010_b.sh")
    (problem,) = find(vendor, administrator).problems
    assert problem.where == str(administrator.path / "upgrade/0010_b.sh")
    assert problem.what == f"has the same number as {vendor.path}/upgrade/0010_a.sh"


def test_two_steps_that_would_share_a_line_of_the_history_are_a_problem(vendor: Layer) -> None:
    vendor.file("upgrade/0010_a.sh")
    vendor.file("default/0010_a.sh", "#run: on-change")
    assert "the history could not tell them apart" in told(find(vendor), vendor)[0]


def test_a_step_that_runs_always_may_have_the_name_of_one_that_runs_once(vendor: Layer) -> None:
    vendor.file("upgrade/0010_a.sh")
    vendor.file("default/0010_a.sh")
    assert find(vendor).problems == ()


def test_every_problem_is_told_at_once(vendor: Layer) -> None:
    vendor.file("upgrades/0010_a")
    vendor.file("upgrade/notes.txt")
    vendor.file("upgrade/0010_a.sh", "#timeout: soon\n#retry: often", mode=0o644, first="#!/no/such")
    vendor.text("upgrade/0020_b.sh", "#!/bin/sh\n")
    vendor.file("upgrade/0030_c.sh")
    vendor.file("upgrade/0030_d.sh")
    vendor.text("upgrade/0040_e.yaml", "name: x\nactions: [{comand: [x]}, {wait: {}}]\n")
    problems = told(find(vendor), vendor)
    assert [problem.partition(" ")[0] for problem in problems] == [
        "upgrade/0010_a.sh:",
        "upgrade/0010_a.sh:",
        "upgrade/0010_a.sh:4:",
        "upgrade/0010_a.sh:5:",
        "upgrade/0020_b.sh:",
        "upgrade/0020_b.sh:",
        "upgrade/0030_d.sh:",
        "upgrade/0040_e.yaml:",
        "upgrade/0040_e.yaml:",
        "upgrade/0040_e.yaml:",
        "upgrade/notes.txt:",
        "upgrades:",
    ]


# Layers ---------------------------------------------------------------------------------------------------


def test_a_later_layer_overrides_by_name_and_says_what(vendor: Layer, administrator: Layer) -> None:
    original = vendor.file("upgrade/0010_a.sh")
    replacement = administrator.file("upgrade/0010_a.sh", "#risk: mine")
    administrator.file("upgrade/0020_b.sh")
    first, second = find(vendor, administrator).steps
    assert (first.path, first.overrides, first.header.risk) == (replacement, original, "mine")
    assert second.overrides is None


def test_what_is_overridden_is_not_judged(vendor: Layer, administrator: Layer) -> None:
    vendor.text("upgrade/0010_a.sh", "broken")
    administrator.file("upgrade/0010_a.sh")
    assert find(vendor, administrator).problems == ()


def test_the_same_name_in_another_kind_overrides_nothing(vendor: Layer, administrator: Layer) -> None:
    vendor.file("check/0010_a.sh")
    administrator.file("default/0010_a.sh")
    assert ids(find(vendor, administrator)) == ["check/0010_a.sh", "default/0010_a.sh"]


def test_a_link_to_dev_null_masks(vendor: Layer, administrator: Layer) -> None:
    vendor.file("upgrade/0010_a.sh")
    vendor.text("upgrade/0020_b.sh", "broken")
    administrator.mask("upgrade/0010_a.sh")
    administrator.mask("upgrade/0020_b.sh")
    scripts = find(vendor, administrator)
    assert (scripts.steps, scripts.problems) == ((), ())
    assert {masked.name for masked in scripts.masked} == {"0010_a.sh", "0020_b.sh"}
    assert {masked.by.parent.parent for masked in scripts.masked} == {administrator.path}


def test_a_third_layer_may_bring_back_what_the_second_masked(
    vendor: Layer, administrator: Layer, tmp_path: Path
) -> None:
    third = Layer(tmp_path / "third")
    vendor.file("upgrade/0010_a.sh")
    administrator.mask("upgrade/0010_a.sh")
    third.file("upgrade/0010_a.sh")
    scripts = find(vendor, administrator, third)
    assert (ids(scripts), scripts.masked) == (["upgrade/0010_a.sh"], ())


def test_a_masked_number_is_free(vendor: Layer, administrator: Layer) -> None:
    vendor.file("upgrade/0010_a.sh")
    administrator.mask("upgrade/0010_a.sh")
    administrator.file("upgrade/0010_b.sh")
    scripts = find(vendor, administrator)
    assert (ids(scripts), scripts.problems) == (["upgrade/0010_b.sh"], ())


def test_an_empty_file_masks_nothing(vendor: Layer, administrator: Layer) -> None:
    vendor.file("upgrade/0010_a.sh")
    administrator.text("upgrade/0010_a.sh", "")
    assert "does not begin with #!" in told(find(vendor, administrator), administrator)[0]


def test_only_the_first_layer_must_exist(vendor: Layer, tmp_path: Path) -> None:
    vendor.file("upgrade/0010_a.sh")
    scripts = find(vendor, tmp_path / "none")
    assert (ids(scripts), scripts.problems) == (["upgrade/0010_a.sh"], ())
    (problem,) = find(tmp_path / "none", vendor).problems
    assert "the first scripts directory does not exist" in problem.what


def test_a_layer_that_is_there_but_cannot_be_read_is_a_problem(vendor: Layer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "broken").symlink_to("nowhere")
    problems = find(vendor, tmp_path / "file", tmp_path / "broken").problems
    assert [problem.what for problem in problems] == [
        "cannot be read: Not a directory",
        "cannot be read: No such file or directory",
    ]


def test_directories_that_this_user_may_not_read_are_problems() -> None:
    with public_directory() as directory:
        vendor, administrator = Layer(directory / "vendor"), Layer(directory / "administrator")
        vendor.file("upgrade/0010_a.sh", mode=0o700)
        vendor.file("default/0010_a.sh").parent.chmod(0o700)
        administrator.path.chmod(0o700)
        with as_nobody():
            problems = find(vendor, administrator).problems
    assert [(Path(problem.where).name, problem.what) for problem in problems] == [
        ("default", "cannot be read: Permission denied"),
        ("administrator", "cannot be read: Permission denied"),
        ("0010_a.sh", "cannot be read: Permission denied"),
    ]


# YAML steps -------------------------------------------------------------------------------------------------


def test_a_yaml_step_needs_no_exec_bit_and_is_run_by_this_program(vendor: Layer) -> None:
    path = vendor.text("upgrade/0010_a.yaml", "name: x\ndescription: y\nactions: [{command: [/bin/true]}]\n")
    path.chmod(0o644)
    scripts = find(vendor)
    assert scripts.problems == ()
    assert [action.summary for action in scripts.steps[0].actions] == ["command: /bin/true"]
    assert scripts.steps[0].argv[-1] == str(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not a mapping with name, description and a list of actions"),
        ("[]", "is not a mapping with name, description and a list of actions"),
        ("name: x\ndescription: y\n", "is not a mapping with name, description and a list of actions"),
        ("name: x\ndescription: y\nactions: []\n", "is not a mapping with name, description"),
        ("name: x\ndescription: y\nactions: {command: [x]}\n", "is not a mapping with name, description"),
        ("name: [\n", "did not find expected node content"),
        (b"name: \xff\n", "invalid leading UTF-8 octet"),
        ("name: x\nactions: [{command: [x]}]\n", "the header has no #description:"),
        ("name: x\ndescription: y\nactions: [command]\n", "an action is a mapping with one key"),
        (
            "name: x\ndescription: y\nactions: [{comand: [x]}]\n",
            "unknown action comand (did you mean command?)",
        ),
    ],
)
def test_a_yaml_step_that_cannot_work_is_a_problem(vendor: Layer, text: str | bytes, problem: str) -> None:
    vendor.text("upgrade/0010_a.yaml", text)
    problems = told(find(vendor), vendor)
    assert len(problems) == 1
    assert problems[0].startswith("upgrade/0010_a.yaml")
    assert problem in problems[0]


# Inputs ---------------------------------------------------------------------------------------------------


def on_change(vendor: Layer, inputs: str) -> Step:
    vendor.file("default/0010_a.sh", f"#run: on-change\n#inputs: {inputs}")
    (step,) = find(vendor).steps
    return step


def test_the_fingerprint_of_inputs_follows_content_and_existence(vendor: Layer, tmp_path: Path) -> None:
    step = on_change(vendor, f"{tmp_path}/conf/*.conf {tmp_path}/one")
    seen = {fingerprint_inputs(step)}
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/a.conf").write_text("1")
    for act in (
        lambda: None,
        lambda: (tmp_path / "conf/a.conf").write_text("2"),
        lambda: (tmp_path / "conf/b.conf").write_text("2"),
        lambda: (tmp_path / "one").write_text(""),
        lambda: (tmp_path / "conf/a.conf").rename(tmp_path / "conf/c.conf"),
        (tmp_path / "conf/d.conf").mkdir,
    ):
        act()
        fingerprint = fingerprint_inputs(step)
        assert fingerprint not in seen
        seen.add(fingerprint)
    (tmp_path / "conf/other").write_text("not an input")
    os.utime(tmp_path / "one")
    assert fingerprint_inputs(step) == fingerprint


def test_inputs_may_be_links_pipes_and_broken(vendor: Layer, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "broken").symlink_to("nowhere")
    assert fingerprint_inputs(on_change(vendor, f"{tmp_path}/*"))


def test_an_input_that_this_user_may_not_read_is_told(vendor: Layer) -> None:
    with public_directory() as directory:
        secret = directory / "secret"
        secret.write_text("x")
        secret.chmod(0o600)
        step = on_change(vendor, str(secret))
        with as_nobody(), pytest.raises(NotPermitted, match="secret may not be read by this user"):
            fingerprint_inputs(step)
