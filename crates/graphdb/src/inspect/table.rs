//! The overview for people.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use graphdb_archive::Backup;
use graphdb_backup::{BackupFacts, Lists, PredicateFacts};
use graphdb_types::{Namespace, Predicate};

use super::overview::{Overview, drop_text};
use super::{names, schema};
use crate::progress::{bytes, grouped};

/// Lines of a GraphQL schema that are shown.
const SHOWN_LINES: usize = 40;

/// Headings of columns with numbers, which stand at their right.
const NUMBERS: [&str; 18] = [
    "NUM",
    "READ_TS",
    "GROUP",
    "STORED",
    "RAW",
    "ENTRIES",
    "DATA",
    "INDEX",
    "REVERSE",
    "COUNT",
    "EMPTIED",
    "SCHEMA",
    "TYPES",
    "SUBJECTS",
    "EXTRA",
    "MISSING",
    "DIFFERENT",
    "BYTES",
];

/// The whole overview.
pub(super) fn to_text(overview: &Overview<'_>) -> String {
    let sections = [
        summary(overview),
        backups(overview),
        drops(overview),
        predicates(overview),
        types(overview),
        graphql(overview),
        stale(overview),
        notes(overview),
    ];
    let shown: Vec<String> = sections.into_iter().filter(|section| !section.is_empty()).collect();
    shown.join("\n")
}

fn summary(overview: &Overview<'_>) -> String {
    let (newest, state) = (overview.source.newest(), &overview.survey.state);
    let (first, last) = (overview.first(), newest.backup_num);
    let numbers = if first == last { format!("backup {last}") } else { format!("backups {first} to {last}") };
    let (read, left) = overview.groups();
    let groups = match left.is_empty() {
        true => counted(read.len() as u64, "group"),
        false => format!("groups {} of {}", list(&read), read.len() + left.len()),
    };
    let lists: u64 = state.predicates.values().map(lists_of).sum();
    format!(
        "Series  {} at {}, written by {}\nShown   {numbers}, {groups}, as of read_ts {}: {} in the archives\n\
         State   {}, {}, {} of {} uncompressed; uids up to {:#x}, namespaces up to {:#x}\n",
        newest.backup_id,
        overview.location,
        overview.written_by(),
        state.read_ts,
        counted(overview.key_values(), "key-value"),
        counted(state.predicates.len() as u64, "predicate"),
        counted(state.types.len() as u64, "type"),
        counted(lists, "list"),
        bytes(state.bytes()),
        state.max_uid,
        state.max_namespace,
    )
}

fn lists_of(facts: &PredicateFacts) -> u64 {
    [facts.data, facts.index, facts.reverse, facts.count, facts.count_reverse].iter().map(|lists| lists.keys).sum()
}

fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{} {noun}s", grouped(count)) }
}

fn list(numbers: &[u32]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What each archive holds, key-values by kind.
fn backups(overview: &Overview<'_>) -> String {
    let mut table = table(&[
        "NUM", "TYPE", "READ_TS", "TAKEN", "GROUP", "STORED", "RAW", "FORM", "DATA", "INDEX", "REVERSE", "COUNT",
        "EMPTIED", "SCHEMA", "TYPES",
    ]);
    for facts in &overview.survey.backups {
        backup_rows(facts).into_iter().for_each(|row| _ = table.add_row(row));
    }
    section("Backups: key-values by kind, as each holds them", table)
}

fn backup_rows(facts: &BackupFacts) -> Vec<Vec<String>> {
    let backup = &facts.backup;
    let mut rows = Vec::new();
    for (group, archive) in &facts.archives {
        let form =
            if backup.is_encrypted { format!("{}, AES", archive.compression) } else { archive.compression.to_string() };
        let mut row = if rows.is_empty() { about(backup) } else { vec![String::new(); 4] };
        row.extend([group.to_string(), bytes(archive.stored_bytes), bytes(archive.raw_bytes), form]);
        let kinds = &archive.key_values;
        let numbers = [kinds.data, kinds.index, kinds.reverse, kinds.count, kinds.emptied, kinds.schema, kinds.types];
        row.extend(numbers.map(number));
        rows.push(row);
    }
    rows
}

fn about(backup: &Backup) -> Vec<String> {
    let kind = if backup.is_full { "full" } else { "incremental" };
    vec![backup.backup_num.to_string(), kind.into(), backup.read_ts.to_string(), taken(backup)]
}

/// When the folder was made, to the minute.
fn taken(backup: &Backup) -> String {
    backup.started_at().map_or_else(|| "-".into(), |at| format!("{} {:02}:{:02}", at.date(), at.hour(), at.minute()))
}

fn drops(overview: &Overview<'_>) -> String {
    let dropped = |backup: &&Backup| !backup.drop_operations.is_empty();
    let line = |backup: &Backup| {
        let drops: Vec<_> = backup.drop_operations.iter().map(drop_text).collect();
        format!("  before backup {}: {}\n", backup.backup_num, drops.join(", "))
    };
    let lines: String = overview.backups().iter().filter(dropped).map(line).collect();
    if lines.is_empty() { lines } else { format!("Drops\n{lines}") }
}

/// The merged state, predicate by predicate.
fn predicates(overview: &Overview<'_>) -> String {
    let state = &overview.survey.state;
    let spaced = state.predicates.keys().any(|predicate| predicate.namespace != Namespace::ROOT);
    let mut headings =
        vec!["PREDICATE", "GROUP", "SUBJECTS", "ENTRIES", "INDEX", "REVERSE", "COUNT", "BYTES", "DEFINED AS"];
    if spaced {
        headings.insert(0, "NAMESPACE");
    }
    let mut table = table(&headings);
    for (predicate, facts) in &state.predicates {
        let mut row = predicate_row(predicate, facts);
        if spaced {
            row.insert(0, predicate.namespace.to_string());
        }
        table.add_row(row);
    }
    section("Predicates: what all of them give; entries are values or edges, and the rest are keys", table)
}

fn predicate_row(predicate: &Predicate, facts: &PredicateFacts) -> Vec<String> {
    let PredicateFacts { schema, group, data, index, reverse, count, count_reverse } = facts;
    vec![
        predicate.name.to_string(),
        group.map_or_else(|| "-".into(), |group| group.to_string()),
        number(data.keys),
        number(data.entries),
        number(index.keys),
        number(reverse.keys),
        number(count.keys + count_reverse.keys),
        bytes(facts.bytes()),
        schema::definition(predicate, schema),
    ]
}

fn types(overview: &Overview<'_>) -> String {
    let types = &overview.survey.state.types;
    let spaced = types.keys().any(|name| name.namespace != Namespace::ROOT);
    let mut table = table(if spaced { &["NAMESPACE", "TYPE", "FIELDS"] } else { &["TYPE", "FIELDS"] });
    for (name, definition) in types {
        let namespace = spaced.then(|| name.namespace.to_string());
        table.add_row(namespace.into_iter().chain([name.name.to_string(), definition.fields.join(" ")]));
    }
    section("Types", table)
}

fn graphql(overview: &Overview<'_>) -> String {
    let mut text = String::new();
    for graphql in overview.graphql() {
        text.push_str(&format!("GraphQL schema of namespace {}\n", graphql.namespace));
        match graphql.schema {
            Ok(schema) => text.push_str(&shortened(&schema)),
            Err(why) => text.push_str(&format!("  it cannot be shown: {why}\n")),
        }
    }
    text
}

fn shortened(schema: &str) -> String {
    let mut text: String =
        schema.lines().take(SHOWN_LINES).map(|line| format!("  {line}").trim_end().to_owned() + "\n").collect();
    let more = schema.lines().count().saturating_sub(SHOWN_LINES);
    if more > 0 {
        text.push_str(&format!("  … and {more} lines more; --output json has all\n"));
    }
    text
}

/// Stored index, reverse and count keys that are wrong.
fn stale(overview: &Overview<'_>) -> String {
    let stale = &overview.survey.state.stale;
    let mut table = table(&["PREDICATE", "EXTRA", "MISSING", "DIFFERENT", "FOR EXAMPLE", "IN ALL"]);
    for (predicate, keys) in &stale.predicates {
        let example = keys.example.as_ref().map(names::of_key).unwrap_or_default();
        let numbers = [keys.extra, keys.missing, keys.different].map(number);
        let mut row = vec![predicate.to_string()];
        row.extend(numbers);
        row.extend([example, stored_and_right(overview, predicate)]);
        table.add_row(row);
    }
    let mut text = section(
        "Stale: stored index, reverse and count keys that the data does not give. A restore makes them anew",
        table,
    );
    for (what, predicates) in [
        ("Defined nowhere, so the type was told from the data", &stale.undefined),
        ("Named and not defined any more, so taken as dropped", &stale.dropped),
    ] {
        if !predicates.is_empty() {
            let names: Vec<_> = predicates.iter().map(ToString::to_string).collect();
            text.push_str(&format!("{what}: {}\n", names.join(", ")));
        }
    }
    for (predicate, tokenizers) in &stale.unindexed {
        text.push_str(&format!(
            "Without its index, whose tokenizer is not known here: {predicate} ({})\n",
            tokenizers.join(", ")
        ));
    }
    text
}

/// `reverse counts: 852 under 637 keys, the data gives 283 under 96`, of the kinds whose totals differ.
fn stored_and_right(overview: &Overview<'_>, predicate: &Predicate) -> String {
    let right = overview.survey.state.predicates.get(predicate);
    let (Some(stored), Some(right)) = (overview.stored_alone(predicate), right) else { return String::new() };
    let kinds = [
        ("index", stored.index, right.index),
        ("reverse", stored.reverse, right.reverse),
        ("counts", stored.count, right.count),
        ("reverse counts", stored.count_reverse, right.count_reverse),
    ];
    let differs = |(_, stored, right): &(_, Lists, Lists)| (stored.keys, stored.entries) != (right.keys, right.entries);
    let told = kinds.into_iter().filter(differs).map(|(kind, stored, right)| {
        let [stored, right] = [stored, right].map(|of| (grouped(of.entries), grouped(of.keys)));
        format!("{kind}: {} under {} keys, the data gives {} under {}", stored.0, stored.1, right.0, right.1)
    });
    told.collect::<Vec<_>>().join("; ")
}

fn notes(overview: &Overview<'_>) -> String {
    overview.notes().iter().map(|note| format!("{note}\n")).collect()
}

/// Nothing is a dash, so that what is there is seen.
fn number(count: u64) -> String {
    if count == 0 { "-".into() } else { grouped(count) }
}

fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(headings.iter().copied());
    for (column, heading) in table.column_iter_mut().zip(headings) {
        column.set_padding((0, 2));
        if NUMBERS.contains(heading) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A heading with its table; nothing for a table without rows.
fn section(heading: &str, table: Table) -> String {
    if table.is_empty() {
        return String::new();
    }
    let lines: String = table.lines().map(|line| format!("  {}\n", line.trim_end())).collect();
    format!("{heading}\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_schema_is_cut_and_says_so() {
        let schema = "line\n".repeat(SHOWN_LINES + 3);
        assert_eq!(shortened(&schema).lines().count(), SHOWN_LINES + 1);
        assert!(shortened(&schema).ends_with("and 3 lines more; --output json has all\n"));
        assert_eq!(shortened("type A"), "  type A\n");
    }
}
