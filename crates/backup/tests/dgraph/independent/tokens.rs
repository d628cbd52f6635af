//! The index, reverse and count keys that servers stored are those that we make of the data, but for those that the servers left stale.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use graphdb_backup::SeriesRequest;

use super::canonical::dump;
use crate::data::{SERIES, data, request};

/// A series, backups of it, a predicate, and how many of its stored keys are missing, stored for nothing, and with other content.
type Stale = (&'static str, RangeInclusive<u64>, &'static str, [u64; 3]);

/// Before v20.11 Japanese words were parted as those of other languages; v1.2 and v21.12 count the values of all languages together.
const OF_THEIR_TIME: [Stale; 4] = [
    ("v1.2-kinds", 1..=1, "name", [1, 6, 1]),
    ("v1.2-kinds", 2..=7, "name", [0, 4, 1]),
    ("v1.2-kinds", 9..=9, "name", [1, 6, 1]),
    ("v21.12-random", 1..=6, "p1", [0, 1, 1]),
];

/// The merged state still has keys that a schema change took away, and tokens of a language whose values were deleted (format spec, section
/// 12). v1.2 records no drop of data, so that of a type comes back without its index.
const STALE: [Stale; 10] = [
    ("v1.2-kinds", 3..=7, "age", [0, 3, 0]),
    ("v1.2-kinds", 6..=9, "dgraph.type", [0, 0, 1]),
    ("v21.12-random", 1..=1, "p17", [0, 3, 2]),
    ("v21.12-random", 2..=3, "p17", [6, 3, 26]),
    ("v21.12-random", 4..=5, "p17", [6, 3, 34]),
    ("v21.12-random", 6..=6, "p17", [11, 3, 38]),
    ("v24.1-kinds-aes256", 2..=5, "name", [0, 3, 0]),
    ("v24.1-kinds-aes256", 3..=5, "age", [0, 3, 0]),
    ("v25.4-kinds", 2..=5, "name", [0, 3, 0]),
    ("v25.4-kinds", 3..=5, "age", [0, 3, 0]),
];

/// Made on purpose to be stale.
const STALE_INDEX: [Stale; 2] =
    [("v25.4-stale-index", 2..=2, "knows", [0, 1, 0]), ("v25.4-stale-index", 2..=2, "name", [0, 2, 0])];

#[tokio::test(flavor = "multi_thread")]
async fn stored_keys_are_those_that_the_data_gives_but_for_those_known_to_be_stale() {
    let Some(data) = data() else { return };
    let (mut found, mut compared) = (BTreeMap::new(), 0);
    for (folder, backups) in SERIES.into_iter().collect::<BTreeSet<_>>() {
        for number in 1..=backups {
            let request = SeriesRequest { backup_num: Some(number), ..request(&data, folder) };
            let read = dump(&request, false).await;
            compared += read.lists.len();
            for (predicate, keys) in read.summary.stale.predicates {
                let place = (folder, number, predicate.to_string());
                found.insert(place, [keys.missing, keys.extra, keys.different]);
            }
        }
    }
    let known = OF_THEIR_TIME.iter().chain(&STALE).chain(&STALE_INDEX);
    let known = known.flat_map(|(folder, numbers, predicate, counts)| {
        numbers.clone().map(|number| ((*folder, number, (*predicate).to_owned()), *counts))
    });
    assert_eq!(found, known.collect());
    assert!(compared > 10_000, "{compared} lists");
}
