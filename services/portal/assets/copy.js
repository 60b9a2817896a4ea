// Buttons that copy a text. Hidden without this script: a click on the text selects all of it anyway.
;(() => {
  const said = document.getElementById('copied')

  /** The clipboard of today needs HTTPS or this machine; pages inside an office often have neither. */
  const copy = async text => {
    try {
      await navigator.clipboard.writeText(text.textContent)
      return true
    } catch {
      getSelection().selectAllChildren(text)
      return document.execCommand('copy')
    }
  }

  for (const button of document.querySelectorAll('button[data-copies]')) {
    const text = document.getElementById(button.dataset.copies)
    const face = button.querySelector('.face')
    if (!text || !face || !said) continue
    const { copy: before, copied } = button.dataset
    button.hidden = false
    button.addEventListener('click', async () => {
      if (!(await copy(text))) return
      face.textContent = copied
      said.textContent = copied
      setTimeout(() => {
        face.textContent = before
        said.textContent = ''
      }, 2_000)
    })
  }
})()
