/**
 * leat.js reads live data with fetch: NDJSON records and Server-Sent Events.
 *
 *     import { records } from '/leat.js'
 *
 *     for await (const now of records('/api/machine')) {
 *       show(now)
 *     }
 *
 * The loop ends when the server has ended the stream. It throws when the
 * connection broke (fetch's own error), when the answer is no such stream
 * (ResponseError) or when options.signal was aborted (the signal's reason).
 * Leaving the loop closes the connection. A line that cannot be read is reported
 * to options.onBadLine and left behind. There is no reconnecting here; that is
 * what subscribe does, which reads topics and is in a file of its own.
 *
 * It needs nothing but fetch, web streams and TextDecoder.
 */

export { subscribe } from './subscribe.js'

/**
 * What fetch takes (method, headers, body, credentials, signal, …), and:
 * @typedef {object} ReadOptions
 * @property {(bad: BadLine) => void} [onBadLine] told about a line that is left behind;
 *   what it throws, the loop throws. Default: console.warn.
 * @property {number} [maxLine] how many bytes a line of NDJSON or the lines of
 *   one event may have. Default: 10 MiB.
 * @property {string} [lastEventId] sent as Last-Event-ID.
 * @property {typeof globalThis.fetch} [fetch] used in place of fetch.
 * @property {AbortSignal | null} [signal] ends the loop at once.
 * @property {(count: number) => void} [onBytes] told of bytes as they arrive, heartbeats too.
 *
 * @typedef {ReadOptions & RequestInit} Options
 */

/**
 * One Server-Sent Event, as EventSource would dispatch it.
 * @typedef {object} Event
 * @property {string} id the last id of the stream, from this event or before
 * @property {string} event its type; 'message' when it names none
 * @property {string} data
 * @property {number} [retry] milliseconds, when this event carried them
 */

/**
 * What all the functions return. lastEventId and retry are the last ones that
 * the server set, in an event or without one; they stay empty for NDJSON.
 * @template T
 * @typedef {AsyncIterableIterator<T> & { lastEventId: string, retry: number | undefined }} Live
 */

const NDJSON = 'application/x-ndjson'
const SSE = 'text/event-stream'
const LF = 10
const CR = 13
const MAX_LINE = 10 << 20
const MAX_RETRY = 2 ** 31 - 1

/** A line, or an event, that was left behind. Its cause says why. */
export class BadLine extends Error {
  /**
   * @param {number} line
   * @param {string} text
   * @param {Error} cause
   */
  constructor(line, text, cause) {
    super(`line ${line}: ${cause.message}: ${JSON.stringify(text.slice(0, 60))}`, { cause })
    this.name = 'BadLine'
    /** counted from 1, empty lines too */
    this.line = line
    /** the line, or its beginning when it is too long */
    this.text = text
  }
}

/** An answer that is no stream of the kind asked for. */
export class ResponseError extends Error {
  /**
   * @param {Response} response
   * @param {string} problem
   * @param {string} text
   */
  constructor(response, problem, text) {
    super(text ? `${problem}: ${text.trim().slice(0, 200)}` : problem)
    this.name = 'ResponseError'
    this.status = response.status
    /** where Retry-After is, for one */
    this.headers = response.headers
    /** the beginning of the body, for a status that is not 2xx */
    this.text = text
  }
}

/**
 * Reads the JSON values of an NDJSON stream.
 * @template [T=any]
 * @param {string | URL | Request} url
 * @param {Options} [options]
 * @returns {Live<T>}
 */
export function records(url, options = {}) {
  return live(async (signal, self) => open(await get(url, options, NDJSON, signal), NDJSON, options, self), options.signal ?? signalOf(url))
}

/**
 * Reads the events of a Server-Sent Events stream.
 * @param {string | URL | Request} url
 * @param {Options} [options]
 * @returns {Live<Event>}
 */
export function events(url, options = {}) {
  return live(async (signal, self) => open(await get(url, options, SSE, signal), SSE, options, self), options.signal ?? signalOf(url))
}

/**
 * Reads either, whichever the Content-Type of the answer says: JSON values or
 * events. It asks for NDJSON first.
 * @param {string | URL | Request} url
 * @param {Options} [options]
 * @returns {Live<any>}
 */
export function read(url, options = {}) {
  return live(async (signal, self) => open(await get(url, options, `${NDJSON}, ${SSE};q=0.9`, signal), '', options, self), options.signal ?? signalOf(url))
}

/**
 * Reads the JSON values of a Response, or of a stream of bytes.
 * @template [T=any]
 * @param {Response | ReadableStream<Uint8Array>} source
 * @param {ReadOptions} [options]
 * @returns {Live<T>}
 */
export function readRecords(source, options = {}) {
  return live((_, self) => open(source, NDJSON, options, self), options.signal)
}

/**
 * Reads the events of a Response, or of a stream of bytes.
 * @param {Response | ReadableStream<Uint8Array>} source
 * @param {ReadOptions} [options]
 * @returns {Live<Event>}
 */
export function readEvents(source, options = {}) {
  return live((_, self) => open(source, SSE, options, self), options.signal)
}

/** @param {string | URL | Request} url */
function signalOf(url) {
  return typeof url === 'object' && 'signal' in url ? url.signal : undefined
}

/**
 * @param {string | URL | Request} url
 * @param {Options} options
 * @param {string} accept
 * @param {AbortSignal} signal
 */
function get(url, options, accept, signal) {
  const { fetch: ask = globalThis.fetch, onBadLine, onBytes, maxLine, lastEventId, ...init } = options
  const headers = new Headers(init.headers ?? (typeof url === 'object' && 'headers' in url ? url.headers : undefined))
  if (!headers.has('Accept')) headers.set('Accept', accept)
  if (lastEventId) headers.set('Last-Event-ID', utf8(lastEventId))
  return ask(url, { cache: 'no-store', ...init, headers, signal })
}

/**
 * The UTF-8 bytes of text as the characters 0 to 255: what Headers take.
 * @param {string} text
 */
function utf8(text) {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('')
}

/**
 * @typedef {object} Parser
 * @property {(chunk: Uint8Array) => Iterator<any>} push
 * @property {() => Iterator<any>} end after the last chunk of a clean end
 *
 * @typedef {{ lastEventId: string, retry: number | undefined }} Position
 * @typedef {{ body: ReadableStream<Uint8Array> | null, parser: Parser, onBytes?: (count: number) => void }} Source
 */

/**
 * Checks the answer and finds its parser.
 * @param {Response | ReadableStream<Uint8Array>} source
 * @param {string} want a media type, or empty: what the answer says
 * @param {ReadOptions} options
 * @param {Position} position
 * @returns {Promise<Source>}
 */
async function open(source, want, options, position) {
  const body = 'getReader' in source ? source : source.body
  if ('status' in source) {
    if (!source.ok) {
      throw new ResponseError(source, `status ${source.status} ${source.statusText}`.trim(), await beginning(body))
    }
    const type = (source.headers.get('Content-Type') ?? '').split(';')[0].trim().toLowerCase()
    want ||= type === SSE ? SSE : NDJSON
    // NDJSON has several names; what it never has is one of these.
    const right = want === SSE ? type === SSE || type === '' : type !== SSE && type !== 'text/html'
    if (body && !right) {
      body.cancel().catch(() => {})
      throw new ResponseError(source, `Content-Type is ${JSON.stringify(type)}, not ${want}`, '')
    }
  }
  return { body, parser: want === SSE ? eventParser(options, position) : recordParser(options), onBytes: options.onBytes }
}

/**
 * The first text of an answer that is an error, but never for long.
 * @param {ReadableStream<Uint8Array> | null} body
 */
async function beginning(body) {
  if (!body) return ''
  const reader = body.getReader()
  const close = () => reader.cancel().catch(() => {})
  const timer = setTimeout(close, 1000)
  const decoder = new TextDecoder()
  let text = ''
  try {
    while (text.length < 1000) {
      const { done, value } = await reader.read()
      if (done) break
      text += decoder.decode(value, { stream: true })
    }
  } catch {
    // The status is the news, not how its text ended.
  }
  clearTimeout(timer)
  close()
  return text.slice(0, 1000)
}

/**
 * The iterator. Nothing happens before the first next. A hand-made one and no
 * async generator, whose return would wait for the record under way.
 * @param {(signal: AbortSignal, self: Position) => Promise<Source>} connect
 * @param {AbortSignal | null} [signal]
 * @returns {Live<any>}
 */
function live(connect, signal) {
  const connection = new AbortController()
  /** @type {any} a ReadableStreamDefaultReader, when there is a body */
  let reader
  /** @type {any} the Parser, once connected */
  let parser
  /** @type {((count: number) => void) | undefined} */
  let onBytes
  /** @type {Iterator<any>} */
  let items = [].values()
  let ended = false // by the server
  let over = false // for the consumer
  /** @type {Promise<any>} */
  let last = Promise.resolve()

  /** @type {{ done: true, value: undefined }} */
  const done = { done: true, value: undefined }
  const onAbort = () => close(signal?.reason)

  /** @param {any} [reason] */
  function close(reason) {
    signal?.removeEventListener('abort', onAbort)
    connection.abort(reason)
    reader?.cancel(reason).catch(() => {})
  }

  async function start() {
    signal?.addEventListener('abort', onAbort)
    const source = await connect(connection.signal, self)
    ;({ parser, onBytes } = source)
    reader = source.body?.getReader()
    ended = !reader
    if (over) close()
  }

  function stopped() {
    signal?.throwIfAborted()
    return over
  }

  async function item() {
    if (!parser && !stopped()) await start()
    while (!stopped()) {
      const next = items.next()
      if (!next.done && !stopped()) return next
      if (ended) break
      const chunk = await reader.read()
      ended = chunk.done
      if (!ended) onBytes?.(chunk.value.length)
      items = ended ? parser.end() : parser.push(chunk.value)
    }
    return done
  }

  async function step() {
    try {
      const next = await item()
      if (next.done) {
        over = true
        signal?.removeEventListener('abort', onAbort)
      }
      return next
    } catch (error) {
      if (over) return done
      over = true
      close(error)
      throw signal?.aborted ? signal.reason : error
    }
  }

  /** @type {any} */
  const self = {
    lastEventId: '',
    retry: undefined,
    next: () => (last = last.then(step, step)),
    /** @param {any} [value] */
    async return(value) {
      over = true
      close()
      return { done: true, value }
    },
    [Symbol.asyncIterator]: () => self,
  }
  if (Symbol.asyncDispose) self[Symbol.asyncDispose] = () => self.return()
  return self
}

/**
 * @typedef {object} Line
 * @property {number} number counted from 1
 * @property {string} text
 * @property {number} size in bytes
 * @property {boolean} long whether it is too long; text is then its beginning
 */

/**
 * Cuts bytes into lines. Line ends are found in the bytes and whole lines decoded,
 * so no character is ever cut. A line that has begun is kept in one growing
 * buffer: many small chunks cost no more than a large one.
 * @param {number} max bytes of a line
 * @param {boolean} crEnds whether a CR ends a line, too
 */
function splitter(max, crEnds) {
  // Without ignoreBOM every line's first character would be at risk.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let kept = new Uint8Array(1024)
  let size = 0
  let number = 0
  let skip = false // the rest of a line that is too long
  let skipLF = false // the second half of a CRLF

  /** @param {Uint8Array} bytes */
  function keep(bytes) {
    if (size + bytes.length > kept.length) {
      const larger = new Uint8Array(Math.max(2 * kept.length, size + bytes.length))
      larger.set(kept.subarray(0, size))
      kept = larger
    }
    kept.set(bytes, size)
    size += bytes.length
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {Line}
   */
  function line(bytes) {
    if (!crEnds && bytes[bytes.length - 1] === CR) bytes = bytes.subarray(0, -1)
    const long = bytes.length > max
    const text = decoder.decode(long ? bytes.subarray(0, 1000) : bytes)
    if (kept.length > 1 << 16) kept = new Uint8Array(1024)
    size = 0
    return number++ === 0 && text[0] === '\uFEFF'
      ? { number, text: text.slice(1), size: bytes.length - 3, long }
      : { number, text, size: bytes.length, long }
  }

  return {
    /** @param {Uint8Array} chunk */
    *push(chunk) {
      if (!ArrayBuffer.isView(chunk)) throw new TypeError('the stream must be one of bytes')
      let from = 0
      while (from < chunk.length) {
        if (skipLF) {
          skipLF = false
          if (chunk[from] === LF) {
            from++
            continue
          }
        }
        const end = crEnds ? lineEnd(chunk, from) : chunk.indexOf(LF, from)
        if (end < 0) {
          // One byte more than max: it may be the CR of a CRLF. Two are too many.
          if (!skip) keep(chunk.subarray(from, from + max + 2 - size))
          if (size > max + 1) {
            skip = true
            yield line(kept.subarray(0, size))
          }
          return
        }
        let bytes = chunk.subarray(from, end)
        from = end + 1
        skipLF = crEnds && chunk[end] === CR
        if (skip) {
          skip = false
          continue
        }
        if (size > 0) {
          keep(bytes)
          bytes = kept.subarray(0, size)
        }
        yield line(bytes)
      }
    },
    *end() {
      if (size > 0) yield line(kept.subarray(0, size))
    },
  }
}

/**
 * @param {Uint8Array} chunk
 * @param {number} from
 */
function lineEnd(chunk, from) {
  for (let i = from; i < chunk.length; i++) {
    if (chunk[i] === LF || chunk[i] === CR) return i
  }
  return -1
}

/** @param {ReadOptions} options */
function settings({ maxLine = MAX_LINE, onBadLine = (bad) => console.warn(String(bad)) }) {
  const long = new RangeError(`longer than ${maxLine} bytes`)
  return {
    max: maxLine,
    /** @param {Line} line @param {any} [cause] */
    report(line, cause = long) {
      onBadLine(new BadLine(line.number, line.text, cause))
    },
  }
}

/**
 * @param {ReadOptions} options
 * @returns {Parser}
 */
function recordParser(options) {
  const { max, report } = settings(options)
  const lines = splitter(max, false)

  /** @param {Iterable<Line>} some */
  function* parse(some) {
    for (const line of some) {
      if (line.long) {
        report(line)
        continue
      }
      if (!/[^ \t\r]/.test(line.text)) continue // a heartbeat
      let value
      try {
        value = JSON.parse(line.text)
      } catch (error) {
        report(line, error)
        continue
      }
      yield value
    }
  }
  return { push: (chunk) => parse(lines.push(chunk)), end: () => parse(lines.end()) }
}

/**
 * The HTML standard, 9.2.6. What has no empty line behind it is not an event, so
 * the end has nothing to give.
 * @param {ReadOptions} options
 * @param {Position} position
 * @returns {Parser}
 */
function eventParser(options, position) {
  const { max, report } = settings(options)
  const lines = splitter(max, true)
  let id = ''
  let event = ''
  /** @type {string[]} */
  let data = []
  /** @type {number | undefined} */
  let retry
  let size = 0
  let dropped = false

  /** @param {Line} line */
  function field({ text, size: bytes }) {
    const colon = text.indexOf(':')
    if (colon === 0) return true
    size += bytes
    if (size > max) return false
    const name = colon < 0 ? text : text.slice(0, colon)
    let value = colon < 0 ? '' : text.slice(colon + 1)
    if (value[0] === ' ') value = value.slice(1)
    if (name === 'data') data.push(value)
    else if (name === 'event') event = value
    else if (name === 'id' && !value.includes('\0')) id = value
    else if (name === 'retry' && /^[0-9]+$/.test(value)) {
      position.retry = retry = Math.min(Number(value), MAX_RETRY)
    }
    return true
  }

  /** @returns {Event | undefined} */
  function dispatch() {
    if (dropped) id = position.lastEventId
    position.lastEventId = id
    const found = dropped || data.length === 0 ? undefined : { id, event: event || 'message', data: data.join('\n'), retry }
    event = ''
    data = []
    retry = undefined
    size = 0
    dropped = false
    return found
  }

  return {
    *push(chunk) {
      for (const line of lines.push(chunk)) {
        if (line.text === '' && !line.long) {
          const found = dispatch()
          if (found) yield found
        } else if (line.long || !field(line)) {
          if (!dropped) report(line)
          dropped = true
        }
      }
    },
    *end() {},
  }
}
