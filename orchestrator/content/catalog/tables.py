# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of the catalog. What may not be is refused by the schema itself: labels are unique, nothing goes while
something refers to it, a vendor's product has its ids and no other has them.

Rows have numbers of their own, which nobody outside of this package sees: people, files and other servers know
labels. Exports, imports, receipts and the audit trail name what they are about in words, and outlive it. A change
here needs a migration; a test compares the two.
"""

from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite numbers rows by itself only where the type is called INTEGER; it holds 64 bits there, too.
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")
# Sorted alike everywhere: by code point.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {str: _TEXT, int: _NUMBER, dict[str, Any]: JSON()}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class OrganizationRow(Base):
    __tablename__ = "organization"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    source_url: Mapped[str]


class ProductRow(Base):
    """`vendor` and `content_id` are None of a custom one, as `mirror` of a repository that is none: None is unlike
    any other None, and may be there often."""

    __tablename__ = "product"

    id: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id", ondelete="RESTRICT"))
    label: Mapped[str]
    kind: Mapped[str]
    name: Mapped[str]
    vendor: Mapped[str | None]
    content_id: Mapped[str | None]
    baseurl: Mapped[str]
    source_url: Mapped[str]

    __table_args__ = (
        UniqueConstraint("organization_id", "label"),
        UniqueConstraint("organization_id", "vendor", "content_id"),
        CheckConstraint(
            "(kind = 'vendor' AND vendor IS NOT NULL AND content_id IS NOT NULL)"
            " OR (kind = 'custom' AND vendor IS NULL AND content_id IS NULL)",
            name="kind",
        ),
    )


class RepositoryRow(Base):
    __tablename__ = "repository"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id", ondelete="RESTRICT"))
    label: Mapped[str]
    type: Mapped[str]
    name: Mapped[str]
    upstream: Mapped[dict[str, Any]]
    mirror: Mapped[str | None] = mapped_column(unique=True)
    source_url: Mapped[str]

    __table_args__ = (
        UniqueConstraint("product_id", "label"),
        CheckConstraint("type IN ('deb', 'rpm', 'file')", name="type"),
    )


class SnapshotRow(Base):
    __tablename__ = "snapshot"

    id: Mapped[int] = mapped_column(primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repository.id", ondelete="RESTRICT"))
    number: Mapped[int]
    inventory: Mapped[str]
    files: Mapped[int]
    packages: Mapped[int]
    bytes: Mapped[int]
    made: Mapped[str]
    origin: Mapped[str]

    __table_args__ = (UniqueConstraint("repository_id", "number"),)


class KeyRow(Base):
    __tablename__ = "key"

    id: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id", ondelete="RESTRICT"))
    name: Mapped[str]
    armoured: Mapped[str]

    __table_args__ = (UniqueConstraint("organization_id", "name"),)


class RepositoryKeyRow(Base):
    __tablename__ = "repository_key"

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repository.id", ondelete="CASCADE"), primary_key=True
    )
    key_id: Mapped[int] = mapped_column(
        ForeignKey("key.id", ondelete="RESTRICT"), primary_key=True, index=True
    )


class ViewRow(Base):
    """`last` is the highest number that a version of it ever had: none is given twice."""

    __tablename__ = "view"

    id: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id", ondelete="RESTRICT"))
    label: Mapped[str]
    name: Mapped[str]
    last: Mapped[int]

    __table_args__ = (UniqueConstraint("organization_id", "label"),)


class ViewRepositoryRow(Base):
    __tablename__ = "view_repository"

    view_id: Mapped[int] = mapped_column(ForeignKey("view.id", ondelete="CASCADE"), primary_key=True)
    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repository.id", ondelete="RESTRICT"), primary_key=True, index=True
    )
    position: Mapped[int]


class ViewComponentRow(Base):
    __tablename__ = "view_component"

    view_id: Mapped[int] = mapped_column(ForeignKey("view.id", ondelete="CASCADE"), primary_key=True)
    component_id: Mapped[int] = mapped_column(
        ForeignKey("view.id", ondelete="RESTRICT"), primary_key=True, index=True
    )
    position: Mapped[int]

    __table_args__ = (CheckConstraint("view_id <> component_id", name="itself"),)


class ViewVersionRow(Base):
    __tablename__ = "view_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    view_id: Mapped[int] = mapped_column(ForeignKey("view.id", ondelete="RESTRICT"))
    number: Mapped[int]
    made: Mapped[str]
    description: Mapped[str]

    __table_args__ = (
        UniqueConstraint("view_id", "number"),
        CheckConstraint("number > 0", name="number"),
    )


class VersionContentRow(Base):
    __tablename__ = "version_content"

    version_id: Mapped[int] = mapped_column(
        ForeignKey("view_version.id", ondelete="CASCADE"), primary_key=True
    )
    path: Mapped[str] = mapped_column(primary_key=True)
    snapshot_id: Mapped[int] = mapped_column(ForeignKey("snapshot.id", ondelete="RESTRICT"), index=True)


class EnvironmentRow(Base):
    __tablename__ = "environment"

    id: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id", ondelete="RESTRICT"))
    label: Mapped[str]
    name: Mapped[str]
    after_id: Mapped[int | None] = mapped_column(
        ForeignKey("environment.id", ondelete="RESTRICT"), index=True
    )

    __table_args__ = (
        UniqueConstraint("organization_id", "label"),
        CheckConstraint("after_id <> id", name="itself"),
        CheckConstraint("(after_id IS NULL) = (label = 'library')", name="library"),
    )


class ShownRow(Base):
    __tablename__ = "shown"

    environment_id: Mapped[int] = mapped_column(
        ForeignKey("environment.id", ondelete="RESTRICT"), primary_key=True
    )
    view_id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]

    __table_args__ = (
        ForeignKeyConstraint(
            ["view_id", "number"], ["view_version.view_id", "view_version.number"], ondelete="RESTRICT"
        ),
        Index(None, "view_id", "number"),
    )


class ExportRow(Base):
    __tablename__ = "export"

    number: Mapped[int] = mapped_column(primary_key=True)
    organization: Mapped[str]
    subject_kind: Mapped[str]
    subject_name: Mapped[str]
    subject_version: Mapped[int]
    kind: Mapped[str]
    format: Mapped[str]
    destination: Mapped[str]
    export_id: Mapped[str] = mapped_column(index=True)
    place: Mapped[str]
    state: Mapped[str]
    made: Mapped[str]
    chunks: Mapped[int]
    objects: Mapped[int]
    bytes: Mapped[int]
    pinned: Mapped[bool]
    manifest: Mapped[str]
    receipt: Mapped[str]

    __table_args__ = (
        CheckConstraint("state IN ('complete', 'partial')", name="state"),
        Index(None, "organization", "subject_kind", "subject_name", "destination"),
        {"sqlite_autoincrement": True},  # the number of a deleted export is not given again
    )


class ImportRow(Base):
    __tablename__ = "import"

    export_id: Mapped[str] = mapped_column(primary_key=True)
    organization: Mapped[str]
    subject_organization: Mapped[str]
    subject_kind: Mapped[str]
    subject_name: Mapped[str]
    subject_version: Mapped[int]
    state: Mapped[str]
    made: Mapped[str]
    updated: Mapped[str]
    report: Mapped[dict[str, Any]]

    __table_args__ = (CheckConstraint("state IN ('going on', 'complete', 'failed')", name="state"),)


class ReceiptRow(Base):
    __tablename__ = "receipt"

    id: Mapped[int] = mapped_column(primary_key=True)
    destination: Mapped[str] = mapped_column(index=True)
    digest: Mapped[str]
    document: Mapped[str]
    received: Mapped[str]

    __table_args__ = (UniqueConstraint("destination", "digest"), {"sqlite_autoincrement": True})


class AuditRow(Base):
    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(primary_key=True)
    time: Mapped[str]
    actor: Mapped[str]
    via: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    details: Mapped[dict[str, Any]]

    __table_args__ = ({"sqlite_autoincrement": True},)
