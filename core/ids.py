"""Identifiers: UUIDv7 for rows (time-ordered, so lists by id follow creation), `ps_` ids for patch sets."""

import random
from typing import Protocol

from uuid_utils import uuid7

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


# Names, not secrets: asking the system for each would hand the interpreter to other threads, just while a write is planned.
_bits = random.Random()  # noqa: S311


class IdSource(Protocol):
    def new_id(self) -> str:
        """Return a new row id that sorts after all earlier ones of this process."""

    def new_patch_set_id(self) -> str:
        """Return `ps_` and 80 random bits in Crockford's base32, lower case."""


class RandomIds:
    def new_id(self) -> str:
        return str(uuid7())

    def new_patch_set_id(self) -> str:
        bits = _bits.getrandbits(80)
        return "ps_" + "".join(CROCKFORD[(bits >> shift) & 31] for shift in range(75, -1, -5))
