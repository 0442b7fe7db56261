// The browser's own EventSource, with a ticket, against the real server.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { open } from './page.mjs'
import { sign, topics, wire } from './wire.mjs'

const server = await topics()

// listen gets a ticket and opens an EventSource with it. What comes is kept in
// window.came and can be waited for there.
const listen = async (token) => {
  const answer = await fetch('/live/secret.a/ticket', { method: 'POST', headers: { Authorization: `Bearer ${token}` } })
  const { ticket } = await answer.json()
  const source = new EventSource(`/live/secret.a?ticket=${ticket}`)
  Object.assign(window, { source, numbers: [], controls: [], ids: [] })
  source.onmessage = ({ data, lastEventId }) => {
    window.numbers.push(Number(data))
    window.ids.push(lastEventId)
  }
  for (const name of ['open', 'resumed', 'gap', 'reset', 'drain', 'expired']) source.addEventListener(`leat.${name}`, () => window.controls.push(name))
  await new Promise((done) => source.addEventListener('leat.open', done))
  return ticket
}

const until = (page, number) => page.waitForFunction((n) => window.numbers.at(-1) === n, number, { polling: 50, timeout: 60_000 })
const header = (head, name) => new RegExp(`^${name}: (.*)\r$`, 'im').exec(head)?.[1]

test('an EventSource that came with a ticket comes back by its cookie, and goes on where it was', async (t) => {
  // Browsers wait for three seconds before they come back, unless they are told.
  const way = await wire(t, server.origin, { greeting: 'retry: 20\n\n' })
  const page = await open(t, way.origin)
  const token = sign(['secret.a'])
  const ticket = await page.evaluate(listen, token)

  await server.publish('secret.a', 1, 10)
  await until(page, 10)
  for (const [first, last] of [[11, 15], [16, 20]]) {
    way.down()
    await server.publish('secret.a', first, last)
    way.up()
    await until(page, last)
  }
  // A server that stops says when to come back, and the next one has what was kept.
  await server.stop()
  await server.start()
  await server.publish('secret.a', 21, 25)
  await until(page, 25)
  await server.publish('secret.a', 26)
  await until(page, 26)

  const { numbers, controls, ids } = await page.evaluate(() => ({ numbers: window.numbers, controls: window.controls, ids: window.ids }))
  assert.deepEqual(numbers, Array.from({ length: 26 }, (_, i) => i + 1))
  assert.deepEqual(controls, ['open', 'resumed', 'resumed', 'drain', 'resumed'])

  // Each time it came with the ticket of the first, and with the cookie for it.
  const [first, ...others] = way.heads
  assert.ok(others.length >= 3)
  assert.equal(header(first, 'Cookie'), undefined)
  for (const head of way.heads) assert.match(head, new RegExp(`^GET /live/secret\\.a\\?ticket=${ticket} HTTP`))
  for (const head of others) {
    assert.equal(header(head, 'Cookie'), `leat-token=${token}`)
    assert.ok(ids.includes(header(head, 'Last-Event-ID')))
  }

  // Who has but the URL is not let in.
  for (const origin of [server.origin, way.origin]) {
    const answer = await fetch(`${origin}/live/secret.a?ticket=${ticket}`)
    assert.equal(answer.status, 401)
    assert.match(await answer.text(), /the ticket has been used/)
  }
  assert.deepEqual(page.complaints, [])
})

test('no script reads the cookie of a ticket, and no other path gets it', async (t) => {
  const page = await open(t, server.origin)
  const token = sign(['secret.*'])
  await page.evaluate(listen, token)
  const cookies = await page.context().cookies(`${server.origin}/live/secret.a`)
  assert.deepEqual(cookies.map(({ name, value, path, httpOnly, sameSite }) => ({ name, value, path, httpOnly, sameSite })), [{ name: 'leat-token', value: token, path: '/live/secret.a', httpOnly: true, sameSite: 'Strict' }])
  // A page where the cookie is, even if it says no more than 404.
  const near = await open(t, server.origin, { path: '/live/secret.a/none', beside: page })
  const seen = await near.evaluate(async () => {
    document.cookie = 'own=1'
    const [here, elsewhere] = await Promise.all([fetch('/live/secret.a?stats'), fetch('/live/secret.b?stats')])
    return { cookie: document.cookie, statuses: [here.status, elsewhere.status] }
  })
  assert.deepEqual(seen, { cookie: 'own=1', statuses: [200, 401] })
})

test('a browser whose cookie is gone is refused, and gives up', async (t) => {
  const way = await wire(t, server.origin, { greeting: 'retry: 20\n\n' })
  const page = await open(t, way.origin)
  await page.evaluate(listen, sign(['secret.a']))
  await page.context().clearCookies()
  way.cut()
  await page.waitForFunction(() => window.source.readyState === EventSource.CLOSED, null, { polling: 50, timeout: 60_000 })
  assert.equal(way.heads.length, 2)
  assert.deepEqual(await page.evaluate(() => window.controls), ['open'])
})
