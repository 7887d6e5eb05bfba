"""Slow hashes of passphrases, in a thread of their own.

Source: RFC 9106 (Argon2id), its second recommended choice, for where 2 GiB is too much memory.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from secrets import token_bytes
from typing import TypeVar

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from databox.wire.errors import Unauthenticated

MAX_WAITING = 4
_SALT = 16
_LENGTH = 32

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess costs. `memory`: KiB. The usual takes about 0.2 s of one core."""

    memory: int = 64 * 1024
    iterations: int = 3
    lanes: int = 4


class Passphrases:
    """Hashes and checks, one at a time: each takes 64 MiB while it runs."""

    def __init__(self, cost: Cost | None = None) -> None:
        self._cost = cost or Cost()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passphrase")
        self._waiting = 0

    async def hash(self, passphrase: str) -> str:
        """The passphrase's hash with its salt and cost, as text.

        Raises:
            Unauthenticated: several others wait already.
        """
        return await self._run(lambda: self._hash(passphrase))

    async def matches(self, passphrase: str, hashed: str) -> bool:
        """Whether `hashed` was made of this passphrase.

        Raises:
            Unauthenticated: several others wait already.
        """
        return await self._run(lambda: _matches(passphrase, hashed))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise Unauthenticated(
                "too many are signing in", code="too-many-tries", remedy="Try again in a second"
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1

    def _hash(self, passphrase: str) -> str:
        cost = self._cost
        maker = Argon2id(
            salt=token_bytes(_SALT),
            length=_LENGTH,
            iterations=cost.iterations,
            lanes=cost.lanes,
            memory_cost=cost.memory,
        )
        return maker.derive_phc_encoded(passphrase.encode())


def _matches(passphrase: str, hashed: str) -> bool:
    try:
        Argon2id.verify_phc_encoded(passphrase.encode(), hashed)
    except InvalidKey:
        return False
    return True
