"""Where packages come from: the ones that came with the release, and uploads."""

import base64
import binascii
import io
import secrets
import tarfile
from collections.abc import Container, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from databox.kit.control import Control
from databox.kit.database import explained
from databox.manager.state import State
from databox.wire import api, control, manifest
from databox.wire.errors import BadRequest, Conflict, DataboxError, NotFound
from databox.wire.manifest import Package


class Bundle(Protocol):
    """The packages of the release, as the registry gives them."""

    def packages(self) -> Sequence[Package]:
        """All of them, by name."""
        ...

    def check(self, files: dict[str, bytes]) -> None:
        """Refuse what no honest package has."""
        ...

    def from_files(self, files: dict[str, bytes]) -> manifest.Manifest:
        """The manifest of an uploaded folder, ours or made from a Dockerfile or package.json."""
        ...

    def icon(self, manifest: manifest.Manifest, files: dict[str, bytes]) -> str:
        """The picture of an uploaded folder, as a `data:` URL."""
        ...

    def install_command(self, files: dict[str, bytes]) -> tuple[str, ...]:
        """What must be run once, in a throw-away sandbox, before it can start; mostly nothing."""
        ...


class Shelf:
    """Finds packages and has uploads unpacked in a sandbox."""

    def __init__(self, bundle: Bundle, state: State, box: Control, inbox: Path) -> None:
        self._bundle = bundle
        self._state = state
        self._box = box
        self._inbox = inbox

    def offers(self) -> list[Package]:
        """What the app store page shows."""
        return list(self._bundle.packages())

    def offer(self, name: str) -> Package:
        """A package of the release by name.

        Raises:
            NotFound: there is none.
        """
        for package in self._bundle.packages():
            if package.manifest.name == name:
                return package
        raise NotFound("the app store has nothing of this name", field="name", found=name[:80])

    def find(self, name: str, digest: str) -> Package:
        """The package to install.

        Raises:
            NotFound: no such package.
            BadRequest: it has another name than the one that the consent screen showed.
        """
        package = self._bundled(digest) or self._state.package(digest)
        if package.manifest.name != name:
            raise BadRequest(
                "this package has another name",
                field="name",
                found=package.manifest.name,
                remedy="Install it from its own consent screen",
            )
        return package

    async def unpack(self, package: Package) -> None:
        """See that a package lies where instances can read it; an upload does so already."""
        if self._bundled(package.digest):
            await self._box.ask(control.AdoptPackage(id=0, bundled=package.manifest.name))
            self._state.put_icon(package)

    async def tidy(self, used: Container[str], digest: str = "") -> None:
        """Delete uploads that nothing installed comes from: this one, or all of them."""
        for each in self._state.packages():
            if each not in used and digest in ("", each):
                self._state.remove_package(each)
                await self._delete(each)

    async def upload(self, request: api.UploadRequest) -> Package:
        """Unpack an uploaded folder in a sandbox and read its manifest.

        A single app file has no manifest: it is run once in an empty sandbox that describes it.

        Raises:
            TooLarge: too many bytes or files.
            BadRequest: a hostile path, not base64, or no usable manifest.
        """
        files = {path: _content(path, text) for path, text in request.files.items()}
        self._bundle.check(files)
        install = () if request.describe else self._bundle.install_command(files)
        name = secrets.token_hex(8)
        tar = self._inbox / f"{name}.tar"
        try:
            with explained(tar):
                self._inbox.mkdir(exist_ok=True)
                tar.write_bytes(_tar(files))
            raw = await self._box.ask(control.AdoptPackage(id=0, upload=tar.name, install=install))
        finally:
            tar.unlink(missing_ok=True)
        digest = msgspec.json.decode(raw, type=control.Adopted).digest
        try:
            found = await self._manifest(digest, files, request.describe)
            icon = self._bundle.icon(found, files)
        except DataboxError:
            if digest not in self._state.packages() and not self._bundled(digest):
                await self._delete(digest)
            raise
        package = Package(digest=digest, manifest=found, signer="Built on this box", icon=icon)
        self._state.put_package(package)
        return package

    def _bundled(self, digest: str) -> Package | None:
        return next((each for each in self._bundle.packages() if each.digest == digest), None)

    async def _delete(self, digest: str) -> None:
        # Not there any more, or still in use after all: then there is nothing to delete.
        with suppress(NotFound, Conflict):
            await self._box.ask(control.RemovePackage(id=0, package=digest))

    async def _manifest(
        self, digest: str, files: dict[str, bytes], describe: str
    ) -> manifest.Manifest:
        if not describe:
            found = self._bundle.from_files(files)
            manifest.check(found)
            return found
        if describe not in files:
            raise NotFound(
                "the file to describe is not in the upload",
                field="describe",
                found=describe[:100],
                remedy="Name one of the uploaded files",
            )
        raw = await self._box.ask(control.Describe(id=0, package=digest, file=describe))
        return manifest.decode(msgspec.json.decode(raw, type=control.Described).manifest.encode())


def _content(path: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(
            "the content of this file is not base64",
            field=f"files.{path[:80]}",
            found=str(error),
            remedy="Encode the bytes of each file in base64",
        ) from error


def _tar(files: dict[str, bytes]) -> bytes:
    """A tar with nothing but plain files, the same bytes for the same files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(files):
            member = tarfile.TarInfo(path)
            member.size = len(files[path])
            member.mode = 0o644
            tar.addfile(member, io.BytesIO(files[path]))
    return out.getvalue()
