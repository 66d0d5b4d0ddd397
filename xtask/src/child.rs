//! Processes that end with this one.

use std::process::{Command, Stdio};

/// Wraps a command so that it is terminated when this process ends, however it ends. On a system
/// without `setpriv`, such as macOS, it returns the command unchanged.
pub(crate) fn ending_with_us(command: Command) -> Command {
    let known = Command::new("setpriv")
        .args(["--pdeathsig", "TERM", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !known {
        return command;
    }
    let mut wrapped = Command::new("setpriv");
    wrapped
        .args(["--pdeathsig", "TERM", "--"])
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        wrapped.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_command_keeps_its_folder_environment_and_exit_code() {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "test \"$PWD $ONE\" = \"/ two\" && exit 7"])
            .current_dir("/")
            .env("ONE", "two");
        let status = ending_with_us(command).status().unwrap();
        assert_eq!(status.code(), Some(7));
    }
}
