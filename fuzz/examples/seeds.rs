//! Writes inputs to begin with, one folder for each target: `cargo run --example seeds -- corpus`. Every form that a decoder
//! reads is there once, as our writers or a few bytes by hand make it; what lies between is found by the fuzzer.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use graphdb_archive::{ArchiveOptions, ArchiveWriter, EncryptionKey, FrameWriter, GzipLevel, KeyValue};
use graphdb_fuzz::blocks;
use graphdb_types::{
    BackupKey, Facet, FacetType, Key, KeyKind, Namespace, Posting, PostingList, Predicate, PredicateSchema, Schema,
    Tokenizer, TypeDef, Uid, VALUE_UID, ValType, Value, VectorIndex, put_bytes_field, put_varint_field,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let folder = env::args_os().nth(1).ok_or("name the folder to write to")?;
    let targets = [
        ("blocks", plans()),
        ("compressed", archives()?),
        ("frames", frames()?),
        ("key", keys()),
        ("manifest", manifests()?),
        ("posting_list", lists()),
        ("schema", schemas()),
    ];
    for (target, seeds) in targets {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        for (n, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{n:02}")), seed)?;
        }
        println!("{}: {} seeds", folder.display(), seeds.len());
    }
    Ok(())
}

fn name() -> Predicate {
    Predicate { namespace: Namespace(0x12f), name: "näme".into() }
}

fn keys() -> Vec<Vec<u8>> {
    let root = Predicate::root("film.director");
    let kinds = [
        KeyKind::Data(Uid(0x1234)),
        KeyKind::Reverse(Uid(u64::MAX - 1)),
        KeyKind::Index(b"\x02exact".to_vec()),
        KeyKind::Index(b"\x07\0\0\x01".to_vec()),
        KeyKind::Count(300),
        KeyKind::CountReverse(0),
    ];
    let keys =
        kinds.into_iter().flat_map(|kind| [&root, &name()].map(|p| Key { predicate: p.clone(), kind: kind.clone() }));
    let mut seeds: Vec<_> = keys.flat_map(|key| [key.to_stored(), wire(&BackupKey::Posting(key))]).collect();
    seeds.extend([BackupKey::Schema(root), BackupKey::Type(name())].iter().map(wire));
    // One part of a list that was split, and a field from the future.
    let part = wire(&BackupKey::Posting(Key::data(&name(), Uid(9))));
    seeds.push([&part[..], &[0x20, 0xac, 0x02, 0x7a, 2, 1, 2]].concat());
    seeds
}

fn wire(key: &BackupKey) -> Vec<u8> {
    let mut wire = Vec::new();
    key.put_wire(&mut wire);
    wire
}

fn values() -> Vec<Value> {
    let texts = [
        (ValType::Default, "text"),
        (ValType::String, "Überfluß"),
        (ValType::Int, "-7"),
        (ValType::Float, "2.5e300"),
        (ValType::Bool, "true"),
        (ValType::DateTime, "2024-02-29T12:30:00.5+05:30"),
        (ValType::Geo, r#"{"type":"Point","coordinates":[-122.4,37.7]}"#),
        (ValType::Geo, r#"{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4],[0,0]],[[1,1],[2,1],[2,2],[1,1]]]}"#),
        (ValType::Geo, r#"{"type":"MultiPolygon","coordinates":[[[[0,0],[4,0],[4,4],[0,0]]]]}"#),
        (ValType::BigFloat, "1.25"),
        (ValType::VFloat, "[1.5, -2.0, 0.25]"),
    ];
    texts.into_iter().filter_map(|(of, text)| Value::parse(of, text).ok()).collect()
}

fn lists() -> Vec<Vec<u8>> {
    let value = |value: Value| Posting {
        id: VALUE_UID,
        val_type: value.val_type(),
        value: value.to_bytes(),
        commit_ts: 300,
        ..Posting::default()
    };
    let mut seeds: Vec<_> = values().into_iter().map(|v| PostingList::of_postings(vec![value(v)]).to_wire()).collect();
    let uids: Vec<_> = (1..40).map(|n: u64| n * n * n * 0x101).collect();
    seeds.push(PostingList::of_ids(uids).to_wire());
    let kinds = [FacetType::String, FacetType::Int, FacetType::Float, FacetType::Bool, FacetType::DateTime];
    let facets = values().into_iter().filter_map(|v| {
        let val_type = kinds.into_iter().find(|kind| kind.val_type() == v.val_type())?;
        let tokens = if val_type == FacetType::String { vec!["\u{1}old".into()] } else { vec![] };
        Some(Facet { key: v.val_type().name().into(), value: v.to_bytes(), val_type, tokens })
    });
    let edge = Posting {
        id: 7,
        val_type: ValType::Uid,
        is_edge: true,
        facets: facets.collect(),
        commit_ts: 5,
        ..Posting::default()
    };
    seeds.push(PostingList { ids: vec![3, 7, 1 << 40], postings: vec![edge] }.to_wire());
    let tagged = Posting { id: 17, lang: "en".into(), ..value(Value::String("x".into())) };
    seeds.push(PostingList::of_postings(vec![tagged, value(Value::Default("y".into()))]).to_wire());
    // What old versions wrote: uids packed and not, splits, and the marker of a deletion.
    seeds.extend([vec![0x0a, 3, 5, 0xac, 0x02], vec![0x08, 5, 0x08, 0xac, 0x02, 0x22, 2, 1, 9]]);
    seeds.push([&[0x0a, 2, 5, 6, 0x12, 11, 0x09, 5][..], &[0; 7], &[0x60, 2]].concat());
    seeds
}

fn schema() -> Schema {
    let mut schema = Schema::default();
    let text = PredicateSchema {
        value_type: ValType::String,
        tokenizers: vec![Tokenizer::Term, Tokenizer::Exact],
        lang: true,
        upsert: true,
        ..PredicateSchema::default()
    };
    let edge = PredicateSchema {
        value_type: ValType::Uid,
        list: true,
        reverse: true,
        count: true,
        ..PredicateSchema::default()
    };
    let vector = PredicateSchema {
        value_type: ValType::VFloat,
        vector_indexes: vec![VectorIndex { name: "hnsw".into(), options: vec![("metric".into(), "cosine".into())] }],
        unique: true,
        no_conflict: true,
        ..PredicateSchema::default()
    };
    schema.predicates.extend([(Predicate::root("name"), text), (Predicate::root("friend"), edge), (name(), vector)]);
    schema.types.insert(Predicate::root("Person"), TypeDef { fields: vec!["name".into(), "~friend".into()] });
    schema
}

fn schemas() -> Vec<Vec<u8>> {
    let schema = schema();
    let predicates = schema.predicates.iter().map(|(predicate, definition)| {
        let mut wire = Vec::new();
        definition.put_wire(&predicate.name, &mut wire);
        wire
    });
    let types = schema.types.iter().map(|(name, definition)| {
        let mut wire = Vec::new();
        definition.put_wire(&name.name, &mut wire);
        wire
    });
    let all = Tokenizer::ALL.iter().map(|tokenizer| {
        let mut wire = Vec::new();
        put_varint_field(&mut wire, 2, tokenizer.value_type() as u64);
        put_bytes_field(&mut wire, 4, tokenizer.name().as_bytes());
        wire
    });
    predicates.chain(types).chain(all).collect()
}

fn archive(level: u8) -> Result<Vec<u8>> {
    let options = ArchiveOptions { level: GzipLevel::new(level).ok_or("no such level")?, workers: 0 };
    let mut writer = ArchiveWriter::start(Vec::new(), None, options)?;
    for (n, list) in (1..).zip(lists()) {
        writer.push_list(&BackupKey::Posting(Key::data(&name(), Uid(n))), &list, n)?;
    }
    writer.push_list(&BackupKey::Posting(Key::data(&name(), Uid(99))), &[], 0)?;
    Ok(writer.finish(&schema())?.0)
}

/// Frames as our archives have them, one with what old Dgraph left in it, the greatest numbers, none, and a length that lies.
fn frames() -> Result<Vec<Vec<u8>>> {
    let mut raw = Vec::new();
    std::io::copy(&mut flate2::read::MultiGzDecoder::new(&archive(1)?[..]), &mut raw)?;
    let list = [0x50, 7, 0x0a, 13, 0x0a, 1, b'k', 0x12, 1, b'v', 0x1a, 1, 8, 0x50, 9, 0x58, 1, 0x7a, 2, 1, 2];
    let old = [&(list.len() as u64).to_le_bytes()[..], &list, &[0; 16]].concat();
    let mut greatest = FrameWriter::new(Vec::new());
    greatest.push(KeyValue { key: b"", value: b"", user_meta: u8::MAX, version: u64::MAX })?;
    greatest.push(KeyValue { key: &[7; 200], value: &[8; 300], user_meta: 8, version: 1 << 40 })?;
    Ok(vec![raw, old, greatest.finish()?, vec![0; 16], (1u64 << 63).to_le_bytes().to_vec()])
}

fn archives() -> Result<Vec<Vec<u8>>> {
    let mut seeds = vec![archive(1)?, archive(12)?];
    for raw in frames()? {
        let (head, tail) = raw.split_at(raw.len() / 2);
        seeds.push(gzip(&raw, 6)?);
        seeds.push([gzip(head, 0)?, gzip(tail, 9)?].concat());
        for identifier in [b"sNaPpY", b"S2sTwO"] {
            seeds.push(
                [b"\xff\x06\0\0", &identifier[..], &plain_chunk(head), b"\x80\x02\0\0ok", &plain_chunk(tail)].concat(),
            );
        }
    }
    seeds.extend(plans().iter().map(|plan| blocks::encode(plan).0).filter(|stream| stream.len() < 4096));
    Ok(seeds)
}

fn gzip(raw: &[u8], level: u32) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(raw)?;
    Ok(encoder.finish()?)
}

fn plain_chunk(data: &[u8]) -> Vec<u8> {
    let mut chunk = Vec::new();
    blocks::put_chunk(&mut chunk, 0x01, data, data);
    chunk
}

/// Plans of blocks: Snappy and S2 with each kind of element, and blocks that are full.
fn plans() -> Vec<Vec<u8>> {
    let elements = [0x29, b'a', b'b', 3, 0, 1, 0x0d, 2, 0, 0, 1, 0x17, 3, 0, 0, 3, 0x0b, 1, 0x13, 0, 1, 0x1b, 0, 0, 7];
    let again = elements.repeat(3);
    [0, 1]
        .into_iter()
        .flat_map(|dialect| {
            [&[dialect][..], &[&[dialect][..], &elements].concat(), &[&[dialect][..], &again].concat()]
                .map(<[u8]>::to_vec)
        })
        .collect()
}

/// Ours without what seals them, a sealed one, and Dgraph's of every form.
fn manifests() -> Result<Vec<Vec<u8>>> {
    let check = EncryptionKey::new(&[7; 32])?.check().to_string();
    let plain = ours("\"type\":\"full\",\"since\":21", "\"dgraph.type\",\"name\"", "null", 0, "");
    let spaced = ours(
        "\"type\":\"incremental\",\"since\":0,\"read_ts\":21,\"version\":2105,\"path\":\"dgraph.20260104.224757.709\"",
        "\"0-name\",\"1a-a-b\"",
        r#"[{},{"drop_op":1},{"drop_op":1,"drop_value":"0x12f"},{"drop_op":2,"drop_value":"1a-x"},{"drop_op":3,"drop_value":"0x2"}]"#,
        10,
        "",
    );
    let encrypted = ours("\"type\":\"full\",\"since\":21", "\"name\"", "null", 0, &check);
    let digest = graphdb_archive::Sha256Digest::of(plain.as_bytes());
    let sealed = format!("{plain},\"sha256\":\"{digest}\"}}}}\n");
    let bare = r#"{"type":"full","since":68,"groups":{"1":["name","a-b"],"2":null},"backup_id":"x","backup_num":1,"encrypted":false,"drop_operations":null}"#;
    let bytes = r#"{"type":"full","since":0,"read_ts":7,"groups":{"1":["\u0000\u0000\u0000\u0000\u0000\u0000\u0001/name"]},"backup_id":"y","backup_num":1,"version":2103,"path":"a","encrypted":false,"drop_operations":[{"drop_op":1}]}"#;
    let hex = r#"{"type":"incremental","since":0,"read_ts":9,"groups":{"1":["12f-name-x"]},"backup_id":"y","backup_num":2,"version":2105,"path":"b/c","encrypted":true,"drop_operations":[{},{"drop_op":3,"drop_value":"0x2"},{"drop_op":2,"drop_value":"0-age"}]}"#;
    let long = hex.replace("b/c", &"long".repeat(255));
    let master = format!("{{\"Manifests\":[{bare},{bytes},{hex}]}}").replace("\"x\",", "\"x\",\"path\":\"old\",");
    let of_long = format!("{{\"Manifests\":[{long}]}}");
    Ok([plain, spaced, encrypted, sealed, bare.into(), bytes.into(), hex.into(), master, of_long]
        .map(String::into_bytes)
        .into())
}

/// The text of a manifest of ours up to its seals.
fn ours(kind: &str, predicates: &str, drops: &str, since: u64, key_check: &str) -> String {
    let digest = "ab".repeat(32);
    let is_encrypted = !key_check.is_empty();
    let (key_check, hmac) = match is_encrypted {
        true => (format!("\"{key_check}\""), format!(",\"hmac\":\"{digest}\"")),
        false => ("null".into(), String::new()),
    };
    let (num, parent) = if since == 0 { (1, "null".into()) } else { (2, format!("\"{digest}\"")) };
    format!(
        "{{{kind},\"groups\":{{\"1\":[{predicates}]}},\"backup_id\":\"brave_noether4\",\"backup_num\":{num},\
         \"encrypted\":{is_encrypted},\"drop_operations\":{drops},\"graphdb\":{{\"format_version\":1,\"tool\":\"graphdb 0.1.0\",\
         \"created_at\":\"2026-01-04T22:47:57.709Z\",\"database_id\":\"0123456789abcdef\",\"epoch\":1,\"since\":{since},\
         \"read_ts\":21,\"parent\":{parent},\"codec\":{{\"compression\":\"gzip\",\"level\":2}},\"max_uid\":\"0x1f\",\
         \"max_namespace\":\"0x1a\",\"objects\":{{\"1\":{{\"name\":\"r21-g1.backup\",\"size_bytes\":1234,\"raw_bytes\":5678,\
         \"entries\":9,\"sha256\":\"{digest}\"{hmac}}}}},\"key_check\":{key_check},\"name\":null,\"labels\":{{\"by\":\"hand\"}}"
    )
}
