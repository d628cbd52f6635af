use graphdb_types::{BackupKey, Malformed, Ts};

/// What the one byte `KV.user_meta` says about a value.
pub mod user_meta {
    /// A predicate's schema or a type.
    pub const SCHEMA: u8 = 0x01;
    /// A delta; never written, read as [`COMPLETE`] as Dgraph does.
    pub const DELTA: u8 = 0x04;
    /// A complete posting list.
    pub const COMPLETE: u8 = 0x08;
    /// A posting list that became empty; there is no value.
    pub const EMPTY: u8 = 0x10;
    /// Dgraph v21.12 alone: the list had too many parts and its content was thrown away.
    pub const FORBIDDEN: u8 = 0x30;
}

/// One key-value of a frame, as it stands there: slices into the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyValue<'a> {
    /// A serialised `BackupKey`.
    pub key: &'a [u8],
    /// A serialised posting list, schema or type; empty for an emptied list.
    pub value: &'a [u8],
    /// One of [`user_meta`].
    pub user_meta: u8,
    /// The newest `commit_ts` that went into the value; 1 for schema and types.
    pub version: u64,
}

/// One key-value of a backup, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What it is about.
    pub key: BackupKey,
    /// Of one part of a list that v1.1 to v1.2.5 split: the smallest uid it may hold; 0 for a whole list.
    pub start_uid: u64,
    /// What it says.
    pub value: EntryValue<'a>,
    /// The newest `commit_ts` that went into the value. Some Dgraph versions write 0 for deletions: which *backup* is
    /// newer decides between two entries, never this.
    pub version: Ts,
}

/// The value of an [`Entry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryValue<'a> {
    /// A whole posting list: a serialised `BackupPostingList`, never empty.
    List(&'a [u8]),
    /// The list became empty: older backups' data for the key is gone.
    Empty,
    /// As [`EntryValue::Empty`], but Dgraph v21.12 dropped the content because the list was too large: worth a warning.
    Forbidden,
    /// A serialised `SchemaUpdate`.
    Schema(&'a [u8]),
    /// A serialised `TypeUpdate`.
    Type(&'a [u8]),
}

impl<'a> KeyValue<'a> {
    /// Reads the key and says what the value is.
    ///
    /// # Errors
    /// A key that is none, a `user_meta` Dgraph does not know, or one that does not go with the key.
    pub fn entry(&self) -> Result<Entry<'a>, Malformed> {
        let (key, start_uid) = BackupKey::part_from_wire(self.key)?;
        let value = match (&key, self.user_meta) {
            (BackupKey::Schema(_), user_meta::SCHEMA) => EntryValue::Schema(self.value),
            (BackupKey::Type(_), user_meta::SCHEMA) => EntryValue::Type(self.value),
            (BackupKey::Posting(_), user_meta::EMPTY) => EntryValue::Empty,
            (BackupKey::Posting(_), user_meta::FORBIDDEN) => EntryValue::Forbidden,
            (BackupKey::Posting(_), user_meta::COMPLETE | user_meta::DELTA) if self.value.is_empty() => {
                EntryValue::Empty
            }
            (BackupKey::Posting(_), user_meta::COMPLETE | user_meta::DELTA) => EntryValue::List(self.value),
            _ => return Err(Malformed { what: "user_meta of a key-value" }),
        };
        Ok(Entry { key, start_uid, value, version: Ts(self.version) })
    }
}
