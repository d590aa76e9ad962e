"""Runs the gateway with no project kept ready: each read of one is made from the database."""

import sys

from gateway.__main__ import main
from http_api import ready

if __name__ == "__main__":
    ready.CACHED_BYTES = 0
    del sys.argv[1:]  # the command that is run in its place
    main()
