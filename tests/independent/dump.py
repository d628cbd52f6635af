"""The canonical dump: one line of JSON for each value, edge, predicate and type. README.md describes the lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError

import names
import protos
from errors import BackupError
from names import Name
from state import Parts, State, Subject

# By number of ValType; 10 is an object, which is never stored.
VALUE_TYPES = {
    0: "default",
    1: "binary",
    2: "int",
    3: "float",
    4: "bool",
    5: "datetime",
    6: "geo",
    7: "uid",
    8: "password",
    9: "string",
    11: "bigfloat",
    12: "float32vector",
}
FACET_TYPES = {0: "string", 1: "int", 2: "float", 3: "bool", 4: "datetime"}

REFERENCE = 0  # Posting.posting_type of an edge
DELETE = 2  # Posting.op
REVERSE = 2  # SchemaUpdate.directive


def lines(state: State) -> list[bytes]:
    """Returns the lines of a state in order of their bytes, without line ends."""
    records = (*_triples(state), *_schema(state), *_types(state))
    return sorted(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() for record in records)


def _triples(state: State) -> Iterator[list[Any]]:
    for subject, parts in state.lists.items():
        predicate = subject.predicate
        if predicate.is_vector_helper():
            continue
        for target, facets in _entries(subject, parts):
            yield ["t", predicate.namespace, hex(subject.uid), predicate.text, target, facets]


def _entries(subject: Subject, parts: Parts) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yields object and facets of each entry of a list."""
    try:
        last = 0
        for part in parts:
            stored = protos.PostingList.FromString(part)
            uids = list(stored.uids) or _absolute(stored.uid_bytes)
            _check_order(last, uids)
            last = uids[-1] if uids else last
            yield from _listed(uids, stored.postings)
    except (BackupError, DecodeError, UnicodeDecodeError) as error:
        raise BackupError(f"{subject.predicate.text} of {subject.uid:#x}: {error}") from error


def _listed(uids: list[int], stored: Any) -> Iterator[tuple[list[str], list[list[str]]]]:
    postings = {posting.uid: posting for posting in stored}
    if len(postings) != len(stored) or not postings.keys() <= set(uids):
        raise BackupError("a posting is not in the list of uids, or twice")
    for uid in uids:
        posting = postings.get(uid)
        if posting is None:
            yield ["uid", hex(uid)], []
        elif posting.op != DELETE:
            yield _object(posting), _facets(posting)


def _absolute(uid_bytes: bytes) -> list[int]:
    """Reads uvarints, each the difference to the uid before it."""
    uids, uid, value, shift = [], 0, 0, 0
    for byte in uid_bytes:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            uid += value
            uids.append(uid)
            value = shift = 0
    if shift:
        raise BackupError("the list of uids ends within a number")
    return uids


def _check_order(last: int, uids: list[int]) -> None:
    for uid in uids:
        if not last < uid < 1 << 64:
            raise BackupError(f"uid {uid:#x} follows {last:#x}")
        last = uid


def _object(posting: protos.Posting) -> list[str]:
    if posting.posting_type == REFERENCE:
        return ["uid", hex(posting.uid)]
    return ["value", _named(VALUE_TYPES, posting.val_type), posting.lang_tag.decode(), posting.value.hex()]


def _facets(posting: protos.Posting) -> list[list[str]]:
    return sorted([facet.key, _named(FACET_TYPES, facet.val_type), facet.value.hex()] for facet in posting.facets)


def _named(table: dict[int, str], number: int) -> str:
    if number not in table:
        raise BackupError(f"type {number} is not known")
    return table[number]


def _schema(state: State) -> Iterator[list[Any]]:
    for name, value in state.schema.items():
        if not name.is_vector_helper():
            update = protos.SchemaUpdate.FromString(value)
            yield ["s", name.namespace, name.text, _named(VALUE_TYPES, update.value_type), _flags(update)]


def _flags(update: protos.SchemaUpdate) -> list[str]:
    flags = {
        "list": update.list,
        "reverse": update.directive == REVERSE,
        "count": update.count,
        "lang": update.lang,
        "upsert": update.upsert,
        "unique": update.unique,
        "noconflict": update.no_conflict,
    }
    named = [flag for flag, is_set in flags.items() if is_set]
    named += [f"index:{tokenizer}" for tokenizer in update.tokenizer]
    named += [f"vector:{spec.name}" for spec in update.index_specs]
    return sorted(named)


def _types(state: State) -> Iterator[list[Any]]:
    for name, (value, form) in state.types.items():
        fields = protos.TypeUpdate.FromString(value).fields
        yield ["y", name.namespace, name.text, sorted(_field_name(name, field.predicate, form) for field in fields)]


def _field_name(type_name: Name, field: bytes, form: int) -> str:
    try:
        if form == names.RAW_NAMESPACE:
            # Eight bytes of namespace need not be UTF-8; what follows them is.
            return field[8:].decode()
        return names.parse(field.decode(), form).text
    except (BackupError, UnicodeDecodeError) as error:
        raise BackupError(f"type {type_name.text}: field {field!r}: {error}") from error
