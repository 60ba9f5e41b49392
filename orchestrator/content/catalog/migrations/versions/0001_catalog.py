# SPDX-License-Identifier: GPL-3.0-or-later
"""The first catalog."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _owners()
    _views()
    _history()


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    return sa.Column(name, words, nullable=nullable)


def _owners() -> None:
    """Organizations and what belongs to them."""
    op.create_table(
        "organization",
        _number("id"),
        _text("label"),
        _text("name"),
        _text("source_url"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization")),
        sa.UniqueConstraint("label", name=op.f("uq_organization_label")),
    )
    op.create_table(
        "product",
        _number("id"),
        _number("organization_id"),
        _text("label"),
        _text("kind"),
        _text("name"),
        _text("vendor", nullable=True),
        _text("content_id", nullable=True),
        _text("baseurl"),
        _text("source_url"),
        sa.CheckConstraint(
            "(kind = 'vendor' AND vendor IS NOT NULL AND content_id IS NOT NULL)"
            " OR (kind = 'custom' AND vendor IS NULL AND content_id IS NULL)",
            name=op.f("ck_product_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_product_organization_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
        sa.UniqueConstraint("organization_id", "label", name=op.f("uq_product_organization_id_label")),
        sa.UniqueConstraint(
            "organization_id",
            "vendor",
            "content_id",
            name=op.f("uq_product_organization_id_vendor_content_id"),
        ),
    )
    op.create_table(
        "repository",
        _number("id"),
        _number("product_id"),
        _text("label"),
        _text("type"),
        _text("name"),
        sa.Column("upstream", sa.JSON(), nullable=False),
        _text("mirror", nullable=True),
        _text("source_url"),
        sa.CheckConstraint("type IN ('deb', 'rpm', 'file')", name=op.f("ck_repository_type")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_repository_product_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repository")),
        sa.UniqueConstraint("mirror", name=op.f("uq_repository_mirror")),
        sa.UniqueConstraint("product_id", "label", name=op.f("uq_repository_product_id_label")),
    )
    op.create_table(
        "snapshot",
        _number("id"),
        _number("repository_id"),
        _number("number"),
        _text("inventory"),
        _number("files"),
        _number("packages"),
        _number("bytes"),
        _text("made"),
        _text("origin"),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repository.id"], name=op.f("fk_snapshot_repository_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshot")),
        sa.UniqueConstraint("repository_id", "number", name=op.f("uq_snapshot_repository_id_number")),
    )
    op.create_table(
        "key",
        _number("id"),
        _number("organization_id"),
        _text("name"),
        _text("armoured"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_key_organization_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_key_organization_id_name")),
    )
    op.create_table(
        "repository_key",
        _number("repository_id"),
        _number("key_id"),
        sa.ForeignKeyConstraint(
            ["key_id"], ["key.id"], name=op.f("fk_repository_key_key_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repository.id"],
            name=op.f("fk_repository_key_repository_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("repository_id", "key_id", name=op.f("pk_repository_key")),
    )
    op.create_index(op.f("ix_repository_key_key_id"), "repository_key", ["key_id"])


def _views() -> None:
    """Views, their versions, and what shows them."""
    op.create_table(
        "view",
        _number("id"),
        _number("organization_id"),
        _text("label"),
        _text("name"),
        _number("last"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_view_organization_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_view")),
        sa.UniqueConstraint("organization_id", "label", name=op.f("uq_view_organization_id_label")),
    )
    op.create_table(
        "view_repository",
        _number("view_id"),
        _number("repository_id"),
        _number("position"),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repository.id"],
            name=op.f("fk_view_repository_repository_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["view_id"], ["view.id"], name=op.f("fk_view_repository_view_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("view_id", "repository_id", name=op.f("pk_view_repository")),
    )
    op.create_index(op.f("ix_view_repository_repository_id"), "view_repository", ["repository_id"])
    op.create_table(
        "view_component",
        _number("view_id"),
        _number("component_id"),
        _number("position"),
        sa.CheckConstraint("view_id <> component_id", name=op.f("ck_view_component_itself")),
        sa.ForeignKeyConstraint(
            ["component_id"], ["view.id"], name=op.f("fk_view_component_component_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["view_id"], ["view.id"], name=op.f("fk_view_component_view_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("view_id", "component_id", name=op.f("pk_view_component")),
    )
    op.create_index(op.f("ix_view_component_component_id"), "view_component", ["component_id"])
    op.create_table(
        "view_version",
        _number("id"),
        _number("view_id"),
        _number("number"),
        _text("made"),
        _text("description"),
        sa.CheckConstraint("number > 0", name=op.f("ck_view_version_number")),
        sa.ForeignKeyConstraint(
            ["view_id"], ["view.id"], name=op.f("fk_view_version_view_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_view_version")),
        sa.UniqueConstraint("view_id", "number", name=op.f("uq_view_version_view_id_number")),
    )
    op.create_table(
        "version_content",
        _number("version_id"),
        _text("path"),
        _number("snapshot_id"),
        sa.ForeignKeyConstraint(
            ["snapshot_id"], ["snapshot.id"], name=op.f("fk_version_content_snapshot_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["view_version.id"],
            name=op.f("fk_version_content_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("version_id", "path", name=op.f("pk_version_content")),
    )
    op.create_index(op.f("ix_version_content_snapshot_id"), "version_content", ["snapshot_id"])
    op.create_table(
        "environment",
        _number("id"),
        _number("organization_id"),
        _text("label"),
        _text("name"),
        _number("after_id", nullable=True),
        sa.CheckConstraint("(after_id IS NULL) = (label = 'library')", name=op.f("ck_environment_library")),
        sa.CheckConstraint("after_id <> id", name=op.f("ck_environment_itself")),
        sa.ForeignKeyConstraint(
            ["after_id"], ["environment.id"], name=op.f("fk_environment_after_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_environment_organization_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_environment")),
        sa.UniqueConstraint("organization_id", "label", name=op.f("uq_environment_organization_id_label")),
    )
    op.create_index(op.f("ix_environment_after_id"), "environment", ["after_id"])
    op.create_table(
        "shown",
        _number("environment_id"),
        _number("view_id"),
        _number("number"),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environment.id"], name=op.f("fk_shown_environment_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["view_id", "number"],
            ["view_version.view_id", "view_version.number"],
            name=op.f("fk_shown_view_id_number"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("environment_id", "view_id", name=op.f("pk_shown")),
    )
    op.create_index(op.f("ix_shown_view_id_number"), "shown", ["view_id", "number"])


def _history() -> None:
    """What was done, in words that outlive what it was done to."""
    op.create_table(
        "export",
        _number("number"),
        _text("organization"),
        _text("subject_kind"),
        _text("subject_name"),
        _number("subject_version"),
        _text("kind"),
        _text("format"),
        _text("destination"),
        _text("export_id"),
        _text("place"),
        _text("state"),
        _text("made"),
        _number("chunks"),
        _number("objects"),
        _number("bytes"),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        _text("manifest"),
        _text("receipt"),
        sa.CheckConstraint("state IN ('complete', 'partial')", name=op.f("ck_export_state")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_export")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_export_export_id"), "export", ["export_id"])
    op.create_index(
        op.f("ix_export_organization_subject_kind_subject_name_destination"),
        "export",
        ["organization", "subject_kind", "subject_name", "destination"],
    )
    op.create_table(
        "import",
        _text("export_id"),
        _text("organization"),
        _text("subject_organization"),
        _text("subject_kind"),
        _text("subject_name"),
        _number("subject_version"),
        _text("state"),
        _text("made"),
        _text("updated"),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.CheckConstraint("state IN ('going on', 'complete', 'failed')", name=op.f("ck_import_state")),
        sa.PrimaryKeyConstraint("export_id", name=op.f("pk_import")),
    )
    op.create_table(
        "receipt",
        _number("id"),
        _text("destination"),
        _text("digest"),
        _text("document"),
        _text("received"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt")),
        sa.UniqueConstraint("destination", "digest", name=op.f("uq_receipt_destination_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_receipt_destination"), "receipt", ["destination"])
    op.create_table(
        "audit",
        _number("number"),
        _text("time"),
        _text("actor"),
        _text("via"),
        _text("action"),
        _text("subject"),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
