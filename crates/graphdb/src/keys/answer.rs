//! What Vault answers, read so that secrets go from the answer's bytes into memory that is overwritten, with nothing in between.

use std::collections::BTreeMap;
use std::fmt;

use graphdb_types::Secret;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// An answer of Vault, of whichever kind. Servers that speak as Vault does leave out what is not needed, so everything may be missing.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Answer {
    pub(super) auth: Option<Auth>,
    #[serde(default)]
    pub(super) data: Option<Value>,
    #[serde(default)]
    errors: Vec<String>,
    error: Option<String>,
}

/// The token that a login or a renewal gives.
#[derive(Debug, Deserialize)]
pub(super) struct Auth {
    #[serde(deserialize_with = "secret")]
    pub(super) client_token: Secret,
    /// Seconds; 0 is for ever.
    #[serde(default)]
    pub(super) lease_duration: u64,
    #[serde(default)]
    pub(super) renewable: bool,
}

/// A JSON value as far as it matters: texts may be secrets.
#[derive(Debug)]
pub(super) enum Value {
    Text(Secret),
    Object(BTreeMap<String, Value>),
    Other,
}

/// More of a server's own words than anybody needs.
const MAX_REASON_CHARS: usize = 200;

impl Answer {
    /// Reads an answer; what is no JSON is an empty answer.
    pub(super) fn read(body: &[u8]) -> Answer {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// Why the server refused, in its own words, on one line.
    pub(super) fn reason(&self) -> Option<String> {
        let text = self.errors.iter().chain(&self.error).map(String::as_str).collect::<Vec<_>>().join("; ");
        let one_line = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let reason: String = one_line.collect::<Vec<_>>().join(" ").chars().take(MAX_REASON_CHARS).collect();
        Some(reason).filter(|reason| !reason.is_empty())
    }

    /// The fields of the secret: version 2 of the key-value engine has them one level deeper than version 1.
    pub(super) fn into_fields(self) -> BTreeMap<String, Value> {
        match self.data {
            Some(Value::Object(mut outer)) => match outer.remove("data") {
                Some(Value::Object(inner)) => inner,
                // The newest version was deleted; what is left are facts about it.
                Some(Value::Other) if matches!(outer.get("metadata"), Some(Value::Object(_))) => BTreeMap::new(),
                Some(other) => {
                    outer.insert("data".into(), other);
                    outer
                }
                None => outer,
            },
            _ => BTreeMap::new(),
        }
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(Secret::new(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some((name, value)) = map.next_entry()? {
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn names(json: &str) -> Vec<String> {
        Answer::read(json.as_bytes()).into_fields().into_keys().collect()
    }

    #[test]
    fn fields_are_found_in_both_versions_of_the_engine() {
        assert_eq!(names(r#"{"data": {"enc_key": "a", "n": 1}, "auth": null, "lease_id": ""}"#), ["enc_key", "n"]);
        assert_eq!(
            names(r#"{"data": {"data": {"enc_key": "a", "l": [1, {}]}, "metadata": {"version": 3}}}"#),
            ["enc_key", "l"]
        );
        // A field of version 1 that happens to be called data.
        assert_eq!(names(r#"{"data": {"data": "a", "b": null}}"#), ["b", "data"]);
        // A deleted version, no data, no JSON.
        assert!(names(r#"{"data": {"data": null, "metadata": {"deletion_time": "2026"}}}"#).is_empty());
        assert!(names(r#"{"data": null}"#).is_empty() && names("<html>").is_empty());
    }

    #[test]
    fn logins_of_vault_and_of_those_who_say_less_are_read() {
        for json in [
            r#"{"request_id": "x", "data": null, "auth": {"client_token": "hvs.t", "accessor": "a", "policies": ["p"],
                "metadata": {"role": "r"}, "lease_duration": 20, "renewable": true, "entity_id": "e", "num_uses": 0}}"#,
            r#"{"auth": {"client_token": "hvs.t", "lease_duration": 20, "renewable": true}, "data": {}}"#,
        ] {
            let auth = Answer::read(json.as_bytes()).auth.unwrap();
            assert_eq!((auth.client_token.expose(), auth.lease_duration, auth.renewable), ("hvs.t", 20, true));
            assert!(!format!("{auth:?}").contains("hvs"));
        }
    }

    #[test]
    fn reasons_are_short_and_on_one_line() {
        let reason = |json: &str| Answer::read(json.as_bytes()).reason();
        assert_eq!(
            reason(r#"{"errors": ["1 error occurred:\n\t* permission denied\n\n"]}"#).unwrap(),
            "1 error occurred: * permission denied"
        );
        assert_eq!(reason(r#"{"error": "RustyVault is sealed."}"#).unwrap(), "RustyVault is sealed.");
        assert_eq!(reason(&format!(r#"{{"errors": ["{}"]}}"#, "x".repeat(999))).unwrap().len(), 200);
        assert_eq!((reason(r#"{"errors": []}"#), reason("oops")), (None, None));
    }
}
