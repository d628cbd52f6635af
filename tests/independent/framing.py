"""The chunks that Snappy and S2 streams share.

A chunk is a type byte, three little-endian bytes of length, and a body. The stream's identifier says which of the two
formats its compressed chunks are in; the manifest calls both "snappy".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

import snappy

import s2
from errors import BackupError

COMPRESSED, PLAIN, RESERVED_END, IDENTIFIER = 0x00, 0x01, 0x80, 0xFF


def _decode_snappy(block: bytes) -> bytes:
    try:
        return snappy.uncompress(block)
    except snappy.UncompressError as error:
        raise BackupError("corrupt Snappy block") from error


# Identifier -> (limit of a chunk's uncompressed bytes, decoder of its blocks).
_FORMATS: dict[bytes, tuple[int, Callable[[bytes], bytes]]] = {
    b"sNaPpY": (1 << 16, _decode_snappy),
    b"S2sTwO": (s2.MAX_BLOCK_BYTES, s2.decode_block),
}


def uncompressed_chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Yields the content of a Snappy or S2 stream, each chunk checked against its checksum."""
    limit, decode = 0, None
    while header := stream.read(4):
        kind, body = header[0], _body(stream, header)
        if kind == IDENTIFIER:
            if body not in _FORMATS:
                raise BackupError(f"stream identifier {body!r} is not known")
            limit, decode = _FORMATS[body]
        elif decode is None:
            raise BackupError("stream does not start with the identifier of Snappy or S2")
        elif kind in (COMPRESSED, PLAIN):
            data = decode(body[4:]) if kind == COMPRESSED else body[4:]
            _check(data, body[:4], limit)
            yield data
        elif kind < RESERVED_END:
            raise BackupError(f"chunk of the reserved type {kind:#04x}")
    if decode is None:
        raise BackupError("empty object")


def _body(stream: BinaryIO, header: bytes) -> bytes:
    length = int.from_bytes(header[1:], "little")
    body = stream.read(length)
    if len(header) < 4 or len(body) < length:
        raise BackupError("stream ends within a chunk")
    return body


def _check(data: bytes, checksum: bytes, limit: int) -> None:
    if len(data) > limit:
        raise BackupError(f"chunk of {len(data)} bytes is above the limit of {limit}")
    if masked_crc32c(data) != int.from_bytes(checksum, "little") or len(checksum) < 4:
        raise BackupError("checksum of a chunk is wrong")


def _table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            # The reflected polynomial of Castagnoli.
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _table()


def masked_crc32c(data: bytes) -> int:
    """CRC-32C, rotated and shifted as the framing format wants it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
