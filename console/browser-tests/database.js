// Databases on a server that is there already: made with the data of a shop, asked by psql, removed.
//
// - DATABASE_URL: a superuser of the server, with a password; the database of it is not used.
// - PSQL: the client; by default the one of the PATH.
// - XTASK, PG_MAJOR: `XTASK server stop --pg PG_MAJOR` ends the server, and `start` starts it.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const PSQL = process.env.PSQL ?? "psql";

export class Database {
  constructor(name) {
    const url = new URL(process.env.DATABASE_URL ?? "postgres://localhost");
    this.name = name;
    /** How programs find it. */
    this.environment = {
      ...process.env, PGHOST: url.hostname, PGPORT: url.port, PGUSER: url.username, PGPASSWORD: decodeURIComponent(url.password), PGDATABASE: name,
    };
    this.sessions = [];
  }

  /** Makes an empty database with the extension, in the place of one of this name. */
  static async create(name) {
    const database = new Database(name);
    await database.sql(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`, "postgres");
    await database.sql(`CREATE DATABASE ${name}`, "postgres");
    await database.sql("CREATE EXTENSION eventcore");
    return database;
  }

  /** Runs a file of this folder. */
  async load(file) {
    await this.#psql(["--file", fileURLToPath(new URL(file, import.meta.url))]);
  }

  /** Runs SQL, and returns what it prints: rows on lines, columns with | between them. */
  async sql(sql, database = this.name) {
    return (await this.#psql(["--command", sql], database)).trimEnd();
  }

  async #psql(given, database = this.name) {
    const all = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1", ...given];
    const { stdout } = await run(PSQL, all, { env: { ...this.environment, PGDATABASE: database, PGOPTIONS: "-c client_min_messages=warning" } });
    return stdout;
  }

  /** Appends one event to a stream, and returns its position. */
  async append(stream, type = "Added", payload = {}) {
    const event = JSON.stringify([{ stream, type, payload }]).replaceAll("'", "''");
    return Number(await this.sql(`SELECT first_position FROM eventcore_append(ARRAY['${stream.replaceAll("'", "''")}'], ARRAY[NULL]::bigint[], '${event}')`));
  }

  /** Opens a transaction that appends and does not end. Returns the number of its process. */
  async hold(stream) {
    const env = { ...this.environment, PGAPPNAME: "nightly import" };
    const child = spawn(PSQL, ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"], { env, stdio: ["pipe", "pipe", "ignore"] });
    process.once("exit", () => child.kill("SIGKILL"));
    this.sessions.push(child);
    child.stdin.on("error", () => { /* The server has ended it. */ });
    child.stdin.write(`BEGIN; SELECT pg_backend_pid(); SELECT FROM eventcore_append(ARRAY['${stream}'], ARRAY[NULL]::bigint[],
      '[{"stream": "${stream}", "type": "ImportBegun", "payload": {}}]'); SELECT 'held';\n`);
    let output = "";
    for await (const data of child.stdout) {
      output += data;
      if (output.includes("held")) break;
    }
    assert.match(output, /held/);
    return Number(output.split("\n")[0]);
  }

  /** The positions of all events with this prefix of the stream, in order. */
  async positions(prefix) {
    return (await this.sql(`SELECT position FROM eventcore.events WHERE starts_with(stream_id, '${prefix}') ORDER BY position`)).split("\n").filter(Boolean);
  }

  async drop() {
    for (const session of this.sessions) {
      const ended = session.exitCode === null && session.signalCode === null && once(session, "close");
      session.kill("SIGKILL");
      await ended;
    }
    await this.sql(`DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`, "postgres");
  }
}

/** Ends the server as an operator does, or starts it. */
export async function server(action) {
  const { XTASK, PG_MAJOR } = process.env;
  assert.ok(XTASK && PG_MAJOR, "XTASK and PG_MAJOR say how the server is stopped and started");
  await run(XTASK, ["server", action, "--pg", PG_MAJOR]);
}
