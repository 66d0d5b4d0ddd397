//! `eventcore close`

use clap::Args;
use eventcore_inspect::close::close;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::maybe;

/// The arguments of `eventcore close`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The stream
    stream: String,
    /// Why; it is kept with the stream
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let stream = &arguments.stream;
    context
        .confirm(&format!("stream {stream:?} takes no more events"))
        .await?;
    let session = context.writer().await?;
    let closed = close(&session, stream, &arguments.reason).await?;
    let words = match closed.was_open {
        true => format!(
            "stream {stream:?} is closed at version {}",
            closed.stream.version
        ),
        false => format!(
            "stream {stream:?} was {} already: {}",
            closed.stream.state,
            maybe(closed.stream.reason.as_ref())
        ),
    };
    context.output.done(&words, &closed)
}
