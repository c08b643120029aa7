"""What every vendor must keep, checked for each file in ``integrations/vendors`` by itself: nothing is registered here.
That the rules find what they are for is in test_vendor_rules.py."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

from integrations import registry
from tests.vendors import cases
from tests.vendors.rules import RULES
from tests.vendors.subject import Rule, subject_of

VENDORS = registry.vendors()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("slug", VENDORS)
def test_every_vendor_keeps_every_rule(slug: str, rule: Rule) -> None:
    source = inspect.getsource(import_module(f"integrations.vendors.{slug}"))  # the file has the vendor's full name
    assert list(rule(subject_of(VENDORS[slug], source))) == []


def test_every_folder_of_cases_belongs_to_a_vendor() -> None:
    assert {path.name for path in cases.ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(VENDORS)
