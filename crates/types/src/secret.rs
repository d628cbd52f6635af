use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A text that is never printed and whose memory is overwritten when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps `text` secret from here on.
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The text, for the one place that must send it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `claim` is the secret. The time this takes tells no more than the secret's length.
    pub fn matches(&self, claim: &[u8]) -> bool {
        bool::from(self.0.as_bytes().ct_eq(claim))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_compared_whole_and_never_printed() {
        let secret = Secret::new("opensesame".into());
        assert!(secret.matches(b"opensesame"));
        assert!(!secret.matches(b"opensesam") && !secret.matches(b"opensesame!") && !secret.matches(b""));
        assert!(!format!("{secret:?}").contains("sesame"));
    }
}
