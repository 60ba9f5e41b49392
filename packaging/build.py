#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds orchestrator_VERSION_ARCH.deb and orchestrator-VERSION-1.ARCH.rpm from the checkout, in one go.

    python packaging/build.py [--interpreter /usr/bin/python3] [--out dist]

The packages are for the Python version of the interpreter that is named (default: the distribution's, when it is new
enough), for the architecture of this machine. The same checkout gives the same bytes: times are those of
SOURCE_DATE_EPOCH, or of the last commit. Needs pip, dpkg-deb, rpmbuild and, for wheels that pip has not yet, its index.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from builder import deb, rpm
from builder.checkout import CHECKOUT, last_change, program_version
from builder.layout import LIBRARY, package_version
from builder.release import Release
from builder.staging import stage
from builder.vendor import BuildError, oldest_glibc, run, vendor


def main() -> int:
    options = _options()
    try:
        for package in build(options):
            sys.stdout.write(f"{package}  {package.stat().st_size / 1e6:.1f} MB\n")
    except (BuildError, ValueError) as error:
        sys.stderr.write(f"build.py: {error}\n")
        return 1
    return 0


def _options() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    option = parser.add_argument
    option("--interpreter", type=Path, help="the Python that the packages are for")
    option("--out", type=Path, default=CHECKOUT / "dist", help="where the packages go")
    option("--package-version", help="another version than the program's, for a rebuild")
    option("--level", type=int, default=9, help="of the compression, 1 to 19")
    option("--dependencies", type=Path, help="keep the vendored dependencies here, and take them from here")
    return parser.parse_args()


def build(options: argparse.Namespace) -> list[Path]:
    """Both packages. Raises BuildError."""
    interpreter = options.interpreter or default_interpreter()
    python = run([str(interpreter), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).strip()
    version = package_version(options.package_version or program_version())
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="orchestrator-packages-") as scratch:
        dependencies = options.dependencies or Path(scratch) / "dependencies"
        if not dependencies.is_dir():
            fresh = dependencies.with_name(f"{dependencies.name}.new")
            shutil.rmtree(fresh, ignore_errors=True)
            vendor(CHECKOUT, interpreter, fresh)
            fresh.rename(dependencies)
        tree = Path(scratch) / "tree"
        epoch = last_change()
        stage(tree, dependencies, interpreter, python, epoch)
        release = Release(version, python, oldest_glibc(tree / LIBRARY), epoch, options.level)
        sources = CHECKOUT / "packaging"
        with ThreadPoolExecutor() as pool:
            made_rpm = pool.submit(rpm.build, tree, sources / "orchestrator.spec.in", release, options.out)
            made_deb = pool.submit(deb.build, tree, sources / "deb", release, options.out)
            return [made_deb.result(), made_rpm.result()]


def default_interpreter() -> Path:
    """The distribution's, which is there wherever the package is installed; ours, when that one is too old."""
    distributions = Path("/usr/bin/python3")
    asked = "import sys; sys.exit(sys.version_info < (3, 11))"
    if distributions.exists() and not subprocess.run([distributions, "-c", asked], check=False).returncode:
        return distributions
    return Path(sys.executable)


if __name__ == "__main__":
    sys.exit(main())
