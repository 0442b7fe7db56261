import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test } from 'node:test'
import { follow } from '../files/link.js'

// stage is a link whose streams the test plays by hand.
function stage(options = {}) {
  const heard = new EventEmitter()
  const states = []
  const streams = []
  const link = follow(
    (signal) => {
      const stream = { signal, sent: [] }
      stream.over = new Promise((end, fail) => {
        stream.end = end
        stream.fail = fail
      })
      stream.over.catch(() => {})
      signal.addEventListener('abort', () => stream.fail(signal.reason))
      streams.push(stream)
      heard.emit('opened', stream)
      return (async function* () {
        yield* options.first ?? ['first']
        await stream.over
      })()
    },
    {
      record: (r) => heard.emit('record', r),
      state: (name, detail) => {
        states.push(name)
        heard.emit(name, detail)
      },
      ...options,
    },
  )
  return { link, states, streams, when: async (name) => (await once(heard, name))[0] }
}

const pause = ({ until }) => until - performance.now()

test('a stream that the server ended is opened again', async () => {
  const { link, states, streams, when } = stage({ random: () => 0 })
  link.wake()
  await when('live')
  streams[0].end()
  assert.equal((await when('waiting')).reason, 'the server ended the stream')
  await when('live')
  assert.deepEqual(states, ['connecting', 'live', 'waiting', 'connecting', 'live'])
  link.rest()
  await when('resting')
})

test('pauses are random below a ceiling that doubles from half a second to ten', async () => {
  const { link, streams, when } = stage({ random: () => 1, first: [] })
  link.wake()
  for (const ceiling of [500, 1000, 2000, 4000, 8000, 10_000, 10_000]) {
    streams.at(-1).fail(new TypeError('fetch failed'))
    const detail = await when('waiting')
    assert.equal(detail.reason, 'the server cannot be reached')
    assert.ok(pause(detail) <= ceiling && pause(detail) > ceiling - 200, `${pause(detail)} ms of ${ceiling}`)
    link.wake() // who waits and is woken tries at once
    await when('opened')
  }
  link.rest()
  await when('resting')
})

test('a refusal is final until the stream is wanted anew', async () => {
  const { link, states, streams, when } = stage({ first: [] })
  link.wake()
  streams[0].fail(Object.assign(new Error('status 400'), { status: 400, text: 'every: "1" is not a duration\n' }))
  assert.equal((await when('refused')).reason, 'every: "1" is not a duration')
  link.again()
  assert.equal(streams.length, 2)
  assert.deepEqual(states, ['connecting', 'refused', 'connecting'])
  link.rest()
  await when('resting')
})

test('an overloaded server is tried again when it says', async () => {
  const { link, streams, when } = stage({ random: () => 0, first: [] })
  link.wake()
  streams[0].fail(Object.assign(new Error('status 503'), { status: 503, headers: new Headers({ 'Retry-After': '7' }) }))
  const left = pause(await when('waiting'))
  assert.ok(left > 6000 && left <= 7000, `${left} ms`)
  link.rest()
  await when('resting')
})

test('a mute stream counts as broken', async () => {
  const { link, streams, when } = stage({ silence: 5, random: () => 0 })
  link.wake()
  assert.equal((await when('waiting')).reason, 'nothing was heard from the server')
  assert.ok(streams[0].signal.aborted)
  link.rest()
  await when('resting')
})

test('rest and again change streams without a pause', async () => {
  const { link, states, streams, when } = stage({ random: () => 1 })
  link.wake()
  await when('live')
  link.again()
  assert.ok(streams[0].signal.aborted)
  await when('live')
  assert.equal(streams.length, 2)
  link.rest()
  link.wake() // before the rest was complete
  await when('live')
  assert.equal(streams.length, 3)
  link.rest()
  await when('resting')
  link.wake()
  await when('live')
  assert.ok(!states.includes('waiting'))
  link.rest()
  await when('resting')
})
