//! Random bytes from the operating system.

/// Fills with unpredictable bytes.
///
/// # Panics
/// When the operating system has no source of randomness; nothing secure can run then.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system provides randomness");
    bytes
}

/// An unpredictable number.
pub fn number() -> u64 {
    u64::from_le_bytes(bytes())
}

/// An unpredictable number of 32 bits.
pub fn number32() -> u32 {
    u32::from_le_bytes(bytes())
}

/// An unpredictable text of `N` bytes in hexadecimal digits.
pub fn hex<const N: usize>() -> String {
    bytes::<N>().iter().map(|byte| format!("{byte:02x}")).collect()
}
