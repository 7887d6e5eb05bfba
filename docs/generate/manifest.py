"""`manifest.md`: the fields of a manifest and of the owner's choices."""

from shapes import section, structs

from databox.wire.manifest import Manifest
from databox.wire.sla import Sla

HEAD = """# The manifest

A folder with `databox-manifest.json` is an app or a driver. Made from
`src/databox/wire/manifest.py` by `docs/generate`. A field that is not listed is refused by name.
An app of one Python file needs no manifest: it is derived from its `ask` lines.
"""

AGREEMENT = """# The agreement

What the box keeps for each installed component: its manifest and the owner's answers.
"""


def render() -> str:
    """The whole page."""
    fields = structs([Manifest])
    lines = [HEAD]
    for struct in fields:
        lines += section(struct, "##")
    lines += [AGREEMENT]
    for struct in structs([Sla]):
        if struct not in fields:
            lines += section(struct, "##")
    return "\n".join(lines).rstrip() + "\n"
