-- Executing a registered command.

CREATE TYPE eventcore.executed AS (
    first_position bigint,
    last_position  bigint,
    streams        text[],
    versions       bigint[],
    recorded_at    timestamptz,
    repeated       boolean,
    attempts       integer
);
COMMENT ON TYPE eventcore.executed IS
$$The result of eventcore_execute: the positions of its events, NULL if there are none; every stream that it read, and their
versions afterwards; the time; whether an earlier execution had already done it; the number of attempts.$$;

CREATE FUNCTION @extschema@.eventcore_execute(
    command         text,
    input           jsonb,
    correlation_id  uuid  DEFAULT NULL,
    causation_id    uuid  DEFAULT NULL,
    idempotency_key text  DEFAULT NULL,
    metadata        jsonb DEFAULT NULL
) RETURNS eventcore.executed
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_execute';
COMMENT ON FUNCTION @extschema@.eventcore_execute(text, jsonb, uuid, uuid, text, jsonb) IS
$$Executes a registered command in one round trip: locks and reads the streams that the input names, folds their
events into a state by the command's `apply`, reads what `related_streams` finds in it, and writes the events that
`handle` returns. Its functions run with the caller's rights.

idempotency_key: the same command with the same key is executed once. A repetition returns the first result, whatever its
input. metadata: an object that is added to the metadata of each event; keys that `handle` sets take precedence.
SE002 an event for a stream that was not read. SE003 malformed argument, input, or result of a function.
SE005 stream closed. SE006 `handle` raised an error: that error is in the DETAIL. SE007 unknown command.
SE009 not available in this context, for example in a function of a command.$$;

CREATE FUNCTION @extschema@.eventcore_execute_compact(
    command         text,
    input           text,
    correlation_id  uuid DEFAULT NULL,
    causation_id    uuid DEFAULT NULL,
    idempotency_key text DEFAULT NULL,
    metadata        text DEFAULT NULL
) RETURNS text[]
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_execute_compact';
COMMENT ON FUNCTION @extschema@.eventcore_execute_compact(text, text, uuid, uuid, text, text) IS
$$The same as eventcore_execute, for programs, at less cost to the server: input and metadata are JSON texts, and the result
is one value: SELECT eventcore_execute_compact(…).

Returns {first_position, last_position, recorded_at, repeated, attempts, stream, version, …}: the positions, NULL if there are
no events; the time in microseconds since 1970-01-01 00:00 UTC; 1 if an earlier execution had already done it, else 0; the
number of attempts; then every stream that it read, each followed by its version afterwards.

The same errors. A text that is not JSON, or that jsonb cannot hold, is SE003.$$;
