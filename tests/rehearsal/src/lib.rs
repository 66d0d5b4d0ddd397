//! Broken situations: a private server with a small shop on it, whose processes run and of which
//! something does not work. An operator practises with them, and a test proves that the command
//! `eventcore` suffices to find and fix each.
//!
//! ```no_run
//! use eventcore_harness::Binaries;
//! use eventcore_rehearsal::{SITUATIONS, Stage};
//!
//! let stage = Stage::begin(Binaries::from_env()?, &SITUATIONS[0])?;
//! println!("{}\n{}", stage.situation().symptom, stage.url());
//! assert!(!stage.is_fixed()?);
//! # Ok::<(), eventcore_harness::Error>(())
//! ```

mod service;
mod situations;
mod stage;

pub use situations::{SITUATIONS, Situation};
pub use stage::Stage;
