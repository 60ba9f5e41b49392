# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator runs bundle`: one file with what support needs and none of the secrets, wherever they stood."""

import base64
import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.disks import small_disk
from tests.support.nobody import without_power
from tests.support.product import Product, process_service
from tests.support.requirements import require
from tests.support.servers import free_port, wait_until
from tests.support.terminal import at_terminal

# Each is planted in the place it is named for.
SECRETS = {
    "environment": 'Pl4nted-environment\'s "one"',
    "service": "Pl4nted-service%/+one",
    "command line": "Pl4ntedCommandLine",
    "header": "Pl4ntedHeader.abc",
    "file": "Pl4nted-file one",
    "address": "Pl4nted-address",
    "output": "Pl4nted-output",
    "script": "Pl4nted-script",
    "log": "Pl4nted-log-of-a-service",
    "reason": "Pl4nted-reason",
}
KEY = "MIIEvPl4ntedabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOP"


def forms(value: str) -> set[bytes]:
    raw = {
        value,
        quote(value, safe=""),
        base64.b64encode(value.encode()).decode(),
        json.dumps(value)[1:-1],
        shlex.quote(value).strip("'"),
    }
    return {one.encode() for one in raw}


def unpacked(file: Path, into: Path) -> Path:
    """With the real tar; the one directory that is in it."""
    require(shutil.which("zstd") is not None, "no zstd for tar")
    into.mkdir()
    subprocess.run(["tar", "--zstd", "-C", into, "-xf", file], check=True)
    (root,) = into.iterdir()
    return root


def bundled(product: Product, *words: str, **options: Any) -> Path:
    """The directory of the bundle that the command made in the product's directory."""
    outcome = product.run("runs", "bundle", *words, cwd=product.directory, **options).expect(0)
    (file,) = product.directory.glob("*.tar.zst")
    assert file.name in outcome.out
    return unpacked(file, product.directory / "unpacked")


def with_secrets(product: Product) -> None:
    port = free_port()
    directory = product.directory
    (directory / "redis.pw").write_text(SECRETS["file"] + "\n")
    web = process_service("application", port, env={"WEB_TOKEN": SECRETS["service"]})
    web["ready"].append(
        {"http": {"url": f"http://127.0.0.1:{port}/", "headers": {"X-Token": SECRETS["header"]}}}
    )
    web["log"] = str(directory / "web.log")
    product.config |= {
        "environment": {"DB_PASSWORD": SECRETS["environment"], "PLAIN": "plain-one"},
        "services": {"web": web},
        "notify": [{"at": ["end"], "command": ["true", "--api-key", SECRETS["command line"]]}],
        "content": {
            "database": f"postgresql://u:{SECRETS['address']}@127.0.0.1/x",
            "mirrors": "mirrors.yaml",
        },
    }
    (directory / "mirrors.yaml").write_text(
        f"x: {{auth: {{user: u, password_file: {directory}/redis.pw}}}}\n"
    )
    (directory / "web.log").write_text(f"serving with secret={SECRETS['log']}\n")
    product.save()


def test_of_all_planted_secrets_none_is_inside(product: Product) -> None:
    with_secrets(product)
    told = "\n".join(
        [
            "env",
            'printf "login as %s\\n" "$DB_PASSWORD"',
            f"echo {shlex.quote(SECRETS['file'])} and {base64.b64encode(SECRETS['service'].encode()).decode()}",
            f"echo url http://h/?q={quote(SECRETS['environment'], safe='')}",
            f'echo \'{{"token": "{SECRETS["output"]}"}}\'',
            f"ADMIN_PASSWORD={SECRETS['script']}",
            f"printf -- '-----BEGIN PRIVATE KEY-----\\n{KEY}\\n-----END PRIVATE KEY-----\\n'",
            f'echo \'{{"name": "note", "text": "{SECRETS["command line"]}"}}\' >>"$ORCHESTRATOR_EVENTS"',
            "exit 1",
        ]
    )
    product.step("upgrade/6100_fails.sh", told)
    product.run("upgrade", "-y").expect(1)
    product.step(f"upgrade/6200_{SECRETS['command line']}.sh")
    product.run("history", "skip", "6200", "--reason", f"password: {SECRETS['reason']}").expect(0)

    root = bundled(product)
    inside = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    names = "\n".join(map(str, root.rglob("*"))).encode()
    for place, secret in SECRETS.items():
        for form in forms(secret):
            assert form not in names, place
            assert not [path for path, data in inside.items() if form in data], place
    assert not [path for path, data in inside.items() if KEY[:20].encode() in data]

    log = (root / "run/steps/upgrade/6100_fails.sh.attempt-1.log").read_text()
    assert "DB_PASSWORD=[removed]" in log
    assert "PLAIN=plain-one" in log
    assert "login as [removed]\n" in log
    for line in (root / "run/journal.jsonl").read_text().splitlines():
        json.loads(line)
    contents = json.loads((root / "contents.json").read_text())
    assert contents["removed"] >= 10
    assert {file["path"]: file["size"] for file in contents["files"]} == {
        str(path.relative_to(root)): len(data)
        for path, data in inside.items()
        if path.name not in ("CONTENTS.txt", "contents.json")
    }


def test_everything_support_asks_for_is_inside(product: Product) -> None:
    product.step("default/0100_works.sh", "echo done by 0100")
    product.run("upgrade", "-y").expect(0)
    root = bundled(product)
    assert not root.name.endswith(".zst")
    wanted = (
        "CONTENTS.txt run/plan.json run/journal.jsonl run/steps/default/0100_works.sh.attempt-1.log report.html "
        "report.json scripts/default/0100_works.sh scripts.json configuration/orchestrator.yaml services.json "
        "configuration/phases-0/10-backends-down.yaml state/format.json host/uname.txt host/versions.txt "
        "host/etc-os-release.txt host/disks.txt host/sockets.txt"
    )
    assert not [name for name in wanted.split() if not (root / name).exists()]
    listed = (root / "CONTENTS.txt").read_text()
    assert "run/journal.jsonl" in listed
    assert "done by 0100" in (root / "run/steps/default/0100_works.sh.attempt-1.log").read_text()
    assert {path.stat().st_mode & 0o777 for path in root.rglob("*") if path.is_file()} == {0o600}


def test_a_bundle_is_for_its_owner_and_replaces_an_older_one(product: Product) -> None:
    file = product.directory / "x.tar.zst"
    file.write_text("an older one")
    file.chmod(0o644)
    product.run("runs", "bundle", "-o", str(file)).expect(0)
    assert file.stat().st_mode & 0o777 == 0o600
    assert unpacked(file, product.directory / "unpacked").name == "x"
    assert not list(product.directory.glob(".x*"))


def test_without_a_run_the_host_is_told_of(product: Product) -> None:
    root = bundled(product)
    assert root.name == "orchestrator-bundle-no-run"
    assert "run:           none" in (root / "CONTENTS.txt").read_text()
    assert (root / "host/uname.txt").exists()
    assert product.run("runs", "bundle", "7").expect(2).err.startswith("orchestrator: there is no run 7")


def test_a_broken_configuration_does_not_keep_it_from_being_made(product: Product) -> None:
    product.step("default/0100_works.sh")
    product.run("upgrade", "-y").expect(0)
    product.config |= {"colour": "red", "environment": {"DB_PASSWORD": SECRETS["environment"]}}
    product.save()
    root = bundled(product)
    assert "colour" in (root / "configuration/problems.txt").read_text()
    assert (root / "run/journal.jsonl").exists()
    assert "Pl4nted" not in (root / "configuration/orchestrator.yaml").read_text()

    shutil.rmtree(product.directory / "unpacked")
    product.file.write_text(f"password: {SECRETS['script']}\nthis is: no: YAML\n")
    (product.directory / "orchestrator-bundle-no-run.tar.zst").unlink(missing_ok=True)
    for old in product.directory.glob("*.tar.zst"):
        old.unlink()
    root = bundled(product)
    assert (root / "configuration/orchestrator.yaml").read_text().startswith("password: [removed]\n")


def test_a_run_under_way_can_be_bundled(product: Product) -> None:
    product.step("default/0100_waits.sh", f"while ! test -e {product.directory}/go; do sleep 0.05; done")
    runner = product.start("upgrade", "-y")
    try:
        wait_until(lambda: bool(product.ran()), "the step runs")
        root = bundled(product)
        assert json.loads((root / "state/lock").read_text())["step"] == "default/0100_waits.sh"
        assert (root / "state/status.json").exists()
        assert (root / "report.html").exists()
    finally:
        (product.directory / "go").touch()
        runner.communicate(timeout=30)
    assert runner.returncode == 0


def test_to_stdout_goes_the_bundle_alone_and_of_a_long_log_both_ends(product: Product) -> None:
    product.step("default/0100_talks.sh", "seq 1 200000")
    product.run("upgrade", "-y", "-o", "json").expect(0)
    argv = product.argv("runs", "bundle", "-o", "-", "--log-size", "20 KiB")
    done = subprocess.run(
        argv, env=product.environment(), capture_output=True, check=True, cwd=product.directory
    )
    assert b"Look at CONTENTS.txt" in done.stderr
    file = product.directory / "it.tar.zst"
    file.write_bytes(done.stdout)
    root = unpacked(file, product.directory / "unpacked")
    assert root.name.startswith("orchestrator-bundle-0001-")
    log = root / "run/steps/default/0100_talks.sh.attempt-1.log"
    lines = log.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("1", "200000")
    assert log.stat().st_size < 21 * 1024
    assert sum("left out" in line for line in lines) == 1
    assert "of its middle left out" in (root / "CONTENTS.txt").read_text()


def test_a_full_disk_is_said_and_leaves_nothing(product: Product) -> None:
    with small_disk(product.directory / "full", "24k") as disk:
        file = disk / "x.tar.zst"
        outcome = product.run("runs", "bundle", "-o", str(file)).expect(1)
        assert "No space left on device" in outcome.err
        assert "-> " in outcome.err
        assert not list(disk.iterdir())
        with (disk / "out").open("wb") as stream:
            argv = product.argv("runs", "bundle", "-o", "-")
            done = subprocess.run(
                argv, env=product.environment(), stdout=stream, stderr=subprocess.PIPE, check=False
            )
        assert done.returncode == 1
        assert b"No space left on device" in done.stderr


@pytest.mark.parametrize(
    ("output", "message"),
    [("/nonexistent/x.tar.zst", "there is no directory /nonexistent"), ("/tmp", "/tmp is a directory")],
)
def test_a_place_that_cannot_be_is_said_before_anything_is_collected(
    product: Product, output: str, message: str
) -> None:
    assert message in product.run("runs", "bundle", "-o", output).expect(2).err


def test_whoever_may_not_see_all_gets_what_they_may(product: Product) -> None:
    product.step("default/0100_works.sh")
    product.run("upgrade", "-y").expect(0)
    (run,) = (product.state / "runs").iterdir()
    (run / "plan.json").chmod(0)
    outcome = product.run("runs", "bundle", cwd=product.directory, wrapper=without_power()).expect(0)
    assert "could not be collected; CONTENTS.txt says why" in outcome.out
    (file,) = product.directory.glob("*.tar.zst")
    root = unpacked(file, product.directory / "unpacked")
    listed = (root / "CONTENTS.txt").read_text()
    assert "run/plan.json (the plan as it was confirmed): Permission denied" in listed
    assert (root / "run/journal.jsonl").exists()
    assert (root / "scripts/default/0100_works.sh").exists()

    (product.state / "runs").chmod(0)
    outcome = product.run("runs", "bundle", cwd=product.directory, wrapper=without_power()).expect(0)
    assert "no-run" in outcome.out


def test_a_terminal_is_told_what_is_collected(product: Product) -> None:
    argv = product.argv("runs", "bundle", "-o", str(product.directory / "x.tar.zst"))
    with at_terminal(argv, product.environment()) as terminal:
        assert terminal.wait() == 0
        assert "Collecting host/" in terminal.text
        assert "Look at CONTENTS.txt" in terminal.text
    with at_terminal(product.argv("runs", "bundle", "-o", "-"), product.environment()) as terminal:
        assert terminal.wait() == 2
        assert "no text for a terminal" in terminal.text


def test_ctrl_c_leaves_nothing(product: Product) -> None:
    file = product.directory / "x.tar.zst"
    with at_terminal(product.argv("runs", "bundle", "-o", str(file)), product.environment()) as terminal:
        terminal.expect("Collecting")
        terminal.type("\x03")
        assert terminal.wait() == 130
    assert not list(product.directory.glob("*x.tar*"))
