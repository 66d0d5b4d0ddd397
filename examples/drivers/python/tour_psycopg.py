"""A tour with psycopg 3. PGHOST, PGDATABASE, … or their defaults name the database.

pip install 'psycopg[binary]' && psql -f ../tour.sql && python tour_psycopg.py
"""

from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb


def event(stream, kind, payload, by):
    # With an id, the append can be repeated.
    return {"stream": stream, "type": kind, "payload": payload, "metadata": {"by": by}, "id": str(uuid4())}


def append(session, streams, expected_versions, events):
    """One row: first_position, last_position, versions, recorded_at, repeated."""
    return session.execute(
        "SELECT (a).* FROM eventcore_append(%s, %s, %s) a", (streams, expected_versions, Jsonb(events))
    ).fetchone()


def ship(session, pieces):
    """Ships pieces of the stock, however often other sessions change it meanwhile. Returns the request that succeeded, and its answer."""
    for attempt in range(1, 10):
        stock = session.execute("SELECT version, payload FROM eventcore_read_stream(%s)", ("stock-1",)).fetchall()
        version, payload = stock[-1]
        if attempt == 1:
            # Another session was faster. NULL: at whatever version.
            append(session, ["stock-1"], [None], [event("stock-1", "Counted", {"pieces": 9}, "bob")])
        events = [
            event("order-1", "Shipped", {"pieces": pieces}, "ann"),
            event("stock-1", "Counted", {"pieces": payload["pieces"] - pieces}, "ann"),
        ]
        request = (["order-1", "stock-1"], [1, version], events)
        try:
            return request, append(session, *request)
        except psycopg.Error as error:
            if error.sqlstate != "SE001":
                raise
            print("conflict:", error.sqlstate)


# In autocommit: each statement is a transaction, and eventcore_wait ends the one that it runs in.
with psycopg.connect(autocommit=True) as session:
    # Both streams are new: version 0.
    placed = append(
        session,
        ["order-1", "stock-1"],
        [0, 0],
        [
            event("order-1", "Placed", {"pieces": 2}, "ann"),
            event("stock-1", "Counted", {"pieces": 10}, "ann"),
        ],
    )
    print("placed: versions %d and %d" % tuple(placed[2]))

    request, (_, last_position, versions, _, _) = ship(session, 2)
    print("shipped: versions %d and %d, at the second attempt" % tuple(versions))

    # Was the answer lost? Sending the same request again writes nothing.
    _, _, versions, _, repeated = append(session, *request)
    print("repeated: %s, versions %d and %d" % (str(repeated).lower(), *versions))

    stock = session.execute("SELECT * FROM eventcore_read_stream(%s, 0, %s)", ("stock-1", 2))
    columns = [column.name for column in stock.description]
    stock = [dict(zip(columns, row)) for row in stock]
    print(
        "stock:",
        ", ".join(
            f"{e['version']} {e['event_type']} {e['payload']['pieces']} by {e['metadata']['by']}" for e in stock
        ),
    )

    events = session.execute("SELECT stream_id, event_type FROM eventcore_read_all(%s, %s)", (0, 100))
    print("all:", ", ".join(f"{stream} {kind}" for stream, kind in events))

    # A command runs inside the database, in one round trip.
    session.execute(
        "SELECT eventcore_register_command(%s, %s, %s, streams => %s, snapshot_every => %s)",
        ("take", "shop_count", "shop_take", ["/stock", "/order"], 50),
    )
    take = "SELECT (e).* FROM eventcore_execute(%s, %s, idempotency_key => %s) e"
    order = {"order": "order-2", "stock": "stock-1"}
    try:
        session.execute(take, ("take", Jsonb(order | {"pieces": 8}), "order-2"))
    except psycopg.Error as error:
        print(f"refused: {error.sqlstate}, {error.diag.message_primary}")
    for _ in range(2):
        done = session.execute(take, ("take", Jsonb(order | {"pieces": 3}), "order-2")).fetchone()
        versions = dict(zip(done[2], done[3]))
        print(
            "taken: versions %d and %d, repeated %s"
            % (versions["order-2"], versions["stock-1"], str(done[5]).lower())
        )

    session.execute(
        "SELECT eventcore_create_subscription(%s, stream_prefixes => %s, lease => %s, retry_limit => %s)",
        ("stock", ["stock-"], "30 seconds", 5),
    )
    deliveries = session.execute(
        "SELECT lease_id, position, version FROM eventcore_poll(%s, %s, %s, %s)", ("stock", "ann", 10, "1 second")
    ).fetchall()
    print("polled:", ", ".join(str(version) for _, _, version in deliveries))
    acknowledged = session.execute(
        "SELECT eventcore_ack(%s, %s, %s)", ("stock", deliveries[0][0], [position for _, position, _ in deliveries])
    ).fetchone()[0]
    print("acknowledged:", acknowledged)

    # Until all readers can read everything up to our event.
    safe = session.execute("CALL eventcore_wait(%s, %s)", (last_position - 1, "5 seconds")).fetchone()[0]
    print("waited:", str(safe >= last_position).lower())

    row = session.execute(
        "SELECT lag_events, leased, lease_seconds FROM eventcore.stat_subscriptions WHERE name = %s", ("stock",)
    ).fetchone()
    print("subscription: %d behind, %d leased, lease of %d seconds" % row)
