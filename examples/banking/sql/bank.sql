-- The bank of this example as commands inside the database: the same rules and the same events as in ../src, for any
-- driver. `psql -d bank -f bank.sql` in a database with eventcore; again after a change.

CREATE SCHEMA IF NOT EXISTS bank;

-- A rejection's code, in the "sqlstate" of the DETAIL of SE006:
--   BK001  there is no such account      BK002  there is not enough in it
--   BK003  that is no amount, or from an account to itself       BK004  the account is open already

-- The state of every command: the balance, in cents, of each account that exists.
-- Gets one or more events of one account. Accounts have many, so this is faster than a call for each event.
CREATE OR REPLACE FUNCTION bank.apply_events(balances jsonb, events eventcore.events[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    account CONSTANT text := events[1].stream_id;
    balance bigint := coalesce((balances->>account)::bigint, 0);
    event   eventcore.events;
BEGIN
    FOREACH event IN ARRAY events LOOP
        IF event.event_type = 'MoneyWithdrawn' THEN
            balance := balance - (event.payload->>'cents')::bigint;
        ELSE
            balance := balance + (event.payload->>'cents')::bigint;
        END IF;
    END LOOP;
    RETURN balances || jsonb_build_object(account, balance);
END
$$;

CREATE OR REPLACE FUNCTION bank.money(cents bigint) RETURNS text
LANGUAGE sql IMMUTABLE RETURN to_char(cents / 100.0, 'FM999,999,999,990.00');

CREATE OR REPLACE FUNCTION bank.require_account(balances jsonb, account text) RETURNS void
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF NOT balances ? account THEN
        RAISE EXCEPTION 'there is no %', account USING ERRCODE = 'BK001';
    END IF;
END
$$;

-- A whole number of cents, greater than zero.
CREATE OR REPLACE FUNCTION bank.amount(input jsonb) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    cents numeric := (input->>'cents')::numeric;
BEGIN
    IF cents <= 0 OR cents <> trunc(cents) OR cents > 9223372036854775807 THEN
        RAISE EXCEPTION '% is no amount in whole cents', cents USING ERRCODE = 'BK003';
    END IF;
    RETURN cents;
END
$$;

CREATE OR REPLACE FUNCTION bank.open_account(balances jsonb, input jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    account text := input->>'account';
BEGIN
    IF balances ? account THEN
        RAISE EXCEPTION '% is open already', account USING ERRCODE = 'BK004';
    END IF;
    RETURN jsonb_build_array(jsonb_build_object(
        'stream', account, 'type', 'AccountOpened',
        'payload', jsonb_build_object('cents', bank.amount(input))));
END
$$;

CREATE OR REPLACE FUNCTION bank.deposit(balances jsonb, input jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    account text := input->>'account';
BEGIN
    PERFORM bank.require_account(balances, account);
    RETURN jsonb_build_array(jsonb_build_object(
        'stream', account, 'type', 'CashDeposited',
        'payload', jsonb_build_object('cents', bank.amount(input))));
END
$$;

CREATE OR REPLACE FUNCTION bank.transfer_money(balances jsonb, input jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    sender   text   := input->>'from';
    receiver text   := input->>'to';
    cents    bigint := bank.amount(input);
    balance  bigint := balances->>sender;
BEGIN
    IF sender = receiver THEN
        RAISE EXCEPTION 'from an account to itself' USING ERRCODE = 'BK003';
    END IF;
    PERFORM bank.require_account(balances, sender);
    PERFORM bank.require_account(balances, receiver);
    IF balance < cents THEN
        RAISE EXCEPTION '% holds %, which is less than %', sender, bank.money(balance), bank.money(cents)
            USING ERRCODE = 'BK002';
    END IF;
    RETURN jsonb_build_array(
        jsonb_build_object('stream', sender, 'type', 'MoneyWithdrawn', 'payload',
            jsonb_build_object('transfer', input->'transfer', 'to', receiver, 'cents', cents)),
        jsonb_build_object('stream', receiver, 'type', 'MoneyDeposited', 'payload',
            jsonb_build_object('transfer', input->'transfer', 'from', sender, 'cents', cents)));
END
$$;

SELECT eventcore_register_command('open_account', 'bank.apply_events', 'bank.open_account',
    streams => '{/account}', required_fields => '{"/cents": "number"}', replace => true);
SELECT eventcore_register_command('deposit', 'bank.apply_events', 'bank.deposit',
    streams => '{/account}', required_fields => '{"/cents": "number"}', replace => true);
SELECT eventcore_register_command('transfer_money', 'bank.apply_events', 'bank.transfer_money',
    streams => '{/from,/to}', required_fields => '{"/cents": "number", "/transfer": "number"}', replace => true);

-- The balances of the accounts, computed from their events.
CREATE OR REPLACE VIEW bank.balances AS
    SELECT stream_id AS account,
           sum(CASE event_type WHEN 'MoneyWithdrawn' THEN -1 ELSE 1 END * (payload->>'cents')::bigint)::bigint AS cents
      FROM eventcore.events
     WHERE stream_id LIKE 'account-%'
     GROUP BY stream_id
     ORDER BY stream_id;
