# SPDX-License-Identifier: GPL-3.0-or-later
"""What the catalog says of a repository's upstream, as a `Source` of the engine.

root/keys/<sha256>.asc      certificates of the catalog, where the engine reads them
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.content import ownership
from orchestrator.content.catalog.model import Product, Repository
from orchestrator.content.pool import make_public_directory
from orchestrator.content.source import Source
from orchestrator.content.upstreams import baseurls, relative_part
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Invalid, Problem, Refused
from orchestrator.host.files import replace_file

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# What a repository of the catalog says otherwise.
_ELSEWHERE = {
    "name": "it is the repository's label",
    "type": "it is the repository's",
    "master": "one repository is not the part of another",
    "notify": "programs are named in mirrors.yaml alone, which only the administrator writes",
}


@dataclass(frozen=True, slots=True)
class Upstream:
    """`source` is what `repository` is brought in from; `sources` are all that take part (masters of a mirror).
    `relative` is the part of its address that other places are likely to repeat."""

    repository: Repository
    source: Source
    sources: tuple[Source, ...]
    relative: str = ""

    def at(self, address: str) -> "Upstream":
        """Brought in from elsewhere: by the same keys, without what lets one in at the upstream's own hosts."""
        other = self.source.at(address)
        sources = tuple(other if each.name == other.name else each for each in self.sources)
        return replace(self, source=other, sources=sources)


def upstream_of(workspace: Workspace, session: "Session", repository: Repository) -> Upstream:
    """Raises Refused when it has none, and Invalid with everything that is wrong with what it says."""
    from orchestrator.content.catalog import keys, products

    if repository.mirror:
        return _of_mirror(workspace, repository)
    if not repository.upstream:
        raise Refused(
            f"{repository.path} has no upstream: it is filled by imports",
            hint=f"orchestrator repository update {repository.path} --url URL gives it one",
        )
    product = products.get(session, repository.organization, repository.product)
    certificates = [key.armoured for key in keys.of_repository(session, repository)]
    source = read_upstream(workspace, product, repository, certificates)
    return Upstream(repository, source, (source,), relative_part(product, repository))


def read_upstream(
    workspace: Workspace, product: Product, repository: Repository, certificates: Sequence[str]
) -> Source:
    """The source that an upstream's keys and the catalog's certificates make. Raises Invalid."""
    from orchestrator.content.mirrors_file import read_source

    wrong = [Problem(key, f"means nothing here: {why}") for key, why in _ELSEWHERE.items() if key in repository.upstream]  # fmt: skip
    if wrong:
        raise Invalid(f"the upstream of {repository.path} has errors", problems=wrong)
    document = {**repository.upstream, "name": "x", "type": repository.type}
    bases = baseurls(product, repository)
    if bases:
        document["baseurl"] = bases
    if certificates:
        own = document.get("keys")
        files = [str(key_file(workspace, each)) for each in certificates]
        document["keys"] = [*(own if isinstance(own, list) else []), *files]
    try:
        return replace(read_source(workspace.root, document), name=repository.store)
    except Invalid as error:
        hint = f"orchestrator repository update {repository.path} changes it"
        raise Invalid(
            f"the upstream of {repository.path} has errors", problems=error.problems, hint=hint
        ) from None


def key_file(workspace: Workspace, armoured: str) -> Path:
    """Certificates as a file; on the disk."""
    data = armoured.encode()
    path = workspace.root / "keys" / f"{hashlib.sha256(data).hexdigest()}.asc"
    if not path.exists():
        make_public_directory(path.parent)
        replace_file(path, data)
    return path


def _of_mirror(workspace: Workspace, repository: Repository) -> Upstream:
    from orchestrator.content.mirrors_file import find_mirrors, load_mirrors

    mirrors = load_mirrors(find_mirrors(workspace.settings.mirrors))
    for source in mirrors.sources:
        if source.name == repository.mirror:
            return Upstream(repository, source, mirrors.sources, _path_of(source))
    raise Refused(
        f"{repository.path} is the mirror {repository.mirror}, of which {mirrors.path} says nothing",
        hint="a mirror that was made of files is made anew: orchestrator mirror create",
    )


def _path_of(source: Source) -> str:
    from urllib.parse import urlsplit

    return urlsplit(source.baseurls[0]).path.strip("/") if source.baseurls else ""


def check_repository(workspace: Workspace, session: "Session", repository: Repository) -> None:
    """Everything about a repository's upstream that can be checked without asking another machine: its keys and
    values, and whose content is at its address. Raises Invalid and Refused."""
    if repository.mirror or not repository.upstream:
        return
    upstream = upstream_of(workspace, session, repository)
    claims = ownership.claims_on(workspace, session, repository)
    claims.check(addresses_of(upstream.source))
    for address in upstream.source.baseurls:
        if address.startswith("file://"):
            ownership.check_address(workspace, session, repository, address, ask=False)


def addresses_of(source: Source) -> list[str]:
    """Bases, or the list."""
    return [*source.baseurls] or [source.mirrorlist or source.metalink]
