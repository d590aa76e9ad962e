"""What the repository holds, and what must never be committed."""

import re
import subprocess
import sysconfig
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# Hosts and paths are matched by their parts, so that this file itself holds none of what it looks for.
FORBIDDEN = re.compile(r"(pypi|pythonhosted|npmjs|debian)\.(org|com)|(^|[^A-Za-z0-9_.])/(work|root|farm)/[A-Za-z.]")


def text_files() -> list[Path]:
    """Return every text file that is, or would be, committed."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    files = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    return [file for file in files if file.is_file() and b"\0" not in file.read_bytes()[:8_192]]


def test_packages_and_folders_are_those_of_the_design_card() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values(), *_development(project)]
    required = {match[0] for one in chain.from_iterable(groups) if (match := re.match(r"[a-z0-9-]+", one))}

    assert {"mcp", "fastapi", "uvicorn", "pydantic", "sqlalchemy", "litellm", "jsonschema", "pytest"} <= required
    for name in ("pyproject.toml", "README.md", "core", "mcp_server", "http_api", "tests", "schemas"):
        assert (ROOT / name).exists()


def _development(project: dict[str, Any]) -> list[list[str]]:
    return [[one for one in group if isinstance(one, str)] for group in project["dependency-groups"].values()]


def test_no_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for file in text_files()
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if FORBIDDEN.search(line)
    ]

    assert found == []


def test_both_locks_pin_every_package_by_hash_and_agree() -> None:
    runtime, development = (_pins(ROOT / name) for name in ("requirements.lock", "requirements-dev.lock"))

    assert runtime.items() <= development.items()


def test_the_model_library_is_of_a_version_that_is_safe_and_no_package_runs_code_at_every_start() -> None:
    """Two releases of litellm stole credentials, one of them through such a file; older ones have known holes."""
    pinned = _pins(ROOT / "requirements.lock")["litellm"]
    known = {"distutils-precedence.pth", "a1_coverage.pth"}  # of setuptools and coverage
    starting = {
        file.name
        for file in Path(sysconfig.get_path("purelib")).glob("*.pth")
        if any(line.startswith("import") for line in file.read_text("utf-8").splitlines())
    }

    assert tuple(map(int, pinned.split("."))) >= (1, 106, 2)
    assert starting <= known


def _pins(lock: Path) -> dict[str, str]:
    """Return version by package; a package without a hash is an error."""
    pins = {}
    for entry in re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8").strip()):
        name, version = re.match(r"([\w.-]+)==([^\s\\;]+)", entry).groups()  # type: ignore[union-attr]  # no match is a broken lock
        assert "--hash=sha256:" in entry, name
        pins[name] = version
    return pins
