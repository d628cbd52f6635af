"""Manifests: which backups a location holds, and what each of them says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path, PurePosixPath
from typing import Any

import names
from errors import BackupError
from names import Name

MANIFEST = "manifest.json"
COMPRESSIONS = ("", "gzip", "snappy")


class DropKind(IntEnum):
    ALL = 0
    DATA = 1
    ATTR = 2
    NAMESPACE = 3


@dataclass(frozen=True)
class Drop:
    """Something dropped after the previous backup. `namespace` is None where a drop of data was of all namespaces."""

    kind: DropKind
    namespace: int | None = None
    predicate: Name | None = None


@dataclass(frozen=True)
class Entry:
    """One backup."""

    folder: Path
    is_full: bool
    read_ts: int
    groups: dict[int, frozenset[Name]]
    backup_id: str
    backup_num: int
    form: int
    encrypted: bool
    compression: str
    drops: tuple[Drop, ...]
    # Old versions do not record drops: their manifests lack the key, later ones have it even where nothing was dropped.
    records_drops: bool

    def object_path(self, group: int) -> Path:
        return self.folder / f"r{self.read_ts}-g{group}.backup"

    def predicates(self) -> frozenset[Name]:
        """The predicates of all groups."""
        return frozenset().union(*self.groups.values())


def load(location: Path) -> list[Entry]:
    """Reads all manifests at a location, oldest first."""
    if not location.is_dir():
        raise BackupError(f"{location}: no such directory")
    master = location / MANIFEST
    if master.exists():
        with _naming(master):
            found = _master_entries(location, _read_json(master))
    else:
        paths = sorted(location.rglob(f"*/{MANIFEST}"), key=lambda path: path.as_posix())
        found = [_folder_entry(path) for path in paths]
    if not found:
        raise BackupError(f"{location}: no manifest found")
    # Without an instant or without groups an entry is no backup that could be read.
    return [entry for entry in found if entry.read_ts and entry.groups]


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Puts the path of a manifest before what is wrong with it."""
    try:
        yield
    except BackupError as error:
        raise BackupError(f"{path}: {error}") from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BackupError(str(error)) from error


def _folder_entry(path: Path) -> Entry:
    with _naming(path):
        return _entry(_lower_keys(_read_json(path)), path.parent)


def _master_entries(location: Path, raw: Any) -> list[Entry]:
    if isinstance(raw, dict):
        raw = _lower_keys(raw).get("manifests")
    if not isinstance(raw, list):
        raise BackupError("no master manifest; a location is the directory above the folders of its backups")
    return [_entry(item, _folder(location, item)) for item in map(_lower_keys, raw)]


def _folder(location: Path, raw: dict[str, Any]) -> Path:
    """The folder an entry of the master manifest names. What lies outside the location is refused."""
    path = PurePosixPath(_get(raw, "path", str, ""))
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise BackupError(f"path {str(path)!r} is not within the location")
    return location / path


def _entry(raw: dict[str, Any], folder: Path) -> Entry:
    form = _known(raw, "version", names.FORMS, 0)
    return Entry(
        folder=folder,
        is_full=_known(raw, "type", ("full", "incremental"), "") == "full",
        # Before version 2103 `since` held the instant of this backup.
        read_ts=_get(raw, "read_ts", int, 0) or _get(raw, "since", int, 0),
        groups=_groups(_get(raw, "groups", dict, {}), form),
        backup_id=_get(raw, "backup_id", str, ""),
        backup_num=_get(raw, "backup_num", int, 0),
        encrypted=_get(raw, "encrypted", bool, False),
        compression=_known(raw, "compression", COMPRESSIONS, ""),
        form=form,
        drops=tuple(_drop(_lower_keys(drop), form) for drop in _get(raw, "drop_operations", list, [])),
        records_drops="drop_operations" in raw,
    )


def _groups(raw: dict[str, Any], form: int) -> dict[int, frozenset[Name]]:
    groups = {}
    for group, predicates in raw.items():
        if not group.isdecimal() or not isinstance(predicates, (list, type(None))):
            raise BackupError(f"group {group!r} is no number, or has no list of predicates")
        groups[int(group)] = frozenset(names.parse(name, form) for name in predicates or [])
    return groups


def _drop(raw: dict[str, Any], form: int) -> Drop:
    # Zeros are left out, so that an empty object is a drop of all.
    kind = DropKind(_known(raw, "drop_op", tuple(DropKind), 0))
    value = _get(raw, "drop_value", str, "")
    if kind == DropKind.ATTR:
        return Drop(kind, predicate=names.parse(value, form))
    if kind == DropKind.NAMESPACE or (kind == DropKind.DATA and value):
        return Drop(kind, namespace=names.parse_number(value, 0))
    return Drop(kind)


def _lower_keys(raw: Any) -> dict[str, Any]:
    """Dgraph takes keys in any case, so this does too."""
    if not isinstance(raw, dict):
        raise BackupError(f"expected an object, found {raw!r:.40}")
    return {key.lower(): value for key, value in raw.items()}


def _known(raw: dict[str, Any], key: str, known: tuple[Any, ...], default: Any) -> Any:
    value = _get(raw, key, type(default), default)
    if value not in known:
        raise BackupError(f"{key} {value!r} is not known")
    return value


def _get(raw: dict[str, Any], key: str, kind: type, default: Any) -> Any:
    """The value of a key, or the default where it is absent or null."""
    value = raw.get(key)
    if value is None:
        return default
    if type(value) is not kind or (kind is int and not 0 <= value < 1 << 64):
        raise BackupError(f"{key} is {value!r:.40}")
    return value
