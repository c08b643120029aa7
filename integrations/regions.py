"""The vendors' own addresses as rows, so that a person can add one beside them."""

from __future__ import annotations

from typing import Any

from integrations import registry


def seed_regions(**_: Any) -> None:
    """Make or refresh the built-in regions of every vendor. Rows that people added are left alone."""
    from integrations.models import RegionEndpoint

    for vendor in registry.vendors().values():
        for region in vendor.regions:
            wanted = {"label": region.label, "base_url": region.base_url, "note": region.note, "builtin": True}
            row = RegionEndpoint.objects.filter(vendor=vendor.slug, slug=region.slug).first()
            if row is None:
                RegionEndpoint.objects.create(vendor=vendor.slug, slug=region.slug, **wanted)
            elif row.builtin and any(getattr(row, name) != value for name, value in wanted.items()):
                for name, value in wanted.items():
                    setattr(row, name, value)
                row.save()
