"""The command line: the same operations as the other doors, on the database of DATABASE_URL.

Data goes to stdout, refusals to stderr. Exit codes: 0 done, 1 refused, 2 wrong usage, settings or input file.
Modules of the product are imported where they are used, so that `--help` answers at once.
"""


def main() -> None:
    """Run the command given in `sys.argv`."""
    from core.cli.commands import app

    app(prog_name="orchestrator")
