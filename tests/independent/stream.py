"""One object of a backup as its key-values: file -> AES-CTR -> gzip, Snappy or S2 -> frames -> key-values."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from google.protobuf.message import DecodeError

import framing
import protos
from errors import BackupError
from manifest import Entry

IV_BYTES = 16
KEY_BYTES = (16, 24, 32)

# A stored length is believed only this many bytes at a time: what is allocated, the stream has delivered.
PIECE_BYTES = 1 << 20


def read_key(path: Path) -> bytes:
    """Reads a file that holds an AES key and nothing else."""
    try:
        key = path.read_bytes()
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror}") from error
    if len(key) not in KEY_BYTES:
        raise BackupError(f"{path}: a key has 16, 24 or 32 bytes, this file has {len(key)}")
    return key


def key_values(entry: Entry, group: int, key: bytes | None) -> Iterator[protos.KV]:
    """Yields the key-values of a group's object. Raises BackupError, which names the object, if it is damaged."""
    path = entry.object_path(group)
    try:
        with path.open("rb") as file:
            for frame in frames(_uncompressed(_decrypted(file, entry, key), entry.compression)):
                yield from protos.KVList.FromString(frame).kv
    except (BackupError, DecodeError, EOFError, OSError, zlib.error) as error:
        hint = "; is the encryption key right?" if entry.encrypted and key else ""
        raise BackupError(f"{path}: {error}{hint}") from error


def frames(stream: BinaryIO) -> Iterator[bytes]:
    """Splits a stream into frames: 8 bytes of little-endian length, then that many bytes. Frames may be empty."""
    while header := stream.read(8):
        if len(header) < 8:
            raise BackupError("stream ends within the length of a frame")
        yield _read_exactly(stream, int.from_bytes(header, "little"))


def _read_exactly(stream: BinaryIO, count: int) -> bytes:
    pieces = []
    while count:
        piece = stream.read(min(count, PIECE_BYTES))
        if not piece:
            raise BackupError(f"stream ends {count} bytes before its frame does")
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def _decrypted(file: io.BufferedReader, entry: Entry, key: bytes | None) -> io.BufferedReader:
    if not entry.encrypted:
        return file
    if key is None:
        raise BackupError("the object is encrypted; give its key with --key-file")
    iv = file.read(IV_BYTES)
    if len(iv) < IV_BYTES:
        raise BackupError(f"{len(iv)} bytes are too short for an initialisation vector of {IV_BYTES}")
    decryptor = Cipher(AES(key), CTR(iv)).decryptor()
    return _reader(decryptor.update(piece) for piece in iter(lambda: file.read(PIECE_BYTES), b""))


def _uncompressed(stream: io.BufferedReader, compression: str) -> io.BufferedReader:
    if compression == "snappy":
        return _reader(framing.uncompressed_chunks(stream))
    return _reader(_gunzipped(stream))


def _gunzipped(stream: io.BufferedReader) -> Iterator[bytes]:
    """Yields the content of all gzip members, one after the other."""
    # Python takes an object of no bytes at all for one without members.
    if not stream.peek(1):
        raise BackupError("empty object")
    unzipped = gzip.GzipFile(fileobj=stream)
    yield from iter(lambda: unzipped.read(PIECE_BYTES), b"")


class _Pieces(io.RawIOBase):
    """A readable stream of the pieces an iterator yields."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _reader(pieces: Iterator[bytes]) -> io.BufferedReader:
    return io.BufferedReader(_Pieces(pieces), PIECE_BYTES)
