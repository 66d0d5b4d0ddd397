//! [`Remote`]: a service in another process, behind TCP. A message is a line of JSON, and the receipt a
//! line after it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use eventcore::HandlerError;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::message::Envelope;
use crate::wire::Receive;

/// The receipt of a message that was handled.
const HANDLED: &str = "handled";
/// How long to wait for a receipt.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest line that is read.
const LONGEST: u64 = 64 * 1024;

/// The service at this address. It may be away: then a message is not handled, and is sent again.
#[derive(Debug, Clone, Copy)]
pub struct Remote(pub SocketAddr);

impl Receive for Remote {
    async fn receive(&self, envelope: &Envelope) -> Result<(), HandlerError> {
        let exchange = async {
            let mut stream = TcpStream::connect(self.0).await?;
            write(&mut stream, &serde_json::to_string(envelope)?).await?;
            let receipt = read(&mut stream).await?;
            match receipt == HANDLED {
                true => Ok(()),
                false => Err(format!("the message was not handled: {receipt:?}").into()),
            }
        };
        tokio::time::timeout(PATIENCE, exchange).await?
    }
}

/// Hands messages over to a service until the program ends.
///
/// # Errors
///
/// The listener fails.
pub async fn serve<R: Receive>(listener: TcpListener, to: R) -> Result<Infallible, HandlerError> {
    let to = Arc::new(to);
    loop {
        let (stream, _) = listener.accept().await?;
        let to = Arc::clone(&to);
        tokio::spawn(async move {
            if let Err(error) = take(stream, &*to).await {
                eprintln!("a message was not taken: {error}");
            }
        });
    }
}

/// Takes one message. The receipt follows only when it is handled.
async fn take(mut stream: TcpStream, to: &impl Receive) -> Result<(), HandlerError> {
    let line = tokio::time::timeout(PATIENCE, read(&mut stream)).await??;
    let receipt = match to.receive(&serde_json::from_str(&line)?).await {
        Ok(()) => HANDLED.to_owned(),
        Err(error) => error.to_string(),
    };
    write(&mut stream, &receipt).await
}

async fn write(stream: &mut TcpStream, line: &str) -> Result<(), HandlerError> {
    Ok(stream.write_all(format!("{line}\n").as_bytes()).await?)
}

async fn read(stream: &mut TcpStream) -> Result<String, HandlerError> {
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST))
        .read_line(&mut line)
        .await?;
    match line.pop() {
        Some('\n') => Ok(line),
        _ => Err("the line has no end".into()),
    }
}
