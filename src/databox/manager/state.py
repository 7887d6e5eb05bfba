"""What the manager remembers: installed components with their SLAs, and uploaded packages."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apsw
import msgspec

from databox.wire.errors import NotFound
from databox.wire.manifest import Manifest, Package
from databox.wire.sla import Choices, Sla

_SCHEMA = """
CREATE TABLE IF NOT EXISTS component (
    name TEXT PRIMARY KEY, sla BLOB NOT NULL, arbiter_key TEXT NOT NULL, whole INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS package (
    digest TEXT PRIMARY KEY, manifest BLOB NOT NULL, signer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS icon (digest TEXT PRIMARY KEY, url TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A component on the box. `whole`: its installation was finished.

    `arbiter_key`: base64 of 32 bytes, the component's credential to the arbiter.
    """

    sla: Sla
    arbiter_key: str
    whole: bool

    @property
    def name(self) -> str:
        """The component's name."""
        return self.sla.manifest.name

    @property
    def manifest(self) -> Manifest:
        """Its manifest as installed."""
        return self.sla.manifest

    @property
    def choices(self) -> Choices:
        """The owner's present choices."""
        return self.sla.choices


class State:
    """The manager's database; each method is one transaction."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        connection.execute(_SCHEMA)

    def put(self, installed: Installed) -> None:
        """Write a component, new or changed."""
        self._connection.execute(
            "INSERT OR REPLACE INTO component VALUES (?, ?, ?, ?)",
            (
                installed.name,
                msgspec.json.encode(installed.sla),
                installed.arbiter_key,
                installed.whole,
            ),
        )

    def remove(self, name: str) -> None:
        """Forget a component."""
        self._connection.execute("DELETE FROM component WHERE name = ?", (name,))

    def all(self) -> list[Installed]:
        """Every component, half-installed ones too, by name."""
        rows = self._connection.execute(
            "SELECT sla, arbiter_key, whole FROM component ORDER BY name"
        )
        return list(_installed(rows))

    def find(self, name: str) -> Installed | None:
        """One component, or None."""
        rows = self._connection.execute(
            "SELECT sla, arbiter_key, whole FROM component WHERE name = ?", (name,)
        )
        return next(_installed(rows), None)

    def get(self, name: str) -> Installed:
        """One component.

        Raises:
            NotFound: nothing with this name is installed.
        """
        installed = self.find(name)
        if installed is None:
            raise NotFound("nothing with this name is installed", field="name", found=name[:80])
        return installed

    def put_package(self, package: Package) -> None:
        """Remember an unpacked upload."""
        self._connection.execute(
            "INSERT OR REPLACE INTO package VALUES (?, ?, ?)",
            (package.digest, msgspec.json.encode(package.manifest), package.signer),
        )
        self.put_icon(package)

    def put_icon(self, package: Package) -> None:
        """Remember a package's picture: what is installed may outlive its package's offer."""
        self._connection.execute(
            "INSERT OR REPLACE INTO icon VALUES (?, ?)", (package.digest, package.icon)
        )

    def icon(self, digest: str) -> str:
        """The picture of a package, as a `data:` URL; empty if there is none."""
        row = self._connection.execute(
            "SELECT url FROM icon WHERE digest = ?", (digest,)
        ).fetchone()
        return str(row[0]) if row else ""

    def package(self, digest: str) -> Package:
        """An unpacked upload.

        Raises:
            NotFound: there is no such package.
        """
        row = self._connection.execute(
            "SELECT manifest, signer FROM package WHERE digest = ?", (digest,)
        ).fetchone()
        if row is None:
            raise NotFound("this package is not on the box", field="package", found=digest[:80])
        manifest = msgspec.json.decode(row[0], type=Manifest)
        icon = self.icon(digest)
        return Package(digest=digest, manifest=manifest, signer=row[1], icon=icon)

    def remove_package(self, digest: str) -> None:
        """Forget an unpacked upload."""
        self._connection.execute("DELETE FROM package WHERE digest = ?", (digest,))
        self._connection.execute("DELETE FROM icon WHERE digest = ?", (digest,))


def _installed(rows: Any) -> Iterator[Installed]:
    for sla, key, whole in rows:
        yield Installed(sla=msgspec.json.decode(sla, type=Sla), arbiter_key=key, whole=bool(whole))
