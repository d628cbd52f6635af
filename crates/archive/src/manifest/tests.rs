#![expect(clippy::unwrap_used)]

use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::{BackupFolder, Compat, EncryptionKey, Naming, Tagged};

fn folder() -> BackupFolder {
    BackupFolder::parse("dgraph.20260104.224757.709").unwrap()
}

fn key() -> EncryptionKey {
    EncryptionKey::new(&[7; 32]).unwrap()
}

fn sample() -> Manifest {
    let archive =
        StoredObject { size_bytes: 1234, raw_bytes: 5678, entries: 9, sha256: Sha256Digest([0xab; 32]), hmac: None };
    let predicates = vec![Predicate::root("dgraph.type"), Predicate::root("name")];
    Manifest {
        backup_id: "brave_noether4".into(),
        backup_num: 1,
        since: Ts::ZERO,
        read_ts: Ts(21),
        groups: BTreeMap::from([(GroupId(1), GroupBackup { predicates, archive })]),
        drop_operations: vec![],
        key_check: None,
        database_id: "0123456789abcdef".into(),
        epoch: 1,
        parent: None,
        gzip_level: GzipLevel::default(),
        dialect: Dialect::default(),
        max_uid: Uid(0x1f),
        max_namespace: Namespace::ROOT,
        tool: "graphdb 0.1.0".into(),
        created_at: datetime!(2026-01-04 22:47:57.709 UTC),
        name: None,
        labels: BTreeMap::new(),
    }
}

fn encrypted() -> Manifest {
    let mut manifest = sample();
    manifest.key_check = Some(key().check());
    for group in manifest.groups.values_mut() {
        group.archive.hmac = Some(key().object_mac(&group.archive.sha256));
    }
    manifest
}

fn incremental() -> Manifest {
    let name = Predicate { namespace: Namespace(0x1a), name: "a-b".into() };
    let drops = [
        DropOp::All,
        DropOp::Data,
        DropOp::NamespaceData(Namespace(0x12f)),
        DropOp::Predicate(name.clone()),
        DropOp::Namespace(Namespace(2)),
    ];
    let mut manifest = Manifest {
        backup_num: 2,
        since: Ts(10),
        parent: Some(Sha256Digest([1; 32])),
        drop_operations: drops.to_vec(),
        name: Some("nightly \"<&>\" ü".into()),
        labels: BTreeMap::from([("sha256".into(), "hmac".into())]),
        dialect: Dialect { naming: Naming::SpacedOutside, ..Dialect::default() },
        ..sample()
    };
    manifest.groups.get_mut(&GroupId(1)).unwrap().predicates.push(name);
    manifest
}

fn seal(manifest: Manifest) -> SealedManifest {
    SealedManifest::seal(folder(), manifest, None).unwrap()
}

fn text(sealed: &SealedManifest) -> String {
    String::from_utf8(sealed.bytes().to_vec()).unwrap()
}

/// Changes a manifest's text and seals it anew, as an attacker without the key could.
fn forge(sealed: &SealedManifest, from: &str, to: &str) -> Result<SealedManifest, ManifestError> {
    let text = text(sealed);
    let (body, _) = text.rsplit_once(",\"sha256\":\"").unwrap();
    assert!(body.contains(from), "{from} not in {body}");
    let body = body.replace(from, to);
    let digest = Sha256Digest::of(body.as_bytes());
    SealedManifest::parse(folder(), format!("{body},\"sha256\":\"{digest}\"}}}}\n").into_bytes())
}

#[test]
fn the_text_of_a_manifest_is_this() {
    let body = concat!(
        r#"{"type":"full","since":21,"groups":{"1":["dgraph.type","name"]},"backup_id":"brave_noether4","backup_num":1,"#,
        r#""encrypted":false,"drop_operations":null,"graphdb":{"format_version":1,"tool":"graphdb 0.1.0","#,
        r#""created_at":"2026-01-04T22:47:57.709Z","database_id":"0123456789abcdef","epoch":1,"since":0,"read_ts":21,"#,
        r#""parent":null,"codec":{"compression":"gzip","level":2},"max_uid":"0x1f","max_namespace":"0x0","objects":{"1":"#,
        r#"{"name":"r21-g1.backup","size_bytes":1234,"raw_bytes":5678,"entries":9,"#,
        r#""sha256":"abababababababababababababababababababababababababababababababab"}},"#,
        r#""key_check":null,"name":null,"labels":{}"#,
    );
    let digest = Sha256Digest::of(body.as_bytes());
    assert_eq!(text(&seal(sample())), format!("{body},\"sha256\":\"{digest}\"}}}}\n"));
}

#[test]
fn an_encrypted_manifest_ends_with_a_digest_and_an_hmac_of_all_before() {
    let sealed = SealedManifest::seal(folder(), encrypted(), Some(&key())).unwrap();
    let text = text(&sealed);
    let (before, hmac) = text.rsplit_once(",\"hmac\":\"").unwrap();
    assert_eq!(hmac, format!("{}\"}}}}\n", key().manifest_mac(before.as_bytes())));
    let (body, sha256) = before.rsplit_once(",\"sha256\":\"").unwrap();
    assert_eq!(sha256, format!("{}\"", Sha256Digest::of(body.as_bytes())));
}

#[test]
fn namespaces_and_drops_are_written_as_dgraph_does() {
    let text = text(&seal(incremental()));
    for part in [
        r#""type":"incremental","since":0,"read_ts":21,"groups":{"1":["0-dgraph.type","0-name","1a-a-b"]}"#,
        r#""version":2105,"path":"dgraph.20260104.224757.709""#,
        r#""drop_operations":[{},{"drop_op":1},{"drop_op":1,"drop_value":"0x12f"},{"drop_op":2,"drop_value":"1a-a-b"},{"drop_op":3,"drop_value":"0x2"}]"#,
    ] {
        assert!(text.contains(part), "{part} not in {text}");
    }
}

#[test]
fn what_was_sealed_is_parsed_and_unlocked() {
    for (manifest, secret) in [(sample(), None), (incremental(), None), (encrypted(), Some(key()))] {
        let sealed = SealedManifest::seal(folder(), manifest.clone(), secret.as_ref()).unwrap();
        let parsed = SealedManifest::parse(folder(), sealed.bytes().to_vec()).unwrap();
        assert_eq!((parsed.manifest(), parsed.digest()), (&manifest, Sha256Digest::of(sealed.bytes())));
        assert_eq!(sealed.digest(), parsed.digest());
        parsed.unlock(secret.as_ref()).unwrap();
    }
}

#[test]
fn a_wrong_a_missing_and_a_needless_key_are_named() {
    let other = EncryptionKey::new(&[8; 32]).unwrap();
    let sealed = SealedManifest::seal(folder(), encrypted(), Some(&key())).unwrap();
    assert!(matches!(sealed.unlock(Some(&other)), Err(ManifestError::WrongKey { .. })));
    assert!(matches!(sealed.unlock(None), Err(ManifestError::KeyMissing { .. })));
    assert!(matches!(seal(sample()).unlock(Some(&other)), Err(ManifestError::KeyUnwanted { .. })));
    assert!(matches!(SealedManifest::seal(folder(), encrypted(), None), Err(ManifestError::KeyMissing { .. })));
}

#[test]
fn every_flipped_byte_and_every_cut_is_an_error() {
    let plain = seal(incremental());
    let sealed = SealedManifest::seal(folder(), encrypted(), Some(&key())).unwrap();
    for (sealed, secret) in [(plain, None), (sealed, Some(key()))] {
        let open = |bytes: Vec<u8>| SealedManifest::parse(folder(), bytes).and_then(|m| m.unlock(secret.as_ref()));
        let bytes = sealed.bytes();
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 0x04;
            assert!(open(damaged).is_err(), "byte {at}");
            assert!(open(bytes[..at].to_vec()).is_err(), "cut at {at}");
        }
        assert!(open([bytes, b"\n"].concat()).is_err());
        open(bytes.to_vec()).unwrap();
    }
}

#[test]
fn a_manifest_that_was_tampered_with_and_sealed_anew_needs_the_key() {
    let sealed = SealedManifest::seal(folder(), encrypted(), Some(&key())).unwrap();
    let text = text(&sealed);
    let (before, hmac) = text.rsplit_once(",\"hmac\":\"").unwrap();
    let (body, _) = before.rsplit_once(",\"sha256\":\"").unwrap();
    let body = body.replace("\"entries\":9", "\"entries\":8");
    let forged = format!("{body},\"sha256\":\"{}\",\"hmac\":\"{hmac}", Sha256Digest::of(body.as_bytes()));
    let forged = SealedManifest::parse(folder(), forged.into_bytes()).unwrap();
    assert!(matches!(forged.unlock(Some(&key())), Err(ManifestError::Unsealed { what: "its HMAC is another", .. })));
}

#[test]
fn broken_json_is_named_with_line_and_column() {
    let parse = |text: &str| SealedManifest::parse(folder(), text.as_bytes().to_vec()).unwrap_err().to_string();
    assert_eq!(
        parse("{\n \"type\": oops}"),
        "dgraph.20260104.224757.709: the manifest is damaged at line 2, column 10: expected value"
    );
    assert_eq!(parse("{\n"), "dgraph.20260104.224757.709: the manifest is cut off at line 2, column 0");
    assert!(parse("").contains("cut off"));
    assert!(parse("[1]").contains("damaged"));
}

#[test]
fn foreign_manifests_are_told_from_ours_and_their_writers_named() {
    let cases = [
        (r#"{"type":"full","since":68,"groups":{"1":[]},"backup_id":"a_b1","backup_num":1}"#, "v1.1 to v20.11"),
        (r#"{"type":"full","read_ts":6,"version":2103}"#, "v21.03 or v22.0"),
        (r#"{"type":"full","read_ts":6,"version":2105}"#, "v21.12"),
        (r#"{"Manifests":[]}"#, "a list of manifests"),
        ("{}", "v1.1"),
    ];
    for (text, writer) in cases {
        let err = SealedManifest::parse(folder(), text.into()).unwrap_err();
        assert!(matches!(&err, ManifestError::Foreign { written_by, .. } if written_by.contains(writer)), "{err}");
    }
}

#[test]
fn for_which_dgraph_it_was_written_comes_back() {
    let name = Predicate { namespace: Namespace(0x1a), name: "a-b".into() };
    let tagged = |predicate: &Predicate| Some(BTreeMap::from([(predicate.clone(), Tagged::Foreign)]));
    let alter = vec!["<name>:string @index(exact) @lang .".to_owned()];
    let (root, naming) = (Predicate::root("name"), Naming::Spaced);
    for (dialect, manifest, version, parts) in [
        (
            Dialect { tagged: tagged(&root), ..Dialect::default() },
            sample(),
            1,
            [r#""tagged":{"name":"foreign"}"#, "\"since\":21"],
        ),
        (Dialect { compat: Compat::V1_1, ..Dialect::default() }, sample(), 1, [r#""compat":"1.1""#, "\"since\":21"]),
        (Dialect { alter, ..Dialect::default() }, sample(), 2, [r#""alter":["<name>:"#, "\"since\":21"]),
        (
            Dialect { compat: Compat::V21_12, naming, ..Dialect::default() },
            sample(),
            2,
            [r#""compat":"21.12""#, r#""version":2105,"path":"dgraph.20260104.224757.709""#],
        ),
        (
            Dialect { naming, tagged: tagged(&name), ..Dialect::default() },
            incremental(),
            2,
            [r#""tagged":{"1a-a-b":"foreign"}"#, r#""1a-a-b""#],
        ),
    ] {
        let manifest = Manifest { dialect, ..manifest };
        let text = text(&seal(manifest.clone()));
        let version = format!(r#""format_version":{version},"#);
        for part in parts.into_iter().chain([version.as_str()]) {
            assert!(text.contains(part), "{part} not in {text}");
        }
        let parsed = SealedManifest::parse(folder(), text.into_bytes()).unwrap();
        assert_eq!(parsed.manifest(), &manifest);
    }
    let bare = Manifest { dialect: Dialect::default(), ..incremental() };
    assert!(SealedManifest::seal(folder(), bare, None).is_err(), "a namespace needs names that carry it");
}

#[test]
fn a_manifest_of_the_future_names_what_can_read_it() {
    let text = r#"{"graphdb":{"format_version":7,"tool":"graphdb 3.2.1","all":"else differs"}}"#;
    let err = SealedManifest::parse(folder(), text.into()).unwrap_err().to_string();
    assert!(err.ends_with("format version 7 and was written by graphdb 3.2.1; this graphdb reads up to 2, use graphdb 3.2.1 or a newer one"), "{err}");
}

#[test]
fn a_name_cannot_lead_out_of_its_folder() {
    for name in ["../r21-g1.backup", "/etc/passwd", "a/../../b", "..", ""] {
        let err = forge(&seal(sample()), "\"r21-g1.backup\"", &format!("{name:?}")).unwrap_err();
        assert!(matches!(err, ManifestError::HostileName { .. }), "{err}");
    }
    let err = forge(&seal(sample()), "r21-g1.backup", "r22-g1.backup").unwrap_err();
    assert!(err.to_string().contains("is named \"r22-g1.backup\", not \"r21-g1.backup\""), "{err}");
}

#[test]
fn what_cannot_be_true_is_refused() {
    let cases = [
        ("\"type\":\"full\"", "\"type\":\"incremental\"", "type and graphdb.since disagree"),
        ("\"since\":21,", "\"since\":20,", "since and graphdb.read_ts disagree"),
        ("\"encrypted\":false", "\"encrypted\":true", "encrypted and graphdb.key_check disagree"),
        ("\"backup_num\":1", "\"backup_num\":2", "only the first backup"),
        ("\"backup_num\":1", "\"backup_num\":0", "backup_num is 0"),
        ("\"brave_noether4\"", "\"\"", "backup_id is empty"),
        ("{\"1\":[\"dgraph.type\",\"name\"]}", "{}", "do not name the same groups"),
        ("\"drop_operations\":null", "\"drop_operations\":[{\"drop_op\":9}]", "one that does not exist"),
        ("\"level\":2", "\"level\":0", "codec"),
        ("\"max_uid\":\"0x1f\"", "\"max_uid\":\"many\"", "max_uid"),
        ("\"parent\":null", "\"parent\":\"ab\"", "parent is not hex"),
        ("abab\"", "ab\"", "digests of group 1"),
    ];
    for (from, to, what) in cases {
        let err = forge(&seal(sample()), from, to).unwrap_err();
        assert!(matches!(&err, ManifestError::Invalid { what: found, .. } if found.contains(what)), "{to}: {err}");
    }
}

#[test]
fn a_name_that_fits_no_key_is_refused() {
    let longest = "n".repeat(MAX_PREDICATE_BYTES);
    let with = |name: &str| forge(&seal(sample()), "\"dgraph.type\"", &format!("{name:?}"));
    assert_eq!(&*with(&longest).unwrap().manifest().groups[&GroupId(1)].predicates[0].name, longest);
    let err = with(&format!("{longest}n")).unwrap_err();
    assert!(matches!(&err, ManifestError::Invalid { what, .. } if what == NAME_TOO_LONG), "{err}");
}

#[test]
fn keys_that_a_later_graphdb_adds_are_skipped() {
    let forged = forge(&seal(sample()), "\"epoch\":1", "\"epoch\":1,\"mood\":[1,{\"good\":true}]").unwrap();
    assert_eq!(forged.manifest(), &sample());
}

#[test]
fn a_manifest_longer_than_the_limit_is_not_even_looked_at() {
    let err = SealedManifest::parse(folder(), vec![b' '; MAX_MANIFEST_BYTES + 1]).unwrap_err();
    assert!(matches!(err, ManifestError::TooLong { .. }));
}

proptest! {
    #[test]
    fn any_names_come_back(
        names in prop::collection::vec((prop_oneof![Just(0u64), any::<u64>()], ".{1,20}"), 0..6),
        drops in prop::collection::vec((0u64..2, ".{1,9}"), 0..3),
        label in ".{0,30}",
    ) {
        let mut manifest = incremental();
        manifest.groups.get_mut(&GroupId(1)).unwrap().predicates =
            names.iter().map(|(ns, name)| Predicate { namespace: Namespace(*ns), name: name.as_str().into() }).collect();
        manifest.drop_operations = (drops.iter())
            .map(|(ns, name)| DropOp::Predicate(Predicate { namespace: Namespace(*ns), name: name.as_str().into() }))
            .collect();
        manifest.labels.insert(label.clone(), label);
        let sealed = seal(manifest.clone());
        let parsed = SealedManifest::parse(folder(), sealed.bytes().to_vec()).unwrap();
        prop_assert_eq!(parsed.manifest(), &manifest);
    }
}
