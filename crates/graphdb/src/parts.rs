//! Flags that say which series is read, and which part of it: some backups, some groups, some predicates.

use std::collections::BTreeSet;

use clap::Args;
use graphdb_backup::{Selection, Tenant};
use graphdb_types::{GroupId, Namespace, Predicate};

use crate::failure::misuse;

/// Which series a command reads, and from which backup to which.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SeriesFlags {
    /// The series to read [default: the newest]
    #[arg(long, value_name = "ID", env = "GRAPHDB_BACKUP_ID")]
    backup_id: Option<String>,

    /// The last backup of the series to read; 0 is its end
    #[arg(long, value_name = "N", env = "GRAPHDB_BACKUP_NUM", default_value_t = 0)]
    backup_num: u64,

    /// The first backup of the series to read, on purpose without what those before it hold
    #[arg(long, value_name = "N", env = "GRAPHDB_INCREMENTAL_FROM", default_value_t = 0)]
    pub(crate) incremental_from: u64,
}

impl SeriesFlags {
    /// The series that was named.
    pub(crate) fn backup_id(&self) -> Option<String> {
        self.backup_id.clone().filter(|id| !id.is_empty())
    }

    /// The last backup, unless it is the end of the series.
    pub(crate) fn backup_num(&self) -> Option<u64> {
        Some(self.backup_num).filter(|number| *number > 0)
    }
}

/// Which part of a series a command takes.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PartFlags {
    /// Only these groups, as in 1,3; a group that is not named may be missing
    #[arg(long, value_name = "LIST", env = "GRAPHDB_GROUPS", value_delimiter = ',')]
    groups: Vec<String>,

    /// Only these predicates: name,age; with a namespace as in 0x12f-name
    #[arg(long, value_name = "LIST", env = "GRAPHDB_PREDICATES", value_delimiter = ',')]
    predicates: Vec<String>,
}

impl PartFlags {
    /// What they ask for; without them, everything.
    ///
    /// # Errors
    /// Misuse: what is no group.
    pub(crate) fn selection(&self, tenant: Option<Tenant>) -> anyhow::Result<Selection> {
        let groups = given(&self.groups).map(group).collect::<anyhow::Result<BTreeSet<_>>>()?;
        let predicates: BTreeSet<_> = given(&self.predicates).map(predicate).collect();
        Ok(Selection { groups: some(groups), predicates: some(predicates), tenant })
    }
}

fn given(texts: &[String]) -> impl Iterator<Item = &str> {
    texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn some<T>(set: BTreeSet<T>) -> Option<BTreeSet<T>> {
    (!set.is_empty()).then_some(set)
}

fn group(text: &str) -> anyhow::Result<GroupId> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.map(GroupId).ok_or_else(|| misuse(format!("--groups: {text:?} is no group; groups are 1, 2, …")))
}

/// Reads a predicate as it is printed: bare in the root's namespace, else `0x12f-name`.
pub(crate) fn predicate(text: &str) -> Predicate {
    let in_namespace = text.split_once('-').and_then(|(namespace, name)| {
        let number = u64::from_str_radix(namespace.strip_prefix("0x")?, 16).ok()?;
        Some(Predicate { namespace: Namespace(number), name: name.into() })
    });
    in_namespace.unwrap_or_else(|| Predicate::root(text))
}

/// Reads a namespace: `303` or `0x12f`.
///
/// # Errors
/// Misuse.
pub(crate) fn namespace(text: &str) -> anyhow::Result<Namespace> {
    let number = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    number.map(Namespace).ok_or_else(|| misuse(format!("{text:?} is no namespace; write it as in 303 or 0x12f")))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        parts: PartFlags,
    }

    fn parse(text: &str) -> anyhow::Result<Selection> {
        Alone::try_parse_from(format!("x {text}").split_whitespace()).unwrap().parts.selection(None)
    }

    #[test]
    fn without_flags_everything_is_meant() {
        assert!(parse("").unwrap().is_all());
        assert!(parse("--groups= --predicates=").unwrap().is_all());
    }

    #[test]
    fn groups_and_predicates_are_read_as_they_are_printed() {
        let selection = parse("--groups 1,3 --predicates name,0x12f-first-name,0x-odd,a-b").unwrap();
        assert_eq!(selection.groups.unwrap(), BTreeSet::from([GroupId(1), GroupId(3)]));
        let printed: Vec<String> = selection.predicates.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(printed, ["0x-odd", "a-b", "name", "0x12f-first-name"]);
        for wrong in ["0", "one", "-1"] {
            let error = parse(&format!("--groups={wrong}")).unwrap_err();
            assert!(error.is::<crate::failure::Misuse>() && error.to_string().contains(wrong), "{error}");
        }
    }

    #[test]
    fn namespaces_are_read_in_both_forms() {
        assert_eq!((namespace("303").unwrap(), namespace("0x12f").unwrap()), (Namespace(303), Namespace(303)));
        for wrong in ["", "-1", "0x", "x"] {
            assert!(namespace(wrong).is_err(), "{wrong}");
        }
    }
}
