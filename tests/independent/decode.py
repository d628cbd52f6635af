#!/usr/bin/env python3
"""Prints what a Dgraph backup, or one of graphdb's, holds: its canonical dump, which README.md beside this describes.

An independent check: it shares nothing with graphdb's own reader, so where both print the same, both read it right.
Exits with 0 when the whole backup was read, 1 when it cannot be, and 2 when it was called wrongly.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import dump
import manifest
import series
import state
import stream
from errors import BackupError


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        lines = decode(options.location, options.backup_id, options.backup_num, options.key_file)
    except BackupError as error:
        print(f"decode: {error}", file=sys.stderr)
        return 1
    sys.stdout.buffer.writelines(line + b"\n" for line in lines)
    return 0


def decode(
    location: Path, backup_id: str | None = None, backup_num: int = 0, key_file: Path | None = None
) -> list[bytes]:
    """Returns the lines of the dump. Raises BackupError when any part of the backup cannot be read."""
    key = stream.read_key(key_file) if key_file else None
    chosen = series.choose(manifest.load(location), backup_id, backup_num)
    return dump.lines(state.merge(chosen, key))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="print the canonical dump of a backup")
    parser.add_argument("location", type=_location, help="directory that holds the backups, as a path or a file: URI")
    parser.add_argument("--backup-id", help="series to read; without it, the newest")
    parser.add_argument("--backup-num", type=_number, default=0, help="last backup of the series to read (0: all)")
    parser.add_argument("--key-file", type=Path, help="file with the raw AES key of 16, 24 or 32 bytes")
    return parser


def _location(text: str) -> Path:
    return Path(unquote(urlsplit(text).path) if text.startswith("file:") else text)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no backup number; they start at 1, and 0 means all")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
