//! `completions` and `man`.

use crate::support::{Ran, program};

#[test]
fn shells_complete_every_command_and_there_is_a_page_for_each() {
    let commands = ["streams", "tail", "doctor", "execute", "subscriptions"];
    for shell in ["bash", "zsh", "fish"] {
        let script = Ran::of(program().args(["completions", shell]).output().unwrap()).ok();
        for command in commands {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    let folder = std::env::temp_dir().join(format!("eventcore-man-{}", std::process::id()));
    Ran::of(program().arg("man").arg(&folder).output().unwrap()).ok();
    for command in commands {
        let page = folder.join(format!("eventcore-{command}.1"));
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
