# SPDX-License-Identifier: GPL-3.0-or-later
"""Partial mirrors before outside judges: dnf on hundreds of generated rpms, dose-debcheck on what completes a master."""

import gzip
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.deb_repository import DebRepository
from tests.support.dnf_client import DnfClient
from tests.support.generated_packages import generated_debs, generated_rpms
from tests.support.mirror_walk import packages
from tests.support.requirements import require
from tests.support.rpm_repository import Rpm, RpmRepository
from tests.support.site import Site, deb_source, rpm_source

SEED = 20
SETS = 12


@pytest.fixture(scope="module")
def rpms() -> list[Rpm]:
    return generated_rpms(SEED)


@pytest.fixture(scope="module")
def archive(rpms: list[Rpm], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("rpms")
    RpmRepository(root / "os").write(rpms)
    yield root
    shutil.rmtree(root)


def requests(rpms: list[Rpm]) -> list[list[str]]:
    """Names, a virtual one, a file."""
    chance = random.Random(SEED)
    names = [rpm.name for rpm in rpms if rpm.requires]
    found = [sorted(set(chance.sample(names, chance.randint(1, 5)))) for _ in range(SETS - 2)]
    path = next(path for rpm in rpms for path in rpm.files if "/bin/" in path)
    return [*found, ["v3", names[-1]], [path, names[-2]]]


def client(place: Path, tree: Path) -> DnfClient:
    return DnfClient(place, f"[up]\nname=up\nbaseurl={tree.as_uri()}/os/\ngpgcheck=0\n")


def picks(dnf: DnfClient, wanted: list[str], *, weak: bool) -> set[str]:
    """What dnf would install on an empty system."""
    done = dnf.run("install", "--assumeno", f"--setopt=install_weak_deps={int(weak)}", *wanted)
    found = re.findall(r"(?m)^ (\S+) +(\S+) +(\S+) +up ", done.stdout)
    assert found, done.stdout + done.stderr
    return {f"{name}-{evr}.{arch}" for name, arch, evr in found}


def open_relations(dnf: DnfClient) -> list[str]:
    """What repoclosure finds. It does not know that `(a if b)` asks for nothing where there is no b."""
    done = dnf.run("repoclosure")
    if done.returncode == 0:
        return []
    found = re.findall(r"(?m)^    (\S.*)$", done.stdout)
    assert found, done.stdout + done.stderr
    return [relation for relation in found if " if " not in relation]


@pytest.mark.parametrize("weak", [False, True])
def test_dnf_picks_the_same_from_partial_mirrors_as_from_the_archive(
    rpms: list[Rpm], archive: Path, tmp_path: Path, weak: bool
) -> None:
    upstream = client(tmp_path / "upstream", archive)
    different, unclosed = {}, {}
    for number, wanted in enumerate(requests(rpms)[: 5 if weak else SETS]):
        source = rpm_source("up", archive.as_uri(), ["os"], None, requirements=wanted, weak_dependencies=weak)
        site = Site(tmp_path / f"site {number}", [source])
        (outcome,) = site.clone()
        assert not outcome.unresolved, wanted
        dnf = client(tmp_path / f"client{number}", site.published("up"))
        if found := open_relations(dnf):
            unclosed[tuple(wanted)] = found
        theirs, ours = picks(upstream, wanted, weak=weak), picks(dnf, wanted, weak=weak)
        if theirs != ours:
            different[tuple(wanted)] = (theirs - ours, ours - theirs)
        assert outcome.packages < len(rpms) * 0.7, "all of it is no partial mirror"
    assert unclosed == {}
    assert different == {}


def test_a_name_that_was_asked_for_can_be_installed_by_it(
    rpms: list[Rpm], archive: Path, tmp_path: Path
) -> None:
    """Also one that another package replaces."""
    wanted = [next(rpm.name for rpm in rpms if rpm.name.startswith("gone"))]
    site = Site(tmp_path / "site", [rpm_source("up", archive.as_uri(), ["os"], None, requirements=wanted)])
    site.clone()
    upstream, dnf = client(tmp_path / "upstream", archive), client(tmp_path / "dnf", site.published("up"))
    assert picks(dnf, wanted, weak=False) == picks(upstream, wanted, weak=False)


def test_what_completes_a_master_leaves_none_of_its_rpms_unclosed(
    rpms: list[Rpm], archive: Path, tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    own = {rpm.name for rpm in chance.sample(rpms, 20)}
    master = tmp_path / "master"
    RpmRepository(master / "os").write([rpm for rpm in rpms if rpm.name in own])
    sources = [
        rpm_source("master", master.as_uri(), ["os"], None),
        rpm_source("more", archive.as_uri(), ["os"], None, master="master"),
    ]
    site = Site(tmp_path / "site", sources)
    _, more = site.clone()
    assert not more.unresolved
    names = {Path(path).name for path in packages("rpm", site.published("more"), "os")}
    assert not names & {Path(path).name for path in packages("rpm", site.published("master"), "os")}
    told = "".join(
        f"[{name}]\nname={name}\nbaseurl={site.published(name).as_uri()}/os/\ngpgcheck=0\n"
        for name in ("master", "more")
    )
    assert open_relations(DnfClient(tmp_path / "client", told)) == []


@pytest.mark.parametrize("seed", range(4))
def test_dose_finds_nothing_broken_in_a_master_and_what_completes_it(tmp_path: Path, seed: int) -> None:
    require(shutil.which("dose-debcheck") is not None, "dose-debcheck")
    below = generated_debs(seed, "b", 120)
    DebRepository(tmp_path / "b", compressions=("gz",)).publish(*below)
    DebRepository(tmp_path / "a", compressions=("gz",)).publish(*generated_debs(seed, "a", 30, below))
    sources = [
        deb_source("a", (tmp_path / "a").as_uri(), ["stable main"], None),
        deb_source("b", (tmp_path / "b").as_uri(), ["stable main"], None, master="a"),
    ]
    site = Site(tmp_path / "site", sources)
    first, second = site.clone()
    assert first.packages == 30
    assert 0 < second.packages < 120
    assert not second.unresolved
    assert dose(*(index(site, name, tmp_path) for name in ("a", "b"))) == ""
    alone = dose(index(site, "a", tmp_path))
    assert alone, "the master is not to do without"


def index(site: Site, name: str, place: Path) -> Path:
    packed = site.published(name) / "dists/stable/main/binary-amd64/Packages.gz"
    plain = place / f"Packages.{name}"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    return plain


def dose(*indexes: Path) -> str:
    """What it says of broken packages; nothing when there are none."""
    command = ("dose-debcheck", "--deb-native-arch=amd64", "--failures", "--explain", "--summary")
    done = subprocess.run((*command, *map(str, indexes)), capture_output=True, text=True, check=False)
    assert "total-packages" in done.stdout, done.stderr
    return "" if "broken-packages: 0\n" in done.stdout else done.stdout
