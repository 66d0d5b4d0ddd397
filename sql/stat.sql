-- Monitoring of appends, of executions and of background processes. The views read shared memory and never the events, so they can be read
-- every second.

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

CREATE FUNCTION eventcore.stat_get_executions(
    OUT executions bigint,
    OUT repeats    bigint,
    OUT rejections bigint,
    OUT conflicts  bigint,
    OUT failures   bigint,
    OUT since      timestamptz
)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_stat_get_executions';
COMMENT ON FUNCTION eventcore.stat_get_executions() IS 'The row of eventcore.stat_executions.';

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
    'The transactions that hold positions, from shared memory; see eventcore.stat_inflight.';

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
    'The processes of eventcore, from shared memory; see eventcore.stat_workers.';

CREATE VIEW eventcore.stat_appends AS
    SELECT a.appends, a.events, a.conflicts, a.repeats, a.rolled_back, a.since
      FROM eventcore.stat_get_appends() AS a;
COMMENT ON VIEW eventcore.stat_appends IS
    'How many appends of this database ended in which way: one row. An append without events only checks and is not counted, except as a conflict.';
COMMENT ON COLUMN eventcore.stat_appends.appends IS
    'Appends that were committed.';
COMMENT ON COLUMN eventcore.stat_appends.events IS
    'Events of those appends.';
COMMENT ON COLUMN eventcore.stat_appends.conflicts IS
    'Appends refused with SE001. Counted at once, even if the application catches the error.';
COMMENT ON COLUMN eventcore.stat_appends.repeats IS
    'Appends that repeated an earlier one and returned its result. Counted at once.';
COMMENT ON COLUMN eventcore.stat_appends.rolled_back IS
    'Appends that succeeded and were then rolled back, with their transaction, a savepoint or an exception block.';
COMMENT ON COLUMN eventcore.stat_appends.since IS
    'When counting began: at the first use of this database after a start of the server, or after CREATE EXTENSION.';

CREATE VIEW eventcore.stat_executions AS
    SELECT x.executions, x.repeats, x.rejections, x.conflicts, x.failures, x.since
      FROM eventcore.stat_get_executions() AS x;
COMMENT ON VIEW eventcore.stat_executions IS
    'How many executions of commands in this database ended in which way: one row. They count at once, even if the transaction is rolled back later. An execution whose arguments are malformed is not counted.';
COMMENT ON COLUMN eventcore.stat_executions.executions IS
    'Executions that decided, with or without events.';
COMMENT ON COLUMN eventcore.stat_executions.repeats IS
    'Executions that returned the result of an earlier one with the same idempotency key or the same event ids.';
COMMENT ON COLUMN eventcore.stat_executions.rejections IS
    'Executions that the function handle rejected (SE006).';
COMMENT ON COLUMN eventcore.stat_executions.conflicts IS
    'Executions refused with SE001: all attempts found a stream locked, or the transaction has an older snapshot.';
COMMENT ON COLUMN eventcore.stat_executions.failures IS
    'Executions that ended with another error, such as an unknown command, a deadlock or a cancelled statement.';
COMMENT ON COLUMN eventcore.stat_executions.since IS
    'When counting began, as in eventcore.stat_appends.';

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
    'The transactions of this database that hold positions: they have appended and not ended. One more row if readers wait for a synchronous standby. Like pg_stat_activity, the view shows the details of sessions of other roles only to members of pg_read_all_stats.';
COMMENT ON COLUMN eventcore.stat_inflight.pid IS
    'Process id of the backend: what pg_terminate_backend takes. NULL for standbys.';
COMMENT ON COLUMN eventcore.stat_inflight.lowest_position IS
    'The lowest position that the transaction may hold; 1 if SQL inserts rows, as a restore does.';
COMMENT ON COLUMN eventcore.stat_inflight.holds_safe_position IS
    'Whether readers wait for this transaction: the safe position is just below its lowest position.';
COMMENT ON COLUMN eventcore.stat_inflight.holder IS
    'transaction, or standby: events are committed here, but no synchronous standby has confirmed them yet, because a commit did not wait for it.';
COMMENT ON COLUMN eventcore.stat_inflight.age_seconds IS
    'Seconds since the start of the statement by which it got its first position.';
COMMENT ON COLUMN eventcore.stat_inflight.transaction_start IS
    'When the transaction began.';
COMMENT ON COLUMN eventcore.stat_inflight.state IS
    'As in pg_stat_activity. "idle in transaction": the session waits for its client.';
COMMENT ON COLUMN eventcore.stat_inflight.wait_event_type IS
    'As in pg_stat_activity: the type of event that the session waits for.';
COMMENT ON COLUMN eventcore.stat_inflight.wait_event IS
    'As in pg_stat_activity: the event that the session waits for.';
COMMENT ON COLUMN eventcore.stat_inflight.application_name IS
    'The application name that the client has set.';
COMMENT ON COLUMN eventcore.stat_inflight.usename IS
    'The role that logged in.';
COMMENT ON COLUMN eventcore.stat_inflight.query IS
    'The current statement, or the last one.';

CREATE VIEW eventcore.stat_notifier AS
    SELECT n.pid, n.state, n.started_at, n.notifications, n.last_position, n.last_notified_at, n.pending
      FROM eventcore.stat_get_notifier() AS n;
COMMENT ON VIEW eventcore.stat_notifier IS
    'The background worker that notifies listeners and waiters of new events in this database: one row, even if no notifier runs.';
COMMENT ON COLUMN eventcore.stat_notifier.pid IS
    'Its process id; NULL if no notifier runs.';
COMMENT ON COLUMN eventcore.stat_notifier.state IS
    'running; away: it has left this database for some seconds, because of a statement such as ALTER DATABASE ... RENAME; starting: a notifier is needed and does not run yet; none: no notifier is needed, as before the first append since the server started and on a standby.';
COMMENT ON COLUMN eventcore.stat_notifier.started_at IS
    'When it started; NULL if no notifier runs.';
COMMENT ON COLUMN eventcore.stat_notifier.notifications IS
    'Notifications sent since eventcore.stat_appends.since, by this process and earlier ones.';
COMMENT ON COLUMN eventcore.stat_notifier.last_position IS
    'The safe position in the last notification; NULL before the first one.';
COMMENT ON COLUMN eventcore.stat_notifier.last_notified_at IS
    'When the last notification was sent; NULL before the first one.';
COMMENT ON COLUMN eventcore.stat_notifier.pending IS
    'Whether an append has ended that the notifier has not seen yet.';

CREATE VIEW eventcore.stat_workers AS
    SELECT w.kind, w.pid, r.rolname::text AS owner, w.since, w.projection, w.failures,
           w.last_sqlstate, w.last_error, w.last_error_at
      FROM eventcore.stat_get_workers() AS w
      LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = w.owner;
COMMENT ON VIEW eventcore.stat_workers IS
    'The background workers of eventcore that serve this database, and those that failed and have ended: the launcher of the server, the notifier, the projection workers. A row stays until the server restarts, or until another process needs its place.';
COMMENT ON COLUMN eventcore.stat_workers.kind IS
    'launcher, notifier or projections.';
COMMENT ON COLUMN eventcore.stat_workers.pid IS
    'Its process id; NULL if it has ended.';
COMMENT ON COLUMN eventcore.stat_workers.owner IS
    'The role whose projections it runs.';
COMMENT ON COLUMN eventcore.stat_workers.since IS
    'When it started.';
COMMENT ON COLUMN eventcore.stat_workers.projection IS
    'The projection whose handler is running; if the process has ended, the projection that was running then.';
COMMENT ON COLUMN eventcore.stat_workers.failures IS
    'How often its own work failed. Failures of handlers are in eventcore.stat_projections.';
COMMENT ON COLUMN eventcore.stat_workers.last_sqlstate IS
    'The SQLSTATE of the last failure.';
COMMENT ON COLUMN eventcore.stat_workers.last_error IS
    'The message of the last failure.';
COMMENT ON COLUMN eventcore.stat_workers.last_error_at IS
    'When the last failure was.';
