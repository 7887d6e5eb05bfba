"""The manager's process: the manager with the index of the packages that came with the release."""

from collections.abc import Sequence

from databox.box.settings import KINDS, RELEASE
from databox.kit.control import Control
from databox.manager import service
from databox.registry import content, icon
from databox.registry.bundle import Bundle
from databox.wire.manifest import Manifest, Package


async def serve(control: Control) -> None:
    """Run the manager until the box says stop."""
    await service.serve(control, Released(Bundle(RELEASE / kind for kind in KINDS)))


class Released:
    """The registry's index in the words that the manager uses."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def packages(self) -> Sequence[Package]:
        """All of them, by name."""
        return [
            Package(digest=each.digest, manifest=each.manifest, signer=each.signer, icon=each.icon)
            for each in self._bundle.packages()
        ]

    def check(self, files: dict[str, bytes]) -> None:
        """Refuse what no honest package has."""
        content.check(files)

    def from_files(self, files: dict[str, bytes]) -> Manifest:
        """The manifest of an uploaded folder."""
        return self._bundle.from_files(files)

    def icon(self, manifest: Manifest, files: dict[str, bytes]) -> str:
        """The picture of an uploaded folder."""
        return icon.data_url(manifest, files)

    def install_command(self, files: dict[str, bytes]) -> tuple[str, ...]:
        """What must be run once, in a throw-away sandbox, before it can start."""
        return self._bundle.install_command(files)
