// Scales that hold still while values move.

// nice and niceBinary round up: to 1, 2 or 5 times a power of ten, and to a power of two.
export function nice(n) {
  const power = 10 ** Math.floor(Math.log10(n))
  return [1, 2, 5, 10].find(m => n <= m * power * 1.0001) * power
}

export const niceBinary = n => 2 ** Math.ceil(Math.log2(n))

// shown is how much time a plot shows: little at first, so that it looks like
// something soon, and all of it when there is so much.
export const shown = (passed, most) => [20, 40, 60].find(s => passed <= s && s <= most) ?? most
