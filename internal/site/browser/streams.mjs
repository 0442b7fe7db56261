// Streams for the reader's tests, and a second opinion on them.
import { createParser } from 'eventsource-parser'

/** A stream of these byte arrays, each one read on its own. */
export function chunks(pieces) {
  const left = [...pieces]
  return new ReadableStream(
    {
      pull(controller) {
        const piece = left.shift()
        if (piece === undefined) controller.close()
        else controller.enqueue(new Uint8Array(piece))
      },
    },
    { highWaterMark: 0 },
  )
}

/** The bytes whole, byte by byte, and cut in two at every place. */
export function* cuts(bytes) {
  yield [bytes]
  yield Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))
  for (let i = 0; i <= bytes.length; i++) yield [bytes.subarray(0, i), bytes.subarray(i)]
}

/** The events of the bytes as eventsource-parser sees them. */
export function third(pieces) {
  const found = []
  let lastEventId = ''
  const parser = createParser({
    onEvent: ({ id, event, data }) => {
      lastEventId = id ?? lastEventId
      found.push({ id: lastEventId, event: event || 'message', data })
    },
  })
  const decoder = new TextDecoder()
  for (const piece of pieces) parser.feed(decoder.decode(piece, { stream: true }))
  parser.feed(decoder.decode())
  parser.feed(':\n') // it holds a last CR back until a line follows
  return found
}
