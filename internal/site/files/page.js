// The page: three streams, seven plots, and what a reader sees of the link.

import { events, records } from './leat.js'
import { commands } from './copy.js'
import { bytes, percent, rate, short, span } from './format.js'
import { History } from './history.js'
import { follow } from './link.js'
import { Plot } from './plot.js'
import { nice, niceBinary } from './scale.js'
import { sign } from './sign.js'

const $ = id => document.getElementById(id)
const calm = matchMedia('(prefers-reduced-motion: reduce)')

// --- drawing: once a frame, whatever arrives ---

const painters = new Set() // each paints what is new, and returns at once if nothing is
let asked = false
let painted = 0

function paintSoon() {
  if (asked) return
  asked = true
  // Who asked for little motion gets a picture a second.
  const wait = calm.matches ? 1000 - (performance.now() - painted) : 0
  if (wait > 0) setTimeout(() => requestAnimationFrame(paint), wait)
  else requestAnimationFrame(paint)
}

function paint(now) {
  asked = false
  painted = now
  for (const p of painters) p(now)
}

function painter(fn) {
  let news = false
  painters.add(now => {
    if (!news) return
    news = false
    fn(now)
  })
  return () => {
    news = true
    paintSoon()
  }
}

// write changes a text only where it differs: most numbers stay from frame to frame.
function write(node, text) {
  if (node.textContent !== text) node.textContent = text
}

// --- the machine ---

// A panel is a card with a plot and numbers. row(r) is what a record adds to
// its history, show(r) writes its numbers; pointing at the plot shows those of
// that moment.
class Panel {
  constructor(id, { columns, plot, row, show }) {
    this.card = $(id)
    this.options = { columns, plot, row, show }
    this.values = new Map([...this.card.querySelectorAll('[data-value]')].map(n => [n.dataset.value, n]))
    this.texts = new Map([...this.card.querySelectorAll('[data-text]')].map(n => [n.dataset.text, n]))
    this.when = document.createElement('span')
    this.when.className = 'when'
    this.card.querySelector('h2').append(this.when)
    this.pointed = null
    this.reset()
  }

  reset() {
    this.plot?.remove()
    this.plot = null
    this.history = null
    this.columns = 0
  }

  add(r) {
    const row = this.options.row(r)
    this.card.classList.toggle('absent', !row)
    if (!row) return
    if (row.length !== this.columns) this.#begin(r, row.length)
    this.history.push(r.time / 1000, row)
  }

  #begin(r, columns) {
    this.reset()
    this.columns = columns
    this.history = new History(columns)
    this.plot = new Plot(this.card.querySelector('.plot'), this.history, {
      ...this.options.plot(r, columns),
      pointed: row => {
        this.pointed = row
        repaint()
      },
    })
  }

  draw(texts) {
    if (!this.history?.length) return
    this.plot.draw()
    if (!texts) return
    const { data } = this.history
    const [times, ...columns] = data
    const last = times.length - 1
    let row = Math.min(this.pointed ?? last, last)
    while (row > 0 && columns.every(column => column[row] === null)) row-- // a gap has no numbers
    this.options.show(columns.map(column => column[row]), this)
    write(this.when, this.pointed === null ? '' : `${(times[last] - times[row]).toFixed(1)} s ago`)
  }

  number(name, [number, unit]) {
    const node = this.values.get(name)
    write(node, number)
    write(node.nextElementSibling, unit)
  }

  text(name, text) {
    write(this.texts.get(name), text)
  }
}

const mostCoreLines = 16
const coreColour = i => `--core-${i % 4}`

const panels = [
  new Panel('cpu', {
    row: r => r.cpu && [...r.cpu.cores, r.cpu.total],
    plot: (r, columns) => ({
      range: () => [0, 100],
      unit: v => `${v} %`,
      series: [
        ...Array.from({ length: columns - 1 }, (_, i) => ({ colour: coreColour(i), width: 1.25, alpha: i < mostCoreLines ? 0.8 : 0 })),
        { colour: '--cpu', width: 2.25, fill: true, dot: true },
      ],
    }),
    show(row, panel) {
      panel.number('total', percent(row.at(-1) ?? 0))
      showCores(row.slice(0, -1))
    },
  }),
  new Panel('memory', {
    row: r => r.memory && [r.memory.used],
    plot: r => ({
      range: (min, max) => [0, Math.min(r.memory.total, niceBinary(max * 1.2))],
      unit: v => short(bytes(v)),
      series: [{ colour: '--memory', width: 2.25, fill: true, dot: true }],
    }),
    show([used], panel) {
      if (used === null || !latest.memory) return
      const { total, available, swapTotal, swapUsed } = latest.memory
      panel.number('used', bytes(used))
      panel.text('share', `${percent((used / total) * 100)[0]} % of ${bytes(total).join(' ')}`)
      panel.text('available', bytes(available).join(' '))
      panel.text('swap', swapTotal ? `${bytes(swapUsed).join(' ')} of ${bytes(swapTotal).join(' ')}` : 'none')
    },
  }),
  flowPanel('network', 'in', 'out'),
  flowPanel('disk', 'read', 'write'),
]

function flowPanel(id, a, b) {
  return new Panel(id, {
    row: r => r[id] && [r[id][a], r[id][b]],
    plot: () => ({
      range: (min, max) => [0, nice(Math.max(max, 10_000))],
      unit: v => short(rate(v)),
      series: [
        { colour: `--${a}`, fill: true, dot: true },
        { colour: `--${b}`, fill: true, dot: true },
      ],
    }),
    show([x, y], panel) {
      panel.number(a, rate(x ?? 0))
      panel.number(b, rate(y ?? 0))
    },
  })
}

function showCores(cores) {
  const list = $('cores')
  if (list.children.length !== cores.length) {
    list.replaceChildren(
      ...cores.map((_, i) => {
        const item = document.createElement('li')
        item.append(document.createElement('span'), document.createElement('i'), document.createElement('b'))
        item.firstChild.textContent = `core ${i}`
        item.style.setProperty('--c', `var(${coreColour(i)})`)
        return item
      }),
    )
  }
  cores.forEach((core, i) => {
    const [, bar, text] = list.children[i].children
    const value = core ?? 0
    bar.style.setProperty('--v', value / 100)
    write(text, `${Math.round(value)} %`)
  })
}

let latest = null
let received = 0
let textsAt = 0
const arrivals = [] // when the records of the last seconds came, for the rate

const repaint = painter(now => {
  if (!latest) return
  // Numbers that change more often than ten times a second cannot be read.
  const texts = now - textsAt >= 90
  if (texts) textsAt = now
  else setTimeout(repaint, 100)
  for (const p of panels) p.draw(texts)
  if (texts) showFacts()
  const drawn = $('drawn')
  drawn.dataset.records = received
  drawn.dataset.time = latest.time
})

function showFacts() {
  write($('host'), latest.host)
  write($('uptime'), span(latest.uptime))
  write($('load'), latest.load ? latest.load.map(l => l.toFixed(2)).join('  ') : 'unknown')
  write($('process'), latest.process.memory ? `${bytes(latest.process.memory).join(' ')}, ${latest.process.goroutines} goroutines` : 'unknown')
  write($('system'), latest.system)
  const [first, last] = [arrivals[0], arrivals.at(-1)]
  write($('drawn'), (arrivals.length > 1 ? ((arrivals.length - 1) * 1000) / (last - first) : 0).toFixed(1))
}

function onMachine(r) {
  latest = r
  received++
  const now = performance.now()
  arrivals.push(now)
  if (arrivals.length > 2 && arrivals[0] < now - 4000) arrivals.splice(0, arrivals.findIndex(a => a >= now - 3000))
  for (const p of panels) p.add(r)
  repaint()
}

// --- what a reader sees of the link ---

const words = {
  connecting: 'Connecting',
  live: 'Live',
  waiting: 'Reconnecting',
  resting: 'Paused',
  refused: 'Refused',
}

const link = sign(words, () => machine.wake())

function onState(name, detail) {
  document.body.classList.toggle('stale', Boolean(link.show(name, detail)))
  if (name !== 'connecting') arrivals.length = 0
  if (name === 'live' || name === 'waiting') for (const p of panels) p.history?.gap()
  if (name === 'live') for (const l of others) l.wake()
}

let every = new URLSearchParams(location.search).get('every') ?? '1s'

const machine = follow(signal => records(`/api/machine?every=${encodeURIComponent(every)}`, { signal }), { record: onMachine, state: onState })

for (const radio of document.querySelectorAll('input[name=every]')) {
  radio.checked = radio.value === every
  radio.addEventListener('change', () => {
    every = radio.value
    history.replaceState(null, '', every === '1s' ? '/' : `/?every=${every}`)
    link.forget()
    if (!paused) machine.again()
  })
}

// --- the sensor ---

const climate = ['temperature', 'humidity', 'pressure'].map(name => {
  const card = document.querySelector(`#sensor .${name}`)
  const past = new History(1, 120)
  // At least so much lies between bottom and top: noise shall not look like weather.
  const least = { temperature: 1, humidity: 4, pressure: 2 }[name]
  const plot = new Plot(card.querySelector('.plot'), past, {
    series: [{ colour: `--${name}`, fill: true, dot: true }],
    range: (min, max) => {
      const middle = (min + max) / 2
      const half = Math.max(max - min, least) * 0.6
      return [middle - half, middle + half]
    },
  })
  return { name, past, plot, value: card.querySelector('strong'), decimals: name === 'pressure' ? 1 : name === 'humidity' ? 0 : 1 }
})

const repaintSensor = painter(() => {
  for (const c of climate) {
    c.plot.draw()
    write(c.value, c.past.data[1].findLast(v => v !== null)?.toFixed(c.decimals) ?? '–')
  }
})

const sensor = follow(signal => records('/api/sensor', { signal }), {
  record(r) {
    for (const c of climate) c.past.push(r.time / 1000, [r[c.name]])
    repaintSensor()
  },
  state(name) {
    if (name === 'waiting') for (const c of climate) c.past.gap()
  },
})

// --- quotes, by Server-Sent Events ---

let lastQuote = ''

const quotes = follow(signal => events('/api/quotes', { signal, lastEventId: lastQuote }), {
  record(e) {
    lastQuote = e.id
    const quote = JSON.parse(e.data)
    write($('saying'), quote.text)
    write($('by'), quote.by)
    const block = $('saying').parentElement
    block.classList.remove('fresh')
    requestAnimationFrame(() => block.classList.add('fresh'))
  },
  state() {},
  silence: 60_000,
})

const others = [sensor, quotes]

// --- when to read: not while paused, and not for long while nobody looks ---

const links = [machine, ...others]
let paused = false
let leave = 0

function consider() {
  clearTimeout(leave)
  if (paused) for (const l of links) l.rest()
  else if (!document.hidden) for (const l of links) l.wake()
  // A hidden page draws nothing. It keeps its streams for a while, as somebody
  // may only look something up; then it gives back its connections, of which a
  // browser has six for a server.
  else leave = setTimeout(() => links.forEach(l => l.rest()), 20_000)
}

$('pause').addEventListener('click', () => {
  paused = !paused
  $('pause').setAttribute('aria-pressed', paused)
  consider()
})
document.addEventListener('visibilitychange', consider)
addEventListener('online', consider)
addEventListener('pageshow', consider)
addEventListener('pagehide', () => links.forEach(l => l.rest()))

// --- a task with progress ---

$('start').addEventListener('click', async () => {
  const [button, bar, step] = [$('start'), $('bar'), $('step')]
  button.disabled = true
  bar.value = 0
  step.setAttribute('aria-live', 'off')
  write(step, 'Starting')
  let status = ''
  try {
    for await (const r of records('/api/progress?steps=40&every=100ms')) {
      status = r.status
      bar.value = r.percentComplete
      // Only the end is said aloud: forty steps would drown everything else.
      if (status === 'complete') step.setAttribute('aria-live', 'polite')
      write(step, status === 'complete' ? 'Complete' : `Step ${r.step} of ${r.totalSteps}`)
    }
    if (status !== 'complete') throw new Error('it ended early')
  } catch (error) {
    step.setAttribute('aria-live', 'polite')
    write(step, `Broken off: ${error.message}`)
  }
  button.disabled = false
  write(button, 'Start again')
})

commands()
consider()
