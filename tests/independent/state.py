"""What a series holds at its newest backup: the backups are laid over one another, newest first."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

import protos
import stream
from errors import BackupError
from manifest import Drop, DropKind, Entry
from names import Name

# Values of KV.user_meta.
SCHEMA, DELTA, COMPLETE, EMPTY, FORBIDDEN = 0x01, 0x04, 0x08, 0x10, 0x30


class KeyKind(IntEnum):
    DATA = 1
    INDEX = 2
    REVERSE = 3
    COUNT = 4
    COUNT_REVERSE = 5
    SCHEMA = 6
    TYPE = 7


class Subject(NamedTuple):
    """What one list of values or edges belongs to."""

    predicate: Name
    uid: int


# The stored parts of a list, in order of their uids. A list that was deleted has none, so that it hides older ones.
Parts = tuple[bytes, ...]


@dataclass
class State:
    """Lists, schema and types as stored. Of a type its form of names is kept, since that differs between backups."""

    lists: dict[Subject, Parts] = field(default_factory=dict)
    schema: dict[Name, bytes] = field(default_factory=dict)
    types: dict[Name, tuple[bytes, int]] = field(default_factory=dict)


@dataclass
class _Dropped:
    """What backups newer than the one being read have dropped."""

    everything: bool = False
    predicates: set[Name] = field(default_factory=set)
    data: set[int] = field(default_factory=set)

    def fold(self, drops: tuple[Drop, ...]) -> None:
        for drop in drops:
            if drop.kind == DropKind.ATTR:
                self.predicates.add(drop.predicate)
            elif drop.kind == DropKind.DATA and drop.namespace is not None:
                self.data.add(drop.namespace)
            elif drop.kind in (DropKind.ALL, DropKind.DATA):
                self.everything = True


def merge(series: list[Entry], key: bytes | None) -> State:
    """Reads a series, oldest first as given, into the state of its last backup.

    The newest backup that mentions a list wins, whatever the versions of the key-values say: Dgraph v24.1 and later
    write some deletions with version 0.
    """
    dropped = _Dropped()
    newest, *older = reversed(series)
    counting = _Counting(newest.predicates(), _deleted_namespaces(series), dropped)
    state = _read(newest, key, counting)
    inherits_schema = _is_without_schema(newest, state)
    inherits_types = inherits_schema and not state.types
    dropped.fold(_drops(newest, state))
    for entry in older:
        if dropped.everything:
            break
        below = _read(entry, key, counting)
        _lay_under(state.lists, below.lists)
        if inherits_schema:
            _lay_under(state.schema, below.schema)
        if inherits_types:
            _lay_under(state.types, below.types)
        dropped.fold(_drops(entry, below))
    return state


def _is_without_schema(newest: Entry, state: State) -> bool:
    """Incrementals of some old versions name predicates but hold no schema: there, and only there, the older stands."""
    return bool(newest.predicates()) and not state.schema


def _drops(entry: Entry, read: State) -> tuple[Drop, ...]:
    """The drops of a backup, recorded or to be seen.

    Versions that record none keep naming a dropped predicate; only its schema is gone, while others have theirs.
    """
    if entry.records_drops or not read.schema:
        return entry.drops
    return tuple(Drop(DropKind.ATTR, predicate=name) for name in entry.predicates() - read.schema.keys())


def _lay_under(upper: dict[Any, Any], lower: dict[Any, Any]) -> None:
    """Adds what no newer backup mentioned."""
    for name, value in lower.items():
        upper.setdefault(name, value)


def _deleted_namespaces(series: list[Entry]) -> set[int]:
    """A deleted namespace is never used again, so it is hidden in every backup."""
    drops = (drop for entry in series for drop in entry.drops)
    return {drop.namespace for drop in drops if drop.kind == DropKind.NAMESPACE}


@dataclass(frozen=True)
class _Counting:
    """Which predicates count: those the newest backup names, without what was deleted or dropped since."""

    named: frozenset[Name]
    deleted_namespaces: set[int]
    dropped: _Dropped

    def among(self, predicates: frozenset[Name]) -> set[Name]:
        return {name for name in predicates & self.named - self.dropped.predicates if self.is_alive(name)}

    def is_alive(self, name: Name) -> bool:
        return name.namespace not in self.deleted_namespaces

    def has_data(self, name: Name) -> bool:
        return name.namespace not in self.dropped.data


def _read(entry: Entry, key: bytes | None, counting: _Counting) -> State:
    """Reads what counts of one backup."""
    reader = _EntryReader(entry, counting)
    for group, predicates in sorted(entry.groups.items()):
        counted = counting.among(predicates)
        for kv in stream.key_values(entry, group, key):
            try:
                reader.take(kv, counted)
            except (BackupError, DecodeError) as error:
                raise BackupError(f"{entry.object_path(group)}: key {kv.key.hex()}: {error}") from error
    return reader.finish()


class _EntryReader:
    """Collects the key-values of one backup."""

    def __init__(self, entry: Entry, counting: _Counting) -> None:
        self._entry = entry
        self._counting = counting
        self._lists: dict[Subject, bytes] = {}
        self._parts: dict[tuple[Subject, int], bytes] = {}
        self._schema: dict[Name, bytes] = {}
        self._types: dict[Name, tuple[bytes, int]] = {}

    def take(self, kv: protos.KV, counted: set[Name]) -> None:
        key = protos.BackupKey.FromString(kv.key)
        meta = _checked_meta(key, kv)
        name = Name(key.namespace, key.attr)
        if key.type == KeyKind.TYPE:
            # Every group's object holds all types.
            if self._counting.is_alive(name):
                self._types[name] = (kv.value, self._entry.form)
        elif name not in counted:
            return
        elif key.type == KeyKind.SCHEMA:
            self._schema[name] = kv.value
        elif key.type == KeyKind.DATA and self._counting.has_data(name):
            self._take_list(Subject(name, key.uid), key.start_uid, _list_value(meta, kv))

    def _take_list(self, subject: Subject, start_uid: int, value: bytes) -> None:
        if start_uid:
            previous = self._parts.setdefault((subject, start_uid), value)
        else:
            previous = self._lists.setdefault(subject, value)
        if previous != value:
            raise BackupError("the list stands twice in this backup, with different values")

    def finish(self) -> State:
        lists = {subject: self._joined(subject, value) for subject, value in self._lists.items()}
        return State(lists, self._schema, self._types)

    def _joined(self, subject: Subject, value: bytes) -> Parts:
        """Puts a list together that an old version has split. Its main key names the parts; others are left-overs."""
        if not value:
            return ()
        splits = protos.PostingList.FromString(value).splits
        missing = [start for start in splits if (subject, start) not in self._parts]
        if missing:
            owner = f"{subject.predicate.text} of {subject.uid:#x}"
            raise BackupError(f"{self._entry.folder}: {owner} lacks its part from {missing[0]:#x}")
        return tuple(self._parts[subject, start] for start in splits) or (value,)


def _checked_meta(key: protos.BackupKey, kv: protos.KV) -> int:
    if key.type not in iter(KeyKind):
        raise BackupError(f"kind {key.type} of key is not known")
    known = (SCHEMA,) if key.type in (KeyKind.SCHEMA, KeyKind.TYPE) else (DELTA, COMPLETE, EMPTY, FORBIDDEN)
    if len(kv.user_meta) != 1 or kv.user_meta[0] not in known:
        raise BackupError(f"unexpected meta {kv.user_meta.hex() or 'of no bytes'}")
    return kv.user_meta[0]


def _list_value(meta: int, kv: protos.KV) -> bytes:
    if meta == FORBIDDEN:
        print(f"warning: key {kv.key.hex()} is forbidden: Dgraph threw its values away", file=sys.stderr)
    return b"" if meta in (EMPTY, FORBIDDEN) else kv.value
