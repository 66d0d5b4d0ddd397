-- The same transfer in three ways: a command, its optimistic twin, and two rows without events. An
-- account may be overdrawn by a million cents, so that no account must be opened before its use.

CREATE FUNCTION apply(state jsonb, event eventcore.events) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    change bigint := (event.payload->>'cents')::bigint;
BEGIN
    IF event.event_type = 'MoneyWithdrawn' THEN
        change := -change;
    END IF;
    RETURN state || jsonb_build_object(event.stream_id, coalesce((state->>event.stream_id)::bigint, 0) + change);
END
$$;

-- The same for the events of one account at a time.
CREATE FUNCTION apply_events(state jsonb, events eventcore.events[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    account CONSTANT text := events[1].stream_id;
    balance bigint := coalesce((state->>account)::bigint, 0);
    event   eventcore.events;
BEGIN
    FOREACH event IN ARRAY events LOOP
        IF event.event_type = 'MoneyWithdrawn' THEN
            balance := balance - (event.payload->>'cents')::bigint;
        ELSE
            balance := balance + (event.payload->>'cents')::bigint;
        END IF;
    END LOOP;
    RETURN state || jsonb_build_object(account, balance);
END
$$;

CREATE FUNCTION handle(state jsonb, input jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    balance bigint := coalesce((state->>(input->>'from'))::bigint, 0);
BEGIN
    IF balance + 1000000 < (input->>'cents')::bigint THEN
        RAISE EXCEPTION '% holds %, which is less than %', input->>'from', balance, input->>'cents';
    END IF;
    RETURN jsonb_build_array(
        jsonb_build_object('stream', input->'from', 'type', 'MoneyWithdrawn',
            'payload', jsonb_build_object('to', input->'to', 'cents', input->'cents')),
        jsonb_build_object('stream', input->'to', 'type', 'MoneyDeposited',
            'payload', jsonb_build_object('from', input->'from', 'cents', input->'cents')));
END
$$;

SELECT eventcore_register_command('transfer_money', 'apply', 'handle', streams => '{/from,/to}');
SELECT eventcore_register_command('transfer_in_batches', 'apply_events', 'handle', streams => '{/from,/to}');
-- Folds one account from its start and writes nothing.
CREATE FUNCTION look(state jsonb, input jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN NULL;
END
$$;
SELECT eventcore_register_command('look', 'apply', 'look', streams => '{/account}', snapshot_every => 0);
SELECT eventcore_register_command('look_in_batches', 'apply_events', 'look', streams => '{/account}', snapshot_every => 0);
-- For accounts with long histories: each is folded separately, from a saved state.
SELECT eventcore_register_command('transfer_combined', 'apply', 'handle', streams => '{/from,/to}',
    combine => 'jsonb_concat');

-- Reads, decides, and appends if nothing has changed; otherwise starts again. Returns the number of
-- attempts.
CREATE FUNCTION transfer_optimistically(input jsonb) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    streams  CONSTANT text[] := ARRAY[input->>'from', input->>'to'];
    versions bigint[];
    state    jsonb;
    event    eventcore.events;
BEGIN
    FOR attempt IN 1 .. 1000 LOOP
        state := '{}';
        versions := '{0,0}';
        FOR event IN
            SELECT position, version, recorded_at, event_id, stream_id, event_type, payload, metadata,
                   correlation_id, causation_id
              FROM eventcore_read_streams(streams)
        LOOP
            state := apply(state, event);
            versions[CASE event.stream_id WHEN streams[1] THEN 1 ELSE 2 END] := event.version;
        END LOOP;
        BEGIN
            PERFORM eventcore_append(streams, versions, handle(state, input));
            RETURN attempt;
        EXCEPTION WHEN SQLSTATE 'SE001' THEN
            NULL;
        END;
    END LOOP;
    RAISE EXCEPTION 'tried 1,000 times';
END
$$;

-- What a program would do that needs balances and no history.
CREATE TABLE balances (account text PRIMARY KEY, cents bigint NOT NULL) WITH (fillfactor = 50);

CREATE FUNCTION transfer_rows(from_account text, to_account text, amount bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    balance bigint;
BEGIN
    -- Both in one order, so that transfers in opposite directions do not deadlock.
    PERFORM FROM balances WHERE account IN (from_account, to_account) ORDER BY account FOR UPDATE;
    SELECT cents INTO balance FROM balances WHERE account = from_account;
    IF balance + 1000000 < amount THEN
        RAISE EXCEPTION '% holds %, which is less than %', from_account, balance, amount;
    END IF;
    UPDATE balances SET cents = cents - amount WHERE account = from_account;
    UPDATE balances SET cents = cents + amount WHERE account = to_account;
END
$$;
