// The chat's page by Server-Sent Events and POST, beside others by WebSocket.

import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import { enter, open, say, serve, state } from './page.mjs'

const server = await serve()

const bySocket = (t, options) => open(t, server.origin, { path: '/chat.html', ...options })
const bySSE = (t, options) => open(t, server.origin, { path: '/chat.html?by=sse', ...options })
const said = (page) => page.locator('#log .text').allInnerTexts()
const here = (page) => page.locator('#here bdi').allInnerTexts()
const heard = (page, text) => page.locator('#log .text', { hasText: text }).last().waitFor()

test('two tabs, one by each way, hear each other', async (t) => {
  const ada = await bySocket(t)
  const grace = await bySSE(t, { beside: ada })
  await enter(ada, 'Ada')
  await enter(grace, 'Grace')
  await ada.getByText('Grace joined').waitFor()
  assert.equal(await grace.locator('#who').innerText(), 'You are Grace by SSE and POST')
  assert.equal(await ada.locator('#who').innerText(), 'You are Ada by WebSocket')
  for (const page of [ada, grace]) assert.deepEqual(await here(page), ['Ada', 'Grace'])
  // Whatever is said stays text.
  const lines = ['hello', '<img src=x onerror="violation(1)">', 'one\ntwo', 'data: x', '水 👋🏽', '"; alert(1) //']
  for (const [i, line] of lines.entries()) {
    const [from, to] = i % 2 ? [ada, grace] : [grace, ada]
    await say(from, line)
    await to.locator('#log .text').nth(i).waitFor()
  }
  for (const page of [ada, grace]) {
    await page.locator('#log .text').nth(lines.length - 1).waitFor()
    assert.deepEqual(await said(page), lines)
    assert.equal(await page.locator('#log img, #log script').count(), 0)
  }
  assert.equal(await grace.locator('#log .mine').count(), 3)
  assert.equal(await grace.getByText('Grace joined').count(), 0)

  // A reload keeps the way, the name and what was said.
  await grace.reload()
  await grace.getByText(/^You are in/).waitFor()
  assert.equal(await grace.locator('#who').innerText(), 'You are Grace by SSE and POST')
  assert.deepEqual(await said(grace), lines)

  await grace.getByRole('button', { name: 'Leave' }).click()
  await ada.getByText('Grace left').last().waitFor()
  assert.deepEqual(await here(ada), ['Ada'])
  await state(grace, 'resting')
  assert.deepEqual([...ada.complaints, ...grace.complaints], [])
})

test('the choice is kept in the address, and shows its own commands', async (t) => {
  const page = await bySocket(t)
  const commands = () => page.locator('.commands code:visible').allInnerTexts()
  assert.match((await commands()).join('\n'), /leat connect ws:/)
  await page.getByText('SSE and POST', { exact: true }).click()
  assert.equal(page.url(), `${server.origin}/chat.html?by=sse`)
  assert.match((await commands()).join('\n'), new RegExp(`curl -N .*${server.origin}/live/chat.room`))
  await page.reload()
  assert.ok(await page.getByRole('radio', { name: 'SSE and POST' }).isChecked())
  await page.getByRole('radio', { name: 'SSE and POST' }).focus()
  await page.keyboard.press('ArrowLeft')
  assert.equal(page.url(), `${server.origin}/chat.html`)
  assert.match((await commands()).join('\n'), /leat connect ws:/)
  assert.deepEqual(page.complaints, [])
})

// A bridge leads to the server until it is cut. It keeps what goes over it.
async function bridge(t) {
  const ends = new Set()
  const crossed = []
  let whole = true
  const gate = net.createServer((from) => {
    if (!whole) return from.destroy()
    const to = net.connect(new URL(server.origin).port, '127.0.0.1')
    for (const [a, b] of [[from, to], [to, from]]) {
      ends.add(a)
      a.on('data', (chunk) => b.write(chunk))
      a.on('close', () => b.destroy())
      a.on('error', () => {})
    }
    from.on('data', (chunk) => crossed.push(chunk.toString('latin1')))
  })
  await new Promise((done) => gate.listen(0, '127.0.0.1', done))
  const cut = () => {
    whole = false
    for (const end of ends) end.destroy()
    ends.clear()
  }
  t.after(() => {
    cut()
    gate.close()
  })
  return { origin: `http://127.0.0.1:${gate.address().port}`, crossed, cut, mend: () => (whole = true) }
}

test('a connection that is cut is mended by the browser, and nothing is missed', async (t) => {
  const way = await bridge(t)
  const ada = await open(t, way.origin, { path: '/chat.html?by=sse' })
  const grace = await bySocket(t)
  await enter(ada, 'Far')
  await enter(grace, 'Near')
  await ada.getByText('Near joined').waitFor()
  const before = (await said(ada)).length
  await say(grace, 'before')
  await heard(ada, 'before')
  for (let i = 0; i < 2; i++) {
    way.cut()
    await state(ada, 'waiting')
    assert.match(await ada.locator('#link-more').innerText(), /^the connection broke/)
    assert.ok(await ada.getByRole('button', { name: 'Send' }).isDisabled())
    await say(grace, `while it is cut ${i}`)
    await heard(grace, `while it is cut ${i}`)
    way.crossed.length = 0
    way.mend()
    await state(ada, 'live')
    await ada.getByText('Connected again, and nothing was missed').nth(i).waitFor()
    assert.match(way.crossed.join(''), /^Last-Event-ID: \w+-\d+\r$/im)
    await say(ada, `mended ${i}`)
    await heard(ada, `mended ${i}`)
  }
  assert.deepEqual((await said(ada)).slice(before), ['before', 'while it is cut 0', 'mended 0', 'while it is cut 1', 'mended 1'])
  assert.equal(await ada.getByText('You are in').count(), 1)
  assert.equal(await grace.getByText(/^Far (joined|left)/).count(), 0)
  assert.deepEqual([...ada.complaints, ...grace.complaints], [])
})

for (const [signal, words] of [
  ['SIGTERM', 'the server stopped'],
  ['SIGKILL', 'the connection broke'],
]) {
  test(`a server that ends by ${signal} is missed, and welcome back`, async (t) => {
    const ada = await bySSE(t)
    const grace = await bySocket(t)
    await enter(ada, 'Left')
    await enter(grace, 'Right')
    await ada.getByText('Right joined').waitFor()
    const before = (await said(ada)).length
    await say(ada, 'before')
    for (const page of [ada, grace]) await heard(page, 'before')
    t.after(server.start)
    await server.stop(signal)
    await state(ada, 'waiting')
    await ada.getByText(`Not connected: ${words}`).waitFor()
    await state(grace, 'waiting')
    await server.start()
    // Whoever is back first speaks; the other finds it among what is kept.
    await state(grace, 'live')
    await grace.getByText(/^You are in/).nth(1).waitFor()
    await say(grace, `after ${signal}`)
    await ada.getByText(/^You are in/).nth(1).waitFor()
    await heard(ada, `after ${signal}`)
    await say(ada, 'here too')
    await heard(grace, 'here too')
    assert.deepEqual((await said(ada)).slice(before), ['before', `after ${signal}`, 'here too'])
    assert.deepEqual(await here(ada), ['Left', 'Right'])
    assert.deepEqual([...ada.complaints, ...grace.complaints], [])
  })
}

test('who is forgotten by the server keeps the text, and comes in again', async (t) => {
  const page = await bySSE(t)
  await enter(page, 'Forgotten')
  await page.evaluate(async () => {
    const { key } = JSON.parse(sessionStorage.getItem('chat'))
    await fetch('/api/chat', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ type: 'leave', key }) })
  })
  await page.getByText('Forgotten left').waitFor()
  await say(page, 'am I here?')
  await page.getByText(/^You are in/).nth(1).waitFor()
  assert.equal(await page.getByLabel('Message', { exact: true }).inputValue(), 'am I here?')
  await page.getByRole('button', { name: 'Send' }).click()
  await heard(page, 'am I here?')
  assert.equal((await said(page)).filter((s) => s === 'am I here?').length, 1)
  assert.deepEqual(page.complaints.filter((c) => !c.includes('403')), []) // the browser names each in its console
})

test('who speaks too fast is told, keeps the text, and stays in order', async (t) => {
  const page = await bySSE(t)
  await enter(page, 'Fast')
  const before = (await said(page)).length
  await page.evaluate(() => {
    const text = document.getElementById('text')
    for (let i = 0; i < 20; i++) {
      text.value = `line ${i}`
      document.getElementById('say').requestSubmit()
    }
  })
  await page.getByText('Not sent: this is too fast: at most 10 messages at once, and one each 500ms').waitFor()
  assert.equal(await page.getByLabel('Message', { exact: true }).inputValue(), 'line 19')
  const lines = (await said(page)).slice(before)
  assert.ok(lines.length >= 9, `${lines.length} lines`)
  assert.deepEqual(lines, lines.map((_, i) => `line ${i}`))
  assert.deepEqual(page.complaints.filter((c) => !c.includes('429')), [])
})

test('a name that is taken by the other way is refused', async (t) => {
  const ada = await bySocket(t)
  const grace = await bySSE(t)
  await enter(ada, 'Taken')
  await grace.getByLabel('Your name').fill('taken')
  await grace.getByRole('button', { name: 'Join' }).click()
  await grace.getByText('"Taken" is here already; choose another name').waitFor()
  await enter(grace, 'Other')
  await ada.getByText('Other joined').waitFor()
  assert.deepEqual(grace.complaints.filter((c) => !c.includes('409')), [])
})
