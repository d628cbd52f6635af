"""Names of predicates and types, with their namespace, in the three forms that manifests of different versions use."""

from __future__ import annotations

from typing import NamedTuple

from errors import BackupError

# The `version` of a manifest says which form its names have; 0 stands for an absent one.
BARE = 0
RAW_NAMESPACE = 2103
HEX_NAMESPACE = 2105
FORMS = (BARE, RAW_NAMESPACE, HEX_NAMESPACE)

# Predicates in which Dgraph keeps the index of a vector predicate; they hold nothing that is not derived.
VECTOR_HELPERS = ("__vector_entry", "__vector_", "__vector_dead")


class Name(NamedTuple):
    """The name of a predicate or type within its namespace."""

    namespace: int
    text: str

    def is_vector_helper(self) -> bool:
        return self.text.endswith(VECTOR_HELPERS)


def parse(text: str, form: int) -> Name:
    """Reads a name in the given form. Raises BackupError for one that does not have it."""
    if not isinstance(text, str):
        raise BackupError(f"name {text!r:.40} is no text")
    if form == BARE:
        return Name(0, text)
    if form == RAW_NAMESPACE:
        return _parse_raw(text)
    namespace, dash, name = text.partition("-")
    if not dash:
        raise BackupError(f"name {text!r} has no namespace before a dash")
    return Name(parse_number(namespace, 16), name)


def parse_number(text: str, base: int) -> int:
    """Reads an unsigned 64-bit number; base 0 goes by the prefix."""
    try:
        number = int(text, base)
    except ValueError:
        number = -1
    if not 0 <= number < 1 << 64:
        raise BackupError(f"{text!r} is no number of a namespace")
    return number


def _parse_raw(text: str) -> Name:
    """Splits eight big-endian bytes of namespace from the name."""
    # Bytes that are no UTF-8 became U+FFFD when the manifest was written: what they were is lost.
    if "\ufffd" in text:
        raise BackupError(f"name {text!r} has lost its namespace: replacement rune found")
    raw = text.encode()
    if len(raw) < 8:
        raise BackupError(f"name {text!r} is too short for its eight bytes of namespace")
    return Name(int.from_bytes(raw[:8], "big"), raw[8:].decode())
