//! [`Visitors`]: the browsers that have a cookie of ours.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::token;

/// How long a browser that does not come back is remembered.
const REMEMBERED: Duration = Duration::from_secs(12 * 3600);

/// How many browsers are remembered. When there is one more, one is forgotten: of those that have never
/// come back, as programs without cookies do, else of those that have not signed in, else of all the
/// one that came the longest ago.
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
    /// Whether this is the first request since it got its cookie.
    pub(crate) is_new: bool,
}

struct Known {
    visitor: Visitor,
    message: Option<String>,
    came: Instant,
}

impl Known {
    /// The lowest is forgotten first.
    fn rank(&self) -> (bool, bool, Instant) {
        let Visitor {
            is_signed_in,
            is_new,
            ..
        } = self.visitor;
        (is_signed_in || !is_new, is_signed_in, self.came)
    }
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
            is_new: true,
        };
        let known = Known {
            visitor: visitor.clone(),
            message: None,
            came: Instant::now(),
        };
        self.with(|all| {
            all.retain(|_, known| known.came.elapsed() < REMEMBERED);
            if all.len() >= MOST {
                let first = all.iter().min_by_key(|(_, known)| known.rank());
                if let Some(id) = first.map(|(id, _)| id.clone()) {
                    all.remove(&id);
                }
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
            let found = known.visitor.clone();
            known.visitor.is_new = false;
            Some(found)
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

#[cfg(test)]
mod tests {
    use super::{MOST, Visitors};

    #[test]
    fn who_never_comes_back_takes_the_place_of_nobody_else() {
        let visitors = Visitors::default();
        let signed_in = visitors.welcome(true).unwrap();
        let with_form = visitors.welcome(false).unwrap();
        assert!(visitors.find(&with_form.id).is_some());
        let program = visitors.welcome(false).unwrap();
        for _ in 0..2 * MOST {
            visitors.welcome(false).unwrap();
        }
        assert!(visitors.find(&signed_in.id).is_some());
        assert!(visitors.find(&with_form.id).is_some());
        assert!(visitors.find(&program.id).is_none());
    }

    #[test]
    fn only_the_first_request_of_a_visitor_is_new() {
        let visitors = Visitors::default();
        let id = visitors.welcome(true).unwrap().id;
        assert!(visitors.find(&id).unwrap().is_new);
        assert!(!visitors.find(&id).unwrap().is_new);
    }
}
