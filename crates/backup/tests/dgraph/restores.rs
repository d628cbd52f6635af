//! Offline restores of whole series.

use graphdb_backup::SeriesRequest;

use crate::data::{SERIES, data, has, lists, request, restore};

#[tokio::test(flavor = "multi_thread")]
async fn every_number_of_every_series_restores() {
    let Some(data) = data() else { return };
    for (folder, backups) in SERIES {
        for number in 1..=backups {
            let dir = tempfile::tempdir().unwrap();
            let request = SeriesRequest { backup_num: Some(number), ..request(&data, folder) };
            let report = restore(&request, dir.path()).await.unwrap_or_else(|err| panic!("{folder} {number}: {err}"));
            assert_eq!(report.backup_num, number, "{folder}");
            let found: usize = report.groups.iter().map(|group| lists(&group.dir).len()).sum();
            assert_eq!(found as u64, report.groups.iter().map(|group| group.lists).sum::<u64>(), "{folder} {number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drops_between_backups_hide_what_is_older() {
    let Some(data) = data() else { return };
    for folder in ["v20.11-drops", "v21.03-drops"] {
        let dir = tempfile::tempdir().unwrap();
        let report = restore(&request(&data, folder), dir.path()).await.unwrap();
        let found: Vec<_> = report.groups.iter().map(|group| lists(&group.dir)).collect();
        let count = |name: &str| found.iter().map(|lists| has(lists, name)).sum::<usize>();
        assert_eq!(["p1", "p2", "p3", "p4"].map(count), [0, 2, 0, 2], "{folder}");
    }
}
