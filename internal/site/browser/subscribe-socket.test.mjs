// subscribe over a WebSocket whose other end is the test.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ResponseError, subscribe } from '../files/leat.js'
import { message, open, sockets, watched } from './topics.mjs'

/** A subscription over fake sockets. A failed handshake is asked about by fetch: it answers what is in answers, or nothing. */
function stage(t, options = {}) {
  const FakeSocket = sockets()
  const asked = []
  const answers = []
  const fetch = async (url, { headers }) => {
    asked.push({ url: `${url}`, accept: headers.get('Accept'), authorization: headers.get('Authorization') })
    if (answers.length === 0) throw new TypeError('fetch failed')
    return answers.shift()
  }
  const { when, states, options: some } = watched({ transport: 'websocket', WebSocket: FakeSocket, fetch, ...options })
  const live = subscribe('https://example.com/live/?topic=a', some)
  t.after(() => live.return())
  return { live, FakeSocket, asked, answers, when, states }
}

test('messages come from the socket, and another one goes on where it ended', async (t) => {
  const { live, FakeSocket } = stage(t)
  const first = live.next()
  const socket = await FakeSocket.opened()
  assert.equal(socket.url.href, 'wss://example.com/live/?topic=a')
  assert.deepEqual(socket.protocols, [])
  socket.says(open(), message(1), message(2))
  assert.deepEqual((await first).value, message(1))
  socket.ends()
  assert.deepEqual((await live.next()).value, message(2), 'what has come is given out')
  const third = live.next()
  const next = await FakeSocket.opened()
  assert.equal(next.url.href, 'wss://example.com/live/?topic=a&since=e-2')
  next.says({ ...open(2), control: 'resumed' }, message(2), message(3))
  assert.deepEqual((await third).value, message(3))
  await live.return()
  assert.ok(next.closed)
})

test('a loop that is a thousand messages behind gets the rest from another socket', async (t) => {
  const { live, FakeSocket, states } = stage(t)
  const next = live.next()
  const socket = await FakeSocket.opened()
  socket.says(open())
  for (let i = 1; !socket.closed; i++) socket.says(message(i))
  socket.says(message(1e6)) // sent before the server knew
  const found = [(await next).value.data]
  while (found.length < 999) found.push((await live.next()).value.data)
  assert.equal(FakeSocket.all.length, 1, 'the loop has not caught up yet')
  const more = live.next()
  const second = await FakeSocket.opened()
  assert.equal(second.url.searchParams.get('since'), 'e-999')
  second.says({ ...open(999), control: 'resumed' }, message(1000))
  found.push((await more).value.data)
  assert.deepEqual(found, Array.from({ length: 1000 }, (_, i) => i + 1))
  assert.ok(!states.includes('waiting'))
})

test('a token is a subprotocol, and one that expires is replaced on the connection', async (t) => {
  let asked = 0
  const { live, FakeSocket } = stage(t, { token: async () => `t${++asked}` })
  const next = live.next()
  const socket = await FakeSocket.opened()
  assert.deepEqual(socket.protocols, ['leat', 'leat.token.t1'])
  const sending = FakeSocket.sending()
  socket.says(open(), { control: 'expired', in: 5 })
  assert.deepEqual(await sending, { token: 't2' })
  socket.says(message(1))
  assert.deepEqual((await next).value, message(1))
})

test('a token that cannot be replaced yet leaves the stream as it is', async (t) => {
  let asked = 0
  const { live, FakeSocket } = stage(t, {
    token: async () => {
      if (asked++) throw new TypeError('the sign-in server cannot be reached')
      return 't'
    },
  })
  const next = live.next()
  const socket = await FakeSocket.opened()
  socket.says(open(), { control: 'expired', in: 5 }, message(1))
  assert.deepEqual((await next).value, message(1))
  assert.deepEqual(socket.sent, [])
})

test('a token that is a text is not sent again', async (t) => {
  const { live, FakeSocket } = stage(t, { token: 't' })
  const next = live.next()
  const socket = await FakeSocket.opened()
  socket.says(open(), { control: 'expired', in: 5 }, message(1))
  await next
  assert.deepEqual(socket.sent, [])
})

test('1008 is a refusal', async (t) => {
  const { live, FakeSocket } = stage(t, { token: 't' })
  const next = live.next()
  const socket = await FakeSocket.opened()
  socket.says(open())
  socket.ends(1008, 'the token has ended')
  await assert.rejects(next, (error) => error.code === 1008 && error.reason === 'the token has ended' && /the token has ended \(1008\)/.test(error.message))
  assert.equal(live.state, 'closed')
})

test('1008 has one more try with a fresh token', async (t) => {
  let asked = 0
  const { live, FakeSocket, states } = stage(t, { token: () => `t${++asked}` })
  const next = live.next()
  const socket = await FakeSocket.opened()
  const second = FakeSocket.opened()
  socket.says(open())
  socket.ends(1008, 'the token has ended')
  assert.deepEqual((await second).protocols, ['leat', 'leat.token.t2'])
  ;(await second).says(open())
  ;(await second).ends(1008, 'not for you')
  await assert.rejects(next, /not for you/)
  assert.ok(!states.includes('waiting'))
})

for (const [code, reason, least, most] of [
  [1001, 'retry in 1834 ms', 1834, 1834],
  [1001, 'gone', 0, 500],
  [1013, 'too slow', 0, 500],
  [1006, '', 0, 500],
  [1000, '', 0, 500],
]) {
  test(`the pause after ${code} ${JSON.stringify(reason)} is ${least} to ${most} ms`, async (t) => {
    const pauses = []
    for (const chance of [0, 1]) {
      const { live, FakeSocket, when } = stage(t, { random: () => chance, clock: () => 1 })
      live.next()
      const socket = await FakeSocket.opened()
      socket.says(open())
      await when('live')
      socket.ends(code, reason)
      pauses.push((await when('waiting')).until - 1)
      await live.return()
    }
    assert.deepEqual(pauses, [least, most])
  })
}

test('why a handshake failed is asked by fetch, for as little as there is', async (t) => {
  const { live, FakeSocket, asked, answers } = stage(t, { token: 't', since: 'e-1', history: 'all' })
  answers.push(new Response('this token reaches to room.*', { status: 403 }))
  const next = live.next()
  ;(await FakeSocket.opened()).ends()
  await assert.rejects(next, (error) => error instanceof ResponseError && error.status === 403 && error.text === 'this token reaches to room.*')
  assert.deepEqual(asked, [{ url: 'https://example.com/live/?topic=a&history=none', accept: 'application/json', authorization: 'Bearer t' }])
})

test('a handshake that failed is tried again where fetch knows no reason against it', async (t) => {
  const { live, FakeSocket, answers, when } = stage(t)
  answers.push(new Response('[]', { headers: { 'Content-Type': 'application/json' } }))
  const next = live.next()
  for (const reason of ['the WebSocket was closed (1006)', 'fetch failed']) {
    const waiting = when('waiting')
    ;(await FakeSocket.opened()).ends()
    assert.equal((await waiting).reason, reason)
  }
  ;(await FakeSocket.opened()).says(open(), message(1))
  assert.deepEqual((await next).value, message(1))
})

test('a server that is too full for a handshake is tried when it says', async (t) => {
  const { live, FakeSocket, answers, when } = stage(t, { clock: () => 1 })
  answers.push(new Response('too many readers', { status: 503, headers: { 'Retry-After': '7' } }))
  live.next()
  const waiting = when('waiting')
  ;(await FakeSocket.opened()).ends()
  assert.equal((await waiting).until, 7001)
})

test('a socket without so much as a position in two and a half heartbeats is given up', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const { live, FakeSocket, when } = stage(t, { clock: () => Date.now() })
  live.next()
  const socket = await FakeSocket.opened()
  socket.says(open(0, { heartbeat: 10 }))
  await when('live')
  for (let i = 0; i < 5; i++) {
    t.mock.timers.tick(24_000)
    socket.says({ control: 'position', id: 'e-0' })
  }
  t.mock.timers.tick(24_999)
  assert.equal(live.state, 'live')
  const waiting = when('waiting')
  t.mock.timers.tick(1)
  assert.equal((await waiting).reason, 'nothing was heard from the server')
  assert.ok(socket.closed)
})

test('what is no JSON is told and left behind', async (t) => {
  const bad = []
  const { live, FakeSocket } = stage(t, { onBadLine: (it) => bad.push(it.text) })
  const next = live.next()
  ;(await FakeSocket.opened()).says(open(), '{"id":', message(1))
  assert.deepEqual((await next).value, message(1))
  assert.deepEqual(bad, ['{"id":'])
})

test('a signal ends the loop with its reason', async (t) => {
  const reason = new Error('no more')
  const stop = new AbortController()
  const { live, FakeSocket } = stage(t, { signal: stop.signal })
  const next = live.next()
  const socket = await FakeSocket.opened()
  socket.says(open())
  stop.abort(reason)
  await assert.rejects(next, reason)
  assert.ok(socket.closed)
})

test('a transport that there is not is named', () => {
  assert.throws(() => subscribe('http://localhost/live/', { transport: 'foo' }), { name: 'TypeError', message: 'transport foo: ndjson, sse or websocket' })
})
