"""Tests of the S2 block decoder and of the chunks around blocks, on bytes written by hand from their description."""

from __future__ import annotations

import io
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import framing  # noqa: E402
import s2  # noqa: E402
from errors import BackupError  # noqa: E402


def uvarint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def literal(data: bytes) -> bytes:
    return bytes([(len(data) - 1) << 2]) + data


def block(size: int, *operations: bytes) -> bytes:
    return uvarint(size) + b"".join(operations)


def copy_1(offset: int, length: int) -> bytes:
    return bytes([(offset >> 8) << 5 | (length - 4) << 2 | 1, offset & 0xFF])


def repeat(code: int, further: bytes = b"") -> bytes:
    return bytes([code << 2 | 1, 0]) + further


class Blocks(unittest.TestCase):
    def test_literals_of_every_length_code(self) -> None:
        for width, size in ((0, 60), (1, 61), (2, 300), (3, 70_000), (4, 70_000)):
            data = bytes(index % 251 for index in range(size))
            tag = bytes([(59 + width if width else size - 1) << 2]) + (size - 1).to_bytes(4, "little")[:width]
            self.assertEqual(s2.decode_block(block(size, tag, data)), data, width)

    def test_copies_of_every_kind(self) -> None:
        for copy in (copy_1(8, 4), bytes([3 << 2 | 2, 8, 0]), bytes([3 << 2 | 3, 8, 0, 0, 0])):
            self.assertEqual(s2.decode_block(block(12, literal(b"abcdefgh"), copy)), b"abcdefghabcd")

    def test_a_copy_may_run_into_what_it_appends(self) -> None:
        self.assertEqual(s2.decode_block(block(13, literal(b"abc"), copy_1(3, 10))), b"abcabcabcabca")

    def test_an_offset_may_be_beyond_64_kib(self) -> None:
        data = bytes(70_000)
        far = bytes([3 << 2 | 3]) + (70_003).to_bytes(4, "little")
        long = bytes([62 << 2]) + (69_999).to_bytes(3, "little") + data
        self.assertEqual(s2.decode_block(block(70_007, literal(b"xyz"), long, far)), b"xyz" + data + b"xyz\0")

    def test_repeats_copy_from_the_last_offset(self) -> None:
        lengths = {
            repeat(0): 4,
            repeat(4): 8,
            repeat(5, b"\x00"): 8,
            repeat(5, b"\xff"): 263,
            repeat(6, b"\x00\x00"): 260,
            repeat(6, b"\xff\xff"): 65_795,
            repeat(7, b"\x00\x00\x00"): 65_540,
            repeat(7, b"\x02\x01\x00"): 65_798,
        }
        for operation, length in lengths.items():
            decoded = s2.decode_block(block(8 + length, literal(b"ab??"), copy_1(4, 4), operation))
            self.assertEqual(decoded, (b"ab??" * (length // 4 + 3))[: 8 + length], operation.hex())

    def test_a_literal_does_not_change_the_last_offset(self) -> None:
        decoded = s2.decode_block(block(16, literal(b"abcd"), copy_1(4, 4), literal(b"WXYZ"), repeat(0)))
        self.assertEqual(decoded, b"abcdabcdWXYZWXYZ")

    def test_damaged_blocks_are_refused(self) -> None:
        damaged = {
            "repeat before any copy": block(8, literal(b"abcd"), repeat(0)),
            "copy from before the beginning": block(8, literal(b"abcd"), copy_1(5, 4)),
            "copy of kind 2 with offset 0": block(8, literal(b"abcd"), bytes([3 << 2 | 2, 0, 0])),
            "more than announced": block(7, literal(b"abcd"), copy_1(4, 4)),
            "less than announced": block(9, literal(b"abcd"), copy_1(4, 4)),
            "above the limit": block(s2.MAX_BLOCK_BYTES + 1, literal(b"abcd")),
            "length without end": b"\xff" * 11,
            "nothing": b"",
        }
        for what, data in damaged.items():
            with self.assertRaises(BackupError, msg=what):
                s2.decode_block(data)

    def test_every_prefix_is_refused(self) -> None:
        whole = block(8 + 65_540, literal(b"abcd"), copy_1(4, 4), repeat(7, b"\x00\x00\x00"))
        self.assertEqual(len(s2.decode_block(whole)), 65_548)
        for end in range(len(whole)):
            with self.assertRaises(BackupError, msg=f"{end} bytes"):
                s2.decode_block(whole[:end])


S2 = b"\xff\x06\x00\x00S2sTwO"
SNAPPY = b"\xff\x06\x00\x00sNaPpY"


def chunk(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "little") + body


def plain(data: bytes) -> bytes:
    return chunk(framing.PLAIN, framing.masked_crc32c(data).to_bytes(4, "little") + data)


def compressed(data: bytes, encoded: bytes) -> bytes:
    return chunk(framing.COMPRESSED, framing.masked_crc32c(data).to_bytes(4, "little") + encoded)


def content(stream: bytes) -> bytes:
    return b"".join(framing.uncompressed_chunks(io.BytesIO(stream)))


class Chunks(unittest.TestCase):
    def test_the_checksum_is_crc32c_masked(self) -> None:
        # The check value of CRC-32C is e3069283 for these digits; masked as the framing format says.
        crc = 0xE3069283
        self.assertEqual(framing.masked_crc32c(b"123456789"), ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    def test_the_stream_says_which_of_the_two_it_is(self) -> None:
        repeated = block(12, literal(b"abcd"), copy_1(4, 4), repeat(0))
        self.assertEqual(content(S2 + compressed(b"abcd" * 3, repeated)), b"abcd" * 3)
        with self.assertRaisesRegex(BackupError, "corrupt Snappy block"):
            content(SNAPPY + compressed(b"abcd" * 3, repeated))

    def test_chunks_to_skip_are_skipped_and_identifiers_may_come_again(self) -> None:
        padding = chunk(0xFE, b"\0" * 9) + chunk(0x99, b"index") + chunk(0x80, b"")
        self.assertEqual(content(SNAPPY + plain(b"one") + padding + S2 + plain(b"two")), b"onetwo")

    def test_damaged_streams_are_refused(self) -> None:
        damaged = {
            "empty": b"",
            "no identifier": plain(b"one"),
            "unknown identifier": chunk(0xFF, b"sNaPpX"),
            "reserved chunk": S2 + chunk(0x02, b""),
            "wrong checksum": S2 + chunk(framing.PLAIN, b"\0\0\0\0one"),
            "no checksum": S2 + chunk(framing.PLAIN, b""),
            "chunk above Snappy's limit": SNAPPY + plain(bytes(65_537)),
            "cut in a body": (S2 + plain(b"one"))[:-1],
            "cut in a header": S2 + b"\x01\x00",
        }
        for what, stream in damaged.items():
            with self.assertRaises(BackupError, msg=what):
                content(stream)
        self.assertEqual(len(content(S2 + plain(bytes(65_537)))), 65_537)


if __name__ == "__main__":
    unittest.main()
