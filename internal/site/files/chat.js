// The chat page. Whatever others have written goes into the page as text, never
// as markup.

import { voices } from './chat-sse.js'
import { commands } from './copy.js'
import { follow } from './link.js'
import { sign } from './sign.js'
import { messages } from './socket.js'

const $ = id => document.getElementById(id)

// --- who I am, kept for a reload of this tab ---

let me = recall()
let inside = false // the server has said welcome on this connection

function recall() {
  try {
    return JSON.parse(sessionStorage.getItem('chat')) ?? null
  } catch {
    return null
  }
}

function remember(who) {
  me = who
  try {
    if (me) sessionStorage.setItem('chat', JSON.stringify(me))
    else sessionStorage.removeItem('chat')
  } catch {
    // Without a store it is forgotten with the page.
  }
}

// --- by which door ---

const doors = {
  socket: { name: 'WebSocket', open: signal => messages('/ws/chat', { signal }) },
  sse: { name: 'SSE and POST', open: signal => voices({ signal }) },
}
let by = new URLSearchParams(location.search).get('by') === 'sse' ? 'sse' : 'socket'

for (const radio of document.querySelectorAll('input[name=by]')) {
  radio.checked = radio.value === by
  radio.addEventListener('change', () => {
    by = radio.value
    history.replaceState(null, '', by === 'sse' ? '?by=sse' : location.pathname)
    showCommands()
  })
}

function showCommands() {
  for (const item of document.querySelectorAll('[data-by]')) item.hidden = item.dataset.by !== by
}

// --- the log ---

const mostLines = 500
const log = $('log')
const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' })

let lastId = 0
let lastDay = ''
let unread = 0

const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 60

function toEnd() {
  log.scrollTop = log.scrollHeight
  $('newest').hidden = true
}

function put(item, follows = atEnd()) {
  log.append(item)
  while (log.children.length > mostLines) log.firstChild.remove()
  if (follows) toEnd()
}

function element(name, className, text) {
  const e = document.createElement(name)
  e.className = className
  e.textContent = text
  return e
}

function note(text) {
  put(element('li', 'event', text))
}

// tone is one of six colours for a name.
function tone(name) {
  let sum = 0
  for (const c of name) sum = (sum * 31 + c.codePointAt(0)) % 9973
  return sum % 6
}

function face(name) {
  const mark = element('span', 'face', [...name][0].toUpperCase())
  mark.dataset.tone = tone(name)
  mark.ariaHidden = true
  return mark
}

function show(m) {
  if (m.id <= lastId) return // seen before the connection broke
  lastId = m.id
  const at = new Date(m.time)
  if (day.format(at) !== lastDay) {
    lastDay = day.format(at)
    note(lastDay)
  }
  const mine = m.name === me.name
  const item = element('li', mine ? 'said mine' : 'said', '')
  const head = element('p', 'by', '')
  const when = element('time', 'at', time.format(at))
  when.dateTime = at.toISOString()
  const name = element('bdi', 'name', m.name)
  name.dataset.tone = tone(m.name)
  head.append(name, ' ', when)
  const body = element('p', 'text', m.text)
  body.dir = 'auto'
  item.append(face(m.name), head, body)
  const follows = mine || atEnd()
  put(item, follows)
  if (!follows) $('newest').hidden = false
  if (document.hidden && !mine) unread++
  title()
}

function title() {
  document.title = unread > 0 ? `(${unread}) Leat: chat` : 'Leat: chat'
}

// --- who is here ---

let here = new Set()

function showHere() {
  const names = [...here].sort((a, b) => a.localeCompare(b))
  $('here').replaceChildren(
    ...names.map(name => {
      const item = document.createElement('li')
      item.append(face(name), element('bdi', '', name))
      if (name === me?.name) item.append(element('span', 'note', 'you'))
      return item
    }),
  )
  $('count').textContent = inside ? `${names.length} ${names.length === 1 ? 'person' : 'people'}` : '–'
  $('nobody').hidden = names.length > 0
}

// --- what the server says ---

const heard = {
  welcome(m) {
    remember({ name: m.name, key: m.key })
    inside = true
    here = new Set(m.here)
    $('me').textContent = m.name
    $('door').textContent = doors[by].name
    stage(true)
    log.ariaBusy = true // what was said before shall not be read out
    if (lastId > 0 && m.kept.length > 0 && m.kept[0].id > lastId + 1) note('Some of what was said meanwhile is no longer kept')
    for (const kept of m.kept) show(kept)
    note(m.kept.length > 0 || lastId > 0 ? 'You are in' : 'You are in. Nothing has been said yet')
    log.ariaBusy = false
    toEnd()
  },
  joined(m) {
    here.add(m.name)
    note(`${m.name} joined`)
  },
  left(m) {
    here.delete(m.name)
    note(`${m.name} left`)
  },
  said: show,
  refused(m) {
    if (inside || m.what === 'say') {
      problem(`Not sent: ${m.why}`)
      if (!$('text').value) $('text').value = unsaid
    } else {
      out(m.why)
    }
  },
}

// --- the link ---

let line = null // a WebSocket, or what sends like one
let unsaid = '' // what was sent last
let patience = 0
let astray = false // the browser is coming back by itself

const words = { connecting: 'Connecting', live: 'Connected', waiting: 'Reconnecting', resting: 'Not connected', refused: 'Closed' }
const head = sign(words, hurry)

const link = follow(signal => doors[by].open(signal), {
  record({ open, data, away, back }) {
    clearTimeout(patience)
    if (open) {
      line = open
      tell({ type: 'join', ...me })
    } else if (away) {
      astray = true
      lose(head.show('waiting', { reason: away }))
    } else if (back) {
      astray = false
      head.show('live')
      inside = true
      note('Connected again, and nothing was missed')
      $('say').querySelector('button').disabled = false
      showHere()
    } else {
      const m = JSON.parse(data)
      heard[m.type]?.(m)
      showHere()
    }
  },
  state(name, detail) {
    astray = false
    const trouble = head.show(name, detail)
    if (name === 'live') return
    lose(name === 'waiting' ? trouble : '')
    if (name === 'refused') out(`You are out: ${trouble}`)
  },
  silence: Infinity, // nobody has to speak; the server's pings find who is gone
})

// lose shows that what others say is not heard any more, and why.
function lose(trouble) {
  clearTimeout(patience)
  if (inside && trouble) note(`Not connected: ${trouble}`)
  inside = false
  showHere()
  $('say').querySelector('button').disabled = true
}

// hurry has a link that waits try at once.
function hurry() {
  if (astray) link.again()
  else link.wake()
}

// tell sends a message. What the server takes it answers: if it does not within
// ten seconds, the connection is broken and nobody has noticed.
function tell(m) {
  line.send(JSON.stringify(m))
  clearTimeout(patience)
  patience = setTimeout(() => link.again(), 10_000)
}

// --- what the reader does ---

function stage(open) {
  const first = $('stage').hidden
  $('stage').hidden = $('who').hidden = $('leave').hidden = !open
  $('join').hidden = open
  if (!open) return
  $('say').querySelector('button').disabled = false
  problem('')
  if (first) $('text').focus()
}

function problem(text) {
  $('say-problem').textContent = text
}

// out shows the form again, and says why.
function out(why) {
  here.clear()
  link.rest()
  if (me) $('name').value = me.name
  remember(null)
  inside = false
  stage(false)
  $('join-problem').textContent = why
  $('name').focus()
}

$('join').addEventListener('submit', event => {
  event.preventDefault()
  $('join-problem').textContent = ''
  me = { name: $('name').value }
  head.forget()
  link.again()
})

$('leave').addEventListener('click', () => {
  log.replaceChildren()
  lastId = 0
  lastDay = ''
  out('')
})

$('say').addEventListener('submit', event => {
  event.preventDefault()
  const text = $('text').value.trim()
  if (!text || !inside || line.readyState !== WebSocket.OPEN) return
  problem('')
  tell({ type: 'say', key: me.key, text })
  unsaid = text
  $('text').value = ''
})
$('text').addEventListener('keydown', event => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  $('say').requestSubmit()
})

$('newest').addEventListener('click', toEnd)
log.addEventListener('scroll', () => {
  if (atEnd()) $('newest').hidden = true
})

document.addEventListener('visibilitychange', () => {
  if (document.hidden) return
  unread = 0
  title()
  if ($('link').dataset.state === 'waiting') hurry()
})
addEventListener('online', () => {
  if ($('link').dataset.state === 'waiting') hurry()
})
addEventListener('pagehide', () => link.rest())
addEventListener('pageshow', event => {
  if (event.persisted && me) link.wake()
})

commands()
showCommands()
if (me) link.wake()
