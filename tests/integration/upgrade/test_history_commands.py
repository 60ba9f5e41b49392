# SPDX-License-Identifier: GPL-3.0-or-later
"""The history file, by hand and by command: names that are done, in any order, never a watermark."""

import json

import pytest

from tests.support.product import Product

ONE = ("--reason", "because")


@pytest.fixture
def three(product: Product) -> Product:
    for name in ("0010_a.sh", "0020_b.sh", "3010_c.sh"):
        product.step(f"upgrade/{name}")
    return product


def write(product: Product, text: str) -> None:
    product.state.mkdir(exist_ok=True)
    (product.state / "upgrade-history").write_text(text)


def reasons(product: Product) -> dict[str, str]:
    return {
        s["id"].rpartition("/")[2]: s["reason"] for s in product.run("plan", "-o", "json").json()["steps"]
    }


def changes(product: Product) -> list[tuple[str, list[str], str]]:
    lines = (product.state / "history-changes.jsonl").read_text().splitlines()
    return [(entry["change"], entry["steps"], entry["reason"]) for entry in map(json.loads, lines)]


def test_a_plain_list_of_names_is_a_history_in_any_order(three: Product) -> None:
    write(three, "# from the old tool\n3010_c.sh\n\n0010_a.sh\n")
    assert reasons(three) == {"0010_a.sh": "done", "0020_b.sh": "due", "3010_c.sh": "done"}
    three.run("upgrade", "-y").expect(0)
    assert three.ran() == ["0020"]
    text = (three.state / "upgrade-history").read_text()
    assert text.startswith("# from the old tool\n3010_c.sh\n\n0010_a.sh\n0020_b.sh\t2")


def test_a_last_line_without_an_end_is_a_line(three: Product) -> None:
    write(three, "0010_a.sh")
    three.run("upgrade", "-y").expect(0)
    assert three.ran() == ["0020", "3010"]
    assert set(three.history()) == {"0010_a.sh", "0020_b.sh", "3010_c.sh"}


def test_line_ends_of_windows_are_no_part_of_a_name(three: Product) -> None:
    write(three, "0010_a.sh\r\n3010_c.sh\r\n")
    three.run("upgrade", "-y").expect(0)
    assert three.ran() == ["0020"]


def test_a_line_has_name_time_digest_and_details(three: Product) -> None:
    three.run("upgrade", "-y").expect(0)
    name, time, digest, *details = (three.state / "upgrade-history").read_text().splitlines()[0].split("\t")
    assert name == "0010_a.sh"
    assert time.endswith("Z")
    assert len(digest) == 64
    assert {"status=done", "version=2.0"} <= set(details)
    assert any(detail.startswith("run=0001-") for detail in details)


def test_a_line_taken_out_makes_the_step_due_again(three: Product) -> None:
    three.run("upgrade", "-y").expect(0)
    path = three.state / "upgrade-history"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "0020" not in line))
    assert three.run("pending").expect(1).out.splitlines()[0] == "upgrade/0020_b.sh  due"
    three.run("upgrade", "-y").expect(0)
    assert three.ran() == ["0010", "0020", "3010", "0020"]


def test_a_lower_number_that_comes_later_runs_and_the_plan_says_so(three: Product) -> None:
    three.run("upgrade", "-y").expect(0)
    three.step("upgrade/0005_late.sh")
    assert "new, although 3010_c.sh already ran" in three.run("plan").expect(0).out
    three.run("upgrade", "-y").expect(0)
    assert three.ran()[-1] == "0005"


def test_a_script_that_changed_since_it_ran_is_a_note_and_does_not_run(three: Product) -> None:
    three.run("upgrade", "-y").expect(0)
    three.step("upgrade/0010_a.sh", "echo changed")
    line = next(line for line in three.run("plan").expect(0).out.splitlines() if "0010_a.sh" in line)
    assert "changed since it ran" in line
    assert "Nothing to do." in three.run("upgrade", "-y").expect(0).out


def test_a_history_edited_while_a_run_is_under_way_is_not_lost(three: Product) -> None:
    write(three, "0001_by_hand.sh\n")
    path = three.state / "upgrade-history"
    # As an editor does it: a new file in the place of the old one.
    edit = f"sed -i 's/by_hand/by_editor/' {path}"
    three.step("upgrade/0010_a.sh", edit)
    three.run("upgrade", "-y").expect(0)
    assert set(three.history()) == {"0001_by_editor.sh", "0010_a.sh", "0020_b.sh", "3010_c.sh"}


def test_mark_done_and_skip_keep_steps_from_running(three: Product) -> None:
    assert "0010_a.sh: counts as done" in three.run("history", "mark-done", "0010", *ONE).expect(0).out
    three.run("history", "skip", "upgrade/3010_c.sh", *ONE).expect(0)
    assert reasons(three) == {"0010_a.sh": "marked done", "0020_b.sh": "due", "3010_c.sh": "skipped"}
    three.run("upgrade", "-y").expect(0)
    assert three.ran() == ["0020"]
    assert three.history() == {"0010_a.sh": "marked", "3010_c.sh": "skipped", "0020_b.sh": "done"}
    assert changes(three) == [("marked", ["0010_a.sh"], "because"), ("skipped", ["3010_c.sh"], "because")]


def test_redo_makes_a_step_due_again(three: Product) -> None:
    three.run("upgrade", "-y").expect(0)
    three.run("history", "redo", "0020", *ONE).expect(0)
    assert reasons(three)["0020_b.sh"] == "due"
    assert "due already" in three.run("history", "redo", "0020", *ONE).expect(2).err
    assert changes(three) == [("redo", ["0020_b.sh"], "because")]


def test_baseline_takes_everything_as_done_once(three: Product) -> None:
    assert three.run("history", "baseline").expect(0).out.startswith("3 steps recorded")
    assert three.run("history", "baseline").expect(0).out.startswith("0 steps recorded")
    three.run("pending").expect(0)
    assert set(three.history().values()) == {"baseline"}
    three.step("upgrade/0030_new.sh")
    three.run("upgrade", "-y").expect(0)
    assert three.ran() == ["0030"]


def test_forget_takes_out_names_of_steps_that_exist_no_more(three: Product) -> None:
    write(three, "0001_gone.sh\n0010_a.sh\n")
    three.run("history", "forget", "0001_gone.sh", *ONE).expect(0)
    assert list(three.history()) == ["0010_a.sh"]
    assert "not in the history" in three.run("history", "forget", "0001_gone.sh", *ONE).expect(2).err


def test_import_takes_over_a_list_without_touching_what_is_known(three: Product) -> None:
    three.run("history", "skip", "0010", *ONE).expect(0)
    (three.directory / "list").write_text("0010_a.sh\n0020_b.sh\n0000_foreign\n")
    three.run("history", "import", str(three.directory / "list"), *ONE).expect(0)
    assert three.history() == {"0010_a.sh": "skipped", "0020_b.sh": "imported", "0000_foreign": "imported"}
    three.run("upgrade", "-y").expect(0)
    assert three.ran() == ["3010"]
    assert three.run("history", "import", "/nonexistent", *ONE).expect(78).err
    (three.directory / "list").write_text("\n# nothing\n")
    assert "holds no step names" in three.run("history", "import", str(three.directory / "list"), *ONE).err


def test_the_list_shows_who_did_what_and_why(three: Product) -> None:
    three.run("history", "mark-done", "0010", "--reason", "tab\tand\nline, 100% ünïcode").expect(0)
    entry = three.run("history", "list", "-o", "json").json()[0]
    assert (entry["name"], entry["status"]) == ("0010_a.sh", "marked")
    assert entry["reason"] == "tab\tand\nline, 100% ünïcode"
    assert entry["by"]
    assert len((three.state / "upgrade-history").read_text().splitlines()) == 1
    assert len(three.run("history", "list").out.splitlines()) == 2, "a head and one line"


@pytest.mark.parametrize("verb", ["mark-done", "skip", "redo", "forget", "import"])
def test_every_change_needs_a_reason(three: Product, verb: str) -> None:
    assert "--reason" in three.run("history", verb, "0010").expect(2).err
    assert "reason" in three.run("history", verb, "0010", "--reason", " ").expect(2).err
    assert not (three.state / "upgrade-history").exists()


def test_a_step_that_is_not_there_cannot_be_marked(three: Product) -> None:
    assert "scripts list" in three.run("history", "mark-done", "0777", *ONE).expect(2).err
    three.step("default/0100_always.sh")
    assert "0100" in three.run("history", "mark-done", "0100", *ONE).expect(2).err
    assert not (three.state / "upgrade-history").exists()


def test_data_of_a_newer_version_is_refused(three: Product) -> None:
    three.run("upgrade", "-y").expect(0)
    three.config["product"]["version"] = "1.10"
    three.save()
    three.step("upgrade/0030_new.sh")
    outcome = three.run("upgrade", "-y").expect(4)
    assert "last upgraded by 2.0, this is 1.10" in outcome.err
    assert "0030" not in three.ran()
    three.run("plan").expect(4)
    three.config["product"]["version"] = "2.0.1"
    three.save()
    three.run("upgrade", "-y").expect(0)


# on-change ----------------------------------------------------------------------------------------


def test_an_on_change_step_runs_when_it_or_its_inputs_changed(product: Product) -> None:
    settings = product.directory / "settings"
    header = f"#run: on-change\n#inputs: {settings}*"
    product.step("default/0010_index.sh", "", header)
    for act in (
        lambda: None,
        lambda: settings.write_text("one"),
        lambda: settings.write_text("two"),
        lambda: product.step("default/0010_index.sh", "# changed", header),
        settings.unlink,
    ):
        act()
        product.run("pending").expect(1)
        product.run("upgrade", "-y").expect(0)
        product.run("pending").expect(0)
        product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0010"] * 5


@pytest.mark.parametrize("number", ["0020", "6020"])
def test_an_on_change_step_runs_when_an_earlier_step_changed_its_inputs(
    product: Product, number: str
) -> None:
    settings = product.directory / "settings"
    product.step(f"default/{number}_index.sh", "", f"#run: on-change\n#inputs: {settings}")
    product.run("upgrade", "-y").expect(0)
    product.step("upgrade/0010_settings.sh", f"echo new >{settings}")
    product.step(f"default/{int(number) + 10:04}_last.sh")
    out = product.run("upgrade", "-y").expect(0).out
    assert product.ran() == [number, "0010", number, f"{int(number) + 10:04}"]
    assert f"default/{number}_index.sh has become due" in out
    product.run("pending").expect(0)


def test_also_in_a_phase_that_no_other_step_needs(product: Product) -> None:
    settings = product.directory / "settings"
    product.step("default/6020_index.sh", "", f"#run: on-change\n#inputs: {settings}")
    product.run("upgrade", "-y").expect(0)
    product.step("upgrade/0010_settings.sh", f"echo new >{settings}")
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["6020", "0010", "6020"]


def test_what_becomes_due_is_still_subject_to_selection_and_consent(product: Product) -> None:
    settings = product.directory / "settings"
    header = f"#run: on-change\n#inputs: {settings}"
    product.step("default/0020_index.sh", "", header)
    product.step("default/0030_risky.sh", "", f"{header}\n#risk: eats data")
    product.run("upgrade", "-y", "--accept", "0030").expect(0)
    product.trace.unlink()
    product.step("upgrade/0010_settings.sh", f"echo new >{settings}")
    product.run("upgrade", "-y", "--only", "0010").expect(0)
    assert product.ran() == ["0010"]
    product.run("upgrade", "-y").expect(6)
    product.run("history", "redo", "0010", *ONE).expect(0)
    settings.unlink()
    product.run("upgrade", "-y", "--skip", "0020", "--skip", "0030", "--reason", "x").expect(0)
    assert product.ran() == ["0010", "0010"]
