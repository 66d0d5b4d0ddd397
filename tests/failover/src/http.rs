//! The parts of HTTP that Patroni's REST API needs.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Patroni answers a switchover only when it is finished.
const LIMIT: Duration = Duration::from_secs(30);
const GET_LIMIT: Duration = Duration::from_secs(3);

/// The answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Requests `path` from the server at `address`, `host:port`.
pub(crate) async fn get(address: &str, path: &str) -> Result<Response> {
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    ask(address, &request, GET_LIMIT).await
}

/// Sends a body of JSON.
pub(crate) async fn post(address: &str, path: &str, body: &str) -> Result<Response> {
    let request = format!(
        "POST {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    ask(address, &request, LIMIT).await
}

async fn ask(address: &str, request: &str, limit: Duration) -> Result<Response> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        // HTTP/1.0: the server closes the connection at the end.
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = timeout(limit, exchange)
        .await
        .with_context(|| format!("{address} does not answer within {} s", limit.as_secs()))?
        .with_context(|| format!("cannot ask {address}"))?;
    parse(&String::from_utf8_lossy(&answer))
}

fn parse(answer: &str) -> Result<Response> {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("the answer has no end of its header")?;
    let Some(status) = head.split(' ').nth(1).and_then(|code| code.parse().ok()) else {
        bail!("this is not HTTP: {head}");
    };
    Ok(Response {
        status,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_status_and_a_body() {
        let answer =
            parse("HTTP/1.0 503 Service Unavailable\r\nServer: x\r\n\r\n{\"a\": 1}").unwrap();
        assert_eq!(answer.status, 503);
        assert_eq!(answer.body, "{\"a\": 1}");
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        assert!(parse("no\r\n\r\n").is_err());
        assert!(parse("HTTP/1.0 200 OK").is_err());
    }
}
