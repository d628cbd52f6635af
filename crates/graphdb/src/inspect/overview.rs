//! What an overview shows, whichever form it is printed in.

use graphdb_archive::Backup;
use graphdb_backup::{GraphqlSchema, KeyValueCounts, SeriesSource, StoredLists, Survey};
use graphdb_export::gql;
use graphdb_types::{DropOp, Namespace, Predicate, with_causes};
use serde_json::Value;

/// A series that was read.
pub(super) struct Overview<'a> {
    /// Where it is, for people.
    pub(super) location: &'a str,
    pub(super) source: &'a SeriesSource,
    pub(super) survey: &'a Survey,
}

/// A GraphQL schema, or why it cannot be shown.
pub(super) struct GraphqlText {
    pub(super) namespace: Namespace,
    pub(super) schema: Result<String, String>,
}

impl Overview<'_> {
    /// What wrote the backups that were read.
    pub(super) fn written_by(&self) -> String {
        let mut writers: Vec<String> = self.backups().iter().map(|backup| backup.origin.to_string()).collect();
        writers.dedup();
        writers.join(", then ")
    }

    pub(super) fn backups(&self) -> &[Backup] {
        self.source.series().backups()
    }

    /// The first number that was read.
    pub(super) fn first(&self) -> u64 {
        self.backups().first().map_or(1, |backup| backup.backup_num)
    }

    /// The groups that were read, and those that were left out.
    pub(super) fn groups(&self) -> (Vec<u32>, Vec<u32>) {
        let read = self.source.groups();
        let all = self.source.newest().groups.keys();
        let (read, left): (Vec<_>, Vec<_>) = all.partition(|group| read.contains(group));
        let numbers = |groups: Vec<&graphdb_types::GroupId>| groups.iter().map(|group| group.0).collect();
        (numbers(read), numbers(left))
    }

    /// Key-values of a backup.
    pub(super) fn key_values(&self) -> u64 {
        let archives = self.survey.backups.iter().flat_map(|backup| backup.archives.values());
        archives.map(|archive| archive.key_values.total()).sum()
    }

    /// What the one backup that was read has stored of a predicate: with more than one, what is stored in each says nothing of all.
    pub(super) fn stored_alone(&self, predicate: &Predicate) -> Option<&StoredLists> {
        let [only] = self.survey.backups.as_slice() else { return None };
        only.archives.values().find_map(|archive| archive.predicates.get(predicate))
    }

    pub(super) fn graphql(&self) -> Vec<GraphqlText> {
        self.survey.state.graphql.iter().filter_map(GraphqlText::read).collect()
    }

    /// What the numbers do not say.
    pub(super) fn notes(&self) -> Vec<String> {
        let (first, (_, left)) = (self.first(), self.groups());
        let backups = self.backups();
        let mut notes = Vec::new();
        if first > 1 {
            notes.push(format!(
                "This is a part: the backups before number {first} were not read, and what they hold is not here."
            ));
        }
        if !left.is_empty() {
            notes.push(format!("This is a part: {} not read.", numbered("group", "was", "were", &left)));
        }
        if let Some(tenant) = self.source.selection().tenant {
            let namespace = tenant.from;
            notes.push(format!(
                "The state is of namespace {namespace} alone; the backups are shown with all of theirs."
            ));
        }
        if backups.iter().any(|backup| !backup.records_drops) {
            notes.push(
                "Some of these backups are of versions that record no drops: data that was dropped may still be here."
                    .into(),
            );
        }
        match backups.iter().any(|backup| backup.sealed().is_none()) {
            true => notes.push(
                "Dgraph's manifests hold no digests: nothing proves that the objects are those that were written."
                    .into(),
            ),
            false => notes.push("Every object was proved against the digest in its manifest.".into()),
        }
        let stale = &self.survey.state.stale;
        if stale.forbidden > 0 {
            notes.push(format!("{} lists had lost their content when Dgraph backed them up.", stale.forbidden));
        }
        notes
    }
}

/// `groups 2 and 3 were`
fn numbered(noun: &str, one: &str, many: &str, numbers: &[u32]) -> String {
    match numbers {
        [number] => format!("{noun} {number} {one}"),
        _ => {
            let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
            format!("{noun}s {} {many}", numbers.join(", "))
        }
    }
}

/// Key-values of all groups of one backup.
pub(super) fn sum(facts: &graphdb_backup::BackupFacts) -> KeyValueCounts {
    let mut sum = KeyValueCounts::default();
    facts.archives.values().for_each(|archive| sum.add(&archive.key_values));
    sum
}

impl GraphqlText {
    /// Reads a stored schema; `None` for an empty one.
    fn read(stored: &GraphqlSchema) -> Option<GraphqlText> {
        let mut record = Vec::new();
        let written = gql::write(&mut record, &stored.predicate, stored.subject, &stored.list);
        let schema = match written {
            Ok(false) => return None,
            Ok(true) => Ok(schema_of(&record)),
            Err(error) => Err(with_causes(&error)),
        };
        Some(GraphqlText { namespace: stored.predicate.namespace, schema })
    }
}

/// The schema in a record of an export.
fn schema_of(record: &[u8]) -> String {
    let record: Value = serde_json::from_slice(record).unwrap_or_default();
    record["Schema"].as_str().unwrap_or_default().to_owned()
}

/// A drop, for people.
pub(super) fn drop_text(operation: &DropOp) -> String {
    match operation {
        DropOp::All => "all".into(),
        DropOp::Data => "data".into(),
        DropOp::NamespaceData(namespace) => format!("data of namespace {namespace}"),
        DropOp::Predicate(predicate) => format!("predicate {predicate}"),
        DropOp::Namespace(namespace) => format!("namespace {namespace}"),
    }
}

#[cfg(test)]
mod tests {
    use graphdb_types::{Posting, PostingList, Uid, VALUE_UID};

    use super::*;

    #[test]
    fn groups_that_were_left_out_are_told() {
        assert_eq!(numbered("group", "was", "were", &[2]), "group 2 was");
        assert_eq!(numbered("group", "was", "were", &[2, 3]), "groups 2, 3 were");
    }

    #[test]
    fn graphql_schemas_are_read_out_of_their_wrapping() {
        let stored = |value: &str| {
            let posting = Posting { id: VALUE_UID, value: value.into(), ..Posting::default() };
            let predicate = Predicate::root(gql::PREDICATE);
            GraphqlSchema { predicate, subject: Uid(1), list: PostingList::of_postings(vec![posting]) }
        };
        let read = |value: &str| GraphqlText::read(&stored(value)).map(|text| text.schema);
        assert_eq!(read("type A {\n}"), Some(Ok("type A {\n}".into())));
        assert_eq!(read("{\"Schema\":\"type A\",\"Script\":\"\"}"), Some(Ok("type A".into())));
        assert_eq!(read(""), None);
    }
}
