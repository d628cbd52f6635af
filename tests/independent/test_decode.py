"""Tests of the decoder on real backups: `python -m unittest discover -s tests/independent`.

The backups are in `dgraph-backups` below $GRAPHDB_SHARED/data, without that variable below `../shared/data` beside the
checkout. Where they are absent the tests say that they were skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import answers  # noqa: E402
import decode  # noqa: E402
from errors import BackupError  # noqa: E402

DATA = Path(os.environ.get("GRAPHDB_SHARED", HERE.parents[2] / "shared")) / "data"
BACKUPS = DATA / "dgraph-backups"
KEYS = {
    "v20.11-aes128": "aes128.key",
    "v20.07-movies-aes256": "aes256.key",
    "v24.1-kinds-aes256": "aes256-v24.key",
}


def dump(folder: str, backup_num: int = 0) -> list[bytes]:
    return decode.decode(BACKUPS / folder, backup_num=backup_num, key_file=key_file(folder))


def key_file(folder: str) -> Path | None:
    return DATA / "keys" / KEYS[folder] if folder in KEYS else None


def triples(lines: list[bytes]) -> list[list]:
    return [record for record in map(json.loads, lines) if record[0] == "t"]


def subjects(lines: list[bytes], predicate: str) -> set[str]:
    return {record[2] for record in triples(lines) if record[3] == predicate}


@unittest.skipUnless(BACKUPS.is_dir(), f"{BACKUPS} is absent")
class RealBackups(unittest.TestCase):
    maxDiff = 4000

    def copy(self, folder: str) -> Path:
        """A copy of a backup that a test may change."""
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        location = Path(place.name)
        for source in (path for path in (BACKUPS / folder).rglob("*") if path.is_file()):
            target = location / source.relative_to(BACKUPS / folder)
            target.parent.mkdir(exist_ok=True)
            # Without its mode: what is copied may be read-only.
            shutil.copyfile(source, target)
        return location

    def test_one_author_is_in_the_oldest_single_backup(self) -> None:
        self.assertEqual(len(subjects(dump("v20.11-single"), "Author.name")), 1)

    def test_dropped_data_and_predicates_stay_dropped(self) -> None:
        for folder in ("v20.11-drops", "v21.03-drops"):
            lines = dump(folder)
            counts = {predicate: len(subjects(lines, predicate)) for predicate in ("p1", "p2", "p3", "p4")}
            self.assertEqual(counts, {"p1": 0, "p2": 2, "p3": 0, "p4": 2}, folder)
            before = dump(folder, backup_num=1)
            self.assertTrue(all(subjects(before, predicate) for predicate in ("p1", "p2", "p3")), folder)

    def test_users_and_a_person_come_from_the_backup_with_access_control(self) -> None:
        values = {(record[3], *record[4][1:]) for record in triples(dump("v21.03-acl"))}
        self.assertIn(("Person.name", "string", "", b"MinhajSh".hex()), values)
        self.assertIn(("Person.age", "int", "", (20).to_bytes(8, "little").hex()), values)
        self.assertIn(("dgraph.xid", "string", "", b"alice1".hex()), values)
        passwords = [bytes.fromhex(value[3]) for value in values if value[0] == "dgraph.password"]
        self.assertTrue(passwords and all(password.startswith(b"$2a$10$") for password in passwords))

    def test_the_index_of_vectors_is_left_out(self) -> None:
        for folder in ("v24.1-kinds-aes256", "v25.4-kinds"):
            predicates = {record[3] for record in triples(dump(folder))}
            self.assertIn("emb", predicates, folder)
            self.assertFalse({name for name in predicates if "__vector" in name}, folder)

    def test_s2_and_snappy_frame_the_same_content(self) -> None:
        self.assertEqual(dump("v25-s2-framing"), dump("v21.03-acl"))

    def test_an_encrypted_backup_needs_its_key(self) -> None:
        self.assertEqual(len(subjects(dump("v20.11-aes128"), "movie")), 5)
        with self.assertRaisesRegex(BackupError, "r24-g1.backup: the object is encrypted"):
            decode.decode(BACKUPS / "v20.11-aes128")
        with self.assertRaisesRegex(BackupError, "r24-g1.backup: .*is the encryption key right"):
            decode.decode(BACKUPS / "v20.11-aes128", key_file=DATA / "keys" / "aes256.key")

    def test_a_missing_group_is_named(self) -> None:
        with self.assertRaisesRegex(BackupError, "r2106-g2.backup: the object of group 2 is missing"):
            dump("v20.07-movies-aes256")

    def test_the_groups_that_are_left_of_the_movies_are_whole(self) -> None:
        location = self.copy("v20.07-movies-aes256")
        (path,) = location.glob("*/manifest.json")
        manifest = json.loads(path.read_text())
        del manifest["groups"]["2"]
        path.write_text(json.dumps(manifest | {"type": "full", "backup_num": 1}))

        records = triples(decode.decode(location, key_file=key_file("v20.07-movies-aes256")))
        entries = Counter(record[3] for record in records)
        having = Counter(predicate for predicate, _ in {(record[3], record[2]) for record in records})
        expected = {
            "dgraph.type": (197_408, 197_408),
            "performance.actor": (119_258, 119_258),
            "genre": (6_356, 23_679),
            "starring": (6_356, 119_258),
            "actor.film": (70_783, 119_258),
            "director.film": (1_623, 7_391),
            "initial_release_date": (6_356, 6_356),
        }
        self.assertEqual({predicate: (having[predicate], entries[predicate]) for predicate in entries}, expected)

    def test_a_damaged_object_is_named_and_nothing_is_printed(self) -> None:
        for folder, name in (("v25.4-kinds", "*.backup"), ("v21.03-drops", "*-g1.backup"), ("v1.2-kinds", "*.backup")):
            location = self.copy(folder)
            victim = sorted(location.rglob(name))[0]
            whole = victim.read_bytes()
            flipped = whole[:400] + bytes([whole[400] ^ 1]) + whole[401:]
            for damaged in (b"", whole[:-1], whole[: len(whole) // 2], flipped):
                victim.write_bytes(damaged)
                with self.assertRaisesRegex(BackupError, victim.name, msg=f"{folder}: {len(damaged)} bytes"):
                    decode.decode(location, backup_num=1)

    def test_a_gap_in_a_series_is_refused(self) -> None:
        location = self.copy("v1.2-kinds")
        shutil.rmtree(sorted(location.glob("dgraph.*"))[1])
        with self.assertRaisesRegex(BackupError, "has backup number 3, expected 2"):
            decode.decode(location)

    def test_a_path_that_leaves_the_location_is_refused(self) -> None:
        location = self.copy("v21.03-drops")
        path = location / "manifest.json"
        for outside in ("../elsewhere", "/elsewhere", ""):
            manifest = json.loads(path.read_text())
            manifest["Manifests"][0]["path"] = outside
            path.write_text(json.dumps(manifest))
            with self.assertRaisesRegex(BackupError, "is not within the location"):
                decode.decode(location)


@unittest.skipUnless(BACKUPS.is_dir(), f"{BACKUPS} is absent")
class LiveAnswers(unittest.TestCase):
    """The dump at each backup number, held against what the live server answered when it took that backup."""

    maxDiff = 4000

    def check(self, folder: str, at_least: int) -> None:
        """Compares every block that `answers` knows; there have to be so many, so that it cannot pass for nothing."""
        expected = json.loads((BACKUPS / folder / "expected.json").read_text())
        compared = 0
        for step, after in expected["after"].items():
            lines = dump(folder, int(step.split()[0]))
            by_namespace = after if all(key.startswith("ns ") for key in after) else {"ns 0": after}
            for namespace, given in by_namespace.items():
                graph = answers.Graph(lines, int(namespace.removeprefix("ns "), 0))
                compared += self.compare(f"{folder} {step} {namespace}", graph, expected["queries"], given)
        self.assertGreaterEqual(compared, at_least)

    def compare(self, place: str, graph: answers.Graph, queries: dict[str, str], given: dict) -> int:
        compared = 0
        for name, answer in given.items():
            if not isinstance(answer, dict) or "error" in answer:
                continue
            if name == "schema":
                self.assertEqual(as_json(graph.described()), as_json(answers.described(answer)), place)
                compared += 1
                continue
            for block, nodes in answers.answer(graph, queries[name]):
                shown = answers.normal(answer.get(block, []))
                self.assertEqual(answers.normal(nodes), shown, f"{place}: {name} {block}")
                compared += 1
        return compared

    def test_v1_2_kinds(self) -> None:
        self.check("v1.2-kinds", 40)

    def test_v21_12_random(self) -> None:
        self.check("v21.12-random", 209)

    def test_v24_1_kinds(self) -> None:
        self.check("v24.1-kinds-aes256", 78)

    def test_v25_4_kinds(self) -> None:
        self.check("v25.4-kinds", 78)

    def test_v25_4_namespaces(self) -> None:
        self.check("v25.4-namespaces", 186)

    def test_v25_4_lost_delete(self) -> None:
        self.check("v25.4-lost-delete", 6)

    def test_v25_4_stale_index(self) -> None:
        self.check("v25.4-stale-index", 4)


def as_json(value: answers.Json) -> answers.Json:
    return json.loads(json.dumps(value))


if __name__ == "__main__":
    unittest.main()
