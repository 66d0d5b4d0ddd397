//! A text in shared memory, of limited length.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

pub struct SharedText<const N: usize> {
    length: AtomicU32,
    bytes: [AtomicU8; N],
}

impl<const N: usize> SharedText<N> {
    pub fn fresh() -> Self {
        Self {
            length: AtomicU32::new(0),
            bytes: [const { AtomicU8::new(0) }; N],
        }
    }

    /// Stores as much of the text as fits, in whole characters.
    pub fn store(&self, text: &str) {
        let length = text.floor_char_boundary(N);
        for (place, byte) in self.bytes.iter().zip(text[..length].bytes()) {
            place.store(byte, Relaxed);
        }
        self.length
            .store(u32::try_from(length).unwrap_or(0), Relaxed);
    }

    /// If another process may write the text meanwhile, the caller has to check that it did not.
    pub fn load(&self) -> String {
        let length = (self.length.load(Relaxed) as usize).min(N);
        let bytes: Vec<_> = self.bytes[..length]
            .iter()
            .map(|byte| byte.load(Relaxed))
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
