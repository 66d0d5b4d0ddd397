-- The commands of examples/banking in PL/pgSQL: the same rules, the same words, the same events.

CREATE SCHEMA bank;

-- The state: the balance of each account that exists, in cents.
CREATE FUNCTION bank.apply(balances jsonb, event eventcore.events) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    cents bigint := event.payload->'cents';
BEGIN
    IF event.event_type = 'MoneyWithdrawn' THEN
        cents := -cents;
    END IF;
    RETURN balances || jsonb_build_object(event.stream_id, coalesce((balances->event.stream_id)::bigint, 0) + cents);
END
$$;

-- The same for several events of one account.
CREATE FUNCTION bank.apply_events(balances jsonb, events eventcore.events[]) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    account CONSTANT text := events[1].stream_id;
    balance bigint := coalesce((balances->account)::bigint, 0);
    event   eventcore.events;
BEGIN
    FOREACH event IN ARRAY events LOOP
        balance := balance + CASE event.event_type WHEN 'MoneyWithdrawn' THEN -1 ELSE 1 END * (event.payload->'cents')::bigint;
    END LOOP;
    RETURN balances || jsonb_build_object(account, balance);
END
$$;

CREATE FUNCTION bank.open_account(balances jsonb, input jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
    IF balances ? (input->>'account') THEN
        RAISE EXCEPTION '% is open already', input->>'account';
    END IF;
    RETURN jsonb_build_array(jsonb_build_object(
        'stream', input->'account', 'type', 'AccountOpened', 'payload', jsonb_build_object('cents', input->'cents')));
END
$$;

CREATE FUNCTION bank.shown(cents bigint) RETURNS text
LANGUAGE sql RETURN to_char(cents / 100.0, 'FM999,999,999,990.00');

CREATE FUNCTION bank.transfer_money(balances jsonb, input jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    account text;
    balance bigint := balances->(input->>'from');
    cents   bigint := input->'cents';
    payload jsonb  := jsonb_build_object('transfer', input->'transfer', 'cents', cents);
BEGIN
    FOREACH account IN ARRAY ARRAY[input->>'from', input->>'to'] LOOP
        IF NOT balances ? account THEN
            RAISE EXCEPTION 'there is no %', account;
        END IF;
    END LOOP;
    IF cents > balance THEN
        RAISE EXCEPTION '% holds %, which is less than %', input->>'from', bank.shown(balance), bank.shown(cents);
    END IF;
    RETURN jsonb_build_array(
        jsonb_build_object('stream', input->'from', 'type', 'MoneyWithdrawn',
                           'payload', payload || jsonb_build_object('to', input->'to')),
        jsonb_build_object('stream', input->'to', 'type', 'MoneyDeposited',
                           'payload', payload || jsonb_build_object('from', input->'from')));
END
$$;
