// A tour with node-postgres. PGHOST, PGDATABASE, … or their defaults name the database.
//
//     npm install pg && psql -f ../tour.sql && node tour_pg.mjs

import { randomUUID } from 'node:crypto'
import pg from 'pg'

// bigint comes as text, because a JavaScript number is exact only up to 2^53: far above all
// versions and positions.
pg.types.setTypeParser(pg.types.builtins.INT8, Number)
pg.types.setTypeParser(1016, (list) => list.slice(1, -1).split(',').map(Number)) // bigint[]

const session = new pg.Client()
await session.connect()

// With an id, the append can be repeated.
function event(stream, type, payload, by) {
    return { stream, type, payload, metadata: { by }, id: randomUUID() }
}

// One row: first_position, last_position, versions, recorded_at, repeated. An array of JavaScript would become an array
// of PostgreSQL: so the events are sent as text.
async function append(streams, expectedVersions, events) {
    const sql = 'SELECT (a).* FROM eventcore_append($1, $2, $3) a'
    const { rows } = await session.query(sql, [streams, expectedVersions, JSON.stringify(events)])
    return rows[0]
}

// Ships pieces of the stock, however often other sessions change it meanwhile. Returns the request
// that succeeded, and its answer.
async function ship(pieces) {
    for (let attempt = 1; ; attempt++) {
        const read = 'SELECT version, payload FROM eventcore_read_stream($1)'
        const stock = (await session.query(read, ['stock-1'])).rows.at(-1)
        if (attempt === 1) {
            // Another session was faster. NULL: at whatever version.
            await append(['stock-1'], [null], [event('stock-1', 'Counted', { pieces: 9 }, 'bob')])
        }
        const events = [
            event('order-1', 'Shipped', { pieces }, 'ann'),
            event('stock-1', 'Counted', { pieces: stock.payload.pieces - pieces }, 'ann')
        ]
        const request = [['order-1', 'stock-1'], [1, stock.version], events]
        try {
            return { request, shipped: await append(...request) }
        } catch (error) {
            if (error.code !== 'SE001') throw error
            console.log('conflict:', error.code)
        }
    }
}

// Both streams are new: version 0.
const placed = await append(['order-1', 'stock-1'], [0, 0], [
    event('order-1', 'Placed', { pieces: 2 }, 'ann'),
    event('stock-1', 'Counted', { pieces: 10 }, 'ann')
])
console.log(`placed: versions ${placed.versions.join(' and ')}`)

const { request, shipped } = await ship(2)
console.log(`shipped: versions ${shipped.versions.join(' and ')}, at the second attempt`)

// Was the answer lost? Sending the same request again writes nothing.
const again = await append(...request)
console.log(`repeated: ${again.repeated}, versions ${again.versions.join(' and ')}`)

const stock = await session.query('SELECT * FROM eventcore_read_stream($1, 0, $2)', ['stock-1', 2])
const line = (e) => `${e.version} ${e.event_type} ${e.payload.pieces} by ${e.metadata.by}`
console.log('stock:', stock.rows.map(line).join(', '))

const all = await session.query('SELECT * FROM eventcore_read_all($1, $2)', [0, 100])
console.log('all:', all.rows.map((e) => `${e.stream_id} ${e.event_type}`).join(', '))

// A command runs inside the database, in one round trip.
await session.query(
    'SELECT eventcore_register_command($1, $2, $3, streams => $4, snapshot_every => $5)',
    ['take', 'shop_count', 'shop_take', ['/stock', '/order'], 50]
)
const take = 'SELECT (e).* FROM eventcore_execute($1, $2, idempotency_key => $3) e'
const order = { order: 'order-2', stock: 'stock-1' }
try {
    await session.query(take, ['take', { ...order, pieces: 8 }, 'order-2'])
} catch (error) {
    console.log(`refused: ${error.code}, ${error.message}`)
}
for (let times = 0; times < 2; times++) {
    const done = (await session.query(take, ['take', { ...order, pieces: 3 }, 'order-2'])).rows[0]
    const version = (stream) => done.versions[done.streams.indexOf(stream)]
    console.log(`taken: versions ${version('order-2')} and ${version('stock-1')}, repeated ${done.repeated}`)
}

await session.query(
    'SELECT eventcore_create_subscription($1, stream_prefixes => $2, lease => $3, retry_limit => $4)',
    ['stock', ['stock-'], '30 seconds', 5]
)
const poll = 'SELECT * FROM eventcore_poll($1, $2, $3, $4)'
const deliveries = (await session.query(poll, ['stock', 'ann', 10, '1 second'])).rows
console.log('polled:', deliveries.map((delivery) => delivery.version).join(', '))
const acknowledged = await session.query(
    'SELECT eventcore_ack($1, $2, $3) AS count',
    ['stock', deliveries[0].lease_id, deliveries.map((delivery) => delivery.position)]
)
console.log('acknowledged:', acknowledged.rows[0].count)

// Until all readers can read everything up to our event.
const waited = await session.query('CALL eventcore_wait($1, $2)', [shipped.last_position - 1, '5 seconds'])
console.log('waited:', waited.rows[0].safe_position >= shipped.last_position)

const view = 'SELECT * FROM eventcore.stat_subscriptions WHERE name = $1'
const { lag_events, leased, lease_seconds } = (await session.query(view, ['stock'])).rows[0]
console.log(`subscription: ${lag_events} behind, ${leased} leased, lease of ${lease_seconds} seconds`)
await session.end()
