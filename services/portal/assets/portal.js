// What htmx does not do by itself: rest while nobody looks, a pause button, and saying so when the server is gone.
;(() => {
  const live = document.getElementById('live')
  const button = document.getElementById('pause')
  const lost = document.getElementById('lost')
  if (!live || !button || !lost) return
  let paused = false

  document.addEventListener('htmx:config:request', event => {
    if (document.hidden || paused) event.preventDefault()
  })
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) live.dispatchEvent(new Event('refresh'))
  })

  button.hidden = false
  button.addEventListener('click', () => {
    paused = !paused
    button.textContent = paused ? button.dataset.resume : button.dataset.pause
    document.documentElement.classList.toggle('is-paused', paused)
    if (!paused) live.dispatchEvent(new Event('refresh'))
  })

  const tell = gone => {
    if (lost.hidden === gone) lost.hidden = !gone
  }
  document.addEventListener('htmx:error', () => tell(true))
  document.addEventListener('htmx:after:request', event => tell((event.detail?.ctx?.response?.status ?? 200) >= 400))
})()
