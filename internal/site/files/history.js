// A history is columns of numbers, the first of them times in seconds. It
// forgets what is older than `seconds` or beyond `most` rows.
export class History {
  constructor(columns, seconds = 60, most = 3500) {
    this.seconds = seconds
    this.most = most
    this.data = Array.from({ length: columns + 1 }, () => [])
  }

  get length() {
    return this.data[0].length
  }

  push(time, values) {
    const [times, ...columns] = this.data
    // Times only grow. When the server's clock was set back by more than a
    // little, what came before it has no place any more.
    if (time < times.at(-1) - 2) this.clear()
    if (time <= times.at(-1)) time = times.at(-1) + 0.001
    times.push(time)
    columns.forEach((column, i) => column.push(values[i] ?? null))
    this.#forget(time)
  }

  // gap breaks the lines: what comes next has no connection with what was.
  gap() {
    if (this.length > 0 && this.data.slice(1).some(c => c.at(-1) !== null)) this.push(this.data[0].at(-1) + 0.001, [])
  }

  clear() {
    for (const column of this.data) column.length = 0
  }

  // Rows leave in lots, so that not each push moves the whole array. One row
  // before the window stays: its line enters from the edge.
  #forget(time) {
    const times = this.data[0]
    let old = Math.max(0, times.length - this.most)
    while (times[old + 1] < time - this.seconds) old++
    if (old > 0 && (old >= times.length / 8 || times.length > this.most)) {
      for (const column of this.data) column.splice(0, old)
    }
  }
}
