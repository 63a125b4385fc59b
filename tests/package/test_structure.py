"""The structure of the code: imports point one way, names of tensors stand in one place, and what
is public is what the interface page documents."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT

import ase_eqtensor
from ase_eqtensor.quantities import QUANTITIES, heads

# Rooms and single modules from left to right: each imports from itself and from its left only.
ORDER = [
    "errors", "extras", "storage", "parallel", "tensors", "quantities", "crystal", "potential",
    "network", "models", "prediction", "calculator", "files", "analysis", "handover", "matcalc",
    "screening", "checking", "reporting",
    "train.folds", "train.record", "train.lines", "train.queue", "train.targets", "train.measured",
    "train.data", "train.teacher", "train.recipes", "train.fitting", "train.pretraining",
    "train.scoring", "train.card",
    "train.run", "train.families", "train.branch", "train.student", "train.calibrate",
    "train.partner", "train.frames", "train.release", "commands",
]  # fmt: skip
ENTRANCES = ("ase_eqtensor", "ase_eqtensor.__main__", "ase_eqtensor.plugin", "ase_eqtensor.weights")
# Where the names of tensors, heads and scalars may be written out, beside quantities, targets and
# sources: in what knows the names of older versions.
NAMING = ("ase_eqtensor/quantities/", "train/targets/", "train/data/sources/")
OLD_NAMES = "ase_eqtensor/models/upgrade.py"
FIELDS = {("train/recipes/recipe.py", "anisotropy")}  # a field of recipes with a scalar's name


def modules() -> Iterator[tuple[str, Path]]:
    """Name and file of every module of the package."""
    for folder, prefix in ((ROOT / "ase_eqtensor", "ase_eqtensor"), (ROOT / "train", "train")):
        for path in folder.rglob("*.py"):
            parts = [*path.relative_to(folder).with_suffix("").parts]
            parts = [prefix, *parts[: -1 if parts[-1] == "__init__" else None]]
            yield ".".join(parts if prefix == "ase_eqtensor" else ["ase_eqtensor", *parts]), path


def imports(name: str, path: Path) -> Iterator[str]:
    """Full names of the package's modules that a module imports, wherever it does."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            source = ".".join([*base, node.module or ""]) if node.level else node.module
            yield from (f"{source.rstrip('.')}.{alias.name}" for alias in node.names)


def place(module: str) -> int | None:
    """Position in the order of the room that a module, or a name in it, belongs to."""
    inner = module.removeprefix("ase_eqtensor.")
    rooms = [room for room in ORDER if inner == room or inner.startswith(f"{room}.")]
    return ORDER.index(max(rooms, key=len)) if rooms else None


def test_every_module_has_its_place():
    homeless = {name for name, _ in modules() if place(name) is None}
    assert homeless == {*ENTRANCES, "ase_eqtensor.train"}


def test_imports_point_to_the_left():
    wrong = [
        f"{name} imports {target}"
        for name, path in modules()
        if place(name) is not None
        for target in imports(name, path)
        if target.startswith("ase_eqtensor.") and (place(target) or 0) > place(name)
    ]
    assert wrong == []


def test_the_rule_can_fail(tmp_path):
    path = tmp_path / "notation.py"
    path.write_text("from ..quantities import QUANTITIES\n")
    (target,) = imports("ase_eqtensor.tensors.notation", path)
    assert place(target) > place("ase_eqtensor.tensors.notation")


def literals(path: Path) -> Iterator[str]:
    """String literals of a file that are no docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef)
    bodies = (node.body[0] for node in ast.walk(tree) if isinstance(node, owners) and node.body)
    docstrings = {id(first.value) for first in bodies if isinstance(first, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in docstrings:
                yield node.value


def test_no_tensor_head_or_scalar_is_named_by_a_literal():
    names = {*QUANTITIES, *heads(), *(q.key for q in QUANTITIES.values())}
    names |= {scalar.name for q in QUANTITIES.values() for scalar in q.scalars}
    folders = [ROOT / name for name in ("ase_eqtensor", "train", "studies", "benchmarks")]
    named = {
        (path.relative_to(ROOT).as_posix(), literal)
        for folder in folders
        for path in folder.rglob("*.py")
        for literal in literals(path)
        if literal in names
    }
    elsewhere = {n for n in named if not n[0].startswith(NAMING) and n[0] != OLD_NAMES}
    assert elsewhere == FIELDS


def test_the_interface_page_documents_exactly_what_is_public():
    page = (ROOT / "docs" / "api.md").read_text()
    documented = re.findall(r"^::: ase_eqtensor\.(\w+)$", page, flags=re.M)
    assert sorted(documented) == sorted(ase_eqtensor.__all__)


@pytest.mark.parametrize("name", ase_eqtensor.__all__)
def test_what_is_public_exists_and_is_documented(name):
    value = getattr(ase_eqtensor, name)
    assert isinstance(value, dict) or value.__doc__


def test_files_are_short():
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines())
        for folder in ("ase_eqtensor", "train", "studies", "benchmarks", "tests")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {path: n for path, n in lengths.items() if n > 350} == {}
    assert lengths["ase_eqtensor/calculator.py"] < 200
