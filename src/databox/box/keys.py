"""The keys on disk: the box key wrapped for its owner, and every other key wrapped by the box key.

    keys/passphrase   the box key, wrapped by the owner's passphrase
    keys/recovery     the same, wrapped by the recovery code
    keys/automatic    the same, plain; only where the owner chose "starts by itself"
    keys/<name>       any other key, wrapped by the box key

To destroy `keys/<name>` is to destroy what that key encrypted.
"""

import os
from collections.abc import Callable
from pathlib import Path

from databox.box import wrapping
from databox.box.home import sync_folder, write_private
from databox.box.wrapping import KEY_BYTES, Random
from databox.wire.errors import Conflict, NotFound, Unavailable

BOX = "box"
PASSPHRASE, RECOVERY, AUTOMATIC = "passphrase", "recovery", "automatic"


class Keyring:
    """Holds the box key while the box is unlocked."""

    def __init__(self, folder: Path, random: Random = os.urandom) -> None:
        self._folder = folder
        self._random = random
        self._box_key: bytes | None = None

    @property
    def has_owner(self) -> bool:
        """Whether set-up was finished: the passphrase's file is the last one written."""
        return (self._folder / PASSPHRASE).exists()

    def set_up(self, passphrase: str, *, automatic: bool) -> str:
        """Make the box key. Gives the recovery code, which is kept nowhere.

        Raises:
            Conflict: the box has an owner.
        """
        if self.has_owner:
            raise Conflict("this box has an owner already", code="has-owner")
        key = self._random(KEY_BYTES)
        code = wrapping.new_recovery_code(self._random)
        self._wrap_by_code(code, key)
        if automatic:
            write_private(self._folder / AUTOMATIC, key)
        else:
            (self._folder / AUTOMATIC).unlink(missing_ok=True)
        self._wrap_by(passphrase, key)
        self._box_key = key
        return code

    def open_by_itself(self) -> bool:
        """Open in the mode "starts by itself"; false in the other."""
        if not self.has_owner or not (self._folder / AUTOMATIC).exists():
            return False
        self._box_key = (self._folder / AUTOMATIC).read_bytes()
        return True

    def open_by_passphrase(self, passphrase: str) -> None:
        """Open by the owner's passphrase.

        Raises:
            Unauthenticated: it is wrong.
            Conflict: the box has no owner yet.
        """
        wrapped = self._read(PASSPHRASE)
        self._box_key = wrapping.unwrap_by_passphrase(BOX, wrapped, passphrase)

    def open_by_recovery(self, code: str, passphrase: str) -> None:
        """Open by the recovery code, and let a new passphrase take the old one's place.

        Raises:
            Unauthenticated: the code is wrong.
            BadRequest: this is not the form of a code.
            Conflict: the box has no owner yet.
        """
        wrapped = self._read(RECOVERY)
        key = wrapping.unwrap(BOX, wrapped, wrapping.recovery_key(code))
        self._wrap_by(passphrase, key)
        self._box_key = key

    def draw_recovery_code(self, passphrase: str) -> str:
        """A new recovery code for who knows the passphrase; good from `set_recovery_code` on.

        Raises:
            Unauthenticated: the passphrase is wrong.
            Conflict: the box has no owner yet.
        """
        wrapping.unwrap_by_passphrase(BOX, self._read(PASSPHRASE), passphrase)
        return wrapping.new_recovery_code(self._random)

    def set_recovery_code(self, code: str) -> None:
        """Let this code take the old one's place.

        Raises:
            Unavailable: the box is locked.
        """
        self._wrap_by_code(code, self._open())

    def key(self, name: str) -> bytes:
        """The 32-byte key called `name`, made at the first call.

        Raises:
            Unavailable: the box is locked.
        """
        return self.keep(name, lambda: self._random(KEY_BYTES))

    def keep(self, name: str, make: Callable[[], bytes]) -> bytes:
        """The secret called `name`; `make` makes it at the first call.

        Raises:
            Unavailable: the box is locked.
        """
        try:
            return self._unwrap(name)
        except NotFound:
            made = make()
            write_private(
                self._folder / name, wrapping.wrap(name, made, self._open(), self._random)
            )
            return made

    def has(self, name: str) -> bool:
        """Whether there is a key called `name`; also while the box is locked."""
        return (self._folder / name).exists()

    def forget(self, name: str) -> None:
        """Destroy a key. What it encrypted can never be read again."""
        path = self._folder / name
        if not path.exists():
            return
        with path.open("r+b") as file:
            file.write(self._random(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        sync_folder(self._folder)

    def _unwrap(self, name: str) -> bytes:
        key = self._open()
        try:
            wrapped = (self._folder / name).read_bytes()
        except FileNotFoundError as error:
            raise NotFound("there is no such key", field=name) from error
        return wrapping.unwrap(name, wrapped, key)

    def _open(self) -> bytes:
        if self._box_key is None:
            raise Unavailable("the box is locked", code="locked", remedy="Sign in to unlock it")
        return self._box_key

    def _wrap_by(self, passphrase: str, key: bytes) -> None:
        wrapped = wrapping.wrap_by_passphrase(BOX, key, passphrase, self._random)
        write_private(self._folder / PASSPHRASE, wrapped)

    def _wrap_by_code(self, code: str, key: bytes) -> None:
        wrapped = wrapping.wrap(BOX, key, wrapping.recovery_key(code), self._random)
        write_private(self._folder / RECOVERY, wrapped)

    def _read(self, name: str) -> bytes:
        if not self.has_owner:
            raise Conflict("this box has no owner yet", code="no-owner", remedy="Set it up first")
        return (self._folder / name).read_bytes()
