// A link follows a stream for ever: it opens it, reads it, and opens it again
// when it broke.
//
//   follow(open, { record, state, silence, random })
//
// open(signal) returns an async iterable. record(r) gets each of its records.
// state(name, detail) hears of changes:
//   connecting
//   live
//   waiting   detail: { reason, until }   until: when the next try begins, as performance.now() has it
//   resting                               nothing is read until wake()
//   refused   detail: { reason }          the server said no: trying again is of no use
//
// An error of the stream may say itself how to go on: { reason, refused, retryAfter }.
//
// A stream of which nothing is heard for silence milliseconds counts as broken.
//
// The pause before a try is random, up to a ceiling that doubles from half a
// second to ten (full jitter), so that readers of a server that returns do not
// all come at once. A stream that lived five seconds starts the ceiling anew.

const floor = 500
const ceiling = 10_000
const stable = 5_000

export function follow(open, { record, state, silence = 15_000, random = Math.random }) {
  let awake = false // somebody wants to read
  let running = false
  let atOnce = false // the next try needs no pause before it
  let tries = 0
  let cut = null // ends the stream under way
  let hurry = null // ends the pause under way

  async function run() {
    if (running) return
    running = true
    while (awake) {
      const end = await once()
      if (!awake || atOnce) continue
      if (end.refused) {
        awake = running = false
        state('refused', { reason: end.reason })
        return
      }
      const pause = Math.max(random() * Math.min(ceiling, floor * 2 ** tries++), end.retryAfter ?? 0)
      state('waiting', { reason: end.reason, until: performance.now() + pause })
      await new Promise(done => {
        const timer = setTimeout(done, pause)
        hurry = () => {
          clearTimeout(timer)
          done()
        }
      })
      hurry = null
    }
    running = false
    state('resting')
  }

  // once reads the stream to its end and says why it ended.
  async function once() {
    state('connecting')
    atOnce = false
    const abort = new AbortController()
    cut = () => abort.abort()
    let began = 0
    let heard = performance.now()
    let mute = false
    const watch = setInterval(() => {
      mute = performance.now() - heard > silence
      if (mute) cut()
    }, 1000)
    try {
      for await (const r of open(abort.signal)) {
        heard = performance.now()
        if (began === 0) {
          began = heard
          state('live')
        }
        record(r)
      }
      return { reason: mute ? silent : 'the server ended the stream' }
    } catch (error) {
      return mute ? { reason: silent } : why(error)
    } finally {
      clearInterval(watch)
      cut()
      cut = null
      if (began > 0 && performance.now() - began > stable) tries = 0
    }
  }

  return {
    // wake starts reading; a link that waits for its next try tries at once.
    wake() {
      if (!awake || hurry) atOnce = true
      awake = true
      hurry?.()
      run()
    },
    // rest stops reading until wake.
    rest() {
      awake = false
      cut?.()
      hurry?.()
    },
    // again opens the stream anew, as when its address has changed.
    again() {
      tries = 0
      atOnce = awake = true
      cut?.()
      hurry?.()
      run()
    },
  }
}

const silent = 'nothing was heard from the server'

function why(error) {
  if (error.reason) return error // it says all that itself
  const { status, headers, text } = error
  if (!status) return { reason: 'the server cannot be reached' }
  const reason = text?.trim() || error.message
  // What the server refuses today it refuses tomorrow, but for these.
  const refused = status >= 400 && status < 500 && ![408, 425, 429].includes(status)
  const seconds = Number(headers?.get('Retry-After'))
  return { reason, refused, retryAfter: seconds > 0 ? seconds * 1000 : 0 }
}
