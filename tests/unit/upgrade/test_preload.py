# SPDX-License-Identifier: GPL-3.0-or-later
"""What is imported in functions, to be quick where it is not needed, is imported by a run beforehand."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orchestrator
from orchestrator.upgrade.preload import ALWAYS, FOR_SERVICES

PACKAGE = Path(orchestrator.__file__).parent
# Parts of these layers whose code is not for the process of a run, or for none after its beginning.
ELSEWHERE = {
    "config/load.py": "read before",
    "services/managers.py": "made before",
    "services/probes/__init__.py": "each service makes its own beforehand",
    "upgrade/actions/__init__.py": "parsed before",
    "upgrade/actions/restart.py": "performed by a process of its own",
    "upgrade/actions/wait.py": "performed by a process of its own",
    "upgrade/setting.py": "called before",
    "upgrade/survey.py": "called before, but for what imports nothing of ours",
}


def inner_imports(path: Path) -> Iterator[str]:
    """Modules imported inside functions."""
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import):
                    yield from (alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    yield node.module
                    inner = (f"{node.module}.{alias.name}" for alias in node.names)
                    yield from (name for name in inner if is_module(name))


def is_module(name: str) -> bool:
    return PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py").exists()


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def test_a_run_imports_beforehand_what_its_layers_import_in_functions() -> None:
    preloaded = (*ALWAYS, *FOR_SERVICES)
    program = f"import orchestrator.upgrade.begin, {', '.join(preloaded)}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    known = set(done.stdout.split())
    missing = {
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in PACKAGE.rglob("*.py")
        if module_of(path) in known and str(path.relative_to(PACKAGE)) not in ELSEWHERE
        for name in inner_imports(path)
        if name not in known and name.partition(".")[0] not in sys.stdlib_module_names
    }
    assert not missing
