import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytes, percent, rate, short, span } from '../files/format.js'
import { History } from '../files/history.js'
import { nice, niceBinary, shown } from '../files/scale.js'

test('numbers have three digits that matter', () => {
  for (const [n, text] of [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '0.98 KiB'],
    [1024, '1.00 KiB'],
    [10240, '10.0 KiB'],
    [1023.9 * 1024, '1.00 MiB'],
    [23.54 * 2 ** 30, '23.5 GiB'],
    [512 * 2 ** 40, '512 TiB'],
  ]) {
    assert.equal(bytes(n).join(' '), text, String(n))
  }
  for (const [n, text] of [
    [0, '0 B/s'],
    [999.4, '999 B/s'],
    [999.6, '1.00 kB/s'],
    [9_994, '9.99 kB/s'],
    [9_996, '10.0 kB/s'],
    [99_960, '100 kB/s'],
    [999_600, '1.00 MB/s'],
    [1.25e9, '1.25 GB/s'],
  ]) {
    assert.equal(rate(n).join(' '), text, String(n))
  }
  assert.equal(percent(0).join(' '), '0.0 %')
  assert.equal(percent(99.94).join(' '), '99.9 %')
  assert.equal(percent(99.97).join(' '), '100 %')
  assert.equal(short(['2.50', 'MB/s']), '2.5 MB/s')
  assert.equal(short(['500', 'kB/s']), '500 kB/s')
})

test('spans have two units', () => {
  for (const [n, text] of [
    [0, '0 s'],
    [59, '59 s'],
    [60, '1 min 0 s'],
    [3725, '1 h 2 min'],
    [90000, '1 d 1 h'],
    [86400 * 400 + 59, '400 d 0 h'],
  ]) {
    assert.equal(span(n), text)
  }
})

test('scales round up', () => {
  for (const [n, up] of [[10_000, 10_000], [10_010, 20_000], [20_010, 50_000], [50_010, 100_000], [0.3, 0.5]]) {
    assert.ok(Math.abs(nice(n) - up) < 1e-9, `nice(${n}) is ${nice(n)}`)
  }
  assert.equal(niceBinary(800), 1024)
  assert.equal(niceBinary(1024), 1024)
  assert.deepEqual([0, 20, 21, 59, 61, 500].map((s) => shown(s, 60)), [20, 20, 40, 60, 60, 60])
  assert.deepEqual([0, 61, 500].map((s) => shown(s, 120)), [20, 120, 120])
})

test('a history is bounded in time and in rows, and keeps a row before its window', () => {
  const slow = new History(1, 60, 3500)
  for (let t = 0; t < 1000; t++) slow.push(t, [t])
  assert.ok(slow.length <= 61 * 1.15 + 1, `${slow.length} rows`)
  assert.ok(slow.data[0][0] < 999 - 60 + 1)

  const fast = new History(2, 60, 100)
  for (let t = 0; t < 10_000; t++) fast.push(t / 1000, [t, -t])
  assert.equal(fast.length, 100)
  assert.ok(fast.data.every((column) => column.length === 100))
  assert.deepEqual([fast.data[1].at(-1), fast.data[2].at(-1)], [9999, -9999])
})

test('times in a history only grow, and a gap is one row of nothing', () => {
  const h = new History(2)
  h.gap()
  assert.equal(h.length, 0)
  h.push(10, [1, 2])
  h.push(9.5, [3]) // a clock was set back, a value is missing
  h.gap()
  h.gap()
  h.push(20, [4, 5])
  assert.deepEqual(h.data, [[10, 10.001, 10.001 + 0.001, 20], [1, 3, null, 4], [2, null, null, 5]])
  h.push(10, [6, 7]) // set back by much
  assert.deepEqual(h.data, [[10], [6], [7]])
})
