# SPDX-License-Identifier: GPL-3.0-or-later
"""What the packages hold, decided before anything is built."""

from pathlib import Path, PurePosixPath

import pytest

from orchestrator.config.shipped import share_directory
from tests.support.packages import part

layout = part("builder.layout")
vendor = part("builder.vendor")
rpm = part("builder.rpm")
deb = part("builder.deb")
release = part("builder.release")
RELEASE = release.Release(version="1.2", python="3.11", glibc="2.34", epoch=0, level=1)


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("orchestrator/cli/app.py", "usr/lib/orchestrator/python/orchestrator/cli/app.py"),
        ("phases/10-backends-down.yaml", "usr/share/orchestrator/phases/10-backends-down.yaml"),
        ("scripts.d/check/0010_a.sh", "usr/share/orchestrator/scripts.d/check/0010_a.sh"),
        ("man/orchestrator.yaml.5", "usr/share/man/man5/orchestrator.yaml.5.gz"),
        ("packaging/systemd/a.service", "usr/lib/systemd/system/a.service"),
        ("packaging/systemd/10-a.conf", "usr/share/orchestrator/systemd/10-a.conf"),
        ("packaging/systemd/90-a.preset", "usr/lib/systemd/system-preset/90-a.preset"),
        ("README.md", "usr/share/doc/orchestrator/README.md"),
        ("docs/fleet.md", "usr/share/doc/orchestrator/fleet.md"),
        ("examples/notify/mail", "usr/share/doc/orchestrator/examples/notify/mail"),
        ("examples/stack/demo.py", None),
        ("docs/decisions/0001-a.md", None),
        ("packaging/build.py", None),
        ("packaging/deb/postinst", None),
    ],
)
def test_a_file_of_the_checkout_has_one_place_or_none(file: str, place: str | None) -> None:
    assert layout.destination(file) == place


@pytest.mark.parametrize(
    ("python", "package"),
    [("0.1.0", "0.1.0"), ("1.2rc1", "1.2~rc1"), ("1.2.dev3", "1.2~dev3"), ("1.2b1.dev3", "1.2~b1~dev3")],
)
def test_a_pre_release_comes_before_its_release(python: str, package: str) -> None:
    assert layout.package_version(python) == package


def test_a_version_that_packages_cannot_sort_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1\.0\+local"):
        layout.package_version("1.0+local")


@pytest.mark.parametrize(
    "file",
    [
        "bin/alembic",
        "pydantic-2.0.dist-info/RECORD",
        "pydantic-2.0.dist-info/direct_url.json",
        "sqlalchemy/testing/suite/test_types.py",
        "sqlalchemy/engine/_row_cy.pyx",
        "psycopg_binary/_psycopg.pyi",
        "zstandard/_cffi.cpython-311-x86_64-linux-gnu.so",
    ],
)
def test_what_only_developers_and_pip_use_is_left_out(file: str) -> None:
    assert not vendor.is_needed(PurePosixPath(file))


@pytest.mark.parametrize(
    "file",
    [
        "psycopg-3.3.dist-info/METADATA",
        "rich-15.0.dist-info/licenses/LICENSE",
        "typer/testing.py",
        "binary/x.py",
    ],
)
def test_what_runs_and_what_licences_ask_for_stays(file: str) -> None:
    assert vendor.is_needed(PurePosixPath(file))


def test_zsh_finds_compdef_first_and_the_first_tab_completes() -> None:
    script = "\n#compdef orchestrator\n\nf() {\n}\n\ncompdef _orchestrator_completion orchestrator\n"
    lines = layout.autoloaded(script).splitlines()
    assert lines[0] == "#compdef orchestrator"
    assert '  _orchestrator_completion "$@"' in lines
    with pytest.raises(ValueError, match="zsh"):
        layout.autoloaded("#compdef orchestrator\n")


def test_compression_notes_neither_name_nor_time() -> None:
    assert layout.compressed(b"text")[4:8] == bytes(4)
    assert layout.compressed(b"text")[3] == 0


def test_the_rpm_owns_its_own_directories_and_none_of_the_distribution() -> None:
    listed = rpm.file_list(
        ["etc/logrotate.d/orchestrator", "usr/share/doc/orchestrator/README.md", "usr/bin/orchestrator"],
        ["etc", "etc/logrotate.d", "usr/share/man/man8", "usr/share/orchestrator", "var/lib/orchestrator"],
    )
    assert listed.splitlines() == [
        "%defattr(-,root,root,-)",
        '%dir "/usr/share/orchestrator"',
        '%dir "/var/lib/orchestrator"',
        '%config(noreplace) "/etc/logrotate.d/orchestrator"',
        '%doc "/usr/share/doc/orchestrator/README.md"',
        '"/usr/bin/orchestrator"',
    ]


def test_the_deb_is_bound_to_the_interpreter_it_was_built_for() -> None:
    fields = dict(
        line.split(": ", 1) for line in deb.control(RELEASE, "amd64", 7).splitlines() if ": " in line
    )
    assert fields["Depends"] == "python3.11, libc6 (>= 2.34)"
    assert fields["Version"] == "1.2"
    assert fields["Installed-Size"] == "7"


@pytest.mark.parametrize(
    "library",
    [
        "usr/lib/orchestrator/python",
        "usr/local/lib/python3.11/dist-packages",
        "srv/venv/lib/python3.13/site-packages",
        "home/ann/.local/lib/python3.12/site-packages",
    ],
)
def test_shipped_data_is_found_beside_whatever_holds_the_package(library: str, tmp_path: Path) -> None:
    prefix = tmp_path / library.partition("/lib/")[0]
    (prefix / "share" / "orchestrator" / "phases").mkdir(parents=True)
    (tmp_path / "share" / "orchestrator").mkdir(parents=True)
    module = tmp_path / library / "orchestrator" / "config" / "shipped.py"
    assert share_directory(module) == prefix / "share" / "orchestrator"


def test_a_checkout_uses_its_own_data_whatever_lies_above(tmp_path: Path) -> None:
    (tmp_path / "share" / "orchestrator").mkdir(parents=True)
    checkout = tmp_path / "src"
    (checkout / "phases").mkdir(parents=True)
    (checkout / "pyproject.toml").touch()
    assert share_directory(checkout / "orchestrator" / "config" / "shipped.py") == checkout
