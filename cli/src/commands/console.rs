//! `eventcore console`

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use eventcore_console::{Console, Options, Secret, StartError};
use tokio::sync::oneshot;

use crate::context::Context;
use crate::ends::Ends;
use crate::failure::Failure;
use crate::output::safe;

/// The arguments of `eventcore console`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The address and port to listen at; port 0: one that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8811")]
    listen: SocketAddr,
    /// Let a browser change something: pause, replay, rebuild, end a session
    #[arg(long)]
    allow_actions: bool,
    /// Have people sign in with the secret in this file; `-`: with one that is printed at the start
    #[arg(long, value_name = "FILE")]
    auth: Option<PathBuf>,
    /// Answer under this name of the host too; may be given several times
    #[arg(long = "allow-host", value_name = "NAME")]
    hosts: Vec<String>,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let secret = arguments.auth.as_deref().map(secret).transpose()?;
    let options = Options::new(context.reached().await?)
        .listen(arguments.listen)
        .allow_actions(arguments.allow_actions)
        .secret(secret.clone())
        .hosts(arguments.hosts.clone())
        .log(|line| {
            // A log that cannot be written does not end the console.
            let _ = writeln!(io::stderr(), "{}", safe(line));
        });
    let console = Console::bind(options).await.map_err(|error| match error {
        StartError::Open(_) => Failure::Usage(error.to_string()),
        error => Failure::Io(io::Error::other(error.to_string())),
    })?;
    let mut ends = Ends::new()?;
    context.ends_by_itself();
    context
        .output
        .note(&format!("console at http://{}", console.address()))?;
    if let (Some(secret), Some("-")) = (&secret, arguments.auth.as_deref().and_then(Path::to_str)) {
        writeln!(io::stderr(), "sign in with {}", secret.reveal())?;
    }
    let (tell, told) = oneshot::channel::<()>();
    let mut served = std::pin::pin!(console.run(async {
        // Also if the sender is gone.
        let _ = told.await;
    }));
    tokio::select! {
        done = &mut served => return Ok(done?),
        () = ends.any() => {}
    }
    // It listens as long as it serves.
    let _ = tell.send(());
    tokio::select! {
        done = served => Ok(done?),
        // Twice: at once.
        () = ends.any() => Ok(()),
    }
}

/// The secret in a file, or a new one.
fn secret(file: &Path) -> Result<Secret, Failure> {
    if file.as_os_str() == "-" {
        return Secret::random().map_err(|error| Failure::Io(io::Error::other(error)));
    }
    let about = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| Failure::Usage(about(&error)))?;
    if may_be_read_by_others(file)? {
        let problem = "others may read it: run chmod 600 on it";
        return Err(Failure::Usage(about(&problem)));
    }
    Secret::new(&text).map_err(|error| Failure::Usage(about(&error)))
}

fn may_be_read_by_others(file: &Path) -> io::Result<bool> {
    Ok(std::fs::metadata(file)?.permissions().mode() & 0o077 != 0)
}
