"""Adopts packages: an upload is unpacked and compiled in a throw-away sandbox, then sealed.

Nothing of a package is ever read as code or as an archive by the box itself.
"""

import asyncio
import io
import os
import secrets
import shutil
import stat
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath

import msgspec

from databox.box import harvest
from databox.box.fetching import (
    FETCH_LIMITS,
    FETCH_SECONDS,
    Lines,
    check_words,
    registry,
)
from databox.box.home import Home
from databox.box.instances import ToSwitchboard
from databox.box.permitted import check_digest
from databox.box.runtime import PYTHON, Runtime
from databox.box.uids import Uids
from databox.engines import Engine, ExitReason, Outcome
from databox.registry import content
from databox.wire.control import Adopted, AdoptPackage, Described
from databox.wire.errors import BadRequest, Conflict, NotFound, TooLarge
from databox.wire.names import component_name
from databox.wire.runspec import Limits, RunSpec

MAX_UPLOAD = 32 * 1024 * 1024
UNPACK_SECONDS = 60.0
DESCRIBE_SECONDS = 20.0
KINDS = ("drivers", "apps")
SHOWN = 2000
_UNPACK_LIMITS = Limits(memory_mb=256, processes=16, cpu=1.0, disk_mb=128)
_DESCRIBE_LIMITS = Limits(memory_mb=128, processes=16, cpu=1.0, disk_mb=16)

# Outside the grammar of names, so no component ever has this uid.
_THROW_AWAY = "(throw-away)"


class Packages:
    """Every adopted package is a read-only folder named by its digest."""

    def __init__(
        self,
        home: Home,
        uids: Uids,
        engine: Engine,
        runtime: Runtime,
        *,
        switchboard: ToSwitchboard,
    ) -> None:
        self._home = home
        self._uids = uids
        self._engine = engine
        self._runtime = runtime
        self._switchboard = switchboard
        self._one = asyncio.Lock()

    def clear(self) -> None:
        """Remove what a box that was killed at this left half done."""
        for half in self._home.packages.glob(".*"):
            harvest.remove(half)
        for half in self._home.instances.glob(".*"):
            shutil.rmtree(half, ignore_errors=True)

    async def adopt(self, wanted: AdoptPackage) -> Adopted:
        """Take in a package of the release or an upload, with what it depends on.

        Raises:
            BadRequest: not exactly one of the two, the archive is not sound, or what it depends on
                cannot be fetched.
            NotFound: there is no such package or upload.
            TooLarge: it passes a bound.
            Unavailable: the tool that would fetch is not on this machine.
        """
        if bool(wanted.upload) == bool(wanted.bundled):
            raise BadRequest("name an upload or a bundled package", field="upload")
        if wanted.install:
            check_words(wanted.install)
        if wanted.bundled:
            archive = _archive(self._bundled(wanted.bundled))
        else:
            archive = self._upload(wanted.upload)
        async with self._one, self._sandbox() as folder:
            items = await self._unpack(archive, folder, wanted.install)
            digest = await asyncio.to_thread(harvest.keep, items, self._home.packages)
        described = (item.content for item in items if item.path == content.MANIFEST)
        paths = (item.path for item in items if content.belongs(item.path))
        return Adopted(
            digest=digest,
            manifest=next(described, b"").decode(errors="replace"),
            files=tuple(sorted({PurePosixPath(path).parts[0] for path in paths})),
        )

    async def describe(self, package: str, file: str) -> Described:
        """Have an app file print its manifest, in a sandbox that reaches nothing.

        Raises:
            NotFound: no such package or file.
            BadRequest: it did not print one; what it printed instead is shown.
        """
        code = self.folder(package)
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts or not (code / path).is_file():
            raise NotFound("there is no such file in the package", field="file", found=file[:200])
        async with self._one, self._sandbox() as folder:
            spec = msgspec.structs.replace(
                self._spec("describe", (PYTHON, f"/app/{path}"), code, folder),
                environment={"DATABOX_DESCRIBE": "1", "PYTHONPATH": self._runtime.python_path},
                limits=_DESCRIBE_LIMITS,
            )
            outcome = await self._engine.run_once(spec, b"", DESCRIBE_SECONDS)
        if outcome.exit.code != 0 or outcome.exit.reason is not ExitReason.EXITED:
            raise _did_not_end_well("the file did not describe itself", "describe", outcome)
        return Described(manifest=outcome.stdout.decode(errors="replace"))

    def folder(self, digest: str) -> Path:
        """Where an adopted package is.

        Raises:
            BadRequest: not a digest.
            NotFound: it was not adopted.
        """
        check_digest(digest)
        folder = self._home.packages / digest
        if not folder.is_dir():
            raise NotFound("this package was not adopted", field="package", found=digest)
        return folder

    def remove(self, digest: str, used: frozenset[str]) -> None:
        """Delete a package that nothing uses.

        Raises:
            Conflict: an instance runs from it.
        """
        folder = self.folder(digest)
        if digest in used:
            raise Conflict("an instance runs from this package", field="package", found=digest)
        harvest.remove(folder)

    def _bundled(self, name: str) -> Path:
        component_name(name)
        for kind in KINDS:
            folder = self._runtime.release / kind / name
            if folder.is_dir():
                return folder
        raise NotFound("the release has no such package", field="bundled", found=name)

    def _upload(self, name: str) -> bytes:
        """Read an upload from the manager's folder, where anything may lie under that name."""
        stem = name.removesuffix(".tar")
        if stem == name or not stem.isascii() or not stem.replace("-", "").isalnum():
            raise BadRequest("this is not the name of an upload", field="upload", found=name[:80])
        inbox = os.open(self._home.part("manager"), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            below = os.open("inbox", flags | os.O_DIRECTORY, dir_fd=inbox)
            try:
                descriptor = os.open(name, flags, dir_fd=below)
            finally:
                os.close(below)
        except OSError as error:
            raise NotFound("there is no such upload", field="upload", found=name) from error
        finally:
            os.close(inbox)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise BadRequest("the upload is not a plain file", field="upload", found=name)
            archive = file.read(MAX_UPLOAD + 1)
        if len(archive) > MAX_UPLOAD:
            raise TooLarge("the upload is too large", field="upload", remedy="Keep it under 32 MiB")
        return archive

    async def _unpack(
        self, archive: bytes, folder: Path, install: tuple[str, ...]
    ) -> list[harvest.Item]:
        # -P: nothing is imported from the present folder.
        command = (PYTHON, "-s", "-P", "-m", "databox.box.unpack", *install)
        spec = msgspec.structs.replace(
            self._spec("unpack", command, folder.parent / "empty", folder),
            environment={"PYTHONPATH": self._runtime.python_path},
        )
        if install:
            outcome = await self._fetch(spec, archive, install[0])
        else:
            outcome = await self._engine.run_once(spec, archive, UNPACK_SECONDS)
        if outcome.exit.code != 0 or outcome.exit.reason is not ExitReason.EXITED:
            raise _did_not_end_well("the package cannot be unpacked", "files", outcome)
        return await asyncio.to_thread(harvest.read, folder)

    async def _fetch(self, spec: RunSpec, archive: bytes, tool: str) -> Outcome:
        """Unpack where one registry can be reached, and nothing else."""
        found = await asyncio.to_thread(registry, tool)
        spec = msgspec.structs.replace(
            spec,
            environment={**found.environment, **spec.environment},
            secrets=found.secrets,
            names=found.names,
            limits=FETCH_LIMITS,
        )
        lines = Lines(found, self._switchboard)
        try:
            return await self._engine.run_once(spec, archive, FETCH_SECONDS, lines.open)
        finally:
            lines.close()

    def _spec(self, name: str, command: tuple[str, ...], code: Path, var: Path) -> RunSpec:
        return RunSpec(
            name=name,
            command=command,
            code=code,
            var=var,
            shared=self._runtime.shared,
            limits=_UNPACK_LIMITS,
            uid=self._uids.of(_THROW_AWAY),
        )

    @asynccontextmanager
    async def _sandbox(self) -> AsyncIterator[Path]:
        """A folder for the `/var` of a throw-away sandbox."""
        top = self._home.instances / f".{secrets.token_hex(8)}"
        for folder, mode in ((top, 0o711), (top / "var", 0o700), (top / "empty", 0o755)):
            folder.mkdir()
            # The umask, which keeps everything else closed, has cut the mode.
            folder.chmod(mode)
        try:
            yield top / "var"
        finally:
            shutil.rmtree(top, ignore_errors=True)


def _archive(folder: Path) -> bytes:
    """A package of the release as the kind of archive that uploads are."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for item in harvest.read(folder):
            if content.belongs(item.path):
                member = tarfile.TarInfo(item.path)
                member.size = len(item.content)
                tar.addfile(member, io.BytesIO(item.content))
    return out.getvalue()


def _did_not_end_well(what: str, field: str, outcome: Outcome) -> BadRequest:
    said = outcome.stderr[-SHOWN:].decode(errors="replace").strip()
    return BadRequest(
        what,
        code="package-run",
        field=field,
        found=said or outcome.exit.detail or f"{outcome.exit.reason} with code {outcome.exit.code}",
        remedy="Run the file by itself to see what it says",
    )
