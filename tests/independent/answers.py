"""Answers the simple queries of an `expected.json` from a canonical dump, so that the dump can be held against them.

Known are blocks whose root is `has(...)` or `uid(...)`, with fields, languages, facets, counts, reverse edges and inner
blocks. Lists are compared without their order, since the dump does not keep it.
"""

from __future__ import annotations

import json
import re
import struct
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

Json = Any

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}():,]|[^\s{}():,"]+')


class NotAnswered(Exception):
    """The query asks for something this does not know."""


class Graph:
    """The lines of a dump, of one namespace."""

    def __init__(self, lines: list[bytes], namespace: int = 0) -> None:
        self.schema: dict[str, tuple[str, list[str]]] = {}
        self.types: dict[str, list[str]] = {}
        self.edges: dict[str, dict[int, list[tuple[list[str], Json]]]] = defaultdict(lambda: defaultdict(list))
        for kind, *rest in map(json.loads, lines):
            if rest[0] != namespace:
                continue
            if kind == "s":
                self.schema[rest[1]] = (rest[2], rest[3])
            elif kind == "y":
                self.types[rest[1]] = rest[2]
            else:
                self._add(int(rest[1], 16), *rest[2:])

    def _add(self, subject: int, predicate: str, target: list[str], facets: list[list[str]]) -> None:
        facets = {key: render(kind, bytes.fromhex(value)) for key, kind, value in facets}
        self.edges[predicate][subject].append((target, facets))
        if target[0] == "uid":
            self.edges["~" + predicate][int(target[1], 16)].append((["uid", hex(subject)], facets))

    def having(self, predicate: str) -> Iterator[int]:
        """Subjects with an edge or a value; one in some language only does not count."""
        for uid, entries in self.edges[predicate].items():
            if any(target[0] == "uid" or not target[2] for target, _ in entries):
                yield uid

    def is_list(self, predicate: str) -> bool:
        return predicate.startswith("~") or "list" in self.schema[predicate][1]

    def described(self) -> Json:
        """The answer to `schema {}`, without what is internal."""
        return {
            "schema": {name: entry for name, entry in self.schema.items() if not name.startswith("dgraph.")},
            "types": {name: fields for name, fields in self.types.items() if not name.startswith("dgraph.")},
        }


def answer(graph: Graph, query: str) -> Iterator[tuple[str, list[Json]]]:
    """Yields name and nodes of each block that is known; others are passed over."""
    tokens = _TOKEN.findall(query)
    at = 1
    while tokens[at] != "}":
        block, at = _parse_block(tokens, at)
        with suppress(NotAnswered):
            yield block["name"], _nodes(graph, block)


def normal(value: Json) -> Json:
    """The form in which answers are compared: facets stand with their values, lists are sorted, numbers are doubles."""
    if isinstance(value, dict):
        return _normal_node(value)
    if isinstance(value, list):
        return sorted((normal(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) + 0.0
    return value


def _normal_node(node: dict[str, Json]) -> dict[str, Json]:
    folded = dict(node)
    for key, value in node.items():
        field, _, facet = key.partition("|")
        if facet and isinstance(value, dict):
            del folded[key]
            values = folded[field] = [v if isinstance(v, dict) else {"": v} for v in folded[field]]
            for index, of_value in value.items():
                values[int(index)] = values[int(index)] | {facet: of_value}
    return {key: normal(value) for key, value in folded.items() if value != {}}


def described(schema_answer: Json) -> Json:
    """The server's answer to `schema {}` in the form of Graph.described."""
    schema = {entry["predicate"]: (entry["type"], _flags(entry)) for entry in schema_answer.get("schema", [])}
    types = {entry["name"]: sorted(f["name"] for f in entry["fields"]) for entry in schema_answer.get("types", [])}
    return {
        "schema": {name: entry for name, entry in schema.items() if not name.startswith("dgraph.")},
        "types": {name: fields for name, fields in types.items() if not name.startswith("dgraph.")},
    }


def _flags(entry: Json) -> list[str]:
    plain = {"list", "reverse", "count", "lang", "upsert", "unique"} & entry.keys()
    specs = entry.get("index_specs", [])
    tokenizers = [] if specs else entry.get("tokenizer", [])
    return sorted([*plain, *(f"index:{name}" for name in tokenizers), *(f"vector:{spec['name']}" for spec in specs)])


# --- The query


def _parse_block(tokens: list[str], at: int) -> tuple[dict[str, Json], int]:
    """Reads `name(func: function(arguments)) { fields }`."""
    name, function = tokens[at], tokens[at + 4]
    end = tokens.index("{", at)
    fields, after = _parse_fields(tokens, end + 1)
    arguments = [token for token in tokens[at + 6 : end] if token not in ("(", ")", ",")]
    return {"name": name, "function": function, "arguments": arguments, "fields": fields}, after


def _parse_fields(tokens: list[str], at: int) -> tuple[list[dict[str, Json]], int]:
    fields = []
    while tokens[at] != "}":
        alias = None
        if tokens[at + 1] == ":":
            alias, at = tokens[at], at + 2
        field: dict[str, Json] = {"name": tokens[at], "alias": alias, "facets": False, "of": None, "fields": None}
        at += 1
        if tokens[at] == "(":
            field["of"], at = tokens[at + 1], tokens.index(")", at) + 1
        if tokens[at] == "@facets":
            field["facets"], at = True, at + 1
        if tokens[at] == "{":
            field["fields"], at = _parse_fields(tokens, at + 1)
        fields.append(field)
    return fields, at + 1


# --- The answer


def _nodes(graph: Graph, block: dict[str, Json]) -> list[Json]:
    if block["function"] == "has":
        uids = sorted(graph.having(block["arguments"][0]))
    elif block["function"] == "uid":
        uids = [int(uid, 16) for uid in block["arguments"]]
    else:
        raise NotAnswered(block["function"])
    nodes = (_node(graph, uid, block["fields"]) for uid in uids)
    return [node for node in nodes if node]


def _node(graph: Graph, uid: int, fields: list[dict[str, Json]]) -> dict[str, Json]:
    node: dict[str, Json] = {}
    for field in fields:
        name = field["name"]
        if name == "uid":
            node["uid"] = hex(uid)
        elif name == "count":
            node[field["alias"] or f"count({field['of']})"] = len(graph.edges[field["of"]].get(uid, ()))
        elif field["of"]:
            raise NotAnswered(name)
        elif field["fields"]:
            node |= _edges(graph, uid, field)
        else:
            node |= _values(graph, uid, field)
    return node


def _edges(graph: Graph, uid: int, field: dict[str, Json]) -> dict[str, Json]:
    predicate = field["name"]
    children = []
    for target, facets in graph.edges[predicate].get(uid, ()):
        child = _node(graph, int(target[1], 16), field["fields"])
        if field["facets"]:
            child |= {f"{predicate}|{key}": value for key, value in facets.items()}
        children += [child] if child else []
    if not children:
        return {}
    return {predicate: children if graph.is_list(predicate) else children[0]}


def _values(graph: Graph, uid: int, field: dict[str, Json]) -> dict[str, Json]:
    predicate, _, lang = field["name"].partition("@")
    entries = graph.edges[predicate].get(uid, ())
    found = [(render(t[1], bytes.fromhex(t[3])), facets) for t, facets in entries if t[0] == "value" and t[2] == lang]
    if not found:
        return {}
    if not graph.is_list(predicate):
        value, facets = found[0]
        shown = {f"{predicate}|{key}": of_value for key, of_value in facets.items()} if field["facets"] else {}
        return {field["name"]: value} | shown
    if field["facets"] and any(facets for _, facets in found):
        return {field["name"]: [{"": value} | facets for value, facets in found]}
    return {field["name"]: [value for value, _ in found]}


# --- Values


def render(kind: str, data: bytes) -> Json:
    """A stored value as JSON shows it."""
    if kind == "int":
        return int.from_bytes(data, "little", signed=True)
    if kind == "float":
        return struct.unpack("<d", data)[0]
    if kind == "bool":
        return data != b"\0"
    if kind == "datetime":
        return _render_datetime(data)
    if kind == "geo":
        return _render_geo(data)
    if kind == "float32vector":
        return list(struct.unpack(f"<{len(data) // 4}f", data))
    return float(data) if kind == "bigfloat" else data.decode()


def _render_datetime(data: bytes) -> str:
    seconds, nanoseconds, offset = struct.unpack(">xqih", data)
    offset = 0 if offset == -1 else offset
    local = datetime(1, 1, 1) + timedelta(seconds=seconds, minutes=offset)
    fraction = f".{nanoseconds:09}".rstrip("0") if nanoseconds else ""
    sign, minutes = "-" if offset < 0 else "+", abs(offset)
    zone = f"{sign}{minutes // 60:02}:{minutes % 60:02}" if offset else "Z"
    return local.isoformat(timespec="seconds") + fraction + zone


def _render_geo(data: bytes) -> Json:
    shape, _ = _read_shape(data, 0)
    return shape


def _read_shape(data: bytes, at: int) -> tuple[Json, int]:
    """Reads a shape in WKB, little-endian: byte order, kind, content."""
    (kind,) = struct.unpack_from("<I", data, at + 1)
    at += 5
    if kind == 1:
        return {"type": "Point", "coordinates": list(struct.unpack_from("<2d", data, at))}, at + 16
    if kind == 3:
        rings, at = _read_rings(data, at)
        return {"type": "Polygon", "coordinates": rings}, at
    if kind != 6:
        raise NotAnswered(f"shape {kind}")
    (count,) = struct.unpack_from("<I", data, at)
    at += 4
    polygons = []
    for _ in range(count):
        polygon, at = _read_shape(data, at)
        polygons.append(polygon["coordinates"])
    return {"type": "MultiPolygon", "coordinates": polygons}, at


def _read_rings(data: bytes, at: int) -> tuple[Json, int]:
    (count,) = struct.unpack_from("<I", data, at)
    at += 4
    rings = []
    for _ in range(count):
        (points,) = struct.unpack_from("<I", data, at)
        numbers = struct.unpack_from(f"<{2 * points}d", data, at + 4)
        rings.append([list(numbers[i : i + 2]) for i in range(0, 2 * points, 2)])
        at += 4 + 16 * points
    return rings, at
