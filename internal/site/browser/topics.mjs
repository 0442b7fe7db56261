// Topics for the tests of subscribe: a server that is played by hand.
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'

export const line = (value) => `${JSON.stringify(value)}\n`

/** The first record of a stream. */
export const open = (seq = 0, terms = {}) => ({ control: 'open', id: `e-${seq}`, topics: ['a'], heartbeat: 25, ...terms })

/** A message. Its count is its sequence number where nothing else is said. */
export const message = (seq, more = {}) => ({ id: `e-${seq}`, topic: 'a', count: seq, time: 1796045787123, data: seq, ...more })

/** A server whose nth answer is that of the nth handler. The requests are kept, with those of their readers that have left. */
export async function topics(t, ...handlers) {
  const requests = []
  const heard = new EventEmitter()
  const server = createServer((request, response) => {
    const handler = handlers[requests.length]
    const query = new URL(request.url, 'http://localhost').searchParams
    requests.push({ query, headers: request.headers, left: once(response, 'close') })
    heard.emit('request')
    response.setHeader('Content-Type', 'application/x-ndjson')
    if (!handler) response.writeHead(204).end()
    else handler(response, request)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${server.address().port}/live/`, requests, asked: () => once(heard, 'request') }
}

/** An answer of these records, and then its end. */
export const says = (...values) => (response) => response.end(values.map(line).join(''))

/** An answer of these records that does not end. */
export const holds = (...values) => (response) => response.write(values.map(line).join(''))

/** An answer that is a refusal. */
export const refuses = (status, text, headers) => (response) => response.writeHead(status, { 'Content-Type': 'text/plain', ...headers }).end(text)

export async function all(live) {
  const found = []
  for await (const item of live) found.push(item)
  return found
}

/** Options whose onState can be waited for: when('live'). */
export function watched(options = {}) {
  const heard = new EventEmitter()
  const states = []
  const onState = (name, detail) => {
    states.push(name)
    heard.emit(name, detail)
  }
  return { states, when: async (name) => (await once(heard, name))[0], options: { random: () => 0, ...options, onState } }
}

/** A WebSocket whose other end is the test. All that were opened are in FakeSocket.all of the class that this makes. */
export function sockets() {
  const heard = new EventEmitter()
  return class FakeSocket {
    static all = []
    static opened = async () => (await once(heard, 'opened'))[0]
    sent = []
    closed = false

    constructor(url, protocols) {
      this.url = new URL(url)
      this.protocols = protocols
      FakeSocket.all.push(this)
      heard.emit('opened', this)
    }

    send(text) {
      this.sent.push(JSON.parse(text))
      heard.emit('sent', text)
    }

    close() {
      this.closed = true
    }

    /** What the server sends; the first of it opens the connection. */
    says(...values) {
      this.onopen?.({})
      for (const value of values) this.onmessage({ data: typeof value === 'string' ? value : JSON.stringify(value) })
    }

    ends(code = 1006, reason = '') {
      this.closed = true
      this.onclose({ code, reason })
    }

    static sending = async () => JSON.parse((await once(heard, 'sent'))[0])
  }
}
