"""Identifiers: UUIDv7 for rows, `ps_` ids for patch sets.

Both begin with the time: lists by id follow creation, and what is made together is stored together. Random
ones had each commit write pages all over the indexes.
"""

import random
import time
from typing import Protocol

from uuid_utils import uuid7

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in CROCKFORD for second in CROCKFORD]


# Names, not secrets: asking the system for each would hand the interpreter to other threads, just while a write is planned.
_bits = random.Random()  # noqa: S311


class IdSource(Protocol):
    def new_id(self) -> str:
        """Return a new row id that sorts after all earlier ones of this process."""

    def new_patch_set_id(self) -> str:
        """Return `ps_` and 80 bits in Crockford's base32, lower case: 40 of milliseconds, and 40 random ones."""


class RandomIds:
    def new_id(self) -> str:
        return str(uuid7())

    def new_patch_set_id(self) -> str:
        milliseconds = time.time_ns() // 1_000_000 & 0xFF_FFFF_FFFF  # begin anew after 34 years
        bits = milliseconds << 40 | _bits.getrandbits(40)
        return "ps_" + "".join([_PAIRS[bits >> shift & 1023] for shift in range(70, -1, -10)])
