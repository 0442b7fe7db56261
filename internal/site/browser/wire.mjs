// Topics for the tests in Chromium: a real server of them, behind a wire that
// can be cut.
import { createHmac, randomBytes, randomInt } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { copyFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { folder, root, serve } from './page.mjs'

const secret = randomBytes(32).toString('hex')

/** A token that allows to read these topics until then, in milliseconds since 1970. */
export function sign(subscribe, until = Date.now() + 600_000) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  // The jti makes each token another one.
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ exp: until / 1000, jti: randomBytes(8).toString('hex'), leat: { subscribe } })}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

/** A server with an empty page, /leat.js, and topics: secret.* for who has a token, short.* with a history of 100 messages, and others. */
export async function topics() {
  const [documents, state] = [folder(), folder()]
  for (const name of ['leat.js', 'subscribe.js']) copyFileSync(join(root, 'internal/site/files', name), join(documents, name))
  writeFileSync(join(documents, 'index.html'), '<!doctype html><title>Topics</title><link rel="icon" href="data:,">')
  const configure = (origin) =>
    JSON.stringify({
      web: {
        listen: [origin],
        documents,
        state,
        routes: [{ match: '/live/', handler: 'topic' }, {}],
        topics: [
          { match: 'secret.*', subscribe: 'token', publish: 'public' },
          { match: 'short.*', publish: 'public', history: { count: 100 } },
          { match: '>', publish: 'public' },
        ],
        tokens: { keys: [{ algorithm: 'HS256', env: 'LEAT_SECRET' }] },
      },
    })
  const server = await serve({ configure, env: { LEAT_SECRET: secret } })

  /** Publishes the numbers of a range, as one batch. */
  server.publish = async (topic, first, last = first) => {
    const lines = Array.from({ length: last - first + 1 }, (_, i) => `{"data":${first + i}}\n`)
    const answer = await fetch(`${server.origin}/live/${topic}`, { method: 'POST', headers: { 'Content-Type': 'application/x-ndjson' }, body: lines.join('') })
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
  }
  return server
}

/**
 * A way to a server. A connection on which a topic is asked for, and not as an array, is a stream, and only those are
 * cut: the nth of them once the nth of lengths has passed in bytes, those beyond the list when the test says so. Every
 * other cut is a reset.
 * greeting is put behind the head of each answer that is chunked.
 */
export async function wire(t, origin, { lengths = [], greeting = '' } = {}) {
  const heard = new EventEmitter()
  const streams = new Set()
  const left = [...lengths]
  let down = false
  const self = {
    /** The heads of the requests for topics. */
    heads: [],
    /** How many streams have been cut. */
    cuts: 0,
    /** Waits until there has been a stream more. */
    asked: () => once(heard, 'stream'),
    /** Cuts all streams. */
    cut() {
      for (const cut of streams) cut()
    },
    /** Cuts all streams, and lets no other through until up. */
    down() {
      down = true
      self.cut()
    },
    up: () => (down = false),
  }

  const server = createServer((near) => {
    const far = connect(new URL(origin).port, '127.0.0.1')
    let length = Infinity
    let stream = false
    let head = '' // of an answer that has a greeting behind it

    // The bytes are the last ones that pass.
    function cut(bytes = '') {
      if (!streams.delete(cut)) return
      far.destroy()
      if (++self.cuts % 2) near.end(bytes)
      else near.write(bytes, () => near.resetAndDestroy())
      // Nobody waits for the other end to be through with it.
      near.removeAllListeners('data')
      near.resume()
    }

    near.on('data', (chunk) => {
      const text = chunk.toString('latin1')
      if (/^GET \/live\//.test(text)) {
        self.heads.push(text)
        // An array ends by itself: subscribe asks for one to hear why a handshake failed.
        if (!stream && !/^Accept: application\/json\r/im.test(text)) {
          stream = true
          streams.add(cut)
          length = left.shift() ?? Infinity
        }
        heard.emit('stream')
        if (down) return stream ? cut() : near.destroy()
      }
      far.write(chunk)
    })
    far.on('data', (chunk) => {
      if (stream && greeting && head !== undefined) {
        head += chunk.toString('latin1')
        const end = head.indexOf('\r\n\r\n') + 4
        if (end < 4) return
        const chunked = /^transfer-encoding: chunked\r/im.test(head.slice(0, end))
        const more = chunked ? `${greeting.length.toString(16)}\r\n${greeting}\r\n` : ''
        chunk = Buffer.from(head.slice(0, end) + more + head.slice(end), 'latin1')
        head = undefined
      }
      if (chunk.length >= length) return cut(chunk.subarray(0, length))
      length -= chunk.length
      near.write(chunk)
    })
    for (const [one, other] of [[near, far], [far, near]]) {
      one.on('error', () => other.destroy())
      one.on('close', () => {
        streams.delete(cut)
        if (one === near) other.destroy()
        else other.end()
      })
    }
    near.on('end', () => far.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    down = true
    self.cut()
    server.close()
  })
  self.origin = `http://127.0.0.1:${server.address().port}`
  return self
}

/** So many random lengths below a bound. */
export const lengths = (count, bound) => Array.from({ length: count }, () => randomInt(bound))
