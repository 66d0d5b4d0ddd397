//! [`both`]: starts the two services as two processes, and kills them on the way.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;

use eventcore::HandlerError;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Where the services keep their events.
#[derive(Debug, Clone)]
pub enum Stores {
    /// In memory: whatever is killed has lost everything, so nothing is killed.
    Memory,
    /// In a database each.
    Databases {
        /// The database of the orders service.
        orders: String,
        /// The database of the payments service.
        payments: String,
    },
}

/// Runs both services until every order has ended. With databases, the payments service is killed after
/// 5 orders, and the orders service after 15; each starts again. Returns the last line of the orders service.
///
/// # Errors
///
/// A process cannot be started, or fails.
pub async fn both(program: &Path, stores: &Stores) -> Result<String, HandlerError> {
    let [at_orders, at_payments] = free_addresses()?;
    let (orders_url, payments_url) = match stores {
        Stores::Memory => (None, None),
        Stores::Databases { orders, payments } => (Some(orders), Some(payments)),
    };
    let start_orders = || start(program, "orders", at_orders, at_payments, orders_url);
    let start_payments = || start(program, "payments", at_payments, at_orders, payments_url);

    let mut payments = start_payments()?;
    let mut orders = Output::of(start_orders()?)?;
    if let Stores::Databases { .. } = stores {
        orders.skip(5).await?;
        payments.kill().await?;
        payments = start_payments()?;
        orders.skip(10).await?;
        orders.child.kill().await?;
        orders = Output::of(start_orders()?)?;
    }
    let last = orders.last().await?;
    payments.kill().await?;
    Ok(last)
}

/// Starts a service. Whatever happens, it is killed with this program.
fn start(
    program: &Path,
    service: &str,
    listen: SocketAddr,
    other: SocketAddr,
    database: Option<&String>,
) -> std::io::Result<Child> {
    let mut command = Command::new(program);
    command
        .arg(service)
        .args([listen, other].map(|address| address.to_string()))
        .env_remove("DATABASE_URL")
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    if let Some(url) = database {
        command.env("DATABASE_URL", url);
    }
    command.spawn()
}

/// Two addresses where nobody listens: each process has to know that of the other before that has started.
fn free_addresses() -> std::io::Result<[SocketAddr; 2]> {
    let listeners = [
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
    ];
    Ok([listeners[0].local_addr()?, listeners[1].local_addr()?])
}

/// A process and the lines that it prints.
struct Output {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Output {
    fn of(mut child: Child) -> Result<Self, HandlerError> {
        let output = child.stdout.take().ok_or("the output is not captured")?;
        let lines = BufReader::new(output).lines();
        Ok(Self { child, lines })
    }

    /// Waits for this number of lines.
    async fn skip(&mut self, lines: usize) -> Result<(), HandlerError> {
        for _ in 0..lines {
            let line = self.lines.next_line().await?;
            println!("{}", line.ok_or("the process ended too early")?);
        }
        Ok(())
    }

    /// The last line of a process that ends well.
    async fn last(&mut self) -> Result<String, HandlerError> {
        let mut last = String::new();
        while let Some(line) = self.lines.next_line().await? {
            last = line;
        }
        match self.child.wait().await?.success() {
            true => Ok(last),
            false => Err(format!("the process failed; its last line is {last:?}").into()),
        }
    }
}
