// The chat by Server-Sent Events and POST, as a stream for follow of link.js.
//
//   for await (const item of voices({ signal }))
//
// The items are as those of messages in socket.js: the first is { open }, whose
// send(text) posts, then each message of the server is { data }. Between them may
// be two more, for it is the browser's own EventSource that reads: { away: reason }
// says that it has lost its connection and is on its way back, { back: true } that
// it is there again and has missed nothing. Where it has, or the server has
// forgotten this guest, the stream ends: the next one joins anew.

// The server hears of us this often; it waits two minutes. Browsers let a hidden
// page do something once a minute.
const hereEvery = 45_000
const patience = 10_000

export async function* voices({ signal }) {
  const items = []
  let end = null
  let wake = () => {}
  const put = item => {
    items.push(item)
    wake()
  }
  const over = reason => {
    end ??= Object.assign(new Error(reason), { reason })
    wake()
  }

  let key = '' // of the welcome
  let source = null
  let lost = false

  const post = (body, options) =>
    fetch('/api/chat', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body, ...options })
  const soon = () => ({ signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]) })

  // send posts a message when those before it are answered, so that they stay in
  // order.
  let turn = Promise.resolve()
  const send = text => {
    turn = turn.then(() => ask(text))
  }

  // ask posts a message. What it is answered comes as if the server had said it.
  async function ask(text) {
    if (end) return
    const { type } = JSON.parse(text)
    try {
      const answer = await post(text, soon())
      const data = await answer.text()
      if (!answer.headers.get('Content-Type')?.startsWith('application/json')) throw new Error(data)
      put({ data })
      if (answer.status === 403) over(forgotten)
      if (answer.ok && type === 'join') read(JSON.parse(data))
    } catch {
      if (signal.aborted) return
      if (type !== 'join') put({ data: JSON.stringify({ type: 'refused', what: type, why: away }) })
      over(away)
    }
  }

  // read reads what happens behind a welcome.
  function read(welcome) {
    if (signal.aborted || end) return
    key = welcome.key
    source = new EventSource(`/live/chat.room?since=${welcome.position}`)
    let why = broken
    for (const name of ['joined', 'said', 'left']) source.addEventListener(name, ({ data }) => put({ data }))
    source.addEventListener('leat.resumed', async () => {
      why = broken
      if (!lost || !(await here())) return
      lost = false
      put({ back: true })
    })
    source.addEventListener('leat.gap', () => over('more was said meanwhile than is kept'))
    source.addEventListener('leat.reset', () => over('the server started anew'))
    source.addEventListener('leat.drain', () => (why = 'the server stopped'))
    source.addEventListener('error', () => {
      if (source.readyState === EventSource.CLOSED) over(away)
      else if (!lost) put({ away: why })
      lost = true
    })
  }

  // here tells the server that we are, and answers whether we are in its room.
  async function here() {
    const status = await post(JSON.stringify({ type: 'here', key }), soon()).then(
      answer => answer.status,
      () => 0,
    )
    if (status === 403) over(forgotten)
    else if (status === 0 && !lost) over(away)
    return status === 204
  }

  const leave = () => {
    // The page may be gone before this is; who cannot be reached finds out by itself.
    if (key) post(JSON.stringify({ type: 'leave', key }), { keepalive: true }).catch(() => {})
    over('')
  }
  const beat = setInterval(() => key && here(), hereEvery)
  signal.addEventListener('abort', leave)
  try {
    put({ open: { send, readyState: WebSocket.OPEN } })
    for (;;) {
      while (items.length) yield items.shift()
      if (end) throw end
      await new Promise(done => (wake = done))
    }
  } finally {
    signal.removeEventListener('abort', leave)
    clearInterval(beat)
    source?.close()
  }
}

const away = 'the server cannot be reached'
const broken = 'the connection broke'
const forgotten = 'the server did not hear of you for too long'
