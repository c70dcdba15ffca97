"""The layout: each package's map is true, and imports point upward in its order."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("models", "streams")
FORBIDDEN_IN_MODELS = {
    *("streams", "faust", "mode", "aiokafka", "redis", "asyncio", "threading", "os", "socket"),
    *("random", "subprocess", "time", "pathlib", "io"),
}


def package_map(package: str) -> list[str]:
    """Read the modules that have a sentence in a package's docstring, in order."""
    docstring = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text())) or ""
    return re.findall(r"^    (\w+) {2,}\S", docstring, re.MULTILINE)


def sources(package: str) -> dict[str, ast.Module]:
    """Parse the modules of a package."""
    return {
        path.stem: ast.parse(path.read_text())
        for path in (ROOT / package).glob("*.py")
        if path.stem != "__init__"
    }


def imports(tree: ast.Module) -> set[str]:
    """List the full names of all modules that a module imports, for types too."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                names |= {alias.name for alias in aliases}
            case ast.ImportFrom(module=str(module), names=aliases):
                names |= {module} | {f"{module}.{alias.name}" for alias in aliases}
    return names


@pytest.mark.parametrize("package", PACKAGES)
def test_the_map_names_every_module(package: str) -> None:
    """A package's map lists the modules that are there, and no others."""
    assert set(package_map(package)) == set(sources(package))


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_upward(package: str) -> None:
    """A module imports from its package only what stands above it in the map."""
    order = package_map(package)
    trees = sources(package)
    for place, module in enumerate(order):
        below = {f"{package}.{name}" for name in order[place:]}
        assert not imports(trees[module]) & below, f"{package}/{module}.py"


def test_models_do_no_input_or_output() -> None:
    """No module of models/ imports a transport, a clock, a file or chance."""
    for module, tree in sources("models").items():
        roots = {name.partition(".")[0] for name in imports(tree)}
        assert not roots & FORBIDDEN_IN_MODELS, f"models/{module}.py"


def test_what_runs_without_the_extras_imports_none_of_them() -> None:
    """Installed without `local` and `dev`, no module misses a package at its import."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {
        re.match(r"[\w-]+", requirement).group().replace("-", "_")  # type: ignore[union-attr]
        for group in project["optional-dependencies"].values()
        for requirement in group
    }
    for package in PACKAGES:
        for module, tree in sources(package).items():
            roots = {name.partition(".")[0] for name in imports(tree)}
            assert not roots & extras, f"{package}/{module}.py"
