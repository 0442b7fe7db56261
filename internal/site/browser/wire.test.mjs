// subscribe in Chromium, against the real server, over a wire that is cut.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { open } from './page.mjs'
import { lengths, sign, topics, wire } from './wire.mjs'

const server = await topics()
const transports = ['ndjson', 'sse', 'websocket']

// follow has the page read a topic. What comes is kept in window.heard. A chance
// is what random answers; fresh is the name of a function that gives tokens.
const follow = (page, topic, options) =>
  page.evaluate(
    async ([topic, { chance = 0, fresh, token, ...options }]) => {
      const { subscribe } = await import('/leat.js')
      const heard = { numbers: [], gaps: [], states: [] }
      window.heard = heard
      const live = subscribe(`/live/${topic}`, {
        ...options,
        random: () => chance,
        token: token ?? window[fresh],
        onGap: (gap) => heard.gaps.push(gap),
        onState: (state) => heard.states.push(state),
      })
      async function loop() {
        for await (const { data } of live) heard.numbers.push(data)
      }
      loop().catch((error) => (heard.error = String(error)))
    },
    [topic, options],
  )

// until waits until something holds of what the page has heard, or its loop has
// ended; it answers that all.
async function until(page, holds, argument) {
  const test = new Function('argument', `return Boolean(window.heard.error) || (${holds})(window.heard, argument)`)
  await page.waitForFunction(test, argument, { polling: 20, timeout: 60_000 })
  const heard = await page.evaluate(() => window.heard)
  assert.equal(heard.error, undefined)
  return heard
}
const live = (page) => until(page, ({ states }) => states.at(-1) === 'live')
const waiting = (page) => until(page, ({ states }) => states.at(-1) === 'waiting')
const number = (page, n) => until(page, ({ numbers }, n) => numbers.at(-1) >= n, n)

// complaints are those of the page, but for the browser's own about handshakes that were cut.
const complaints = (page) => page.complaints.filter((text) => !text.includes('Connection closed before receiving a handshake response'))

const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i)

// The bounds are such that the lengths end before the numbers do.
for (const [transport, times, bound] of [['ndjson', 12, 1600], ['sse', 12, 2400], ['websocket', 8, 800]]) {
  test(`each number comes once and in order over ${transport}, wherever it is cut`, async (t) => {
    const list = lengths(times, bound)
    t.diagnostic(`cut after ${list.join(', ')} bytes`)
    const way = await wire(t, server.origin, { lengths: list })
    const page = await open(t, way.origin)
    const topic = `cut.${transport}`
    await follow(page, topic, { transport, history: 'all' })
    for (let n = 1; n <= 200; n += 10) {
      await server.publish(topic, n, n + 9)
      await number(page, n)
    }
    const { numbers, gaps } = await number(page, 200)
    assert.deepEqual(numbers, range(1, 200))
    assert.deepEqual(gaps, [])
    assert.equal(way.cuts, list.length)
    assert.deepEqual(complaints(page), [])
  })
}

for (const transport of transports) {
  test(`what is kept no longer is told as a gap over ${transport}`, async (t) => {
    const way = await wire(t, server.origin)
    const page = await open(t, way.origin)
    const topic = `short.${transport}`
    await follow(page, topic, { transport, chance: 0.05 })
    await live(page)
    await server.publish(topic, 1)
    await number(page, 1)
    way.down()
    for (const n of range(2, 150)) await server.publish(topic, n) // who may still be there would keep what comes at once
    way.up()
    const { numbers, gaps } = await number(page, 150)
    assert.deepEqual(numbers, [1, ...range(51, 150)])
    assert.deepEqual(gaps.map(({ control, reason, missed, counts }) => ({ control, reason, missed, counts })), [{ control: 'gap', reason: 'history', missed: { [topic]: 49 }, counts: { [topic]: 50 } }])
    assert.deepEqual(complaints(page), [])
  })

  // The pause that this chance makes is longer than any test.
  const chance = 1e4

  test(`a browser that is back on line goes on at once over ${transport}`, async (t) => {
    const way = await wire(t, server.origin)
    const page = await open(t, way.origin)
    const topic = `line.${transport}`
    await follow(page, topic, { transport, chance })
    await live(page)
    await server.publish(topic, 1)
    await number(page, 1)
    await page.context().setOffline(true)
    way.cut()
    await waiting(page)
    await server.publish(topic, 2, 5)
    await page.context().setOffline(false)
    const { numbers, gaps, states } = await number(page, 5)
    assert.deepEqual(numbers, range(1, 5))
    assert.deepEqual(gaps, [])
    assert.deepEqual(states, ['connecting', 'live', 'waiting', 'connecting', 'live'])
    assert.deepEqual(complaints(page), [])
  })

  test(`a token is asked for at each try, and at once after one that is refused, over ${transport}`, async (t) => {
    const way = await wire(t, server.origin)
    const page = await open(t, way.origin)
    const topic = `secret.${transport}`
    const tokens = []
    await page.exposeFunction('fresh', () => {
      tokens.push(sign([topic], Date.now() + (tokens.length ? 600_000 : -1000)))
      return tokens.at(-1)
    })
    await follow(page, topic, { transport, chance: 0, fresh: 'fresh' })
    await live(page)
    await server.publish(topic, 1)
    await number(page, 1)
    for (const n of [2, 3]) {
      way.cut()
      await server.publish(topic, n)
      await number(page, n)
    }
    const { numbers, gaps, states } = await number(page, 3)
    assert.deepEqual(numbers, range(1, 3))
    assert.deepEqual(gaps, [])
    assert.deepEqual(states, ['connecting', 'connecting', 'live', 'waiting', 'connecting', 'live', 'waiting', 'connecting', 'live'])
    const sent = way.heads.filter((head) => !/^Accept: application\/json\r/im.test(head)).map((head) => /Bearer (.+)\r|leat\.token\.(.+)\r/.exec(head).slice(1).join(''))
    assert.deepEqual(sent, tokens)
    // The browser's own words for 401.
    const [complaint] = page.complaints.splice(0, 1)
    assert.match(complaint, transport === 'websocket' ? /HTTP Authentication failed/ : /status of 401/)
    assert.deepEqual(page.complaints.filter((c) => !c.includes('status of 401')), [])
  })
}

test('a token goes before the cookie of a ticket for other topics', async (t) => {
  const way = await wire(t, server.origin)
  const page = await open(t, way.origin)
  await page.evaluate(async (token) => {
    const answer = await fetch('/live/ticket?topic=secret.other', { method: 'POST', headers: { Authorization: `Bearer ${token}` } })
    const { ticket } = await answer.json()
    const source = new EventSource(`/live/?topic=secret.other&ticket=${ticket}`)
    await new Promise((done) => source.addEventListener('leat.open', done))
  }, sign(['secret.other']))
  for (const transport of transports) {
    const token = sign(['secret.mine'])
    await follow(page, 'secret.mine', { transport, token, history: 'last' })
    await live(page)
    assert.match(way.heads.at(-1), /^Cookie: leat-token=.+\r$/m)
  }
  assert.deepEqual(complaints(page), [])
})

test('a hidden page tries again when it is seen, and not because it is on line', async (t) => {
  const way = await wire(t, server.origin)
  const page = await open(t, way.origin)
  await follow(page, 'hidden', { chance: 1e4 })
  await live(page)
  way.cut()
  await waiting(page)
  const still = await page.evaluate(async () => {
    // Without a window no page is ever hidden.
    Object.defineProperty(document, 'hidden', { configurable: true, value: true })
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))
    window.dispatchEvent(new Event('online'))
    // A try would begin before the last of these timers.
    for (let i = 0; i < 2; i++) await new Promise((done) => setTimeout(done))
    return window.heard.states.at(-1)
  })
  assert.equal(still, 'waiting')
  await server.publish('hidden', 1)
  await page.evaluate(() => {
    delete document.hidden
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))
  })
  const { states } = await number(page, 1)
  assert.deepEqual(states, ['connecting', 'live', 'waiting', 'connecting', 'live'])
  assert.equal(way.heads.length, 2)
  assert.deepEqual(complaints(page), [])
})

test('a WebSocket whose token ends sends a fresh one, and stays', async (t) => {
  const way = await wire(t, server.origin)
  const page = await open(t, way.origin)
  const topic = 'secret.long'
  // A token's end is told five seconds before. So that of the second is told when
  // the first has ended for half a second, if the stream lives so long.
  const ends = []
  let renewed
  const second = new Promise((done) => (renewed = done))
  await page.exposeFunction('fresh', () => {
    if (ends.length === 2) renewed(Date.now())
    ends.push([Date.now() + 4000, ends[0] + 5500, Date.now() + 600_000][ends.length])
    return sign([topic], ends.at(-1))
  })
  await follow(page, topic, { transport: 'websocket', fresh: 'fresh' })
  await live(page)
  await server.publish(topic, 1)
  await number(page, 1)
  assert.ok((await second) > ends[0], 'the first token has ended')
  await server.publish(topic, 2)
  const { numbers, states } = await number(page, 2)
  assert.deepEqual(numbers, [1, 2])
  assert.deepEqual(states, ['connecting', 'live'])
  assert.equal(ends.length, 3)
  assert.equal(way.heads.length, 1)
  assert.deepEqual(complaints(page), [])
})
