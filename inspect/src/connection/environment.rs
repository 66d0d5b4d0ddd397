//! [`Environment`]: what a process knows of its user and machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The environment of a process: its variables and its user.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// The name of the operating system's user.
    user: Option<String>,
}

impl Environment {
    /// The environment of this process. A variable that is not UTF-8 is left out.
    #[must_use]
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            variables,
            user: whoami::username().ok(),
        }
    }

    /// An environment of these variables and this user, for tests.
    #[must_use]
    pub fn of(variables: &[(&str, &str)], user: &str) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            variables: variables.iter().map(owned).collect(),
            user: Some(user.to_owned()),
        }
    }

    /// A variable that is set and not empty.
    pub(super) fn get(&self, variable: &str) -> Option<String> {
        let value = self.variables.get(variable)?;
        (!value.is_empty()).then(|| value.clone())
    }

    /// The name of the user.
    pub(super) fn user(&self) -> Option<String> {
        self.user.clone()
    }

    /// A file in the home folder.
    pub(super) fn in_home(&self, file: &str) -> Option<PathBuf> {
        Some(Path::new(&self.get("HOME")?).join(file))
    }
}
