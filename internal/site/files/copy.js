// Commands to copy: each item of a .commands list has code and a button. In the
// code {origin} becomes the page's own, and {ws} that with ws for http.

export function commands() {
  for (const block of document.querySelectorAll('.commands li')) {
    const code = block.querySelector('code')
    const button = block.querySelector('button')
    code.textContent = code.textContent.replaceAll('{origin}', location.origin).replaceAll('{ws}', location.origin.replace(/^http/, 'ws'))
    button.setAttribute('aria-label', `Copy: ${block.querySelector('span').textContent}`)
    button.addEventListener('click', async () => {
      // Without https a browser lends the clipboard only to localhost: elsewhere
      // the text is selected, ready for the keys.
      try {
        await navigator.clipboard.writeText(code.textContent)
        button.textContent = 'Copied'
      } catch {
        getSelection().selectAllChildren(code)
        button.textContent = 'Selected'
      }
      setTimeout(() => (button.textContent = 'Copy'), 2000)
    })
  }
}
