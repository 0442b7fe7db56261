// The echo page: what is sent, and what comes back of it.

import { commands } from './copy.js'
import { bytes } from './format.js'
import { follow } from './link.js'
import { sign } from './sign.js'
import { meaning, messages } from './socket.js'

const $ = id => document.getElementById(id)
const size = n => bytes(n).join(' ')
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' })

// --- the log ---

const mostLines = 200
const log = $('log')

// line adds a line to the log, of parts [class, text].
function line(kind, ...parts) {
  const item = document.createElement('li')
  item.className = kind
  for (const [name, text] of [...parts, ['at', clock.format(new Date())]]) {
    const part = document.createElement(name === 'what' ? 'p' : 'span')
    part.className = name
    part.textContent = text
    item.append(part)
  }
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40
  log.append(item)
  while (log.children.length > mostLines) log.firstChild.remove()
  if (atEnd) log.scrollTop = log.scrollHeight
  return item
}

const note = (text, kind = '') => line(`event ${kind}`, ['what', text])

// preview shows the beginning of a message.
function preview(data) {
  if (typeof data === 'string') return data.length > 300 ? `${data.slice(0, 300)}…` : data || '(empty)'
  const head = [...new Uint8Array(data, 0, Math.min(24, data.byteLength))].map(b => b.toString(16).padStart(2, '0')).join(' ')
  return data.byteLength > 24 ? `${head} …` : head || '(empty)'
}

const encoder = new TextEncoder()
const lengthOf = data => (typeof data === 'string' ? encoder.encode(data).length : data.byteLength)

function same(a, b) {
  if (typeof a === 'string' || typeof b === 'string') return a === b
  const [x, y] = [new Uint8Array(a), new Uint8Array(b)]
  return x.length === y.length && x.every((v, i) => v === y[i])
}

// --- what waits for its echo ---

const waiting = []
const trips = [] // of the last hundred echoes, in milliseconds
const totals = { sent: [0, 0], back: [0, 0] } // messages, bytes

function count(which, data) {
  totals[which][0]++
  totals[which][1] += lengthOf(data)
  $(which).textContent = `${totals[which][0]}, ${size(totals[which][1])}`
}

function send(data) {
  if (socket?.readyState !== WebSocket.OPEN) return
  const item = line(
    'message',
    ['kind', typeof data === 'string' ? 'text' : 'binary'],
    ['what', preview(data)],
    ['size', size(lengthOf(data))],
    ['trip', 'on its way'],
  )
  item.dataset.state = 'under-way'
  waiting.push({ data, item, at: performance.now() })
  socket.send(data)
  count('sent', data)
}

function came({ data, at }) {
  const sent = waiting.shift()
  count('back', data)
  if (!sent) {
    note(`Something came that was not sent: ${preview(data)}`, 'bad')
    return
  }
  const trip = at - sent.at
  const good = same(sent.data, data)
  sent.item.dataset.state = good ? 'same' : 'different'
  sent.item.querySelector('.trip').textContent = good ? `the same, ${trip.toFixed(1)} ms` : `something else: ${preview(data)}`
  if (trips.push(trip) > 100) trips.shift()
  const sorted = trips.toSorted((a, b) => a - b)
  $('median').textContent = `${sorted[Math.floor(sorted.length / 2)].toFixed(1)} ms`
}

// --- the link ---

let socket = null
let protocols = []
let opened = false // with these subprotocols, once

const words = { connecting: 'Connecting', live: 'Connected', waiting: 'Reconnecting', resting: 'Disconnected', refused: 'Closed' }
const head = sign(words, () => link.wake())

function begin(ws) {
  socket = ws
  opened = true
  note(`Connected${ws.protocol ? ` with the subprotocol ${ws.protocol}` : ''}`, 'good')
  $('protocol').textContent = ws.protocol || 'none'
  $('extension').textContent = ws.extensions.split(';')[0] || 'none'
  ws.addEventListener('close', ({ code, reason, wasClean }) => {
    note(`Closed with ${code}, ${meaning(code)}${reason ? `: “${reason}”` : ''}${wasClean || code === 1006 ? '' : ', not in order'}`, code === 1000 ? '' : 'bad')
    for (const { item } of waiting.splice(0)) {
      item.dataset.state = 'lost'
      item.querySelector('.trip').textContent = 'did not come back'
    }
  })
}

function state(name, detail) {
  head.show(name, detail)
  const live = name === 'live'
  for (const id of ['say', 'random']) $(id).querySelector('button').disabled = !live
  $('file').disabled = !live
  $('shut').disabled = !live && name !== 'waiting'
  $('open').textContent = live ? 'Connect anew' : 'Connect'
  if (!live) for (const id of ['protocol', 'extension']) $(id).textContent = '–'
}

// attempt is one connection. Where subprotocols are offered, a browser does not
// tell a server that is away from one that speaks none of them: there is no use
// in trying that again and again.
async function* attempt(signal) {
  try {
    yield* messages('/ws/echo', { signal, protocols })
  } catch (error) {
    if (protocols.length > 0 && !opened) {
      Object.assign(error, { refused: true, reason: 'the server is away, or speaks none of these subprotocols' })
    }
    throw error
  }
}

const link = follow(attempt, {
  record: item => (item.open ? begin(item.open) : came(item)),
  state,
  silence: Infinity, // an echo is silent until it is spoken to
})

// --- what the reader does ---

$('say').addEventListener('submit', event => {
  event.preventDefault()
  send($('text').value)
  $('text').select()
})
$('text').addEventListener('keydown', event => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  $('say').requestSubmit()
})
$('random').addEventListener('submit', event => {
  event.preventDefault()
  const data = new Uint8Array(Number($('size').value))
  for (let i = 0; i < data.length; i += 65_536) crypto.getRandomValues(data.subarray(i, i + 65_536)) // as many as it gives at once
  send(data.buffer)
})
$('file').addEventListener('change', async () => {
  const [file] = $('file').files
  if (!file) return
  try {
    send(await file.arrayBuffer())
  } catch (error) {
    note(`The file cannot be read: ${error.message}`, 'bad')
  }
  $('file').value = ''
})
$('clear').addEventListener('click', () => log.replaceChildren())

$('connect').addEventListener('submit', event => {
  event.preventDefault()
  const wanted = $('protocols').value.split(/[\s,]+/).filter(Boolean)
  const odd = wanted.find((name, i) => /[^\w!#$%&'*+.^`|~-]/.test(name) || wanted.indexOf(name) !== i)
  $('problem').textContent = odd ? `“${odd}” is no name of a subprotocol, or stands twice` : ''
  if (odd) return
  protocols = wanted
  opened = false
  head.forget()
  link.again()
})
$('close').addEventListener('submit', event => {
  event.preventDefault()
  try {
    socket?.close(Number($('code').value), $('reason').value)
    $('problem').textContent = ''
  } catch (error) {
    // The browser knows what may be sent: some codes, and 123 bytes of reason.
    $('problem').textContent = error.name === 'SyntaxError' ? 'A reason has at most 123 bytes' : 'A page may close with 1000, or 3000 to 4999'
    return
  }
  link.rest()
})

addEventListener('online', () => {
  if ($('link').dataset.state === 'waiting') link.wake()
})
addEventListener('pagehide', () => link.rest())
addEventListener('pageshow', event => {
  if (event.persisted) link.wake()
})

commands()
link.wake()
