//! What must never be seen, and looking for it.

use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use graphdb_destination::testing::servers::Account;

/// Texts that must appear nowhere.
#[derive(Default)]
pub(super) struct Secrets {
    /// What each is, and the text.
    texts: Mutex<Vec<(&'static str, String)>>,
}

impl Secrets {
    pub(super) fn keep(&self, what: &'static str, text: &str) {
        assert!(text.len() >= 8, "{what} is too short to be looked for");
        self.texts.lock().unwrap().push((what, text.to_owned()));
    }

    /// The secret key of an account, and the token of its session.
    pub(super) fn keep_account(&self, account: &Account) {
        self.keep("a secret key", account.secret_key.expose());
        if let Some(token) = &account.session_token {
            self.keep("a session token", token.expose());
        }
    }

    /// A key, in each form in which one writes bytes. It is a text itself.
    pub(super) fn keep_key(&self, key: &[u8]) {
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        for text in [&hex.to_uppercase(), &hex, &STANDARD.encode(key), &URL_SAFE.encode(key)] {
            self.keep("an encryption key", text);
        }
        self.keep("an encryption key", std::str::from_utf8(key).unwrap());
        let list: Vec<_> = key.iter().map(u8::to_string).collect();
        self.keep("an encryption key", &list.join(", "));
    }

    /// That none of them is in `bytes`.
    #[track_caller]
    pub(super) fn assert_absent(&self, place: &str, bytes: &[u8]) {
        if let Some((what, before)) = self.find(bytes) {
            panic!("{what} is in {place}, after: {before}");
        }
    }

    /// What of them is in `bytes`, and what stands before it.
    fn find(&self, bytes: &[u8]) -> Option<(&'static str, String)> {
        let text = String::from_utf8_lossy(bytes);
        let texts = self.texts.lock().unwrap();
        texts.iter().find_map(|(what, secret)| {
            let at = text.find(secret.as_str())?;
            let from = text.floor_char_boundary(at.saturating_sub(300));
            Some((*what, text[from..at].to_owned()))
        })
    }
}

#[test]
fn what_is_looked_for_is_found_in_each_form() {
    let secrets = Secrets::default();
    secrets.keep_key(b"canary-key-canary");
    for form in ["canary-key-canary", "63616e6172792d6b65792d63616e617279", "Y2FuYXJ5LWtleS1jYW5hcnk="] {
        let bytes = [b"\xff\x00before ", form.as_bytes(), b"\xc3\x28after"].concat();
        assert!(secrets.find(&bytes).is_some_and(|(_, before)| before.ends_with("before ")), "{form}");
    }
    assert_eq!(secrets.find(b"canary, but not the key"), None);
}
