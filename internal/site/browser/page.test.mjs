import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawn, numbers, open, pixels, serve, state, untilDrawn } from './page.mjs'

const server = await serve()

test('numbers move and plots are drawn within three seconds', async (t) => {
  const page = await open(t, server.origin)
  await untilDrawn(page, 1)
  const first = await numbers(page)
  await page.waitForFunction((was) => [...document.querySelectorAll('[data-value]')].map((n) => n.textContent).join(' ') !== was, first, { polling: 'raf' })
  const took = await page.evaluate(() => performance.now()) // since the page was asked for
  assert.ok(took < 3000, `it took ${took} ms`)
  assert.ok(!first.split(' ').some((n) => Number.isNaN(Number(n))), first)

  await untilDrawn(page, 3)
  for (const panel of ['cpu', 'memory', 'network', 'disk']) {
    const colours = new Set((await pixels(page, `#${panel}`)).map((p) => p.join()))
    assert.ok(colours.size > 10, `${panel} has ${colours.size} colours`)
  }
  assert.equal(await page.title(), 'Leat: live data')
  assert.deepEqual(page.complaints, [])
})

for (const [every, least] of [
  ['100ms', 8],
  ['20ms', 30],
]) {
  test(`a record every ${every} is kept up with`, async (t) => {
    const page = await open(t, server.origin, { path: `/?every=${every}` })
    await untilDrawn(page, 10)
    const from = await drawn(page)
    await untilDrawn(page, from.records + least * 5)
    const to = await drawn(page)
    const rate = ((to.records - from.records) * 1000) / (to.at - from.at)
    assert.ok(rate >= least, `${rate} records/s drawn`)
    assert.ok(to.age < 1000 && to.age - from.age < 500, `the newest was ${from.age} ms old, then ${to.age} ms`)
    assert.deepEqual(page.complaints, [])
  })
}

test('another interval is taken at once and kept in the address', async (t) => {
  const page = await open(t, server.origin)
  await state(page, 'live')
  await page.getByText('100 ms', { exact: true }).click()
  await page.waitForFunction(() => Number(document.getElementById('drawn').textContent) > 8, null, { timeout: 20_000 })
  assert.equal(new URL(page.url()).search, '?every=100ms')
  await page.reload()
  await state(page, 'live')
  assert.ok(await page.getByLabel('100 ms', { exact: true }).isChecked())
  await page.getByLabel('1 s', { exact: true }).focus()
  assert.equal(new URL(page.url()).search, '?every=100ms')
  assert.deepEqual(page.complaints, [])
})

test('what the server refuses is said in its words', async (t) => {
  const page = await open(t, server.origin, { path: '/?every=soon' })
  await state(page, 'refused')
  assert.equal(await page.locator('#link').innerText().then((s) => s.replace(/\s+/g, ' ')), 'Refused every: "soon" is not a duration from 20ms to 1h; write 100ms or 2s')
  await page.getByText('500 ms', { exact: true }).click()
  await state(page, 'live')
})

for (const signal of ['SIGTERM', 'SIGKILL']) {
  test(`a server that ends by ${signal} is missed, and welcome back`, async (t) => {
    const page = await open(t, server.origin, { path: '/?every=100ms' })
    await untilDrawn(page, 5)
    t.after(server.start)
    await server.stop(signal)
    await state(page, 'waiting')
    assert.equal(await page.locator('#link-state').innerText(), 'Reconnecting')
    await page.getByText(/^the server (ended the stream|cannot be reached); (next try in \d+ s|trying now)$/).waitFor()
    assert.ok(await page.locator('body').evaluate((b) => b.classList.contains('stale')))
    const { records } = await drawn(page)
    assert.ok(Number(await page.locator('#memory [data-value]').innerText()) > 0, 'the last numbers are gone')
    await server.start()
    await state(page, 'live')
    await untilDrawn(page, records + 5)
    assert.ok(!(await page.locator('body').evaluate((b) => b.classList.contains('stale'))))
    assert.deepEqual(page.complaints, [])
  })
}

test('a page that is back on the network tries at once', async (t) => {
  // With the longest of pauses, only the event can be in time.
  const page = await open(t, server.origin, { init: () => (Math.random = () => 0.999) })
  await state(page, 'live')
  t.after(server.start)
  await server.stop()
  await page.waitForFunction(() => / in [4-8] s$/.test(document.getElementById('link-more').textContent), null, { timeout: 20_000 })
  await server.start()
  await page.evaluate(() => dispatchEvent(new Event('online')))
  await page.locator('#link[data-state=live]').waitFor({ timeout: 3000 })
  assert.deepEqual(page.complaints, [])
})

test('a reader who stops the page stops its streams', async (t) => {
  const page = await open(t, server.origin, { path: '/?every=100ms' })
  await untilDrawn(page, 5)
  await page.getByRole('button', { name: 'Pause' }).click()
  await state(page, 'resting')
  assert.equal(await page.locator('#link-state').innerText(), 'Paused')
  const { records } = await drawn(page)
  await page.getByRole('button', { name: 'Pause', pressed: true }).click()
  await untilDrawn(page, records + 5)
  await state(page, 'live')
  assert.deepEqual(page.complaints, [])
})

test('a hidden page gives its connections back, and takes them when it is seen', async (t) => {
  const page = await open(t, server.origin, {
    init: () => {
      const { setTimeout } = window
      window.setTimeout = (fn, ms, ...args) => setTimeout(fn, ms === 20_000 ? 200 : ms, ...args)
      Object.defineProperty(document, 'hidden', { get: () => window.away ?? false })
      window.look = (away) => {
        window.away = away
        document.dispatchEvent(new Event('visibilitychange'))
      }
    },
  })
  await state(page, 'live')
  const ended = ['/api/machine', '/api/sensor', '/api/quotes'].map((path) => page.waitForEvent('requestfailed', (r) => new URL(r.url()).pathname === path))
  await page.evaluate(() => window.look(true))
  await state(page, 'resting')
  await Promise.all(ended)
  const { records } = await drawn(page)
  await page.evaluate(() => window.look(false))
  await state(page, 'live')
  await untilDrawn(page, records + 1)
  assert.deepEqual(page.complaints, [])
})

test('the task runs to complete', async (t) => {
  const page = await open(t, server.origin)
  await page.evaluate(() => {
    window.seen = new Set()
    new MutationObserver(() => window.seen.add(document.getElementById('bar').value)).observe(document.getElementById('bar'), { attributes: true })
  })
  await page.getByRole('button', { name: 'Start' }).click()
  await page.getByText('Complete', { exact: true }).waitFor({ timeout: 20_000 })
  const seen = await page.evaluate(() => [...window.seen])
  assert.ok(seen.length >= 20, `${seen.length} values: ${seen}`)
  assert.deepEqual(seen, seen.toSorted((a, b) => a - b))
  assert.equal(seen.at(-1), 100)
  await page.getByRole('button', { name: 'Start again' }).click()
  await page.getByText(/^Step \d+ of 40$/).waitFor()
  assert.deepEqual(page.complaints, [])
})

test('the sensor and the quotes move', async (t) => {
  const page = await open(t, server.origin)
  for (const place of ['#sensor .temperature strong', '#sensor .pressure strong', '#saying']) {
    const node = page.locator(place)
    await page.waitForFunction((p) => document.querySelector(p).textContent !== '–', place)
    const first = await node.innerText()
    await page.waitForFunction(([p, was]) => document.querySelector(p).textContent !== was, [place, first], { timeout: 20_000 })
  }
  for (const name of ['temperature', 'humidity', 'pressure']) {
    const n = Number(await page.locator(`#sensor .${name} strong`).innerText())
    assert.ok(n > 0 && n < 1100, `${name} is ${n}`)
  }
  assert.deepEqual(page.complaints, [])
})

test('the download is a file with a name', async (t) => {
  const page = await open(t, server.origin)
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: '100 MB' }).click()])
  assert.equal(download.suggestedFilename(), 'leat-100MB.bin')
  await download.cancel()
  assert.deepEqual(page.complaints, [])
})

test('commands are ready to be copied', async (t) => {
  const page = await open(t, server.origin, { permissions: ['clipboard-read', 'clipboard-write'] })
  await page.getByRole('button', { name: 'Copy: Ten a second' }).click()
  await page.getByText('Copied').waitFor()
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `curl -N '${server.origin}/api/machine?every=100ms'`)
  assert.ok(!(await page.locator('#curl').innerText()).includes('{origin}'))
  assert.deepEqual(page.complaints, [])
})

test('little motion is drawn for who asks for that', async (t) => {
  const page = await open(t, server.origin, { path: '/?every=100ms', reducedMotion: 'reduce' })
  await untilDrawn(page, 1)
  const moments = await page.evaluate(
    () =>
      new Promise((done) => {
        const at = []
        new MutationObserver(() => at.push(performance.now()) === 4 && done(at)).observe(document.getElementById('drawn'), { attributeFilter: ['data-time'] })
      }),
  )
  for (let i = 1; i < moments.length; i++) assert.ok(moments[i] - moments[i - 1] > 900, `drawn at ${moments}`)
  assert.deepEqual(page.complaints, [])
})

test('pointing at a plot shows the numbers of that moment', async (t) => {
  const page = await open(t, server.origin, { path: '/?every=100ms' })
  await untilDrawn(page, 20)
  const plot = page.locator('#memory .u-over')
  const { width } = await plot.boundingBox()
  await plot.hover({ position: { x: width - 5, y: 50 } })
  await page.waitForFunction(() => [...document.querySelectorAll('.when')].every((n) => /^\d\.\d s ago$/.test(n.textContent)))
  await page.mouse.move(5, 5)
  await page.waitForFunction(() => [...document.querySelectorAll('.when')].every((n) => n.textContent === ''))
  assert.deepEqual(page.complaints, [])
})
