//! Verifying an object, against decompressing the same file: with this process's own decoder, and with `gunzip`.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use graphdb_archive::{CipherReader, EncryptionKey};
use graphdb_backup::{Locations, Progress, VerifyRequest, WhichSeries, verify};
use graphdb_types::GroupId;

use crate::full::best_of;
use crate::memory::peak_above;
use crate::table::{Table, rate};

/// A real backup, and the only one that is large. Group 2 is not there, nor is the backup before.
const REAL: &str = "data/dgraph-backups/v20.07-movies-aes256";
const REAL_OBJECT: &str = "dgraph.20200605.233956.732/r2106-g1.backup";
const REAL_KEY: &str = "data/keys/aes256.key";

pub(crate) fn measure(table: &mut Table) {
    println!("verify");
    let Some(shared) = shared() else {
        return println!("  SKIPPED: the real file is not there; set GRAPHDB_SHARED to the folder that has data/");
    };
    let key = Arc::new(EncryptionKey::new(&fs::read(shared.join(REAL_KEY)).unwrap()).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let gzip = decrypted(&shared.join(REAL).join(REAL_OBJECT), &key, &dir.path().join("archive.gz"));
    let (mut raw_bytes, mut memory) = (0, 0);
    let decoded = best_of(5, || raw_bytes = decode(&gzip));
    let gunzip = best_of(5, || gunzip(&gzip));
    let request = VerifyRequest {
        location: shared.join(REAL).to_str().unwrap().into(),
        which: WhichSeries::One { backup_id: None, backup_num: None, incremental_from: 2 },
        groups: Some([GroupId(1)].into()),
        key: Some(key),
        ..VerifyRequest::default()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let verified = best_of(5, || {
        let (report, peak) =
            peak_above(|| runtime.block_on(verify(&Locations::default(), &request, &Progress::default())).unwrap());
        assert_eq!(report.objects().map(|object| object.entries).collect::<Vec<_>>(), [Some(316_676)]);
        memory = memory.max(peak);
    });
    table.add("decompress, flate2", rate(raw_bytes, decoded), "in this process".into(), "");
    table.add("decompress, gunzip", rate(raw_bytes, gunzip), "the command".into(), "");
    let compared = format!("{:.2}x flate2, {:.2}x gunzip", decoded / verified, gunzip / verified);
    table.add("verify, AES and gzip", format!("{verified:.3} s, {}", rate(raw_bytes, verified)), compared, "0.8x");
    table.add("  peak memory", format!("{} MiB", memory >> 20), "above the process's".into(), "256 MiB");
}

fn shared() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("GRAPHDB_SHARED").map_or_else(beside, PathBuf::from);
    root.join(REAL).is_dir().then_some(root)
}

/// The gzip file within an encrypted object.
fn decrypted(object: &Path, key: &EncryptionKey, into: &Path) -> PathBuf {
    let mut reader = CipherReader::new(File::open(object).unwrap(), Some(key)).unwrap();
    io::copy(&mut reader, &mut File::create(into).unwrap()).unwrap();
    into.to_owned()
}

fn decode(gzip: &Path) -> u64 {
    let mut reader = MultiGzDecoder::new(File::open(gzip).unwrap());
    let (mut buffer, mut total) = (vec![0; 1 << 20], 0);
    loop {
        match reader.read(&mut buffer).unwrap() {
            0 => return total,
            read => total += read as u64,
        }
    }
}

fn gunzip(gzip: &Path) {
    let status = Command::new("gunzip").arg("-c").arg(gzip).stdout(Stdio::null()).status().unwrap();
    assert!(status.success());
}
