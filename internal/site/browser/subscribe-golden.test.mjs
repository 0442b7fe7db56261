// What topics look like on the wire (testdata/topics), read by subscribe over
// each transport, and by leat.js and somebody else's parser as plain events.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readEvents, readRecords, subscribe } from '../files/leat.js'
import { chunks, cuts, third } from './streams.mjs'
import { all, open, sockets } from './topics.mjs'

const golden = (name) => JSON.parse(readFileSync(new URL(`../../../testdata/topics/${name}.json`, import.meta.url), 'utf8'))
const records = golden('records')
const controls = golden('controls')

const types = { ndjson: 'application/x-ndjson', sse: 'text/event-stream' }
const first = { ndjson: controls[0].ndjson, sse: controls[0].sse }

/** A subscription to these bytes, whose next connection is told that there is no more. */
function reading(transport, pieces, options) {
  const answers = [new Response(chunks(pieces), { headers: { 'Content-Type': types[transport] } }), new Response(null, { status: 204 })]
  return subscribe('http://localhost/live/', { transport, fetch: async () => answers.shift(), random: () => 0, onGap: () => {}, ...options })
}

function wanted({ epoch, seq, topic, event, key, count, time, kind, data }) {
  const want = { id: `${epoch}-${seq}`, topic, event, key, count, time }
  for (const name in want) if (want[name] === undefined) delete want[name]
  const made = { json: JSON.parse, text: String, bytes: (text) => new Uint8Array(Buffer.from(text, 'base64')) }
  return { ...want, data: made[kind](data) }
}

for (const [transport, field] of [['ndjson', 'ndjson'], ['sse', 'envelope']]) {
  for (const record of records) {
    test(`a record over ${transport}, cut anywhere: ${record.name}`, async () => {
      for (const pieces of cuts(Buffer.from(record[field]))) {
        const live = reading(transport, [Buffer.from(first[transport]), ...pieces])
        const { value } = await live.next()
        assert.deepEqual(value, wanted(record), `cut at ${pieces[0]?.length}`)
        assert.equal(live.position, value.id)
        await live.return()
      }
    })
  }

  test(`all records over ${transport}, byte by byte`, async () => {
    const bytes = Buffer.from(first[transport] + records.map((r) => r[field]).join(''))
    assert.deepEqual(await all(reading(transport, Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)))), records.map(wanted))
  })

  for (const { name, control, ...wire } of controls) {
    test(`a control record over ${transport}, cut anywhere: ${name}`, async () => {
      for (const pieces of cuts(Buffer.from(wire[transport]))) {
        const told = []
        const states = []
        const onState = (state, detail) => {
          states.push([state, detail])
          if (state === 'waiting') live.return()
        }
        const live = reading(transport, pieces, { onGap: (gap) => told.push(gap), onState })
        assert.deepEqual(await all(live), [], 'it is not a message')
        assert.deepEqual(states[1], ['live', control])
        assert.deepEqual(told, ['gap', 'reset'].includes(control.control) ? [control] : [])
        assert.equal(live.position, control.id ?? '')
      }
    })
  }
}

test('records and control records over a WebSocket', async (t) => {
  const FakeSocket = sockets()
  const told = []
  const onGap = (gap) => gap.reason !== 'count' && told.push(gap) // the records are no whole stream
  const live = subscribe('http://localhost/live/', { transport: 'websocket', WebSocket: FakeSocket, onGap })
  t.after(() => live.return())
  const next = live.next()
  const socket = await FakeSocket.opened()
  socket.says(open())
  for (const record of records) {
    socket.says(record.ndjson.slice(0, -1))
    assert.deepEqual((await (record === records[0] ? next : live.next())).value, wanted(record), record.name)
  }
  for (const { ndjson } of controls.filter(({ control }) => control.control !== 'drain')) socket.says(ndjson.slice(0, -1))
  socket.says(records[0].ndjson.slice(0, -1).replace('k3f9x2ab-17', 'other-1'))
  assert.equal((await live.next()).value.id, 'other-1')
  assert.deepEqual(told, controls.map(({ control }) => control).filter(({ control }) => ['gap', 'reset'].includes(control)))
})

test('bare records are lines of JSON', async () => {
  const bytes = Buffer.from(records.map((r) => r.bare).join(''))
  const want = records.map(({ kind, data }) => (kind === 'json' ? JSON.parse(data) : data))
  assert.deepEqual(await all(readRecords(chunks([bytes]))), want)
})

test('plain events are what EventSource would dispatch, for two parsers', async () => {
  const bytes = Buffer.from([...records, ...controls].map((r) => r.sse).join(''))
  let id = ''
  const want = [
    ...records.map((r) => ({ id: (id = `${r.epoch}-${r.seq}`), event: r.event ?? 'message', data: r.data.replace(/\r\n|\r/g, '\n') })),
    ...controls.map(({ control, ndjson }) => ({ id: (id = control.id ?? id), event: `leat.${control.control}`, data: ndjson.slice(0, -1) })),
  ]
  const found = (await all(readEvents(chunks([bytes])))).map(({ id, event, data }) => ({ id, event, data }))
  assert.deepEqual(found, want)
  assert.deepEqual(third([bytes]), want)
})
