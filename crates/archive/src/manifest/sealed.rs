use serde::Deserialize;
use serde::de::IgnoredAny;

use super::json::Json;
use super::{FORMAT_VERSION, MAX_MANIFEST_BYTES, Manifest, ManifestError};
use crate::{BackupFolder, EncryptionKey, Mac, Sha256Digest};

/// A manifest as it is stored: its meaning, its very bytes, and their digest, which the next backup names as its parent.
#[derive(Clone, Debug)]
pub struct SealedManifest {
    folder: BackupFolder,
    manifest: Manifest,
    bytes: Vec<u8>,
    digest: Sha256Digest,
}

/// What closes the JSON; the seals stand before it, as the last keys of `graphdb`.
const CLOSE: &[u8] = b"}}";
const SHA256_KEY: &[u8] = b",\"sha256\":\"";
const HMAC_KEY: &[u8] = b",\"hmac\":\"";
const SEALED_CLOSE: &[u8] = b"\"}}\n";
const HEX_LEN: usize = 64;

impl SealedManifest {
    /// Writes `manifest` and seals it: with a SHA-256 always, with an HMAC when there is a key.
    ///
    /// # Errors
    /// [`ManifestError::Invalid`] for a manifest that could not be read again, [`ManifestError::KeyMissing`],
    /// [`ManifestError::KeyUnwanted`] and [`ManifestError::WrongKey`] for a key that is not the archives'.
    pub fn seal(
        folder: BackupFolder,
        manifest: Manifest,
        key: Option<&EncryptionKey>,
    ) -> Result<SealedManifest, ManifestError> {
        check_key(&folder, &manifest, key)?;
        if let Some(what) = manifest.inconsistency() {
            return Err(ManifestError::Invalid { folder: folder.into(), what: what.into() });
        }
        let mut bytes =
            serde_json::to_vec(&Json::of(&folder, &manifest)).expect("strings and numbers always serialise");
        debug_assert!(bytes.ends_with(CLOSE));
        bytes.truncate(bytes.len() - CLOSE.len());
        let sha256 = Sha256Digest::of(&bytes).to_string();
        bytes.extend([SHA256_KEY, sha256.as_bytes()].concat());
        if let Some(key) = key {
            bytes.push(b'"');
            let hmac = key.manifest_mac(&bytes).to_string();
            bytes.extend([HMAC_KEY, hmac.as_bytes()].concat());
        }
        bytes.extend(SEALED_CLOSE);
        let digest = Sha256Digest::of(&bytes);
        Ok(SealedManifest { folder, manifest, bytes, digest })
    }

    /// Reads the manifest of the backup in `folder`. Damage is found here; tampering with an encrypted one by
    /// [`SealedManifest::unlock`].
    ///
    /// # Errors
    /// Whatever can be wrong with bytes that anybody may have written; see [`ManifestError`].
    pub fn parse(folder: BackupFolder, bytes: Vec<u8>) -> Result<SealedManifest, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLong { folder: folder.into() });
        }
        probe(&folder, &bytes)?;
        let json: Json = serde_json::from_slice(&bytes).map_err(|err| ManifestError::json(&folder, &err))?;
        let seals = Seals::read(&bytes);
        let unsealed = |what| ManifestError::Unsealed { folder: folder.name().clone(), what };
        let seals = seals.ok_or_else(|| unsealed("it does not end with its digest"))?;
        if seals.sha256 != Sha256Digest::of(&bytes[..seals.sha256_covers]) {
            return Err(unsealed("its SHA-256 is another"));
        }
        let manifest = json.into_manifest(&folder)?;
        if manifest.is_encrypted() != seals.hmac.is_some() {
            return Err(unsealed("an hmac seals encrypted backups, and no others"));
        }
        let digest = Sha256Digest::of(&bytes);
        Ok(SealedManifest { folder, manifest, bytes, digest })
    }

    /// Proves that `key` is this backup's and that the manifest was written by one of its owners; for a plain backup,
    /// that no key was given. To be called before anything the manifest says is acted on.
    pub fn unlock(&self, key: Option<&EncryptionKey>) -> Result<(), ManifestError> {
        check_key(&self.folder, &self.manifest, key)?;
        let Some(key) = key else { return Ok(()) };
        let seals = Seals::read(&self.bytes).expect("a sealed manifest has seals");
        let (hmac, covers) = seals.hmac.expect("an encrypted manifest has an hmac");
        if hmac == key.manifest_mac(&self.bytes[..covers]) {
            return Ok(());
        }
        Err(ManifestError::Unsealed { folder: self.folder.name().clone(), what: "its HMAC is another" })
    }

    /// The backup's folder.
    pub fn folder(&self) -> &BackupFolder {
        &self.folder
    }

    /// What the manifest says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What is stored under [`BackupFolder::manifest`].
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The SHA-256 of [`SealedManifest::bytes`].
    pub fn digest(&self) -> Sha256Digest {
        self.digest
    }
}

fn check_key(folder: &BackupFolder, manifest: &Manifest, key: Option<&EncryptionKey>) -> Result<(), ManifestError> {
    let folder = || folder.name().clone();
    match (manifest.key_check, key) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(ManifestError::KeyUnwanted { folder: folder() }),
        (Some(_), None) => Err(ManifestError::KeyMissing { folder: folder() }),
        (Some(check), Some(key)) if key.check() == check => Ok(()),
        (Some(_), Some(_)) => Err(ManifestError::WrongKey { folder: folder() }),
    }
}

/// The seals at the end of a manifest and how many bytes before them each covers.
struct Seals {
    sha256: Sha256Digest,
    sha256_covers: usize,
    hmac: Option<(Mac, usize)>,
}

impl Seals {
    fn read(bytes: &[u8]) -> Option<Seals> {
        let rest = bytes.strip_suffix(SEALED_CLOSE)?;
        let (before_hmac, hmac) = match take_hex(rest, HMAC_KEY) {
            // The quote that ends the SHA-256 belongs to what the HMAC covers.
            Some((before, hex)) => (before.strip_suffix(b"\"")?, Some((Mac::from_hex(hex)?, before.len()))),
            None => (rest, None),
        };
        let (before, hex) = take_hex(before_hmac, SHA256_KEY)?;
        Some(Seals { sha256: Sha256Digest::from_hex(hex)?, sha256_covers: before.len(), hmac })
    }
}

/// Splits `bytes` into what stands before `key`, and the hex digits behind it that end `bytes`.
fn take_hex<'a>(bytes: &'a [u8], key: &[u8]) -> Option<(&'a [u8], &'a str)> {
    let (before, hex) = bytes.split_at_checked(bytes.len().checked_sub(HEX_LEN)?)?;
    Some((before.strip_suffix(key)?, std::str::from_utf8(hex).ok()?))
}

/// The least that tells a manifest of ours from Dgraph's and from a future one.
#[derive(Deserialize)]
struct Probe {
    version: Option<u32>,
    #[serde(rename = "Manifests")]
    master: Option<IgnoredAny>,
    graphdb: Option<ProbeOurs>,
}

#[derive(Deserialize)]
struct ProbeOurs {
    format_version: u64,
    tool: Option<String>,
}

fn probe(folder: &BackupFolder, bytes: &[u8]) -> Result<(), ManifestError> {
    let probe: Probe = serde_json::from_slice(bytes).map_err(|err| ManifestError::json(folder, &err))?;
    let folder = folder.name().clone();
    match probe.graphdb {
        Some(ours) if ours.format_version > u64::from(FORMAT_VERSION) => {
            let tool = ours.tool.unwrap_or_else(|| "a newer graphdb".into());
            Err(ManifestError::Future { folder, found: ours.format_version, tool })
        }
        Some(_) => Ok(()),
        // Dgraph seals nothing.
        None if Seals::read(bytes).is_some() => {
            Err(ManifestError::Unsealed { folder, what: "it has a seal, and nothing else of ours" })
        }
        None => {
            let written_by = match (probe.master, probe.version) {
                (Some(_), _) => "Dgraph v21.03 or newer (a list of manifests)",
                (None, None | Some(0)) => "Dgraph v1.1 to v20.11",
                (None, Some(2103)) => "Dgraph v21.03 or v22.0 (version 2103)",
                (None, Some(2105)) => "Dgraph v21.12 or v23.0 and newer (version 2105)",
                (None, Some(_)) => "an unknown program",
            };
            Err(ManifestError::Foreign { folder, written_by })
        }
    }
}
