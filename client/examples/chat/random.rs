//! What nobody may guess.

use rand::TryRng as _;
use rand::rngs::{SysError, SysRng};

/// 128 bits, as 32 hex digits.
pub(crate) fn text() -> Result<String, SysError> {
    let mut bytes = [0; 16];
    SysRng.try_fill_bytes(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// A number that no other worker has, as chance will have it.
pub(crate) fn number() -> Result<u32, SysError> {
    SysRng.try_next_u32()
}
