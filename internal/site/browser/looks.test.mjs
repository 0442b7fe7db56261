import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { enter, open, pixels, root, say, serve, state, untilDrawn } from './page.mjs'

const server = await serve()

test('nothing is wider than the window, from 320 pixels up', async (t) => {
  const page = await open(t, server.origin, { path: '/?every=100ms', isMobile: true, hasTouch: true })
  await untilDrawn(page, 5)
  for (const width of [320, 360, 540, 768, 1024, 1920]) {
    await page.setViewportSize({ width, height: 800 })
    await page.waitForFunction((w) => innerWidth === w && document.querySelector('#cpu canvas').clientWidth < w, width)
    const wide = await page.evaluate(() => ({
      page: document.documentElement.scrollWidth,
      out: [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5 && !e.closest('.plot')).map((e) => e.outerHTML.slice(0, 80)),
    }))
    assert.deepEqual(wide, { page: width, out: [] })
  }
  assert.deepEqual(page.complaints, [])
})

// The pages that talk, with something said on them, and how many texts they have
// at least. They share one room, so each visitor has a name of its own.
let visitors = 0
const talking = [
  {
    path: '/echo.html',
    texts: 30,
    async speak(page) {
      await state(page, 'live')
      await page.getByLabel('Text', { exact: true }).fill('Text '.repeat(40) + 'x'.repeat(200))
      await page.getByRole('button', { name: 'Send text' }).click()
      await page.getByRole('button', { name: 'Send bytes' }).click()
      await page.locator('#log [data-state=same]').nth(1).waitFor()
      await page.getByLabel('Close code').fill('1')
      await page.getByRole('button', { name: 'Disconnect' }).click()
      await page.getByText('A page may close with').waitFor()
      await page.getByLabel('Close code').fill('4000')
      await page.getByRole('button', { name: 'Disconnect' }).click()
      await page.getByText('Closed with 4000').waitFor()
      await page.getByRole('button', { name: 'Connect', exact: true }).click()
      await state(page, 'live')
    },
  },
  ...['/chat.html', '/chat.html?by=sse'].map((path) => ({
    path,
    texts: 25,
    async speak(page) {
      await enter(page, `Visitor ${++visitors}`.padEnd(24, 'W'))
      await say(page, 'x'.repeat(300))
      await say(page, 'A text of some words, '.repeat(20))
      await page.locator('#log .mine').nth(1).waitFor()
      const other = await page.context().newPage()
      await other.goto(page.url())
      await enter(other, `Other ${visitors}`)
      await say(other, 'y'.repeat(300))
      await other.close()
      await page.getByText(`Other ${visitors} left`).waitFor()
    },
  })),
  {
    path: '/topic.html?topic=play.%3E&history=all',
    texts: 60,
    async speak(page) {
      await page.locator('#ndjson').getByRole('button', { name: 'Old id' }).click()
      await page.locator('#ndjson .told [data-control=reset]').waitFor()
      await page.locator('#ndjson .told summary').first().click()
      await page.locator('#sse').getByRole('button', { name: 'Cut for 20 s' }).click()
      await page.getByLabel('Data: JSON').fill('Text '.repeat(40) + 'x'.repeat(200))
      await page.getByLabel('Event name').fill('leat.x')
      await page.getByRole('button', { name: 'Publish' }).click()
      await page.locator('#problem:not(:empty)').waitFor()
      page.complaints = page.complaints.filter((c) => !c.includes('status of 400')) // which was to be seen
      await page.getByLabel('Event name').fill('e'.repeat(80))
      await page.getByRole('button', { name: 'Publish' }).click()
      await page.locator('#answer:not(:empty)').waitFor()
      for (const how of ['ndjson', 'websocket', 'poll', 'array']) await page.locator(`#${how} .rows .event`, { hasText: 'eee' }).first().waitFor()
    },
  },
]

for (const { path, speak } of talking) {
  test(`nothing is wider than the window on ${path}`, async (t) => {
    const page = await open(t, server.origin, { path, isMobile: true, hasTouch: true })
    const fits = async (width) => {
      await page.setViewportSize({ width, height: 800 })
      await page.waitForFunction((w) => innerWidth === w, width)
      // Data is cut with an ellipsis.
      const wide = await page.evaluate(() => ({
        page: document.documentElement.scrollWidth,
        out: [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5 && !e.closest('.rows .data > *')).map((e) => e.outerHTML.slice(0, 80)),
      }))
      assert.deepEqual(wide, { page: width, out: [] })
    }
    await fits(320) // as it is before anything is said
    await speak(page)
    for (const width of [320, 360, 540, 768, 1024, 1920]) await fits(width)
    assert.deepEqual(page.complaints, [])
  })
}

// contrasts measures every text against what lies behind it, by WCAG 2.2,
// 1.4.3, and the colours of the plots' lines against the card, by 1.4.11. It
// answers what is too faint. Of a gradient each colour counts.
function contrasts() {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = text
    canvas.fillRect(0, 0, 1, 1)
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data
    return [r, g, b, a / 255]
  }
  const over = ([r, g, b, a], under) => [r, g, b].map((c, i) => c * a + under[i] * (1 - a))
  const light = (c) => {
    const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const ratio = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((x, y) => y - x)
    return (high + 0.05) / (low + 0.05)
  }
  // grounds are the colours that may lie behind an element.
  const grounds = (e) => {
    if (!e) return [[255, 255, 255]]
    const style = getComputedStyle(e)
    const own = rgba(style.backgroundColor)
    const stops = style.backgroundImage.match(/rgba?\([^)]*\)/g) ?? []
    const below = own[3] === 1 ? [[0, 0, 0]] : grounds(e.parentElement)
    return [own, ...stops.map(rgba)].flatMap((c) => below.map((b) => over(c, b)))
  }
  const faint = []
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  let texts = 0
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement
    if (!walker.currentNode.data.trim() || !e.checkVisibility({ visibilityProperty: true }) || e.closest('noscript, :disabled')) continue
    texts++
    const style = getComputedStyle(e)
    const size = parseFloat(style.fontSize)
    const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5
    const worst = Math.min(...grounds(e).map((g) => ratio(over(rgba(style.color), g), g)))
    if (worst < least) faint.push(`${walker.currentNode.data.trim().slice(0, 30)}: ${worst.toFixed(2)} of ${least}`)
  }
  const root = getComputedStyle(document.documentElement)
  const card = over(rgba(root.getPropertyValue('--card')), [255, 255, 255])
  for (const line of ['cpu', 'core-0', 'core-1', 'core-2', 'core-3', 'memory', 'in', 'out', 'read', 'write', 'temperature', 'humidity', 'pressure']) {
    const r = ratio(over(rgba(root.getPropertyValue(`--${line}`)), card), card)
    if (r < 3) faint.push(`line ${line}: ${r.toFixed(2)} of 3`)
  }
  return { texts, faint }
}

for (const colorScheme of ['light', 'dark']) {
  test(`everything can be read when it is ${colorScheme}`, async (t) => {
    const page = await open(t, server.origin, { colorScheme, path: '/?every=100ms' })
    await untilDrawn(page, 5)
    const { texts, faint } = await page.evaluate(contrasts)
    assert.ok(texts > 60, `${texts} texts`)
    assert.deepEqual(faint, [])
    assert.deepEqual(page.complaints, [])
  })
}

for (const { path, speak, texts: least } of talking) {
  for (const colorScheme of ['light', 'dark']) {
    test(`everything can be read on ${path} when it is ${colorScheme}`, async (t) => {
      const page = await open(t, server.origin, { colorScheme, path })
      await speak(page)
      const { texts, faint } = await page.evaluate(contrasts)
      assert.ok(texts > least, `${texts} texts`)
      assert.deepEqual(faint, [])
      assert.deepEqual(page.complaints, [])
    })
  }
}

test('plots change their colours with the scheme', async (t) => {
  const page = await open(t, server.origin, { colorScheme: 'light' })
  await untilDrawn(page, 2)
  const grey = async () => (await pixels(page, '#memory')).map((p) => Math.max(...p))
  assert.ok(Math.min(...(await grey())) < 140, 'no dark ink on light')
  await page.emulateMedia({ colorScheme: 'dark' })
  await untilDrawn(page, 4)
  assert.ok(Math.max(...(await grey())) > 150, 'no light ink on dark')
  assert.deepEqual(page.complaints, [])
})

// namelessAndSmall finds what has no name, and what is too small to be hit.
const namelessAndSmall = () => ({
  lang: document.documentElement.lang,
  h1: document.querySelectorAll('h1').length,
  nameless: [...document.querySelectorAll('button, a, input, select, textarea, progress, [role=img], [role=log], section, nav, img')]
    .filter((e) => !(e.innerText || e.textContent || e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.labels?.[0]?.innerText || e.hasAttribute('alt')).toString().trim())
    .map((e) => e.outerHTML.slice(0, 80)),
  small: [...document.querySelectorAll('button, a.button, nav a, input:not([type=radio]), select, textarea, .choice span')]
    .filter((e) => e.checkVisibility() && Math.min(e.getBoundingClientRect().width, e.getBoundingClientRect().height) < 24) // WCAG 2.2, 2.5.8
    .map((e) => e.outerHTML.slice(0, 80)),
})

const wellNamed = { lang: 'en', h1: 1, nameless: [], small: [] }

for (const { path, speak } of talking) {
  test(`everything has a name on ${path}`, async (t) => {
    const page = await open(t, server.origin, { path })
    assert.deepEqual(await page.evaluate(namelessAndSmall), wellNamed)
    await speak(page)
    assert.deepEqual(await page.evaluate(namelessAndSmall), wellNamed)
    for (const log of await page.locator('.log').all()) assert.equal(await log.getAttribute('role'), 'log') // which is aria-live=polite
  })
}

test('everything has a name, and headings are in order', async (t) => {
  const page = await open(t, server.origin)
  await state(page, 'live')
  assert.deepEqual(await page.evaluate(namelessAndSmall), wellNamed)

  // The interval can be chosen, and the page stopped, with the keyboard alone.
  await page.getByRole('radio', { name: '1 s', exact: true }).focus()
  await page.keyboard.press('ArrowRight')
  assert.ok(await page.getByRole('radio', { name: '500 ms' }).isChecked())
  await page.keyboard.press('Tab')
  await page.keyboard.press('Space')
  await state(page, 'resting')
  assert.deepEqual(page.complaints, [])
})

// LEAT_PICTURES=1 renews the pictures of the docs; otherwise they stay as they are.
for (const [name, options] of [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['phone', { colorScheme: 'light', viewport: { width: 360, height: 700 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 }],
]) {
  test(`the page makes a picture (${name})`, async (t) => {
    const renew = Boolean(process.env.LEAT_PICTURES)
    const page = await open(t, server.origin, { viewport: { width: 1280, height: 940 }, path: '/?every=100ms', ...options })
    await untilDrawn(page, renew ? 380 : 5)
    const picture = await page.screenshot({ path: renew ? join(root, `docs/page-${name}.png`) : undefined })
    assert.ok(picture.length < 200_000, `${picture.length} bytes`)
    assert.deepEqual(page.complaints, [])
  })
}

test('the chat makes a picture', async (t) => {
  const own = await serve() // a room where nobody has been
  const ada = await open(t, own.origin, { path: '/chat.html', viewport: { width: 1280, height: 880 } })
  const grace = await open(t, own.origin, { path: '/chat.html', beside: ada })
  await enter(ada, 'Ada')
  await enter(grace, 'Grace')
  const talk = [
    [ada, 'Good morning! Is the wheel turning yet?'],
    [grace, 'Since six. The water came up in the night, and the upper pond was full, so we opened the gate a hand’s breadth.'],
    [ada, 'And the lower mill?'],
    [grace, 'Slow, as ever. But here nobody waits for it.'],
    [ada, 'Good. I am on my way.'],
  ]
  for (const [who, text] of talk) {
    await say(who, text)
    for (const page of [ada, grace]) await page.locator('#log .text', { hasText: text }).waitFor()
  }
  const renew = Boolean(process.env.LEAT_PICTURES)
  await ada.bringToFront()
  const picture = await ada.screenshot({ path: renew ? join(root, 'docs/page-chat.png') : undefined })
  assert.ok(picture.length < 200_000, `${picture.length} bytes`)
  assert.deepEqual([...ada.complaints, ...grace.complaints], [])
})

test('the page of topics makes a picture', async (t) => {
  const own = await serve()
  const page = await open(t, own.origin, { path: '/topic.html', viewport: { width: 1280, height: 1130 } })
  await Promise.all(['ndjson', 'sse', 'websocket', 'poll', 'array'].map((how) => page.locator(`#${how}[data-state=live]`).waitFor()))
  const renew = Boolean(process.env.LEAT_PICTURES)
  if (renew) {
    await page.locator('#sse').getByRole('button', { name: 'Cut for 20 s' }).click()
    await page.locator('#sse .told [data-control=gap]').waitFor({ timeout: 60_000 })
    await page.locator('#websocket').getByRole('button', { name: 'Old id' }).click()
    await page.locator('#ndjson').getByRole('button', { name: 'Cut', exact: true }).click()
    await page.locator('#ndjson .told [data-control=resumed]').waitFor()
  }
  await page.getByRole('button', { name: 'Publish' }).click()
  await page.locator('#ndjson .rows', { hasText: 'Hello from the mill' }).waitFor()
  const picture = await page.screenshot({ path: renew ? join(root, 'docs/page-topic.png') : undefined })
  assert.ok(picture.length < 250_000, `${picture.length} bytes`)
  assert.deepEqual(page.complaints, [])
})
