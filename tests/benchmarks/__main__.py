"""Measure against the budgets; exits with 1 if one is missed.

python -m tests.benchmarks
"""

import sys

from tests.benchmarks import bulk_apply, import_plan, mcp_calls, mcp_start, rest_load, single_apply
from tests.benchmarks.runner import Row, report


def main() -> int:
    measured: list[Row] = []
    for benchmark in (bulk_apply, single_apply, mcp_start, mcp_calls, import_plan, rest_load):
        print(f"{benchmark.__name__.rpartition('.')[2]} ...", file=sys.stderr, flush=True)
        measured += benchmark.rows()
    return 0 if report(measured) else 1


if __name__ == "__main__":
    sys.exit(main())
