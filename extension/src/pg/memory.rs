//! Memory contexts of the server for the memory of single steps, and checks for enough memory.

use super::unwinding::give_back;
use super::value::Jsonb;
use pgrx::pg_sys::{self, Datum, MemoryContext};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Below this many bytes, memory is not checked.
const FEW: usize = 1 << 20;

/// Raises the server's error unless this much memory is available. To be called before Rust
/// allocates an amount that a caller determines: if Rust gets no memory, it ends the process, and
/// with it all sessions of the server.
pub fn require(bytes: usize) {
    if bytes < FEW {
        return;
    }
    let mut wanted: Vec<u8> = Vec::new();
    let had = wanted.try_reserve_exact(bytes).is_ok();
    // Otherwise the compiler would remove an allocation that is not used.
    std::hint::black_box(&wanted);
    if !had {
        pgrx::ereport!(
            ERROR,
            pgrx::PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY,
            "out of memory",
            format!("The statement needs {bytes} bytes.")
        );
    }
}

/// The size of the reserve. The server asks for at least one MiB at a time once a memory context
/// has grown.
const RESERVE: Layout = match Layout::from_size_align(2 << 20, 16) {
    Ok(layout) => layout,
    Err(_) => unreachable!(),
};

thread_local! {
    /// The reserve, or null. It is never written to, so it takes up addresses only.
    static RESERVED: Cell<*mut u8> = const { Cell::new(std::ptr::null_mut()) };
}

/// Sets memory aside for reporting that there is none left. pgrx copies each error. If the copy
/// fails, it tries to copy that error in turn, until the server's stack of errors is full and the
/// server panics.
pub(super) fn hold_reserve() {
    if RESERVED.get().is_null() {
        // SAFETY: the size is not zero. The result may be null: then there is no reserve.
        RESERVED.set(unsafe { System.alloc(RESERVE) });
    }
}

/// Frees the reserve. To be called when an error says that there is no memory.
pub(super) fn release_reserve() {
    let reserve = RESERVED.replace(std::ptr::null_mut());
    if !reserve.is_null() {
        // SAFETY: allocated with this layout, and not used by anything.
        unsafe { System.dealloc(reserve, RESERVE) };
    }
}

/// A memory context that is emptied after each step, or after several.
pub struct ScratchMemory(MemoryContext);

impl ScratchMemory {
    pub fn new() -> Self {
        // SAFETY: a child of the current context, deleted on drop.
        Self(unsafe {
            pg_sys::AllocSetContextCreateInternal(
                pg_sys::CurrentMemoryContext,
                c"eventcore scratch".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as pg_sys::Size,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as pg_sys::Size,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as pg_sys::Size,
            )
        })
    }

    /// Runs a step whose server memory is not needed after it.
    pub fn during<R>(&self, step: impl FnOnce() -> R) -> R {
        let result = self.until_emptied(step);
        self.reset();
        result
    }

    /// Runs a step whose server memory is needed until this is emptied or dropped.
    pub fn until_emptied<R>(&self, step: impl FnOnce() -> R) -> R {
        // Switches back even after an error, which pgrx does not do.
        let _entered = ContextSwitch::switch_to(self.0);
        step()
    }

    pub(super) fn raw(&self) -> MemoryContext {
        self.0
    }

    /// Frees the memory of all steps.
    pub fn empty(&mut self) {
        self.reset();
    }

    fn reset(&self) {
        // SAFETY: created here, and no longer the current one: a step that runs borrows this.
        unsafe { pg_sys::MemoryContextReset(self.0) };
    }
}

impl Drop for ScratchMemory {
    fn drop(&mut self) {
        // SAFETY: created here, once, and no longer the current one.
        give_back(|| unsafe { pg_sys::MemoryContextDelete(self.0) });
    }
}

/// A state that is replaced again and again, with memory for two states.
pub struct StateMemory {
    contexts: [ScratchMemory; 2],
    current: usize,
    state: Datum,
}

impl StateMemory {
    pub fn new(state: Jsonb<'_>) -> Self {
        Self {
            contexts: [ScratchMemory::new(), ScratchMemory::new()],
            current: 0,
            state: state.keep().datum(),
        }
    }

    pub fn state(&self) -> Jsonb<'_> {
        // SAFETY: a jsonb, in memory of ours that is not emptied as long as it is borrowed.
        unsafe { Jsonb::new(self.state) }
    }

    /// Makes the next state from the current one. What the step allocates lives as long as that
    /// next state.
    pub fn replace<E>(
        &mut self,
        step: impl FnOnce(Jsonb<'_>) -> Result<Jsonb<'_>, E>,
    ) -> Result<(), E> {
        let next = 1 - self.current;
        let entered = ContextSwitch::switch_to(self.contexts[next].0);
        // The function may return its argument.
        let result = step(self.state()).map(|state| state.keep().datum());
        drop(entered);
        self.state = result?;
        // SAFETY: created here, and not the current one; the state is in the other.
        unsafe { pg_sys::MemoryContextReset(self.contexts[self.current].0) };
        self.current = next;
        Ok(())
    }
}

/// Switches back to the previous context when it is dropped.
pub(super) struct ContextSwitch(MemoryContext);

impl ContextSwitch {
    /// Stays in the current context, and switches back to it if another one is current by then.
    pub(super) fn stay() -> Self {
        // SAFETY: a variable of the server.
        Self(unsafe { pg_sys::CurrentMemoryContext })
    }

    pub(super) fn switch_to(context: MemoryContext) -> Self {
        // SAFETY: what `MemoryContextSwitchTo` does; the context lives longer than this.
        unsafe {
            let previous = pg_sys::CurrentMemoryContext;
            pg_sys::CurrentMemoryContext = context;
            Self(previous)
        }
    }
}

impl Drop for ContextSwitch {
    fn drop(&mut self) {
        // SAFETY: it was the current one, and nobody has deleted it since.
        unsafe { pg_sys::CurrentMemoryContext = self.0 };
    }
}
