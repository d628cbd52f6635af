//! Backups on a real NFS mount: taken there, missed while its server is gone, and restored from there.

use graphdb_destination::testing::servers::Nfs;

use crate::harness::{Node, assert_says, cli, manifests, sample, temp_dir, wait_for};
use crate::questions::{SAMPLE, assert_answers, full_answers};

/// In the guest, the node has its directory in memory.
const GUEST: &[(&str, &str)] = &[("DISK", "192M"), ("MEMORY", "2048M"), ("LIMIT", "900")];

#[test]
#[ignore = "starts a guest kernel, which takes long"]
fn a_series_on_nfs_outlives_its_server_and_restores_equal() {
    let test = "nfs::a_series_on_nfs_outlives_its_server_and_restores_equal";
    let Some(nfs) = Nfs::in_guest(test, GUEST) else { return };
    let dir = temp_dir();
    let backups = nfs.mounted().join("backups").to_str().unwrap().to_owned();
    let node = Node::start(&dir.path().join("p"), &[]);
    sample(&node, 1_000);
    node.backup(&backups);
    node.mutate(r#"{ set { _:late <name> "Late"@en . } }"#);
    let expected = full_answers(&node, SAMPLE);

    nfs.server_stops();
    assert_says(&node.ask_for_backup(&backups, false).error(), &[&backups]);
    nfs.server_starts();
    wait_for("a backup to work again", || {
        node.ask_for_backup(&backups, false).json()["errors"].is_null().then_some(())
    });
    assert_eq!(manifests(&backups).len(), 2, "a full one and an incremental");
    drop(node);

    cli(&["restore", "-l", &backups, "-p", &dir.at("restored"), "--force-zero=false"]).ok();
    let restored = Node::start(&dir.path().join("restored/p1"), &[]);
    assert_answers(&restored, SAMPLE, &expected, "restored from NFS");
}
