// The goldens of the Go codecs, read by leat.js, and by a parser of somebody
// else's as a third opinion.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readEvents, readRecords } from '../files/leat.js'
import { chunks, cuts, third } from './streams.mjs'

const golden = (name) => JSON.parse(readFileSync(new URL(`../../wire/testdata/${name}.golden`, import.meta.url), 'utf8'))
const ndjson = golden('ndjson')
const sse = golden('sse')

/** All that a reader makes of the stream, in order, bad lines in the golden's words. */
async function outcome(readSome, stream, max, mark) {
  const found = []
  const onBadLine = (bad) => found.push(mark(bad))
  const live = readSome(stream, { onBadLine, ...(max && { maxLine: max }) })
  for await (const item of live) found.push(item)
  return { found, lastEventId: live.lastEventId, retry: live.retry }
}

const badLine = (bad) => (bad.cause instanceof RangeError ? { tooLong: bad.line } : { bad: bad.line })

for (const { name, bytes, hex, max, want } of ndjson.read) {
  test(`NDJSON, cut anywhere: ${name}`, async () => {
    const input = hex ? Buffer.from(hex, 'hex') : Buffer.from(bytes)
    const expected = want.map((w) => (typeof w === 'string' ? JSON.parse(w) : w))
    for (const pieces of cuts(input)) {
      const { found } = await outcome(readRecords, chunks(pieces), max, badLine)
      assert.deepEqual(found, expected, `cut at ${pieces[0]?.length}`)
    }
  })
}

for (const { name, value, bytes } of ndjson.append) {
  test(`NDJSON that Go writes is one record: ${name}`, async () => {
    const { found } = await outcome(readRecords, chunks([Buffer.from(bytes)]), 0, badLine)
    let expected = value.trim() === '' ? [] : [{ bad: 1 }]
    try {
      expected = [JSON.parse(value)]
    } catch {
      // Not JSON: neither is the line.
    }
    assert.deepEqual(found, expected)
  })
}

const event = ({ id = '', name = 'message', data = '', retry, tooLong }) => (tooLong ? { tooLong } : { id, event: name, data, retry })

const withoutRetry = ({ id, event, data }) => ({ id, event, data })

for (const { name, bytes, max, want, lastEventId = '', retry } of sse.read) {
  test(`SSE, cut anywhere: ${name}`, async () => {
    const expected = { found: want.map(event), lastEventId, retry }
    for (const pieces of cuts(Buffer.from(bytes))) {
      const got = await outcome(readEvents, chunks(pieces), max, () => ({ tooLong: true }))
      assert.deepEqual(got, expected, `cut at ${pieces[0]?.length}`)
    }
  })

  // eventsource-parser knows no limit and does not tell of an id without data.
  if (max || name === 'an id without data counts') continue
  test(`SSE, as eventsource-parser sees it: ${name}`, () => {
    for (const pieces of cuts(Buffer.from(bytes))) {
      assert.deepEqual(third(pieces), want.map(event).map(withoutRetry))
    }
  })
}

for (const { name, event: e, comment, bytes, refused } of sse.append) {
  if (refused) continue
  test(`SSE that Go writes is one event: ${name}`, async () => {
    const fires = comment === undefined && !e.silent
    const data = e?.data?.replace(/\r\n|\r/g, '\n')
    const neighbour = { id: '', event: 'message', data: 'before', retry: undefined }
    const expected = [neighbour, ...(fires ? [event({ ...e, data })] : [])]
    const input = Buffer.from(`data: before\n\n${bytes}`)
    for (const pieces of cuts(input)) {
      assert.deepEqual((await outcome(readEvents, chunks(pieces))).found, expected)
      assert.deepEqual(third(pieces), expected.map(withoutRetry))
    }
  })
}

test('hostile fields that Go has sent stay within their events, for two parsers', async () => {
  const { sent, bytes } = golden('sse-hostile')
  const input = Buffer.from(bytes)
  for (const pieces of [[input], Array.from(input, (_, i) => input.subarray(i, i + 1))]) {
    const { found } = await outcome(readEvents, chunks(pieces))
    assert.deepEqual(found, sent.map(event))
    assert.deepEqual(third(pieces), sent.map(event).map(withoutRetry))
  }
})
