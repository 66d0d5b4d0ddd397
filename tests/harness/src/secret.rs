//! Passwords for servers that listen on a loopback port.

use std::fs::File;
use std::io::Read;

use crate::error::{Error, Result};

/// A password of 128 random bits, as 32 hexadecimal digits: safe in a URL and in SQL.
///
/// # Errors
/// `/dev/urandom` cannot be read.
pub fn random_password() -> Result<String> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(Error::io("read /dev/urandom"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_passwords_differ_and_need_no_quoting() {
        let (one, other) = (random_password().unwrap(), random_password().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 32);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
