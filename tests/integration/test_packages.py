# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the .deb and in the .rpm: complete, the same in both, clean of the machine that built them."""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import __version__
from tests.support.packages import PYTHON, ROOT, Built, built_packages

pytestmark = [pytest.mark.slow]

LIBRARY = "usr/lib/orchestrator/python"
# Imports every module with nothing but the standard library and what was packaged; prints what came from elsewhere.
IMPORT_ALL = """
import os, sys
from pathlib import Path
library = Path(sys.argv[1])
sys.path.insert(0, str(library))
names = [".".join(path.relative_to(library).with_suffix("").parts) for path in sorted(library.glob("orchestrator/**/*.py"))]
for name in names:
    if not name.endswith("__main__") and ".migrations." not in name:
        __import__(name.removesuffix(".__init__"))
import psycopg, psycopg_binary, sqlalchemy.dialects.postgresql.psycopg, yaml._yaml, zstandard.backend_c
standard = os.path.dirname(os.__file__)
print([module.__file__ for module in list(sys.modules.values())
       if getattr(module, "__file__", None) and not module.__file__.startswith((str(library), standard))])
"""


def output(*words: str | Path) -> str:
    return subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def built() -> Built:
    return built_packages()


@pytest.fixture(scope="module")
def tree(built: Built) -> Iterator[Path]:
    """The .deb, unpacked, its control files in DEBIAN."""
    directory = Path(tempfile.mkdtemp(prefix="unpacked-"))
    try:
        output("dpkg-deb", "--raw-extract", built.deb, directory / "tree")
        yield directory / "tree"
    finally:
        shutil.rmtree(directory)


def listing(deb: Path) -> list[list[str]]:
    """mode, owner, path of each file."""
    rows = [line.split(maxsplit=5) for line in output("dpkg-deb", "--contents", deb).splitlines()]
    return [
        [row[0], row[1], row[5].removeprefix(".").partition(" -> ")[0].rstrip("/") or "/"] for row in rows
    ]


def test_the_deb_says_what_it_needs(built: Built, tree: Path) -> None:
    python = output(PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    fields = output(
        "dpkg-deb", "--field", built.deb, "Package", "Version", "Architecture", "Depends"
    ).splitlines()
    architecture = output("dpkg", "--print-architecture").strip()
    assert fields[:3] == ["Package: orchestrator", f"Version: {__version__}", f"Architecture: {architecture}"]
    assert re.fullmatch(rf"Depends: python{re.escape(python)}, libc6 \(>= 2\.\d+\)", fields[3])
    assert (tree / "usr/bin/orchestrator").read_text().startswith(f"#!/usr/bin/python{python} -IS\n")


def test_the_rpm_needs_the_same(built: Built) -> None:
    requires = output("rpm", "-qp", "--requires", built.rpm).splitlines()
    needed = [line for line in requires if not line.startswith(("rpmlib(", "/bin/sh"))]
    assert len(needed) == 2, requires
    assert needed[0].startswith("libc.so.6(GLIBC_2.")
    assert needed[1].startswith("python(abi) = 3.")
    assert output("rpm", "-qp", "--qf", "%{VERSION}-%{RELEASE} %{PAYLOADCOMPRESSOR}", built.rpm) == (
        f"{__version__}-1 zstd"
    )


def test_everything_is_roots_and_nobody_else_may_write(built: Built) -> None:
    rows = listing(built.deb)
    assert {row[1] for row in rows} == {"root/root"}
    assert {row[0] for row in rows} == {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x", "lrwxrwxrwx"}
    executable = [row[2] for row in rows if row[0] == "-rwxr-xr-x"]
    assert all("/lib/orchestrator/" in path or path.endswith(("/orchestrator", ".sh")) or "/doc/" in path
               for path in executable), executable  # fmt: skip


def test_the_rpm_has_the_same_files(built: Built) -> None:
    in_deb = {row[2] for row in listing(built.deb) if row[0][0] != "d"}
    rows = [line.split("\t") for line in output(
        "rpm", "-qp", "--qf", "[%{FILEMODES:perms}\t%{FILEUSERNAME}\t%{FILENAMES}\n]", built.rpm
    ).splitlines()]  # fmt: skip
    assert {row[2] for row in rows if row[0][0] != "d"} == in_deb
    assert {row[1] for row in rows} == {"root"}
    owned = {row[2] for row in rows if row[0][0] == "d"}
    assert {"/etc/orchestrator/scripts.d", "/var/lib/orchestrator", "/usr/lib/orchestrator"} <= owned
    assert not owned & {"/usr/bin", "/usr/lib/systemd/system", "/usr/share/man/man8", "/etc/logrotate.d"}
    assert output("rpm", "-qpc", built.rpm).split() == ["/etc/logrotate.d/orchestrator"]


def test_every_man_page_unit_and_completion_is_there(tree: Path) -> None:
    for page in (ROOT / "man").iterdir():
        packed = tree / f"usr/share/man/man{page.suffix[1:]}" / f"{page.name}.gz"
        assert gzip.decompress(packed.read_bytes()) == page.read_bytes()
    units = {path.name for path in (tree / "usr/lib/systemd/system").iterdir()}
    assert units == {
        "orchestrator-boot.service",
        "orchestrator-upgrade.service",
        "orchestrator-mirror.service",
        "orchestrator-mirror.timer",
    }
    for path in (
        "usr/share/bash-completion/completions/orchestrator",
        "usr/share/zsh/site-functions/_orchestrator",
        "usr/share/fish/vendor_completions.d/orchestrator.fish",
        "usr/share/orchestrator/systemd/10-orchestrator-gate.conf",
        "usr/share/orchestrator/phases/10-backends-down.yaml",
        "usr/share/orchestrator/scripts.d/check/0010_disk_space.sh",
        "usr/share/doc/orchestrator/examples/orchestrator.yaml",
    ):
        assert (tree / path).stat().st_size, path
    assert os.readlink(tree / "usr/lib/motd.d/orchestrator") == "/var/lib/orchestrator/motd"
    assert not list((tree / "etc/orchestrator/scripts.d").iterdir())


def test_the_control_files_are_right(tree: Path) -> None:
    about = tree / "DEBIAN"
    assert (about / "conffiles").read_text() == "/etc/logrotate.d/orchestrator\n"
    assert (about / "triggers").read_text().splitlines()[1:] == [
        "interest-noawait /usr/share/orchestrator/scripts.d",
        "interest-noawait /etc/orchestrator/scripts.d",
        "interest-noawait orchestrator-upgrade",
    ]
    subprocess.run(["md5sum", "--check", "--quiet", "DEBIAN/md5sums"], cwd=tree, check=True)
    assert all((about / script).stat().st_mode & 0o777 == 0o755 for script in ("postinst", "prerm", "postrm"))


def test_no_file_names_the_place_where_it_was_built(built: Built, tree: Path) -> None:
    places = (str(ROOT), str(built.deb.parent.parent), str(Path.home() / ".cache"))
    words = [word for place in places for word in ("-e", place)]
    found = subprocess.run(["grep", "-rlF", *words, str(tree)], capture_output=True, text=True, check=False)
    assert found.stdout == ""
    notes = {path.name for path in (tree / LIBRARY).glob("*.dist-info/*")}
    assert not notes & {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


def test_the_code_is_compiled_and_never_compared_with_its_source(tree: Path) -> None:
    package = tree / LIBRARY / "orchestrator"
    sources = list(package.rglob("*.py"))
    compiled = list(package.rglob("*.pyc"))
    assert len(sources) == len(compiled)
    # PEP 552: flags 1 is a hash that is not checked.
    assert {path.read_bytes()[4:8] for path in (tree / LIBRARY).rglob("*.pyc")} == {b"\1\0\0\0"}
    assert (
        f"/{LIBRARY}/orchestrator/cli/app.py".encode() in next(package.glob("cli/**/app.*.pyc")).read_bytes()
    )


def test_all_modules_load_from_the_package_alone(tree: Path) -> None:
    words = [str(PYTHON), "-I", "-S", "-B", "-W", "error", "-c", IMPORT_ALL, str(tree / LIBRARY)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


def test_the_same_checkout_gives_the_same_bytes(built: Built) -> None:
    again = built_packages("9.0")
    assert again.version == "9.0"
    trees = [hashlib.sha256(_tar(one)).hexdigest() for one in (built, again)]
    assert trees[0] == trees[1]
    payloads = [output("rpm", "-qp", "--qf", "%{PAYLOADDIGEST}", one.rpm) for one in (built, again)]
    assert payloads[0] == payloads[1]


def _tar(built: Built) -> bytes:
    return subprocess.run(["dpkg-deb", "--fsys-tarfile", built.deb], capture_output=True, check=True).stdout
