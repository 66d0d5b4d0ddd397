"""The transfers of this folder by Python and psycopg 3: eight sessions at once. Then how many were accepted and
rejected, and the balances. PGHOST, PGDATABASE, … or their defaults name the database.

    pip install 'psycopg[binary]' && python run.py
"""

import csv
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue

import psycopg
from psycopg.types.json import Jsonb

WORKERS = 8
HERE = Path(__file__).parent


def execute(session, command, command_input):
    """Runs a command; "accepted", or the code of the rejection. Everything else that fails is raised."""
    try:
        session.execute("SELECT FROM eventcore_execute(%s, %s)", (command, Jsonb(command_input)))
    except psycopg.Error as error:
        if error.sqlstate != "SE006":
            raise
        return json.loads(error.diag.message_detail)["sqlstate"]
    return "accepted"


def rows(file):
    with open(HERE / file, newline="") as lines:
        yield from csv.DictReader(lines)


def work(transfers):
    """Executes the next free transfer until none is left."""
    outcomes = Counter()
    with psycopg.connect(autocommit=True) as session:
        while True:
            try:
                transfer = transfers.get_nowait()
            except Empty:
                return outcomes
            outcomes[execute(session, "transfer_money", transfer)] += 1


def main():
    with psycopg.connect(autocommit=True) as session:
        for row in rows("openings.csv"):
            opening = {"account": f"account-{row['account']}", "cents": int(row["cents"])}
            if execute(session, "open_account", opening) != "accepted":
                raise SystemExit(f"cannot open {opening['account']}: use a new database")

    transfers = SimpleQueue()
    # As an editor counts: the first transfer is in line 2.
    for number, row in enumerate(rows("transfers.csv"), start=2):
        transfers.put(
            {
                "from": f"account-{row['from']}",
                "to": f"account-{row['to']}",
                "cents": int(row["cents"]),
                "transfer": number,
            }
        )
    with ThreadPoolExecutor(WORKERS) as pool:
        workers = [pool.submit(work, transfers) for _ in range(WORKERS)]
    outcomes = sum((worker.result() for worker in workers), Counter())

    for outcome in sorted(outcomes):
        print(outcome, outcomes[outcome])
    with psycopg.connect() as session:
        for account, cents in session.execute("TABLE bank.balances"):
            print(account, cents)


main()
