"""The house's rules that a program can check: which way the imports point, who may import what, how long a file is, and
that README.md names what it must name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations import registry

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("config", "deliveries", "integrations")
OTHERS = ("benchmarks", "tests")
LONGEST = 300
VARIABLES = (
    "DATA_DIR", "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "SECRETS_KEYS", "ALLOWED_HOSTS", "ADMIN_EMAIL",
    "ADMIN_PASSWORD", "ALLOWED_PRIVATE_NETWORKS", "WEB_PROCESSES", "WORKERS", "RETENTION_DAYS", "HOLD_DAYS",
)  # fmt: skip


def files(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if not {"migrations", "node_modules"} & set(path.parts)]


def imports(path: Path) -> Iterator[str]:
    """Every module that the file imports, at its top or inside a function; each name of a ``from`` with it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def importers(module: str, *folders: str) -> set[str]:
    """The files in the folders that import the module or a part of it."""
    return {
        str(path.relative_to(ROOT))
        for path in files(*folders)
        if any(name == module or name.startswith(f"{module}.") for name in imports(path))
    }


def test_the_packages_are_these_three() -> None:
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} - set(OTHERS) == set(PACKAGES)


@pytest.mark.parametrize(
    ("lower", "higher"),
    [("deliveries", "config"), ("integrations", "config"), ("integrations", "deliveries")],
)
def test_arrows_point_one_way(lower: str, higher: str) -> None:
    """config → deliveries → integrations."""
    assert importers(higher, lower) == set()


def test_vendors_know_only_the_values_they_exchange() -> None:
    """integrations → vendors → types; vendors know nothing of what is configured, and nothing of each other."""
    allowed = ("integrations.types.", "integrations.verdicts.", "integrations.vendors._")
    for path in files("integrations/vendors"):
        for name in imports(path):
            if name.startswith(PACKAGES):
                assert name.startswith(allowed), f"{path.name} imports {name}"


def test_values_import_nothing_of_ours() -> None:
    assert [name for name in imports(ROOT / "integrations/values.py") if name.startswith(PACKAGES)] == []


@pytest.mark.parametrize("module", ["django", "rest_framework", "requests", "django_q"])
def test_vendors_and_core_are_pure(module: str) -> None:
    assert importers(module, "integrations/vendors", "deliveries/core") == set()


@pytest.mark.parametrize("name", ["types", "mapping", "filters", "fql", "verdicts"])
def test_pure_modules_are_pure(name: str) -> None:
    found = [module.partition(".")[0] for module in imports(ROOT / f"integrations/{name}.py")]
    assert not {"django", "rest_framework", "requests", "django_q"} & set(found)


def test_core_imports_no_part_that_does_something() -> None:
    for path in files("deliveries/core"):
        for name in imports(path):
            assert not name.startswith("deliveries.") or name.startswith("deliveries.core"), f"{path.name}: {name}"


@pytest.mark.parametrize(
    ("module", "importer"), [("requests", "deliveries/engine/send.py"), ("django_q", "deliveries/queue.py")]
)
def test_one_module_alone_imports(module: str, importer: str) -> None:
    assert importers(module, *PACKAGES) == {importer}


def test_one_module_alone_groups_digits() -> None:
    """Or a sentence would write 1,234 where the page beside it writes 1 234."""
    found = [str(path.relative_to(ROOT)) for path in files(*PACKAGES) if ":,}" in path.read_text(encoding="utf-8")]
    assert found == ["integrations/numbers.py"]


@pytest.mark.parametrize("path", files(*PACKAGES, *OTHERS), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("name", VARIABLES)
def test_the_readme_names_every_variable(name: str) -> None:
    assert f"`{name}`" in readme()


@pytest.mark.parametrize("slug", list(registry.vendors()))
def test_the_readme_names_every_vendor(slug: str) -> None:
    text = readme()
    assert f"`{slug}`" in text
    assert registry.vendors()[slug].label in text


def readme() -> str:
    path = ROOT / "README.md"
    assert path.exists(), "README.md is missing"
    return path.read_text(encoding="utf-8")
