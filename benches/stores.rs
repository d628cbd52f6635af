//! Upload and download through each kind of place, against a plain copy of the same bytes with rclone, in one run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use bytes::Bytes;
use graphdb_destination::testing::servers::{Account, Rgw};
use graphdb_destination::{AccessKeys, Credentials, Destination, LocationRequest, Locations, ObjectName};
use rand::RngExt as _;

use crate::memory::peak_above;
use crate::table::{Table, rate};

/// The server keeps all copies in its memory of 4 GiB, those that were deleted too for a while.
const OBJECT_BYTES: usize = 192 << 20;

/// What a backup hands over at a time.
const CHUNK_BYTES: usize = 1 << 20;

const RUNS: usize = 3;

pub(crate) fn measure(table: &mut Table) {
    println!("object stores");
    let Some(rgw) = Rgw::shared() else {
        return println!("  not measured: Ceph's object gateway is not installed (scripts/test-servers.sh)");
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("object");
    let content = noise();
    std::fs::write(&file, &content).unwrap();
    let bucket = runtime.block_on(rgw.account().fresh_bucket());
    let plain = rclone(rgw.account(), &bucket, &file);
    match plain {
        Some((up, down)) => {
            table.add("rclone upload, download", rates(up, down), "a plain copy of the same bytes".into(), "");
        }
        None => println!("  rclone is not installed: nothing to compare with"),
    }
    for scheme in ["s3", "minio"] {
        let host = rgw.account().endpoint.trim_start_matches("http://");
        let request = LocationRequest {
            location: Some(format!("{scheme}://{host}/{bucket}/{scheme}?secure=false")),
            credentials: Some(credentials(rgw.account())),
        };
        let place = runtime.block_on(Locations::default().open(&request)).unwrap();
        let mut best = (f64::MAX, f64::MAX);
        let mut memory = 0;
        for _ in 0..RUNS {
            let ((up, down), peak) = peak_above(|| runtime.block_on(there_and_back(&*place, &content)));
            best = (best.0.min(up), best.1.min(down));
            memory = memory.max(peak);
        }
        let compared = plain.map_or(String::new(), |(up, down)| {
            format!("{:.2}x, {:.2}x the rate of rclone", up / best.0, down / best.1)
        });
        table.add(&format!("{scheme}:// upload, download"), rates(best.0, best.1), compared, "");
        table.add("  peak memory", format!("{} MiB", memory >> 20), String::new(), "");
    }
}

fn rates(up: f64, down: f64) -> String {
    format!("{}, {}", rate(OBJECT_BYTES as u64, up), rate(OBJECT_BYTES as u64, down))
}

/// Bytes as an encrypted archive has them.
fn noise() -> Bytes {
    let mut bytes = vec![0; OBJECT_BYTES];
    rand::rng().fill(&mut bytes[..]);
    bytes.into()
}

fn credentials(account: &Account) -> Credentials {
    Credentials::Keys(AccessKeys {
        access_key: account.access_key.clone(),
        secret_key: account.secret_key.clone(),
        session_token: account.session_token.clone(),
    })
}

/// Seconds to upload and to download.
async fn there_and_back(place: &dyn Destination, content: &Bytes) -> (f64, f64) {
    let name: ObjectName = "object".parse().unwrap();
    let begin = Instant::now();
    let mut upload = place.create(&name).await.unwrap();
    for from in (0..content.len()).step_by(CHUNK_BYTES) {
        upload.write(content.slice(from..(from + CHUNK_BYTES).min(content.len()))).await.unwrap();
    }
    upload.complete().await.unwrap();
    let up = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let mut stream = place.open(&name).await.unwrap();
    let mut at = 0;
    while let Some(chunk) = stream.next_chunk().await.unwrap() {
        assert!(content[at..].starts_with(&chunk), "what comes back is what was stored");
        at += chunk.len();
    }
    assert_eq!(at, content.len());
    let down = begin.elapsed().as_secs_f64();
    place.delete(&name).await.unwrap();
    (up, down)
}

/// Seconds that rclone takes, at its best; `None` if it is not installed.
fn rclone(account: &Account, bucket: &str, file: &Path) -> Option<(f64, f64)> {
    let back = file.with_extension("back");
    let remote = format!("bench:{bucket}/rclone");
    let copy = |from: &str, to: &str| {
        let begin = Instant::now();
        let status = Command::new("rclone")
            .args(["copyto", "--s3-no-check-bucket", "--ignore-times", from, to])
            .env("RCLONE_CONFIG", "/dev/null")
            .env_remove("AWS_CA_BUNDLE") // which rclone reads and cannot use
            .env("RCLONE_CONFIG_BENCH_TYPE", "s3")
            .env("RCLONE_CONFIG_BENCH_PROVIDER", "Ceph")
            .env("RCLONE_CONFIG_BENCH_ENDPOINT", &account.endpoint)
            .env("RCLONE_CONFIG_BENCH_ACCESS_KEY_ID", &account.access_key)
            .env("RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY", account.secret_key.expose())
            .stdin(Stdio::null())
            .status()
            .ok()?;
        assert!(status.success(), "rclone copies {from} to {to}");
        Some(begin.elapsed().as_secs_f64())
    };
    let mut best = (f64::MAX, f64::MAX);
    for _ in 0..RUNS {
        best.0 = best.0.min(copy(file.to_str()?, &remote)?);
        best.1 = best.1.min(copy(&remote, back.to_str()?)?);
    }
    Some(best)
}
