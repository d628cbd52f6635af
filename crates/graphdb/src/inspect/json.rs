//! The overview for programs. `docs/inspect.md` says what each name means: they stay as they are.

use graphdb_archive::Backup;
use graphdb_backup::{ArchiveFacts, BackupFacts, KeyValueCounts, Lists, PredicateFacts, StaleKeys, StoredLists};
use graphdb_types::{GroupId, Predicate, TypeDef};
use serde_json::{Value, json};

use super::overview::{Overview, drop_text, sum};
use super::{names, schema};

pub(super) fn to_json(overview: &Overview<'_>) -> Value {
    let (read, left) = overview.groups();
    let newest = overview.source.newest();
    json!({
        "location": overview.location,
        "backup_id": newest.backup_id,
        "first_backup": overview.first(),
        "last_backup": newest.backup_num,
        "groups": read,
        "groups_left_out": left,
        "backups": overview.survey.backups.iter().map(backup).collect::<Vec<_>>(),
        "state": state(overview),
        "notes": overview.notes(),
    })
}

fn backup(facts: &BackupFacts) -> Value {
    let Backup { backup_num, is_full, read_ts, folder, origin, is_encrypted, drop_operations, records_drops, .. } =
        &facts.backup;
    json!({
        "backup_num": backup_num,
        "type": if *is_full { "full" } else { "incremental" },
        "read_ts": read_ts.0,
        "path": folder.as_str(),
        "written_by": origin.to_string(),
        "encrypted": is_encrypted,
        "drops": drop_operations.iter().map(drop_text).collect::<Vec<_>>(),
        "records_drops": records_drops,
        "key_values": key_values(&sum(facts)),
        "archives": facts.archives.iter().map(|(group, archive)| self::archive(*group, archive)).collect::<Vec<_>>(),
    })
}

fn archive(group: GroupId, facts: &ArchiveFacts) -> Value {
    json!({
        "group": group.0,
        "compression": facts.compression.to_string(),
        "stored_bytes": facts.stored_bytes,
        "raw_bytes": facts.raw_bytes,
        "key_values": key_values(&facts.key_values),
        "predicates": facts.predicates.iter().map(|(name, lists)| stored(name, lists)).collect::<Vec<_>>(),
    })
}

fn key_values(counts: &KeyValueCounts) -> Value {
    let KeyValueCounts { data, index, reverse, count, emptied, schema, types } = counts;
    json!({
        "total": counts.total(), "data": data, "index": index, "reverse": reverse, "count": count, "emptied": emptied,
        "schema": schema, "types": types,
    })
}

fn stored(predicate: &Predicate, of: &StoredLists) -> Value {
    json!({
        "namespace": predicate.namespace.to_string(),
        "predicate": predicate.name.as_ref(),
        "data": lists(of.data),
        "index": lists(of.index),
        "reverse": lists(of.reverse),
        "count": lists(of.count),
        "count_reverse": lists(of.count_reverse),
        "emptied_data": of.emptied_data,
        "emptied_derived": of.emptied_derived,
    })
}

fn lists(of: Lists) -> Value {
    json!({ "keys": of.keys, "entries": of.entries, "bytes": of.bytes })
}

fn state(overview: &Overview<'_>) -> Value {
    let state = &overview.survey.state;
    let graphql = overview.graphql().into_iter().map(|text| match text.schema {
        Ok(schema) => json!({ "namespace": text.namespace.to_string(), "schema": schema }),
        Err(why) => json!({ "namespace": text.namespace.to_string(), "error": why }),
    });
    let names = |predicates: &[Predicate]| predicates.iter().map(name).collect::<Vec<_>>();
    json!({
        "read_ts": state.read_ts.0,
        "max_uid": format!("{:#x}", state.max_uid),
        "max_namespace": format!("{:#x}", state.max_namespace),
        "bytes": state.bytes(),
        "predicates": state.predicates.iter().map(|(name, facts)| predicate(name, facts)).collect::<Vec<_>>(),
        "types": state.types.iter().map(|(name, definition)| type_def(name, definition)).collect::<Vec<_>>(),
        "graphql": graphql.collect::<Vec<_>>(),
        "stale": state.stale.predicates.iter().map(|(name, keys)| stale(name, keys)).collect::<Vec<_>>(),
        "undefined": names(&state.stale.undefined),
        "dropped": names(&state.stale.dropped),
        "unindexed": state.stale.unindexed.iter().map(|(name, tokenizers)| unindexed(name, tokenizers)).collect::<Vec<_>>(),
        "lost_lists": state.stale.forbidden,
    })
}

fn name(predicate: &Predicate) -> Value {
    json!({ "namespace": predicate.namespace.to_string(), "predicate": predicate.name.as_ref() })
}

fn unindexed(name: &Predicate, tokenizers: &[String]) -> Value {
    json!({ "namespace": name.namespace.to_string(), "predicate": name.name.as_ref(), "tokenizers": tokenizers })
}

fn predicate(name: &Predicate, facts: &PredicateFacts) -> Value {
    json!({
        "namespace": name.namespace.to_string(),
        "predicate": name.name.as_ref(),
        "group": facts.group.map(|group| group.0),
        "schema": schema::definition(name, &facts.schema),
        "data": lists(facts.data),
        "index": lists(facts.index),
        "reverse": lists(facts.reverse),
        "count": lists(facts.count),
        "count_reverse": lists(facts.count_reverse),
    })
}

fn type_def(name: &Predicate, definition: &TypeDef) -> Value {
    json!({ "namespace": name.namespace.to_string(), "type": name.name.as_ref(), "fields": definition.fields })
}

fn stale(name: &Predicate, keys: &StaleKeys) -> Value {
    json!({
        "namespace": name.namespace.to_string(),
        "predicate": name.name.as_ref(),
        "extra": keys.extra,
        "missing": keys.missing,
        "different": keys.different,
        "example": keys.example.as_ref().map(names::of_key),
    })
}
