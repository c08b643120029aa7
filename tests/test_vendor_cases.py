"""Runs every JSON case of every vendor: see ``tests/vendors/cases.py`` for what a case may say."""

from __future__ import annotations

import pytest

from tests.vendors import cases

CASES = cases.load()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: cases.Case) -> None:
    assert cases.run(case) == case.expected


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case_says_what_it_is_about_and_expects_something(case: cases.Case) -> None:
    assert case.document["about"].strip()
    assert case.expected
    assert set(case.document) <= cases.INPUTS | cases.OUTCOMES
