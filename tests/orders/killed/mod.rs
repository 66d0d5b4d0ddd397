//! The server, the application and its partners are killed at random under load. Afterwards every
//! order has ended in exactly one of two ways; stock, payments and shipments agree to the piece and
//! the cent; and what the callers were told holds.
//!
//! `EVENTCORE_LONG` is the duration of the kills in seconds: 15 by default, 120 for the long form.
//! `EVENTCORE_SEED` chooses the kills and the orders; a run prints its seed.

mod asking;
mod check;
mod customers;
mod facts;
mod faults;
mod fold;
mod others;
mod programs;
mod rows;
mod tampered;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use eventcore_harness::{Server, ServerOptions};
use fastrand::Rng;

use crate::suite::support::LIMIT;
use asking::{Request, Shop};
use customers::{Customer, Placed};
use facts::Facts;
use faults::Victims;
use programs::Program;

const SECONDS: u64 = 15;
const CUSTOMERS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_every_order_ends_once_with_read_models_in_the_server() {
    every_order_ends_once("server").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_every_order_ends_once_with_read_models_of_the_program() {
    every_order_ends_once("client").await;
}

async fn every_order_ends_once(projections: &'static str) {
    let seed = variable("EVENTCORE_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    let seconds = variable("EVENTCORE_LONG").unwrap_or(SECONDS);
    println!("{projections}: EVENTCORE_SEED={seed} EVENTCORE_LONG={seconds}");
    let mut random = Rng::with_seed(seed);
    let folder = Folder::new(projections);
    let (mut victims, url) = start(projections, &folder.0);
    let shop = Arc::new(Shop::new(url));

    others::fill(&shop, &mut random).await;
    let customers: Vec<_> = (0..CUSTOMERS)
        .map(|number| Customer::new(&shop, seed, number).order_until_closing())
        .map(tokio::spawn)
        .collect();
    let warehouse = tokio::spawn(others::deliver(Arc::clone(&shop), random.fork()));
    let looks = tokio::spawn(others::look(Arc::clone(&shop), random.fork()));
    let kills = victims
        .kill_for(Duration::from_secs(seconds), &mut random)
        .await;
    // Everything is started once more, and the callers ask until they have their answers.
    victims.everything(Duration::ZERO).await;
    others::close(&shop);
    let mut placed = Vec::new();
    for customer in customers {
        placed.extend(customer.await.unwrap());
    }
    let (sent, (looks, rebuilds)) = (warehouse.await.unwrap(), looks.await.unwrap());
    ask_again(&shop, &placed, &mut random).await;
    settle(&victims).await;

    let statistics = shop.ask(&Request::get("/statistics"), &mut random).await;
    let client = facts::connect(&victims.url).await;
    let facts = Facts {
        events: facts::events(&client).await,
        ledger: facts::ledger(&folder.0.join("ledger")),
        tables: facts::tables(&client).await,
        statistics: statistics.expect(&[200]).body,
        placed,
        sent,
    };
    let wrong = check::complaints(&facts);
    assert!(
        wrong.is_empty(),
        "{} complaints:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    tampered::is_noticed(&facts);

    for log in [
        victims.application.end().await,
        victims.partners.end().await,
    ] {
        assert!(!log.contains("panicked"), "{log}");
    }
    let count = |state: &str| facts.statistics["orders"][state].as_u64().unwrap();
    println!(
        "{projections}: {} orders, {} completed, {} cancelled, {} of them charged before anybody knew; {} events; {kills:?}; {} requests unanswered, {} \
         refused for a conflict, {} unavailable; {looks} lists, {rebuilds} rebuilds",
        facts.placed.len(),
        count("Completed"),
        count("Cancelled"),
        check::charged_in_doubt(&facts),
        facts.events.len(),
        shop.unanswered.load(Relaxed),
        shop.conflicts.load(Relaxed),
        shop.unavailable.load(Relaxed),
    );
}

/// A number in the environment.
fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is a number")),
    )
}

/// Starts the three, and returns the address of the application too.
fn start(projections: &str, folder: &Path) -> (Victims, String) {
    // A kill ends processes and not the machine: what they have written is there without fsync too.
    let options = ServerOptions::new().set("max_worker_processes", "16");
    let server = Server::start(options.without_fsync()).unwrap();
    let url = server.create_database("orders").unwrap();
    // Ports that are free now. A program that is killed comes back at the same port.
    let ports = [(); 2].map(|()| {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port().to_string()
    });
    let ledger = folder.join("ledger");
    let address = format!("127.0.0.1:{}", ports[0]);
    let arguments = [
        ["stub", "--address", &address],
        ["--ledger", ledger.to_str().unwrap(), "--fail=0.1"],
        ["--lose=0.2", "--slow=0.5", "--delay=1200"],
    ];
    let partners = Program::start("partners", folder, &arguments.concat(), &[]);
    let variables = [
        ("HOST", "127.0.0.1"),
        ("PORT", &ports[1]),
        ("DATABASE_URL", &url),
        ("PROJECTIONS", projections),
        ("PARTNERS_URL", &format!("http://{address}")),
        ("PARTNERS_TIMEOUT_MS", "1000"),
        ("FULFILMENT_RUNNERS", "8"),
        ("DB_MAX_CONNECTIONS", "20"),
        ("RUST_LOG", "warn"),
    ];
    let application = Program::start("application", folder, &["serve"], &variables);
    let victims = Victims {
        server,
        url,
        application,
        partners,
    };
    (victims, format!("http://127.0.0.1:{}", ports[1]))
}

/// Each order once more, with its key: it is the same order.
async fn ask_again(shop: &Shop, placed: &[Placed], random: &mut Rng) {
    for one in placed {
        let request = Request::once(one.key.clone(), "/orders", one.body.clone());
        let answer = shop.ask(&request, random).await.expect(&[201]);
        assert!(answer.is_replay, "{one:?}");
        assert_eq!(answer.body["order_id"], *one.order);
    }
}

/// Waits until all orders and fulfilments have ended, as long as one more ends now and then.
async fn settle(victims: &Victims) {
    let client = facts::connect(&victims.url).await;
    let (mut left, mut since) = (usize::MAX, Instant::now());
    loop {
        let open = facts::open(&client).await;
        if open.is_empty() {
            return;
        }
        if open.len() != left {
            (left, since) = (open.len(), Instant::now());
        }
        assert!(since.elapsed() < LIMIT, "these do not end: {open:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A folder for the ledger and what the programs trace. It stays if the test fails.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("orders-killed-{name}-{}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        match std::thread::panicking() {
            true => eprintln!("the ledger and the logs are in {}", self.0.display()),
            false => std::fs::remove_dir_all(&self.0).unwrap(),
        }
    }
}
