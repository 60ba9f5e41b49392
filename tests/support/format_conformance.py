# SPDX-License-Identifier: GPL-3.0-or-later
"""What every repository format promises (`orchestrator.content.formats.Format`). Each driver's test class inherits
this one and says which `Upstream` it is tested with.
"""

import atexit
import functools
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.content.fetching import Ending, Wanted
from orchestrator.content.formats import Composition, Format, Member, Offer, Trust
from orchestrator.content.model import Because, Closure, ClosureOptions, Metadata, Package, Query, StoredFile
from orchestrator.content.pool import Pool
from orchestrator.content.signatures import Signer
from orchestrator.content.source import Source
from orchestrator.errors import BadContent, Invalid, OrchestratorError, Stale, TransferFailed
from tests.support.deb_mirror import lay
from tests.support.directory_fetcher import DirectoryFetcher
from tests.support.format_upstreams import DAY, FIRST, Unit, Upstream
from tests.support.openpgp import key
from tests.support.static_server import static_server

NOW = FIRST + 10.0 * DAY
WEB = Unit("web", needs=(("lib", ">=", "1"), ("database", "", "")))
LIB = Unit("lib", "1.5-1", anywhere=True)
STORE = Unit("store", "3.0-1", provides=("database",))
OTHER = Unit("other")
NEWER = Unit("lib", "2.0-1", anywhere=True)
FIRST_HALF, SECOND_HALF = (WEB, LIB, STORE, OTHER), (NEWER, Unit("late", needs=(("web", "", ""),)))


class Reader:
    """The use case at its smallest: an upstream read with the format's verbs."""

    def __init__(self, place: Path, upstream: Upstream, source: Source | None = None) -> None:
        self.format: Format = upstream.format
        self.source, self.upstream = source or upstream.source(), upstream
        self.pool, self.tree = Pool(place / "destination"), place / "tree"
        self.fetcher = DirectoryFetcher(upstream.root, self.pool)
        self.metadata: tuple[Metadata, ...] = ()

    def refresh(self, *, allow_stale: bool = False) -> tuple[Metadata, ...]:
        self.fetcher.asked.clear()
        self.metadata = self.format.refresh(self.source, self.fetcher, self.metadata, Trust(NOW, allow_stale))
        return self.metadata

    @property
    def offer(self) -> Offer:
        return self.format.load(self.source, self.metadata or self.refresh(), self.pool)

    def closure(
        self, *requirements: str, refused: Collection[Package] = (), everything: bool = False
    ) -> Closure:
        member = Member(self.offer, everything, frozenset(refused))
        return self.format.closure([member], requirements, ClosureOptions())

    def named(self, *names: str) -> list[Package]:
        return [package for name in names for package in self.offer.named(name)]

    def bring(self, packages: Sequence[Package]) -> dict[Package, StoredFile]:
        brought = self.fetcher.bring([Wanted(package.file, role="package") for package in packages])
        return {package: each.stored for package, each in zip(packages, brought, strict=True) if each.stored}

    def rebuild(self, kept: Mapping[Package, StoredFile], signer: Signer | None = None) -> list[StoredFile]:
        composition = Composition(self.offer, self.metadata, kept, when=NOW, signer=signer)
        return list(self.format.rebuild(composition, self.pool))

    def lay(self, files: Sequence[StoredFile]) -> Path:
        return lay(self.pool, self.tree, files)


def titles(packages: Collection[Package]) -> set[str]:
    return {f"{package.name} {package.version}".strip() for package in packages}


def _spoilt(path: Path) -> None:
    path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()))


@functools.cache
def _template(make: type[Upstream]) -> Path:
    """An upstream to be copied: quicker than to make it again."""
    root = Path(tempfile.mkdtemp(prefix="template-"))
    atexit.register(shutil.rmtree, root, True)
    make(root, key()).write(FIRST_HALF, SECOND_HALF)
    return root


class FormatConformance:
    """`make` gives an upstream without packages below a directory, signed with a key or not."""

    make: type[Upstream]

    @pytest.fixture
    def upstream(self, tmp_path: Path) -> Upstream:
        shutil.copytree(_template(self.make), tmp_path / "upstream")
        return self.make(tmp_path / "upstream", key())

    @pytest.fixture
    def reader(self, tmp_path: Path, upstream: Upstream) -> Reader:
        return Reader(tmp_path / "reader", upstream)

    # refresh

    def test_refresh_gives_metadata_of_every_repository_with_all_files_in_the_pool(
        self, reader: Reader
    ) -> None:
        metadata = reader.refresh()
        assert [each.repository for each in metadata] == list(reader.source.repositories)
        for each in metadata:
            for file in (*each.entry, *each.indexes):
                assert reader.pool.size(file.sha256) == file.size, file

    def test_unchanged_it_costs_one_request_a_repository_and_gives_the_same_objects(
        self, reader: Reader, upstream: Upstream
    ) -> None:
        before = reader.refresh()
        after = reader.refresh()
        assert all(old is new for old, new in zip(before, after, strict=True))
        assert reader.fetcher.asked == [upstream.entry(0), upstream.entry(1)]

    def test_a_change_of_one_repository_leaves_the_other_as_it_is(
        self, reader: Reader, upstream: Upstream
    ) -> None:
        before = reader.refresh()
        entry = upstream.root / upstream.entry(0)
        first = {path: path.read_bytes() for path in entry.parent.rglob("*") if path.is_file()}
        upstream.write(FIRST_HALF, (NEWER,), day=1)
        for path, data in first.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        after = reader.refresh()
        assert after[0] is before[0]
        assert after[1] is not before[1]
        assert "late" not in {package.name for package in reader.offer.packages()}

    def test_metadata_that_is_gone_from_the_pool_is_brought_again(self, reader: Reader) -> None:
        before = reader.refresh()
        lost = (*before[0].indexes, *before[0].entry)[0]
        reader.pool.path(lost.sha256).unlink()
        after = reader.refresh()
        assert reader.pool.size(lost.sha256) == lost.size
        assert after[1] is before[1]

    def test_what_nothing_verifies_is_not_believed(self, upstream: Upstream, tmp_path: Path) -> None:
        source = upstream.source(keys=(), unsigned=False)
        with pytest.raises((Invalid, BadContent)):
            Reader(tmp_path, upstream, source).refresh()
        Reader(tmp_path, upstream, upstream.source(keys=(), unsigned=True)).refresh()

    @pytest.mark.parametrize(
        ("ending", "error"),
        [(Ending.NOT_FOUND, OrchestratorError), (Ending.UNREACHABLE, TransferFailed)],
    )
    def test_an_entry_that_cannot_be_had_is_an_error(
        self, reader: Reader, upstream: Upstream, ending: Ending, error: type[Exception]
    ) -> None:
        for path in (upstream.entry(), "dists/stable/Release", "dists/stable/Release.gpg"):
            reader.fetcher.answers[path] = ending
        with pytest.raises(error):
            reader.refresh()

    # load

    def test_an_offer_holds_what_the_repositories_hold(self, reader: Reader, upstream: Upstream) -> None:
        offer = reader.offer
        assert titles(offer.packages()) == set(map(upstream.title, FIRST_HALF + SECOND_HALF))
        (web,) = offer.named("web")
        assert web.source == "up"
        assert web.repository == reader.source.repositories[0]
        assert titles(offer.named("lib")) == {upstream.title(LIB), upstream.title(NEWER)}
        assert list(offer.named("nothing")) == []
        assert list(offer.packages()) == list(reader.offer.packages())

    def test_every_package_can_be_brought_in_as_it_is_described(self, reader: Reader) -> None:
        packages = list(reader.offer.packages())
        brought = reader.bring(packages)
        assert set(brought) == set(packages)
        for package, stored in brought.items():
            assert package.file.digest
            data = reader.pool.read(stored.sha256)
            assert hashlib.new(package.file.digest.algorithm, data).hexdigest() == package.file.digest.value
            assert package.file.size == len(data)

    def test_loading_parses_nothing_that_is_not_asked_for(self, reader: Reader) -> None:
        metadata = reader.refresh()
        for each in metadata:
            for file in each.indexes:
                reader.pool.path(file.sha256).unlink(missing_ok=True)
        offer = reader.format.load(reader.source, metadata, reader.pool)
        assert offer.source is reader.source

    @pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "a/../../../b"])
    def test_a_package_that_leads_out_of_the_tree_is_refused(
        self, upstream: Upstream, tmp_path: Path, path: str
    ) -> None:
        upstream.write((OTHER,))
        upstream.move(OTHER, f"{path}{upstream.suffix}")
        reader = Reader(tmp_path / "other", upstream)
        with pytest.raises(BadContent) as caught:
            reader.offer.packages()
        told = " ".join([caught.value.message, *map(str, caught.value.problems)])
        assert "http://upstream.test/" in told

    # closure

    def test_a_closure_is_the_same_each_time(self, reader: Reader) -> None:
        first, second = reader.closure("late", "other"), reader.closure("late", "other")
        assert list(first.chosen.items()) == list(second.chosen.items())

    def test_a_requirement_that_cannot_be_read_is_invalid(self, reader: Reader) -> None:
        for text in ("", *self.make.unreadable):
            with pytest.raises(Invalid):
                reader.closure(text)

    def test_everything_of_a_full_member_is_a_root(self, reader: Reader) -> None:
        closure = reader.closure(everything=True)
        assert set(closure.chosen) == set(reader.offer.packages())
        assert {reason.because for reason in closure.chosen.values()} == {Because.MASTER}

    # trees

    def test_a_verbatim_tree_is_the_upstreams_byte_for_byte(self, reader: Reader, upstream: Upstream) -> None:
        kept = reader.bring(list(reader.offer.packages()))
        files = reader.format.verbatim(reader.metadata)
        tree = reader.lay([*kept.values(), *files])
        found = [path for path in tree.rglob("*") if path.is_file()]
        assert found
        for path in found:
            assert path.read_bytes() == (upstream.root / path.relative_to(tree)).read_bytes(), path
        again = Reader(tree.parent / "again", upstream)
        again.fetcher.root = tree
        assert titles(again.offer.packages()) == titles(reader.offer.packages())

    def test_a_rebuilt_tree_offers_just_what_was_kept_with_all_its_relations(
        self, reader: Reader, upstream: Upstream, tmp_path: Path
    ) -> None:
        kept = reader.bring(reader.named("web", "store", "lib"))
        ours = key("ours")
        signer = Signer.load(ours.secret_file) if upstream.signed else None
        tree = reader.lay([*kept.values(), *reader.rebuild(kept, signer)])
        second = self.make(tree, ours)
        again = Reader(tmp_path / "again", second)
        assert titles(again.offer.packages()) == titles(kept)
        assert set(again.bring(list(again.offer.packages()))) == set(again.offer.packages())
        for package in kept:
            (other,) = (each for each in again.offer.named(package.name) if each.file == package.file)
            assert replace_source(other) == replace_source(package)
            theirs, own = reader.offer.details(package), again.offer.details(other)
            assert theirs == own
        assert titles(again.closure("web").chosen) == titles(reader.closure("web").chosen)

    def test_a_tree_is_rebuilt_the_same_each_time(self, reader: Reader) -> None:
        kept = reader.bring(reader.named("web", "store", "lib"))
        backwards = dict(reversed(kept.items()))
        assert reader.rebuild(kept) == reader.rebuild(kept)
        assert set(reader.rebuild(kept)) == set(reader.rebuild(backwards))

    def test_a_tree_of_nothing_is_a_repository_still(self, reader: Reader, tmp_path: Path) -> None:
        empty = self.make(reader.lay(reader.rebuild({})), None)
        again = Reader(tmp_path / "again", empty)
        assert list(again.offer.packages()) == []

    def test_names_that_last_are_those_that_never_mean_something_else(self, reader: Reader) -> None:
        kept = reader.bring(list(reader.offer.packages()))
        lasting = reader.format.names_that_last
        assert all(lasting(stored.path) for stored in kept.values())
        for each in reader.metadata:
            assert not any(lasting(file.path) for file in each.entry)
        assert not lasting("KEY.asc")
        rebuilt = reader.rebuild(kept)
        fewer = reader.rebuild(dict(list(kept.items())[:2]))
        by_path = {file.path: file.sha256 for file in rebuilt}
        for file in fewer:
            assert by_path.get(file.path, file.sha256) == file.sha256 or not lasting(file.path), file

    def test_versions_are_ordered(self) -> None:
        for lower, higher in zip(self.make.lowest_first, self.make.lowest_first[1:], strict=False):
            assert self.make.format.version_key(lower) < self.make.format.version_key(higher)
        shuffled = sorted(
            self.make.lowest_first[1:] + self.make.lowest_first[:1], key=self.make.format.version_key
        )
        assert tuple(shuffled) == self.make.lowest_first

    # create

    def created(
        self, place: Path, units: Sequence[Unit], signer: Signer | None = None
    ) -> tuple[Source, Pool, list[StoredFile]]:
        upstream, pool = self.make(place, None), Pool(place / "destination")
        repository = upstream.repositories[0]
        source = Source("made", upstream.source().type, (), (repository,), unsigned=True)
        files = []
        for unit in units:
            name, data = upstream.file(unit)
            files.append(StoredFile(name, len(data), pool.add_bytes(data), "package"))
        return source, pool, list(upstream.format.create(files, source, pool, NOW, signer))

    def test_a_repository_of_local_files_offers_them(self, tmp_path: Path) -> None:
        _, pool, files = self.created(tmp_path / "made", FIRST_HALF)
        made = self.make(lay(pool, tmp_path / "tree", files), None)
        reader = Reader(tmp_path / "reader", made, made.source(repositories=made.repositories[:1]))
        assert titles(reader.offer.packages()) == set(map(made.title, FIRST_HALF))
        assert set(reader.bring(list(reader.offer.packages()))) == set(reader.offer.packages())
        assert set(self.created(tmp_path / "made", FIRST_HALF[::-1])[2]) == set(files)


class PackageFormatConformance(FormatConformance):
    """What formats of packages promise beside: dates and signatures, relations, clients that install."""

    # refresh

    def test_who_signed_it_and_when_is_told(self, reader: Reader) -> None:
        for each in reader.refresh():
            assert each.signers == (key().fingerprint,)
            assert each.date == FIRST

    def test_older_metadata_than_what_is_held_is_refused(self, reader: Reader, upstream: Upstream) -> None:
        upstream.write(FIRST_HALF, SECOND_HALF, day=2)
        held = reader.refresh()
        upstream.write(FIRST_HALF[:2], SECOND_HALF, day=1)
        with pytest.raises(Stale):
            reader.refresh()
        assert reader.metadata is held
        reader.refresh(allow_stale=True)
        assert {package.name for package in reader.offer.packages()} == {"web", "lib", "late"}

    def test_an_unsigned_upstream_is_taken_only_when_that_is_said(self, tmp_path: Path) -> None:
        unsigned = self.make(tmp_path / "unsigned", None)
        unsigned.write((OTHER,))
        reader = Reader(tmp_path / "taken", unsigned)
        assert reader.refresh()[0].signers == ()
        asked = unsigned.source(unsigned=False, keys=(key().public_file,))
        with pytest.raises(BadContent):
            Reader(tmp_path / "refused", unsigned, asked).refresh()

    def test_a_signature_of_a_stranger_is_refused(self, upstream: Upstream, tmp_path: Path) -> None:
        source = upstream.source(keys=(key("stranger").public_file,))
        with pytest.raises(BadContent, match="sign"):
            Reader(tmp_path, upstream, source).refresh()

    @pytest.mark.parametrize("what", ["entry", "index"])
    def test_what_was_changed_is_refused_and_named(
        self, reader: Reader, upstream: Upstream, what: str
    ) -> None:
        path = upstream.root / upstream.entry() if what == "entry" else upstream.index()
        held = reader.refresh()
        upstream.write((OTHER,), SECOND_HALF, day=1)
        path = upstream.root / upstream.entry() if what == "entry" else upstream.index()
        if what == "entry":
            path.write_bytes(path.read_bytes().replace(b"170", b"171").replace(b"2023", b"2024"))
        else:
            for place in [p for p in path.parent.parent.parent.rglob("*") if p.is_file()]:
                if place.read_bytes() == path.read_bytes() and place != path:
                    _spoilt(place)
            _spoilt(path)
        with pytest.raises(BadContent) as caught:
            reader.refresh()
        told = " ".join([caught.value.message, *map(str, caught.value.problems)])
        assert "http://upstream.test/" in told
        assert reader.metadata is held

    # load

    def test_packages_are_found_by_all_that_is_asked(self, reader: Reader, upstream: Upstream) -> None:
        offer = reader.offer

        def found(**asked: str) -> set[str]:
            return titles(offer.search(Query(**asked)))

        assert found() == titles(offer.packages())
        assert found(name="l*") == {"lib 1.5-1", "lib 2.0-1", "late 1.0-1"}
        assert found(name="l*", repository=upstream.repositories[1]) == {"lib 2.0-1", "late 1.0-1"}
        assert found(provides="database") == {"store 3.0-1"}
        assert found(provides=upstream.relation("lib", ">=", "2")) == {"lib 2.0-1"}
        assert found(requires="web") == {"late 1.0-1"}
        assert found(requires="web", name="x*") == set()
        (everywhere,) = {package.architecture for package in offer.named("lib")}
        assert found(architecture=everywhere) == {"lib 1.5-1", "lib 2.0-1"}

    def test_details_have_the_relations_as_they_are_written(self, reader: Reader, upstream: Upstream) -> None:
        (web,) = reader.named("web")
        details = reader.offer.details(web)
        assert upstream.relation("lib", ">=", "1") in details.requires
        assert "database" in details.requires
        assert details.summary

    # closure

    def test_a_closure_has_what_is_needed_and_a_reason_for_each_that_leads_to_the_request(
        self, reader: Reader
    ) -> None:
        closure = reader.closure("late")
        names = {package.name for package in closure.chosen}
        assert names == {"late", "web", "lib", "store"}
        assert closure.unresolved == ()
        for package in closure.chosen:
            seen, current = set(), package
            while (reason := closure.chosen[current]).by is not None:
                assert current not in seen
                seen.add(current)
                current = reason.by
            assert reason.because is Because.REQUESTED
            assert reason.relation == "late"

    def test_a_version_that_is_asked_for_is_taken(self, reader: Reader, upstream: Upstream) -> None:
        assert titles(reader.closure("lib").chosen) >= {"lib 2.0-1"}
        assert titles(reader.closure(upstream.relation("lib", "=", "1.5-1")).chosen) == {"lib 1.5-1"}

    def test_a_name_that_is_only_provided_can_be_asked_for(self, reader: Reader) -> None:
        assert titles(reader.closure("database").chosen) == {"store 3.0-1"}

    def test_what_cannot_be_had_is_told_with_what_comes_nearest(
        self, reader: Reader, upstream: Upstream
    ) -> None:
        relation = upstream.relation("lib", ">=", "9")
        closure = reader.closure("other", relation, "nothing")
        assert titles(closure.chosen) == {"other 1.0-1"}
        by_relation = {each.relation: each for each in closure.unresolved}
        assert set(by_relation) == {relation, "nothing"}
        assert by_relation[relation].by is None
        assert "2.0-1" in by_relation[relation].nearest

    def test_packages_that_are_refused_are_never_taken(self, reader: Reader) -> None:
        refused = reader.named("store")
        closure = reader.closure("web", refused=refused)
        assert not set(refused) & set(closure.chosen)
        assert [each.relation for each in closure.unresolved] == ["database"]
        (newer,) = (package for package in reader.named("lib") if package.version == "2.0-1")
        assert titles(reader.closure("lib", refused=[newer]).chosen) == {"lib 1.5-1"}

    def test_what_a_master_has_is_not_taken_from_those_that_follow(self, tmp_path: Path) -> None:
        top, below = self.make(tmp_path / "top", key()), self.make(tmp_path / "below", key())
        top.write((WEB, LIB))
        below.write((NEWER, STORE, OTHER))
        master = Reader(tmp_path / "1", top, top.source("top"))
        follower = Reader(tmp_path / "2", below, below.source("below", master="top", partial=True))
        members = [Member(master.offer, everything=True), Member(follower.offer)]
        closure = top.format.closure(members, [], ClosureOptions())
        assert titles([p for p in closure.chosen if p.source == "below"]) == {"store 3.0-1"}
        assert {p.source for p in closure.chosen if p.name in ("web", "lib")} == {"top"}
        (store,) = (p for p in closure.chosen if p.name == "store")
        assert closure.chosen[store].by in master.offer.packages()
        asked = top.format.closure(members, [below.relation("lib", ">=", "2")], ClosureOptions())
        assert titles([p for p in asked.chosen if p.source == "below"]) == {"store 3.0-1", "lib 2.0-1"}

    # broken_without

    def test_what_is_broken_by_a_loss_is_told_through_any_number_of_steps(self, reader: Reader) -> None:
        kept = list(reader.closure("late", "other").chosen)
        lost = [package for package in kept if package.name == "store"]
        broken = reader.format.broken_without([Member(reader.offer)], kept, lost)
        assert {package.name for package in broken} == {"web", "late"}
        reasons = {package.name: each.relation for package, each in broken.items()}
        assert "database" in reasons["web"]
        assert "web" in reasons["late"]
        assert not reader.format.broken_without([Member(reader.offer)], kept, [])

    def test_what_never_could_be_installed_is_not_broken_by_a_loss(
        self, upstream: Upstream, tmp_path: Path
    ) -> None:
        hopeless = Unit("hopeless", needs=(("nowhere", "", ""), ("other", "", "")))
        upstream.write((hopeless, OTHER, LIB))
        reader = Reader(tmp_path / "other", upstream)
        kept = list(reader.offer.packages())
        lost = [package for package in kept if package.name == "other"]
        assert not reader.format.broken_without([Member(reader.offer)], kept, lost)

    # create

    @pytest.mark.parametrize("spoil", ["no package", "cut short", "empty"])
    def test_what_is_no_package_is_refused_by_its_name(self, tmp_path: Path, spoil: str) -> None:
        upstream, pool = self.make(tmp_path, None), Pool(tmp_path / "destination")
        whole = upstream.file(OTHER)[1]
        data = {"no package": b"#!/bin/sh\n", "cut short": whole[: len(whole) // 3], "empty": b""}[spoil]
        name = f"strange{upstream.suffix}"
        file = StoredFile(name, len(data), pool.add_bytes(data), "package")
        source = Source("made", upstream.source().type, (), (upstream.repositories[0],), unsigned=True)
        with pytest.raises(BadContent, match=f"strange{upstream.suffix}"):
            upstream.format.create([file], source, pool, NOW, None)

    def test_what_packages_of_local_files_need_is_found_among_them(self, tmp_path: Path) -> None:
        _, pool, files = self.created(tmp_path / "made", FIRST_HALF)
        made = self.make(lay(pool, tmp_path / "tree", files), None)
        reader = Reader(tmp_path / "reader", made, made.source(repositories=made.repositories[:1]))
        assert {package.name for package in reader.closure("web").chosen} == {"web", "lib", "store"}

    # clients

    def test_a_real_client_accepts_the_configuration_of_every_kind_of_tree(
        self, reader: Reader, upstream: Upstream, tmp_path: Path
    ) -> None:
        ours, needed = key("ours"), {"web", "lib", "store"}
        kept = reader.bring(list(reader.offer.packages()))
        few = reader.bring([*reader.named("web", "store"), *reader.named("lib")])
        one = replace(reader.source, repositories=reader.source.repositories[:1])
        trees: dict[str, tuple[Callable[[], Sequence[StoredFile]], Path | None, Source]] = {
            "verbatim": (
                lambda: [*kept.values(), *reader.format.verbatim(reader.metadata)],
                key().public_file,
                reader.source,
            ),
            "rebuilt": (
                lambda: [*few.values(), *reader.rebuild(few, Signer.load(ours.secret_file))],
                ours.public_file,
                reader.source,
            ),
            "unsigned": (lambda: [*few.values(), *reader.rebuild(few)], None, reader.source),
        }
        for name, (files, key_file, source) in trees.items():
            tree = lay(reader.pool, tmp_path / name, files())
            with static_server(tree) as server:
                address = key_file.as_uri() if key_file else ""
                told = reader.format.client_config(source, server.url, address)
                assert (
                    upstream.install(tmp_path / f"client of {name}".replace(" ", "-"), told, "web") == needed
                )
        _, pool, made = self.created(tmp_path / "made", FIRST_HALF)
        with static_server(lay(pool, tmp_path / "created", made)) as server:
            told = reader.format.client_config(one, server.url, "")
            assert upstream.install(tmp_path / "client-of-made", told, "web") == needed


def replace_source(package: Package) -> Package:
    """Without where its index is: that is not the same in all trees."""
    return package._replace(source="", index_path="")
