//! Errors that go no further. Nothing of the server may be called after one but the end of the transaction: see
//! [`unwinding`](super::unwinding).

use super::raise::{attempt, raise};
use super::value::Text;
use crate::error::{Error, Rejected};

/// An error of the server's or of ours that went no further.
#[derive(Debug)]
pub struct Caught {
    pub sqlstate: String,
    pub message: String,
}

/// Runs a transaction of a background worker, and catches what it raises: the caller rolls it back.
pub fn catching<R>(work: impl FnOnce() -> Result<R, Error>) -> Result<R, Caught> {
    // An error that we return says all in its message.
    let mut returned = None;
    let done = attempt(|| match work() {
        Ok(done) => Ok(Some(done)),
        Err(error) => {
            returned = Some(Caught::from(error));
            Ok(None)
        }
    });
    match done {
        Ok(Some(done)) => Ok(done),
        Ok(None) => Err(returned.unwrap_or_else(Caught::unknown)),
        Err(raised) => {
            let detail = raised.detail().map(|detail| format!(" ({detail})"));
            Err(Caught {
                sqlstate: raised.sqlstate(),
                message: format!("{}{}", raised.message(), detail.unwrap_or_default()),
            })
        }
    }
}

/// Runs a function of an application whose errors are its decision: raises them as SE006, with what was raised
/// in the DETAIL. What is no decision, such as a cancelled statement, is raised as it is.
///
/// The error is raised here and not returned: between it and the end of the transaction no destructor may run.
pub fn rejecting<R>(command: Text<'_>, work: impl FnOnce() -> R) -> R {
    let raised = match attempt(|| Ok(work())) {
        Ok(done) => return done,
        Err(raised) => raised,
    };
    let sqlstate = raised.sqlstate();
    if !is_decision(&sqlstate) {
        raised.go_on();
    }
    raise(&Error::Rejected(Rejected {
        command: command.to_string(),
        sqlstate,
        message: raised.message(),
        detail: raised.detail(),
        hint: raised.hint(),
    }))
}

/// Not a lost connection, a deadlock, a lock that was not to be had in time, too few resources, an operator, a broken
/// server, or an error of ours.
fn is_decision(sqlstate: &str) -> bool {
    !["08", "40", "53", "54", "57", "58", "XX", "SE", "00"].contains(&&sqlstate[..2])
        && sqlstate != "55P03"
}

impl Caught {
    fn unknown() -> Self {
        Self {
            sqlstate: "XX000".to_owned(),
            message: String::new(),
        }
    }
}

impl From<Error> for Caught {
    fn from(error: Error) -> Self {
        Self {
            sqlstate: error.code().sqlstate().to_owned(),
            message: error.message(),
        }
    }
}
