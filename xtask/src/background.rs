//! A command that runs while other steps go on.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::child::ending_with_us;
use crate::step::{Ui, tail};

/// How many lines of the output a failure shows.
const TAIL_LINES: usize = 40;
/// How often to look whether it has ended.
const LOOK: Duration = Duration::from_millis(100);

/// A command in the background, its output in a log. Dropped before [`Background::finish`], it is
/// terminated.
#[must_use = "a dropped command is terminated"]
pub(crate) struct Background {
    title: String,
    child: Child,
    log: PathBuf,
}

impl Background {
    /// Starts the command. The step with this title is shown when it is waited for.
    pub(crate) fn start(ui: &Ui, title: &str, command: Command) -> Result<Self> {
        let log = ui.log(title);
        let output =
            File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = ending_with_us(command);
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .spawn()
            .with_context(|| format!("{title}: cannot start {program}"))?;
        Ok(Self {
            title: title.to_owned(),
            child,
            log,
        })
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self, ui: &Ui) -> Result<()> {
        let step = ui.step(&self.title);
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            step.show(&tail(&self.log, 1));
            thread::sleep(LOOK);
        };
        if !status.success() {
            bail!(
                "{}: failed; the end of its output (all of it is in {}):\n{}",
                self.title,
                self.log.display(),
                tail(&self.log, TAIL_LINES)
            );
        }
        step.done();
        Ok(())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::step::with_ui;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_command_in_the_background_runs_while_others_do() {
        with_ui("background", |ui| {
            // Each waits for what the other one does.
            let folder = ui.log("fifo").with_extension("");
            let wait = "mkdir -p $0; touch $0/one; until [ -e $0/two ]; do sleep 0.01; done";
            let mut one = shell(wait);
            one.arg(&folder);
            let one = Background::start(ui, "one", one).unwrap();
            let mut two = shell("until [ -e $0/one ]; do sleep 0.01; done; touch $0/two");
            two.arg(&folder);
            ui.run("two", &mut two).unwrap();
            one.finish(ui).unwrap();
        });
    }

    #[test]
    fn a_failure_ends_with_the_output() {
        with_ui("background-fails", |ui| {
            let command = Background::start(ui, "a build", shell("echo no room; exit 3")).unwrap();
            let error = command.finish(ui).unwrap_err().to_string();
            assert!(error.ends_with("no room"), "{error}");
        });
    }

    #[test]
    fn a_command_that_nobody_waits_for_is_ended() {
        with_ui("background-dropped", |ui| {
            let began = Instant::now();
            drop(Background::start(ui, "a build", shell("sleep 60")).unwrap());
            assert!(began.elapsed() < Duration::from_secs(30));
        });
    }
}
