# SPDX-License-Identifier: GPL-3.0-or-later
"""What an increment is built on: what its receiver has already, as far as somebody knows.

In the order of trust: a receipt, in which the receiver says so; an earlier export; the snapshots that were there at
some moment. Of each repository that is the inventories of one or (two views, two versions) more snapshots.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.content import receipts
from orchestrator.content.catalog import exports, snapshots
from orchestrator.content.catalog import receipts as received
from orchestrator.content.catalog.exports import ExportRecord
from orchestrator.content.events import Name
from orchestrator.content.exports import manifest as manifests
from orchestrator.content.exports.manifest import MANIFEST, Base, Manifest, RepositoryEntry, Subject
from orchestrator.content.exports.request import ExportRequest
from orchestrator.content.exports.selection import Selection
from orchestrator.content.receipts import Holding
from orchestrator.content.workspace import Workspace
from orchestrator.errors import BadContent, Invalid, Problem, Refused
from orchestrator.host import clock

# Of each repository ("product/repository") the inventories that the receiver has of it, the newest last.
Holdings = Mapping[str, tuple[str, ...]]
_LARGEST_DOCUMENT = 256 << 20


@dataclass(frozen=True, slots=True)
class _Candidate:
    """What `--from` may mean."""

    base: Base
    holdings: Holdings
    named: str = field(compare=False)


def find_base(
    workspace: Workspace, request: ExportRequest, selection: Selection
) -> tuple[Base | None, Holdings]:
    """What the selection is built on, and what of it the receiver has; nothing for a complete export. A repository
    that is not in there is sent whole, with a warning when the base has it in a form that nobody here knows.

    Raises Refused when there is nothing to build on, or several things are meant; Invalid; BadContent for a receipt
    that is none, or was changed.
    """
    if request.kind == "complete":
        return None, {}
    if request.since:
        return Base(since=request.since, until=request.until), _at(workspace, request.since, selection)
    found = _named(workspace, request) if request.base else _latest(workspace, request, selection)
    return found.base, _known(workspace, found.holdings, selection)


def has_base(workspace: Workspace, request: ExportRequest) -> bool:
    """Whether an increment could be built on something without anybody saying on what."""
    organization = request.organization or workspace.settings.organization
    subject = Subject(request.subject_kind, organization, ",".join(sorted(set(request.names))))
    return _last(workspace, request.destination, subject, set()) is not None


def _at(workspace: Workspace, moment: str, selection: Selection) -> Holdings:
    holdings = {}
    with workspace.catalog.reading() as session:
        for repository in {item.repository.path: item.repository for item in selection.items}.values():
            found = snapshots.at(session, repository, moment)
            if found is not None:
                holdings[repository.path] = (found.inventory,)
    return holdings


def _known(workspace: Workspace, holdings: Holdings, selection: Selection) -> Holdings:
    """Without what cannot be subtracted, because its list is not here."""
    known = {}
    for path in sorted({item.repository.path for item in selection.items} & holdings.keys()):
        there = tuple(digest for digest in holdings[path] if workspace.inventories.knows(digest))
        if there:
            known[path] = there
        else:
            text = f"{path} is sent whole: what the receiver has of it is not known here"
            workspace.tell(Name.WARNING, path, text=text)
    return known


# --- without anything said: what the destination has confirmed, else what it was sent


def _last(
    workspace: Workspace, destination: str, subject: Subject, paths: Collection[str]
) -> _Candidate | None:
    """A receipt is one of this line when its export was of the subject, or when it is of all that was imported and
    has any of the repositories `paths`."""
    organization = subject.organization
    with workspace.catalog.reading() as session:
        confirmed = [each for each in received.all(session) if each.destination == destination]
        sent = exports.latest(session, organization, subject, destination)
        ours = exports.all(session, organization, subject=subject) if confirmed else []
    ids = {each.export_id for each in ours}
    for each in confirmed:
        receipt = receipts.from_file(each.document.encode(), f"the receipt {each.digest[:12]}")
        of_all = not receipt.export and receipt.organization == organization
        if receipt.export in ids or (of_all and any(path in paths for path, _ in receipt.holdings)):
            return _of_receipt(receipt)
    return None if sent is None else _of_export(sent)


def _latest(workspace: Workspace, request: ExportRequest, selection: Selection) -> _Candidate:
    subject = selection.subject
    paths = {item.repository.path for item in selection.items}
    found = _last(workspace, request.destination, subject, paths)
    if found is not None:
        return found
    what = f"the {subject.kind} {subject.name}" if subject.name else "the library"
    whom = f" for {request.destination}" if request.destination else ""
    command = ["orchestrator export complete", subject.kind, *request.names]
    command += ["--destination", request.destination] if request.destination else []
    raise Refused(
        f"there is nothing that an increment of {what}{whom} could be built on",
        hint=f"begin with {' '.join(command)}; or say with --from or --since what the receiver has",
    )


# --- what somebody named


def _named(workspace: Workspace, request: ExportRequest) -> _Candidate:
    path = Path(request.base)
    if path.exists():
        return _of_path(path, request.organization)
    found = [*_exports_named(workspace, request), *_digests_named(workspace, request)]
    states = {tuple(sorted((path, *sorted(some)) for path, some in each.holdings.items())) for each in found}
    if len(states) > 1:
        problems = [Problem(each.named, "") for each in found]
        raise Refused(f"{request.base} may be several things", hint="write more of it", problems=problems)
    if not found:
        raise Refused(
            f"{request.base} is neither a file, nor an export, nor the digest of a receipt that is known here",
            hint="orchestrator export list shows the exports; or name the receipt's file",
        )
    return found[0]


def _of_path(path: Path, organization: str) -> _Candidate:
    """A receipt, or an export (its directory, or its manifest). Raises Refused for one of another organization: that
    has other repositories, also where they are called the same."""
    file = path / MANIFEST if path.is_dir() else path
    try:
        if file.stat().st_size > _LARGEST_DOCUMENT:
            raise BadContent(f"{path} is too large for a receipt or a manifest")
        data = file.read_bytes()
    except FileNotFoundError:
        raise Invalid(f"{path} is no export: it has no {MANIFEST}") from None
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from None
    if path.is_dir() or path.name == MANIFEST:
        manifest = manifests.from_bytes(data, str(file))
        owner, found = manifest.subject.organization, _of_manifest(manifest, str(path))
    else:
        receipt = receipts.from_file(data, str(path))
        owner, found = receipt.organization, _of_receipt(receipt)
    if owner != organization:
        raise Refused(
            f"{path} is of the organization {owner}, and {organization} is to be exported",
            hint=f"name one of {organization}, or export with --organization {owner}",
        )
    return found


def remember(workspace: Workspace, request: ExportRequest) -> None:
    """Keep the receipt that `request` names by its file: what the next increment for this destination is built on,
    if nobody says otherwise. Nothing when it names something else."""
    path = Path(request.base)
    if not request.base or not path.is_file() or path.name == MANIFEST:
        return
    document = path.read_bytes()
    receipt = receipts.from_file(document, str(path))
    kept = received.Receipt(request.destination, receipt.digest, document.decode(), clock.timestamp())
    with workspace.catalog.changing(workspace.actor) as session:
        received.put(session, kept)


def _exports_named(workspace: Workspace, request: ExportRequest) -> list[_Candidate]:
    """By number or the first letters of an id."""
    with workspace.catalog.reading() as session:
        there = exports.all(session, request.organization, state="complete")
    named = request.base.lower()
    found = [each for each in there if str(each.number) == named]
    if len(named) >= 4:
        found += [each for each in there if each.export_id.startswith(named)]
    return [_of_export(each) for each in found]


def _digests_named(workspace: Workspace, request: ExportRequest) -> list[_Candidate]:
    """By the digest of a receipt: of one that is here, or that an export of ours leads to."""
    typed = receipts.read_digest(request.base)
    if typed is None:
        return []
    with workspace.catalog.reading() as session:
        documents = [each.document for each in received.all(session)]
        there = exports.all(session, request.organization, state="complete")
    known = [receipts.from_file(each.encode(), "a receipt that was received") for each in documents]
    found = [_of_receipt(each) for each in known if receipts.is_digest(typed, each.digest)]
    for each in there:
        if each.receipt and receipts.is_digest(typed, each.receipt):
            candidate = _of_export(each)
            found.append(
                _Candidate(Base(receipt=each.receipt), candidate.holdings, receipts.show_digest(each.receipt))
            )
    return found


def _of_receipt(receipt: receipts.Receipt) -> _Candidate:
    return _Candidate(
        Base(receipt=receipt.digest),
        _grouped(receipt.holdings),
        f"receipt {receipts.show_digest(receipt.digest)}",
    )


def _of_export(record: ExportRecord) -> _Candidate:
    name = f"export {record.number}"
    return _of_manifest(manifests.from_bytes(record.manifest.encode(), f"the manifest of {name}"), name)


def _of_manifest(manifest: Manifest, named: str) -> _Candidate:
    def age(entry: RepositoryEntry) -> tuple[str, str]:
        return entry.made, entry.inventory

    holdings = _grouped((each.path, each.inventory) for each in sorted(manifest.repositories, key=age))
    return _Candidate(Base(export=manifest.id), holdings, named)


def _grouped(holdings: Iterable[Holding]) -> Holdings:
    found: dict[str, tuple[str, ...]] = {}
    for path, inventory in holdings:
        found[path] = (*found.get(path, ()), inventory)
    return found
