// A WebSocket as a stream for follow of link.js, which opens it again.
//
//   for await (const item of messages('/ws/echo', { signal, protocols }))
//
// The first item is { open }, the WebSocket itself once it is open; then each
// message is { data, at }: a text or an ArrayBuffer, and when it came, as
// performance.now() has it. The end is an error with the close's code and
// reason in words, which says whether to try again makes sense.

export async function* messages(path, { signal, protocols = [] }) {
  const socket = new WebSocket(new URL(path, location.href).href.replace(/^http/, 'ws'), protocols)
  socket.binaryType = 'arraybuffer'
  const items = []
  let opened = false
  let end = null
  let wake = () => {}
  const put = item => {
    items.push(item)
    wake()
  }
  const over = (code, reason) => {
    end ??= ending(code, reason, opened)
    wake()
  }
  const leave = () => over(1000, '')
  socket.addEventListener('open', () => {
    opened = true
    put({ open: socket })
  })
  socket.addEventListener('message', ({ data }) => put({ data, at: performance.now() }))
  socket.addEventListener('close', ({ code, reason }) => over(code, reason))
  signal.addEventListener('abort', leave)
  try {
    for (;;) {
      while (items.length) yield items.shift()
      if (end) throw end
      await new Promise(done => (wake = done))
    }
  } finally {
    signal.removeEventListener('abort', leave)
    socket.close(1000)
  }
}

// What the close codes mean (RFC 6455, 7.4.1, and the registry of IANA).
const meanings = {
  1000: 'closed in order',
  1001: 'the server stopped',
  1002: 'the protocol was broken',
  1003: 'such data is not taken',
  1005: 'closed without a code',
  1006: 'the connection broke',
  1007: 'the text was not UTF-8',
  1008: 'a rule was broken',
  1009: 'the message was too big',
  1010: 'an extension is missing',
  1011: 'the server failed',
  1012: 'the server starts anew',
  1013: 'the server is busy',
  1014: 'a gateway got no answer',
}

// Where the same may well go right the next time.
const passing = [1001, 1005, 1006, 1011, 1012, 1013, 1014]

export const meaning = code => meanings[code] ?? (code >= 4000 ? 'a code of the application' : 'a code of a library')

// ending is the error for a close, and for a WebSocket that did not even open.
export function ending(code, reason, opened = true) {
  let text = meaning(code)
  if (!opened) text = 'the server cannot be reached'
  else if (code === 1001 && (reason === '' || reason === 'the server stops')) text = meanings[1001]
  else if (code !== 1006) text = `${reason || text} (${code})`
  return Object.assign(new Error(text), { code, reason: text, refused: opened && !passing.includes(code) })
}
