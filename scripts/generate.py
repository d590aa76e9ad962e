"""Write every generated file, or with --check only say which of them are out of date.

    python -m scripts.generate [--check]

Generated files are committed, so that a changed contract is seen in review.
"""

import argparse
import difflib
import json
import sys
from pathlib import Path
from typing import Any

from core.settings import Settings
from http_api.app import create_app
from mcp_server.catalogue import catalogue
from scripts.error_docs import error_docs
from scripts.json_schemas import json_schemas

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS = Path("schemas/json")


def generated_files() -> dict[Path, str]:
    """Return what each generated file should contain, by its path below the root."""
    files = {SCHEMAS / f"{name}.schema.json": _json(schema) for name, schema in json_schemas().items()}
    files[Path("schemas/openapi.json")] = _json(openapi())
    files[Path("tests/snapshots/mcp_tools.json")] = _json(catalogue())
    files[Path("docs/errors.md")] = error_docs()
    return files


def openapi() -> dict[str, Any]:
    """Return the REST contract as the server publishes it with default settings."""
    return create_app(Settings(_env_file=None)).openapi()


def stale_files() -> dict[Path, str]:
    """Return a short diff for each file that differs from what would be generated, leftovers included."""
    expected = generated_files()
    leftovers = {path.relative_to(ROOT): "" for path in (ROOT / SCHEMAS).glob("*")}
    diffs = {path: _difference(path, expected.get(path, "")) for path in leftovers | expected}
    return {path: diff for path, diff in diffs.items() if diff}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _difference(path: Path, expected: str) -> str:
    file = ROOT / path
    stored = file.read_text(encoding="utf-8") if file.exists() else ""
    lines = difflib.unified_diff(stored.splitlines(), expected.splitlines(), "committed", "generated", lineterm="", n=1)
    return "\n".join(list(lines)[:20])


def _write() -> None:
    expected = generated_files()
    for file in (ROOT / SCHEMAS).glob("*"):
        if file.relative_to(ROOT) not in expected:
            file.unlink()
    for path, content in expected.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(content, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file is out of date")
    if not parser.parse_args().check:
        _write()
        return 0
    stale = stale_files()
    for path, difference in stale.items():
        print(f"{path} is out of date; run `make schemas` and review the change.\n{difference}\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
