//! The server's log.

use crate::pg::transaction;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How often the same line is logged.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Logs a line, but the same line only once a minute.
pub fn log_once_a_minute(line: &str) {
    thread_local! {
        static SAID: RefCell<HashMap<String, Instant>> = RefCell::new(HashMap::new());
    }
    SAID.with_borrow_mut(|said| {
        said.retain(|_, at| at.elapsed() < LOG_EVERY);
        if !said.contains_key(line) {
            transaction::log(line);
            said.insert(line.to_owned(), Instant::now());
        }
    });
}
