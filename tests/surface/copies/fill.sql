-- Everything that a database with eventcore can contain, in the middle of its work. The tests of
-- copies run this once.

-- What the application derives from the events.
CREATE TABLE ledger (position bigint PRIMARY KEY, stream_id text NOT NULL, amount bigint NOT NULL);
CREATE TABLE tally (stream_id text PRIMARY KEY, events bigint NOT NULL);
CREATE TABLE without_key (position bigint NOT NULL);
CREATE TABLE client_view (position bigint NOT NULL);
CREATE TABLE consumed (subscription text NOT NULL, position bigint NOT NULL);

CREATE FUNCTION enter(e eventcore.events) RETURNS void LANGUAGE sql
    AS 'INSERT INTO public.ledger VALUES (e.position, e.stream_id, (e.payload->>''amount'')::bigint)';
CREATE FUNCTION enter_without_key(events eventcore.events[]) RETURNS void LANGUAGE sql
    AS 'INSERT INTO public.without_key SELECT e.position FROM unnest(events) e';
CREATE FUNCTION count_up(e eventcore.events) RETURNS void LANGUAGE sql
    AS 'INSERT INTO public.tally VALUES (e.stream_id, 1) ON CONFLICT (stream_id) DO UPDATE SET events = tally.events + 1';

CREATE FUNCTION apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql
    AS 'SELECT to_jsonb(state::bigint + (event.payload->>''amount'')::bigint)';
CREATE FUNCTION handle(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql
    AS 'SELECT jsonb_build_array(jsonb_build_object(''stream'', input->''account'', ''type'', ''Paid'',
            ''payload'', jsonb_build_object(''amount'', input->''amount'', ''before'', state)))';

-- Appends this many events to a stream.
CREATE FUNCTION pay(stream text, count integer) RETURNS void LANGUAGE sql AS $$
    SELECT eventcore_append(ARRAY[stream], '{NULL}', jsonb_agg(jsonb_build_object(
               'stream', stream, 'type', 'Paid', 'payload', jsonb_build_object('amount', n),
               'metadata', jsonb_build_object('by', E'ada\t\\N ü'))), gen_random_uuid(), gen_random_uuid())
      FROM generate_series(1, count) n
$$;

-- Takes and acknowledges all events that a subscription has.
CREATE FUNCTION consume(name text, at_most integer DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    taken bigint;
    total bigint := 0;
BEGIN
    LOOP
        WITH polled AS MATERIALIZED (SELECT * FROM eventcore_poll(name, 'consumer', least(100, coalesce(at_most, 100)))),
             written AS (INSERT INTO public.consumed SELECT name, p.position FROM polled p RETURNING 1)
        SELECT count(eventcore_ack(name, p.lease_id, ARRAY[p.position])) INTO taken FROM polled p;
        total := total + taken;
        EXIT WHEN taken = 0 OR total >= at_most;
    END LOOP;
    RETURN total;
END
$$;

SELECT eventcore_create_projection('inline', 'count_up', mode => 'inline', start_from => 'now');
SELECT eventcore_create_projection('ledger', 'enter', tables => '{ledger}');
SELECT eventcore_create_projection('without key', 'enter_without_key', batch_size => 7);
SELECT eventcore_create_subscription('all');
SELECT eventcore_create_subscription('half way', stream_prefixes => '{account-1,account-2}', on_parked => 'stop',
                                     lease => '1 ms', retry_limit => 1000);
SELECT eventcore_register_command('pay', 'apply', 'handle', streams => '{/account}', initial_state => '0',
                                  combine => NULL, snapshot_every => 5);

SELECT pay('account-' || n % 5, 3) FROM generate_series(1, 60) n;
INSERT INTO eventcore.streams (stream_id, state, reason) VALUES ('closed', 'closed', 'why');
SELECT eventcore_execute('pay', '{"account": "account-1", "amount": 7}', idempotency_key => E'ü \\ '' ,') AS executed;

-- Leased, given back, parked.
SELECT consume('half way', 20);
SELECT n.outcome FROM eventcore_poll('half way', 'consumer', 1) e,
       LATERAL eventcore_nack('half way', e.lease_id, ARRAY[e.position], 'park', E'a tab \t and ü') n;
WITH polled AS MATERIALIZED (SELECT * FROM eventcore_poll('half way', 'consumer', 5)),
     one AS MATERIALIZED (SELECT * FROM polled ORDER BY position LIMIT 1),
     written AS (INSERT INTO consumed SELECT 'half way', position FROM one)
SELECT eventcore_ack('half way', lease_id, ARRAY[position]) FROM one;

-- Runs to the end; the end is a tail that was rolled back.
BEGIN;
SELECT pay('rolled back', 1500);
ROLLBACK;
SELECT consume('all');
CALL eventcore_wait_for_projection('ledger', timeout => '30 s');
CALL eventcore_wait_for_projection('without key', timeout => '30 s');
BEGIN;
INSERT INTO client_view SELECT position FROM eventcore_read_all(0, NULL);
SELECT eventcore_advance_checkpoint('client view', 0, eventcore_safe_position());
COMMIT;

-- And projections that are behind.
SELECT eventcore_pause_projection('without key');
SELECT pay('account-' || n % 5, 3) FROM generate_series(1, 20) n;
CALL eventcore_wait_for_projection('ledger', timeout => '30 s');
BEGIN;
SELECT pay('rolled back', 30);
ROLLBACK;
SELECT consume('all');
-- It passes over the positions that were rolled back, and from then on its row stays as it is.
CALL eventcore_wait_for_projection('ledger', eventcore_safe_position(), '30 s');
