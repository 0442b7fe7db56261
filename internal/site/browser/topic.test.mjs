import assert from 'node:assert/strict'
import { test } from 'node:test'
import { open, serve } from './page.mjs'

const server = await serve()

const streams = ['ndjson', 'sse', 'websocket', 'poll']
const all = [...streams, 'array']
const topic = (t, query = '', options) => open(t, server.origin, { path: `/topic.html${query}`, ...options })
const live = (page, cards = all) => Promise.all(cards.map((how) => page.locator(`#${how}[data-state=live]`).waitFor({ timeout: 60_000 })))
const button = (page, how, name) => page.locator(`#${how}`).getByRole('button', { name, exact: true })
const told = (page, how, control) => page.locator(`#${how} .told [data-control=${control}]`)
const json = async (page, how) => JSON.parse(await page.locator(`#${how} .told .json`).first().textContent())

// rows are the counts and the data that a card shows, oldest first.
const rows = (page, how) => page.locator(`#${how} .rows .message`).evaluateAll((all) => all.map((r) => [Number(r.dataset.count), r.querySelector('.data').textContent]).reverse())

// untilRow waits until a card has a row with a text.
const untilRow = (page, how, text) => page.locator(`#${how} .rows .message`, { hasText: text }).first().waitFor({ timeout: 60_000 })

// say publishes by the page.
async function say(page, text) {
  await page.getByLabel('Data: JSON').fill(text)
  await page.getByRole('button', { name: 'Publish' }).click()
}

// whole says whether no count is missing between the first and the last row.
function whole(rows) {
  rows.forEach(([count], i) => i && assert.equal(count, rows[i - 1][0] + 1, JSON.stringify(rows)))
}

test('five transports show the same messages', async (t) => {
  const page = await topic(t, '?topic=play.five&history=all')
  await live(page)
  await say(page, 'A text, <b>not</b> markup')
  await say(page, '{"n":1}')
  await say(page, '[true]')
  for (const how of all) await untilRow(page, how, '[true]')
  for (const how of all) {
    assert.deepEqual(await rows(page, how), [[1, 'A text, <b>not</b> markup'], [2, '{"n":1}'], [3, '[true]']], how)
    assert.equal(await page.locator(`#${how} .rows b`).count(), 0)
  }
  for (const how of streams) assert.equal(await told(page, how, 'open').count(), 1, how)
  await page.locator('#array .sums', { hasText: / [1-9]\d* answered 304$/ }).waitFor()
  assert.deepEqual(page.complaints, [])
})

test('who is cut comes back, and nothing is missing', async (t) => {
  const page = await topic(t)
  await live(page)
  for (const how of streams) {
    await page.locator(`#${how} .rows .message`).nth(2).waitFor()
    await button(page, how, 'Cut').click()
    await told(page, how, 'resumed').waitFor()
    const before = Number(await page.locator(`#${how}`).getAttribute('data-messages'))
    await page.waitForFunction(([how, n]) => Number(document.getElementById(how).dataset.messages) > n, [how, before])
    whole(await rows(page, how))
    assert.equal(await page.locator(`#${how}`).getAttribute('data-missing'), '0')
  }
  assert.deepEqual(page.complaints, [])
})

test('who comes back too late is told how many are missing', async (t) => {
  const page = await topic(t, '?topic=play.gap')
  await live(page)
  await say(page, 'first')
  for (const how of streams) await untilRow(page, how, 'first')
  for (const how of streams) await button(page, how, 'Cut for 20 s').click()
  const batch = Array.from({ length: 500 }, (_, i) => JSON.stringify({ data: i })).join('\n')
  const answer = await fetch(`${server.origin}/live/play.gap`, { method: 'POST', headers: { 'Content-Type': 'application/x-ndjson' }, body: batch })
  assert.equal(answer.status, 200)
  for (const how of streams) {
    await told(page, how, 'gap').waitFor({ timeout: 60_000 })
    await untilRow(page, how, '499')
    const gap = await json(page, how)
    assert.equal(gap.reason, 'history')
    const missed = gap.missed['play.gap']
    assert.equal(await page.locator(`#${how}`).getAttribute('data-missing'), String(missed))
    // What follows is whole, from behind the last that is missing.
    assert.equal(gap.counts['play.gap'], missed + 1)
    const after = await rows(page, how)
    whole(after)
    assert.equal(after.at(-1)[0], 501)
    assert.equal(Number(await page.locator(`#${how}`).getAttribute('data-messages')) + missed, 501)
    assert.match(await page.locator(`#${how} .told`).first().innerText(), new RegExp(`${missed} missing: no longer kept`))
  }
  assert.deepEqual(page.complaints, [])
})

test('an id of another time is a reset', async (t) => {
  const page = await topic(t, '?topic=machine.cpu')
  await live(page)
  for (const how of streams) {
    await button(page, how, 'Old id').click()
    await told(page, how, 'reset').waitFor()
    assert.deepEqual([(await json(page, how)).reason, (await json(page, how)).from], ['epoch', '0ld-1'])
    await page.locator(`#${how}[data-state=live]`).waitFor()
  }
  assert.deepEqual(page.complaints, [])
})

test('the form says what is read, and so does the address', async (t) => {
  const page = await topic(t)
  await page.getByLabel('Topic, or a pattern').fill('play.*')
  await page.getByLabel('Begin with').selectOption('all that is kept')
  await page.getByLabel('Events', { exact: true }).fill('ten')
  await page.getByRole('button', { name: 'Read' }).click()
  assert.equal(new URL(page.url()).search, '?topic=play.*&history=all&event=ten')
  await page.locator('#ndjson .rows .message').nth(1).waitFor({ timeout: 60_000 })
  for (const [, data] of await rows(page, 'ndjson')) assert.match(data, /^ten play\.numbers \{"n":\d*0\}$/)
  await page.reload()
  await live(page)
  assert.equal(await page.getByLabel('Topic, or a pattern').inputValue(), 'play.*')
  assert.equal(await page.locator('#to').innerText(), 'play.words')
  assert.deepEqual(page.complaints, [])
})

test('what may not be published is refused in words', async (t) => {
  const page = await topic(t, '?topic=machine.cpu')
  await say(page, 'Hello')
  await page.locator('#problem', { hasText: /^403: / }).waitFor()
  assert.equal(await page.locator('#answer').innerText(), '')
})

test('what cannot be read is refused in words', async (t) => {
  const page = await topic(t, '?topic=a..b')
  for (const how of all) {
    await page.locator(`#${how}[data-state=refused]`).waitFor({ timeout: 60_000 })
    assert.match(await page.locator(`#${how} .word`).textContent(), /^Refused: .*400/)
  }
  for (const width of [375, 1280]) {
    await page.setViewportSize({ width, height: 800 })
    const cut = await page.evaluate(() => [...document.querySelectorAll('.reader .word')].filter((word) => word.scrollWidth > word.clientWidth).map((word) => word.textContent))
    assert.deepEqual(cut, [], `the words are cut at ${width} pixels`)
  }
  // Nor do the numbers of what was read before stay.
  await page.goto(`${server.origin}/topic.html`)
  const kept = page.locator('#kept', { hasText: /^[1-9]/ })
  await kept.waitFor()
  await page.getByLabel('Topic, or a pattern').fill('a..b')
  await page.getByRole('button', { name: 'Read' }).click()
  await kept.waitFor({ state: 'detached' })
  for (const number of ['published', 'kept', 'readers']) assert.equal(await page.locator(`#${number}`).innerText(), '–')
})

test('a server that starts anew is a reset for all', async (t) => {
  const page = await topic(t)
  await live(page)
  for (const how of streams) await page.locator(`#${how} .rows .message`).first().waitFor()
  await server.stop('SIGTERM')
  for (const how of streams) await page.locator(`#${how}[data-state=waiting]`).waitFor()
  await server.start()
  for (const how of streams) await told(page, how, 'reset').waitFor({ timeout: 60_000 })
  await live(page)
  assert.deepEqual(page.complaints, [])
})
