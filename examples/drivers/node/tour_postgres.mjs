// A tour with Postgres.js. PGHOST, PGDATABASE, … or their defaults name the database.
//
//     npm install postgres && psql -f ../tour.sql && node tour_postgres.mjs

import { randomUUID } from 'node:crypto'
import postgres from 'postgres'

// bigint comes as text, because a JavaScript number is exact only up to 2^53: far above all
// versions and positions.
const bigint = { to: 20, from: [20], parse: Number, serialize: String }
const sql = postgres({ types: { bigint }, host: process.env.PGHOST })

// With an id, the append can be repeated.
function event(stream, type, payload, by) {
    return { stream, type, payload, metadata: { by }, id: randomUUID() }
}

// One row: first_position, last_position, versions, recorded_at, repeated.
async function append(streams, expectedVersions, events) {
    const [row] = await sql`
        SELECT (a).* FROM eventcore_append(${streams}, ${expectedVersions}, ${sql.json(events)}) a`
    return row
}

// Ships pieces of the stock, however often other sessions change it meanwhile. Returns the request
// that succeeded, and its answer.
async function ship(pieces) {
    for (let attempt = 1; ; attempt++) {
        const stock = (await sql`SELECT version, payload FROM eventcore_read_stream('stock-1')`).at(-1)
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

const stock = await sql`SELECT * FROM eventcore_read_stream(${'stock-1'}, 0, ${2})`
const line = (e) => `${e.version} ${e.event_type} ${e.payload.pieces} by ${e.metadata.by}`
console.log('stock:', stock.map(line).join(', '))

const all = await sql`SELECT * FROM eventcore_read_all(${0}, ${100})`
console.log('all:', all.map((e) => `${e.stream_id} ${e.event_type}`).join(', '))

// A command runs inside the database, in one round trip.
await sql`
    SELECT eventcore_register_command(${'take'}, ${'shop_count'}, ${'shop_take'},
                                      streams => ${['/stock', '/order']}, snapshot_every => ${50})`
const take = (pieces) => sql`
    SELECT (e).* FROM eventcore_execute(${'take'}, ${sql.json({ order: 'order-2', stock: 'stock-1', pieces })},
                                        idempotency_key => ${'order-2'}) e`
try {
    await take(8)
} catch (error) {
    console.log(`refused: ${error.code}, ${error.message}`)
}
for (let times = 0; times < 2; times++) {
    const [done] = await take(3)
    const version = (stream) => done.versions[done.streams.indexOf(stream)]
    console.log(`taken: versions ${version('order-2')} and ${version('stock-1')}, repeated ${done.repeated}`)
}

await sql`
    SELECT eventcore_create_subscription(${'stock'}, stream_prefixes => ${['stock-']}, lease => ${'30 seconds'},
                                         retry_limit => ${5})`
const deliveries = await sql`SELECT * FROM eventcore_poll(${'stock'}, ${'ann'}, ${10}, ${'1 second'})`
console.log('polled:', deliveries.map((delivery) => delivery.version).join(', '))
const positions = deliveries.map((delivery) => delivery.position)
const [{ count }] = await sql`SELECT eventcore_ack(${'stock'}, ${deliveries[0].lease_id}, ${positions}) AS count`
console.log('acknowledged:', count)

// Until all readers can read everything up to our event.
const [{ safe_position }] = await sql`CALL eventcore_wait(${shipped.last_position - 1}, ${'5 seconds'})`
console.log('waited:', safe_position >= shipped.last_position)

const [view] = await sql`SELECT * FROM eventcore.stat_subscriptions WHERE name = ${'stock'}`
console.log(
    `subscription: ${view.lag_events} behind, ${view.leased} leased, lease of ${view.lease_seconds} seconds`
)
await sql.end()
