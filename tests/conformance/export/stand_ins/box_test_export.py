"""The export service that trusts the certificates of the test's authority, and no others."""

import json
import ssl
from pathlib import Path

from databox.export import service
from databox.kit.control import Control

WORLD = json.loads(Path(__file__).with_name("world.json").read_text())


async def serve(control: Control) -> None:
    """Run the export service."""
    await service.serve(control, ssl.create_default_context(cadata=WORLD["authority"]))
