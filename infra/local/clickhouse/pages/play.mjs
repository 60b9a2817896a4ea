/** The page /play: sends what is in the box, shows the answer as a table, or the server's error as it is. */
const ROWS_MAX = 1000
const part = id => document.getElementById(id)
const [form, sql, user, database] = ['ask', 'sql', 'user', 'database'].map(part)
const [run, stop, status, error, result] = ['run', 'stop', 'status', 'error', 'result'].map(part)
let running

// The text stands in the address, so that a page can be sent to somebody or loaded again.
if (location.hash.length > 1) sql.value = decodeURIComponent(location.hash.slice(1))

form.addEventListener('submit', event => {
  event.preventDefault()
  ask()
})
sql.addEventListener('keydown', event => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) ask()
})
stop.addEventListener('click', () => running?.abort())

async function ask() {
  running?.abort()
  const mine = new AbortController()
  running = mine
  const began = performance.now()
  show('Running …', '', undefined)
  setBusy(true)
  try {
    history.replaceState(null, '', `#${encodeURIComponent(sql.value)}`)
    const answer = await fetch(address(), { method: 'POST', body: sql.value, signal: mine.signal })
    const text = await answer.text()
    const seconds = ((performance.now() - began) / 1000).toFixed(2)
    if (!answer.ok || answer.headers.has('X-ClickHouse-Exception-Code')) show(`Failed after ${seconds} s.`, text)
    else showAnswer(text, answer.headers.get('X-ClickHouse-Format'), seconds)
  } catch (cause) {
    if (running !== mine) return
    show(mine.signal.aborted ? 'Stopped.' : 'Failed.', mine.signal.aborted ? '' : `The answer broke off: ${cause}`)
  } finally {
    if (running === mine) setBusy(false)
  }
}

function address() {
  // Every value as text: a browser's numbers cannot hold 64 bits.
  return `/?${new URLSearchParams({
    user: user.value,
    database: database.value,
    default_format: 'JSONCompactStrings',
    max_result_rows: ROWS_MAX,
    result_overflow_mode: 'break',
    wait_end_of_query: 1,
  })}`
}

function showAnswer(text, format, seconds) {
  if (format !== 'JSONCompactStrings') return show(`Done in ${seconds} s.`, '', plain(text))
  if (text === '') return show(`Done in ${seconds} s.`, '')
  const { meta, data, rows } = JSON.parse(text)
  const shown = data.slice(0, ROWS_MAX)
  const more = rows > shown.length ? ` (the first ${shown.length} are shown)` : ''
  show(`${rows} row${rows === 1 ? '' : 's'}${more} in ${seconds} s.`, '', table(meta, shown))
}

function show(line, message, content) {
  status.textContent = line
  error.textContent = message
  error.hidden = message === ''
  result.replaceChildren(...(content ? [content] : []))
  result.hidden = content === undefined
}

function setBusy(busy) {
  run.disabled = busy
  stop.disabled = !busy
}

function table(meta, data) {
  const head = element(
    'tr',
    meta.map(({ name, type }) => {
      const cell = element('th', [name, element('small', [type])])
      cell.scope = 'col'
      return cell
    }),
  )
  const right = meta.map(({ type }) => /^(?:Nullable\()?(?:U?Int|Float|Decimal)/.test(type))
  const body = data.map(row =>
    element(
      'tr',
      row.map((value, at) => {
        const cell = element('td', [value ?? 'NULL'])
        if (right[at]) cell.className = 'number'
        return cell
      }),
    ),
  )
  return element('table', [element('thead', [head]), element('tbody', body)])
}

function plain(text) {
  return element('pre', [text])
}

function element(name, children) {
  const made = document.createElement(name)
  made.append(...children)
  return made
}
