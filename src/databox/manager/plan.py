"""From a manifest and the owner's choices to grants: pure, and the only place that decides it.

Rules, in order:
1. Every choice answers an ask of the manifest; nothing is granted that was not asked.
2. A picked source exists and has the asked type; exactness is one that the ask lists, members are
   some that the source declares, and no more history than was asked for.
3. A required ask may stay unanswered: the component then works on invented data.
4. One grant a picked source; one more if it may act; one for all allowed destinations together.
5. A driver gets its own store, whole.
"""

import json
from collections.abc import Container, Sequence

from databox.manager import flows
from databox.wire import api
from databox.wire.caveats import Duty, exact_caveat, list_caveat
from databox.wire.errors import BadRequest
from databox.wire.manifest import Manifest, SourceAsk
from databox.wire.names import ComponentName, store_of
from databox.wire.sla import Choices, SourceChoice

EXPORT_SERVICE = "export-service"
NONE = Choices()
DAY_MS = 24 * 3_600_000
OPEN_MS = DAY_MS
"""How long the screen may have been open on which the owner counted days back from then."""


def grants(
    manifest: Manifest,
    choices: Choices,
    sources: Sequence[api.SourceRow],
    now: int,
    *,
    held: Choices = NONE,
) -> tuple[api.GrantRequest, ...]:
    """List the grants that follow from the choices. `now`: Unix ms; `held`: the choices until now.

    Raises:
        BadRequest: a choice grants more than was asked, names no source of the asked type, or
            ends in the past.
    """
    asks = {ask.clientid: ask for ask in manifest.datasources}
    _no_strangers("sources", [c.clientid for c in choices.sources], asks)
    _no_strangers(
        "exports", [c.url for c in choices.exports], {e.url for e in manifest.export_whitelist}
    )
    rows = {(row.store, row.id): row for row in sources}
    wanted: list[api.GrantRequest] = []
    for choice in choices.sources:
        if choice.store:
            _check(asks[choice.clientid], choice, rows, now)
            if choice.since not in _beginnings(choice, held):
                _check_history(asks[choice.clientid], choice, now)
            label = rows[choice.store, choice.source].description
            wanted.extend(_source_grants(manifest.name, choice, label))
    wanted.extend(_export_grant(manifest.name, choices, now))
    if manifest.databox_type == "driver":
        wanted.append(_own_store(manifest.name))
    return tuple(wanted)


def manager_grant(store: str) -> api.GrantRequest:
    """What the manager itself needs of a store: to read its catalogue, never its readings."""
    return api.GrantRequest(
        client="manager",
        target=store,
        kind="part",
        routes=(api.Route(method="GET", path="/cat"), api.Route(method="GET", path="/status")),
    )


def peers(name: str, wanted: Sequence[api.GrantRequest]) -> tuple[str, ...]:
    """Whom the component may reach: the arbiter, and the target of each of its grants."""
    targets = {grant.target for grant in wanted if grant.client == name}
    return ("arbiter", *sorted(targets))


def _source_grants(client: str, choice: SourceChoice, label: str) -> list[api.GrantRequest]:
    source = choice.source
    read = api.GrantRequest(
        client=client,
        target=choice.store,
        kind="source",
        routes=tuple(
            api.Route(method="GET", path=path)
            for path in (
                f"/{source}",
                f"/{source}/*",
                f"/sub/{source}/*",
                f"/unsub/{source}/*",
                "/ws",
                "/cat",
                "/status",
            )
        ),
        caveats=_caveats(choice),
        source=source,
        exact=choice.exact,
        fields=choice.fields,
        since=choice.since,
        until=choice.until,
        label=label,
    )
    if not choice.act:
        return [read]
    act = api.GrantRequest(
        client=client,
        target=choice.store,
        kind="act",
        # Not all that can be posted: deleting is not acting.
        routes=tuple(api.Route(method="POST", path=f"/{source}/{kind}") for kind in ("ts", "kv")),
        # Paths are alike in upper and lower case, sources are not.
        caveats=(_only(source), *((_until(choice.until),) if choice.until else ())),
        source=source,
        until=choice.until,
        label=label,
    )
    return [read, act]


def _caveats(choice: SourceChoice) -> tuple[str, ...]:
    caveats = [_only(choice.source)]
    caveats.extend(exact_caveat(choice.exact))
    if choice.fields is not None:
        caveats.append(list_caveat(Duty.FIELDS, choice.fields))
    if choice.since is not None:
        caveats.append(f"startTimestamp >= {choice.since}")
    if choice.until is not None:
        caveats.append(_until(choice.until))
    return tuple(caveats)


def _only(source: str) -> str:
    return f"datasources = {json.dumps([source])}"


def _until(until: int) -> str:
    return f"time < {until}"


def _export_grant(client: str, choices: Choices, now: int) -> list[api.GrantRequest]:
    allowed = [choice for choice in choices.exports if choice.allowed]
    if not allowed:
        return []
    ends = [choice.until for choice in allowed if choice.until is not None]
    until = min(ends) if ends else None
    if until is not None and until <= now:
        raise _past("choices.exports.until", until)
    destinations = tuple(choice.url for choice in allowed)
    caveats = [f"destination = {json.dumps(destinations)}"]
    if until is not None:
        caveats.append(_until(until))
    return [
        api.GrantRequest(
            client=client,
            target=EXPORT_SERVICE,
            kind="export",
            routes=(
                api.Route(method="POST", path="/export/"),
                api.Route(method="POST", path="/lp/export"),
                api.Route(method="GET", path="/ws/export"),
                api.Route(method="GET", path="/status"),
            ),
            caveats=tuple(caveats),
            until=until,
            destinations=destinations,
            label=", ".join(dict.fromkeys(map(flows.host_of, destinations))),
        )
    ]


def _own_store(driver: str) -> api.GrantRequest:
    reads = ("/status", "/ws", "/sub/*", "/unsub/*", "/*")
    writes = ("/*", "/cat")
    return api.GrantRequest(
        client=driver,
        target=store_of(ComponentName(driver)),
        kind="own",
        routes=(
            *(api.Route(method="GET", path=path) for path in reads),
            *(api.Route(method="POST", path=path) for path in writes),
        ),
    )


def _check(
    ask: SourceAsk,
    choice: SourceChoice,
    rows: dict[tuple[str, str], api.SourceRow],
    now: int,
) -> None:
    field = f"choices.sources.{choice.clientid}"
    row = rows.get((choice.store, choice.source))
    if row is None:
        raise BadRequest(
            "this source is not on the box",
            code="no-such-source",
            field=field,
            found=f"{choice.store}/{choice.source}",
            remedy="Pick one of the listed sources",
        )
    if row.type != ask.type:
        raise BadRequest(
            "the app asked for another type of source",
            code="wrong-type",
            field=field,
            found=row.type,
            remedy=f"Pick a source of type {ask.type}",
        )
    if choice.exact not in ask.choices:
        raise BadRequest(
            "the app did not ask for values this exact",
            code="more-than-asked",
            field=f"{field}.exact",
            found=choice.exact,
            remedy=f"Choose one of {', '.join(ask.choices)}",
        )
    _check_fields(choice, row)
    if choice.act and not (ask.act and row.actuator):
        raise BadRequest(
            "the app did not ask to act on this source, or it cannot be acted on",
            code="more-than-asked",
            field=f"{field}.act",
            found="true",
            remedy="Leave it off",
        )
    if choice.until is not None and choice.until <= now:
        raise _past(f"{field}.until", choice.until)


def _check_fields(choice: SourceChoice, row: api.SourceRow) -> None:
    strangers = [name for name in choice.fields or () if name not in row.fields]
    if choice.fields is not None and (strangers or not choice.fields):
        raise BadRequest(
            "the source does not say that it has these members",
            code="no-such-field",
            field=f"choices.sources.{choice.clientid}.fields",
            found=", ".join(strangers)[:200] or "none",
            remedy=f"Choose some of {', '.join(row.fields)}" if row.fields else "Leave it out",
        )


def _beginnings(choice: SourceChoice, held: Choices) -> tuple[int | None, ...]:
    """From when on this ask was answered by this source until now: that may always stay."""
    place = (choice.clientid, choice.store, choice.source)
    return tuple(c.since for c in held.sources if (c.clientid, c.store, c.source) == place)


def _check_history(ask: SourceAsk, choice: SourceChoice, now: int) -> None:
    if ask.far_back is None:
        return
    earliest = now - ask.far_back * DAY_MS - OPEN_MS
    if choice.since is None or choice.since < earliest:
        raise BadRequest(
            "the app did not ask for so much history",
            code="more-than-asked",
            field=f"choices.sources.{choice.clientid}.since",
            found="everything stored" if choice.since is None else str(choice.since),
            remedy=f"Allow {ask.far_back} days or less",
        )


def _past(field: str, until: int) -> BadRequest:
    return BadRequest(
        "the permission would have ended before it began",
        code="until-past",
        field=field,
        found=str(until),
        remedy="Choose a time to come",
    )


def _no_strangers(field: str, chosen: Sequence[str], asked: Container[str]) -> None:
    for name in chosen:
        if name not in asked:
            raise BadRequest(
                "the choices grant something that was not asked for",
                code="more-than-asked",
                field=f"choices.{field}",
                found=name,
                remedy="Answer only what the manifest asks",
            )
        if list(chosen).count(name) > 1:
            raise BadRequest(
                "one ask is answered twice",
                code="duplicate",
                field=f"choices.{field}",
                found=name,
                remedy="Answer each ask once",
            )
