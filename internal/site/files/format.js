// Numbers for people: three digits that matter, and a unit.

const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
const decimal = ['B/s', 'kB/s', 'MB/s', 'GB/s', 'TB/s']

// scaled divides n by base until it is below 1000 and returns [text, unit].
function scaled(n, base, units) {
  let i = 0
  while (n >= 999.5 && i < units.length - 1) {
    n /= base
    i++
  }
  const decimals = i === 0 || n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2
  return [n.toFixed(decimals), units[i]]
}

// bytes and rate return [number, unit], both texts.
export const bytes = n => scaled(n, 1024, binary)
export const rate = n => scaled(n, 1000, decimal)
export const percent = n => [n >= 99.95 ? '100' : n.toFixed(1), '%']

// short is [number, unit] for the scale of a plot: as few digits as tell the value.
export const short = ([number, unit]) => `${number.includes('.') ? String(Number(number)) : number} ${unit}`

// span says how long n seconds are, in its two largest units.
export function span(n) {
  const parts = []
  for (const [unit, seconds] of [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]]) {
    const whole = Math.floor(n / seconds)
    if (whole > 0 || parts.length > 0 || seconds === 1) parts.push(`${whole} ${unit}`)
    n -= whole * seconds
  }
  return parts.slice(0, 2).join(' ')
}
