# SPDX-License-Identifier: GPL-3.0-or-later
"""content.yaml -> the state that it declares, or Invalid with every error and its path at once."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from orchestrator.config.explain import describe_errors
from orchestrator.config.load import is_there, read_yaml
from orchestrator.config.model import Model
from orchestrator.content.catalog.model import (
    LIBRARY,
    Environment,
    Key,
    Organization,
    Product,
    ProductKind,
    Repository,
    View,
)
from orchestrator.content.declaration.state import Item, State, state_of
from orchestrator.errors import Invalid, Problem

Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$")]
Path_ = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$")]


def _path_of_environments(value: Any) -> Any:
    """A list is a promotion path: each takes from the one before, the first from the library."""
    if not isinstance(value, list):
        return value
    names = [str(each) for each in value]
    return {name: {"after": before} for before, name in zip([LIBRARY, *names], names, strict=False)}


class DeclaredRepository(BaseModel):
    """What is not named here are keys of a source of mirrors.yaml; they are checked as those are."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    type: Literal["deb", "rpm", "file"]
    name: str = ""
    keys: tuple[Label, ...] = ()
    source_url: str = ""


class DeclaredProduct(Model):
    name: str = ""
    kind: Literal["custom", "vendor"] = "custom"
    vendor: str = ""
    content_id: str = ""
    baseurl: str = ""
    source_url: str = ""
    repositories: dict[Label, DeclaredRepository] = Field(default_factory=dict)


class DeclaredView(Model):
    name: str = ""
    repositories: tuple[Path_, ...] = ()
    views: tuple[Label, ...] = ()


class DeclaredEnvironment(Model):
    name: str = ""
    after: Label = LIBRARY


class DeclaredOrganization(Model):
    name: str = ""
    source_url: str = ""
    keys: dict[Label, Path] = Field(default_factory=dict)
    products: dict[Label, DeclaredProduct] = Field(default_factory=dict)
    views: dict[Label, DeclaredView] = Field(default_factory=dict)
    environments: Annotated[dict[Label, DeclaredEnvironment], BeforeValidator(_path_of_environments)] = Field(
        default_factory=dict
    )


class Declared(Model):
    organizations: Annotated[dict[Label, DeclaredOrganization], Field(min_length=1)]


def load_declaration(path: Path) -> State:
    """Raises Invalid with all problems."""
    if not is_there(path):
        raise Invalid(f"there is no file at {path}", hint="content.yaml(5) has an example")
    document = read_yaml(path)
    if not isinstance(document, dict):
        raise Invalid(f"{path} must be a mapping with `organizations`")
    problems: list[Problem] = []
    try:
        declared = Declared.model_validate(document)
    except ValidationError as error:
        raise Invalid(f"{path} has errors", problems=describe_errors(Declared, error)) from None
    items: list[Item] = []
    keys: dict[str, tuple[str, ...]] = {}
    for label, said in declared.organizations.items():
        reading = _Organization(path.absolute().parent, label, said)
        items += list(reading.items())
        keys |= reading.keys
        problems += reading.problems
    if problems:
        raise Invalid(f"{path} has errors", problems=problems)
    return state_of(items, keys)


# The keys of an upstream, and of its `auth`, that name files.
_FILES = ("sign_with", "password_file", "netrc", "client_certificate", "client_key", "ca")


class _Organization:
    """What one organization of the file declares; what is wrong with it is collected."""

    def __init__(self, base: Path, label: str, said: DeclaredOrganization) -> None:
        self._base, self._label, self._said = base, label, said
        self.problems: list[Problem] = []
        self.keys: dict[str, tuple[str, ...]] = {}

    def items(self) -> Iterator[Item]:
        said, label = self._said, self._label
        yield Organization(label, said.name, said.source_url)
        yield from self._keys()
        for name, product in said.products.items():
            yield from self._product(name, product)
        yield from self._views()
        yield Environment(label, LIBRARY, after="")
        for name, environment in said.environments.items():
            where = f"organizations.{label}.environments.{name}"
            if name == LIBRARY:
                self._wrong(where, "is there already: it is the first environment of every organization")
                continue
            if environment.after != LIBRARY and environment.after not in said.environments:
                self._wrong(f"{where}.after", f"no environment {environment.after}")
            yield Environment(label, name, environment.name, environment.after)

    def _keys(self) -> Iterator[Key]:
        from orchestrator.content.signatures import Keyring

        for name, file in self._said.keys.items():
            try:
                certificates = Keyring.load([self._base / file])
            except Invalid as error:
                for problem in error.problems:
                    self._wrong(f"organizations.{self._label}.keys.{name}", str(problem))
            else:
                yield Key(self._label, name, certificates.armoured().decode())

    def _product(self, label: str, said: DeclaredProduct) -> Iterator[Item]:
        where = f"organizations.{self._label}.products.{label}"
        if (said.kind == "vendor") != bool(said.vendor and said.content_id):
            self._wrong(where, "vendor and content_id belong to a product of kind vendor, and to it alone")
        kind = ProductKind(said.kind)
        product = Product(
            self._label, label, kind, said.name, said.vendor, said.content_id, said.baseurl, said.source_url
        )
        yield product
        for name, repository in said.repositories.items():
            yield self._repository(f"{where}.repositories.{name}", product, name, repository)

    def _repository(self, where: str, product: Product, label: str, said: DeclaredRepository) -> Repository:
        upstream = _beside(self._base, said.model_extra or {})
        repository = Repository(
            self._label, product.label, label, said.type, said.name, upstream, source_url=said.source_url
        )
        for number, key in enumerate(said.keys):
            if key not in self._said.keys:
                self._wrong(f"{where}.keys[{number}]", f"no key {key}")
        if upstream:
            self._upstream(where, product, repository, said.keys)
        self.keys[f"{self._label}/{repository.path}"] = said.keys
        return repository

    def _upstream(self, where: str, product: Product, repository: Repository, keys: tuple[str, ...]) -> None:
        """What a mirrors.yaml would be told of it."""
        from orchestrator.content.mirrors_file import read_source
        from orchestrator.content.upstreams import baseurls

        document = {**repository.upstream, "name": repository.label, "type": repository.type}
        if bases := baseurls(product, repository):
            document["baseurl"] = bases
        if files := [str(self._said.keys[key]) for key in keys if key in self._said.keys]:
            document["keys"] = files
        try:
            read_source(self._base, document)
        except Invalid as error:
            for problem in error.problems:
                self._wrong(
                    f"{where}.{problem.where}" if problem.where else where, problem.what, problem.hint
                )

    def _views(self) -> Iterator[View]:
        there = {f"{p}/{r}" for p, product in self._said.products.items() for r in product.repositories}
        for label, said in self._said.views.items():
            where = f"organizations.{self._label}.views.{label}"
            if said.repositories and said.views:
                self._wrong(where, "is made of repositories or of views, not of both")
            self._all_there(f"{where}.views", said.views, self._said.views)
            for number, path in enumerate(said.repositories):
                product = path.partition("/")[0]
                if product in self._said.products and path not in there:
                    self._wrong(f"{where}.repositories[{number}]", f"no repository {path}")
            yield View(self._label, label, said.name, said.repositories, said.views)

    def _all_there(self, where: str, names: tuple[str, ...], known: Mapping[str, Any]) -> None:
        for number, name in enumerate(names):
            if name not in known:
                self._wrong(f"{where}[{number}]", f"no view {name}")

    def _wrong(self, where: str, what: str, hint: str = "") -> None:
        self.problems.append(Problem(where, what, hint))


def _beside(base: Path, upstream: Mapping[str, Any]) -> dict[str, Any]:
    """The upstream with its relative paths below `base`: when it is brought in nobody knows where the file was."""

    def placed(values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: str(base / value) if key in _FILES and isinstance(value, str) and value else value
            for key, value in values.items()
        }

    auth = upstream.get("auth")
    return placed(upstream) | ({"auth": placed(auth)} if isinstance(auth, Mapping) else {})
