// What the page's tests share: the leat binary on a port of its own, and a
// Chromium whose every complaint is kept.

import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

export const root = fileURLToPath(new URL('../../..', import.meta.url))

const work = mkdtempSync(join(tmpdir(), 'leat-page-'))
after(() => rmSync(work, { recursive: true, force: true }))

// The binary's own web.json5, but for where it listens: several tests run at
// once, and it says port 4000.
const embedded = readFileSync(join(root, 'internal/site/web.json5'), 'utf8')

function embeddedAt(origin) {
  const [listen, documents] = ["listen: ['http://127.0.0.1:4000']", "documents: 'files'"]
  if (!embedded.includes(listen) || !embedded.includes(documents)) throw new Error('web.json5 is not as expected here')
  return embedded.replace(listen, `listen: ['${origin}']`).replace(documents, `documents: '${join(root, 'internal/site/files')}'`)
}

let binary = process.env.LEAT_BINARY

// folder makes one that is there until the tests have ended.
export const folder = () => mkdtempSync(join(work, 'folder-'))

// serve starts leat and waits until it says where it listens. After stop,
// start has it listen there again. Its web.json5 is what configure says of its
// origin.
export async function serve({ configure = embeddedAt, env = {} } = {}) {
  if (!binary) {
    binary = join(work, 'leat')
    execFileSync('go', ['build', '-o', binary, './cmd/leat'], { cwd: root, stdio: 'inherit' })
  }
  const server = { origin: 'http://127.0.0.1:0' }
  let child

  const runs = () => child && child.exitCode === null && child.signalCode === null

  server.start = async () => {
    if (runs()) return
    const file = join(folder(), 'web.json5')
    writeFileSync(file, configure(server.origin))
    child = spawn(binary, ['serve', '-c', file], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    server.origin = await new Promise((found, fail) => {
      child.once('exit', (code) => fail(new Error(`leat ended with ${code}: ${said}`)))
      for (const out of [child.stdout, child.stderr]) {
        out.on('data', (chunk) => {
          said = (said + chunk).slice(-10_000)
          const url = said.match(/http:\/\/127\.0\.0\.1:[1-9]\d*/)
          if (url) found(url[0])
        })
      }
    })
  }
  server.stop = async (signal = 'SIGTERM') => {
    if (!runs()) return
    const ended = new Promise((done) => child.once('exit', done))
    child.kill(signal)
    await ended
  }
  after(() => server.stop('SIGKILL'))
  await server.start()
  return server
}

let launched

// open shows the page at origin + path in a browser context of its own, or in
// that of the page that it is beside. Its complaints are console messages of warning or worse, exceptions, violations
// of the policy, and requests to anywhere but the origin; but for those that
// the network makes while a server is away.
export async function open(t, origin, { path = '/', init, beside, ...options } = {}) {
  launched ??= chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  const context = beside?.context() ?? (await (await launched).newContext({ viewport: { width: 1280, height: 900 }, ...options }))
  if (!beside) t.after(() => context.close())
  const page = await context.newPage()
  page.complaints = []
  const complain = (text) => page.complaints.push(text)
  page.on('console', (m) => {
    if (['error', 'warning'].includes(m.type()) && !m.text().includes('net::ERR_')) complain(`${m.type()}: ${m.text()} ${m.location().url}`)
  })
  page.on('pageerror', (error) => complain(error.stack))
  page.on('request', (r) => {
    if (new URL(r.url()).origin !== origin && !r.url().startsWith('data:')) complain(`a request to ${r.url()}`)
  })
  await page.exposeFunction('violation', complain)
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) => window.violation(`${e.violatedDirective} forbids ${e.blockedURI} at ${e.sourceFile}:${e.lineNumber}`))
  })
  if (init) await page.addInitScript(init)
  await page.goto(origin + path)
  return page
}

after(async () => (await launched)?.close())

// state waits until the link is in this state.
export const state = (page, name) => page.locator(`#link[data-state=${name}]`).waitFor({ timeout: 60_000 })

// enter joins the chat by a name, and say says something there.
export async function enter(page, name) {
  await page.getByLabel('Your name').fill(name)
  await page.getByRole('button', { name: 'Join' }).click()
  await page.getByText(/^You are in/).last().waitFor()
}

export async function say(page, text) {
  await page.getByLabel('Message', { exact: true }).fill(text)
  await page.getByLabel('Message', { exact: true }).press('Enter')
}

// numbers are all the numbers of the page that records change, as one text.
export const numbers = (page) => page.evaluate(() => [...document.querySelectorAll('[data-value]')].map((n) => n.textContent).join(' '))

// drawn is how many records the page has drawn, and how old the newest is.
export const drawn = (page) =>
  page.evaluate(() => {
    const { records, time } = document.getElementById('drawn').dataset
    return { records: Number(records), age: Date.now() - Number(time), at: performance.now() }
  })

// untilDrawn waits until the page has drawn so many records.
export const untilDrawn = (page, records) => page.waitForFunction((n) => Number(document.getElementById('drawn').dataset.records) >= n, records, { polling: 'raf', timeout: 60_000 })

// pixels are the opaque pixels of a plot, each [red, green, blue].
export const pixels = (page, panel) =>
  page.locator(`${panel} canvas`).evaluate((plot) => {
    const copy = new OffscreenCanvas(plot.width, plot.height).getContext('2d', { willReadFrequently: true })
    copy.drawImage(plot, 0, 0)
    const { data } = copy.getImageData(0, 0, plot.width, plot.height)
    const opaque = []
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 250) opaque.push([data[i], data[i + 1], data[i + 2]])
    return opaque
  })
