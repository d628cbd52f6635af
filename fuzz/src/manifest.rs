//! Manifests: ours, and Dgraph's of one backup and of all.

use std::iter;

use graphdb_archive::{BackupFolder, DgraphManifest, EncryptionKey, ManifestError, SealedManifest, Sha256Digest};

/// The key of the seeds that are encrypted.
const SECRET: [u8; 32] = [7; 32];

/// A manifest is sealed as it was parsed, a list of one is that one, and every archive has a name.
pub fn check(bytes: &[u8]) {
    check_ours(bytes.to_vec());
    // Changed bytes never have the right digest, so the input is sealed as an attacker could; seeds lack their end for that.
    check_ours(sealed(bytes, None));
    check_ours(sealed(bytes, Some([0; 32])));
    check_dgraphs(bytes);
}

/// Closes the JSON of a manifest with its digest, and with an HMAC that is wrong.
fn sealed(body: &[u8], hmac: Option<[u8; 32]>) -> Vec<u8> {
    let mut bytes = [body, format!(",\"sha256\":\"{}\"", Sha256Digest::of(body)).as_bytes()].concat();
    if let Some(hmac) = hmac {
        bytes.extend_from_slice(format!(",\"hmac\":\"{}\"", Sha256Digest(hmac)).as_bytes());
    }
    bytes.extend_from_slice(b"}}\n");
    bytes
}

fn folder() -> BackupFolder {
    BackupFolder::parse("dgraph.20260104.224757.709").expect("it has the form of one")
}

fn check_ours(bytes: Vec<u8>) {
    let Ok(parsed) = SealedManifest::parse(folder(), bytes.clone()) else { return };
    let manifest = parsed.manifest();
    assert_eq!((parsed.bytes(), parsed.digest()), (&bytes[..], Sha256Digest::of(&bytes)));
    let key = EncryptionKey::new(&SECRET).expect("32 bytes are a key");
    assert!(parsed.unlock(Some(&key)).is_err() || manifest.is_encrypted(), "a needless key");
    assert_eq!(parsed.unlock(None).is_err(), manifest.is_encrypted(), "a missing key");
    manifest.size_bytes();
    manifest.groups.keys().for_each(|group| _ = folder().archive(manifest.read_ts, *group));
    let key = manifest.is_encrypted().then_some(&key);
    match SealedManifest::seal(folder(), manifest.clone(), key) {
        Ok(again) => {
            let again = SealedManifest::parse(folder(), again.bytes().to_vec()).expect("it was just sealed");
            assert_eq!(again.manifest(), manifest, "sealed and parsed again");
            again.unlock(key).expect("it was just sealed");
        }
        Err(ManifestError::WrongKey { .. }) if key.is_some() => {}
        Err(err) => panic!("a manifest that was read cannot be sealed: {err}"),
    }
}

fn check_dgraphs(bytes: &[u8]) {
    let folder = folder().name().clone();
    let one = DgraphManifest::parse(&folder, bytes).ok();
    one.iter().for_each(check_dgraph);
    let of_one = DgraphManifest::parse_master(&[b"{\"Manifests\":[", bytes, b"]}"].concat());
    if let (Some(one), Ok(list)) = (&one, of_one) {
        let list: Vec<_> = list.into_iter().map(|listed| DgraphManifest { folder: folder.clone(), ..listed }).collect();
        assert!(list.iter().eq(iter::once(one)), "{list:?} is not a list of {one:?}");
    }
    DgraphManifest::parse_master(bytes).iter().flatten().for_each(check_dgraph);
}

fn check_dgraph(manifest: &DgraphManifest) {
    manifest.groups.keys().for_each(|group| _ = manifest.archive(*group));
}
