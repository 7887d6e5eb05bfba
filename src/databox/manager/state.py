"""What the manager remembers: installed components with their SLAs, and uploaded packages."""

from dataclasses import dataclass

import apsw
import msgspec

from databox.kit.database import prepare, rows, transaction
from databox.wire.errors import NotFound
from databox.wire.manifest import Manifest, Package
from databox.wire.sla import Choices, Sla

_STEPS = (
    """
CREATE TABLE IF NOT EXISTS component (
    name TEXT PRIMARY KEY, sla BLOB NOT NULL, arbiter_key TEXT NOT NULL, whole INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS package (
    digest TEXT PRIMARY KEY, manifest BLOB NOT NULL, signer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS icon (digest TEXT PRIMARY KEY, url TEXT NOT NULL);
""",
    "CREATE TABLE kept (name TEXT PRIMARY KEY, uploaded INTEGER NOT NULL) WITHOUT ROWID",
)


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
        prepare(connection, "manager", _STEPS)

    def put(self, installed: Installed) -> None:
        """Write a component, new or changed.

        Raises:
            Unavailable: the disk is full or in trouble; nothing was written. So with every change.
        """
        self._change(
            "INSERT OR REPLACE INTO component VALUES (?, ?, ?, ?)",
            installed.name,
            msgspec.json.encode(installed.sla),
            installed.arbiter_key,
            installed.whole,
        )

    def remove(self, name: str) -> None:
        """Forget a component."""
        self._change("DELETE FROM component WHERE name = ?", name)

    def all(self) -> list[Installed]:
        """Every component, half-installed ones too, by name."""
        return self._find("SELECT sla, arbiter_key, whole FROM component ORDER BY name")

    def find(self, name: str) -> Installed | None:
        """One component, or None."""
        found = self._find("SELECT sla, arbiter_key, whole FROM component WHERE name = ?", name)
        return found[0] if found else None

    def get(self, name: str) -> Installed:
        """One component.

        Raises:
            NotFound: nothing with this name is installed.
        """
        installed = self.find(name)
        if installed is None:
            raise NotFound(
                "nothing with this name is installed",
                field="name",
                found=name[:80],
                remedy="Look at the list of what is installed",
            )
        return installed

    def in_use(self) -> frozenset[str]:
        """The digests of the packages that components come from."""
        return frozenset(each.sla.package for each in self.all())

    def put_package(self, package: Package) -> None:
        """Remember an unpacked upload."""
        self._change(
            "INSERT OR REPLACE INTO package VALUES (?, ?, ?)",
            package.digest,
            msgspec.json.encode(package.manifest),
            package.signer,
        )
        self.put_icon(package)

    def put_icon(self, package: Package) -> None:
        """Remember a package's picture: what is installed may outlive its package's offer."""
        self._change("INSERT OR REPLACE INTO icon VALUES (?, ?)", package.digest, package.icon)

    def icon(self, digest: str) -> str:
        """The picture of a package, as a `data:` URL; empty if there is none."""
        found = rows(self._connection, "SELECT url FROM icon WHERE digest = ?", (digest,))
        return str(found[0][0]) if found else ""

    def is_upload(self, digest: str) -> bool:
        """Whether a package was uploaded; the others came with the release."""
        return bool(rows(self._connection, "SELECT 1 FROM package WHERE digest = ?", (digest,)))

    def keep(self, installed: Installed) -> None:
        """Remember that a driver's data stays when it goes, and where that driver came from."""
        uploaded = self.is_upload(installed.sla.package)
        self._change("INSERT OR REPLACE INTO kept VALUES (?, ?)", installed.name, uploaded)

    def kept(self, name: str) -> bool | None:
        """Whether an upload left its data under this name, or a driver of the release; or none."""
        found = rows(self._connection, "SELECT uploaded FROM kept WHERE name = ?", (name,))
        return bool(found[0][0]) if found else None

    def all_kept(self) -> list[str]:
        """The names under which something is left."""
        return [row[0] for row in rows(self._connection, "SELECT name FROM kept ORDER BY name")]

    def forget_kept(self, name: str) -> None:
        """Nothing is left under this name."""
        self._change("DELETE FROM kept WHERE name = ?", name)

    def package(self, digest: str) -> Package:
        """An unpacked upload.

        Raises:
            NotFound: there is no such package.
        """
        text = "SELECT manifest, signer FROM package WHERE digest = ?"
        found = rows(self._connection, text, (digest,))
        if not found:
            raise NotFound(
                "this package is not on the box",
                field="package",
                found=digest[:80],
                remedy="Upload it again",
            )
        manifest = msgspec.json.decode(found[0][0], type=Manifest)
        icon = self.icon(digest)
        return Package(digest=digest, manifest=manifest, signer=found[0][1], icon=icon)

    def packages(self) -> list[str]:
        """The digests of all uploads."""
        return [row[0] for row in rows(self._connection, "SELECT digest FROM package")]

    def remove_package(self, digest: str) -> None:
        """Forget an unpacked upload."""
        self._change("DELETE FROM package WHERE digest = ?", digest)
        self._change("DELETE FROM icon WHERE digest = ?", digest)

    def _change(self, text: str, *values: object) -> None:
        with transaction(self._connection):
            self._connection.execute(text, values)

    def _find(self, text: str, *values: object) -> list[Installed]:
        return [
            Installed(sla=msgspec.json.decode(sla, type=Sla), arbiter_key=key, whole=bool(whole))
            for sla, key, whole in rows(self._connection, text, values)
        ]
