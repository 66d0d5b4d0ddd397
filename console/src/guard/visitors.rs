//! [`Visitors`]: the browsers that have a cookie of ours.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::token;

/// How long a browser that does not come back is remembered.
const REMEMBERED: Duration = Duration::from_secs(12 * 3600);

/// How many browsers are remembered. The one that came back last the longest ago is forgotten.
const MOST: usize = 1_000;

/// A browser.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    /// The value of its cookie.
    pub(crate) id: String,
    /// What its forms send along, and no other site knows.
    pub(crate) csrf: String,
    /// Whether it has signed in.
    pub(crate) is_signed_in: bool,
}

struct Known {
    visitor: Visitor,
    message: Option<String>,
    came: Instant,
}

/// The browsers that have a cookie of ours.
#[derive(Default)]
pub(crate) struct Visitors(Mutex<HashMap<String, Known>>);

impl Visitors {
    /// A new browser.
    pub(crate) fn welcome(&self, is_signed_in: bool) -> Result<Visitor, getrandom::Error> {
        let visitor = Visitor {
            id: token()?,
            csrf: token()?,
            is_signed_in,
        };
        let known = Known {
            visitor: visitor.clone(),
            message: None,
            came: Instant::now(),
        };
        self.with(|all| {
            all.retain(|_, known| known.came.elapsed() < REMEMBERED);
            let oldest = all.iter().min_by_key(|(_, known)| known.came);
            let oldest = oldest.map(|(id, _)| id.clone());
            if let Some(id) = oldest.filter(|_| all.len() >= MOST) {
                all.remove(&id);
            }
            all.insert(visitor.id.clone(), known);
        });
        Ok(visitor)
    }

    /// The browser with this cookie.
    pub(crate) fn find(&self, id: &str) -> Option<Visitor> {
        self.with(|all| {
            let known = all.get_mut(id)?;
            if known.came.elapsed() >= REMEMBERED {
                all.remove(id);
                return None;
            }
            known.came = Instant::now();
            Some(known.visitor.clone())
        })
    }

    /// The browser has signed out.
    pub(crate) fn forget(&self, id: &str) {
        self.with(|all| all.remove(id));
    }

    /// What the next page says to it.
    pub(crate) fn tell(&self, id: &str, message: String) {
        self.with(|all| {
            if let Some(known) = all.get_mut(id) {
                known.message = Some(message);
            }
        });
    }

    /// What this page says to it, once.
    pub(crate) fn told(&self, id: &str) -> Option<String> {
        self.with(|all| all.get_mut(id)?.message.take())
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, Known>) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut all)
    }
}
