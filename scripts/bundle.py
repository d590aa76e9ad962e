"""Write the bundle that MCP clients install with one click: the manifest, and what the wheel is made of.

    python -m scripts.bundle OUT.mcpb

The client's uv installs the dependencies. `make conformance` tries it; the tool that packs is installed by it.
"""

import argparse
import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "tests" / "conformance" / "node_modules" / ".bin"


def assemble(folder: Path) -> None:
    """Copy into `folder` what belongs into the bundle."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "packaging/mcpb/manifest.json"):
        shutil.copy(ROOT / file, folder)


def pack(target: Path) -> None:
    """Validate the manifest and write the bundle to `target`."""
    environment = os.environ | {"PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}"}
    with TemporaryDirectory() as made:
        folder = Path(made)
        assemble(folder)
        for arguments in (["validate", str(folder / "manifest.json")], ["pack", str(folder), str(target)]):
            subprocess.run([str(TOOLS / "mcpb"), *arguments], env=environment, check=True)  # noqa: S603  # our own pinned tool


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", type=Path, help="file to write, for example dist/orchestrator.mcpb")
    target: Path = parser.parse_args().target
    target.parent.mkdir(parents=True, exist_ok=True)
    pack(target.absolute())


if __name__ == "__main__":
    main()
