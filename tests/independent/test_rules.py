"""Tests of rules that no real backup at hand shows, on small backups written here."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tempfile
import unittest
from contextlib import redirect_stderr
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

sys.path.insert(0, str(Path(__file__).resolve().parent))

import decode  # noqa: E402
import protos  # noqa: E402
import stream  # noqa: E402
from errors import BackupError  # noqa: E402

DATA, SCHEMA, TYPE = 1, 6, 7
WHOLE, EMPTY, FORBIDDEN, DESCRIPTION = b"\x08", b"\x10", b"\x30", b"\x01"


def kv(kind: int, attr: str, value: bytes, meta: bytes = WHOLE, **key: int) -> protos.KV:
    backup_key = protos.BackupKey(type=kind, attr=attr, **key)
    return protos.KV(key=backup_key.SerializeToString(), value=value, user_meta=meta, version=5)


def edges(uid: int, *objects: int, attr: str = "knows", **key: int) -> protos.KV:
    return kv(DATA, attr, protos.PostingList(uids=objects).SerializeToString(), uid=uid, **key)


def schema(attr: str = "knows", **key: int) -> protos.KV:
    return kv(SCHEMA, attr, protos.SchemaUpdate(value_type=7, list=True).SerializeToString(), DESCRIPTION, **key)


def a_type(name: str, field: bytes, **key: int) -> protos.KV:
    update = protos.TypeUpdate(fields=[protos.SchemaUpdate(predicate=field)])
    return kv(TYPE, name, update.SerializeToString(), DESCRIPTION, **key)


def frame(*kvs: protos.KV) -> bytes:
    body = protos.KVList(kv=kvs).SerializeToString()
    return len(body).to_bytes(8, "little") + body


class Rules(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.location = Path(place.name)
        self.count = 0

    def backup(self, *kvs: protos.KV, payload: bytes | None = None, **manifest: object) -> Path:
        """Writes the next backup of a series, with one group, and returns its object."""
        self.count += 1
        folder = self.location / f"dgraph.20240101.00000{self.count}.000"
        folder.mkdir()
        entry: dict = {
            "type": "full" if self.count == 1 else "incremental",
            "since": self.count,
            "groups": {"1": ["knows"]},
            "backup_id": "a",
            "backup_num": self.count,
            "drop_operations": None,
        } | manifest
        (folder / "manifest.json").write_text(json.dumps(entry))
        path = folder / f"r{entry.get('read_ts') or entry['since']}-g1.backup"
        path.write_bytes(gzip.compress(frame(*kvs)) if payload is None else payload)
        return path

    def dump(self, **options: object) -> list[list]:
        return [json.loads(line) for line in decode.decode(self.location, **options)]

    def edges(self, **options: object) -> list[tuple[str, str]]:
        return [(line[2], line[4][1]) for line in self.dump(**options) if line[0] == "t"]

    def test_an_object_may_have_several_gzip_members_and_empty_frames(self) -> None:
        members = [frame(schema()), frame(), frame(edges(1, 2)), b"", frame(edges(2, 3))]
        # A border between members need not be one between frames.
        joined = b"".join(members)
        self.backup(payload=b"".join(gzip.compress(part) for part in (joined[:5], joined[5:70], b"", joined[70:])))
        self.assertEqual(self.edges(), [("0x1", "0x2"), ("0x2", "0x3")])

    def test_keys_of_other_programs_and_names_with_namespace_are_read_from_a_folders_manifest(self) -> None:
        self.backup(
            schema(namespace=0x12F),
            edges(1, 2, namespace=0x12F),
            a_type("T", b"12f-~knows-well", namespace=0x12F),
            version=2105,
            since=0,
            read_ts=77,
            path="dgraph.elsewhere",
            groups={"1": ["12f-knows"]},
            graphdb={"objects": []},
        )
        lines = self.dump()
        self.assertIn(["t", 303, "0x1", "knows", ["uid", "0x2"], []], lines)
        self.assertIn(["y", 303, "T", ["~knows-well"]], lines)

    def test_eight_bytes_of_namespace_are_taken_off_names(self) -> None:
        raw = (303).to_bytes(8, "big")
        kvs = [schema(namespace=303), edges(1, 2, namespace=303), a_type("T", raw + b"~knows", namespace=303)]
        self.backup(*kvs, version=2103, groups={"1": [raw.decode() + "knows"]})
        lines = self.dump()
        self.assertIn(["t", 303, "0x1", "knows", ["uid", "0x2"], []], lines)
        self.assertIn(["y", 303, "T", ["~knows"]], lines)

    def test_a_namespace_that_the_manifest_lost_is_refused(self) -> None:
        self.backup(version=2103, groups={"1": ["\0\0\0\0\0\0\0\ufffdknows"]})
        with self.assertRaisesRegex(BackupError, "replacement rune found"):
            self.dump()

    def test_a_predicate_the_newest_manifest_does_not_name_is_hidden(self) -> None:
        both = [edges(1, 2), edges(1, 3, attr="likes"), schema(), schema("likes")]
        self.backup(*both, groups={"1": ["knows", "likes"]})
        # Its own manifest does not name it either, so what its object holds of it is a left-over.
        self.backup(*both)
        self.assertEqual(self.edges(), [("0x1", "0x2")])
        self.assertEqual(len(self.edges(backup_num=1)), 2)

    def test_unknown_fields_and_unpacked_uids_are_accepted(self) -> None:
        unpacked = b"\x08\x02\x08\x03"
        body = protos.KVList(kv=[kv(DATA, "knows", unpacked, uid=1)]).SerializeToString() + b"\x50\x07"
        self.backup(payload=gzip.compress(len(body).to_bytes(8, "little") + body))
        self.assertEqual(self.edges(), [("0x1", "0x2"), ("0x1", "0x3")])

    def test_parts_of_a_list_are_joined_and_left_overs_ignored(self) -> None:
        main = kv(DATA, "knows", protos.PostingList(splits=[1, 20]).SerializeToString(), uid=1)
        parts = [edges(1, 20, 21, start_uid=20), edges(1, 2, 19, start_uid=1), edges(1, 90, start_uid=90)]
        self.backup(parts[0], main, *parts[1:])
        self.assertEqual([target for _, target in self.edges()], ["0x13", "0x14", "0x15", "0x2"])

    def test_a_missing_part_of_a_list_is_refused(self) -> None:
        self.backup(kv(DATA, "knows", protos.PostingList(splits=[1, 20]).SerializeToString(), uid=1))
        with self.assertRaisesRegex(BackupError, "knows of 0x1 lacks its part from 0x1"):
            self.dump()

    def test_a_deletion_hides_older_values_whatever_its_version(self) -> None:
        self.backup(schema(), edges(1, 2), edges(3, 4))
        deletion = kv(DATA, "knows", b"", EMPTY, uid=1)
        deletion.version = 0
        self.backup(schema(), deletion)
        self.assertEqual(self.edges(), [("0x3", "0x4")])
        self.assertEqual(self.edges(backup_num=1), [("0x1", "0x2"), ("0x3", "0x4")])

    def test_a_forbidden_list_is_empty_with_a_warning(self) -> None:
        self.backup(schema(), edges(1, 2))
        self.backup(schema(), kv(DATA, "knows", b"", FORBIDDEN, uid=1))
        with redirect_stderr(io.StringIO()) as printed:
            self.assertEqual(self.edges(), [])
        self.assertIn("forbidden", printed.getvalue())

    def test_an_increment_without_any_schema_inherits_it(self) -> None:
        self.backup(schema(), a_type("T", b"knows"), edges(1, 2))
        self.backup(edges(3, 4))
        self.assertEqual([line[0] for line in self.dump()], ["s", "t", "t", "y"])

    def test_an_increment_with_schema_says_what_types_there_are(self) -> None:
        self.backup(schema(), a_type("T", b"knows"))
        self.backup(schema())
        self.assertEqual([line[0] for line in self.dump()], ["s"])

    def test_a_predicate_dropped_without_a_record_is_one_that_lost_its_schema(self) -> None:
        named = {"groups": {"1": ["knows", "likes"]}}
        first = [schema(), schema("likes"), edges(1, 2), edges(1, 3, attr="likes")]
        self.backup(*first, **named)
        path = self.backup(schema(), edges(4, 5), **named)
        self.assertEqual(len(self.edges()), 3)
        manifest = path.with_name("manifest.json")
        raw = json.loads(manifest.read_text())
        del raw["drop_operations"]
        manifest.write_text(json.dumps(raw))
        self.assertEqual(self.edges(), [("0x1", "0x2"), ("0x4", "0x5")])

    def test_each_kind_of_drop_hides_what_is_older(self) -> None:
        drops = {"all": {}, "data": {"drop_op": 1}, "data of 0": {"drop_op": 1, "drop_value": "0x0"}}
        drops["attr"] = {"drop_op": 2, "drop_value": "knows"}
        self.backup(schema(), edges(1, 2))
        path = self.backup(schema(), edges(3, 4))
        manifest = path.with_name("manifest.json")
        whole = json.loads(manifest.read_text())
        self.assertEqual(len(self.edges()), 2)
        for what, drop in drops.items():
            manifest.write_text(json.dumps(whole | {"drop_operations": [drop]}))
            self.assertEqual(self.edges(), [("0x3", "0x4")], what)

    def test_a_deleted_namespace_is_hidden_in_every_backup(self) -> None:
        names = {"version": 2105, "groups": {"1": ["0-knows", "7-knows"]}}
        other = [schema(namespace=7), edges(1, 3, namespace=7), a_type("T", b"7-knows", namespace=7)]
        kvs = [schema(), edges(1, 2), *other]
        self.backup(*kvs, **names)
        self.backup(*kvs, **names, drop_operations=[{"drop_op": 3, "drop_value": "0x7"}])
        self.assertEqual({line[1] for line in self.dump()}, {0})
        self.assertEqual({line[1] for line in self.dump(backup_num=1)}, {0, 7})

    def test_every_length_of_key_decrypts(self) -> None:
        path = self.backup(schema(), edges(1, 2), encrypted=True)
        plain, key_file = path.read_bytes(), self.location / "key"
        for length in stream.KEY_BYTES:
            # The counter carries over all of the initialisation vector.
            iv, key = b"\xff" * 16, bytes(range(length))
            path.write_bytes(iv + Cipher(AES(key), CTR(iv)).encryptor().update(plain))
            key_file.write_bytes(key)
            self.assertEqual(self.edges(key_file=key_file), [("0x1", "0x2")], length)

    def test_a_frame_that_says_it_is_huge_is_refused_without_the_memory_for_it(self) -> None:
        self.backup(payload=gzip.compress((1 << 60).to_bytes(8, "little") + b"abc"))
        with self.assertRaisesRegex(BackupError, "stream ends"):
            self.dump()

    def test_lists_that_make_no_sense_are_refused(self) -> None:
        uids = {"descending": protos.PostingList(uids=[3, 2]), "cut": protos.PostingList(uid_bytes=b"\x80")}
        uids["not listed"] = protos.PostingList(uids=[3], postings=[protos.Posting(uid=4)])
        path = self.backup()
        for what, value in uids.items():
            path.write_bytes(gzip.compress(frame(kv(DATA, "knows", value.SerializeToString(), uid=1))))
            with self.assertRaisesRegex(BackupError, "knows of 0x1", msg=what):
                self.dump()

    def test_series_in_one_location_are_told_apart(self) -> None:
        self.backup(schema(), edges(1, 2))
        self.count = 0
        other = self.location / "other"
        other.mkdir()
        self.location, top = other, self.location
        self.backup(schema(), edges(8, 9), backup_id="b")
        self.location = top
        self.assertEqual(self.edges(), [("0x8", "0x9")])
        self.assertEqual(self.edges(backup_id="a"), [("0x1", "0x2")])


if __name__ == "__main__":
    unittest.main()
