# SPDX-License-Identifier: GPL-3.0-or-later
"""rpms that carry a signature of their own, as vendors' do; made by rpmsign."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.openpgp import Key
from tests.support.requirements import require


def sign_rpms(directory: Path, key: Key) -> None:
    """Sign every .rpm below `directory`. Files that are linked from elsewhere stay as they are there."""
    require(shutil.which("rpmsign") is not None, "rpmsign (apt: rpm)")
    files = sorted(directory.rglob("*.rpm"))
    for file in files:
        own = file.with_suffix(".own")
        shutil.copyfile(file, own)
        own.replace(file)
    definitions = {"_gpg_name": key.fingerprint, "__gpg": shutil.which("gpg") or "gpg"}
    command = [word for name, value in definitions.items() for word in ("--define", f"{name} {value}")]
    done = subprocess.run(
        ["rpmsign", *command, "--addsign", *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GNUPGHOME": str(key.home), "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
