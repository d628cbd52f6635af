//! Finding a predicate by the name somebody typed.

use std::collections::BTreeSet;

use anyhow::anyhow;
use graphdb_archive::Backup;
use graphdb_backup::{Error, Locations, Selection, SeriesRequest, read_catalogue};
use graphdb_types::{GroupId, Namespace, Predicate};

use super::advice::with_advice;
use super::names;

/// Names that an error shows.
const SHOWN_NAMES: usize = 20;

/// The predicate, and a request for it alone: of its group alone, so that the others need not even be there.
///
/// # Errors
/// A series that is not whole, and a name that is not in it.
pub(super) async fn predicate(
    locations: &Locations,
    request: &SeriesRequest,
    name: &str,
) -> anyhow::Result<(SeriesRequest, Predicate)> {
    let destination = locations.open_existing(&request.location).await.map_err(Error::from)?;
    let catalogue = read_catalogue(&*destination).await?;
    let (id, first) = (request.backup_id.as_deref(), request.incremental_from.max(1));
    let series = catalogue.choose_from(id, request.backup_num, first, request.key.as_deref()).map_err(with_advice)?;
    let newest = series.newest();
    let namespace = request.selection.tenant.map(|tenant| tenant.from);
    let (group, predicate) = find(newest, namespace, name).ok_or_else(|| unknown(newest, name))?;
    let selection = Selection {
        groups: Some([group].into()),
        predicates: Some([predicate.clone()].into()),
        ..request.selection.clone()
    };
    Ok((SeriesRequest { selection, ..request.clone() }, predicate))
}

/// A name is one of the root namespace first, and only then `NAMESPACE-NAME`.
fn find(newest: &Backup, namespace: Option<Namespace>, name: &str) -> Option<(GroupId, Predicate)> {
    let served = |wanted: &Predicate| {
        let group = newest.groups.iter().find(|(_, archive)| archive.predicates.contains(wanted));
        group.map(|(group, _)| (*group, wanted.clone()))
    };
    let name_in = |namespace, name: &str| Predicate { namespace, name: name.into() };
    let spaced = || {
        let (namespace, name) = name.split_once('-').filter(|(number, _)| number.starts_with("0x"))?;
        served(&name_in(names::namespace(namespace).ok()?, name))
    };
    match namespace {
        Some(namespace) => served(&name_in(namespace, name)),
        None => served(&Predicate::root(name)).or_else(spaced),
    }
}

fn unknown(newest: &Backup, name: &str) -> anyhow::Error {
    let named: BTreeSet<&Predicate> = newest.groups.values().flat_map(|archive| archive.predicates.iter()).collect();
    let (num, id) = (newest.backup_num, &newest.backup_id);
    let elsewhere: Vec<_> =
        named.iter().filter(|known| *known.name == *name).map(|known| known.namespace.to_string()).collect();
    if !elsewhere.is_empty() {
        return anyhow!(
            "backup {num} of series {id} has predicate {name} in namespace {}: name one with --namespace",
            elsewhere.join(", ")
        );
    }
    let mut shown: Vec<_> = named.iter().take(SHOWN_NAMES).map(ToString::to_string).collect();
    if named.len() > SHOWN_NAMES {
        shown.push(format!("and {} more", named.len() - SHOWN_NAMES));
    }
    anyhow!("backup {num} of series {id} has no predicate {name}; it has: {}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use graphdb_archive::DgraphManifest;

    use super::*;

    fn backup() -> Backup {
        let manifest = br#"{"type":"full","read_ts":9,"backup_id":"calm_owl","backup_num":1,"version":2105,
            "groups":{"1":["0-name","0-0x1-odd"],"2":["12f-name","12f-age"]}}"#;
        DgraphManifest::parse(&"dgraph.20260104.224757.709".parse().unwrap(), manifest).unwrap().into()
    }

    #[test]
    fn a_name_is_found_with_its_namespace_and_its_group() {
        let found = |namespace: Option<u64>, name: &str| {
            find(&backup(), namespace.map(Namespace), name).map(|(group, found)| (group.0, found.to_string()))
        };
        assert_eq!(found(None, "name"), Some((1, "name".into())));
        assert_eq!(found(None, "0x12f-name"), Some((2, "0x12f-name".into())));
        assert_eq!(found(None, "0x1-odd"), Some((1, "0x1-odd".into())), "a name that only looks like two");
        assert_eq!(found(Some(0x12f), "age"), Some((2, "0x12f-age".into())));
        assert_eq!((found(None, "age"), found(Some(0), "age"), found(Some(1), "name")), (None, None, None));
    }

    #[test]
    fn an_unknown_name_is_told_what_there_is() {
        let error = unknown(&backup(), "nam").to_string();
        assert!(error.contains("no predicate nam; it has: 0x1-odd, name, 0x12f-age, 0x12f-name"), "{error}");
        let error = unknown(&backup(), "age").to_string();
        assert!(error.contains("in namespace 0x12f") && error.contains("--namespace"), "{error}");
    }
}
