/**
 * Reads topics: comes back by itself, goes on where it was, and tells where
 * messages are missing.
 *
 *     for await (const { topic, data } of subscribe('/live/', { topics: ['room.*'] })) show(topic, data)
 *
 * The loop throws when the server refuses (ResponseError, or an Error with code
 * 1008) and when the signal is aborted (its reason). It ends with a 204.
 */
import { BadLine, events, records } from './leat.js'

/**
 * @param {string | URL} url
 * @param {RequestInit & { topics?: string | string[], transport?: 'ndjson' | 'sse' | 'websocket',
 *   token?: string | (() => string | Promise<string>), history?: string | number, since?: string,
 *   events?: string | string[], maxRate?: number, onGap?: (gap: any) => void,
 *   onState?: (state: string, detail?: any) => void, onBadLine?: (bad: BadLine) => void,
 *   fetch?: any, WebSocket?: any, random?: any, clock?: any }} [options]
 * @returns {AsyncIterableIterator<any> & { position: string, state: 'connecting' | 'live' | 'waiting' | 'closed' }}
 */
export function subscribe(url, options = {}) {
  const {
    topics = [], transport, token, history, since = '', events: names = [], maxRate, signal,
    onGap = (gap) => console.warn('messages are missing:', gap),
    onState = () => {},
    onBadLine = (bad) => console.warn(String(bad)),
    fetch: ask = globalThis.fetch,
    WebSocket = globalThis.WebSocket,
    random = Math.random,
    clock = () => performance.now(),
    ...init
  } = options
  if (!['ndjson', 'sse', 'websocket', undefined].includes(transport)) throw new TypeError(`transport ${transport}: ndjson, sse or websocket`)
  const sse = transport === 'sse'
  const address = new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href)
  const query = address.searchParams
  for (const topic of [topics].flat()) query.append('topic', topic)
  for (const name of [names].flat()) query.append('event', name)
  if (history !== undefined) query.set('history', `${history}`)
  if (maxRate) query.set('maxRate', `${maxRate}`)
  if (sse) query.set('envelope', '')

  let source // what is read: next, and return, which cuts it at once
  let answer, key, heard, timer, drained, over
  let hurry = () => {} // ends what is waited for, where that is not source
  let seen = '' // nothing up to this id is given out again
  let counted // whether a hole in the counts is a message that is missing
  const counts = new Map()

  // A timer of 2^31 ms and more would ring at once.
  function alarm(time, done) {
    clearTimeout(timer)
    timer = setTimeout(done, Math.min(time - clock(), 2 ** 31 - 1))
  }

  const hear = () => (heard = clock())
  const renew = typeof token === 'function'
  const fresh = async () => (renew ? token() : token)

  function set(state, detail) {
    self.state = state
    onState(state, detail)
  }

  function stop() {
    if (over) return
    over = true
    signal?.removeEventListener('abort', stop)
    clearTimeout(timer)
    source?.return()
    hurry()
    set('closed')
  }

  function parse(text) {
    try {
      return JSON.parse(text)
    } catch (error) {
      onBadLine(new BadLine(0, text, error))
    }
  }

  function get(at, accept) {
    const headers = new Headers(init.headers)
    if (key) headers.set('Authorization', `Bearer ${key}`)
    if (accept) headers.set('Accept', accept)
    const fetch = async (...it) => (answer = await ask(...it))
    return (sse ? events : records)(at, { ...init, headers, fetch, onBadLine, onBytes: hear })
  }

  // A socket that the loop cannot follow is closed, and opened when it has caught up.
  function socket(at) {
    const to = new URL(at)
    to.protocol = to.protocol.replace('http', 'ws')
    const ws = new WebSocket(to.href, key ? ['leat', `leat.token.${key}`] : [])
    const queue = []
    let end, probe, opened
    let ring = () => {}

    function finish(problem, facts) {
      end ??= Object.assign(new Error(problem), facts)
      ws.close()
      ring()
    }

    ws.onopen = () => (opened = true)
    ws.onclose = ({ code, reason }) => {
      const told = !end && /^retry in (\d+) ms$/.exec(reason)
      if (told) drained = +told[1]
      finish(`${reason || 'the WebSocket was closed'} (${code})`, { code, reason })
    }
    ws.onmessage = ({ data }) => {
      hear()
      const value = !end && parse(data)
      if (!value) return
      if (value.control === 'expired' && renew) {
        // Without it the server ends the stream, and the next try asks again.
        fresh().then((token) => ws.send(JSON.stringify({ token }))).catch(() => {})
      }
      if (queue.push(value) >= 1_000) finish('the loop is behind', { behind: true })
      ring()
    }
    return {
      async next() {
        while (!queue.length && !end) await new Promise((done) => (ring = done))
        if (queue.length) return { value: queue.shift() }
        if (end.code && !opened && !over) {
          // Browsers do not say why a handshake failed. A small answer does.
          const small = new URL(address)
          small.searchParams.set('history', 'none')
          probe = get(small, 'application/json')
          await probe.next()
          probe.return()
        }
        throw end
      },
      return() {
        queue.length = 0
        finish('left')
        probe?.return()
      },
    }
  }

  async function pause(least, until) {
    const off = new AbortController()
    await new Promise((done) => {
      hurry = done
      alarm(until, done)
      const wake = () => globalThis.document?.hidden || alarm(least, done)
      for (const event of ['online', 'pageshow', 'visibilitychange']) {
        globalThis.addEventListener?.(event, wake, { signal: off.signal })
      }
    })
    off.abort()
  }

  function steer({ control, id, missed, retry }) {
    if (control === 'drain') drained = retry
    for (const topic in missed) counts.delete(topic)
    if (!id) return
    self.position = seen = id
    if (/open|reset/.test(control)) {
      seen = ''
      counts.clear()
    }
  }

  function take(message) {
    const { id, topic, count, encoding } = message
    if (!above(id, seen)) return false
    const missing = count - 1 - counts.get(topic)
    if (counted && missing > 0) onGap({ control: 'gap', id, from: seen, to: id, missed: { [topic]: missing }, reason: 'count' })
    counts.set(topic, count)
    self.position = seen = id
    if (encoding) {
      message.data = Uint8Array.from(atob(message.data), (c) => c.charCodeAt(0))
      delete message.encoding
    }
    return true
  }

  async function* read() {
    let tries = 0
    let known // whether there has been a stream
    let again = !renew // whether a fresh token has had its try
    while (!over) {
      set('connecting')
      let end, began, pending
      let silence = 30_000 // before a heartbeat is named
      const watch = () => {
        if (!pending) hear() // a loop that is busy hears nothing
        if (clock() - heard < silence) {
          alarm(heard + silence, watch)
        } else {
          end = { reason: 'nothing was heard from the server' }
          source.return()
        }
      }

      source = answer = drained = undefined
      try {
        key = await new Promise((done, fail) => {
          hurry = done
          fresh().then(done, fail)
        })
      } catch (error) {
        end = why(error)
      }
      if (!end && !over) {
        const at = new URL(address)
        if (self.position) at.searchParams.set('since', self.position)
        source = transport === 'websocket' ? socket(at) : get(at)
        watch()
      }
      while (source && !over) {
        let item
        hear()
        pending = true
        try {
          item = await source.next()
        } catch (error) {
          end ??= why(error, known)
        }
        pending = false
        if (over || !item || item.done) break
        const value = sse ? parse(item.value.data) : item.value
        if (!value) continue
        const { control } = value
        if (began === undefined) {
          began = clock()
          known = true
          silence = 2500 * (value.heartbeat || Infinity)
          watch()
          // What was asked away is not missing.
          counted = !value.events && !value.maxRate && !value.slow && !(value.history === 'last' && /open|reset/.test(control))
          set('live', value)
        }
        if (control) steer(value)
        if (/gap|reset/.test(control)) onGap(value)
        if (!control && take(value)) yield value
      }
      clearTimeout(timer)
      if (over || answer?.status === 204) break

      if (clock() - began >= 5_000) {
        tries = 0
        again = !renew
      }
      end ??= { reason: 'the server ended the stream' }
      const { reason, error } = end
      if (end.refused) {
        if (again || !end.renewable) throw error
        again = true
      } else if (!end.behind) {
        const from = clock() + (drained ?? end.least ?? source?.retry ?? 0)
        const jitter = random() * Math.min(30_000, 500 * 2 ** tries)
        const until = drained === undefined ? from + jitter : from
        tries++
        set('waiting', { reason, error, until })
        if (!over) await pause(from, until)
      }
    }
  }

  async function* run() {
    try {
      signal?.throwIfAborted()
      signal?.addEventListener('abort', stop)
      yield* read()
      signal?.throwIfAborted()
    } finally {
      stop()
    }
  }

  const running = run()
  const self = {
    state: 'connecting',
    position: since,
    next: () => running.next(),
    async return(value) {
      stop()
      running.return()
      return { done: true, value }
    },
    [Symbol.asyncIterator]: () => self,
  }
  if (Symbol.asyncDispose) self[Symbol.asyncDispose] = () => self.return()
  return self
}

// Whether an id is behind another. Ids of different epochs say nothing.
function above(id, than) {
  const dash = than.lastIndexOf('-') + 1
  return !dash || id.slice(0, dash) !== than.slice(0, dash) || +id.slice(dash) > +than.slice(dash)
}

// What an error means for the next try.
function why(error, known) {
  const { message = error, status, code, headers, behind } = error ?? {}
  const after = headers?.get('Retry-After')
  const least = isNaN(after) ? Date.parse(after) - Date.now() : after * 1000
  return {
    error,
    behind,
    reason: `${message}`,
    // Where there was a stream, an answer that is none is of somebody in between.
    refused: code === 1008 || (status < 500 && ![408, 425, 429].includes(status) && !(known && status < 300)),
    renewable: code === 1008 || status === 401,
    least: least > 0 ? least : undefined,
  }
}
