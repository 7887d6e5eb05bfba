"""A consent screen and grants, as the box would show them."""

from typing import Any

from databox.wire import api
from databox.wire.sla import ExportChoice, SourceChoice

LOAD = api.SourceRow(
    store="os-monitor-store",
    id="cpu-load",
    type="cpu-load",
    description="",
    unit="",
    vendor="",
    store_type="",
    actuator=False,
    driver="os-monitor",
)
ASK = api.AskRow(
    clientid="LOAD",
    type="cpu-load",
    why="to draw it",
    required=True,
    exact=("raw", "PT1M"),
    far_back=None,
    act=False,
    candidates=(LOAD,),
    providers=(),
)
NOW = 1_700_000_000_000
URL = "https://out.example/"
PICKED = SourceChoice(clientid="LOAD", store="os-monitor-store", source="cpu-load")


def screen(**fields: Any) -> api.ConsentScreen:
    plain: dict[str, Any] = {
        "name": "graph",
        "title": "Graph",
        "kind": "app",
        "version": "1.0.0",
        "maker": "Ana",
        "package": "d1",
        "signature": "Signed by the release",
        "purpose": "draws",
        "headline": "Stays on your box",
        "leaves": False,
        "asks": (ASK,),
        "exports": (
            api.ExportRow(url=URL, host="out.example", description="", what="", reply=False),
        ),
        "outside": (),
        "provides": (),
        "notes": (),
        "pages": False,
        "installed": True,
    }
    return api.ConsentScreen(**(plain | fields))


def grant(**fields: Any) -> api.Grant:
    plain: dict[str, Any] = {
        "id": "1",
        "client": "graph",
        "target": "export-service",
        "kind": "export",
    }
    return api.Grant(**(plain | fields))


def sending(current: ExportChoice) -> api.ExportRow:
    host = "out.example"
    return api.ExportRow(url=URL, host=host, description="", what="", reply=False, current=current)


def asking(current: SourceChoice) -> api.AskRow:
    return api.AskRow(
        clientid=ASK.clientid,
        type=ASK.type,
        why=ASK.why,
        required=True,
        exact=ASK.exact,
        far_back=None,
        act=False,
        candidates=ASK.candidates,
        providers=(),
        current=current,
    )
