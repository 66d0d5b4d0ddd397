//! Values that this process keeps until the server reports a change.

use std::cell::{Cell, RefCell};

/// Counts the changes that the server has reported to this process.
pub struct Changes {
    count: Cell<u64>,
    is_registered: Cell<bool>,
}

impl Changes {
    pub const fn none() -> Self {
        Self {
            count: Cell::new(0),
            is_registered: Cell::new(false),
        }
    }

    /// Calls `register` the first time. It makes the server report changes.
    pub fn register_once(&self, register: impl FnOnce()) {
        if !self.is_registered.replace(true) {
            register();
        }
    }

    /// A number that differs after each change.
    pub fn count(&self) -> u64 {
        self.count.get()
    }

    /// Counts a change. To be called by the server's callback.
    pub fn add(&self) {
        self.count.set(self.count.get().wrapping_add(1));
    }
}

/// A value that is loaded once, and again after a change that concerns it.
pub struct Cached<T> {
    value: RefCell<Option<T>>,
    changes: Changes,
}

impl<T: Clone> Cached<T> {
    pub const fn empty() -> Self {
        Self {
            value: RefCell::new(None),
            changes: Changes::none(),
        }
    }

    /// Returns the value.
    ///
    /// If it is not loaded, `register` makes the server report changes, `find` is repeated until no
    /// change happens during it, and `finish` makes the value from its result and the count of
    /// changes.
    pub fn get<F, E>(
        &self,
        register: impl FnOnce(),
        mut find: impl FnMut() -> Result<F, E>,
        finish: impl FnOnce(F, u64) -> Result<T, E>,
    ) -> Result<T, E> {
        if let Some(value) = self.value.borrow().as_ref() {
            return Ok(value.clone());
        }
        self.changes.register_once(register);
        loop {
            let changes = self.changes.count();
            let found = find()?;
            if changes == self.changes.count() {
                let value = finish(found, changes)?;
                self.value.replace(Some(value.clone()));
                return Ok(value);
            }
        }
    }

    /// Counts a change, and forgets the value if the change concerns it. To be called by the
    /// server's callback.
    pub fn change(&self, concerns: impl FnOnce(&T) -> bool) {
        self.changes.add();
        let mut value = self.value.borrow_mut();
        if value.as_ref().is_some_and(concerns) {
            *value = None;
        }
    }
}
