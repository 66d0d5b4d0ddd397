"""A tour with asyncpg. PGHOST, PGDATABASE, … or their defaults name the database.

pip install asyncpg && psql -f ../tour.sql && python tour_asyncpg.py
"""

import asyncio
import json
from datetime import timedelta
from uuid import uuid4

import asyncpg


def event(stream, kind, payload, by):
    # With an id, the append can be repeated.
    return {"stream": stream, "type": kind, "payload": payload, "metadata": {"by": by}, "id": str(uuid4())}


async def append(session, streams, expected_versions, events):
    """One row: first_position, last_position, versions, recorded_at, repeated."""
    return await session.fetchrow(
        "SELECT (a).* FROM eventcore_append($1, $2, $3) a", streams, expected_versions, events
    )


async def ship(session, pieces):
    """Ships pieces of the stock, however often other sessions change it meanwhile. Returns the request that succeeded, and its answer."""
    for attempt in range(1, 10):
        stock = await session.fetch("SELECT version, payload FROM eventcore_read_stream($1)", "stock-1")
        version, payload = stock[-1]
        if attempt == 1:
            # Another session was faster. NULL: at whatever version.
            await append(session, ["stock-1"], [None], [event("stock-1", "Counted", {"pieces": 9}, "bob")])
        events = [
            event("order-1", "Shipped", {"pieces": pieces}, "ann"),
            event("stock-1", "Counted", {"pieces": payload["pieces"] - pieces}, "ann"),
        ]
        request = (["order-1", "stock-1"], [1, version], events)
        try:
            return request, await append(session, *request)
        except asyncpg.PostgresError as error:
            if error.sqlstate != "SE001":
                raise
            print("conflict:", error.sqlstate)


async def main():
    session = await asyncpg.connect()
    # Without this, asyncpg sends and returns JSON as text.
    await session.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)

    # Both streams are new: version 0.
    placed = await append(
        session,
        ["order-1", "stock-1"],
        [0, 0],
        [
            event("order-1", "Placed", {"pieces": 2}, "ann"),
            event("stock-1", "Counted", {"pieces": 10}, "ann"),
        ],
    )
    print("placed: versions %d and %d" % tuple(placed["versions"]))

    request, shipped = await ship(session, 2)
    print("shipped: versions %d and %d, at the second attempt" % tuple(shipped["versions"]))

    # Was the answer lost? Sending the same request again writes nothing.
    again = await append(session, *request)
    print("repeated: %s, versions %d and %d" % (str(again["repeated"]).lower(), *again["versions"]))

    stock = await session.fetch("SELECT * FROM eventcore_read_stream($1, 0, $2)", "stock-1", 2)
    print(
        "stock:",
        ", ".join(
            f"{e['version']} {e['event_type']} {e['payload']['pieces']} by {e['metadata']['by']}" for e in stock
        ),
    )

    events = await session.fetch("SELECT * FROM eventcore_read_all($1, $2)", 0, 100)
    print("all:", ", ".join(f"{e['stream_id']} {e['event_type']}" for e in events))

    # A command runs inside the database, in one round trip.
    await session.fetchval(
        "SELECT eventcore_register_command($1, $2, $3, streams => $4, snapshot_every => $5)",
        *("take", "shop_count", "shop_take", ["/stock", "/order"], 50),
    )
    take = "SELECT (e).* FROM eventcore_execute($1, $2, idempotency_key => $3) e"
    order = {"order": "order-2", "stock": "stock-1"}
    try:
        await session.fetchrow(take, "take", order | {"pieces": 8}, "order-2")
    except asyncpg.PostgresError as error:
        print(f"refused: {error.sqlstate}, {error.message}")
    for _ in range(2):
        done = await session.fetchrow(take, "take", order | {"pieces": 3}, "order-2")
        versions = dict(zip(done["streams"], done["versions"]))
        print(
            "taken: versions %d and %d, repeated %s"
            % (versions["order-2"], versions["stock-1"], str(done["repeated"]).lower())
        )

    await session.fetchval(
        "SELECT eventcore_create_subscription($1, stream_prefixes => $2, lease => $3, retry_limit => $4)",
        *("stock", ["stock-"], timedelta(seconds=30), 5),
    )
    deliveries = await session.fetch(
        "SELECT * FROM eventcore_poll($1, $2, $3, $4)", "stock", "ann", 10, timedelta(seconds=1)
    )
    print("polled:", ", ".join(str(delivery["version"]) for delivery in deliveries))
    positions = [delivery["position"] for delivery in deliveries]
    acknowledged = await session.fetchval(
        "SELECT eventcore_ack($1, $2, $3)", "stock", deliveries[0]["lease_id"], positions
    )
    print("acknowledged:", acknowledged)

    # Until all readers can read everything up to our event.
    last_position = shipped["last_position"]
    safe = await session.fetchval("CALL eventcore_wait($1, $2)", last_position - 1, timedelta(seconds=5))
    print("waited:", str(safe >= last_position).lower())

    row = await session.fetchrow("SELECT * FROM eventcore.stat_subscriptions WHERE name = $1", "stock")
    print(
        "subscription: %d behind, %d leased, lease of %d seconds"
        % (row["lag_events"], row["leased"], row["lease_seconds"])
    )
    await session.close()


asyncio.run(main())
