"""The environment a component finds, so that clients of 2017 run unmodified.

Source: the launch-era environment contract; DESIGN 3 for the port.
"""

import json
from collections.abc import Sequence
from typing import Any

from databox.wire.api import GrantRequest, SourceRow
from databox.wire.exactness import DISTANCES_M, RAW
from databox.wire.manifest import Manifest
from databox.wire.names import ComponentName, store_of
from databox.wire.sla import Choices, SourceChoice

PORT = 443


def endpoint(name: str) -> str:
    """The address of a peer as seen in a sandbox."""
    return f"https://{name}:{PORT}"


def environment(
    manifest: Manifest,
    choices: Choices,
    sources: Sequence[SourceRow],
    wanted: Sequence[GrantRequest],
    *,
    timezone: str,
) -> dict[str, str]:
    """Everything but the secrets, which are files. The box's own names win over the author's.

    `timezone`: the owner's, as `TZ`; a sandbox has no file that says it.
    """
    names = {
        **(manifest.run.environment if manifest.run else {}),
        "TZ": timezone,
        "DATABOX_LOCAL_NAME": manifest.name,
        "DATABOX_ARBITER_ENDPOINT": endpoint("arbiter"),
    }
    if manifest.databox_type == "driver":
        names["DATABOX_STORE_ENDPOINT"] = endpoint(store_of(ComponentName(manifest.name)))
    if any(grant.kind == "export" for grant in wanted):
        names["DATABOX_EXPORT_SERVICE_ENDPOINT"] = endpoint("export-service")
    rows = {(row.store, row.id): row for row in sources}
    for choice in choices.sources:
        row = rows.get((choice.store, choice.source))
        if row is not None:
            names[f"DATASOURCE_{choice.clientid}"] = json.dumps(_item(row, choice))
    return names


def timezone_of(localtime: bytes) -> str:
    """The `TZ` text in the footer of the system's time zone file; UTC where there is none.

    Source: RFC 8536, 3.3.
    """
    lines = localtime.rsplit(b"\n", 2)
    footer = lines[-2] if localtime.startswith(b"TZif") and len(lines) == 3 else b""
    return footer.decode("ascii", "replace") or "UTC0"


def _item(row: SourceRow, choice: SourceChoice) -> dict[str, Any]:
    """The catalogue item of a source, with how exact the component may see it."""
    is_distance = choice.exact in DISTANCES_M
    pairs: list[tuple[str, Any]] = [
        ("urn:X-hypercat:rels:hasDescription:en", row.description),
        ("urn:X-hypercat:rels:isContentType", "application/json"),
        ("urn:X-databox:rels:hasVendor", row.vendor),
        ("urn:X-databox:rels:hasType", row.type),
        ("urn:X-databox:rels:hasDatasourceid", row.id),
        ("urn:X-databox:rels:hasStoreType", row.store_type),
        ("urn:X-databox:rels:isActuator", row.actuator),
        ("urn:X-databox:rels:hasUnit", row.unit),
        ("urn:X-databox:rels:hasGranularity", RAW if is_distance else choice.exact),
    ]
    if is_distance:
        pairs.append(("urn:X-databox:rels:hasPrecision", choice.exact))
    fields = row.fields if choice.fields is None else choice.fields
    if fields:
        pairs.append(("urn:X-databox:rels:hasFields", ", ".join(fields)))
    return {
        "item-metadata": [{"rel": rel, "val": val} for rel, val in pairs],
        "href": f"{endpoint(row.store)}/{row.id}",
    }
