// Plots that move: uPlot with the page's colours.

import { shown } from './scale.js'
import uPlot from './vendor/uplot.js'

const palette = new Map()
const coloured = new Set()

// colour returns the value of a custom property of the page, as --series-1.
function colour(name) {
  if (!palette.has(name)) palette.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim())
  return palette.get(name)
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  palette.clear()
  for (const redraw of coloured) redraw()
})

// The plots with scales share one pointer.
const together = uPlot.sync('page')

// Plot draws a history into host.
//
//   series  [{ colour, width, fill, dot }], colour the name of a custom property
//   range   (min, max) of the values => [from, to] of the scale
//   unit    value => text of a mark on the scale; without it there are no scales
//   pointed (row or null) hears which row the pointer is at
export class Plot {
  constructor(host, history, { series, range, unit, pointed }) {
    this.history = history
    const font = `11px ${getComputedStyle(document.body).fontFamily}`
    const axis = {
      font,
      stroke: () => colour('--muted'),
      grid: { stroke: () => colour('--grid'), width: 1 },
      ticks: { show: false },
    }
    this.plot = new uPlot(
      {
        width: Math.max(host.clientWidth, 60),
        height: host.clientHeight,
        padding: unit ? [8, 16, 0, 0] : [6, 8, 6, 8],
        legend: { show: false },
        select: { show: false },
        cursor: {
          show: Boolean(unit),
          y: false,
          drag: { x: false, y: false, setScale: false },
          points: { size: 7, width: 2, fill: () => colour('--card') },
          ...(unit ? { sync: { key: together.key, setSeries: false } } : {}),
        },
        scales: {
          x: { time: false, range: (u, min, max) => [max - shown(max - min, history.seconds), max] },
          y: { range: (u, min, max) => range(min ?? 0, max ?? 0) },
        },
        axes: unit
          ? [
              {
                ...axis,
                size: 26,
                gap: 7,
                splits: (u, i, min, max) => marks(max - min, u.width).map(s => max - s),
                values: (u, splits) => splits.map(s => ago(u.scales.x.max - s)),
              },
              {
                ...axis,
                size: 62,
                gap: 6,
                splits: (u, i, min, max) => [0, 0.25, 0.5, 0.75, 1].map(part => min + (max - min) * part),
                values: (u, splits) => splits.map((s, i) => (i % 2 ? '' : unit(s))),
              },
            ]
          : [{ show: false }, { show: false }],
        series: [
          {},
          ...series.map(s => ({
            stroke: () => colour(s.colour),
            width: s.width ?? 1.75,
            alpha: s.alpha ?? 1,
            points: { show: false },
            spanGaps: false,
            ...(s.fill ? { fill: u => shade(u, colour(s.colour)) } : {}),
          })),
        ],
        hooks: {
          draw: [u => dots(u, series)],
          setCursor: [u => pointed?.(u.cursor.left >= 0 ? u.cursor.idx : null)],
        },
      },
      history.data,
      host,
    )
    this.recolour = () => this.plot.redraw(true, true)
    coloured.add(this.recolour)
    this.sizes = new ResizeObserver(() => this.plot.setSize({ width: Math.max(host.clientWidth, 60), height: host.clientHeight }))
    this.sizes.observe(host)
  }

  draw() {
    this.plot.setData(this.history.data)
  }

  remove() {
    coloured.delete(this.recolour)
    this.sizes.disconnect()
    this.plot.destroy()
  }
}

// marks are the times, in seconds ago, that a plot of this width has room to name.
const marks = (seconds, width) => (width > 330 ? [1, 0.75, 0.5, 0.25, 0] : [1, 0.5, 0]).map(part => seconds * part)

const ago = seconds => (seconds < 0.5 ? 'now' : `−${Math.round(seconds)} s`)

// shade fills below a line, fainter towards the ground. A colour is #rrggbb.
function shade(u, base) {
  const { top, height } = u.bbox
  const gradient = u.ctx.createLinearGradient(0, top, 0, top + height)
  gradient.addColorStop(0, `${base}58`)
  gradient.addColorStop(1, `${base}08`)
  return gradient
}

// dots marks the newest value of each line that asks for it.
function dots(u, series) {
  const row = u.series[0].idxs?.[1] // the history may have grown since
  if (row == null || !(row in u.data[0])) return
  const { ctx } = u
  const x = u.valToPos(u.data[0][row], 'x', true)
  series.forEach((s, i) => {
    const value = u.data[i + 1][row]
    if (!s.dot || value === null || value === undefined) return
    ctx.save()
    ctx.beginPath()
    ctx.arc(x, u.valToPos(value, 'y', true), 3.25 * devicePixelRatio, 0, 2 * Math.PI)
    ctx.fillStyle = colour(s.colour)
    ctx.fill()
    ctx.lineWidth = 2 * devicePixelRatio
    ctx.strokeStyle = colour('--card')
    ctx.stroke()
    ctx.restore()
  })
}
