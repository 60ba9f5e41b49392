#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the example packages: bookshelf 1.0 and 2.0, bookshelf-covers 1.0; each as a .deb and as an .rpm.

    build.py [--kind deb|rpm] [--output DIRECTORY]

Needs dpkg-deb, or rpmbuild. What a package is made of lies in the directory of its name: `files` as they are to
lie, `files-VERSION` of one version alone, the control files in `deb`, and the spec.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = (("bookshelf", "1.0"), ("bookshelf", "2.0"), ("bookshelf-covers", "1.0"))
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")


def main() -> int:
    options = parse_options()
    options.output.mkdir(parents=True, exist_ok=True)
    try:
        for built in build(options.kind or ("deb", "rpm"), options.output):
            print(built)
    except subprocess.CalledProcessError as error:
        print(f"build.py: {error.cmd[0]} failed:\n{error.stdout}", file=sys.stderr)
        return 1
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", action="append", choices=("deb", "rpm"), help="only this kind")
    parser.add_argument(
        "--output", type=Path, default=Path("dist"), help="where the packages go (%(default)s)"
    )
    return parser.parse_args()


def build(kinds: Iterable[str], output: Path) -> Iterator[Path]:
    """The packages' files. Raises CalledProcessError."""
    for name, version in PACKAGES:
        with tempfile.TemporaryDirectory() as place:
            tree = stage(name, version, Path(place, "tree"))
            for kind in kinds:
                yield BUILDERS[kind](name, version, tree, output)


def stage(name: str, version: str, tree: Path) -> Path:
    """The package's files with the modes that they are to have, whatever the umask of the checkout was."""
    for part in ("files", f"files-{version}"):
        if (HERE / name / part).is_dir():
            shutil.copytree(HERE / name / part, tree, dirs_exist_ok=True)
    if name == "bookshelf":
        (tree / "usr/lib/bookshelf/VERSION").write_text(f"{version}\n")
    for path in (tree, *tree.rglob("*")):
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    return tree


def build_deb(name: str, version: str, tree: Path, output: Path) -> Path:
    control = shutil.copytree(HERE / name / "deb", tree / "DEBIAN")
    control.chmod(0o755)
    for path in control.iterdir():
        path.write_text(path.read_text().replace("@VERSION@", version))
        path.chmod(0o755 if path.name in SCRIPTS else 0o644)
    package = output / f"{name}_{version}_all.deb"
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(tree), str(package))
    shutil.rmtree(control)
    return package


def build_rpm(name: str, version: str, tree: Path, output: Path) -> Path:
    with tempfile.TemporaryDirectory() as place:
        definitions = {
            "_topdir": place,
            "_rpmdir": str(output.resolve()),
            "_rpmfilename": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
            "_binary_payload": "w6.gzdio",
            "__os_install_post": "%{nil}",
            "tree": str(tree),
            "version": version,
        }
        words = [word for key, value in definitions.items() for word in ("--define", f"{key} {value}")]
        run("rpmbuild", "-bb", "--quiet", "--nodeps", *words, str(HERE / name / f"{name}.spec"))
    return output / f"{name}-{version}-1.noarch.rpm"


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


BUILDERS = {"deb": build_deb, "rpm": build_rpm}


if __name__ == "__main__":
    sys.exit(main())
