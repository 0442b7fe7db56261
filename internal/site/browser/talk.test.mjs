import assert from 'node:assert/strict'
import { test } from 'node:test'
import { enter, open, say, serve, state } from './page.mjs'

const server = await serve()

const echo = (t, options) => open(t, server.origin, { path: '/echo.html', ...options })
const chat = (t, options) => open(t, server.origin, { path: '/chat.html', ...options })
const said = (page) => page.locator('#log .text').allInnerTexts()
const here = (page) => page.locator('#here bdi').allInnerTexts()
const sign = (page) => page.locator('#link').innerText().then((s) => s.replace(/\s+/g, ' '))

test('text and bytes come back the same, and are timed', async (t) => {
  const page = await echo(t)
  await state(page, 'live')
  const text = page.getByLabel('Text', { exact: true })
  for (const line of ['hello', 'Wasser 水 👋🏽', '<b>x</b>', 'x'.repeat(100_000), '']) {
    await text.fill(line)
    await text.press('Enter')
  }
  for (const size of ['16 B', '64 KiB', '1 MiB']) {
    await page.getByLabel('Random bytes').selectOption(size)
    await page.getByRole('button', { name: 'Send bytes' }).click()
  }
  await page.getByLabel('A file').setInputFiles({ name: 'a.bin', mimeType: 'application/octet-stream', buffer: Buffer.from([0, 1, 254, 255]) })
  const trips = page.locator('#log [data-state=same] .trip')
  await trips.nth(8).waitFor()
  for (const trip of await trips.allInnerTexts()) assert.match(trip, /^the same, \d+\.\d ms$/)
  assert.deepEqual(await page.locator('#log .kind').allInnerTexts(), [...Array(5).fill('text'), ...Array(4).fill('binary')])
  assert.deepEqual(await page.locator('#log .size').allInnerTexts(), ['5 B', '19 B', '8 B', '97.7 KiB', '0 B', '16 B', '64.0 KiB', '1.00 MiB', '4 B'])
  assert.equal(await page.locator('#log .what').last().innerText(), '00 01 fe ff')
  assert.match(await page.locator('#back').innerText(), /^9, 1\.16 MiB$/)
  assert.match(await page.locator('#median').innerText(), /^\d+\.\d ms$/)
  assert.equal(await page.locator('#extension').innerText(), 'permessage-deflate')
  await page.getByRole('button', { name: 'Clear' }).click()
  assert.equal(await page.locator('#log li').count(), 0)
  assert.deepEqual(page.complaints, [])
})

test('the limit of the server is said in its words, and the page connects again', async (t) => {
  const page = await echo(t)
  await state(page, 'live')
  await page.getByLabel('Random bytes').selectOption('1 MiB and 1 B')
  await page.getByRole('button', { name: 'Send bytes' }).click()
  await state(page, 'refused')
  assert.equal(await sign(page), 'Closed the message is larger than limits.maxMessage (1009)')
  await page.getByText('Closed with 1009, the message was too big: “the message is larger than limits.maxMessage”').waitFor()
  await page.getByText('did not come back').waitFor()
  await page.getByRole('button', { name: 'Connect', exact: true }).click()
  await state(page, 'live')
  assert.deepEqual(page.complaints, [])
})

test('a subprotocol is agreed on, or it is said that there is none', async (t) => {
  const page = await echo(t)
  await state(page, 'live')
  assert.equal(await page.locator('#protocol').innerText(), 'none')
  const offer = async (text) => {
    await page.getByLabel('Subprotocols to offer').fill(text)
    await page.getByLabel('Subprotocols to offer').press('Enter')
  }
  await offer('other, mirror, echo')
  await page.getByText('Connected with the subprotocol echo').waitFor() // which the server likes best
  assert.equal(await page.locator('#protocol').innerText(), 'echo')
  await offer('mirror')
  await page.getByText('Connected with the subprotocol mirror').waitFor()
  await offer('not/a/token')
  await page.getByText('“not/a/token” is no name of a subprotocol').waitFor()
  assert.deepEqual(page.complaints, [])
  await offer('unheard-of')
  await state(page, 'refused')
  assert.equal(await sign(page), 'Closed the server is away, or speaks none of these subprotocols')
  await offer('')
  await state(page, 'live')
  assert.ok(page.complaints.every((c) => c.includes('Sec-WebSocket-Protocol')), page.complaints.join('\n')) // the browser's own
})

test('a reader closes with a code and a reason, and stays away until asked', async (t) => {
  const page = await echo(t)
  await state(page, 'live')
  await page.getByLabel('Close code').fill('1001')
  await page.getByRole('button', { name: 'Disconnect' }).click()
  await page.getByText('A page may close with 1000, or 3000 to 4999').waitFor()
  await page.getByLabel('Close code').fill('4321')
  await page.getByLabel('Reason').fill('x'.repeat(124))
  await page.getByRole('button', { name: 'Disconnect' }).click()
  await page.getByText('A reason has at most 123 bytes').waitFor()
  await page.getByLabel('Reason').fill('enough')
  await page.getByRole('button', { name: 'Disconnect' }).click()
  await state(page, 'resting')
  // The server answers with the code alone (RFC 6455, 5.5.1).
  await page.getByText(/^Closed with 4321, a code of the application/).waitFor()
  assert.equal(await sign(page), 'Disconnected')
  assert.ok(await page.getByRole('button', { name: 'Send text' }).isDisabled())
  await page.getByRole('button', { name: 'Connect', exact: true }).click()
  await state(page, 'live')
  assert.deepEqual(page.complaints, [])
})

for (const [signal, words] of [
  ['SIGTERM', /^the server stopped; (next try in \d+ s|trying now)$/],
  ['SIGKILL', /^(the connection broke|the server cannot be reached); (next try in \d+ s|trying now)$/],
]) {
  test(`a server that ends by ${signal} is missed by both pages, and welcome back`, async (t) => {
    // With the longest of pauses the first reason can be read.
    const calm = { init: () => (Math.random = () => 0.999) }
    const [one, two] = [await echo(t, calm), await chat(t, calm)]
    await state(one, 'live')
    await enter(two, 'Ada')
    const kept = (await said(two)).length
    await say(two, 'before')
    await two.locator('#log .text', { hasText: 'before' }).last().waitFor()
    t.after(server.start)
    await server.stop(signal)
    for (const page of [one, two]) {
      await state(page, 'waiting')
      assert.equal(await page.locator('#link-state').innerText(), 'Reconnecting')
      assert.match(await page.locator('#link-more').innerText(), words)
    }
    assert.equal(await two.locator('#count').innerText(), '–')
    assert.ok(await two.getByRole('button', { name: 'Send' }).isDisabled())
    await server.start()
    for (const page of [one, two]) await state(page, 'live')
    await two.getByText(/^You are in/).nth(1).waitFor()
    await say(two, `after ${signal}`)
    await two.getByText(`after ${signal}`).waitFor()
    assert.deepEqual((await said(two)).slice(kept), ['before', `after ${signal}`])
    assert.deepEqual([...one.complaints, ...two.complaints], [])
  })
}

test('two tabs talk in one chat', async (t) => {
  const ada = await chat(t)
  const grace = await chat(t, { beside: ada })
  await enter(ada, 'Tab one')
  assert.equal(await ada.locator('#count').innerText(), '1 person')
  await enter(grace, 'Tab two')
  await ada.getByText('Tab two joined').waitFor()
  for (const page of [ada, grace]) {
    assert.deepEqual(await here(page), ['Tab one', 'Tab two'])
    assert.equal(await page.locator('#count').innerText(), '2 people')
  }
  // Whatever is said stays text.
  const lines = ['hello', '<img src=x onerror="violation(1)">', '</p><script>violation(2)</script>', 'one\ntwo', 'https://example.com 水 👋🏽', '"; alert(1) //']
  const before = (await said(grace)).length
  for (const [i, line] of lines.entries()) {
    const [from, to] = i % 2 ? [ada, grace] : [grace, ada]
    await say(from, line)
    await to.locator('#log .text').nth(before + i).waitFor()
  }
  for (const page of [ada, grace]) {
    await page.locator('#log .text').nth(before + lines.length - 1).waitFor()
    assert.deepEqual((await said(page)).slice(before), lines)
    assert.equal(await page.locator('#log img, #log script, #log a, #log b').count(), 0)
    assert.match(await page.locator('#log time').last().getAttribute('datetime'), /^\d{4}-\d\d-\d\dT/)
  }
  assert.equal(await ada.locator('#log .mine').count(), 3)
  assert.deepEqual((await grace.locator('#log .said .name').allInnerTexts()).slice(before), ['Tab two', 'Tab one', 'Tab two', 'Tab one', 'Tab two', 'Tab one'])

  // Who leaves is missed, and finds the room again with what was said.
  await grace.getByRole('button', { name: 'Leave' }).click()
  await ada.getByText('Tab two left').waitFor()
  assert.deepEqual(await here(ada), ['Tab one'])
  await state(grace, 'resting')
  await say(ada, 'while you were away')
  await ada.locator('#log .text', { hasText: 'while you' }).waitFor()
  await enter(grace, 'Tab two')
  assert.deepEqual((await said(grace)).slice(before), [...lines, 'while you were away'])
  await grace.close()
  await ada.getByText('Tab two left').nth(1).waitFor()
  assert.deepEqual(ada.complaints, [])
  assert.deepEqual(grace.complaints, [])
})

test('a name that is taken is refused in words, and a reload keeps one’s own', async (t) => {
  const ada = await chat(t)
  await enter(ada, 'Owner')
  const other = await chat(t)
  await other.getByLabel('Your name').fill('owner')
  await other.getByLabel('Your name').press('Enter')
  await other.getByText('"Owner" is here already; choose another name').waitFor()
  assert.equal(await other.getByLabel('Your name').inputValue(), 'owner')
  await enter(other, 'Other')
  await ada.getByText('Other joined').waitFor()
  await ada.reload()
  await ada.getByText(/^You are in/).waitFor()
  assert.equal(await ada.locator('#me').innerText(), 'Owner')
  assert.deepEqual(await here(ada), ['Other', 'Owner'])
  assert.deepEqual([...ada.complaints, ...other.complaints], [])
})

test('a tab that is copied takes over, and the first one says so', async (t) => {
  const first = await chat(t)
  await enter(first, 'Copied')
  const mine = await first.evaluate(() => sessionStorage.getItem('chat'))
  const second = await open(t, server.origin, { path: '/chat.html', beside: first })
  await second.evaluate((v) => sessionStorage.setItem('chat', v), mine)
  await second.reload()
  await second.getByText(/^You are in/).waitFor()
  await first.getByText('You are out: you are here by another connection (4001)').waitFor()
  assert.equal(await first.getByLabel('Your name').inputValue(), 'Copied')
  await say(second, 'only me')
  await second.locator('#log .text', { hasText: 'only me' }).waitFor()
  assert.deepEqual([...first.complaints, ...second.complaints], [])
})

test('who speaks too fast is told, and keeps the text', async (t) => {
  const page = await chat(t)
  await enter(page, 'Fast')
  await page.evaluate(() => {
    const text = document.getElementById('text')
    for (let i = 0; i < 20; i++) {
      text.value = `line ${i}`
      document.getElementById('say').requestSubmit()
    }
  })
  await page.getByText('Not sent: this is too fast: at most 10 messages at once, and one each 500ms').waitFor()
  assert.equal(await page.getByLabel('Message', { exact: true }).inputValue(), 'line 19')
  assert.deepEqual(page.complaints, [])
})

test('a log that was scrolled back stays where it is', async (t) => {
  const reader = await chat(t)
  const speaker = await chat(t)
  await enter(reader, 'Reader')
  await enter(speaker, 'Speaker')
  await say(speaker, 'long\n'.repeat(100))
  await reader.locator('#log .text', { hasText: 'long' }).waitFor()
  await reader.waitForFunction(() => {
    const log = document.getElementById('log')
    return log.scrollTop > 500 && log.scrollHeight - log.scrollTop - log.clientHeight < 5
  })
  await reader.evaluate(() => (document.getElementById('log').scrollTop = 100))
  await say(speaker, 'news')
  await reader.getByRole('button', { name: 'New messages' }).waitFor()
  assert.equal(await reader.evaluate(() => document.getElementById('log').scrollTop), 100)
  await reader.getByRole('button', { name: 'New messages' }).click()
  await reader.getByRole('button', { name: 'New messages' }).waitFor({ state: 'hidden' })
  assert.deepEqual(reader.complaints, [])
})

// Browsers open six connections to a server by HTTP/1.1; WebSockets do not
// count among them.
test('twenty WebSockets leave room for everything else', async (t) => {
  const page = await echo(t)
  await state(page, 'live')
  await page.evaluate(async () => {
    window.held = Array.from({ length: 20 }, () => new WebSocket(`ws://${location.host}/ws/echo`))
    await Promise.all(window.held.map((ws) => new Promise((done) => (ws.onopen = done))))
  })
  const front = await open(t, server.origin, { beside: page })
  await state(front, 'live')
  assert.deepEqual([...page.complaints, ...front.complaints], [])
})

test('the pages lead to each other', async (t) => {
  const page = await open(t, server.origin)
  for (const [name, path] of [
    ['Echo', '/echo.html'],
    ['Chat', '/chat.html'],
    ['Live data', '/'],
  ]) {
    await page.getByRole('navigation').getByRole('link', { name }).click()
    await page.waitForURL(server.origin + path)
    assert.equal(await page.locator('nav [aria-current=page]').innerText(), name)
  }
  assert.deepEqual(page.complaints, [])
})
