//! `cargo xtask rehearse`: something is broken, and an operator finds and fixes it. Only one rehearsal
//! runs at a time; other calls talk to it through files in its folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use clap::Args;
use eventcore_harness::Binaries;
use eventcore_rehearsal::{SITUATIONS, Situation, Stage};

use crate::PgOption;
use crate::lock::{Lock, try_lock};
use crate::setup;
use crate::step::Ui;
use crate::workspace::Workspace;

/// How often to look whether it is fixed, or whether something is asked for.
const LOOK: Duration = Duration::from_millis(300);

/// `cargo xtask rehearse …`
#[derive(Args)]
pub(crate) struct Arguments {
    /// The situation; `all`: one after the other; `list`: what there is
    #[arg(default_value = "list", conflicts_with_all = ["check", "restart", "deploy"])]
    situation: String,
    /// Say whether the situation that runs is fixed, and for how long it has been there; exits with 1
    /// if it is not
    #[arg(long, group = "request")]
    check: bool,
    /// Restart its server, as the service manager of a machine does
    #[arg(long, group = "request")]
    restart: bool,
    /// Put the newest release of its shop into operation, and start what has ended
    #[arg(long, group = "request")]
    deploy: bool,
    #[command(flatten)]
    pg: PgOption,
}

pub(crate) fn run(workspace: &Workspace, ui: &Ui, arguments: &Arguments) -> Result<ExitCode> {
    let desk = Desk {
        folder: workspace.target.join("xtask/rehearsal"),
    };
    if arguments.check {
        return check(workspace, ui, arguments.pg.pg, &desk);
    }
    for (is_asked, request) in [
        (arguments.restart, Request::Restart),
        (arguments.deploy, Request::Deploy),
    ] {
        if is_asked {
            let step = ui.step(request.title());
            desk.ask(request)?;
            step.done();
            return Ok(ExitCode::SUCCESS);
        }
    }
    if arguments.situation == "list" {
        for situation in SITUATIONS {
            ui.answer(&format!("{:16} {}", situation.name, situation.symptom));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let situations = named(&arguments.situation)?;
    let _lock = desk.lock()?;
    let binaries = setup::run(workspace, ui, arguments.pg.pg)?.binaries;
    let mut times = Vec::new();
    for situation in situations {
        let time = rehearse(ui, &desk, &binaries, situation)?;
        ui.say(&format!(
            "{}: fixed after {} s",
            situation.name,
            time.as_secs()
        ));
        times.push(time);
    }
    if times.len() > 1 {
        let total: Duration = times.iter().sum();
        ui.say(&format!("all fixed after {} s", total.as_secs()));
    }
    Ok(ExitCode::SUCCESS)
}

fn named(name: &str) -> Result<Vec<&'static Situation>> {
    if name == "all" {
        return Ok(SITUATIONS.to_vec());
    }
    match Situation::named(name) {
        Some(situation) => Ok(vec![situation]),
        None => bail!("there is no situation {name}: `cargo xtask rehearse list` shows all"),
    }
}

/// Brings a situation about and waits until it is fixed; returns how long that took.
fn rehearse(
    ui: &Ui,
    desk: &Desk,
    binaries: &Binaries,
    situation: &'static Situation,
) -> Result<Duration> {
    let step = ui.step("a server, and something that does not work");
    let mut stage = Stage::begin(binaries.clone(), situation)?;
    step.done();
    desk.open(situation, &stage.url())?;
    ui.say(&format!(
        "\n{}: {}\n\n  export EVENTCORE_URL='{}'\n\n\
         cargo xtask rehearse --check, --restart (of the server), --deploy (the shop's newest release)\n\
         Ctrl-C gives up and removes everything.\n",
        situation.name,
        situation.symptom,
        stage.url()
    ));
    let began = Instant::now();
    while !stage.is_fixed()? {
        let Some(request) = desk.asked() else {
            thread::sleep(LOOK);
            continue;
        };
        match request {
            Request::Restart => stage.restart_server()?,
            Request::Deploy => stage.deploy()?,
        }
        remove(&desk.file(request.file()))?;
    }
    let time = began.elapsed();
    desk.close(situation, time)?;
    Ok(time)
}

/// Asks the database of the situation that runs; if none does, says how the last one ended.
fn check(workspace: &Workspace, ui: &Ui, pg: Option<u32>, desk: &Desk) -> Result<ExitCode> {
    let Some(open) = desk.opened()? else {
        match fs::read_to_string(desk.file("last")) {
            Ok(last) => ui.answer(&format!(
                "no situation runs; the last one was {}",
                last.trim()
            )),
            Err(_) => ui.answer("no situation runs"),
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(installation) = setup::existing(workspace, ui, pg)? else {
        bail!("there is no private PostgreSQL to ask it with");
    };
    let mut psql = installation.binaries.command("psql");
    psql.args([
        "-X",
        "-q",
        "-A",
        "-t",
        "-c",
        open.situation.is_fixed(),
        &open.url,
    ]);
    let is_fixed = eventcore_harness::run(&mut psql)?.trim() == "t";
    let state = match is_fixed {
        true => "is fixed",
        false => "is not fixed",
    };
    let since = open.since.elapsed().unwrap_or_default().as_secs();
    ui.answer(&format!(
        "{} {state}, {since} s after it was reported",
        open.situation.name
    ));
    Ok(match is_fixed {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// What another call asks for.
#[derive(Clone, Copy)]
enum Request {
    Restart,
    Deploy,
}

impl Request {
    const ALL: [Self; 2] = [Self::Restart, Self::Deploy];

    fn file(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Deploy => "deploy",
        }
    }

    /// What is done, for the person who has asked.
    fn title(self) -> &'static str {
        match self {
            Self::Restart => "restart the server",
            Self::Deploy => {
                "deploy the newest release of the shop, and start its programs that have ended"
            }
        }
    }
}

/// The situation that runs, as another call sees it.
struct Open {
    situation: &'static Situation,
    url: String,
    since: SystemTime,
}

/// The folder in which calls meet. A running rehearsal holds its lock.
struct Desk {
    folder: PathBuf,
}

impl Desk {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn lock(&self) -> Result<Lock> {
        let Some(lock) = try_lock(&self.folder)? else {
            bail!("another rehearsal runs: end it first, with Ctrl-C where it was started");
        };
        // Of one that was killed.
        for name in Request::ALL.map(Request::file).iter().chain(&["open"]) {
            remove(&self.file(name))?;
        }
        Ok(lock)
    }

    fn open(&self, situation: &Situation, url: &str) -> Result<()> {
        write(&self.file("open"), &format!("{}\n{url}\n", situation.name))
    }

    fn close(&self, situation: &Situation, time: Duration) -> Result<()> {
        remove(&self.file("open"))?;
        let told = format!("{}, fixed after {} s\n", situation.name, time.as_secs());
        write(&self.file("last"), &told)
    }

    /// What runs now.
    fn opened(&self) -> Result<Option<Open>> {
        // If the lock is free, the process that wrote the file was killed.
        if try_lock(&self.folder)?.is_some() {
            return Ok(None);
        }
        let file = self.file("open");
        let Ok(text) = fs::read_to_string(&file) else {
            return Ok(None);
        };
        let (name, url) = text
            .split_once('\n')
            .context("the file `open` has one line")?;
        Ok(Some(Open {
            situation: Situation::named(name).context("the file `open` names no situation")?,
            url: url.trim().to_owned(),
            since: fs::metadata(&file)?.modified()?,
        }))
    }

    /// Asks for something, and waits until it is done.
    fn ask(&self, request: Request) -> Result<()> {
        if self.opened()?.is_none() {
            bail!("no situation runs: `cargo xtask rehearse list` shows what there is");
        }
        let file = self.file(request.file());
        write(&file, "")?;
        while file.exists() {
            if self.opened()?.is_none() {
                bail!("the rehearsal has ended");
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn asked(&self) -> Option<Request> {
        Request::ALL
            .into_iter()
            .find(|request| self.file(request.file()).exists())
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", file.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk(name: &str) -> Desk {
        let name = format!("xtask-rehearsal-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        Desk { folder }
    }

    #[test]
    fn all_situations_have_names_of_their_own_and_others_are_refused() {
        for situation in named("all").unwrap() {
            assert_eq!(named(situation.name).unwrap()[0].symptom, situation.symptom);
        }
        assert!(named("no-such-thing").is_err());
    }

    #[test]
    fn a_rehearsal_that_runs_is_seen_and_one_that_was_killed_is_not() {
        let desk = desk("seen");
        let lock = desk.lock().unwrap();
        desk.open(SITUATIONS[0], "postgresql:///shop").unwrap();
        let open = desk.opened().unwrap().unwrap();
        assert_eq!(open.situation.name, SITUATIONS[0].name);
        assert_eq!(open.url, "postgresql:///shop");
        assert!(desk.lock().is_err());
        drop(lock);
        assert!(desk.opened().unwrap().is_none());
        assert!(desk.ask(Request::Restart).is_err());
        fs::remove_dir_all(&desk.folder).unwrap();
    }

    #[test]
    fn what_is_asked_for_is_seen_until_it_is_done() {
        let desk = desk("asked");
        let _lock = desk.lock().unwrap();
        desk.open(SITUATIONS[0], "postgresql:///shop").unwrap();
        thread::scope(|scope| {
            let asking = scope.spawn(|| desk.ask(Request::Deploy));
            while desk.asked().is_none() {
                thread::yield_now();
            }
            remove(&desk.file(Request::Deploy.file())).unwrap();
            asking.join().unwrap().unwrap();
        });
        fs::remove_dir_all(&desk.folder).unwrap();
    }
}
