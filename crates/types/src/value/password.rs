use super::Value;
use super::convert::ConversionError;
use crate::ValType;

/// The shortest password, in bytes of its text. Dgraph's limit.
pub const MIN_PASSWORD_BYTES: usize = 6;
/// The longest password, in bytes: bcrypt looks at no more, so a longer one would match by its beginning.
pub const MAX_PASSWORD_BYTES: usize = 72;
/// The cost that Dgraph's own hashes have, some 50 ms of a core.
const COST: u32 = 10;

impl Value {
    /// Hashes a password with bcrypt (`$2a$10$`, random salt). Takes some 50 ms of processor time: call it off threads
    /// that must stay responsive.
    ///
    /// # Errors
    /// When the password is shorter than [`MIN_PASSWORD_BYTES`] or longer than [`MAX_PASSWORD_BYTES`], and when the system
    /// gives no randomness. The error does not show the password.
    pub fn hash_password(password: &str) -> Result<Value, ConversionError> {
        let refuse =
            |accepted| ConversionError::Unreadable { value: "(a password)".into(), to: ValType::Password, accepted };
        if !(MIN_PASSWORD_BYTES..=MAX_PASSWORD_BYTES).contains(&password.len()) {
            return Err(refuse("text of 6 to 72 bytes"));
        }
        let parts =
            bcrypt::hash_with_result(password, COST).map_err(|_| refuse("the system's randomness, which failed"))?;
        Ok(Value::Password(parts.format_for_version(bcrypt::Version::TwoA)))
    }

    /// Whether `password` is the one this value is the hash of. False for values of other types and for damaged hashes.
    /// Takes as long as hashing.
    pub fn check_password(&self, password: &str) -> bool {
        match self {
            Value::Password(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            _ => false,
        }
    }
}
