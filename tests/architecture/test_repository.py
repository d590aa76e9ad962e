"""What must never be committed."""

import re
import subprocess
import sysconfig
from pathlib import Path

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
