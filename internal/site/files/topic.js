// The page: one topic by five transports at once, and what each reader is told.

import { commands } from './copy.js'
import { read } from './transports.js'

const $ = id => document.getElementById(id)
const query = new URLSearchParams(location.search)

// What is read. It stands in the address.
let what = {
  topic: query.get('topic') || 'play.numbers',
  history: query.get('history') || 'none',
  maxRate: Number(query.get('maxRate')) || 0,
  event: query.get('event') ?? '',
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text
}

function element(tag, className, text) {
  const e = document.createElement(tag)
  e.className = className
  if (text !== undefined) e.textContent = text
  return e
}

// --- drawing: once a frame, whatever arrives ---

let asked = false

function paintSoon() {
  if (asked) return
  asked = true
  requestAnimationFrame(() => {
    asked = false
    for (const card of cards) card.paint()
    const live = cards.filter(c => c.state === 'live').length
    $('link').dataset.state = live === cards.length ? 'live' : cards.every(c => c.state === 'resting') ? 'resting' : 'connecting'
    write($('link-state'), `${live} of ${cards.length} live`)
  })
}

// --- a card: a reader, and what it was told ---

const kinds = [
  ['ndjson', 'NDJSON', 'fetch, Accept: application/x-ndjson'],
  ['sse', 'Server-Sent Events', 'fetch, Accept: text/event-stream'],
  ['websocket', 'WebSocket', 'Upgrade: websocket'],
  ['poll', 'Long poll', 'fetch, ?wait=20s&since=ID'],
  ['array', 'Array', 'fetch, Accept: application/json, If-None-Match'],
]

const words = {
  connecting: 'Connecting',
  live: 'Live',
  waiting: 'Reconnecting',
  refused: 'Refused',
  cut: 'Cut',
  resting: 'Resting',
}

const mostRows = 60
const mostTold = 2
const long = 20

class Card {
  constructor([how, title, asks]) {
    this.how = how
    const card = $('reader').content.firstElementChild.cloneNode(true)
    this.card = card
    card.id = how
    const part = name => card.querySelector(name)
    part('h2').textContent = title
    part('h2').id = `${how}-title`
    card.setAttribute('aria-labelledby', `${how}-title`)
    part('.how code').textContent = asks
    this.rows = part('.rows')
    this.rows.setAttribute('aria-label', `What came by ${title}`)
    this.told = part('.tellings')
    this.told.setAttribute('aria-label', `What the reader by ${title} was told`)
    this.told.hidden = how === 'array' // which has no stream
    this.word = part('.word')
    this.sums = part('.sums')
    const acts =
      how === 'array'
        ? [['Ask now', 'Ask now, and not in two seconds', () => this.open()]]
        : [
            ['Cut', 'Cut it: it comes back in a second, with its position', () => this.cut(1)],
            [`Cut for ${long} s`, 'Cut it for longer than play.numbers is kept', () => this.cut(long)],
            ['Old id', 'Come back with a position of another time', () => this.open('0ld-1')],
          ]
    for (const [name, hint, act] of acts) {
      const button = element('button', 'quiet', name)
      button.type = 'button'
      button.title = hint
      button.addEventListener('click', act)
      part('.acts').append(button)
    }
    this.clear()
  }

  clear() {
    this.position = ''
    this.fresh = [] // rows that are not shown yet
    this.list = null // of the array, where it is new
    this.messages = this.missing = this.resumed = this.asked = this.unchanged = 0
    this.rows.replaceChildren()
    this.told.replaceChildren()
    this.state = 'resting'
    this.reason = ''
  }

  // open begins to read, behind a position.
  open(since = this.position) {
    this.close()
    const ended = (this.ended = new AbortController())
    const hear = fn => (...facts) => {
      if (ended.signal.aborted) return
      fn(...facts)
      paintSoon()
    }
    read(this.how, { ...what, since }, {
      signal: ended.signal,
      state: hear((state, reason = '') => Object.assign(this, { state, reason: state === 'live' ? '' : reason })),
      position: hear(id => (this.position = id)),
      message: hear(m => {
        this.messages++
        this.fresh.push(message(m))
      }),
      control: hear(c => {
        if (c.control === 'resumed') this.resumed++
        for (const n of Object.values(c.missed ?? {})) this.missing += n
        this.fresh.push(mark(c))
        this.told.prepend(telling(c))
        if (this.told.children.length > mostTold) this.told.lastElementChild.remove()
      }),
      array: hear(list => {
        this.asked++
        if (list) this.list = list
        else this.unchanged++
      }),
    })
  }

  close() {
    clearTimeout(this.back)
    this.back = 0
    this.ended?.abort()
    this.state = 'resting'
    this.reason = ''
    paintSoon()
  }

  // cut ends the reading, as a network may, for some seconds.
  cut(seconds) {
    this.close()
    this.state = 'cut'
    const count = left => {
      if (left === 0) return this.open()
      this.reason = `back in ${left} s`
      this.back = setTimeout(count, 1000, left - 1)
      paintSoon()
    }
    count(seconds)
  }

  paint() {
    this.card.dataset.state = this.state
    write(this.word, words[this.state] + (this.reason ? `: ${this.reason}` : ''))
    if (this.list) {
      this.messages = this.list.length
      this.rows.replaceChildren(...this.list.slice(-mostRows).reverse().map(message))
      this.list = null
    }
    if (this.fresh.length) {
      this.rows.prepend(...this.fresh.slice(-mostRows).reverse())
      while (this.rows.children.length > mostRows) this.rows.lastElementChild.remove()
      this.fresh = []
    }
    write(
      this.sums,
      this.how === 'array'
        ? `${this.messages} kept · asked ${this.asked} times, ${this.unchanged} answered 304`
        : `${this.messages} messages · ${this.missing} missing · ${this.resumed} resumed`,
    )
    this.card.dataset.messages = this.messages
    this.card.dataset.missing = this.missing
  }
}

const clock = time => new Date(time).toTimeString().slice(0, 8)

// message is a row: what others have published goes in as text, never as markup.
function message({ topic, event, count, time, data }) {
  const row = element('li', 'message')
  row.dataset.count = count
  row.append(element('span', 'count', count), element('time', 'at', clock(time)))
  const text = data instanceof Uint8Array ? `${data.length} bytes` : typeof data === 'string' ? data : JSON.stringify(data)
  const shown = element('span', 'data', text)
  shown.title = text
  if (topic !== what.topic) shown.prepend(element('b', 'of', topic), ' ')
  if (event) shown.prepend(element('b', 'event', event), ' ')
  row.append(shown)
  return row
}

const why = {
  slow: 'it was too slow',
  history: 'no longer kept',
  restart: 'the server began anew',
  count: 'the counts have a hole',
  epoch: 'an id of another time',
  future: 'an id that is yet to come',
  unknown: 'no id at all',
}

// A control record is a mark among the messages, and one that stays for a while,
// with all that it says.
function mark(c) {
  const row = element('li', 'mark-row')
  row.append(badge(c))
  return row
}

function badge({ control }) {
  const badge = element('span', 'control', control)
  badge.dataset.control = control
  return badge
}

function telling(c) {
  const missed = Object.values(c.missed ?? {}).reduce((sum, n) => sum + n, 0)
  let text = missed ? `${c.atLeast ? 'at least ' : ''}${missed} missing: ` : ''
  if (c.atLeast && !missed) text = 'some may be missing: '
  const summary = element('summary', '')
  summary.append(badge(c), element('span', 'why', text + (why[c.reason] ?? '')), element('time', 'at', clock(Date.now())))
  const details = element('details', '')
  details.append(summary, element('code', 'json', JSON.stringify(c)))
  const row = element('li', 'told')
  row.append(details)
  return row
}

const cards = kinds.map(kind => new Card(kind))
$('readers-grid').prepend(...cards.map(c => c.card))

// --- what is read ---

const wild = () => /(^|\.)(\*|>)(\.|$)/.test(what.topic)
const path = () => (wild() ? `/live/?topic=${encodeURIComponent(what.topic)}` : `/live/${encodeURIComponent(what.topic)}`)

function show() {
  $('topic').value = what.topic
  $('history').value = what.history
  $('rate').value = what.maxRate || ''
  $('event').value = what.event
  write($('url'), path())
  const to = wild() ? 'play.words' : what.topic
  write($('to'), to)
  write($('curl'), `curl -d 'Hello' ${location.origin}/live/${encodeURIComponent(to)}`)
}

$('choose').addEventListener('submit', e => {
  e.preventDefault()
  what = { topic: $('topic').value.trim(), history: $('history').value, maxRate: Number($('rate').value), event: $('event').value.trim() }
  const facts = Object.entries({ ...what, history: what.history === 'none' ? '' : what.history }).filter(([, v]) => v)
  history.replaceState(null, '', `/topic.html?${new URLSearchParams(facts)}`)
  show()
  for (const card of cards) {
    card.close()
    card.clear()
    card.open()
  }
})

// --- numbers about the topic, while somebody looks ---

async function count() {
  try {
    const answer = await fetch(`/live/?topic=${encodeURIComponent(what.topic)}&stats`)
    const { published = '–', kept = '–', subscribers } = answer.ok ? await answer.json() : {}
    write($('published'), `${published}`)
    write($('kept'), `${kept}`)
    write($('readers'), subscribers ? `${Object.values(subscribers).reduce((sum, n) => sum + n, 0)}` : '–')
  } catch {
    // the cards say how it is
  }
}

// --- publishing ---

$('publish').addEventListener('submit', async e => {
  e.preventDefault()
  const body = $('data').value
  let type = 'application/json'
  try {
    JSON.parse(body)
  } catch {
    type = 'text/plain'
  }
  const headers = { 'Content-Type': type }
  let answer = ''
  let problem = ''
  try {
    const event = $('name').value.trim()
    const to = `/live/${encodeURIComponent($('to').textContent)}${event ? `?event=${encodeURIComponent(event)}` : ''}`
    const response = await fetch(to, { method: 'POST', headers, body })
    if (response.ok) answer = (await response.text()).trim()
    else problem = `${response.status}: ${(await response.text()).trim()}`
  } catch {
    problem = 'The server cannot be reached.'
  }
  write($('answer'), answer)
  write($('problem'), problem)
})

// --- when to read: not for long while nobody looks ---

let leave = 0
let counting = 0

function consider() {
  clearTimeout(leave)
  clearInterval(counting)
  if (document.hidden) {
    leave = setTimeout(rest, 20_000)
    return
  }
  for (const card of cards) if (card.state === 'resting') card.open()
  counting = setInterval(count, 2000)
  count()
}

function rest() {
  for (const card of cards) card.close()
}

document.addEventListener('visibilitychange', consider)
addEventListener('pageshow', consider)
addEventListener('pagehide', rest)

show()
commands()
consider()
