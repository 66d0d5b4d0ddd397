//! Server functions without a guard of their own, for steps of several calls under one
//! [`guarded`](super::ffi::guarded). A guard costs about as much as a small call.
//!
//! Each of them may raise an error, unless its comment says otherwise.

use pgrx::pg_sys::{self, *};
use std::ffi::{c_char, c_int};

/// Declares functions, and fails to compile if pgrx's bindings have another signature.
macro_rules! unguarded {
    ($($(#[$attribute:meta])* fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        unsafe extern "C-unwind" {
            $($(#[$attribute])* pub fn $name($($argument: $type),*) $(-> $result)?;)*
        }
        const _: () = {
            $($(#[$attribute])* const _: unsafe fn($($type),*) $(-> $result)? = pg_sys::$name;)*
        };
    };
}

unsafe extern "C-unwind" {
    // Not in the list: some versions of PostgreSQL use `const` here and others do not.
    pub fn heap_form_tuple(
        columns: TupleDesc,
        values: *const Datum,
        nulls: *const bool,
    ) -> HeapTuple;
}

unguarded! {
    fn table_open(relation: Oid, mode: LOCKMODE) -> Relation;
    fn table_close(relation: Relation, mode: LOCKMODE);
    fn RelationGetNumberOfBlocksInFork(relation: Relation, fork: ForkNumber::Type) -> BlockNumber;
    fn index_open(index: Oid, mode: LOCKMODE) -> Relation;
    fn ScanKeyInit(
        key: ScanKey, column: AttrNumber, strategy: StrategyNumber, procedure: RegProcedure, value: Datum
    );
    fn systable_beginscan(
        catalog: Relation, index: Oid, use_index: bool, snapshot: Snapshot, count: c_int, keys: ScanKey
    ) -> SysScanDesc;
    fn systable_getnext(scan: SysScanDesc) -> HeapTuple;
    fn systable_endscan(scan: SysScanDesc);
    fn list_free(list: *mut List);
    fn BuildIndexInfo(index: Relation) -> *mut IndexInfo;

    fn ScanKeyEntryInitialize(
        key: ScanKey, flags: c_int, column: AttrNumber, strategy: StrategyNumber, subtype: Oid,
        collation: Oid, procedure: RegProcedure, value: Datum
    );
    fn index_rescan(
        scan: IndexScanDesc, keys: ScanKey, count: c_int, orders: ScanKey, order_count: c_int
    );
    fn index_getnext_tid(scan: IndexScanDesc, direction: ScanDirection::Type) -> ItemPointer;
    fn index_fetch_heap(scan: IndexScanDesc, slot: *mut TupleTableSlot) -> bool;
    fn index_getnext_slot(
        scan: IndexScanDesc, direction: ScanDirection::Type, slot: *mut TupleTableSlot
    ) -> bool;
    fn index_endscan(scan: IndexScanDesc);
    fn table_slot_create(table: Relation, registered: *mut *mut List) -> *mut TupleTableSlot;
    fn MakeSingleTupleTableSlot(
        columns: TupleDesc, kind: *const TupleTableSlotOps
    ) -> *mut TupleTableSlot;
    fn ExecStoreHeapTuple(
        row: HeapTuple, slot: *mut TupleTableSlot, free: bool
    ) -> *mut TupleTableSlot;
    fn ExecDropSingleTupleTableSlot(slot: *mut TupleTableSlot);
    fn ExecFetchSlotHeapTupleDatum(slot: *mut TupleTableSlot) -> Datum;
    fn ProcessInterrupts();
    fn slot_getsomeattrs_int(slot: *mut TupleTableSlot, count: c_int);

    fn GetLatestSnapshot() -> Snapshot;
    fn RegisterSnapshot(snapshot: Snapshot) -> Snapshot;
    fn PushActiveSnapshot(snapshot: Snapshot);
    fn GetActiveSnapshot() -> Snapshot;
    fn ActiveSnapshotSet() -> bool;
    fn PopActiveSnapshot();

    fn GetCurrentCommandId(used: bool) -> CommandId;
    fn heap_insert(
        table: Relation, row: HeapTuple, command: CommandId, options: c_int, state: BulkInsertState
    );
    fn heap_delete(
        table: Relation, row: ItemPointer, command: CommandId, crosscheck: Snapshot, wait: bool,
        failure: *mut TM_FailureData, to_other_partition: bool
    ) -> TM_Result::Type;
    fn heap_multi_insert(
        table: Relation, slots: *mut *mut TupleTableSlot, count: c_int, command: CommandId,
        options: c_int, state: BulkInsertState
    );
    fn index_insert(
        index: Relation, values: *mut Datum, nulls: *mut bool, row: ItemPointer, table: Relation,
        check: IndexUniqueCheck::Type, unchanged: bool, info: *mut IndexInfo
    ) -> bool;

    fn getKeyJsonValueFromContainer(
        container: *mut JsonbContainer, key: *const c_char, length: c_int, value: *mut JsonbValue
    ) -> *mut JsonbValue;

    fn get_fn_expr_rettype(function: *mut FmgrInfo) -> Oid;
    fn lookup_rowtype_tupdesc(row_type: Oid, modifier: i32) -> TupleDesc;
    fn DecrTupleDescRefCount(columns: TupleDesc);
    fn HeapTupleHeaderGetDatum(row: HeapTupleHeader) -> Datum;

    /// Cannot fail.
    fn GetCurrentTimestamp() -> TimestampTz;
    /// Cannot fail.
    fn GetUserId() -> Oid;
    /// Cannot fail.
    fn IsInParallelMode() -> bool;
}
