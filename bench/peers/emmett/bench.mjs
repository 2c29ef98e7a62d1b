// Emmett on PostgreSQL as its guide sets it up; prints what it measured as one line of JSON.
// node bench.mjs command|batch --url URL --seconds 2 --concurrency 64 --streams 4000
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { DeciderCommandHandler, STREAM_DOES_NOT_EXIST } from '@event-driven-io/emmett';
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';
import pg from 'pg';

const BATCH = 100;

const changed = (contractId) => ({
  type: 'InstalmentChanged',
  data: {
    contract_id: contractId,
    contract_number: 'V-1001',
    contact_id: null,
    change_id: 'c-1',
    from_cents: 7800,
    amount_cents: 6500,
    currency: 'EUR',
    effective_from: '2026-12-01',
    changed_on: '2026-11-21',
    portal_id: 'customers',
  },
});

const instalments = {
  initialState: () => ({ amountCents: 0, changes: 0 }),
  evolve: (state, { data }) => ({ amountCents: data.amount_cents, changes: state.changes + 1 }),
  decide: (command, state) => {
    if (command.data.amountCents === state.refused) throw new Error('a rule that is never broken');
    return changed(command.data.contractId);
  },
  mapToStreamId: (id) => `instalments-${id}`,
};

async function sideBySide(concurrency, seconds, work) {
  let rate = 0;
  for (const length of [seconds / 5, seconds]) {
    const started = performance.now();
    const until = started + length * 1000;
    let done = 0;
    await Promise.all(
      Array.from({ length: concurrency }, async (_, worker) => {
        while (performance.now() < until) {
          const finished = await work(worker);
          done += finished;
        }
      }),
    );
    rate = done / ((performance.now() - started) / 1000);
  }
  return rate;
}

async function command(store, { concurrency, seconds, streams }) {
  const handle = DeciderCommandHandler(instalments);
  const ids = Array.from({ length: Math.max(streams, concurrency) }, () => randomUUID());
  const change = (id) => handle(store, id, { type: 'ChangeInstalment', data: { contractId: id, amountCents: 6500 } });
  for (let start = 0; start < ids.length; start += concurrency) {
    await Promise.all(ids.slice(start, start + concurrency).map(change));
  }
  const turns = Array.from({ length: concurrency }, (_, worker) => worker);
  return sideBySide(concurrency, seconds, async (worker) => {
    await change(ids[turns[worker]]);
    turns[worker] = turns[worker] + concurrency < ids.length ? turns[worker] + concurrency : worker;
    return 1;
  });
}

async function batch(store, { concurrency, seconds }) {
  return sideBySide(concurrency, seconds, async () => {
    const id = randomUUID();
    const events = Array.from({ length: BATCH }, () => changed(id));
    await store.appendToStream(`instalments-${id}`, events, { expectedStreamVersion: STREAM_DOES_NOT_EXIST });
    return BATCH;
  });
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string' },
    seconds: { type: 'string', default: '2' },
    concurrency: { type: 'string', default: '64' },
    streams: { type: 'string', default: '4000' },
    connections: { type: 'string', default: '10' },
  },
});
const pool = new pg.Pool({ connectionString: values.url, max: Number(values.connections) });
const once = getPostgreSQLEventStore(values.url);
await once.schema.migrate();
await once.close();
const store = getPostgreSQLEventStore(values.url, { connectionOptions: { pool }, schema: { autoMigration: 'None' } });
const measures = { command, batch };
const rate = await measures[positionals[0]](store, {
  concurrency: Number(values.concurrency),
  seconds: Number(values.seconds),
  streams: Number(values.streams),
});
const bytes = Buffer.byteLength(JSON.stringify(changed(randomUUID()).data));
console.log(JSON.stringify({ rate, bytes }));
await store.close();
await pool.end();
