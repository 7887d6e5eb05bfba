"""The packages that came with the release: the index behind the app store page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from databox.registry import content, folder, icon, recipe
from databox.wire.errors import DataboxError, NotFound
from databox.wire.manifest import Manifest

RELEASED = "Comes with Databox"
BUILT_HERE = "Built on this box"
"""Who stands for a package, in the words of the consent screen. Nobody signed the second kind."""


@dataclass(frozen=True, slots=True)
class Package:
    """One package. `digest`: names its exact content; `signer`: in words; `icon`: a `data:` URL."""

    digest: str
    manifest: Manifest
    signer: str
    icon: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Problem:
    """A folder that is not offered, and why, for the doctor."""

    folder: Path
    error: DataboxError


class Bundle:
    """The released packages by name. Folders that are not sound are left out and named."""

    def __init__(self, roots: Iterable[Path]) -> None:
        self._packages: dict[str, Package] = {}
        self.problems: list[Problem] = []
        for root in roots:
            for manifest in sorted(root.glob(f"*/{content.MANIFEST}")):
                self._add(manifest.parent)

    def packages(self) -> tuple[Package, ...]:
        """All of them, by name."""
        return tuple(self._packages[name] for name in sorted(self._packages))

    def package(self, name: str) -> Package:
        """One of them.

        Raises:
            NotFound: the release has none of this name.
        """
        found = self._packages.get(name)
        if found is None:
            raise NotFound("the release has nothing of this name", field="name", found=name[:80])
        return found

    def install_command(self, files: Mapping[str, bytes]) -> tuple[str, ...]:
        """What has to be run once in a throw-away sandbox before it can start; mostly nothing.

        Raises:
            BadRequest: as `recipe.read`.
        """
        return recipe.read(files).install

    def from_files(self, files: Mapping[str, bytes]) -> Manifest:
        """The manifest of an uploaded folder, with its `run` found.

        Raises:
            BadRequest: as `recipe.read`.
        """
        return recipe.read(files).manifest

    def _add(self, at: Path) -> None:
        try:
            files = folder.read(at)
            manifest = recipe.read(files).manifest
        except DataboxError as error:
            self.problems.append(Problem(at, error))
            return
        self._packages.setdefault(
            manifest.name,
            Package(
                digest=content.digest(files),
                manifest=manifest,
                signer=RELEASED,
                icon=icon.data_url(manifest, files),
                folder=at,
            ),
        )
