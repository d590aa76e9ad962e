"""Who may import whom, and what a start must not load."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("schemas", "core", "http_api", "mcp_server")


def imported(file: Path, *, top_level_only: bool = False) -> Iterator[str]:
    """Yield the dotted names a file imports."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def loaded_by(statement: str) -> set[str]:
    """Return the top-level packages a fresh interpreter has loaded after `statement`."""
    program = f"import sys; {statement}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_import_contracts_hold() -> None:
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    # A process of its own: the linter reconfigures logging, and other tests read the log.
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_core_patches_imports_only_schemas_jsonschema_and_the_standard_library() -> None:
    allowed = {"schemas", "jsonschema"} | sys.stdlib_module_names

    foreign = {
        f"{file.name}: {name}"
        for file in (ROOT / "core" / "patches").rglob("*.py")
        for name in imported(file)
        if name.partition(".")[0] not in allowed and not name.startswith("core.patches")
    }

    assert not foreign


def test_litellm_is_imported_only_when_a_model_is_called() -> None:
    eager = {
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        if any(name.partition(".")[0] == "litellm" for name in imported(file, top_level_only=True))
    }

    assert not eager


def test_wiring_a_process_loads_no_storage_and_no_framework() -> None:
    heavy = {"sqlalchemy", "alembic", "psycopg", "jsonschema", "fastapi", "starlette", "mcp", "typer", "litellm"}

    assert not heavy & loaded_by("import core.wiring")


def test_the_rest_gateway_starts_without_a_model_library() -> None:
    assert "litellm" not in loaded_by("import http_api.app")
