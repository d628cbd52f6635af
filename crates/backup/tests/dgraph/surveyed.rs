//! What is seen of a series without restoring it is what restoring it gives.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use graphdb_backup::{
    Asked, Locations, PredicateFacts, Progress, SeriesSource, TriplesRead, read_schema, read_triples, survey,
};
use graphdb_types::{Key, KeyKind, PostingList, Predicate};

use crate::data::{SERIES, data, lists, request, restore};

/// Keys and entries of data, index, reverse, count and reverse-count lists.
type Counts = BTreeMap<Predicate, [(u64, u64); 5]>;

fn place(key: &Key) -> usize {
    match key.kind {
        KeyKind::Data(_) => 0,
        KeyKind::Index(_) => 1,
        KeyKind::Reverse(_) => 2,
        KeyKind::Count(_) => 3,
        KeyKind::CountReverse(_) => 4,
    }
}

fn counts_of(facts: &PredicateFacts) -> [(u64, u64); 5] {
    [facts.data, facts.index, facts.reverse, facts.count, facts.count_reverse].map(|lists| (lists.keys, lists.entries))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_survey_counts_what_a_restore_gives() {
    let Some(data) = data() else { return };
    for (folder, _) in SERIES {
        let (request, dir, scratch) =
            (request(&data, folder), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let source = SeriesSource::prove(&Locations::default(), &request).await.unwrap();
        let survey = survey(&source, scratch.path(), &Progress::default()).await.unwrap();
        let report = restore(&request, dir.path()).await.unwrap();
        let mut restored: BTreeMap<Key, PostingList> = BTreeMap::new();
        report.groups.iter().for_each(|group| restored.extend(lists(&group.dir)));
        let mut expected = Counts::new();
        for (key, list) in &restored {
            let (keys, entries) = &mut expected.entry(key.predicate.clone()).or_default()[place(key)];
            (*keys, *entries) = (*keys + 1, *entries + list.len() as u64);
        }
        let counted = survey.state.predicates.iter().map(|(name, facts)| (name.clone(), counts_of(facts)));
        let found: Counts = counted.filter(|(_, counts)| counts.iter().any(|count| *count != (0, 0))).collect();
        assert_eq!(found, expected, "{folder}");
        assert_eq!((survey.state.max_uid, survey.state.stale), (report.max_uid, report.stale), "{folder}");
        assert_eq!(taken(&source, scratch.path()).await, data_of(&restored), "{folder}");
        let schema = read_schema(&source, scratch.path(), &Progress::default()).await.unwrap();
        assert!(schema.predicates.keys().eq(survey.state.predicates.keys()), "{folder}");
        assert_eq!(schema.types, survey.state.types, "{folder}");
        assert_eq!(scratch.path().read_dir().unwrap().count(), 0, "{folder}: files were left");
    }
}

fn data_of(lists: &BTreeMap<Key, PostingList>) -> BTreeMap<Key, PostingList> {
    lists.iter().filter(|(key, _)| !key.is_derived()).map(|(key, list)| (key.clone(), list.clone())).collect()
}

/// Every list that is handed on.
async fn taken(source: &SeriesSource, scratch: &std::path::Path) -> BTreeMap<Key, PostingList> {
    let taken = Arc::new(Mutex::new(BTreeMap::new()));
    let into = Arc::clone(&taken);
    let take = move |predicate: &Predicate, subject, list: &PostingList| {
        let before = into.lock().unwrap().insert(Key::data(predicate, subject), list.clone());
        assert_eq!(before, None, "a list comes once");
        ControlFlow::Continue(())
    };
    let read = read_triples(source, Asked::All, scratch, &Progress::default(), take).await.unwrap();
    assert_eq!(read, TriplesRead::All);
    std::mem::take(&mut *taken.lock().unwrap())
}
