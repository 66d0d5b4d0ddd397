//! The tables, indexes and sequences of the extension, by their names.

use crate::pg::relation::{self, Kind};
use pgrx::pg_sys::Oid;

/// Declares the struct of OIDs, how each is found, and which they are.
macro_rules! objects {
    (@missing optional) => {
        Some(Oid::INVALID)
    };
    ($($(#[$attribute:meta])* $field:ident: $kind:ident $name:literal $($optional:ident)?,)*) => {
        /// The OIDs in this database.
        #[derive(Clone, Copy)]
        pub struct Objects {
            $($(#[$attribute])* pub $field: Oid,)*
        }

        impl Objects {
            /// `None` if one of them does not exist or does not belong to the extension: any role
            /// that may create a schema could have created objects of these names. An optional
            /// object that is missing has the OID 0. Opening it fails with SE009.
            pub fn find() -> Option<Self> {
                let schema = relation::schema(c"eventcore")?;
                let own = |name, kind| {
                    let found = relation::find(schema, name)?;
                    let is_own = relation::kind(found) == Some(kind)
                        && (kind == Kind::Index
                            || relation::belongs_to_extension(found, c"eventcore"));
                    is_own.then_some(found)
                };
                Some(Self {
                    $($field: own($name, Kind::$kind)$(.or(objects!(@missing $optional)))??,)*
                })
            }

            /// Whether this is the OID of one of them.
            pub fn contains(&self, oid: Oid) -> bool {
                [$(self.$field),*].contains(&oid)
            }
        }
    };
}

objects! {
    events: Table c"events",
    /// Unique on position.
    events_by_position: Index c"events_pkey",
    /// Unique on stream_id, version.
    events_by_stream: Index c"events_stream_id_version_key",
    streams: Table c"streams",
    streams_by_id: Index c"streams_pkey",
    position_blocks: Sequence c"position_blocks",
    settled_position: Sequence c"settled_position",
    /// Its value identifies this database in rows that must not act in a copy of it.
    home_id: Sequence c"home_id",
    history: Table c"history",
    subscriptions: Table c"subscriptions" optional,
    subscriptions_by_name: Index c"subscriptions_pkey" optional,
    commands: Table c"commands",
    commands_by_name: Index c"commands_pkey",
    executions: Table c"executions",
    executions_by_key: Index c"executions_pkey",
    command_states: Table c"command_states",
    command_states_by_key: Index c"command_states_pkey",
    projections: Table c"projections" optional,
    projections_by_name: Index c"projections_pkey" optional,
    projection_parked: Table c"projection_parked" optional,
    projection_parked_by_key: Index c"projection_parked_pkey" optional,
    projection_parked_to_replay: Index c"projection_parked_replay_idx" optional,
}
