"""Messages in words: the fields of a msgspec struct as a table."""

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import inspect as shapes

_PLAIN = {
    shapes.AnyType: "anything",
    shapes.BoolType: "true or false",
    shapes.NoneType: "null",
    shapes.RawType: "JSON",
}


def structs(types: Iterable[Any]) -> list[type[msgspec.Struct]]:
    """The structs among `types` and all that their fields need, each once, in reading order."""
    found: dict[type[msgspec.Struct], None] = {}
    for each in types:
        _collect(shapes.type_info(each), found)
    return list(found)


def _collect(info: shapes.Type, found: dict[type[msgspec.Struct], None]) -> None:
    if isinstance(info, shapes.StructType):
        if info.cls in found:
            return
        found[info.cls] = None
        for field in info.fields:
            _collect(field.type, found)
    for name in ("type", "item_type", "value_type"):
        inner = getattr(info, name, None)
        if isinstance(inner, shapes.Type):
            _collect(inner, found)
    for inner in getattr(info, "types", getattr(info, "item_types", ())):
        _collect(inner, found)


def section(struct: type[msgspec.Struct], level: str) -> Iterator[str]:
    """A heading, what the struct is, and its fields."""
    info = shapes.type_info(struct)
    assert isinstance(info, shapes.StructType)
    yield f"{level} {struct.__name__}"
    yield ""
    yield from inspect.cleandoc(struct.__doc__ or "").splitlines()
    yield ""
    if info.fields:
        yield "| Field | Type | If left out |"
        yield "|---|---|---|"
        for field in info.fields:
            yield f"| `{field.encode_name}` | {words(field.type)} | {_default(field)} |"
        yield ""


def _default(field: shapes.Field) -> str:
    if field.required:
        return "refused"
    if field.default_factory is not msgspec.NODEFAULT:
        return "empty"
    if field.default in ("", (), None) or field.default == {}:
        return "nothing" if field.default is None else "empty"
    return f"`{msgspec.json.encode(field.default).decode()}`"


def words(info: shapes.Type) -> str:
    """A type for people; numbers are bounds."""
    for kind, text in _PLAIN.items():
        if isinstance(info, kind):
            return text
    match info:
        case shapes.StructType():
            return f"[{info.cls.__name__}](#{info.cls.__name__.lower()})"
        case shapes.LiteralType():
            return " or ".join(f"`{value}`" for value in info.values)
        case shapes.UnionType():
            return " or ".join(words(each) for each in info.types)
        case shapes.DictType():
            return f"object of {words(info.value_type)}"
        case shapes.TupleType():
            return "list of " + ", ".join(words(each) for each in info.item_types)
        case shapes.VarTupleType() | shapes.ListType():
            return f"list of {words(info.item_type)}" + _bound(info.max_length, "entries")
        case shapes.StrType():
            form = f", `{info.pattern}`".replace("|", "\\|") if info.pattern else ""
            return "text" + form + _bound(info.max_length, "characters")
        case shapes.IntType():
            return "whole number"
        case shapes.FloatType():
            return "number"
        case shapes.Metadata():
            return words(info.type)
    raise TypeError(info)


def _bound(limit: int | None, what: str) -> str:
    return f", at most {limit} {what}" if limit else ""
