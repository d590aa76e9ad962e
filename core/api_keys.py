"""What an API key is made of: `orc_`, an id to find it by, and 256 random bits that only its holder has.

Plain SHA-256 is right for such a secret: nobody can guess 256 random bits, however fast the hash is, while the slow
hashes meant for passwords would cost every request tens of milliseconds.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from schemas.access import ApiKey

_KEY = re.compile(r"orc_([0-9a-f]{12})_[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class StoredKey:
    key: ApiKey
    hash: str

    def fits(self, text: str) -> bool:
        """Return whether `text` is this key, in a time that tells nothing of how far it fits."""
        return hmac.compare_digest(hash_of(text), self.hash)


def new_key() -> tuple[str, str]:
    """Return the id of a new key, and the key as its holder will send it."""
    key_id = secrets.token_hex(6)
    return key_id, f"orc_{key_id}_{secrets.token_urlsafe(32)}"


def id_of(text: str) -> str | None:
    """Return the id in a key, or None for what cannot be a key."""
    found = _KEY.fullmatch(text)
    return found[1] if found else None


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
