/** What pages do: values under the cursor, the same time in all charts at once; tables that sort. Runs in a browser, with nothing loaded. */

export const BEHAVIOUR = `
'use strict'
const figure = (v) => {
  if (v === null) return '–'
  const a = Math.abs(v)
  if (a === 0) return '0'
  if (a < 0.00005) return v.toExponential(1)
  if (a < 1) return v.toFixed(a < 0.01 ? 5 : 4)
  if (a < 1e4) return String(Number(v.toPrecision(4)))
  const k = Math.min(4, Math.floor(Math.log10(a) / 3))
  return Number((v / 10 ** (3 * k)).toPrecision(3)) + ' ' + 'kMGT'[k - 1]
}
const time = document.querySelector('script.time')
const xs = time ? JSON.parse(time.textContent).seconds : []
const unit = time ? JSON.parse(time.textContent).unit : { name: 'seconds', seconds: 1 }
const charts = [...document.querySelectorAll('figure.chart')].map((figure) => ({
  figure,
  svg: figure.querySelector('svg'),
  data: JSON.parse(figure.querySelector('script').textContent),
  cursor: figure.querySelector('.cursor'),
  dots: [...figure.querySelectorAll('.at')],
  values: [...figure.querySelectorAll('.legend b')],
  when: figure.querySelector('.when'),
}))
let shown = null
function show(i) {
  shown = i
  for (const { data, cursor, dots, values, when } of charts) {
    const x = data.left + (xs[i ?? xs.length - 1] / data.span) * data.width
    cursor.style.visibility = i === null ? 'hidden' : 'visible'
    cursor.setAttribute('x1', x)
    cursor.setAttribute('x2', x)
    when.textContent = i === null ? '' : 'at ' + figure(xs[i] / unit.seconds) + ' ' + unit.name
    data.series.forEach((series, s) => {
      const v = i === null ? data.last[s] : series[i]
      values[s].textContent = figure(v)
      const on = i !== null && v !== null
      dots[s].style.visibility = on ? 'visible' : 'hidden'
      if (!on) return
      const t = data.log ? Math.log(v / data.low) / Math.log(data.high / data.low) : (v - data.low) / (data.high - data.low)
      dots[s].setAttribute('cx', x)
      dots[s].setAttribute('cy', data.top + (1 - t) * data.height)
    })
  }
}
function nearest(seconds) {
  let [low, high] = [0, xs.length - 1]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (xs[middle] < seconds) low = middle
    else high = middle
  }
  return seconds - xs[low] < xs[high] - seconds ? low : high
}
for (const { svg, data } of charts) {
  svg.addEventListener('pointermove', (event) => {
    const box = svg.getBoundingClientRect()
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width
    show(nearest(((x - data.left) / data.width) * data.span))
  })
  svg.addEventListener('pointerleave', () => show(null))
  svg.addEventListener('blur', () => show(null))
  svg.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    show(Math.max(0, Math.min(xs.length - 1, (shown ?? xs.length) + step)))
  })
}
for (const table of document.querySelectorAll('table.sortable')) {
  const heads = [...table.tHead.rows[0].cells]
  heads.forEach((head, column) => {
    const button = document.createElement('button')
    button.append(...head.childNodes)
    head.append(button)
    button.addEventListener('click', () => {
      const down = head.getAttribute('aria-sort') === 'ascending'
      heads.forEach((each) => each.removeAttribute('aria-sort'))
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending')
      const keyOf = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent
      const isNumber = head.classList.contains('n')
      const rows = [...table.tBodies[0].rows].map((row) => [keyOf(row), row])
      const order = ([a], [b]) => {
        if (isNumber && (a === '' || b === '')) return (a === '') - (b === '')
        const way = isNumber ? a - b : a.localeCompare(b, 'en', { numeric: true })
        return down ? -way : way
      }
      table.tBodies[0].append(...rows.sort(order).map(([, row]) => row))
    })
  })
}
`
