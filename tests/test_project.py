"""The house rules that a machine can hold: sizes, names, and who may import whom."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "mixtura"
FILES = sorted(SOURCE.rglob("*.py"))
WRITTEN = [*FILES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "examples").rglob("*.py"))]
DRAWERS = {"utils", "util", "helpers", "helper", "misc", "common", "tools"}

# What each part may import of the rest, by first name below `mixtura`. A part may import itself.
VALUES = {"shape", "quadratic", "suffstats", "background", "mixture"}
ASKED = {"estimate", "conditional", "cumulative"}
DESCRIBED = ASKED | {"distribution", "information", "region", "modes", "reduction"}
FIT = VALUES | {"source", "standardization", "estep", "prior", "fixed", "mstep", "engine", "em", "acceleration"}
SEARCH = FIT | {"climb", "native_climb", "initialization", "moves", "sample", "search"}
MAY_IMPORT: dict[str, set[str]] = {
    "shape": set(),
    "quadratic": {"shape"},
    "suffstats": {"shape"},
    "covariance": {"shape"},
    "background": {"shape"},
    "estimate": {"shape"},
    "conditional": {"shape", "background"},
    "cumulative": {"shape", "estimate"},
    "distribution": ASKED | {"shape", "quadratic", "background"},
    "information": {"shape"},
    "region": {"shape", "estimate", "cumulative"},
    "modes": {"shape", "quadratic"},
    "reduction": {"shape"},
    "description": DESCRIBED | {"shape", "quadratic", "background"},
    "mixture": {"shape", "quadratic", "covariance", "background", "description"},
    "directions": {"shape", "mixture"},
    "standardization": {"shape", "mixture"},
    "source": {"shape"},
    "estep": {"shape", "quadratic", "suffstats"},
    "observation": {"shape", "quadratic", "suffstats", "estep"},
    "engine": {"shape", "quadratic", "suffstats", "estep", "observation", "source", "standardization", "_native"},
    "prior": VALUES | {"covariance"},
    "fixed": VALUES | {"covariance"},
    "mstep": VALUES | {"covariance", "prior", "fixed"},
    "acceleration": VALUES | {"mstep"},
    "online": VALUES | {"mstep"},
    "em": VALUES | {"mstep", "acceleration", "engine"},
    "native_climb": FIT | {"_native"},
    "climb": FIT | {"native_climb"},
    "initialization": VALUES | {"mstep", "estep", "_native"},
    "sample": VALUES | {"mstep", "estep", "initialization"},
    "moves": VALUES | {"engine", "reduction"},
    "search": SEARCH,
    "start": VALUES | {"mstep", "standardization"},
    "selection": SEARCH | {"covariance", "start"},
    "summary": VALUES | {"em"},
    "drawing": set(),
    "trace": VALUES | {"drawing"},
    "atomic": set(),
    "document": {"shape"},
    "checkpoint": SEARCH | {"atomic", "document"},
    "table": {"shape", "source", "atomic"},
    "estimators": SEARCH
    | {"covariance", "selection", "start", "observation", "summary", "table", "drawing", "trace"}
    | {"online", "checkpoint"},
    "merging": VALUES | {"estimators"},
    "bootstrap": VALUES | {"estimators"},
    "likelihood_ratio": VALUES | {"estimators"},
    "spatial": set(),
    "image": {"engine", "estimators", "spatial"},
    "video": {"engine", "estimators"},
    "tracking": {"shape"},
    "datasets": set(),
}
#: The outer ring may import anything, and nothing above may import it.
FILES_OF_MODELS = {"persistence", "kinds", "mixture_document", "estimator_document"}
OUTER = FILES_OF_MODELS | {"plot", "report", "cli", "__main__"}
#: Third-party packages that have one home each.
HOMES = {"matplotlib": "plot", "typer": "cli", "rich": "cli", "pyarrow": "table"} | dict.fromkeys(
    ("dask", "distributed"), "engine"
)
#: Inside the package, scikit-learn is for the estimators and for the data sets' Bunch.
SCIKIT_LEARN = {"estimators", "datasets"}


def part_of(file: Path) -> str:
    """First name below the package: a module's, or a folder's."""
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(file: Path) -> set[str]:
    """Dotted names of every module that a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_parts(file: Path) -> set[str]:
    """Parts of mixtura that a file imports."""
    inside = {name.split(".")[1] for name in imported(file) if name.startswith("mixtura.")}
    return {name for name in inside if name in MAY_IMPORT or name in OUTER or name == "_native"}


def test_the_import_scanner_sees_what_it_should(tmp_path):
    file = tmp_path / "probe.py"
    file.write_text("import numpy\ndef f():\n    from mixtura.covariance.model import X\nfrom mixtura import plot\n")
    assert imported(file) == {"numpy", "mixtura.covariance.model.X", "mixtura.plot"}
    assert imported_parts(file) == {"covariance", "plot"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_imports_follow_the_table(file):
    part = part_of(file)
    if part == "__init__" or part in OUTER:
        return  # the package's face is lazy; the outer ring may import anything
    assert part in MAY_IMPORT, f"{part} has no row in the table of who may import whom"
    assert imported_parts(file) <= MAY_IMPORT[part] | {part}


def test_few_files_import_by_name():
    # __init__.py is the lazy face; the others are the ways to pictures and reports, which the inner rings do not import
    users = {file.name for file in FILES if "import_module" in file.read_text(encoding="utf-8")}
    assert users <= {"__init__.py", "drawing.py", "reported.py"}


def test_importing_the_package_loads_nothing_heavy():
    heavy = ["numpy", "scipy", "sklearn", "pandas", *HOMES]
    probe = f"import sys, mixtura; print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_table_has_no_cycle():
    done: set[str] = set()
    waiting = {part: allowed - {part, "_native"} for part, allowed in MAY_IMPORT.items()}
    while waiting:
        free = {part for part, allowed in waiting.items() if allowed <= done}
        assert free, f"cycle among {sorted(waiting)}"
        done |= free
        waiting = {part: allowed for part, allowed in waiting.items() if part not in free}


@pytest.mark.parametrize("package", HOMES)
def test_optional_packages_have_one_home(package):
    users = {part_of(file) for file in FILES if any(name.split(".")[0] == package for name in imported(file))}
    assert users <= {HOMES[package]}


def test_scikit_learn_stays_at_the_rim():
    users = {part_of(file) for file in FILES if any(name.split(".")[0] == "sklearn" for name in imported(file))}
    assert users <= SCIKIT_LEARN | OUTER


def test_base_classes_of_scikit_learn_are_imported_by_one_file():
    users = [file for file in FILES if any(name.startswith("sklearn.base.") for name in imported(file))]
    assert len(users) <= 1, users


def test_only_the_covariance_rack_compares_a_covariance_type():
    comparison = re.compile(r"covariance_type\s*(==|!=|\bin\b|\bnot in\b)|match\s+\S*covariance_type")
    for file in FILES:
        if part_of(file) != "covariance":
            assert not comparison.search(file.read_text(encoding="utf-8")), file


@pytest.mark.parametrize("file", WRITTEN, ids=lambda file: str(file.relative_to(ROOT)))
def test_files_and_functions_are_short(file):
    text = file.read_text(encoding="utf-8")
    assert text.count("\n") < 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines < 60, f"{node.name} has {lines} lines"


def test_no_file_is_a_drawer():
    assert not [path for path in SOURCE.rglob("*") if path.stem.strip("_").lower() in DRAWERS]


def test_the_architecture_page_is_short_and_names_every_part():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert text.count("\n") < 150
    missing = {part for part in map(part_of, FILES) if part != "__init__" and part not in text}
    assert not missing


def test_the_runtime_needs_three_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[<>=\[ ]", dependency)[0] for dependency in project["dependencies"]}
    assert names == {"numpy", "scipy", "scikit-learn"}
    assert set(project["optional-dependencies"]) == {"plot", "cli", "io", "dask", "all", "dev", "docs"}
