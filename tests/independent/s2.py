"""Decodes one block of S2, the extension of Snappy that Dgraph compresses with from v25 on.

A block is its uncompressed length (uvarint), then operations: literals, and copies of what was already decoded. What
S2 adds to Snappy is the repeat: a copy of kind 1 with offset 0 copies from the last offset again, often a great deal.
"""

from errors import BackupError

# S2's own limit for a chunk of its stream.
MAX_BLOCK_BYTES = 4 << 20

LITERAL, COPY_1, COPY_2, COPY_4 = range(4)

# Length code of a repeat -> (further bytes that hold the length, what is added to it). Codes below hold the length.
_REPEAT_LENGTHS = {5: (1, 8), 6: (2, 260), 7: (3, 65_540)}


def decode_block(block: bytes) -> bytes:
    """Returns the uncompressed block. Raises BackupError for one that is damaged."""
    source = _Source(block)
    size = source.uvarint()
    if size > MAX_BLOCK_BYTES:
        raise BackupError(f"block of {size} bytes is above the limit of {MAX_BLOCK_BYTES}")
    out = bytearray()
    offset = 0
    while not source.at_end():
        tag = source.number(1)
        if tag & 3 == LITERAL:
            out += source.take(_literal_length(tag, source))
        else:
            offset, length = _copy(tag, source, offset)
            if not 0 < offset <= len(out):
                raise BackupError(f"copy from offset {offset} after {len(out)} bytes")
            if length > size - len(out):
                raise BackupError(f"block holds more than the {size} bytes it announces")
            _append_copy(out, offset, length)
    if len(out) != size:
        raise BackupError(f"block holds {len(out)} bytes but announces {size}")
    return bytes(out)


def _literal_length(tag: int, source: "_Source") -> int:
    code = tag >> 2
    return code + 1 if code < 60 else source.number(code - 59) + 1


def _copy(tag: int, source: "_Source", last_offset: int) -> tuple[int, int]:
    """Returns offset and length of a copy."""
    if tag & 3 == COPY_2:
        return source.number(2), (tag >> 2) + 1
    if tag & 3 == COPY_4:
        return source.number(4), (tag >> 2) + 1
    offset = (tag & 0xE0) << 3 | source.number(1)
    code = tag >> 2 & 7
    if offset:
        return offset, code + 4
    if code not in _REPEAT_LENGTHS:
        return last_offset, code + 4
    width, base = _REPEAT_LENGTHS[code]
    return last_offset, source.number(width) + base


def _append_copy(out: bytearray, offset: int, length: int) -> None:
    """Appends `length` bytes that start `offset` bytes before the end; they may run into what is being appended."""
    start = len(out) - offset
    if length <= offset:
        out += out[start : start + length]
    else:
        period = out[start:]
        out += (period * (length // offset + 1))[:length]


class _Source:
    """Reads a block from its beginning, and never past its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def at_end(self) -> bool:
        return self._at == len(self._data)

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise BackupError("block ends within an operation")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little")

    def uvarint(self) -> int:
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise BackupError("length of a block does not end")
