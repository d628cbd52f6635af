//! The lists and definitions of a group as text.

use graphdb_archive::default_workers;
use graphdb_export::json::Array;
use graphdb_export::{Format, gql, is_exported, names, rdf, schema};
use graphdb_storage::StoredEntry;
use graphdb_types::{GroupId, Key, KeyKind, Malformed, PostingList, Predicate, Schema, Uid};

use super::ExportedGroup;
use super::file::TextFile;
use super::folder::ExportFolder;
use crate::error::{Error, Result};
use crate::source::StateVisitor;

/// The three files of a group while they are written. Blocks when written to.
pub(super) struct GroupText {
    data: TextFile,
    /// The array around JSON records.
    records: Option<Array>,
    definitions: TextFile,
    graphql: TextFile,
    graphql_records: Array,
    current: Current,
    /// Text of one list, reused.
    text: Vec<u8>,
    written: ExportedGroup,
}

/// What the lists at hand belong to: they come in runs of one predicate.
#[derive(Default)]
struct Current {
    /// Begins every key of the predicate.
    prefix: Vec<u8>,
    /// Begins those of its data, if that goes anywhere.
    data_prefix: Option<Vec<u8>>,
    predicate: Option<Predicate>,
    is_graphql: bool,
}

impl GroupText {
    /// Begins the files.
    pub(super) async fn create(folder: &mut ExportFolder, group: GroupId, format: Format) -> Result<GroupText> {
        let definitions = folder.create(names::schema(group), 0).await?;
        let mut graphql = folder.create(names::gql_schema(group), 0).await?;
        let mut data = folder.create(names::data(group, format), default_workers()).await?;
        let mut text = Vec::new();
        let graphql_records = Array::start(&mut text);
        graphql.write(&text)?;
        text.clear();
        let records = (format == Format::Json).then(|| Array::start(&mut text));
        data.write(&text)?;
        let (current, written) = (Current::default(), ExportedGroup::new(group));
        Ok(GroupText { data, records, definitions, graphql, graphql_records, current, text, written })
    }

    /// Writes a list if it belongs into an export. All lists of a predicate come one after the other.
    pub(super) fn list(&mut self, stored_key: &[u8], list: &[u8]) -> Result<()> {
        let malformed = |source| Error::DamagedList { key: stored_key.escape_ascii().to_string(), source };
        self.current.enter(stored_key).map_err(malformed)?;
        let Some((predicate, subject)) = self.current.subject(stored_key).map_err(malformed)? else { return Ok(()) };
        let list = PostingList::from_wire(list).map_err(malformed)?;
        self.text.clear();
        if self.current.is_graphql {
            let mut record = Vec::new();
            let is_there = gql::write(&mut record, predicate, subject, &list)?;
            self.graphql_records.push(&mut self.text, &record);
            self.written.graphql_schemas += u64::from(is_there);
            return self.graphql.write(&self.text);
        }
        self.written.statements += match &mut self.records {
            None => rdf::write_list(&mut self.text, predicate, subject, &list)?,
            Some(array) => array.push_list(&mut self.text, predicate, subject, &list)?,
        };
        self.data.write(&self.text)
    }

    /// Writes the definitions, and ends the files: what went to a disk is then durable.
    pub(super) fn finish(mut self, schema: &Schema) -> Result<ExportedGroup> {
        self.define(schema)?;
        let mut end = Vec::new();
        if let Some(array) = self.records {
            array.finish(&mut end);
            self.data.write(&end)?;
            end.clear();
        }
        self.graphql_records.finish(&mut end);
        self.graphql.write(&end)?;
        for file in [self.data, self.graphql, self.definitions] {
            file.finish()?;
        }
        Ok(self.written)
    }

    fn define(&mut self, defined: &Schema) -> Result<()> {
        let mut text = Vec::new();
        for (predicate, definition) in &defined.predicates {
            self.written.predicates += u64::from(schema::write_predicate(&mut text, predicate, definition)?);
        }
        for (name, definition) in &defined.types {
            schema::write_type(&mut text, name, definition)?;
            self.written.types += 1;
        }
        self.definitions.write(&text)
    }
}

impl Current {
    /// Moves to the predicate of a key.
    fn enter(&mut self, key: &[u8]) -> Result<(), Malformed> {
        if !self.prefix.is_empty() && key.starts_with(&self.prefix) {
            return Ok(());
        }
        let predicate = Key::from_stored(key)?.predicate;
        self.is_graphql = predicate.name.as_ref() == gql::PREDICATE;
        let is_written = self.is_graphql || is_exported(&predicate);
        self.prefix = Key::stored_prefix(&predicate);
        self.data_prefix = is_written.then(|| Key::stored_data_prefix(&predicate));
        self.predicate = Some(predicate);
        Ok(())
    }

    /// Whose data it is; `None` for lists that are not exported.
    fn subject(&self, key: &[u8]) -> Result<Option<(&Predicate, Uid)>, Malformed> {
        let (Some(prefix), Some(predicate)) = (&self.data_prefix, &self.predicate) else { return Ok(None) };
        if !key.starts_with(prefix) {
            return Ok(None);
        }
        match Key::from_stored(key)?.kind {
            KeyKind::Data(subject) => Ok(Some((predicate, subject))),
            _ => Ok(None),
        }
    }
}

impl StateVisitor for GroupText {
    /// The text of a list does not depend on its definition.
    const SCHEMA_FIRST: bool = false;

    fn begin(&mut self, _: &Schema) -> Result<()> {
        Ok(())
    }

    fn list(&mut self, entry: StoredEntry<'_>) -> Result<()> {
        GroupText::list(self, entry.key, entry.list)
    }
}
