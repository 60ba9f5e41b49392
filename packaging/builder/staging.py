# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree as it will be installed, made in a directory: the vendored dependencies and the entries of the layout."""

import os
import shutil
from pathlib import Path

from builder.checkout import CHECKOUT, files
from builder.layout import DOC, LIBRARY, Entry, layout
from builder.vendor import compile_below, licences, run

# By the program's own library: `--show-completion` would look at the shell it runs in.
_COMPLETIONS = """
import sys
sys.path.insert(0, sys.argv[1])
from typer.completion import get_completion_script
for shell in ("bash", "zsh", "fish"):
    print(get_completion_script(prog_name="orchestrator", complete_var="_ORCHESTRATOR_COMPLETE", shell=shell))
    print("\\0")
"""


def stage(tree: Path, dependencies: Path, interpreter: Path, python: str, epoch: int) -> None:
    """Make `tree`, which must not exist. `dependencies` are linked into it where they can be."""
    library = tree / LIBRARY
    shutil.copytree(dependencies, library, copy_function=_link_or_copy)
    entries = layout(CHECKOUT, files(), python, completions(interpreter, library))
    for entry in (*entries, Entry(f"{DOC}/copyright", copyright_text(library).encode())):
        _put(tree, entry)
    compile_below(interpreter, library / "orchestrator")
    _settle(tree, epoch)


def completions(interpreter: Path, library: Path) -> dict[str, str]:
    scripts = run([str(interpreter), "-I", "-B", "-c", _COMPLETIONS, str(library)]).split("\0\n")
    return dict(zip(("bash", "zsh", "fish"), scripts, strict=False))


def copyright_text(library: Path) -> str:
    return "\n".join(
        [
            "orchestrator is free software: you can redistribute it and/or modify it under the terms of the GNU",
            "General Public License, version 3 or later, whose text is below.",
            "",
            f"These are part of the package, each under its own licence (/{LIBRARY}/*.dist-info):",
            "",
            *(f"  {line}" for line in licences(library)),
            "",
            (CHECKOUT / "LICENSE").read_text(),
        ]
    )


def _link_or_copy(source: str, target: str) -> None:
    """Nothing here writes into a file of the dependencies; their times and permissions become the packages'."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _put(tree: Path, entry: Entry) -> None:
    path = tree / entry.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if entry.link is not None:
        path.symlink_to(entry.link)
        return
    if entry.source is not None:
        shutil.copyfile(entry.source, path)
    elif entry.content is not None:
        path.write_bytes(entry.content)
    else:
        path.mkdir()
    path.chmod(entry.mode)


def _settle(tree: Path, epoch: int) -> None:
    """The same permissions and times wherever it is built, whatever the umask and whatever the wheels say."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)
