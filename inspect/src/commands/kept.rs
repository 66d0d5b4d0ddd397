//! States of long streams that executions have saved.

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Error;
use crate::row::{all, from_row};
use crate::session::Session;
use crate::time::Time;

from_row! {
    /// A row of `eventcore.command_states`, without the state.
    #[derive(Debug, Clone, Serialize, JsonSchema)]
    #[non_exhaustive]
    pub struct KeptState {
        /// The stream.
        pub stream_id: String,
        /// The role whose executions use it.
        pub role: String,
        /// The OID of that role.
        pub role_oid: u32,
        /// The first version in it.
        pub first_version: i64,
        /// The last version in it.
        pub last_version: i64,
        /// When it was saved.
        pub kept_at: Time,
        /// Whether it is older than the registration, and so not used any more.
        pub is_stale: bool,
        /// The bytes that it takes in the table.
        pub bytes: i64,
    }
}

const LIST: &str = "\
SELECT k.stream_id, k.role::regrole::text AS role, k.role AS role_oid, k.first_version, k.last_version, k.kept_at,
       k.kept_at < c.changed_at AS is_stale, pg_column_size(k.state)::bigint AS bytes
  FROM eventcore.command_states k JOIN eventcore.commands c ON c.name = k.command
 WHERE k.command = $1 AND (k.stream_id, k.role) > ($2, $3)
 ORDER BY k.stream_id, k.role LIMIT $4";

/// The saved states of a command after those of a stream and the OID of a role, in the order of the
/// bytes of the streams' names. The first page is after the empty name and 0.
///
/// # Errors
///
/// The role may not read them (42501): `CREATE EXTENSION` grants them to nobody. The connection is
/// lost.
pub async fn kept_states(
    session: &Session,
    command: &str,
    (stream, role): (&str, u32),
    limit: i64,
) -> Result<Vec<KeptState>, Error> {
    all(session, LIST, &[&command, &stream, &role, &limit]).await
}
