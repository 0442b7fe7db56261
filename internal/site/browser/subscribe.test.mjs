// subscribe over HTTP, against servers that behave and servers that do not.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { ResponseError, subscribe } from '../files/leat.js'
import { all, holds, line, message, open, refuses, says, topics, watched } from './topics.mjs'

const page = new EventTarget()
globalThis.addEventListener ??= page.addEventListener.bind(page)
const happens = (name) => page.dispatchEvent(new Event(name))

const utf8 = new TextEncoder()

test('messages come without the control records, and the position moves with them', async (t) => {
  const { url } = await topics(t, holds(open(3), message(4), { control: 'position', id: 'e-9' }, message(10, { count: 5 })))
  const { states, options } = watched()
  const live = subscribe(url, options)
  assert.equal(live.state, 'connecting')
  assert.deepEqual((await live.next()).value, message(4))
  assert.equal(live.state, 'live')
  assert.equal(live.position, 'e-4')
  assert.deepEqual((await live.next()).value, message(10, { count: 5 }))
  assert.equal(live.position, 'e-10')
  await live.return()
  assert.deepEqual(await live.next(), { done: true, value: undefined })
  assert.deepEqual(states, ['connecting', 'live', 'closed'])
})

test('what is asked for stands in the query and the headers', async (t) => {
  const { url, requests } = await topics(t)
  await all(subscribe(`${url}?topic=a`, { topics: ['b.*', 'c&d'], events: ['load', ''], history: 'last', maxRate: 10, since: 'e-3', token: 'secret', headers: { 'X-Own': 'yes' } }))
  await all(subscribe(`${url}a`, { topics: 'b', events: 'load', history: 5, transport: 'sse' }))
  await all(subscribe(`${url}a`))
  assert.deepEqual(requests.map(({ query }) => `${query}`), [
    'topic=a&topic=b.*&topic=c%26d&event=load&event=&history=last&maxRate=10&since=e-3',
    'topic=b&event=load&history=5&envelope=',
    '',
  ])
  assert.deepEqual(requests.map(({ headers }) => headers.accept), ['application/x-ndjson', 'text/event-stream', 'application/x-ndjson'])
  assert.equal(requests[0].headers.authorization, 'Bearer secret')
  assert.equal(requests[0].headers['x-own'], 'yes')
  assert.equal(requests[1].headers.authorization, undefined)
})

for (const [how, end] of [['ends', (r) => r.end()], ['breaks', (r) => r.destroy()], ['breaks within a record', (r) => r.write('{"id":"e-3","topic":"a"', () => r.destroy())]]) {
  test(`a stream that ${how} goes on where it was, with nothing twice`, async (t) => {
    const { url, requests } = await topics(
      t,
      (response) => response.write([open(), message(1), message(2)].map(line).join(''), () => end(response)),
      says({ ...open(2), control: 'resumed' }, message(1), message(2), message(3), message(4)),
    )
    const { states, options } = watched()
    const told = []
    const found = await all(subscribe(url, { history: 'all', ...options, onGap: (gap) => told.push(gap) }))
    assert.deepEqual(found.map(({ data }) => data), [1, 2, 3, 4])
    assert.deepEqual(requests.map(({ query }) => query.get('since')), [null, 'e-2', 'e-4'])
    assert.deepEqual(told, [])
    assert.deepEqual(states, ['connecting', 'live', 'waiting', 'connecting', 'live', 'waiting', 'connecting', 'closed'])
  })
}

test('a control record moves the position, too', async (t) => {
  const { url, requests } = await topics(t, says(open(7)), says({ control: 'position', id: 'e-9' }))
  const live = subscribe(url, watched().options)
  assert.deepEqual(await all(live), [])
  assert.deepEqual(requests.map(({ query }) => query.get('since')), [null, 'e-7', 'e-9'])
})

/** Options for a clock that stands still, and all waits ended as they begin. */
function still(options) {
  const waits = []
  const onState = (state, detail) => {
    if (state !== 'waiting') return
    waits.push(detail)
    setImmediate(happens, 'online')
  }
  return { waits, options: { clock: () => 1, ...options, onState } }
}

test('pauses are random below a ceiling that doubles from half a second to thirty', async () => {
  for (const chance of [1, 0.5, 0]) {
    let tries = 0
    const fetch = async () => {
      if (++tries === 9) return new Response(null, { status: 204 })
      throw new TypeError('fetch failed')
    }
    const { waits, options } = still({ random: () => chance, fetch })
    await all(subscribe('http://localhost/', options))
    assert.deepEqual(waits.map(({ until }) => (until - 1) / (chance || 1)), chance ? [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] : Array(8).fill(0))
    assert.equal(waits[0].reason, 'fetch failed')
  }
})

test('a stream that lived for five seconds starts the ceiling anew, a shorter one does not', async (t) => {
  let now = 1
  let end
  const lives = (response) => {
    holds(open(), message(1))(response)
    end = (ms) => {
      now += ms
      response.end()
    }
  }
  const { url } = await topics(t, lives, lives, lives)
  const { waits, options } = still({ random: () => 1 })
  const live = subscribe(url, { ...options, clock: () => now })
  for (const ms of [1, 4999, 5000]) {
    await live.next()
    end(ms)
  }
  assert.equal((await live.next()).done, true)
  assert.deepEqual(waits.map(({ until }) => until), [2 + 500, 5001 + 1000, 10_001 + 500])
})

for (const [name, status, header, least] of [
  ['in seconds', 503, () => '7', 7000],
  ['on 429', 429, () => '2', 2000],
  ['as a date', 503, () => new Date(Date.now() + 60_000).toUTCString(), 59_000],
  ['as nonsense', 503, () => 'soon', 0],
  ['in the past', 503, () => 'Thu, 01 Jan 1970 00:00:00 GMT', 0],
]) {
  test(`Retry-After is a floor under the random pause: ${name}`, async (t) => {
    const { url } = await topics(t, refuses(status, 'too many readers', { 'Retry-After': header() }))
    const { when, options } = watched({ random: () => 1, clock: () => 1 })
    const live = subscribe(url, options)
    live.next()
    const { reason, until } = await when('waiting')
    assert.match(reason, /too many readers/)
    const over = until - 1 - 500 - least
    assert.ok(over >= 0 && over < 1001, `${over} ms more than ${least}`)
    await live.return()
  })
}

test('the delay of a drain is the pause, with nothing added', async (t) => {
  const { url } = await topics(t, says(open(), { control: 'drain', retry: 20 }))
  const { when, options } = watched({ random: () => 1, clock: () => 1 })
  const found = all(subscribe(url, options))
  assert.equal((await when('waiting')).until, 21)
  assert.deepEqual(await found, [])
})

test('who is back on line or in sight tries at once, but not before the server allows', async (t) => {
  const { url, asked, requests } = await topics(t, refuses(500, ''), refuses(500, ''), refuses(500, ''), refuses(503, '', { 'Retry-After': '0.05' }))
  const { when, options } = watched({ random: () => 1e9 })
  const live = subscribe(url, { ...options, random: () => 1e9 })
  const end = live.next()
  for (const event of ['online', 'pageshow', 'visibilitychange']) {
    await when('waiting')
    const next = asked()
    globalThis.document = { hidden: true, baseURI: url }
    happens('visibilitychange')
    assert.equal(live.state, 'waiting')
    globalThis.document.hidden = false
    happens(event)
    await next
  }
  delete globalThis.document
  await when('waiting')
  const before = performance.now()
  happens('online')
  assert.equal((await end).done, true)
  assert.ok(performance.now() - before >= 40, 'too early')
  assert.equal(requests.length, 5)
})

test('gaps and resets are told, and what follows them is given out', async (t) => {
  const gap = { control: 'gap', id: 'e-9', from: 'e-1', to: 'e-9', missed: { a: 8 }, reason: 'slow' }
  const reset = { control: 'reset', id: 'f-0', from: 'e-10', reason: 'epoch', topics: ['a'], heartbeat: 25 }
  const { url } = await topics(t, says(open(), message(1), gap, message(10)), says(reset, { ...message(1), id: 'f-1' }))
  const told = []
  const found = await all(subscribe(url, { random: () => 0, onGap: (it) => told.push(it) }))
  assert.deepEqual(found.map(({ id }) => id), ['e-1', 'e-10', 'f-1'])
  assert.deepEqual(told, [gap, reset])
})

test('a gap is a warning on the console where nobody wants to be told', async (t) => {
  const warn = t.mock.method(console, 'warn', () => {})
  const gap = { control: 'gap', id: 'e-9', from: 'e-1', to: 'e-9', missed: { a: 8 }, reason: 'slow' }
  const { url } = await topics(t, says(open(), gap))
  await all(subscribe(url, { random: () => 0 }))
  assert.deepEqual(warn.mock.calls[0].arguments[1], gap)
})

for (const [name, first, told] of [
  ['are a gap', {}, [{ control: 'gap', id: 'e-9', from: 'e-2', to: 'e-9', missed: { a: 3 }, reason: 'count' }]],
  ['of chosen events are none', { events: ['load'] }, []],
  ['under a maxRate are none', { maxRate: 1 }, []],
  ['among the last of each key are none', { history: 'last' }, []],
]) {
  test(`counts with a hole that ${name}`, async (t) => {
    const some = [message(1), { ...message(2), topic: 'b', count: 70 }, message(9, { count: 5 }), message(10, { count: 6 })]
    const { url } = await topics(t, says(open(0, first), ...some))
    const gaps = []
    const found = await all(subscribe(url, { random: () => 0, onGap: (gap) => gaps.push(gap) }))
    assert.equal(found.length, 4)
    assert.deepEqual(gaps, told)
  })
}

test('a hole between two streams is seen, too', async (t) => {
  const { url } = await topics(t, says(open(0, { history: 'last' }), message(1)), says({ ...open(1), control: 'resumed', history: 'last' }, message(3)))
  const gaps = []
  await all(subscribe(url, { random: () => 0, onGap: (gap) => gaps.push(gap) }))
  assert.deepEqual(gaps.map(({ missed }) => missed), [{ a: 1 }])
})

/** A stream to feed by hand, and timers that go on by hand. */
function mute(t, transport) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const streams = []
  const fetch = async (_, { signal }) => {
    const stream = {}
    const body = new ReadableStream({ start: (controller) => (stream.controller = controller) })
    signal.addEventListener('abort', () => stream.controller.error(signal.reason))
    streams.push(Object.assign(stream, { signal, send: (text) => stream.controller.enqueue(utf8.encode(text)) }))
    return new Response(body, { headers: { 'Content-Type': 'application/x-ndjson' } })
  }
  const { when, options } = watched({ fetch, transport, clock: () => Date.now() })
  return { streams, when, live: subscribe('http://localhost/', options), turn: () => new Promise(setImmediate) }
}

test('a stream on which not even heartbeats come is given up after two and a half of them', async (t) => {
  const { streams, when, live, turn } = mute(t)
  const next = live.next()
  await turn()
  streams[0].send(line(open(0, { heartbeat: 10 })))
  await when('live')
  for (let i = 0; i < 5; i++) {
    t.mock.timers.tick(24_000)
    streams[0].send('\n')
    await turn()
  }
  t.mock.timers.tick(24_999)
  assert.equal(live.state, 'live')
  const waiting = when('waiting')
  t.mock.timers.tick(1)
  assert.equal((await waiting).reason, 'nothing was heard from the server')
  assert.ok(streams[0].signal.aborted)
  const again = turn()
  t.mock.timers.tick(1)
  await again
  streams[1].send(line({ ...open(0), control: 'resumed' }) + line(message(1)))
  assert.equal((await next).value.data, 1)
  await live.return()
})

test('an answer that does not come is waited for half a minute', async (t) => {
  const { streams, when, live, turn } = mute(t)
  live.next()
  await turn()
  t.mock.timers.tick(29_999)
  assert.equal(live.state, 'connecting')
  const waiting = when('waiting')
  t.mock.timers.tick(1)
  await waiting
  assert.ok(streams[0].signal.aborted)
  await live.return()
})

test('a loop that takes its time does not make the server mute', async (t) => {
  const { streams, live, turn } = mute(t)
  const first = live.next()
  await turn()
  streams[0].send(line(open(0, { heartbeat: 1 })) + line(message(1)))
  await first
  for (let i = 0; i < 10; i++) t.mock.timers.tick(60_000)
  const second = live.next()
  await turn()
  assert.equal(live.state, 'live')
  streams[0].send(line(message(2)))
  assert.equal((await second).value.data, 2)
  await live.return()
})

test('a server without heartbeats may be silent', async (t) => {
  const { streams, when, live, turn } = mute(t)
  const next = live.next()
  await turn()
  streams[0].send(line(open(0, { heartbeat: undefined })))
  await when('live')
  t.mock.timers.tick(1e9)
  await turn()
  assert.equal(live.state, 'live')
  streams[0].send(line(message(1)))
  assert.equal((await next).value.data, 1)
  await live.return()
})

test('leaving the loop closes the connection', async (t) => {
  const { url, requests } = await topics(t, holds(open(), message(1)))
  const { states, options } = watched()
  for await (const { data } of subscribe(url, options)) {
    assert.equal(data, 1)
    break
  }
  await requests[0].left
  assert.equal(states.at(-1), 'closed')
})

const reason = new Error('no more')

test('a signal ends the loop with its reason: before it begins', async (t) => {
  const { url, requests } = await topics(t)
  const live = subscribe(url, { signal: AbortSignal.abort(reason) })
  await assert.rejects(live.next(), reason)
  assert.equal(live.state, 'closed')
  assert.equal(requests.length, 0)
})

for (const [name, handler, state] of [
  ['while there is no answer', () => {}, 'connecting'],
  ['while there is no message', holds(open()), 'live'],
  ['in a pause', refuses(503, ''), 'waiting'],
]) {
  test(`a signal ends the loop with its reason: ${name}`, async (t) => {
    const { url, requests, asked } = await topics(t, handler)
    const { when, options } = watched({ random: () => 1e9 })
    const stop = new AbortController()
    const live = subscribe(url, { ...options, signal: stop.signal })
    const [next] = [assert.rejects(live.next(), reason), await (state === 'connecting' ? asked() : when(state))]
    stop.abort(reason)
    await next
    assert.equal(live.state, 'closed')
    await requests[0].left
    assert.deepEqual(await live.next(), { done: true, value: undefined })
  })
}

test('a signal ends the loop with its reason: between two messages', async (t) => {
  const { url, requests } = await topics(t, holds(open(), message(1), message(2)))
  const stop = new AbortController()
  const live = subscribe(url, { signal: stop.signal })
  await live.next()
  stop.abort(reason)
  await requests[0].left
  await assert.rejects(live.next(), reason)
})

test('a signal ends the loop with its reason: while a token is awaited', async () => {
  const stop = new AbortController()
  const live = subscribe('http://localhost/', { signal: stop.signal, token: () => new Promise(() => stop.abort(reason)) })
  await assert.rejects(live.next(), reason)
})

for (const status of [400, 401, 403, 404, 410]) {
  test(`${status} ends the loop, with what the server says`, async (t) => {
    const { url, requests } = await topics(t, refuses(status, 'this is why'))
    const live = subscribe(url, { token: 'old' })
    await assert.rejects(live.next(), (error) => error instanceof ResponseError && error.status === status && error.text === 'this is why')
    assert.equal(live.state, 'closed')
    assert.equal(requests.length, 1)
  })
}

test('a function is asked for a token before each try', async (t) => {
  const { url, requests } = await topics(t, says(open()), refuses(503, ''))
  let asked = 0
  await all(subscribe(url, { random: () => 0, token: async () => `t${++asked}` }))
  assert.deepEqual(requests.map(({ headers }) => headers.authorization), ['Bearer t1', 'Bearer t2', 'Bearer t3'])
})

test('a token that is refused is replaced once, at once', async (t) => {
  const { url, requests } = await topics(t, refuses(401, 'the token has ended'), says(open(), message(1)), refuses(401, ''), says(open()))
  const { states, options } = watched({ random: () => 0, token: () => 't' })
  const live = subscribe(url, options)
  assert.equal((await live.next()).value.data, 1)
  await assert.rejects(live.next(), (error) => error.status === 401)
  assert.deepEqual(states, ['connecting', 'connecting', 'live', 'waiting', 'connecting', 'closed'])
  assert.equal(requests.length, 3, 'the first stream did not live for five seconds')
})

test('a token that is to be had later is asked for later', async (t) => {
  const { url, requests } = await topics(t, says(open(), message(1)))
  let asked = 0
  const token = async () => {
    if (++asked < 3) throw new TypeError('the sign-in server cannot be reached')
    return 't'
  }
  const { waits, options } = still({ token, random: () => 1 })
  const live = subscribe(url, options)
  await live.next()
  await live.return()
  assert.deepEqual(waits.map(({ reason, until }) => [reason, until - 1]), [['the sign-in server cannot be reached', 500], ['the sign-in server cannot be reached', 1000]])
  assert.equal(requests.length, 1)
})

test('204 ends the loop', async (t) => {
  const { url, requests } = await topics(t, says(open(), message(1)))
  assert.equal((await all(subscribe(url, { random: () => 0 }))).length, 1)
  assert.equal(requests.length, 2)
})

test('a page in place of a stream is an error at first, and later something in between', async (t) => {
  const html = (response) => response.setHeader('Content-Type', 'text/html').end('<p>Sign in to our network')
  const { url, requests } = await topics(t, html, says(open(), message(1)), html, says(open(1), message(2)))
  await assert.rejects(subscribe(url).next(), ResponseError)
  assert.deepEqual((await all(subscribe(url, { random: () => 0 }))).map(({ data }) => data), [1, 2])
  assert.equal(requests.length, 5)
})

for (const transport of ['ndjson', 'sse']) {
  test(`what is no JSON is told and left behind: ${transport}`, async (t) => {
    const lines = [line(open()), '{"id":\n', line(message(1))]
    const { url } = await topics(t, (response) => {
      if (transport === 'sse') response.setHeader('Content-Type', 'text/event-stream')
      response.end(lines.map((text) => (transport === 'sse' ? `data: ${text}\n` : text)).join(''))
    })
    const bad = []
    const found = await all(subscribe(url, { transport, random: () => 0, onBadLine: (it) => bad.push(it.text) }))
    assert.deepEqual(found, [message(1)])
    assert.deepEqual(bad, ['{"id":'])
  })
}

test('the retry time of SSE is a floor under the random pause', async (t) => {
  const { url } = await topics(t, (response) => response.setHeader('Content-Type', 'text/event-stream').end(`retry: 30\ndata: ${line(open())}\n`))
  const { waits, options } = still({ random: () => 1, transport: 'sse' })
  await all(subscribe(url, options))
  assert.deepEqual(waits.map(({ until }) => until - 1), [530])
})

test('bytes are a Uint8Array', async (t) => {
  const { url } = await topics(t, says(open(), message(1, { encoding: 'base64', data: 'AP8=' })))
  const [{ data, encoding }] = await all(subscribe(url, { random: () => 0 }))
  assert.deepEqual(data, new Uint8Array([0, 255]))
  assert.equal(encoding, undefined)
})

test('what the server sends is read as fast as the loop takes it', async (t) => {
  let sent = 0
  const fetch = async () =>
    new Response(
      new ReadableStream(
        {
          pull(controller) {
            controller.enqueue(utf8.encode(line(sent === 0 ? open() : message(sent))))
            sent++
          },
        },
        { highWaterMark: 0 },
      ),
    )
  const live = subscribe('http://localhost/', { fetch })
  t.after(() => live.return())
  for (let i = 1; i <= 50; i++) {
    assert.equal((await live.next()).value.data, i)
    assert.equal(sent, i + 1)
  }
})

test('the file is less than 4 KB on its way to the page', () => {
  const file = readFileSync(new URL('../files/subscribe.js', import.meta.url))
  const { length } = gzipSync(file)
  assert.ok(length < 4096, `${length} bytes`)
})
