"""Finds the vendor modules: a file in ``vendors/`` without a leading underscore is a vendor; no list is kept."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from integrations import vendors as package
from integrations.types import EventKind, Vendor


@cache
def vendors() -> Mapping[str, Vendor]:
    """Every vendor by slug, in alphabetical order of the labels."""
    names = [module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_")]
    found = [import_module(f"{package.__name__}.{name}").VENDOR for name in names]
    return MappingProxyType({vendor.slug: vendor for vendor in sorted(found, key=lambda vendor: vendor.label.lower())})


def get(slug: str) -> Vendor | None:
    """The vendor, or None: a row can outlive its vendor's file."""
    return vendors().get(slug)


def sending() -> list[Vendor]:
    return [vendor for vendor in vendors().values() if vendor.sends]


def receiving() -> list[Vendor]:
    return [vendor for vendor in vendors().values() if vendor.receives]


@cache
def meanings() -> Mapping[tuple[str, str], str]:
    """(kind, name) → what such an event means, for what the sources' services are known to send; "" is every name."""
    receives = [vendor.receive for vendor in vendors().values() if vendor.receive is not None]
    found = {(kind.value, ""): words for one in receives for kind, words in one.known_kinds.items()}
    names = {name: words for one in receives for name, words in {**one.other_names, **one.known_events}.items()}
    return MappingProxyType(found | {(EventKind.TRACK.value, name): words for name, words in names.items()})
