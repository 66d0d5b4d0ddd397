//! Each call from eventcore's code into the server fails in turn, for each function of the surface.
//!
//! `tests/faults` makes them fail. `EVENTCORE_FAULT_ROUNDS` is the number of calls of each scenario
//! in which each kind of error is raised, spread over all its calls. A number that is large enough
//! means every call.

use super::scenarios::{SCENARIOS, SETUP, Scenario};
use super::*;

/// How an error is injected.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A statement of its own, in a session that has run it before.
    Alone(&'static str),
    /// The same, with empty caches in the session.
    Cold(&'static str),
    /// Under the resource owner of the transaction, as the server does it in nextval.
    OtherOwner(&'static str),
    /// In a savepoint of a transaction that continues and commits.
    Savepoint(&'static str),
    /// The session ends.
    Terminated,
}

const KINDS: [Kind; 6] = [
    Kind::OtherOwner("57014"),
    Kind::Alone("53200"),
    Kind::Savepoint("53200"),
    Kind::Cold("53100"),
    Kind::Savepoint("40001"),
    Kind::Terminated,
];

/// Empties the caches of OIDs and functions, in this process and all others.
const FORGET: &str = "ANALYZE eventcore.streams; ALTER FUNCTION apply COST 100";

/// What the server's log must not contain: reports of resources that were left behind.
const LEFT_BEHIND: [&str; 6] = [
    "leak",
    "not owned by resource owner",
    "still referenced",
    "WARNING",
    "TRAP",
    "stuck spinlock",
];

#[tokio::test]
async fn an_error_in_any_call_of_the_server_ends_the_statement_and_nothing_else() {
    let options = options().set("shared_preload_libraries", "eventcore,eventcore_faults");
    let server = own_server(options);
    let url = server.create_database("faults").unwrap();
    let mut run = Run {
        server: &server,
        session: connect(&url).await,
        watcher: connect(&url).await,
        url,
        rounds: rounds(),
        injected: 0,
        swallowed: Vec::new(),
    };
    if number(&run.session, "faults.stubs").await == 0 {
        println!("nothing is injected: this needs Linux on x86_64");
        return;
    }
    run.session.batch_execute(SETUP).await.unwrap();
    assert_eq!(
        without_scenario(&run.session).await,
        [""; 0],
        "functions without a scenario"
    );
    for scenario in SCENARIOS {
        run.scenario(scenario).await;
    }
    assert_alive(&server, "at the end");
    let log = server.log();
    let left = |line: &&str| LEFT_BEHIND.iter().any(|what| line.contains(what));
    assert_eq!(log.lines().find(left), None);
    println!(
        "{} errors injected into {} calls of the surface; caught inside: {:?}",
        run.injected,
        SCENARIOS.len(),
        run.swallowed
    );
}

fn rounds() -> i64 {
    let set = std::env::var("EVENTCORE_FAULT_ROUNDS").ok();
    set.map_or(3, |rounds| {
        rounds.parse().expect("EVENTCORE_FAULT_ROUNDS is a number")
    })
}

struct Run<'a> {
    server: &'a Server,
    url: String,
    session: Session,
    watcher: Session,
    rounds: i64,
    injected: usize,
    /// The calls whose error did not reach the client.
    swallowed: Vec<String>,
}

impl Run<'_> {
    async fn scenario(&mut self, scenario: &Scenario) {
        for kind in KINDS {
            if scenario.is_alone && matches!(kind, Kind::Savepoint(_)) {
                continue;
            }
            let calls = self.count(scenario, kind).await;
            let step = (calls / self.rounds).max(1);
            let mut call = 1 + Random::new().below(step as u64) as i64;
            while call <= calls {
                self.inject(scenario, kind, call).await;
                call += step;
            }
        }
        // The registry has forgotten the positions in flight.
        let position = append_one(&*self.session, "after").await;
        let safe = "SELECT eventcore_safe_position()";
        let safe: i64 = self
            .session
            .query_typed_one(safe, &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(safe, position, "after {}", scenario.call);
    }

    /// How often the scenario calls the server.
    async fn count(&mut self, scenario: &Scenario, kind: Kind) -> i64 {
        self.prepare(scenario, kind).await;
        self.arm(1_000_000, "57014", false).await;
        let done = outcome(&self.session, scenario.call).await;
        assert_eq!(done, Ok(()), "without an error: {}", scenario.call);
        let calls = number(&self.session, "faults.calls").await;
        self.disarm().await;
        calls
    }

    async fn inject(&mut self, scenario: &Scenario, kind: Kind, call: i64) {
        self.prepare(scenario, kind).await;
        let (code, other_owner) = match kind {
            Kind::Alone(code) | Kind::Cold(code) | Kind::Savepoint(code) => (code, false),
            Kind::OtherOwner(code) => (code, true),
            Kind::Terminated => ("57P01", false),
        };
        self.arm(call, code, other_owner).await;
        let done = match kind {
            Kind::Savepoint(_) => self.in_savepoint(scenario).await,
            _ => outcome(&self.session, scenario.call).await,
        };
        let what = || format!("call {call}, {code}, of {}", scenario.call);
        assert_alive(self.server, &what());
        self.injected += 1;
        if kind == Kind::Terminated {
            let session = &self.session;
            if done.is_err() {
                eventually("the session ends", async || session.is_closed()).await;
                self.session = connect(&self.url).await;
            } else {
                self.injected -= 1;
                self.disarm().await;
            }
        } else {
            let fired = setting(&self.session, "faults.fired").await;
            match done {
                Err(raised) => assert_eq!(raised, code, "{} ({fired})", what()),
                Ok(()) if fired.is_empty() => self.injected -= 1,
                Ok(()) => self.swallowed.push(format!("{fired} in {}", scenario.of)),
            }
            self.disarm().await;
        }
        self.nothing_is_left(&what()).await;
        // And now the statement works.
        self.prepare(scenario, kind).await;
        let done = outcome(&self.session, scenario.call).await;
        assert_eq!(done, Ok(()), "after an error in {}", what());
    }

    /// The statement fails, its savepoint is rolled back, the statement succeeds, and everything
    /// commits.
    async fn in_savepoint(&self, scenario: &Scenario) -> Result<(), String> {
        self.session
            .batch_execute("BEGIN; SAVEPOINT before")
            .await
            .unwrap();
        let done = outcome(&self.session, scenario.call).await;
        let back = "ROLLBACK TO before; SET faults.fail_at = 0";
        self.session.batch_execute(back).await.unwrap();
        let again = outcome(&self.session, scenario.call).await;
        assert_eq!(again, Ok(()), "in the same transaction: {}", scenario.call);
        self.session.batch_execute("COMMIT").await.unwrap();
        done
    }

    async fn prepare(&self, scenario: &Scenario, kind: Kind) {
        self.session.batch_execute(scenario.before).await.unwrap();
        if let Kind::Cold(_) = kind {
            self.session.batch_execute(FORGET).await.unwrap();
        }
    }

    async fn arm(&self, call: i64, code: &str, other_owner: bool) {
        // In this order, because setting the number also calls eventcore.
        let arm = format!(
            "SET faults.sqlstate = '{code}'; SET faults.other_owner = {other_owner}; SET faults.fail_at = {call}"
        );
        self.session.batch_execute(&arm).await.unwrap();
    }

    async fn disarm(&self) {
        self.session
            .batch_execute("SET faults.fail_at = 0")
            .await
            .unwrap();
    }

    /// No lock of the session is left, and nothing in the registry of positions.
    async fn nothing_is_left(&self, after: &str) {
        let left = "SELECT (SELECT count(*) FROM pg_locks WHERE pid = $1) + (SELECT count(*) FROM eventcore.stat_inflight)";
        let pid = &[(&self.session.pid as _, Type::INT4)];
        let left: i64 = self
            .watcher
            .query_typed_one(left, pid)
            .await
            .unwrap()
            .get(0);
        assert_eq!(
            left, 0,
            "locks or positions are left after an error in {after}"
        );
    }
}

async fn setting(session: &Session, name: &str) -> String {
    let show = format!("SHOW {name}");
    let rows = session.simple_query(&show).await.unwrap();
    let row = rows.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    row.unwrap_or_default().to_owned()
}

async fn number(session: &Session, name: &str) -> i64 {
    setting(session, name).await.parse().unwrap()
}

/// The functions of the surface without a scenario.
async fn without_scenario(session: &Session) -> Vec<String> {
    let all = "SELECT proname, pronargs::int FROM pg_proc WHERE proname LIKE 'eventcore\\_%'";
    let all = session.query_typed(all, &[]).await.unwrap();
    let names = all
        .iter()
        .map(|row| (row.get::<_, &str>(0), row.get::<_, i32>(1)));
    let is_known = |name: &str, arguments: i32| {
        let both = format!("{name}/{arguments}");
        SCENARIOS
            .iter()
            .any(|scenario| scenario.of == name || scenario.of == both)
    };
    let unknown = names.filter(|(name, arguments)| !is_known(name, *arguments));
    unknown
        .map(|(name, arguments)| format!("{name}/{arguments}"))
        .collect()
}
