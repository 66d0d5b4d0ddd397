-- Monitoring of appends and of background processes. The views read shared memory and never the events: they are made to
-- be read every second.

CREATE FUNCTION eventcore.stat_get_appends(
    OUT appends     bigint,
    OUT events      bigint,
    OUT conflicts   bigint,
    OUT repeats     bigint,
    OUT rolled_back bigint,
    OUT since       timestamptz
)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_stat_get_appends';
COMMENT ON FUNCTION eventcore.stat_get_appends() IS 'The row of eventcore.stat_appends.';

CREATE FUNCTION eventcore.stat_get_inflight()
RETURNS TABLE (
    pid                 integer,
    lowest_position     bigint,
    holds_safe_position boolean,
    since               timestamptz,
    holder              text
)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'eventcore_stat_get_inflight';
COMMENT ON FUNCTION eventcore.stat_get_inflight() IS
    'What shared memory knows of the transactions that hold positions; see eventcore.stat_inflight.';

CREATE FUNCTION eventcore.stat_get_notifier(
    OUT pid              integer,
    OUT state            text,
    OUT started_at       timestamptz,
    OUT notifications    bigint,
    OUT last_position    bigint,
    OUT last_notified_at timestamptz,
    OUT pending          boolean
)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_stat_get_notifier';
COMMENT ON FUNCTION eventcore.stat_get_notifier() IS 'The row of eventcore.stat_notifier.';

CREATE FUNCTION eventcore.stat_get_workers()
RETURNS TABLE (
    kind          text,
    pid           integer,
    owner         oid,
    since         timestamptz,
    projection    text,
    failures      bigint,
    last_sqlstate text,
    last_error    text,
    last_error_at timestamptz
)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 5
AS 'MODULE_PATHNAME', 'eventcore_stat_get_workers';
COMMENT ON FUNCTION eventcore.stat_get_workers() IS
    'What shared memory knows of our processes; see eventcore.stat_workers.';

CREATE VIEW eventcore.stat_appends AS
    SELECT a.appends, a.events, a.conflicts, a.repeats, a.rolled_back, a.since
      FROM eventcore.stat_get_appends() AS a;
COMMENT ON VIEW eventcore.stat_appends IS
    'How many appends of this database came to which end: one row. An append without events only checks and is not counted, except as a conflict.';
COMMENT ON COLUMN eventcore.stat_appends.appends IS
    'Appends that were committed.';
COMMENT ON COLUMN eventcore.stat_appends.events IS
    'Events of those appends.';
COMMENT ON COLUMN eventcore.stat_appends.conflicts IS
    'Appends refused with SE001. Counted at once, also where the application catches the error.';
COMMENT ON COLUMN eventcore.stat_appends.repeats IS
    'Appends that had been made before, and were answered with the first one''s result. Counted at once.';
COMMENT ON COLUMN eventcore.stat_appends.rolled_back IS
    'Appends that went well and were then rolled back, with their transaction, a savepoint or an exception block.';
COMMENT ON COLUMN eventcore.stat_appends.since IS
    'When counting began: at the first use of this database after a start of the server, or after CREATE EXTENSION.';

CREATE VIEW eventcore.stat_inflight AS
    SELECT i.pid,
           i.lowest_position,
           i.holds_safe_position,
           extract(epoch FROM pg_catalog.clock_timestamp() - i.since)::double precision AS age_seconds,
           a.xact_start AS transaction_start,
           a.state,
           a.wait_event_type,
           a.wait_event,
           a.application_name,
           a.usename::text AS usename,
           a.query,
           i.holder
      FROM eventcore.stat_get_inflight() AS i
      LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = i.pid;
COMMENT ON VIEW eventcore.stat_inflight IS
    'The transactions of this database that hold positions: they have appended and not ended. One row more where readers wait for a synchronous standby. Of other roles'' sessions pg_stat_activity, and so this view, shows the rest only to members of pg_read_all_stats.';
COMMENT ON COLUMN eventcore.stat_inflight.pid IS
    'Process id of the backend: what pg_terminate_backend takes. NULL for standbys.';
COMMENT ON COLUMN eventcore.stat_inflight.lowest_position IS
    'The lowest position that the transaction may hold; 1 where rows come by SQL, as in a restore.';
COMMENT ON COLUMN eventcore.stat_inflight.holds_safe_position IS
    'Whether this is the transaction that readers wait for: the safe position is right below its lowest one.';
COMMENT ON COLUMN eventcore.stat_inflight.holder IS
    'transaction, or standby: events are committed here and no synchronous standby has confirmed them yet, because a commit did not wait for it.';
COMMENT ON COLUMN eventcore.stat_inflight.age_seconds IS
    'How long ago the statement began that made it hold positions, in seconds.';
COMMENT ON COLUMN eventcore.stat_inflight.transaction_start IS
    'When its transaction began.';
COMMENT ON COLUMN eventcore.stat_inflight.state IS
    'As in pg_stat_activity. "idle in transaction": it waits for its client.';
COMMENT ON COLUMN eventcore.stat_inflight.wait_event_type IS
    'As in pg_stat_activity: the kind of thing that it waits for.';
COMMENT ON COLUMN eventcore.stat_inflight.wait_event IS
    'As in pg_stat_activity: the thing that it waits for.';
COMMENT ON COLUMN eventcore.stat_inflight.application_name IS
    'The name that the client gave itself.';
COMMENT ON COLUMN eventcore.stat_inflight.usename IS
    'The role that is logged in.';
COMMENT ON COLUMN eventcore.stat_inflight.query IS
    'The statement that runs now, or ran last.';

CREATE VIEW eventcore.stat_notifier AS
    SELECT n.pid, n.state, n.started_at, n.notifications, n.last_position, n.last_notified_at, n.pending
      FROM eventcore.stat_get_notifier() AS n;
COMMENT ON VIEW eventcore.stat_notifier IS
    'The background worker that tells listeners and waiters of new events in this database: one row, also where none runs.';
COMMENT ON COLUMN eventcore.stat_notifier.pid IS
    'Its process id; NULL where none runs.';
COMMENT ON COLUMN eventcore.stat_notifier.state IS
    'running; away: it leaves this database alone for some seconds, for a statement such as ALTER DATABASE ... RENAME; starting: one is wanted and none runs yet; none: none is wanted, as before the first append since the server started and on a standby.';
COMMENT ON COLUMN eventcore.stat_notifier.started_at IS
    'When it began its work; NULL where none runs.';
COMMENT ON COLUMN eventcore.stat_notifier.notifications IS
    'Notifications sent since the time that eventcore.stat_appends.since gives, by this one and those before it.';
COMMENT ON COLUMN eventcore.stat_notifier.last_position IS
    'The safe position in the last of them; NULL if there was none.';
COMMENT ON COLUMN eventcore.stat_notifier.last_notified_at IS
    'When the last of them was sent; NULL if there was none.';
COMMENT ON COLUMN eventcore.stat_notifier.pending IS
    'Whether an append has ended that it has not looked at yet.';

CREATE VIEW eventcore.stat_workers AS
    SELECT w.kind, w.pid, r.rolname::text AS owner, w.since, w.projection, w.failures,
           w.last_sqlstate, w.last_error, w.last_error_at
      FROM eventcore.stat_get_workers() AS w
      LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = w.owner;
COMMENT ON VIEW eventcore.stat_workers IS
    'The background workers of eventcore that serve this database, and those that failed and have ended: the launcher of the server, the notifier, the workers of projections. Kept until the server restarts, or others need the place.';
COMMENT ON COLUMN eventcore.stat_workers.kind IS
    'launcher, notifier or projections.';
COMMENT ON COLUMN eventcore.stat_workers.pid IS
    'Its process id; NULL when it has ended.';
COMMENT ON COLUMN eventcore.stat_workers.owner IS
    'The role whose projections it runs.';
COMMENT ON COLUMN eventcore.stat_workers.since IS
    'When it began.';
COMMENT ON COLUMN eventcore.stat_workers.projection IS
    'The projection whose handler runs right now; of a process that has ended, the one that it ended on.';
COMMENT ON COLUMN eventcore.stat_workers.failures IS
    'How often it could not do what it is there for. What handlers fail on is in eventcore.stat_projections.';
COMMENT ON COLUMN eventcore.stat_workers.last_sqlstate IS
    'The SQLSTATE of the last failure.';
COMMENT ON COLUMN eventcore.stat_workers.last_error IS
    'What the last failure said.';
COMMENT ON COLUMN eventcore.stat_workers.last_error_at IS
    'When that was.';
