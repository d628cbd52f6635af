//! Files in the form of AWS's shared credentials, of which only keys are read.

use std::fs;
use std::path::Path;

use crate::credentials::AccessKeys;

/// The profile that is meant when none is named.
pub(super) const DEFAULT: &str = "default";

/// Reads the keys of a profile. Values are taken to the end of the line, as they are: a secret may have any character in it.
///
/// # Errors
/// Why not, as a part of a sentence that names file and profile and tells nothing of their contents.
pub(super) fn read(path: &Path, profile: &str) -> Result<AccessKeys, String> {
    let file = path.display();
    let text = fs::read_to_string(path).map_err(|err| format!("its credential file {file} cannot be read: {err}"))?;
    let lines =
        section(&text, profile).ok_or_else(|| format!("its credential file {file} has no profile {profile:?}"))?;
    let value = |name: &str| lines.iter().rev().find(|(found, _)| *found == name).map(|(_, value)| value.to_string());
    let keys =
        AccessKeys::from_fields(value("aws_access_key_id"), value("aws_secret_access_key"), value("aws_session_token"));
    let in_profile = |why: String| format!("in profile {profile:?} of its credential file {file}, {why}");
    keys.map_err(|err| in_profile(err.to_string()))?
        .ok_or_else(|| in_profile("aws_access_key_id and aws_secret_access_key are missing".into()))
}

/// The settings of a profile, which may be in several sections.
fn section<'a>(text: &'a str, profile: &str) -> Option<Vec<(&'a str, &'a str)>> {
    let mut found = None;
    let mut is_here = false;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            is_here = name.trim() == profile;
            if is_here {
                found.get_or_insert_default();
            }
        } else if let (true, Some((name, value))) = (is_here, line.split_once('=')) {
            found.get_or_insert_with(Vec::new).push((name.trim(), value.trim()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]

    use super::*;

    fn read_text(text: &str, profile: &str) -> Result<AccessKeys, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        fs::write(&file, text).unwrap();
        read(&file, profile)
    }

    #[test]
    fn a_profile_is_read_to_the_letter() {
        let text = "# of ops\n[default]\naws_access_key_id=a\naws_secret_access_key=b\n\n[ ops ]\r\n\
            aws_access_key_id = id\r\naws_secret_access_key = s=/+\\n#;\r\naws_session_token=t==\r\nregion = x\n[other]\n";
        let keys = read_text(text, "ops").unwrap();
        assert_eq!((&*keys.access_key, keys.secret_key.expose()), ("id", "s=/+\\n#;"));
        assert_eq!(keys.session_token.unwrap().expose(), "t==");
        assert_eq!(read_text(text, "default").unwrap().access_key, "a");
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_is_told() {
        for (text, part) in [
            ("[ops]\naws_secret_access_key = canary\n", "the access key is missing"),
            ("[ops]\naws_access_key_id = canary\n", "the secret key is missing"),
            ("[ops]\nrole_arn = canary\n", "aws_access_key_id and aws_secret_access_key are missing"),
            ("[other]\naws_access_key_id = canary\n", "has no profile \"ops\""),
            ("canary", "has no profile \"ops\""),
        ] {
            let why = read_text(text, "ops").err().unwrap();
            assert!(why.contains(part) && !why.contains("canary"), "{why}");
        }
        assert!(read(Path::new("/nowhere/keys"), "ops").is_err_and(|why| why.contains("/nowhere/keys")));
    }
}
