//! What a destructor may do.
//!
//! An error of the server leaves our code as a panic, which runs the destructors on its way. The server is in no state
//! to be called then: whoever raised the error may have made another resource owner the current one, as nextval does, so
//! that even closing a table raises an error. That would be a panic in a destructor, and the end of the whole server.
//!
//! So **a destructor does nothing after an error**. The end of the transaction, or of the subtransaction, gives
//! everything back: tables, scans, snapshots, slots, memory, locks, places in queues. Only plain assignments that put a
//! variable back are made in any case.

/// Calls the server from a destructor, unless an error is on its way.
pub(super) fn give_back(call: impl FnOnce()) {
    if !std::thread::panicking() {
        call();
    }
}
