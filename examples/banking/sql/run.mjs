// The transfers of this folder with Node and node-postgres, in eight sessions at once. Prints how
// many were accepted and rejected, and the balances. PGHOST, PGDATABASE, … or their defaults name
// the database.
//
//     npm install pg && node run.mjs

import { readFileSync } from 'node:fs'
import pg from 'pg'

const WORKERS = 8

// The lines of a file without the first, which contains the column names.
function rows(file) {
    const text = readFileSync(new URL(file, import.meta.url), 'utf8')
    return text.trimEnd().split('\n').slice(1).map((line) => line.split(','))
}

// Runs a command; returns 'accepted', or the code of the rejection. Throws every other error.
async function execute(session, command, input) {
    try {
        await session.query('SELECT FROM eventcore_execute($1, $2)', [command, input])
    } catch (error) {
        if (error.code !== 'SE006') throw error
        return JSON.parse(error.detail).sqlstate
    }
    return 'accepted'
}

const pool = new pg.Pool({ max: WORKERS })
for (const [account, cents] of rows('openings.csv')) {
    const opening = { account: `account-${account}`, cents: Number(cents) }
    if ((await execute(pool, 'open_account', opening)) !== 'accepted') {
        throw new Error(`cannot open ${opening.account}: use a new database`)
    }
}

// As an editor counts: the first transfer is in line 2.
const transfers = rows('transfers.csv').map(([from, to, cents], index) => ({
    from: `account-${from}`, to: `account-${to}`, cents: Number(cents), transfer: index + 2
}))
const outcomes = {}
let next = 0
async function work() {
    while (next < transfers.length) {
        const outcome = await execute(pool, 'transfer_money', transfers[next++])
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    }
}
await Promise.all(Array.from({ length: WORKERS }, work))

for (const outcome of Object.keys(outcomes).sort()) {
    console.log(outcome, outcomes[outcome])
}
for (const { account, cents } of (await pool.query('TABLE bank.balances')).rows) {
    console.log(account, cents)
}
await pool.end()
