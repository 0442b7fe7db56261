// leat.js against servers that behave and servers that do not.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { BadLine, events, read, readEvents, readRecords, records, ResponseError } from '../files/leat.js'
import { chunks, third } from './streams.mjs'

const handlers = new Map()
const gone = new Map() // by path: resolves when the reader has left
let server
let base

before(async () => {
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost')
    response.on('close', () => gone.get(pathname)?.())
    handlers.get(pathname)(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  base = `http://127.0.0.1:${server.address().port}`
})

after(() => {
  server.closeAllConnections()
  server.close()
})

let paths = 0

/** A URL that the handler answers. */
function serve(handler, type = 'application/x-ndjson') {
  const path = `/${++paths}`
  handlers.set(path, (request, response) => {
    if (type) response.setHeader('Content-Type', type)
    return handler(response, request)
  })
  const left = new Promise((resolve) => gone.set(path, resolve))
  return { url: base + path, left }
}

async function all(live) {
  const found = []
  for await (const item of live) found.push(item)
  return found
}

const utf8 = new TextEncoder()
const stream = (...texts) => chunks(texts.map((text) => utf8.encode(text)))

/** A stream that gives these texts and then neither more nor an end. */
function stalled(...texts) {
  let cancelled
  const whenCancelled = new Promise((resolve) => (cancelled = resolve))
  const left = [...texts]
  const body = new ReadableStream({
    pull(controller) {
      if (left.length > 0) controller.enqueue(utf8.encode(left.shift()))
      else return new Promise(() => {})
    },
    cancel: cancelled,
  })
  return { body, whenCancelled }
}

test('records come one by one as the server sends them', async () => {
  let go
  const { url } = serve(async (response) => {
    for (let i = 0; i < 3; i++) {
      response.write(`{"i":${i}}\n\n`)
      await new Promise((resolve) => (go = resolve))
    }
    response.end()
  })
  const found = []
  for await (const record of records(url)) {
    found.push(record)
    go()
  }
  assert.deepEqual(found, [{ i: 0 }, { i: 1 }, { i: 2 }])
})

test('bytes are told of as they arrive, those of heartbeats too', async () => {
  const heard = []
  await all(readRecords(stream('{"a":1}\n', '\n', '2'), { onBytes: (count) => heard.push(count) }))
  await all(readEvents(stream('data: é\n\n', ':\n\n'), { onBytes: (count) => heard.push(count) }))
  assert.deepEqual(heard, [8, 1, 1, 10, 3])
})

test('events come one by one as the server sends them', async () => {
  let go
  const { url } = serve(async (response) => {
    for (let i = 0; i < 3; i++) {
      response.write(`id: ${i}\nevent: tick\ndata: ${i}\n\n:\n\n`)
      await new Promise((resolve) => (go = resolve))
    }
    response.end('retry: 7\n\nid: last\n\ndata: not ended')
  }, 'text/event-stream; charset=utf-8')
  const live = events(url)
  const found = []
  for await (const { id, event, data } of live) {
    found.push([id, event, data])
    go()
  }
  assert.deepEqual(found, [['0', 'tick', '0'], ['1', 'tick', '1'], ['2', 'tick', '2']])
  assert.equal(live.lastEventId, 'last')
  assert.equal(live.retry, 7)
})

test('the loop ends when the server ends the stream, and stays ended', async () => {
  const { url } = serve((response) => response.end('1\n2'))
  const live = records(url)
  assert.deepEqual(await all(live), [1, 2])
  assert.deepEqual(await live.next(), { done: true, value: undefined })
})

for (const [name, type, text, want] of [
  ['NDJSON', 'application/x-ndjson', '1\n2\n34', [1, 2]],
  ['SSE', 'text/event-stream', 'data: 1\n\ndata: 2\n\ndata: 34', ['1', '2']],
]) {
  test(`the loop throws when the connection breaks, and a cut record is not given out: ${name}`, async () => {
    const { url } = serve((response) => response.write(text, () => response.destroy()), type)
    const found = []
    const live = read(url)
    await assert.rejects(async () => {
      for await (const item of live) found.push(item.data ?? item)
    }, TypeError)
    assert.deepEqual(found, want)
    assert.deepEqual(await live.next(), { done: true, value: undefined })
  })
}

test('the loop throws when a length was promised and not kept', async () => {
  const { url } = serve((response) => {
    response.setHeader('Content-Length', 100)
    response.write('1\n', () => response.destroy())
  })
  await assert.rejects(all(records(url)), TypeError)
})

test('the loop throws when nobody answers', async () => {
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port } = closed.address()
  closed.close()
  await once(closed, 'close')
  await assert.rejects(all(records(`http://127.0.0.1:${port}/`)), TypeError)
})

test('a status that is not 2xx is an error with its text', async () => {
  const { url } = serve((response) => {
    response.writeHead(503, { 'Retry-After': '7' })
    response.end('too many connections\n')
  }, 'text/plain')
  await assert.rejects(all(records(url)), (error) => {
    assert.ok(error instanceof ResponseError)
    assert.equal(error.status, 503)
    assert.equal(error.text, 'too many connections\n')
    assert.equal(error.headers.get('Retry-After'), '7')
    assert.match(error.message, /503.*too many connections$/)
    return true
  })
})

test('a long text of an error is cut, and one that never ends is not waited for', async () => {
  const long = serve((response) => {
    response.writeHead(500)
    const more = () => response.write('x'.repeat(10000), more)
    more()
  }, 'text/plain')
  await assert.rejects(all(records(long.url)), (error) => error.text.length === 1000)
  await long.left
  const endless = serve((response) => {
    response.writeHead(500)
    response.write('é')
  }, 'text/plain')
  await assert.rejects(all(events(endless.url)), (error) => error.status === 500 && error.text === 'é')
  await endless.left
})

test('an answer without a body is a stream without records', async () => {
  const { url } = serve((response) => response.writeHead(204).end(), '')
  assert.deepEqual(await all(records(url)), [])
  assert.deepEqual(await all(events(url)), [])
})

test('a page in place of a stream is an error', async () => {
  const { url } = serve((response) => response.end('<!doctype html>'), 'text/html; charset=utf-8')
  await assert.rejects(all(records(url)), /Content-Type is "text\/html", not application\/x-ndjson/)
  await assert.rejects(all(events(url)), /Content-Type is "text\/html", not text\/event-stream/)
})

test('read takes what the Content-Type says', async () => {
  const sse = serve((response) => response.end('data: 1\n\n'), 'Text/Event-Stream;charset=utf-8')
  const ndjson = serve((response) => response.end('1\n'))
  assert.deepEqual(await all(read(sse.url)), [{ id: '', event: 'message', data: '1', retry: undefined }])
  assert.deepEqual(await all(read(ndjson.url)), [1])
})

test('what the options say goes to the server', async () => {
  const echo = serve((response, request) => {
    let body = ''
    request.on('data', (chunk) => (body += chunk))
    request.on('end', () => {
      const { accept, authorization, 'last-event-id': last } = request.headers
      response.end(JSON.stringify({ method: request.method, body, accept, authorization, last: last && Buffer.from(last, 'latin1').toString() }))
    })
  })
  const [asked] = await all(
    records(echo.url, { method: 'POST', body: 'hello', headers: { Authorization: 'Bearer x' }, lastEventId: 'e1-17 é😀' }),
  )
  assert.deepEqual(asked, { method: 'POST', body: 'hello', accept: 'application/x-ndjson', authorization: 'Bearer x', last: 'e1-17 é😀' })
  const [own] = await all(records(new Request(echo.url, { headers: { Accept: 'application/json', Authorization: 'y' } })))
  assert.deepEqual(own, { method: 'GET', body: '', accept: 'application/json', authorization: 'y' })
  const [url] = await all(records(new URL(echo.url)))
  assert.equal(url.method, 'GET')
})

test('another fetch may be used', async () => {
  const asked = []
  const fetch = async (url, init) => {
    asked.push(url, init.headers.get('Accept'))
    return new Response('data: x\n\n', { headers: { 'Content-Type': 'text/event-stream' } })
  }
  const [event] = await all(events('/somewhere', { fetch }))
  assert.equal(event.data, 'x')
  assert.deepEqual(asked, ['/somewhere', 'text/event-stream'])
})

test('nothing is asked before the first record is wanted', async () => {
  let asked = 0
  const fetch = async () => {
    asked++
    return new Response('1\n')
  }
  const live = records('/', { fetch })
  await live.return()
  assert.deepEqual(await live.next(), { done: true, value: undefined })
  assert.equal(asked, 0)
})

test('a bad line is reported with its number and text, and the loop goes on', async () => {
  const { url } = serve((response) => response.end('1\n\n{"a":\n2\n'))
  const bad = []
  assert.deepEqual(await all(records(url, { onBadLine: (b) => bad.push(b) })), [1, 2])
  assert.equal(bad.length, 1)
  assert.ok(bad[0] instanceof BadLine)
  assert.equal(bad[0].line, 3)
  assert.equal(bad[0].text, '{"a":')
  assert.ok(bad[0].cause instanceof SyntaxError)
  assert.match(bad[0].message, /^line 3: .*"\{\\"a\\":"$/)
})

test('without onBadLine a bad line is a warning in the console', async (t) => {
  const warn = t.mock.method(console, 'warn', () => {})
  assert.deepEqual(await all(readRecords(stream('x\n1\n'))), [1])
  assert.equal(warn.mock.callCount(), 1)
  assert.match(warn.mock.calls[0].arguments[0], /^BadLine: line 1: /)
})

test('bad lines are reported in their place among the records', async () => {
  const order = []
  for await (const record of readRecords(stream('1\nx\n2\ny\n3\n'), { onBadLine: (b) => order.push(b.text) })) {
    order.push(record)
    await null
  }
  assert.deepEqual(order, [1, 'x', 2, 'y', 3])
})

test('what onBadLine throws ends the loop and closes the connection', async () => {
  const { url, left } = serve((response) => response.write('1\nx\n2\n'))
  const strict = (bad) => {
    throw bad
  }
  const found = []
  await assert.rejects(async () => {
    for await (const record of records(url, { onBadLine: strict })) found.push(record)
  }, BadLine)
  assert.deepEqual(found, [1])
  await left
})

test('leaving the loop closes the connection', async () => {
  const { url, left } = serve((response) => response.write('1\n2\n3\n'))
  for await (const record of records(url)) {
    assert.equal(record, 1)
    break
  }
  await left
})

test('an error in the loop closes the connection', async () => {
  const { url, left } = serve((response) => response.write('1\n2\n'))
  const mine = new Error('mine')
  await assert.rejects(async () => {
    for await (const _ of records(url)) throw mine
  }, mine)
  await left
})

test('abort ends a loop that waits, with the AbortError that fetch users expect', async () => {
  const { url, left } = serve((response) => response.write('1\n'))
  const controller = new AbortController()
  const found = []
  await assert.rejects(
    async () => {
      for await (const record of records(url, { signal: controller.signal })) {
        found.push(record)
        setImmediate(() => controller.abort())
      }
    },
    { name: 'AbortError' },
  )
  assert.deepEqual(found, [1])
  await left
})

test('abort while nobody has answered yet', async () => {
  const controller = new AbortController()
  const { url, left } = serve(() => controller.abort())
  await assert.rejects(all(records(url, { signal: controller.signal })), { name: 'AbortError' })
  await left
})

test('abort before the start asks nothing', async () => {
  const fetch = () => assert.fail('asked')
  await assert.rejects(all(records('/', { fetch, signal: AbortSignal.abort() })), { name: 'AbortError' })
  await assert.rejects(all(readRecords(stream('1\n'), { signal: AbortSignal.abort('why') })), (reason) => reason === 'why')
})

test('after an abort no record comes, not even one that has arrived', async () => {
  const controller = new AbortController()
  const live = readRecords(stream('1\n2\n3\n'), { signal: controller.signal })
  assert.deepEqual(await live.next(), { done: false, value: 1 })
  controller.abort()
  await assert.rejects(live.next(), { name: 'AbortError' })
  assert.deepEqual(await live.next(), { done: true, value: undefined })
})

test('abort of a stream that somebody else has opened cancels it', async () => {
  const { body, whenCancelled } = stalled('1\n')
  const controller = new AbortController()
  const live = readRecords(body, { signal: controller.signal })
  assert.equal((await live.next()).value, 1)
  const waiting = live.next()
  controller.abort(new Error('enough'))
  await assert.rejects(waiting, /enough/)
  assert.match(String(await whenCancelled), /enough/)
})

test('the signal of a Request counts', async () => {
  const controller = new AbortController()
  const { url, left } = serve(() => controller.abort())
  await assert.rejects(all(records(new Request(url, { signal: controller.signal }))), { name: 'AbortError' })
  await left
})

test('a timeout of AbortSignal is a TimeoutError', async () => {
  const { url, left } = serve((response) => response.write('1\n'))
  await assert.rejects(all(records(url, { signal: AbortSignal.timeout(50) })), { name: 'TimeoutError' })
  await left
})

test('a signal is left alone when the stream is over', async () => {
  const { signal } = new AbortController()
  let listeners = 0
  const add = signal.addEventListener
  const remove = signal.removeEventListener
  signal.addEventListener = (...args) => (listeners++, add.apply(signal, args))
  signal.removeEventListener = (...args) => (listeners--, remove.apply(signal, args))
  await all(readRecords(stream('1\n'), { signal }))
  assert.equal(listeners, 0)
})

test('return ends a next that waits', async () => {
  const { url, left } = serve((response) => response.write('1\n'))
  const live = records(url)
  assert.equal((await live.next()).value, 1)
  const waiting = live.next()
  assert.deepEqual(await live.return('x'), { done: true, value: 'x' })
  assert.deepEqual(await waiting, { done: true, value: undefined })
  await left
})

test('return while nobody has answered yet ends the request', async () => {
  let live
  const { url, left } = serve(() => live.return())
  live = records(url)
  assert.deepEqual(await live.next(), { done: true, value: undefined })
  await left
})

test('an answer that comes after return is cancelled', async () => {
  const { body, whenCancelled } = stalled()
  let answer
  const fetch = () => new Promise((resolve) => (answer = resolve))
  const live = records('/', { fetch })
  const waiting = live.next()
  await null
  await null
  await live.return()
  answer(new Response(body))
  assert.deepEqual(await waiting, { done: true, value: undefined })
  await whenCancelled
})

test('several nexts at once are answered in order', async () => {
  const live = readRecords(stream('1\n', '2\n3\n', 'x\n4\n'), { onBadLine() {} })
  const got = await Promise.all(Array.from({ length: 6 }, () => live.next()))
  assert.deepEqual(got.map(({ value, done }) => (done ? 'end' : value)), [1, 2, 3, 4, 'end', 'end'])
})

test('a Response that somebody else has fetched', async () => {
  const ndjson = serve((response) => response.end('1\n'))
  assert.deepEqual(await all(readRecords(await fetch(ndjson.url))), [1])
  const sse = serve((response) => response.end('data: 1\n\n'), 'text/event-stream')
  assert.equal((await all(readEvents(await fetch(sse.url))))[0].data, '1')
  const missing = serve((response) => response.writeHead(404).end('no such thing'))
  await assert.rejects(async () => all(readRecords(await fetch(missing.url))), { status: 404, text: 'no such thing' })
})

test('a stream that carries no bytes is an error that says so', async () => {
  const texts = new ReadableStream({
    start(controller) {
      controller.enqueue('1\n')
      controller.close()
    },
  })
  await assert.rejects(all(readRecords(texts)), /must be one of bytes/)
})

test('empty chunks change nothing', async () => {
  assert.deepEqual(await all(readRecords(stream('', '1', '', '\n', '', ''))), [1])
})

test('a line of ten mebibytes is read, and one byte more is not', async () => {
  const { url } = serve((response) => {
    const line = (n) => `"${'x'.repeat(n - 2)}"`
    response.write(`${line(10 << 20)}\r\n`)
    response.write(`${line((10 << 20) + 1)}\n`)
    response.end('1\n')
  })
  const bad = []
  const found = await all(records(url, { onBadLine: (b) => bad.push(b) }))
  assert.deepEqual(found.map((r) => r.length ?? r), [(10 << 20) - 2, 1])
  assert.equal(bad.length, 1)
  assert.equal(bad[0].line, 2)
  assert.equal(bad[0].text.length, 1000)
  assert.match(bad[0].message, /longer than 10485760 bytes/)
})

test('an event of ten mebibytes is read, and one byte more is not', async () => {
  const line = 'x'.repeat((10 << 20) - 6)
  const bad = []
  const found = await all(readEvents(stream(`data: ${line}\r\n\r\ndata: ${line}x\n`, '\nid: 3\ndata: y\n\n'), { onBadLine: (b) => bad.push(b) }))
  assert.deepEqual(found.map((e) => e.data.length), [line.length, 1])
  assert.deepEqual(bad.map((b) => b.line), [3])
})

test('a long line in very small chunks costs no more than its bytes', async () => {
  const piece = utf8.encode('0123456789')
  let left = 100_000
  const body = new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(piece)
      else if (left === -1) controller.close()
    },
  })
  const bad = []
  const begun = process.memoryUsage()
  assert.deepEqual(await all(readRecords(body, { onBadLine: (b) => bad.push(b) })), [])
  const grown = process.memoryUsage().arrayBuffers - begun.arrayBuffers
  assert.equal(bad.length, 1)
  assert.equal(bad[0].text.length, 1_000_000)
  assert.ok(grown < 16 << 20, `${grown} bytes`)
})

test('a line that never ends is bounded by maxLine', async () => {
  const piece = new Uint8Array(1 << 16).fill(120)
  let left = 2000
  const body = new ReadableStream(
    {
      pull(controller) {
        if (left-- > 0) controller.enqueue(piece)
        else controller.close()
      },
    },
    { highWaterMark: 0 },
  )
  const bad = []
  assert.deepEqual(await all(readRecords(body, { maxLine: 1000, onBadLine: (b) => bad.push(b) })), [])
  assert.deepEqual(bad.map((b) => [b.line, b.text.length]), [[1, 1000]])
})

test('text of one to four bytes a character is never harmed, wherever a server cuts it', async () => {
  const text = 'aé€😀�\u{10FFFF}\u0800߿'
  const line = utf8.encode(`${JSON.stringify(text)}\n`)
  const { url } = serve(async (response) => {
    response.socket.setNoDelay(true)
    for (let i = 1; i < line.length; i++) {
      response.write(line.subarray(0, i))
      await new Promise((resolve) => response.write(line.subarray(i), resolve))
      await new Promise(setImmediate)
    }
    response.end()
  })
  const found = await all(records(url))
  assert.deepEqual(found, Array(line.length - 1).fill(text))
})

test('random streams of events: eventsource-parser agrees', async () => {
  const random = generator(1)
  const words = ['data', 'data:', 'data: ', 'event: e', 'event', 'id: 1', 'id:', 'retry: 5', ':', ' ', '\n', '\n', '\n', '\r', '\r\n', '\n\n', '\r\n\r\n', '\r\r', '\0', '\uFEFF', 'é€😀', 'x', 'datax: y']
  for (let round = 0; round < 1500; round++) {
    const text = Array.from({ length: random(30) }, () => words[random(words.length)]).join('')
    const bytes = Buffer.from(text)
    const pieces = []
    for (let from = 0; from < bytes.length; ) {
      const to = from + 1 + random(7)
      pieces.push(bytes.subarray(from, to))
      from = to
    }
    const shape = ({ event, data }) => ({ event, data })
    const got = (await all(readEvents(chunks(pieces)))).map(shape)
    assert.deepEqual(got, third(pieces).map(shape), JSON.stringify(text))
  }
})

test('random NDJSON: a split of the whole agrees', async () => {
  const random = generator(2)
  const words = ['1', '"é€😀"', '{"a":[1,2]}', '\n', '\n', '\n', '\r\n', '\r', ' ', '\t', 'x', '{', '\uFEFF', '\u2028', '"']
  for (let round = 0; round < 1500; round++) {
    const text = Array.from({ length: random(20) }, () => words[random(words.length)]).join('')
    const want = []
    for (const [i, line] of text.split('\n').entries()) {
      const clean = i === 0 ? line.replace(/^\uFEFF/, '') : line
      if (/^[ \t\r]*$/.test(clean)) continue
      try {
        want.push(JSON.parse(clean))
      } catch {
        want.push(`bad ${i + 1}`)
      }
    }
    const bytes = Buffer.from(text)
    const pieces = []
    for (let from = 0; from < bytes.length; ) {
      const to = from + 1 + random(7)
      pieces.push(bytes.subarray(from, to))
      from = to
    }
    const got = []
    for await (const r of readRecords(chunks(pieces), { onBadLine: (b) => got.push(`bad ${b.line}`) })) got.push(r)
    assert.deepEqual(got, want, JSON.stringify(text))
  }
})

/** Numbers below n that are the same on every run. */
function generator(seed) {
  let state = seed
  return (n) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
}
