//! JSON that a caller passes as text.

use crate::error::Error;
use crate::pg::catch::{ErrorFields, shortened_to, translating};
use crate::pg::jsonb::Encoder;
use crate::pg::value::{Jsonb, Text};
use std::cell::Cell;

/// How many bytes of what the server says about a text an error repeats. The server repeats parts of
/// the text, which may be long.
const LONGEST_REASON: usize = 400;

/// The most memory, in bytes, that a process keeps for the texts of its next call.
const MOST_KEPT: usize = 16 * 1024;

thread_local! {
    /// The encoder of the last call.
    static LAST: Cell<Option<Encoder>> = const { Cell::new(None) };
}

/// Reads texts. It keeps its buffers for the next text, and small ones for the next call.
pub struct Reader {
    encoder: Encoder,
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.encoder.size() <= MOST_KEPT {
            LAST.set(Some(std::mem::take(&mut self.encoder)));
        }
    }
}

impl Reader {
    pub fn new() -> Self {
        Self {
            encoder: LAST.take().unwrap_or_default(),
        }
    }

    /// Reads the text: by our encoder if it is ordinary, and else by the server. `malformed` makes
    /// the error for a text that cannot be a jsonb, from the reason: what the server says about it.
    ///
    /// The error is raised and not returned: see [`translating`].
    pub fn read<'a>(
        &mut self,
        text: Text<'_>,
        malformed: impl FnOnce(String) -> Error,
    ) -> Jsonb<'a> {
        self.encoder.encode(text).unwrap_or_else(|| {
            translating(
                || Jsonb::parse(text),
                |raised| is_about_the_text(&raised.sqlstate).then(|| malformed(reason(raised))),
            )
        })
    }
}

/// Whether the server refuses the text itself: it is not JSON, or it has a part that a jsonb cannot
/// hold. A text that is nested too deep for the server's stack (54001) is not among these, because
/// the limit is a setting.
fn is_about_the_text(sqlstate: &str) -> bool {
    sqlstate.starts_with("22") || sqlstate == "54000"
}

fn reason(raised: ErrorFields) -> String {
    let detail = raised.detail.map(|detail| format!(" ({detail})"));
    let reason = format!(
        "cannot be a jsonb: {}{}",
        raised.message,
        detail.unwrap_or_default()
    );
    shortened_to(LONGEST_REASON, reason)
}
