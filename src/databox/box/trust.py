"""Who is believed in a sandbox: the box's certificate authority, and leaves by it."""

import datetime
import json
from collections.abc import Iterable
from pathlib import Path

from databox.box.certificates import Authority
from databox.box.home import write_private
from databox.box.keys import Keyring

KEY_NAME = "ca"
CERTIFICATE_FILE = "ca.pem"


class Trust:
    """The authority. Before the box is unlocked only its certificate can be had."""

    def __init__(self, folder: Path) -> None:
        """`folder`: of the keys; the certificate lies there in the open."""
        self._file = folder / CERTIFICATE_FILE
        self._authority: Authority | None = None
        if self._file.exists():
            self.certificate = self._file.read_bytes()
        else:
            # Made before there is an owner, so that the gateway, which runs first, can know it.
            self._authority = Authority.new()
            self.certificate = self._authority.certificate(_now())

    def open(self, keys: Keyring) -> None:
        """Take the key from the keyring, or give it the one that was made at the first run."""
        made = self._authority or Authority.new()
        kept = keys.keep(KEY_NAME, made.dump)
        self._authority = Authority.load(kept)
        if not self._file.exists():
            if kept != made.dump():
                self.certificate = self._authority.certificate(_now())
            write_private(self._file, self.certificate)

    def leaf(self, name: str) -> bytes:
        """A fresh key and certificate in one PEM."""
        return self._open().leaf(name, _now()).together

    def secrets(self, name: str, peers: Iterable[str]) -> dict[str, bytes]:
        """What a component finds below `/run/secrets`, so that clients of 2017 run unmodified.

        Source: the launch-era and swarm-era container environment.
        """
        authority = self._open()
        leaf = authority.leaf(name, _now())
        together = {
            "clientprivate": leaf.private.decode(),
            "clientpublic": leaf.public.decode(),
            "clientcert": leaf.certificate.decode(),
        }
        names = sorted({name, "localhost", *peers})
        return {
            "DATABOX_ROOT_CA": authority.certificate(_now(), names),
            "DATABOX.pem": leaf.together,
            "DATABOX_PEM": json.dumps(together).encode(),
        }

    def _open(self) -> Authority:
        assert self._authority is not None, "asked for only once the box is unlocked"
        return self._authority


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
