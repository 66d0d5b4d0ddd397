//! What a destructor may do.
//!
//! An error of the server leaves Rust code as a panic, which runs destructors on its way. The
//! server cannot be called then. The code that raised the error may have changed the current
//! resource owner, as nextval does, so that even closing a table raises an error. That would be a
//! panic in a destructor, which ends the whole server.
//!
//! So **a destructor does nothing after an error**. The end of the transaction or subtransaction
//! gives everything back: tables, scans, snapshots, slots, memory, locks, places in queues. Only
//! plain assignments that restore a variable are made in any case.

/// Calls the server from a destructor, unless an error is being raised.
pub(super) fn give_back(call: impl FnOnce()) {
    if !std::thread::panicking() {
        call();
    }
}
