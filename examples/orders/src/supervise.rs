//! [`for_ever`]: work behind the API that must not end while the program runs.

use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

/// How long to wait before work that has ended is started again.
const PAUSE: Duration = Duration::from_secs(1);

/// Does the work, and starts it again after an error or a panic. A task that panics is gone without
/// a word: the service would look healthy and do nothing. The panic itself is on standard error.
pub(crate) async fn for_ever<T, E, W>(what: &'static str, work: impl Fn() -> W)
where
    E: Display,
    W: Future<Output = Result<T, E>>,
{
    loop {
        // What the work shares is behind locks that a panic does not leave half-changed.
        match AssertUnwindSafe(work()).catch_unwind().await {
            Ok(Ok(_)) => tracing::error!("{what} has ended; it starts again"),
            Ok(Err(error)) => tracing::error!(%error, "{what} has stopped; it starts again"),
            Err(_panic) => {
                metrics::counter!("panics_total").increment(1);
                tracing::error!("{what} has panicked; it starts again");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
