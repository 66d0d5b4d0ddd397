-- The sample data of `eventcore dev`: a bank with ten accounts.

CREATE SCHEMA bank;

CREATE FUNCTION bank.apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql
RETURN CASE event.event_type
    WHEN 'AccountOpened' THEN state || jsonb_build_object(event.stream_id, 0)
    WHEN 'AccountClosed' THEN state - event.stream_id
    WHEN 'MoneyDeposited' THEN state || jsonb_build_object(event.stream_id, (state->event.stream_id)::bigint + (event.payload->'cents')::bigint)
    WHEN 'MoneyWithdrawn' THEN state || jsonb_build_object(event.stream_id, (state->event.stream_id)::bigint - (event.payload->'cents')::bigint)
    ELSE state END;
COMMENT ON FUNCTION bank.apply(jsonb, eventcore.events) IS 'The balance of each account, in cents.';

CREATE FUNCTION bank.open_account(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    IF state ? (input->>'account') THEN
        RAISE EXCEPTION '% is open already', input->>'account';
    END IF;
    RETURN jsonb_build_array(jsonb_build_object('stream', input->'account', 'type', 'AccountOpened',
                                                'payload', jsonb_build_object('owner', input->'owner')));
END $$;

CREATE FUNCTION bank.deposit(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    IF NOT state ? (input->>'account') THEN
        RAISE EXCEPTION 'there is no %', input->>'account';
    END IF;
    RETURN jsonb_build_array(jsonb_build_object('stream', input->'account', 'type', 'MoneyDeposited',
                                                'payload', jsonb_build_object('cents', input->'cents')));
END $$;

CREATE FUNCTION bank.transfer(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    payload jsonb := jsonb_build_object('cents', input->'cents', 'transfer', input->'transfer');
BEGIN
    IF NOT (state ? (input->>'from') AND state ? (input->>'to')) THEN
        RAISE EXCEPTION 'there is no % or no %', input->>'from', input->>'to';
    ELSIF (state->(input->>'from'))::bigint < (input->'cents')::bigint THEN
        RAISE EXCEPTION '% has only % cents', input->>'from', state->(input->>'from');
    END IF;
    RETURN jsonb_build_array(jsonb_build_object('stream', input->'from', 'type', 'MoneyWithdrawn', 'payload', payload),
                             jsonb_build_object('stream', input->'to', 'type', 'MoneyDeposited', 'payload', payload));
END $$;

SELECT eventcore_register_command('open account', 'bank.apply', 'bank.open_account', streams => '{/account}',
                                  required_fields => '{"/account": "string", "/owner": "string"}');
SELECT eventcore_register_command('deposit', 'bank.apply', 'bank.deposit', streams => '{/account}',
                                  required_fields => '{"/account": "string", "/cents": "number"}');
SELECT eventcore_register_command('transfer', 'bank.apply', 'bank.transfer', streams => '{/from,/to}',
                                  required_fields => '{"/from": "string", "/to": "string", "/cents": "number"}');

CREATE TABLE bank.balances (account text COLLATE "C" PRIMARY KEY, cents bigint NOT NULL);
CREATE FUNCTION bank.project(events eventcore.events[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO bank.balances
    SELECT stream_id, sum(CASE event_type WHEN 'MoneyWithdrawn' THEN -1 ELSE 1 END * coalesce((payload->'cents')::bigint, 0))
      FROM unnest(events) GROUP BY stream_id
    ON CONFLICT (account) DO UPDATE SET cents = balances.cents + excluded.cents
$$;
SELECT eventcore_create_projection('balances', 'bank.project', tables => '{bank.balances}');
SELECT eventcore_create_subscription('mails', event_types => '{MoneyWithdrawn}', on_parked => 'stop');

-- A transaction of its own.
DO $$
DECLARE
    owners CONSTANT text[] := '{ada,alan,barbara,donald,edsger,frances,grace,john,margaret,niklaus}';
    payer  text;
    payee  text;
BEGIN
    FOR n IN 1..10 LOOP
        PERFORM FROM eventcore_execute('open account', jsonb_build_object('account', 'account-' || owners[n], 'owner', initcap(owners[n])),
                                       correlation_id => gen_random_uuid());
        PERFORM FROM eventcore_execute('deposit', jsonb_build_object('account', 'account-' || owners[n], 'cents', 100000));
    END LOOP;
    FOR n IN 1..200 LOOP
        payer := owners[1 + n % 10];
        payee := owners[1 + (n * 7 + 3) % 10];
        CONTINUE WHEN payer = payee;
        PERFORM FROM eventcore_execute('transfer', jsonb_build_object('from', 'account-' || payer, 'to', 'account-' || payee,
                                                                      'cents', 100 + n * 37 % 1000, 'transfer', n),
                                       correlation_id => gen_random_uuid(), idempotency_key => 'transfer-' || n);
    END LOOP;
END $$;

-- A transaction of its own.
-- The first mail cannot be delivered, so the stream of its account stands still.
DO $$
DECLARE
    polled record;
BEGIN
    SELECT * INTO polled FROM eventcore_poll('mails', 'mailer-1', 5, '0 s') LIMIT 1;
    PERFORM eventcore_nack('mails', polled.lease_id, ARRAY[polled."position"], 'park', 'smtp: 550 no such user');
END $$;
