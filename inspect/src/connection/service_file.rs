//! `pg_service.conf`: named sets of parameters.

use std::path::{Path, PathBuf};

use super::ConnectionError;
use super::environment::Environment;

/// Where Debian has it; others set `PGSYSCONFDIR`.
const SYSTEM_FOLDER: &str = "/etc/postgresql-common";

/// The file that defines a service, and its parameters.
pub(super) fn read(
    service: &str,
    own_file: Option<String>,
    environment: &Environment,
) -> Result<(PathBuf, Vec<(String, String)>), ConnectionError> {
    let own_file = own_file.or_else(|| environment.get("PGSERVICEFILE"));
    let files = files(own_file, environment);
    for (file, must_exist) in &files {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => continue,
            Err(error) => return Err(ConnectionError::File(file.clone(), error)),
        };
        if let Some(parameters) = section(&text, service) {
            return Ok((file.clone(), parameters));
        }
    }
    let names: Vec<String> = files
        .iter()
        .map(|(file, _)| file.display().to_string())
        .collect();
    Err(ConnectionError::NoService(
        service.to_owned(),
        names.join(", "),
    ))
}

/// The files to look into, and whether each has to exist.
fn files(own_file: Option<String>, environment: &Environment) -> Vec<(PathBuf, bool)> {
    let own = match own_file {
        Some(file) => Some((PathBuf::from(file), true)),
        None => environment
            .in_home(".pg_service.conf")
            .map(|file| (file, false)),
    };
    let folder = environment.get("PGSYSCONFDIR");
    let folder = folder.as_deref().unwrap_or(SYSTEM_FOLDER);
    let system = (Path::new(folder).join("pg_service.conf"), false);
    own.into_iter().chain([system]).collect()
}

/// The lines of a section, if it is there.
fn section(text: &str, service: &str) -> Option<Vec<(String, String)>> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| {
        line.strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
            == Some(service)
    })?;
    let parameter = |line: &str| {
        let (key, value) = line.split_once('=')?;
        Some((key.trim().to_owned(), value.trim().to_owned()))
    };
    let lines = lines.take_while(|line| !line.starts_with('['));
    Some(
        lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .filter_map(parameter)
            .collect(),
    )
}
