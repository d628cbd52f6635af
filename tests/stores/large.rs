//! A gibibyte: more than any buffer. What the processes need for it is printed, and bounded.

use std::fs;

use graphdb_destination::testing::servers::{Rgw, Storage};

use super::lab::Lab;
use super::roundtrip::Keyed;
use super::series::Series;
use crate::harness::{Running, noise, wait_for};

/// Nodes of 16 KiB: a gibibyte.
const GIBIBYTE: usize = 65_536;

/// What a process may need for a backup or a restore beyond what it had before.
const GROWTH: u64 = 1 << 30;

#[test]
#[ignore = "a gibibyte takes minutes"]
fn a_gibibyte_goes_to_s3_and_back_in_bounded_memory() {
    go_and_come_back("s3");
}

#[test]
#[ignore = "a gibibyte takes minutes"]
fn a_gibibyte_goes_to_minio_and_back_in_bounded_memory() {
    go_and_come_back("minio");
}

fn go_and_come_back(scheme: &str) {
    let Some(rgw) = Rgw::start(Storage::Disk) else { return };
    let Some(keyed) = Keyed::new(Lab::of(rgw.account())) else { return };
    let (lab, place) = (&keyed.lab, keyed.lab.bucket.place(scheme));
    let loader = lab.node("p", &keyed.flags());
    noise(&loader, GIBIBYTE);
    // Loading needs memory of its own, which must not hide that of a backup.
    assert_eq!(loader.terminate().0, Some(0));
    let node = lab.node("p", &keyed.flags());
    let series = Series::tell(&node, 0, |number| {
        let before = node.peak_memory();
        lab.back_up(&node, &place, &lab.owner());
        note(scheme, &format!("backup {number}"), before, node.peak_memory());
    });
    let bytes: usize = lab.bucket.objects().values().map(Vec::len).sum();
    println!("{scheme}: {} MiB in the bucket", bytes >> 20);

    for number in 1..=3 {
        let to = format!("offline-{number}");
        note(scheme, &format!("offline restore of backup {number}"), 0, restore_offline(&keyed, &place, number, &to));
        series.assert_is_at(&lab.node(&format!("{to}/p1"), &[]), number, "offline");
        fs::remove_dir_all(lab.dir.at(&to)).unwrap();
    }
    let other = lab.node("other", &[]);
    let before = other.peak_memory();
    lab.restore(&other, &place, &lab.owner(), &keyed.fields());
    note(scheme, "online restore", before, other.peak_memory());
    series.assert_is_at(&other, 3, "online");
    lab.assert_node_is_discreet(&node);
}

/// Prints what a step needed, and that it was not too much.
#[track_caller]
fn note(scheme: &str, step: &str, before: u64, peak: u64) {
    println!("{scheme}: {step}: {} MiB at most, {} MiB more than before", peak >> 20, (peak - before) >> 20);
    assert!(peak - before < GROWTH, "{step} needed too much memory");
}

/// Restores by the command, and tells the most memory that it had, in bytes.
fn restore_offline(keyed: &Keyed, place: &str, number: usize, to: &str) -> u64 {
    let (lab, target, number) = (&keyed.lab, keyed.lab.dir.at(to), number.to_string());
    let args = ["restore", "-p", &target, "--force-zero=false", "--backup-num", &number];
    let mut command = lab.command(&lab.owner(), place, &args);
    let mut running = Running::start(command.args(keyed.flags()));
    let status = format!("/proc/{}/status", running.pid());
    let mut peak = 0;
    wait_for("the end of a restore", || {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.map_or(peak, |line| line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10);
        running.has_ended().then_some(())
    });
    running.wait().ok();
    assert!(peak > 0, "the memory of the restore was to be seen");
    peak
}
