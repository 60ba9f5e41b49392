# SPDX-License-Identifier: GPL-3.0-or-later
"""Large indexes in little memory: twenty thousand packages, of which there is nothing but the index."""

import gzip
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.mirrored import KINDS, Kind, Mirror, deb_archive, mirrored
from tests.support.tampering import rpm_copy, write_record

COUNT = 20_000
# MiB; the interpreter and its libraries have fifty of them.
MOST = {"deb": 110, "rpm": 130}
MEASURED = """
import sys
from pathlib import Path
from orchestrator.cli.app import main
sys.argv[0] = "orchestrator"
try:
    main()
finally:
    lines = Path("/proc/self/status").read_text().splitlines()
    [peak] = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    print("peak", int(peak) >> 10, file=sys.stderr)
"""


def digest_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def stanza(number: int) -> str:
    return (
        f"Package: package{number}\nVersion: 1.{number}-1\nArchitecture: amd64\nMaintainer: Nobody <n@example.org>\n"
        f"Depends: package{number // 2}, package{number // 3} (>= 1.0)\nSection: misc\nPriority: optional\n"
        f"Description: One of many\n With a description\n of some lines, as there are.\n"
        f"Filename: pool/main/p/package{number}.deb\nSize: {1000 + number}\nSHA256: {digest_of(number)}\n\n"
    )


def element(number: int) -> str:
    return (
        f'<package type="rpm"><name>package{number}</name><arch>x86_64</arch>'
        f'<version epoch="0" ver="1.{number}" rel="1"/>'
        f'<checksum type="sha256" pkgid="YES">{digest_of(number)}</checksum><summary>One of many</summary>'
        f"<description>With a description of some length, as there are.</description><packager/><url/>"
        f'<time file="1700000000" build="1700000000"/><size package="{1000 + number}" installed="1" archive="1"/>'
        f'<location href="Packages/package{number}.rpm"/><format><rpm:license>MIT</rpm:license>'
        f"<rpm:group>Unspecified</rpm:group><rpm:buildhost>b</rpm:buildhost>"
        f"<rpm:sourcerpm>package{number}-1.{number}-1.src.rpm</rpm:sourcerpm>"
        f'<rpm:header-range start="1" end="2"/>'
        f'<rpm:provides><rpm:entry name="package{number}" flags="EQ" epoch="0" ver="1.{number}" rel="1"/>'
        f"</rpm:provides>"
        f'<rpm:requires><rpm:entry name="package{number // 2}"/><rpm:entry name="package{number // 3}"/>'
        f"</rpm:requires></format></package>\n"
    )


def large(kind: Kind, root: Path) -> None:
    if kind == "deb":
        text = "".join(map(stanza, range(COUNT))).encode()
        made = deb_archive(root, 2)
        made.files = {"main/binary-amd64/Packages.gz": gzip.compress(text, 1)}
        made.files["main/binary-amd64/Packages"] = text
        for name in made.files:
            made.add(name)
        made.sign()
        return
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<metadata xmlns="http://linux.duke.edu/metadata/common"'
        f' xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="{COUNT}">\n'
    )
    write_record(
        rpm_copy(root), "primary", f"{head}{''.join(map(element, range(COUNT)))}</metadata>\n".encode()
    )


def measured(mirror: Mirror, *words: str) -> tuple[int, str]:
    """The peak of memory in MiB, and what was told."""
    mirror.configure()
    argv = [sys.executable, "-c", MEASURED, "mirror", "clone", *words, "--config", str(mirror.config)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return int(done.stderr.rpartition("peak ")[2]), done.stdout


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("partial", [False, True], ids=["full", "partial"])
def test_the_plan_for_twenty_thousand_packages_takes_little_memory(
    kind: Kind, partial: bool, tmp_path: Path
) -> None:
    with mirrored(kind, tmp_path) as mirror:
        if partial:
            mirror.source["requirements"] = ["package19999"]
        large(kind, tmp_path / "large")
        mirror.server.root = tmp_path / "large"
        peak, told = measured(mirror, "--dry-run")
    assert ("20000 packages" in told) is not partial
    assert "to download" in told
    assert peak <= MOST[kind]
