// Five ways to read a topic, with one face:
//
//   read(how, { topic, history, maxRate, event, since }, { signal, state, message, control, position, array })
//
// how is ndjson, sse, websocket, poll or array. It reads until the signal is
// aborted or the server refuses, and comes back by itself.
//
//   state(name, reason)   connecting, live, waiting, refused
//   message(record)
//   control(record)       the first of a stream, and those in between
//   position(id)          where it is, for since
//   array(list)           of the array: all messages that are kept; null: nothing is new

import { records, ResponseError, subscribe } from './leat.js'

export function read(how, what, heard) {
  if (how === 'poll') return again(poll, what, heard)
  if (how === 'array') return again(array, what, heard)
  return stream(how, what, heard)
}

async function stream(transport, { topic, history, maxRate, event, since }, { signal, state, message, control, position }) {
  let first
  const messages = subscribe('/live/', {
    transport, topics: topic, history, maxRate, since, signal,
    events: event ? [event] : [],
    onState(name, detail) {
      if (name !== 'closed') state(name, detail?.reason)
      if (name !== 'live') return
      first = detail
      control(detail)
      position(detail.id)
    },
    onGap: gap => gap !== first && control(gap),
  })
  try {
    for await (const m of messages) {
      message(m)
      position(m.id)
    }
  } catch (error) {
    if (!signal.aborted) state('refused', error.message)
  }
}

// again asks one time after the other. What fails is tried again after a random
// pause, up to a ceiling that doubles from half a second to ten.
async function again(ask, what, heard) {
  const mind = { position: what.since }
  heard.state('connecting')
  for (let tries = 0; !heard.signal.aborted; ) {
    try {
      await ask(what, heard, mind)
      tries = 0
    } catch (error) {
      if (heard.signal.aborted) return
      const { status } = error
      if (status >= 400 && status < 500 && ![408, 425, 429].includes(status)) {
        heard.state('refused', error.message)
        return
      }
      heard.state('waiting', status ? error.message : 'the server cannot be reached')
      await pause(Math.random() * Math.min(10_000, 500 * 2 ** tries++), heard.signal)
    }
  }
}

function address({ topic, maxRate, event }, more) {
  const query = new URLSearchParams({ topic, ...more })
  if (event) query.set('event', event)
  if (maxRate) query.set('maxRate', maxRate)
  return `/live/?${query}`
}

// poll is one long poll. Its last record says where the next one begins.
async function poll(what, { signal, state, message, control, position }, mind) {
  const from = mind.position ? { since: mind.position } : { history: what.history }
  const began = performance.now()
  // The first one does not wait, so that it is soon known how things are.
  for await (const r of records(address(what, { wait: mind.known ? '20s' : '0s', ...from }), { signal })) {
    if (!r.control) message(r)
    // Each poll but the first is resumed, and that is no news.
    else if (r.control !== 'position' && !(mind.known && r.control === 'resumed')) control(r)
    if (r.control === 'position') mind.position = r.id
  }
  mind.known = true
  state('live')
  position(mind.position)
  // With few a second, messages are fetched together.
  if (what.maxRate) await pause(1000 / what.maxRate - (performance.now() - began), signal)
}

// array asks for all that is kept, if it has changed since the last time.
async function array(what, { signal, state, array }, mind) {
  const headers = { Accept: 'application/json' }
  if (mind.tag) headers['If-None-Match'] = mind.tag
  const answer = await fetch(address(what, { history: what.history === 'none' ? 'all' : what.history }), { signal, headers, cache: 'no-store' })
  if (!answer.ok && answer.status !== 304) throw new ResponseError(answer, `status ${answer.status}`, await answer.text())
  mind.tag = answer.headers.get('ETag')
  const list = answer.status === 304 ? null : await answer.json()
  state('live')
  array(list)
  await pause(2000, signal)
}

function pause(time, signal) {
  return new Promise(done => {
    const timer = setTimeout(done, time)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      done()
    })
  })
}
